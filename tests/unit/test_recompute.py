"""The batch's answer as rows, and every way in which two tables can differ."""

from pipeline.flow import fates, flow
from pipeline.recompute import KEYS, SHOWN, Rows, compare, differing, digest, expected_digests, expected_rows
from sinks.rows import TABLES
from tests.harness.touchpoints import NOW, Record, answer, raw, rules, touchpoint, wire


def rows(*records: Record | bytes) -> dict[str, Rows]:
    """The oracle's rows of these touchpoints, one after the other."""
    values = [record if isinstance(record, bytes) else wire(record) for record in records]
    return expected_rows(fates([raw(value, n, NOW + n) for n, value in enumerate(values)], rules()))


def test_every_table_has_its_rows() -> None:
    """One touchpoint with an answer, a rejected record, a duplicate."""
    found = rows(touchpoint(answer=answer()), b"junk", touchpoint(answer=answer()))
    assert {table: len(keyed) for table, keyed in found.items()} == {
        "touchpoints": 1,
        "sessions": 1,
        "journeys": 1,
        "scores": 4,
        "customers": 1,
        "rejected": 1,
    }
    assert {table.name for table in TABLES.values()} == set(found) == set(KEYS)


def test_equal_rows_do_not_differ() -> None:
    """Whatever order they were made in."""
    one = rows(touchpoint(), touchpoint(event_id="e-2", occurred_at=NOW + 1))
    for table, expected in one.items():
        result = compare(table, expected, dict(reversed(expected.items())))
        assert (result.different, result.examples) == (0, [])
        assert result.expected == result.found == len(expected)


def test_differences_are_named_without_their_values() -> None:
    """By key and by field."""
    expected: Rows = {("p", "a"): {"x": 1, "name": "Ann"}, ("p", "b"): {"x": 2, "name": "Bob"}}
    found: Rows = {("p", "b"): {"x": 3, "name": "Cid"}, ("p", "c"): {"x": 4, "name": "Dan"}}
    result = compare("sessions", expected, found)
    assert (result.missing, result.extra, result.differing, result.different) == (1, 1, 1, 3)
    assert result.examples == ["p/a: missing in ClickHouse", "p/b: differs in x, name", "p/c: only in ClickHouse"]


def test_examples_have_an_end() -> None:
    """Counts do not."""
    result = compare("customers", {(str(n),): {} for n in range(100)}, {})
    assert result.missing == 100
    assert len(result.examples) == SHOWN


def test_a_broker_whose_clock_went_back_changes_nothing() -> None:
    """Within a partition the offsets decide which of two records is the duplicate, as they do in the stage."""
    again = wire(touchpoint())
    result = flow([raw(again, 1, NOW - 5000), raw(again, 0, NOW)], rules())
    assert [record["source_offset"] for record in result.touchpoints] == [0]
    assert [origin.offset for origin in result.duplicates] == [1]


def test_digests_find_what_rows_find() -> None:
    """Missing, extra and differing rows by their keys, in whatever parts they come."""
    records = [touchpoint(event_id=f"e-{n}", occurred_at=NOW + n) for n in range(6)]
    fated = list(fates([raw(wire(record), n, NOW + n) for n, record in enumerate(records)], rules()))
    expected, found = expected_digests(fated)["touchpoints"], expected_rows(fated)["touchpoints"]
    first, second, *rest = found
    changed = {("elsewhere", 0, 0): found[first], second: {**found[second], "channel": "fax"}}
    parts: list[Rows] = [{key: found[key] for key in rest[:2]}, {key: found[key] for key in rest[2:]}, changed]
    counts, keys = differing(expected, parts)
    assert (counts.expected, counts.found, counts.missing, counts.extra, counts.differing) == (6, 6, 1, 1, 1)
    assert set(keys) == {first, second, ("elsewhere", 0, 0)}
    assert expected_rows(fated, {**dict.fromkeys(KEYS, ()), "touchpoints": keys})["touchpoints"].keys() == {
        first,
        second,
    }


def test_a_map_has_one_digest_in_any_order() -> None:
    assert digest({"m": {"a": 1, "b": 2}}) == digest({"m": {"b": 2, "a": 1}})
    assert digest({"m": {"a": 1, "b": 2}}) != digest({"m": {"a": 1, "b": 3}})
