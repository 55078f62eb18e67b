"""What an invariant says of a run."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant: whether it held, what was looked at, and the first things that broke it."""

    invariant: str
    held: bool
    text: str
    first: tuple[str, ...] = ()

    def __str__(self) -> str:
        verdict = "holds " if self.held else "BROKEN"
        return "\n    ".join((f"{self.invariant} {verdict} {self.text}", *self.first))


@dataclass(slots=True)
class Findings:
    """All of a run, which the seed repeats; `say` hears each at once."""

    seed: int
    found: list[Finding] = field(default_factory=list)
    say: Callable[[str], None] = print

    def add(self, invariant: str, text: str, broken: Iterable[Any] = ()) -> None:
        """Note one invariant; `broken` are the things that break it."""
        everything = broken if isinstance(broken, Collection) else list(broken)
        first = tuple(str(one)[:300] for one in islice(everything, SHOWN))
        more = (f"... of {len(everything)}",) if len(everything) > SHOWN else ()
        finding = Finding(invariant, not first, text, first + more)
        self.found.append(finding)
        self.say(str(finding))

    def sets(self, invariant: str, what: str, expected: Collection[Any], found: Collection[Any]) -> None:
        """Two sets must be equal: differences both ways."""
        left, right = set(expected), set(found)
        broken = [f"missing: {one}" for one in sorted(left - right, key=repr)]
        broken += [f"too many: {one}" for one in sorted(right - left, key=repr)]
        self.add(invariant, f"{what}: {len(left)} expected, {len(right)} found", broken)

    @property
    def held(self) -> bool:
        """Whether every invariant held."""
        return all(one.held for one in self.found)

    def __str__(self) -> str:
        return f"seed {self.seed}\n" + "\n".join(map(str, self.found))

    def insist(self) -> None:
        """Raise AssertionError with everything known when one is broken."""
        assert self.held, str(self)
