"""What each reason of a rejection means, for the people who have to mend the source. `docs/rejections.md` is made from it."""

from typing import Final

from pipeline.events import Reason

MEANINGS: Final[dict[Reason, tuple[str, str]]] = {
    Reason.EMPTY: ("The record has no value.", "A tombstone or an empty message was sent: send a touchpoint."),
    Reason.MAGIC: ("It does not begin with byte 00 and a schema id.", "Write Avro in the Confluent wire format."),
    Reason.SCHEMA_UNKNOWN: ("No schema has its id.", "Register the schema first, or use one of schemas/registry.toml."),
    Reason.SCHEMA_UNSUITABLE: (
        "Its schema is not one of a touchpoint.",
        "Send it to another topic, or with another schema.",
    ),
    Reason.DECODE: (
        "The bytes are no record of that schema.",
        "The record is cut off or damaged, or the schema id is wrong.",
    ),
    Reason.TRAILING_BYTES: ("There are bytes after the record.", "Send one record in one message."),
    Reason.JSON: (
        "It is no JSON object.",
        "Is it cut off? JSON has no NaN, no comments, and commas between values only.",
    ),
    Reason.TEXT_MALFORMED: (
        "A text is not UTF-8, or holds half a character.",
        "Write UTF-8; an emoji's two escapes belong together.",
    ),
    Reason.KEY_TWICE: ("An object has a key twice, so readers differ in what it says.", "Send each key once."),
    Reason.FIELD_MISSING: ("A field that every touchpoint must have is not there.", "`field` names it: fill it."),
    Reason.FIELD_UNKNOWN: (
        "It has a field that the schema does not have.",
        "Is it misspelt? What has no field of its own belongs into `attributes`.",
    ),
    Reason.FIELD_MALFORMED: ("A field holds something of another kind.", "`expected` says what it takes."),
    Reason.TOO_LARGE: (
        "It is larger than an event may be.",
        "Send long texts and files elsewhere, and their address here.",
    ),
    Reason.MISFIT: (
        "What another system sent does not fit the mapping of its key.",
        "`touchstream intake try MAPPING FILE` shows why; mend the mapping and redrive, or mend what is sent.",
    ),
    Reason.SOURCE_FOREIGN: (
        "It names another source than the key that it came with.",
        "Leave `source` out, or use a key of that source.",
    ),
    Reason.EVENT_ID_MISSING: (
        "It has no event id.",
        "Give each event an id of its own that stays the same when it is sent again.",
    ),
    Reason.EVENT_TYPE_MALFORMED: (
        "The event type is not like `call.ended`.",
        "Use lower-case words with a dot between them.",
    ),
    Reason.SOURCE_MISSING: ("It does not say which system sent it.", "Fill `source`."),
    Reason.IDENTIFIER_MISSING: ("It names nobody.", "Send at least one identifier; a cookie will do."),
    Reason.IDENTIFIER_MALFORMED: ("An identifier is not of its namespace's form.", "See schemas/namespaces.toml."),
    Reason.TIME_TOO_EARLY: (
        "It happened before the earliest year that is accepted.",
        "Is `occurred_at` in milliseconds?",
    ),
    Reason.TIME_IN_FUTURE: (
        "It happens later than it arrived, by more than is tolerated.",
        "Check the source's clock and unit.",
    ),
    Reason.TIMES_CONTRADICT: (
        "It was sent before it happened, by more than is tolerated, and by the same clock.",
        "`occurred_at` and `sent_at` are mixed up, or one has another unit.",
    ),
    Reason.TOUCHPOINT_UNKNOWN: (
        "Its event type is not in the catalogue, and this installation takes no others (`strict_touchpoints`).",
        "Is it misspelt? Otherwise add it to schemas/catalogue.toml.",
    ),
    Reason.ANSWER_MISSING: (
        "It says that a survey was answered, and not how.",
        "Fill `answer`, or use another type.",
    ),
    Reason.SCALE_INVALID: ("The scale is not one of the metric's.", "NPS is 0-10; CSAT and CES are 1-3, 1-5 or 1-7."),
    Reason.VALUE_OUT_OF_SCALE: ("The answer lies outside its scale.", "Check the scale, or the value."),
    Reason.AMOUNT_MALFORMED: ("The currency is not three capital letters.", "Use ISO 4217 codes."),
    Reason.DURATION_NEGATIVE: ("The contact lasted less than nothing.", "Check begin and end at the source."),
    Reason.PROCESSING_FAILED: (
        "It is valid, but the stage named in the headers failed on it: a fault of touchstream, `got` names it.",
        "Report it with the record; it costs only itself.",
    ),
    Reason.ROW_REFUSED: (
        "ClickHouse, or its driver, does not take the row (stage `sink`).",
        "`got` names the error: mend the value at the source, or the table if somebody has changed it.",
    ),
}


def in_words(reason: str) -> tuple[str, str]:
    """What a reason means and what to do; two empty texts for one that is not ours."""
    return MEANINGS[Reason(reason)] if reason in set(Reason) else ("", "")


_SENT_AGAIN: Final = """## Looking at them
`touchstream rejected list` shows the newest (`--reason`, `--topic`, `--stage`, `--source`, `--since 12h`),
`touchstream rejected show PLACE` one of them with its fields, which may be personal. The board's page *Rejected* and
`GET /v1/rejected` ([API](api.md)) do the same.

## Sending them again
When the fault is mended, `touchstream rejected redrive` sends records again: some by their places, or all of a
`--reason`, `--stage`, `--source`, `--topic` or time, or `--all`. `--dry-run` says what would come of it. The board
has a button for it, the API `POST /v1/rejected/redrive`.

| rejected by | goes back | to |
| --- | --- | --- |
| `intake` | as it is or mended, read as the intake reads it and judged by the rules of now | the topic of its channel |
| `resolve` | as it is or mended, judged by the rules of now | its own topic |
| `journey` | as it is | its own partition of `touchpoints.resolved.v1` |
| `sink`, something derived | as it is, unless a newer version of it has been written since ("overtaken") | its own partition |
| `sink`, a touchpoint | not at all | |

What would be rejected again stays, and is named with its reason. A touchpoint whose row ClickHouse refused stays
because its person's numbers have counted it: on `touchpoints.resolved.v1` it would be counted a second time, and on
its own topic its event id is known. Why the others are right: [decision 9](adr/0009-sink.md). What the intake rejected
was received when it was rejected, not when it is sent again (`received_at`).

**Mending.** With `--patch FILE` each is corrected on its way, by a JSON Merge Patch (RFC 7396) such as `{"answer":
{"scale_min": 0, "scale_max": 10}}`. For what the intake rejected it changes the JSON as it was sent: `{"colour":
null}` takes away a field that a touchpoint does not have. Bytes that nobody can read (no JSON, no Avro, a key twice)
take `--replace FILE`: one event in JSON in place of one record. A whole body of several events is not split: send it
to the intake again. Where somebody has sent the mended event by another way meanwhile, it is a duplicate by its event
id, within the horizon.

**Another system's form.** What came by a key with a mapping is read by that mapping as it is now: mend the file, then
`touchstream rejected redrive --reason misfit --dry-run`. A row that did not fit gives all its touchpoints, in one
transaction; of one that fitted only the touchpoint that was rejected goes back. A patch changes the touchpoints, not
what was sent.

**Each record goes back at most once**, however often it is asked for, and wherever the command is killed: it and its
entry on `redrives.v1` are one transaction. Asked for again, the command says when it was sent, and to where. It is a
new record there: rejected again, it can be redriven again. `reconcile` counts the old one as rejected and the new one
as what has become of it.
"""


def as_markdown() -> str:
    """The page of reasons."""
    rows = "\n".join(f"| `{reason}` | {meaning} | {remedy} |" for reason, (meaning, remedy) in MEANINGS.items())
    return f"""# Rejected records

A record that is not a valid touchpoint lands on `rejected.v1` with its own bytes, and in the table `rejected`. The reason is one
of these codes. `field` names the place, `expected` and `got` say what was wrong; they hold shapes, numbers and codes, and never
anything personal.

| reason | what it means | what to do |
| --- | --- | --- |
{rows}

With stage `sink` the place is that of the raw record for a touchpoint, and the record's own on its topic for
everything derived (sessions, journeys, scores, customers); the bytes are those that the sink has read, so a
touchpoint's have its person besides. With stage `intake` they have been on no other topic: the bytes are the event as
it was sent, JSON or Avro, or a whole body that could not be split, and the place is where they lie on `rejected.v1`.

The topic's headers are those that dead-letter tools for Kafka Connect read (`__connect.errors.topic`, `.partition`,
`.offset`, `.stage`, `.exception.class.name`, `.exception.message`), with `cx.reason`, `cx.field`, `cx.expected`,
`cx.got`, `cx.schema_id` and `cx.attempt` besides, and `cx.source`, `cx.event_type`, `cx.channel` as far as they could
be read. `cx.attempt` is how often the record has been sent: a record that is sent again carries it as a header, and
whoever rejects it once more passes it on.

{_SENT_AGAIN}"""
