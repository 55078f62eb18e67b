"""What all workloads share: options, the folder of results, the broker, and how runs are recorded."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.bench import broker
from tests.bench.inputs import Input, Wanted, kept
from tests.bench.machine import facts


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for.

    `events` for programs that are fast and `slow_events` for those that are not; `seconds` of each open-loop trial at `rate`
    records a second, and `steps` of bisection; `persons` are the sizes of state.
    Of the programs beside each other, those whose names hold `only`.
    """

    out: Path
    events: int = 400_000
    slow_events: int = 40_000
    rounds: int = 5
    seed: int = 1
    rate: float = 2000.0
    seconds: int = 60
    steps: int = 5
    persons: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    only: str = ""

    def quick(self) -> "Options":
        """The same in a fraction of the time."""
        return replace(
            self,
            events=60_000,
            slow_events=12_000,
            rounds=3,
            seconds=15,
            steps=3,
            persons=tuple(n for n in self.persons if n <= 100_000) or self.persons[:1],
        )


@dataclass(slots=True)
class Bench:
    """One call of the bench: its options, the broker's address, what was recorded, and who is told."""

    options: Options
    say: Callable[[str], None]
    bootstrap: str = ""
    runs: list[dict[str, Any]] = field(default_factory=list)

    def input(self, events: int, hot: float = 0.0) -> Input:
        """The records to read; made once and kept."""
        wanted, folder = Wanted(events, self.options.seed, hot), self.options.out / "cache"
        if not wanted.path(folder).exists():
            self.say(f"making {events:,} touchpoints (kept for the next time)")
        return kept(wanted, folder)

    def record(self, workload: str, run: dict[str, Any]) -> None:
        """Keep one run and tell of it."""
        self.runs.append({"workload": workload, "at": int(time.time()), **run})
        self.say(told(run))

    @contextmanager
    def kafka(self) -> Iterator[str]:
        """The bench's own broker while it lasts."""
        with broker.running(self.options.out / "kafka") as address:
            self.bootstrap = address
            yield address


def told(run: dict[str, Any]) -> str:
    """One run in one line."""
    name = str(run.get("system", ""))
    if "failed" in run:
        return f"{name}: failed: {run['failed']}"
    figures = [f"{key.replace('_', ' ')} {value:,}" for key, value in run.items() if _is_figure(key, value)]
    wrong = "" if run.get("equal", True) else f"; ANSWERS DIFFER: {'; '.join(run['differences'])}"
    return f"{name}: {', '.join(figures)}{wrong}"


def _is_figure(key: str, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and key not in ("load_before", "at", "round")


def _told(arguments: list[str]) -> list[str]:
    """The arguments without the folder of the results, which is the machine's own affair."""
    at = arguments.index("--out") if "--out" in arguments else len(arguments)
    return arguments[:at] + arguments[at + 2 :]


def keep(bench: Bench, workload: str) -> Path:
    """Write the runs of one call as raw JSON."""
    folder = bench.options.out / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{workload}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"
    command = ["touchstream", "bench", *_told(sys.argv[2:])] if len(sys.argv) > 2 else []
    path.write_text(json.dumps({"machine": facts(), "command": command, "runs": bench.runs}, indent=1) + "\n")
    return path
