"""The invariants of a run that has come to rest, by sets and field by field against the batch recomputation."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import psutil  # type: ignore[import-untyped]

from pipeline import accounting, lag
from tests.faults.findings import Findings
from tests.faults.outputs import Sources, Written, sources, written
from tests.faults.refusals import check_refused
from tests.faults.watch import MEBI, Watch
from tests.harness.rig import STAGES, Rig
from tests.harness.truth import Truth
from tests.harness.waiting import until

# Bounds of one process: bytes resident beside what the state of an event takes, open files, threads.
TELL_S: Final = 30.0
Say = Callable[[str], None]
STAGE_RSS: Final = 400 * MEBI
BYTES_PER_EVENT: Final = 3000
STAGE_FDS: Final = 120
STAGE_THREADS: Final = 40


def behind(rig: Rig) -> str:
    """What the stages have left to do, or nothing."""
    try:
        left = {stage: position.lag for stage, position in lag.measure(rig.bootstrap, rig.settings).items()}
    except lag.LagUnknown as unknown:
        return str(unknown)
    return str(left) if any(left.values()) else ""


def rest(rig: Rig, bound_s: float, say: Say = print) -> tuple[float, list[str]]:
    """Wait until no stage is behind, for `bound_s` seconds at most; how long it took, and what is left then."""
    began = told = time.monotonic()

    def resting() -> bool:
        nonlocal told
        left = behind(rig)
        if left and time.monotonic() - told >= TELL_S:
            told = time.monotonic()
            say(f"behind     {left} {told - began:.0f} s after the last record")
        return not left

    try:
        until(resting, bound_s, "no lag")
    except AssertionError:
        return time.monotonic() - began, [behind(rig) or "no lag only after the bound"]
    return time.monotonic() - began, []


def check(rig: Rig, truth: Truth, watch: Watch, seed: int, bound_s: float, *, say: Say = print) -> Findings:
    """Wait for rest, then look at everything, and say what is found. Nothing may be sent any more."""
    findings = Findings(seed, say=say)
    took, late = rest(rig, bound_s, say)
    findings.add("I6", f"no lag {took:.1f} s after the last fault and the last record, bound {bound_s:g} s", late)
    _stored(rig, truth, findings)
    _on_the_topics(rig, truth, findings)
    recomputed = accounting.recomputed(rig.settings)
    for one in recomputed.comparisons:
        findings.add("I2", f"{one.table}: {one.expected} rows computed, {one.found} found", one.examples)
    _watched(rig, watch, truth, findings)
    return findings


def _unequal(expected: Any, found: Any) -> list[str]:
    return [] if expected == found else [f"{expected} expected, {found} found"]


def _stored(rig: Rig, truth: Truth, findings: Findings) -> None:
    ids = [row[0] for row in rig.query("SELECT event_id FROM touchpoints FINAL")]
    findings.sets("I1", "event ids in ClickHouse", truth.stored, ids)
    findings.add("I1", "each id once", _twice(ids))
    physical = rig.query("SELECT event_id, count() FROM touchpoints GROUP BY event_id HAVING count() > 1 LIMIT 100")
    findings.add("I1", "no row was inserted twice and merged away", physical)
    for what, count, sql in (
        ("the view that counts arrivals", len(truth.stored), "SELECT sum(touchpoints) FROM arrivals"),
        ("touchpoints of all customers", len(truth.ids), "SELECT sum(touchpoints) FROM customers FINAL"),
    ):
        findings.add("I1", what, _unequal(count, int(rig.query(sql)[0][0])))


def _twice(things: list[Any]) -> list[str]:
    return [f"{thing}: {count} times" for thing, count in Counter(things).items() if count > 1]


def _on_the_topics(rig: Rig, truth: Truth, findings: Findings) -> None:
    out = written(rig.settings)
    log = sources(rig.settings, out.rejected.keys())
    sent, found = truth.sent, len(log.places)
    findings.add("I3", f"{sent} sent, {found} on the source topics", _unequal(sent, found))
    _topics(log, out, truth, findings)
    _rejections(rig, log, out, truth, findings)
    check_refused(rig, out, truth, findings)


def _topics(log: Sources, out: Written, truth: Truth, findings: Findings) -> None:
    findings.add("I1", f"{len(out.places)} resolved, each place once on the topic", out.twice)
    findings.add("I1", "valid ones on the topic", _unequal(len(truth.ids), len(out.places)))
    unknown = sorted((out.places | out.rejected.keys()) - log.places)
    findings.add("I3", "nothing on the topics has no source", unknown)
    findings.add("I3", "nothing is both resolved and rejected", sorted(out.places & out.rejected.keys()))
    neither = len(log.places - out.places - out.rejected.keys())
    findings.add("I3", "valid + rejected + duplicates = produced", _unequal(truth.duplicates, neither))
    findings.add("I4", f"versions on {out.records} records of output never go back", out.back)


def _rejections(rig: Rig, log: Sources, out: Written, truth: Truth, findings: Findings) -> None:
    prefix = rig.settings.topic_prefix
    rows = rig.query(
        "SELECT source_topic, source_partition, source_offset, reason, hex(payload) FROM rejected FINAL WHERE stage != 'sink'"
    )
    found = Counter((topic.removeprefix(prefix), reason) for topic, _, _, reason, _ in rows)
    findings.add("I3", f"{len(rows)} rejected, by topic and reason", _counters(truth.rejected, found))
    stored = {(topic, p, offset): bytes.fromhex(payload) for topic, p, offset, _, payload in rows}
    findings.sets("I3", "rejected on the topic and in the table", out.rejected.keys(), stored.keys())
    changed = [at for at, value in {**stored, **out.rejected}.items() if (value or b"") != log.values.get(at)]
    findings.add("I3", "rejected records keep their bytes", changed)
    broken = Counter((topic.removeprefix(prefix), payload) for (topic, _, _), payload in stored.items())
    findings.add("I3", "bytes as they were sent", [key for key, n in truth.broken.items() if broken[key] != n])


def _counters(expected: Counter[Any], found: Counter[Any]) -> list[str]:
    keys = sorted(expected.keys() | found.keys())
    return [f"{key}: {expected[key]} expected, {found[key]} found" for key in keys if expected[key] != found[key]]


def _watched(rig: Rig, watch: Watch, truth: Truth, findings: Findings) -> None:
    if watch.faults:
        raise watch.faults[0]
    findings.add("I5", f"committed <= stored <= log end at {watch.samples} moments", watch.broken)
    names = [name for name in watch.peaks if name.partition("-")[0] in STAGES]
    rss = STAGE_RSS + BYTES_PER_EVENT * truth.sent
    over = [
        f"{name}: {peak}"
        for name in names
        if (peak := watch.peaks[name]).rss > rss or peak.fds > STAGE_FDS or peak.threads > STAGE_THREADS
    ]
    peaks = "; ".join(f"{name} {watch.peaks[name]}" for name in ("kafka", "clickhouse", *STAGES) if name in watch.peaks)
    findings.add("I6", f"most of any process: {peaks}", over)
    findings.add("I6", "no process is left over", _strangers(rig))


def _strangers(rig: Rig) -> list[str]:
    """Children of this process that nobody keeps."""
    kept = {process.pid for processes in rig.keeper.processes().values() for process in processes}
    found = []
    for process in psutil.Process().children():
        try:
            if process.pid not in kept and str(rig.folder) in " ".join(process.environ().values()):
                found.append(f"{process.pid} {' '.join(process.cmdline())[:120]}")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
