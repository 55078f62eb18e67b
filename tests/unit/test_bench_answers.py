"""The reduced answer of the comparison: from our records, from a plain second implementation, and what counts as equal."""

import importlib.util
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.codec import Decoder
from schemas.registry import FileRegistry
from tests.bench.answers import differences, of_records, renamed, settled, touchpoints
from tests.bench.inputs import Wanted, make

SECOND = Path(__file__).parents[1] / "bench" / "peers" / "fold.py"


def second() -> Any:
    """The peers' own implementation of the job, which is no package."""
    spec = importlib.util.spec_from_file_location("peers_fold", SECOND)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("seed", "hot"), [(1, 0.0), (2, 0.3)])
def test_two_implementations_agree(seed: int, hot: float) -> None:
    """Ours, through the oracle, and the peers', one touchpoint at a time; duplicates left out by id in the raw ones."""
    fold = second()
    made = make(Wanted(2000, seed, hot))
    decoder = Decoder("resolved_touchpoint", FileRegistry())
    states: dict[str, Any] = {}
    for _, value in made.resolved:
        record = decoder.decode(value)
        assert isinstance(record, dict)
        fold.add(states.setdefault(record["person"], fold.empty()), record)
    assert differences(made.expected, {person: fold.answer(person, state) for person, state in states.items()}) == []
    assert touchpoints(made.expected) == len(made.resolved) < len(made.raw) == 2000


def test_raw_touchpoints_lead_to_the_same_answers() -> None:
    """With deduplication by event id, under the keys of the raw topic."""
    fold, made = second(), make(Wanted(1000))
    decoder = Decoder("touchpoint", FileRegistry())
    states: dict[str, Any] = {}
    seen = set()
    for key, value in made.raw:
        record = decoder.decode(value)
        assert isinstance(record, dict)
        if record["event_id"] not in seen:
            seen.add(record["event_id"])
            fold.add(states.setdefault(key.decode(), fold.empty()), record)
    found = renamed({key: fold.answer(key, state) for key, state in states.items()}, made.persons)
    assert differences(made.expected, found) == []


def test_equal_seeds_give_equal_inputs() -> None:
    """To the last byte; others do not."""
    packed = [msgspec.msgpack.encode(make(Wanted(1000, seed))) for seed in (3, 3, 4)]
    assert packed[0] == packed[1] != packed[2]


def _view(**more: Any) -> dict[str, Any]:
    return {"person": "p", "touchpoints": 3, "first_seen_at": 10, "last_seen_at": 90, **more}


def _session(start: int, end: int, *, retracted: bool = False) -> dict[str, Any]:
    return {"person": "p", "started_at": start, "ended_at": end, "retracted": retracted}


def test_retracted_sessions_do_not_count() -> None:
    """Two that were joined are one."""
    sessions = [_session(10, 20, retracted=True), _session(50, 90, retracted=True), _session(10, 90)]
    assert of_records([_view()], sessions, [])["p"] | {} == {**_view(), "sessions": 1, "session_ms": 80, "scores": []}


def test_windows_come_in_one_order() -> None:
    """Whatever order our record has them in."""
    window = {"n": 1, "sum": 9, "sum_of_squares": 81, "high": 1, "low": 0}
    windows = [{"window": name, **window} for name in ("90d", "24h", "30d", "7d")]
    windows[1]["n"] = 7
    score = {
        "person": "p",
        "metric": "nps",
        "scale": "0-10",
        "direction": "high_is_good",
        "as_of": 90,
        "windows": windows,
    }
    (found,) = of_records([_view()], [], [score])["p"]["scores"]
    assert found["scale"] == "nps|0-10|high_is_good"
    assert [tally[0] for tally in found["windows"]] == [7, 1, 1, 1]


def test_every_kind_of_difference_is_told() -> None:
    """Missing, not asked for, and by field."""
    one, other = settled({"touchpoints": 1, "scores": []}), settled({"touchpoints": 2, "scores": []})
    assert differences({"a": one, "b": one}, {"b": other, "c": one}) == [
        "a: no answer",
        "b: differs in touchpoints",
        "c: not asked for",
    ]
    assert differences({"a": one}, {"a": one}) == []
    many = differences({str(n): one for n in range(9)}, {})
    assert len(many) == 6
    assert many[-1] == "and 4 more"
