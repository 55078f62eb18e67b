"""Options for ECharts, as data; pure. Lengths are in rem, so that everything grows with the wall it hangs on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipeline.serve.board import colours
from pipeline.serve.flow import ENDED, LONG, MORE, NOTHING, OPEN, OTHER, SHOWN_STEPS, Flow, Node
from pipeline.serve.overall import Reading
from pipeline.serve.read_now import BUCKET_S, CHART_S, Pulse

Options = dict[str, Any]

FONT: Final = "Roboto, system-ui, sans-serif"
STORED_WITHIN_S: Final = 2
"""What arrived is stored within so long; a younger bucket may still grow, and would look like a fall."""
EXITS: Final = {ENDED: "#8b949e", OPEN: "#5b9aa9", MORE: "#6e7681"}
METRIC_COLOURS: Final = {"nps": "#4c9be8", "csat": "#e8a33d", "ces": "#3fb68b", "persons": "#9a7fe0"}


def rem(size: float) -> str:
    """A length as an expression for the browser: ECharts itself knows pixels only."""
    return f"{size} * parseFloat(getComputedStyle(document.documentElement).fontSize)"


def _label(size: float = 0.72) -> Options:
    return {"color": colours.DIM, ":fontSize": rem(size), "fontFamily": FONT}


def sparkline(metric: str, reading: Reading) -> Options:
    """The course of a score with its interval; each point is the score over the whole period that ends there."""
    points = [(s.value, s.interval) if s.n >= 5 else (None, None) for s in reading.course]
    low = [i.low if i else None for _, i in points]
    band = [i.high - i.low if i else None for _, i in points]
    known = [bound for _, i in points if i for bound in (i.low, i.high)]
    colour = METRIC_COLOURS[metric] if reading.now.enough else colours.DIM
    return _spark(
        [value for value, _ in points], (low, band), (min(known, default=0.0), max(known, default=1.0)), colour
    )


def counts(course: Sequence[int]) -> Options:
    """The course of a count, from zero."""
    empty: list[float | None] = [None] * len(course)
    return _spark(
        [float(n) for n in course], (empty, empty), (0.0, max(course, default=1) or 1), METRIC_COLOURS["persons"]
    )


def _spark(
    values: list[float | None],
    bands: tuple[list[float | None], list[float | None]],
    bounds: tuple[float, float],
    colour: str,
) -> Options:
    unseen = {"type": "line", "symbol": "none", "lineStyle": {"opacity": 0}, "silent": True, "stackStrategy": "all"}
    low, high = bounds
    margin = (high - low) * 0.06 or 1.0
    return {
        "animation": False,
        "grid": {"left": 0, "right": 0, "top": 3, "bottom": 3},
        "xAxis": {"type": "category", "show": False, "boundaryGap": False, "data": list(range(len(values)))},
        "yAxis": {"type": "value", "show": False, "min": low - margin, "max": high + margin},
        "series": [
            {**unseen, "stack": "band", "data": bands[0]},
            {**unseen, "stack": "band", "data": bands[1], "areaStyle": {"color": colour, "opacity": 0.2}},
            {
                "type": "line",
                "symbol": "none",
                "silent": True,
                "data": values,
                "lineStyle": {":width": rem(0.12), "color": colour},
            },
        ],
    }


def arrivals(pulse: Pulse, channels: Sequence[str], zone: ZoneInfo) -> Options:
    """Touchpoints per second by channel over the last quarter of an hour, whole buckets only."""
    end = int(pulse.read_s - STORED_WITHIN_S) // BUCKET_S * BUCKET_S
    starts = range(end - CHART_S + BUCKET_S, end, BUCKET_S)
    times = [f"{datetime.fromtimestamp(start, zone):%H:%M:%S}" for start in starts]
    return {
        "animation": False,
        "grid": {":left": rem(2.3), ":right": rem(0.4), ":top": rem(0.6), ":bottom": rem(1.5)},
        "tooltip": _tooltip() | {"trigger": "axis", "axisPointer": {"lineStyle": {"color": colours.DIM}}},
        "xAxis": {
            "type": "category",
            "boundaryGap": False,
            "data": times,
            "axisLine": {"show": False},
            "axisTick": {"show": False},
            "axisLabel": _label()
            | {
                "alignMinLabel": "left",
                ":interval": "(index, time) => time.endsWith(':00') && Number(time.slice(3, 5)) % 2 === 0",
                ":formatter": "(time) => time.slice(0, 5)",
            },
        },
        "yAxis": {
            "type": "value",
            "splitNumber": 4,
            "minInterval": 1,
            "axisLabel": _label(),
            "splitLine": {"lineStyle": {"color": colours.LINE}},
        },
        "series": [
            {
                "name": channel,
                "type": "line",
                "stack": "all",
                "symbol": "none",
                "lineStyle": {"width": 0},
                "color": colours.channel(channel),
                "areaStyle": {"opacity": 0.85, "color": colours.channel(channel)},
                "emphasis": {"disabled": True},
                "data": [round(pulse.touchpoints(start, channel) / BUCKET_S, 2) for start in starts],
            }
            for channel in channels
        ],
    }


def _tooltip() -> Options:
    return {
        "confine": True,
        "backgroundColor": colours.PANEL,
        "borderColor": colours.LINE,
        "textStyle": {"color": colours.TEXT, ":fontSize": rem(0.78), "fontFamily": FONT},
        "transitionDuration": 0,
    }


def steps(flow: Flow) -> Options:
    """Journeys step by step; the ways out stand at the right."""
    sizes: dict[Node, int] = {}
    for (start, end), count in flow.links.items():
        sizes[start] = sizes.get(start, 0) + count
        if end.step == 0:
            sizes[end] = sizes.get(end, 0) + count
    return {
        "animation": False,
        "tooltip": _tooltip() | {"trigger": "item", ":formatter": _LINK_WORDS},
        "series": [
            {
                "type": "sankey",
                ":left": rem(0.2),
                ":right": rem(7),
                ":top": rem(0.3),
                ":bottom": rem(0.3),
                ":nodeWidth": rem(0.7),
                ":nodeGap": rem(0.85),
                "layoutIterations": 64,
                "draggable": False,
                "emphasis": {"focus": "adjacency"},
                "label": {
                    "color": colours.TEXT,
                    ":fontSize": rem(0.75),
                    "fontFamily": FONT,
                    ":formatter": "(p) => p.data.shown",
                },
                "lineStyle": {"color": "gradient", "opacity": 0.35},
                "data": [_node(node, sizes[node]) for node in flow.nodes],
                "links": [
                    {"source": _id(start), "target": _id(end), "value": count}
                    for (start, end), count in sorted(flow.links.items())
                ],
            }
        ],
    }


_LINK_WORDS: Final = (
    "(p) => p.dataType === 'edge'"
    " ? `${p.data.source} → ${p.data.target}: ${p.data.value.toLocaleString('en')}`"
    " : `${p.name}: ${p.value.toLocaleString('en')}`"
)


def _id(node: Node) -> str:
    return f"{node.name} ({node.step})" if node.step else node.name


def _node(node: Node, size: int) -> Options:
    plain = {OTHER: colours.CHANNELS["other"], LONG: colours.CHANNELS["other"], NOTHING: colours.CHANNELS["other"]}
    colour = EXITS.get(node.name) or plain.get(node.name) or colours.channel(node.name)
    return {
        "name": _id(node),
        "shown": f"{node.name} {size:,}".replace(",", "\u202f"),
        "depth": node.step - 1 if node.step else SHOWN_STEPS,
        "itemStyle": {"color": colour, "borderWidth": 0},
    }
