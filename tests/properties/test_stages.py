"""Both stages on real bytes: order, batches, duplicates and replays change nothing, and `flow` says the same in one go."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
from hypothesis import example, given

from pipeline.events import Raw
from pipeline.flow import flow
from pipeline.topics import OUTPUTS
from processors.policies import JourneyPolicy
from processors.state import unpack
from tests.harness.touchpoints import (
    CUTS,
    HOUR,
    NOW,
    SMALL_POLICY,
    Held,
    Record,
    answer,
    held,
    histories,
    journey_fold,
    raw,
    records_of,
    resolve_fold,
    resolved_log,
    rules,
    split,
    touchpoint,
    wire,
)

TOPICS = ("cx.touchpoints.web.v1", "cx.touchpoints.call.v1")
# Horizons that a few touchpoints cross many times, and touchpoints that often lie exactly on their edges.
STEP = 5_000
TIGHT = JourneyPolicy(
    session_gaps={"web": 2 * STEP, "call": 3 * STEP, "other": STEP},
    journey_gap_ms=2 * STEP,
    horizon_ms=4 * STEP,
    journey_horizon_ms=5 * STEP,
)
ALONE = list(range(1, 100))
Changelog = dict[bytes, bytes | None]


def journeyed(log: list[Raw], cuts: list[int], policy: JourneyPolicy = SMALL_POLICY) -> tuple[Changelog, Held]:
    """The journey stage's changelog, compacted, and what a consumer of its topics holds."""
    stage = journey_fold(policy)
    changelog: Changelog = {}
    records = []
    for batch in split(log, cuts):
        records += records_of(stage.fold(batch))
        changelog.update(stage.changes())
    return changelog, held(records)


def cells(changelog: Changelog) -> dict[bytes, Any]:
    """The persons' cells without the offset, which alone depends on the order."""
    return {key: unpack(value).cells for key, value in changelog.items() if value}


def told(records: list[Raw], policy: JourneyPolicy = SMALL_POLICY) -> Held:
    """What `flow` says of every person."""
    persons = flow(records, rules(policy)).persons.values()
    return held((OUTPUTS[kind], record) for outs in persons for kind in OUTPUTS for record in outs[kind])


def resolved_in_order(records: list[Record]) -> list[Raw]:
    """The resolved topic after these touchpoints arrived one after the other."""
    raws = [raw(wire(record), n, NOW + HOUR + n) for n, record in enumerate(records)]
    return resolved_log(resolve_fold().fold(raws))


@st.composite
def late(draw: st.DrawFn) -> tuple[list[Record], list[Record]]:
    """Touchpoints over several horizons: in order, and each as late as the horizons allow."""
    step, records, lags = 0, [], []
    for number, more in enumerate(draw(st.lists(st.integers(0, 3), min_size=2, max_size=20))):
        step += more
        record = touchpoint(
            event_id=f"e-{number}",
            occurred_at=NOW + step * STEP,
            channel=draw(st.sampled_from(("web", "call"))),
            source_session=draw(st.sampled_from((None, "s-1", "s-2"))),
            answer=draw(st.none() | st.builds(answer, st.integers(0, 10))),
        )
        records.append(record)
        lags.append((step + draw(st.integers(0, 4)), number))
    return records, [records[number] for _, number in sorted(lags)]


@given(histories(), st.randoms(use_true_random=False), CUTS, CUTS)
def test_shuffled_duplicated_and_batched_input_gives_the_same(
    records: list[Record], random: Any, cuts: list[int], others: list[int]
) -> None:
    """Equal cells and an equal picture at every consumer."""
    shuffled = [*records, *random.choices(records, k=len(records) // 2)]
    random.shuffle(shuffled)
    state, picture = journeyed(resolved_in_order(records), cuts)
    other_state, other_picture = journeyed(resolved_in_order(shuffled), others)
    assert cells(other_state) == cells(state)
    assert other_picture == picture


@given(late(), CUTS)
def test_lateness_within_the_horizons_is_corrected(both: tuple[list[Record], list[Record]], cuts: list[int]) -> None:
    """Over several horizons, with sessions forgotten on the way, wherever batches end."""
    in_order, as_arrived = both
    state, picture = journeyed(resolved_in_order(in_order), cuts, TIGHT)
    other_state, other_picture = journeyed(resolved_in_order(as_arrived), ALONE, TIGHT)
    assert cells(other_state) == cells(state)
    assert other_picture == picture


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from((None, None, "s-1"))), max_size=12, min_size=1), CUTS)
@example([(0, None), (5, None), (1, None)], [])
@example([(0, "s-1"), (5, None), (1, "s-1")], [])
@example([(0, None), (6, None), (1, None), (2, None)], [])
def test_where_batches_end_does_not_matter_even_beyond_the_horizons(
    visits: list[tuple[int, str | None]], cuts: list[int]
) -> None:
    """The same order cut otherwise: the same bytes in the changelog, the same picture, and that of `flow`."""
    records = [
        touchpoint(event_id=str(n), occurred_at=NOW + at * STEP, source_session=contact)
        for n, (at, contact) in enumerate(visits)
    ]
    log = resolved_in_order(records)
    state, picture = journeyed(log, [], TIGHT)
    for other in (cuts, ALONE):
        assert journeyed(log, other, TIGHT) == (state, picture)
    assert picture == told([raw(wire(r), n, NOW + n) for n, r in enumerate(records)], TIGHT)


@given(histories(), CUTS, st.integers(0, 25), st.integers(0, 25))
def test_a_replay_changes_nothing(records: list[Record], cuts: list[int], begin: int, more: int) -> None:
    """A stretch of what was applied comes again, alone: no state, nothing new for a consumer."""
    log = resolved_in_order(records)
    stage = journey_fold()
    once = [records_of(stage.fold(batch)) for batch in split(log, cuts)]
    changelog = dict(stage.changes())
    replayed = records_of(stage.fold(log[begin : begin + more]))
    assert {**changelog, **dict(stage.changes())} == changelog
    flat = [record for batch in once for record in batch]
    assert held([*flat, *replayed]) == held(flat)


@given(histories(), CUTS, st.integers(1, 25))
def test_a_restart_in_the_middle_changes_nothing(records: list[Record], cuts: list[int], at: int) -> None:
    """Both stages are restored from their changelogs after `at` records, and some are handed over again."""
    raws = [raw(wire(record), n, NOW + HOUR + n) for n, record in enumerate(records)]
    whole = resolved_log(resolve_fold().fold(raws))
    first, second = resolve_fold(), resolve_fold()
    outs = first.fold(raws[:at])
    _restore(first.changes(), second)
    outs += second.fold(raws[max(0, at - 3) :])
    log = resolved_log(outs)
    assert [r.value for r in log] == [r.value for r in whole]
    state, picture = journeyed(log, cuts)
    before, after = journey_fold(), journey_fold()
    early = records_of(before.fold(log[:at]))
    changes = before.changes()
    _restore(changes, after)
    late = records_of(after.fold(log[max(0, at - 3) :]))
    assert {**dict(changes), **dict(after.changes())} == state
    assert held([*early, *late]) == picture


def _restore(changes: list[tuple[bytes, bytes | None]], fold: Any) -> None:
    take: Callable[[bytes, bytes | None], None] = fold.restore
    for key, value in reversed(changes):
        take(key, value)
    fold.restored()


@given(histories(), st.data(), CUTS)
def test_flow_says_what_the_stages_say(records: list[Record], data: st.DataObject, cuts: list[int]) -> None:
    """Two source topics with duplicates and bad bytes, read in batches; against the one function over all of it."""
    values = [wire(record) for record in records]
    values += data.draw(st.lists(st.sampled_from(values) | st.binary(max_size=8), max_size=8))
    raws, ends = [], dict.fromkeys(TOPICS, 0)
    for n, value in enumerate(data.draw(st.permutations(values))):
        # A record's topic follows from its bytes, as its partition does, so that duplicates meet.
        topic = TOPICS[sum(value) % 2]
        raws.append(raw(value, ends[topic], NOW + HOUR + n // 3, (topic, 0)))
        ends[topic] += 1
    by_topic = [[r for r in raws if r.origin.topic == topic] for topic in TOPICS]
    resolve = resolve_fold()
    outs = [out for part in by_topic for batch in split(part, cuts) for out in resolve.fold(batch)]
    log = resolved_log(outs)
    found = flow(data.draw(st.permutations(raws)), rules())
    assert len(found.touchpoints) == resolve.counts["admitted"] == len(log)
    assert len(found.duplicates) == resolve.counts["duplicate"]
    reasons = Counter(why.reason.value for _, why in found.rejected)
    assert reasons == {name: n for name, n in resolve.counts.items() if name not in {"admitted", "duplicate"}}
    assert journeyed(log, cuts)[1] == told(raws)
