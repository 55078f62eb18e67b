"""RESULTS.md from raw results. `python -m tests.bench.report RAW_FOLDER [RESULTS.md]`"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from tests.bench.stats import grouped, spread

Run = dict[str, Any]
HEAD: Final = """# Results

Made by `python -m tests.bench.report` from the raw results of `touchstream bench`; what is measured, and how, is in
[README.md](README.md).
Every figure is the median of its rounds, with the least and the most in brackets. Ratios matter more than absolute figures.
"""
COMPARED: Final = ("peers", "journey", "path", "hotkey", "guarantees")


def latest(folder: Path) -> list[dict[str, Any]]:
    """The newest raw file of every workload. Raises OSError, ValueError."""
    by_name: dict[str, Path] = {}
    for path in sorted(folder.glob("*-*Z.json")):
        by_name[path.stem.rpartition("-")[0]] = path
    return [{"name": name, **json.loads(path.read_text())} for name, path in by_name.items()]


def figure(values: Iterable[float], digits: int = 0) -> str:
    """Median with least and most."""
    found = spread(values)
    parts = [f"{value:,.{digits}f}".replace(",", " ") for value in (found.median, found.least, found.most)]
    return parts[0] if found.rounds == 1 else f"{parts[0]} ({parts[1]} to {parts[2]})"


def table(headings: list[str], rows: Iterable[list[str]]) -> str:
    """A table; all columns but the first are figures."""
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def compared(runs: list[Run]) -> str:
    """Programs side by side, those of one job together."""
    said = []
    for (job,), mine in grouped(runs, "job").items():
        said.append(
            f"\nJob `{job}`:\n\n"
            + table(
                ["program", "rounds", "events/s", "events per core-second", "peak MB", "events", "answers"],
                [_compared(name, rounds) for (name,), rounds in grouped(mine, "system").items()],
            )
        )
    return "".join(said)


def _compared(name: str, runs: list[Run]) -> list[str]:
    good = [run for run in runs if run.get("equal")]
    if not good:
        why = next((run["failed"].split(": ")[0] for run in runs if "failed" in run), "they differ")
        return [name, str(len(runs)), "-", "-", "-", "-", f"does not count: {why}"]
    wrong = len(runs) - len(good)
    return [
        name,
        str(len(good)),
        figure(run["events_per_s"] for run in good),
        figure(run["events_per_core_s"] for run in good),
        figure(run["peak_bytes"] / 1e6 for run in good),
        f"{good[0]['events']:,}".replace(",", " "),
        "equal" if not wrong else f"equal in {len(good)} of {len(runs)} rounds",
    ]


def sunk(runs: list[Run]) -> str:
    """The sink, with each codec."""
    names = ("rows_per_s", "rows_per_core_s")
    rows = [
        [
            system,
            *(figure(run[name] for run in mine) for name in names),
            figure(run["peak_bytes"] / 1e6 for run in mine),
        ]
        for (system,), mine in grouped(runs, "system").items()
    ]
    return "\n" + table(["process", "records/s", "records per core-second", "peak MB"], rows)


def piped(runs: list[Run]) -> str:
    """Latency of the whole pipeline, and its highest rate."""
    by_kind = grouped(runs, "workload")
    rows = []
    for kind in ("pipeline latency", "pipeline rate"):
        for (rate,), mine in grouped(by_kind.get((kind,), []), "rate").items():
            shares = [figure((run[name] for run in mine), 3) for name in ("p50_s", "p99_s", "p99.9_s")]
            flat = "yes" if all(run["flat"] for run in mine) else "no"
            rows.append([f"{rate:,.0f} a second".replace(",", " "), str(len(mine)), *shares, flat])
    said = "\n" + table(["offered", "rounds", "p50 s", "p99 s", "p99.9 s", "flat"], rows)
    highest = [run["highest_flat_rate"] for run in by_kind.get(("pipeline highest rate",), [])]
    return said + (f"\nHighest rate tried with flat latency: {highest[-1]:,.0f} records a second.\n" if highest else "")


def flooded(runs: list[Run]) -> str:
    """How long others wait while one identifier sends much of everything."""
    rows = [
        [system, f"{mine[0]['rate']:,.0f}".replace(",", " "), str(len(mine))]
        + [figure((run[name] for run in mine), 3) for name in ("p50_s", "p99_s", "p99.9_s")]
        for (system,), mine in grouped(runs, "system").items()
    ]
    return "\n" + table(["sent", "a second", "rounds", "others' p50 s", "p99 s", "p99.9 s"], rows)


def restored(runs: list[Run]) -> str:
    """Restarts, and the size of state."""
    rows = [
        [
            run["system"],
            f"{run['persons']:,}".replace(",", " "),
            f"{run['first_output_s']:.2f}",
            f"{run['all_partitions_s']:.2f}",
            str(run.get("bytes_per_person", "")),
            str(run.get("packed_bytes_per_person", "")),
            f"{run['resident_bytes'] / 1e6:.0f}",
        ]
        for run in runs
    ]
    headings = [
        "start",
        "persons",
        "first output s",
        "every partition s",
        "bytes a person (RSS)",
        "bytes packed",
        "RSS MB",
    ]
    return "\n" + table(headings, rows)


def failed_over(runs: list[Run]) -> str:
    """How long after a kill the tables go on."""
    rows = [
        [system, figure((run["seconds"] for run in mine), 2)] for (system,), mine in grouped(runs, "system").items()
    ]
    return "\n" + table(["", "seconds until the tables go on"], rows)


SECTIONS: Final = {
    "sink": sunk,
    "pipeline": piped,
    "flood": flooded,
    "restore": restored,
    "state": restored,
    "failover": failed_over,
}


def written(files: list[dict[str, Any]]) -> str:
    """The whole page."""
    said = [HEAD]
    for one in files:
        said.append(f"\n## {one['name']}\n\n{_measured_on(one)}")
        said.append(SECTIONS.get(one["name"], compared)(one["runs"]))
    return "".join(said)


def _measured_on(one: dict[str, Any]) -> str:
    machine = one["machine"]
    loads = [run["load_before"] for run in one["runs"] if "load_before" in run]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    before = f"Load average before the runs: {min(loads):g} to {max(loads):g}. " if loads else ""
    command = f"`{' '.join(one['command'])}`. " if one.get("command") else ""
    return f"{command}{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB. {before}Versions: {versions}.\n"


def main(arguments: list[str]) -> None:
    """Write the page."""
    folder = Path(arguments[0])
    target = Path(arguments[1]) if len(arguments) > 1 else Path(__file__).with_name("RESULTS.md")
    target.write_text(written(latest(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
