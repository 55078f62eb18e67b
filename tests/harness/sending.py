"""A load on its way through a rig, in a process of its own that outlives what happens to the broker."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from tests.harness.keeper import Kept
from tests.harness.rig import SECRET, Rig
from tests.harness.sender import Order, Sent
from tests.harness.waiting import until

ENDLESS: Final = 100_000


@dataclass(slots=True)
class Sending:
    """`events` records of the simulation `seed` at `rate` a second (0: at once); without a number, until `end`."""

    rig: Rig
    seed: int
    rate: float
    events: int = 0
    _report: Path = Path()
    _kept: Kept | None = None

    def begin(self) -> "Sending":
        """Start sending."""
        folder = self.rig.folder
        self._report = folder / f"sent-{self.seed}.json"
        paths = (str(folder / "home"), self.rig.bootstrap, SECRET)
        order = Order(*paths, self.seed, self.events or ENDLESS, self.rate, str(self._report))
        written = folder / f"order-{self.seed}.json"
        written.write_bytes(msgspec.json.encode(order))
        kept = self.rig.keep(f"sender-{self.seed}", ["-m", "tests.harness.sender", str(written)], {})
        until(lambda: kept.lives == 1, 10, "the sender has begun")
        kept.wanted = False
        self._kept = kept
        until(lambda: self.sent or self.done, 60, "the first records are sent")
        return self

    @property
    def sent(self) -> int:
        """About how many records have been sent."""
        try:
            return int(self._report.with_suffix(".progress").read_text() or 0)
        except (FileNotFoundError, ValueError):
            return 0

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._report.exists() or (self._kept is not None and bool(self._kept.ends))

    def end(self, timeout_s: float) -> Sent:
        """Wait for its end, or make one where none was set; what was sent is all acknowledged."""
        if not self.events and self._kept is not None:
            self._kept.signal(signal.SIGTERM)
        log = self.rig.folder / f"sender-{self.seed}.log"
        until(lambda: self.done, timeout_s, f"everything is sent (see {log})")
        assert self._report.exists(), log.read_text()[-2000:]
        sent = msgspec.json.decode(self._report.read_bytes(), type=Sent)
        assert sent.sent == sent.acknowledged == (self.events or sent.sent), sent
        return sent
