"""A shelf in memory, for tests of what is saved and when."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class MemoryShelf:
    """Keeps everything, and every state that a killed process could have left behind."""

    held: dict[bytes, bytes] = field(default_factory=dict)
    writes: int = 0

    def get(self, key: bytes) -> bytes | None:
        return self.held.get(key)

    def write(self, changes: Mapping[bytes, bytes | None]) -> None:
        self.writes += 1
        for key, value in changes.items():
            if value is None:
                self.held.pop(key, None)
            else:
                self.held[key] = value

    def clear(self) -> None:
        self.held.clear()

    def close(self) -> None:
        pass
