"""The reference job for one person, in plain Python: state is a dictionary that goes into JSON as it is.

Written from the definition in README.md, so it checks touchstream's own code as well.
"""

from math import ceil, floor
from typing import Any

State = dict[str, Any]
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
GAPS = {
    "call": HOUR,
    "web": 30 * MINUTE,
    "email": DAY,
    "app": 5 * MINUTE,
    "chat": 30 * MINUTE,
    "sms": DAY,
    "letter": 7 * DAY,
    "social": DAY,
    "store": 2 * HOUR,
    "device": 30 * MINUTE,
    "other": 30 * MINUTE,
}
DAYS = (7, 30, 90)


def empty() -> State:
    """A person of whom nothing is known."""
    return {"touchpoints": 0, "first": 1 << 62, "last": -1, "gaps": {}, "contacts": {}, "scores": {}}


def add(state: State, record: dict[str, Any]) -> None:
    """Add one touchpoint, in place."""
    at = record["occurred_at"]
    state["touchpoints"] += 1
    state["first"] = min(state["first"], at)
    state["last"] = max(state["last"], at)
    _session(state, record, at)
    if record["answer"] is not None and record["actor_type"] == "customer":
        _answer(state["scores"], record["answer"], at)


def _session(state: State, record: dict[str, Any], at: int) -> None:
    channel = record["channel"]
    if record["source_session"]:
        name = f"{channel}\0{record['source']}\0{record['source_session']}"
        start, end = state["contacts"].get(name, (at, at))
        state["contacts"][name] = [min(start, at), max(end, at)]
        return
    gap, runs = GAPS[channel], state["gaps"].setdefault(channel, [])
    first = next((i for i, run in enumerate(runs) if run[1] >= at - gap), len(runs))
    last, joined = first, [at, at]
    while last < len(runs) and runs[last][0] - joined[1] <= gap:
        joined = [min(joined[0], runs[last][0]), max(joined[1], runs[last][1])]
        last += 1
    runs[first:last] = [joined]


def _answer(scores: State, answer: dict[str, Any], at: int) -> None:
    low, high, direction = answer["scale_min"], answer["scale_max"], answer["direction"]
    key = f"{answer['metric']}|{low}-{high}|{direction}"
    held = scores.setdefault(key, {"newest": -1, "hours": {}, "days": {}})
    hour, day = at // HOUR, at // DAY
    if at > held["newest"]:
        held["newest"] = at
        held["hours"] = {k: v for k, v in held["hours"].items() if int(k) > hour - 24}
        held["days"] = {k: v for k, v in held["days"].items() if int(k) > day - 90}
    value = answer["value"]
    points = value if direction == "high_is_good" else low + high - value
    good, bad = _ends(answer["metric"], low, high)
    one = (1, value, value * value, int(points >= good), int(points <= bad))
    for buckets, name, reach, newest in (
        (held["hours"], hour, 24, held["newest"] // HOUR),
        (held["days"], day, 90, held["newest"] // DAY),
    ):
        if name > newest - reach:
            buckets[str(name)] = _plus(buckets.get(str(name), (0, 0, 0, 0, 0)), one)


def _ends(metric: str, low: int, high: int) -> tuple[int, int]:
    span = high - low
    if metric == "nps":
        return low + ceil(span * 0.9), low + floor(span * 0.6)
    if metric == "ces" and span == 6:
        return low + 4, low + 2
    if span <= 2:
        return high, low
    return high - max(1, span // 4), low + max(1, span // 4)


def _plus(one: Any, other: Any) -> list[int]:
    return [a + b for a, b in zip(one, other, strict=True)]


def answer(person: str, state: State) -> dict[str, Any]:
    """What is now to be said of the person: a record of answer.avsc."""
    runs = [run for channel in state["gaps"].values() for run in channel] + list(state["contacts"].values())
    return {
        "person": person,
        "touchpoints": state["touchpoints"],
        "first_seen_at": state["first"],
        "last_seen_at": state["last"],
        "sessions": len(runs),
        "session_ms": sum(end - start for start, end in runs),
        "scores": [
            {"scale": scale, "newest": held["newest"], "windows": _windows(held)}
            for scale, held in sorted(state["scores"].items())
        ],
    }


def _windows(held: State) -> list[list[int]]:
    hour, day = held["newest"] // HOUR, held["newest"] // DAY
    found = [_total(t for b, t in held["hours"].items() if int(b) > hour - 24)]
    return found + [_total(t for b, t in held["days"].items() if int(b) > day - reach) for reach in DAYS]


def _total(tallies: Any) -> list[int]:
    whole = [0, 0, 0, 0, 0]
    for tally in tallies:
        whole = _plus(whole, tally)
    return whole
