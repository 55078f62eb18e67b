"""A picture of the comparison. Runs in the bench's venv: `.venv-bench/bin/python tests/bench/chart.py RAW_FILE PICTURE.png`"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot

OURS, OTHERS = "#1f6feb", "#8c959f"


def medians(runs: list[dict[str, Any]], job: str) -> list[tuple[str, float, float, float]]:
    """Program, median, least and most of its events per core-second, slowest first; only rounds with equal answers."""
    found: dict[str, list[float]] = {}
    for run in runs:
        if run.get("job") == job and run.get("equal"):
            found.setdefault(run["system"], []).append(run["events_per_core_s"])
    rows = [(name, statistics.median(values), min(values), max(values)) for name, values in found.items()]
    return sorted(rows, key=lambda row: row[1])


def draw(raw: Path, picture: Path) -> None:
    """One panel for each job: bars with least and most as whiskers."""
    runs = json.loads(raw.read_text())["runs"]
    jobs = {"journey": "Sessions, scores, customer view", "path": "The same, with deduplication"}
    rows = {job: medians(runs, job) for job in jobs}
    panels = [job for job in jobs if rows[job]]
    height = 1.3 + 0.42 * max(len(rows[job]) for job in panels)
    figure, axes = pyplot.subplots(1, len(panels), figsize=(6.4 * len(panels), height), squeeze=False)
    for axis, job in zip(axes[0], panels, strict=True):
        _panel(axis, jobs[job], rows[job])
    figure.tight_layout()
    figure.savefig(picture, dpi=150)


def _panel(axis: Any, title: str, rows: list[tuple[str, float, float, float]]) -> None:
    names = [row[0] for row in rows]
    values = [row[1] for row in rows]
    whiskers = [[row[1] - row[2] for row in rows], [row[3] - row[1] for row in rows]]
    colours = [OURS if name.startswith("touchstream") else OTHERS for name in names]
    axis.barh(names, values, xerr=whiskers, color=colours, ecolor="#57606a", capsize=3, height=0.62)
    for place, row in enumerate(rows):
        axis.text(row[3], place, f"  {row[1]:,.0f}".replace(",", " "), va="center", fontsize=9)
    axis.set_title(f"{title}\nevents per core-second, median of rounds", loc="left", fontsize=11)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_xlim(0, max(row[3] for row in rows) * 1.2)
    axis.tick_params(axis="y", length=0)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
