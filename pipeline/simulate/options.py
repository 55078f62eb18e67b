"""What a simulation is asked for."""

import math
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

NATURAL_PER_DAY: Final = 3.0
DAY_MS: Final = 86_400_000


class OptionError(ValueError):
    """An option does not fit. Says which and why."""


@dataclass(frozen=True, slots=True)
class Options:
    """A simulation; equal options give equal touchpoints. Times are milliseconds since epoch, UTC.

    `rate` is records a second; `duration_ms` None never ends. `duplicates`, `late` and `invalid` are shares of all records.
    `schema_id` is what undecodable records claim to be; `zone` is where the day's shape of calls holds.
    """

    start: int
    seed: int = 1
    rate: float = 50.0
    duration_ms: int | None = None
    customers: int = 2_000
    duplicates: float = 0.02
    late: float = 0.05
    invalid: float = 0.005
    zone: str = "UTC"
    schema_id: int = 1

    def __post_init__(self) -> None:
        shares = {"duplicates": self.duplicates, "late": self.late, "invalid": self.invalid}
        for name, share in shares.items():
            if not 0 <= share < 1:
                raise OptionError(f"{name} is a share from 0 to below 1, not {share:g}")
        if self.duplicates + self.invalid > 0.9:
            raise OptionError("duplicates and invalid together leave nothing to simulate")
        if not (math.isfinite(self.rate) and 0 < self.rate <= 1_000_000):
            raise OptionError(f"rate is records a second, above 0 and up to a million, not {self.rate:g}")
        if not 1 <= self.customers <= 10_000_000:
            raise OptionError(f"customers is 1 to 10,000,000, not {self.customers}")
        if self.duration_ms is not None and self.duration_ms <= 0:
            raise OptionError("the duration must be above 0")
        ZoneInfo(self.zone)

    @property
    def tempo(self) -> float:
        """How many times as fast as a real customer's each customer's days pass, so that the rate is reached."""
        return max(1.0, self.rate * DAY_MS / 1000 / (self.customers * NATURAL_PER_DAY))

    @property
    def run(self) -> str:
        """Everything that the touchpoints depend on, as text."""
        return "/".join(str(getattr(self, name)) for name in self.__slots__ if name not in ("duration_ms", "schema_id"))
