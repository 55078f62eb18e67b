"""The reduced answer of the reference job: what it is by our records, and whether two sets of answers are equal. Pure."""

from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any, Final

import fastavro

Record = dict[str, Any]
Answers = dict[str, Record]
WINDOWS: Final = ("24h", "7d", "30d", "90d")
TALLY: Final = ("n", "sum", "sum_of_squares", "high", "low")
SHOWN: Final = 5
HEAD_BYTES: Final = 5


def of_records(views: Iterable[Record], sessions: Iterable[Record], scores: Iterable[Record]) -> Answers:
    """The answers that our records imply, each the latest of its kind; retracted sessions may be among them."""
    found = {view["person"]: _seen(view) for view in views}
    for session in sessions:
        if not session["retracted"]:
            mine = found[session["person"]]
            mine["sessions"] += 1
            mine["session_ms"] += session["ended_at"] - session["started_at"]
    for score in scores:
        found[score["person"]]["scores"].append(_score(score))
    return {person: settled(answer) for person, answer in found.items()}


def _seen(view: Record) -> Record:
    return {
        "person": view["person"],
        "touchpoints": view["touchpoints"],
        "first_seen_at": view["first_seen_at"],
        "last_seen_at": view["last_seen_at"],
        "sessions": 0,
        "session_ms": 0,
        "scores": [],
    }


def _score(score: Record) -> Record:
    by_window = {window["window"]: [window[part] for part in TALLY] for window in score["windows"]}
    return {
        "scale": f"{score['metric']}|{score['scale']}|{score['direction']}",
        "newest": score["as_of"],
        "windows": [by_window[name] for name in WINDOWS],
    }


def settled(answer: Record) -> Record:
    """The same answer with its scales in order."""
    return {**answer, "scores": sorted(answer["scores"], key=lambda score: str(score["scale"]))}


def of_values(values: Mapping[bytes, bytes], schema: Any) -> Answers:
    """The answers of a peer from its result topic: the latest value of each key, by key."""
    found = {}
    for key, value in values.items():
        record = fastavro.schemaless_reader(BytesIO(value[HEAD_BYTES:]), schema, None)
        if isinstance(record, dict):
            found[key.decode()] = settled(record)
    return found


def renamed(answers: Answers, names: Mapping[str, str]) -> Answers:
    """The same answers by other names of the persons."""
    return {names[person]: {**answer, "person": names[person]} for person, answer in answers.items()}


def touchpoints(answers: Answers) -> int:
    """How many touchpoints lie behind all answers."""
    return sum(answer["touchpoints"] for answer in answers.values())


def differences(expected: Answers, found: Answers) -> list[str]:
    """In what two sets of answers differ, a few examples by number and field; empty when they are equal."""
    said = []
    for person in sorted(expected.keys() | found.keys()):
        if person not in found:
            said.append(f"{person}: no answer")
        elif person not in expected:
            said.append(f"{person}: not asked for")
        elif expected[person] != found[person]:
            fields = [name for name, value in expected[person].items() if found[person].get(name) != value]
            said.append(f"{person}: differs in {', '.join(fields)}")
    more = [f"and {len(said) - SHOWN} more"] if len(said) > SHOWN else []
    return said[:SHOWN] + more
