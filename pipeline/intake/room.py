"""How much of bodies is judged at once, so that many large requests cannot fill the memory together."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.intake.requests import Refusal

RETRY_AFTER_S = 1


class Room:
    """Holds bodies of `most` bytes together, or a single larger one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.taken = 0

    @contextmanager
    def of(self, size: int) -> Iterator[None]:
        """Room for a body of so many bytes, as long as the context lasts. Raises Refusal when there is none now."""
        if self.taken and self.taken + size > self._most:
            raise Refusal(503, "busy", "too much is being judged now: send it again", RETRY_AFTER_S)
        self.taken += size
        try:
            yield
        finally:
            self.taken -= size
