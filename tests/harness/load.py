"""Made-up load whose truth is known, and the checks that nothing of it was lost or counted twice."""

import itertools
import threading
from dataclasses import dataclass, field
from typing import Any

from pipeline.events import Touchpoint
from pipeline.simulate import Options, Simulation
from pipeline.simulate.simulation import Kind
from tests.harness.installation import Installation


@dataclass(slots=True)
class Expected:
    """What the pipeline has to account for: event ids to be stored, and how many records of other kinds."""

    ids: set[str] = field(default_factory=set)
    duplicates: int = 0
    rejected: int = 0
    runs: int = 0

    def add(self, summary: dict[str, Any], options: Options) -> None:
        """Add one run of `simulate`, by its own summary; the ids come from the same simulation run once more."""
        assert summary["acknowledged"] == summary["sent"]
        ids = {
            record.content.event_id
            for record in Simulation(options)
            if record.kind in (Kind.ON_TIME, Kind.LATE) and isinstance(record.content, Touchpoint)
        }
        assert len(ids) == summary["expected"]["stored"]
        assert not ids & self.ids
        self.ids |= ids
        self.duplicates += summary["expected"]["duplicates"]
        self.rejected += summary["expected"]["rejected"]
        self.runs += 1


@dataclass(slots=True)
class Load:
    """`simulate --speed max`, again and again in a thread of its own, while the test does its worst."""

    installation: Installation
    rate: float = 100.0
    seconds: float = 30.0
    expected: Expected = field(default_factory=Expected)
    failed: list[BaseException] = field(default_factory=list)
    _enough: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def begin(self, seed: int) -> None:
        """Send one run after the other, each with the next seed, until `end`."""
        self._enough.clear()
        self._thread = threading.Thread(target=self._send, args=(seed,), daemon=True)
        self._thread.start()

    def send(self, seed: int) -> None:
        """Send one run now."""
        summary = self.installation.told(
            *("simulate", "--speed", "max", "--for", f"{self.seconds:g}s", "--rate", f"{self.rate:g}"),
            *("--seed", str(seed), "--duplicates", "0.05", "--late", "0.1", "--invalid", "0.02"),
        )
        options = Options(
            start=summary["start"],
            seed=seed,
            rate=self.rate,
            duration_ms=int(self.seconds * 1000),
            duplicates=0.05,
            late=0.1,
            invalid=0.02,
        )
        self.expected.add(summary, options)

    def _send(self, seed: int) -> None:
        try:
            for number in itertools.count(seed):
                self.send(number)
                if self._enough.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - told by `end`, in the test's own thread
            self.failed.append(error)

    def end(self, timeout_s: float) -> Expected:
        """Finish the run at hand; what to expect of all of them."""
        assert self._thread is not None
        self._enough.set()
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), "the load is still being sent"
        if self.failed:
            raise self.failed[0]
        return self.expected


def check_everything(installation: Installation, expected: Expected) -> None:
    """Every valid event is stored exactly once, every other is accounted for, and everything derived is right."""
    installation.wait_idle()
    accounts = installation.told("reconcile")
    assert accounts["unexplained"] == 0
    assert accounts["stored"] == len(expected.ids)
    assert accounts["duplicate"] == expected.duplicates
    assert accounts["rejected"] == expected.rejected
    stored = [row[0] for row in installation.query("SELECT event_id FROM touchpoints FINAL")]
    assert len(stored) == len(set(stored))
    assert set(stored) == expected.ids
    assert installation.number("SELECT sum(touchpoints) FROM arrivals") == len(expected.ids)
    assert installation.number("SELECT sum(touchpoints) FROM customers FINAL") == len(expected.ids)
    again = installation.told("recompute")
    assert again["records"] == accounts["received"]
    assert again["different"] == 0, again["tables"]
