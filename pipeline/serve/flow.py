"""Journeys as a flow, step by step, such that everything that goes in comes out: nothing is left off, the rest is "other"."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

SHOWN_STEPS: Final = 4
CHANNELS_PER_STEP: Final = 4
OTHER: Final = "other channels"
LONG: Final = "beginning not kept"
ENDED: Final = "ended"
OPEN: Final = "still open"
MORE: Final = "went on"
NOTHING: Final = "no steps"


class Path(NamedTuple):
    """Journeys with the same first steps, and how many there are.

    `more`: they have further steps; `cut`: their first steps are not known; `open`: their last touchpoint is so young that
    another may follow.
    """

    steps: tuple[str, ...]
    more: bool
    cut: bool
    open: bool
    journeys: int


class Node(NamedTuple):
    """A channel (or other name) at a step, counted from 1; the ways out are at step 0."""

    step: int
    name: str


@dataclass(frozen=True, slots=True)
class Flow:
    """`links` carry journeys from node to node; `entered` and `left` are counted apart and must be equal."""

    links: dict[tuple[Node, Node], int]
    entered: int
    left: int

    @property
    def nodes(self) -> list[Node]:
        """All nodes, by step and size, the ways out last."""
        sizes: Counter[Node] = Counter()
        for (start, end), count in self.links.items():
            sizes[start] += count
            if end.step == 0:
                sizes[end] += count
        return sorted(sizes, key=lambda node: (node.step or SHOWN_STEPS + 1, -sizes[node], node.name))


def flow(paths: Iterable[Path]) -> Flow:
    """The flow of all paths. Per step the most used channels stand alone, the rest goes together as "other channels"."""
    known = list(paths)
    shown = _shown(known)
    links: Counter[tuple[Node, Node]] = Counter()
    entered = 0
    for path in known:
        nodes = _nodes(path, shown)
        exit_node = Node(0, MORE if path.more or path.cut else OPEN if path.open else ENDED)
        entered += path.journeys
        for pair in zip(nodes, [*nodes[1:], exit_node], strict=True):
            links[pair] += path.journeys
    left = sum(count for (_, end), count in links.items() if end.step == 0)
    return Flow(dict(links), entered, left)


def _shown(paths: list[Path]) -> dict[int, set[str]]:
    sizes: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for path in paths:
        for step, channel in enumerate(path.steps, 1):
            sizes[step][channel] += 0 if path.cut else path.journeys
    return {
        step: {channel for channel, _ in sorted(counts.items(), key=lambda c: (-c[1], c[0]))[:CHANNELS_PER_STEP]}
        for step, counts in sizes.items()
    }


def _nodes(path: Path, shown: dict[int, set[str]]) -> list[Node]:
    if path.cut:
        return [Node(1, LONG)]
    if not path.steps:
        return [Node(1, NOTHING)]
    return [Node(step, channel if channel in shown[step] else OTHER) for step, channel in enumerate(path.steps, 1)]
