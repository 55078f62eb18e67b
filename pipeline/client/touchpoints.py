"""The client: events in, batches out, tried again until they are stored, in the order in which they came."""

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from pipeline.client.buffer import Buffer
from pipeline.client.ids import uuid7
from pipeline.client.post import Answered, Later, Never, Post

Event = Mapping[str, Any]
OnRejected = Callable[[dict[str, Any], dict[str, Any]], None]
MOST_TOGETHER: Final = 500
TURN_S: Final = 0.2
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 10.0
REQUEST_S: Final = 30.0
TOO_LARGE: Final = 413


class IntakeRefused(Exception):
    """The intake does not take anything of this sender: the key is wrong or has expired, or the address is another's."""


class NotDelivered(Exception):
    """Some events are not known to be stored; those in a spilling buffer are sent by the next client with its folder."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the events so far. `duplicate` ones had been stored before; `rejected` are kept by touchstream, with their
    reason; `dropped` ones found no room here; `waiting` ones are not answered yet."""

    accepted: int
    duplicate: int
    rejected: int
    dropped: int
    waiting: int


def _nobody(_event: dict[str, Any], _verdict: dict[str, Any]) -> None:
    """Rejections that nobody wants to hear of."""


class Touchpoints:
    """Sends touchpoints to an intake. A context manager; leaving it waits until all are answered, `close_s` seconds at the longest.

    `on_rejected` hears of each event that is no touchpoint, with its verdict, in the sending thread. An event without an `event_id`
    gets one, so that trying again never makes two of it.

    Example: `with Touchpoints("http://127.0.0.1:8401", key) as touchpoints: touchpoints.send({"event_type": "page.viewed", ...})`
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        buffer: Buffer | None = None,
        on_rejected: OnRejected = _nobody,
        close_s: float = 60.0,
    ) -> None:
        self._post = Post(url, key, REQUEST_S)
        self._buffer = Buffer() if buffer is None else buffer
        self._on_rejected = on_rejected
        self._close_s = close_s
        self._counts = {"accepted": 0, "duplicate": 0, "rejected": 0}
        self._together = MOST_TOGETHER
        self._stop = threading.Event()
        self._fault: Exception | None = None
        self._sending = threading.Thread(target=self._run, name="touchpoints", daemon=True)

    def __enter__(self) -> Self:
        self._sending.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush(self._close_s)
        finally:
            self._stop.set()
            self._sending.join()
            self._post.close()
            self._buffer.close()

    @property
    def counts(self) -> Counts:
        """What became of everything that was sent."""
        return Counts(**self._counts, dropped=self._buffer.dropped, waiting=len(self._buffer))

    def send(self, event: Event) -> None:
        """Take one event.

        Raises IntakeRefused when the intake has refused earlier ones, and BufferFull, OSError, TypeError, ValueError.
        """
        self._raise_fault()
        whole = event if event.get("event_id") else {**event, "event_id": uuid7()}
        self._buffer.put(json.dumps(whole, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode())

    def flush(self, timeout_s: float = 60.0) -> None:
        """Wait until everything is answered. Raises NotDelivered after the time, IntakeRefused."""
        deadline = time.monotonic() + timeout_s
        while not self._buffer.empty(TURN_S):
            self._raise_fault()
            if time.monotonic() > deadline:
                raise NotDelivered(f"{len(self._buffer)} events are not known to be stored after {timeout_s:g} s")
        self._raise_fault()

    def _raise_fault(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stop.is_set() and self._fault is None:
            lines = list(self._buffer.take(self._together, TURN_S))
            if not lines:
                continue
            answer = self._post.lines(lines)
            if isinstance(answer, Answered) and len(answer.verdicts) == len(lines):
                self._answered(lines, answer.verdicts)
                wait_s, self._together = 0.0, min(MOST_TOGETHER, 2 * self._together)
            elif isinstance(answer, Never):
                self._refused(answer, lines)
            else:
                wait_s = min(LONGEST_WAIT_S, max(FIRST_WAIT_S, 2 * wait_s))
                told = answer.wait_s if isinstance(answer, Later) and answer.wait_s is not None else wait_s
                self._stop.wait(told * random.uniform(0.8, 1.2))  # so that many senders do not come back at once

    def _answered(self, lines: list[bytes], verdicts: list[dict[str, Any]]) -> None:
        for line, verdict in zip(lines, verdicts, strict=True):
            self._counts[verdict["status"]] += 1
            if verdict["status"] == "rejected":
                self._on_rejected(json.loads(line), verdict)
        self._buffer.done(len(lines))

    def _refused(self, answer: Never, lines: list[bytes]) -> None:
        if answer.status == TOO_LARGE and len(lines) > 1:
            self._together = max(1, len(lines) // 2)
            return
        if answer.status == TOO_LARGE:  # it alone is too much, and must not stop those behind it
            self._answered(lines, [{"status": "rejected", "reason": "too_large", "got": f"{len(lines[0])} bytes"}])
            return
        self._fault = IntakeRefused(f"HTTP {answer.status}: {answer.why}")
