"""Sends touchpoints at a given rate, whether the pipeline keeps up or not: an open loop. A process of its own.

`python -m tests.bench.sender RATE SECONDS RUN SEED HOT` prints a line of JSON: when it began, how many it
sent, how far it fell behind.
"""

import asyncio
import bisect
import json
import sys
import time
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from random import Random
from typing import Any, Final

from pipeline import endpoints, topics
from pipeline.config import Settings, installation_secret, load
from pipeline.delivery import Delivery
from pipeline.keys import Keyring
from pipeline.partitions import partition_of
from schemas.registry import FileRegistry
from tests.bench import probes
from tests.bench.inputs import Wanted, cumulated, touchpoints

TEMPLATES: Final = 5000
PERSONS: Final = 50_000
HOT: Final = "hot"
LEAD_S: Final = 0.5
TICK_S: Final = 0.005
# For how long its batches wait for more, as those of a busy source do; latency includes it.
LINGER_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Order:
    """What to send: records a second, for how many seconds, under which name of the run, by which seed; `hot` is the share of one
    identifier."""

    rate: float
    seconds: float
    run: str
    seed: int
    hot: float = 0.0


@dataclass(frozen=True, slots=True)
class Ready:
    """A record but for its times; without `parts` it is a probe, whose id tells its time, too."""

    address: tuple[str, int]
    key: bytes
    template: probes.Template
    name: str
    parts: tuple[bytes, bytes] | None


class Maker:
    """Makes the records of a run one after the other: as much as can be before it begins, lest that be measured, too."""

    def __init__(self, settings: Settings, order: Order) -> None:
        self._order = order
        self._prefix, self._partitions = settings.topic_prefix, settings.topic_partitions
        self._cell = Keyring(installation_secret(settings)).cell
        self._random = Random(order.seed)
        made = islice(touchpoints(Wanted(TEMPLATES, order.seed)), TEMPLATES)
        self._templates = [probes.template(touchpoint) for touchpoint in made]
        self._shares = cumulated(PERSONS)
        self._head = probes.wire_head(FileRegistry().schema_id("touchpoint", ""))
        self._every = probes.spacing(order.rate)

    def ready(self, index: int) -> Ready:
        """Record number `index`."""
        template, is_probe = self._templates[index % len(self._templates)], index % self._every == 0
        if is_probe:
            name = f"probe-{index // self._every % probes.PROBE_PERSONS}"
        else:
            is_hot = self._random.random() < self._order.hot
            name = HOT if is_hot else f"S{bisect.bisect_left(self._shares, self._random.random()):08d}"
        key = self._cell("customer", name).encode()
        address = (self._prefix + template.topic, partition_of(key, self._partitions))
        event_id = f"load-{self._order.run}-{index:x}"
        parts = None if is_probe else probes.around(self._head, template, event_id, name)
        return Ready(address, key, template, name, parts)

    def value(self, index: int, ready: Ready, at: int, times: bytes) -> bytes:
        """What is sent of it, as meant to be sent `at` (milliseconds since epoch)."""
        parts = ready.parts
        if parts is None:
            parts = probes.around(self._head, ready.template, probes.probe_id(self._order.run, at, index), ready.name)
        return b"".join((parts[0], times, parts[1]))


async def send(settings: Settings, order: Order) -> dict[str, Any]:
    """Send it all. Raises ProduceError."""
    maker = Maker(settings, order)
    total, behind = int(order.rate * order.seconds), 0.0
    waiting = list(map(maker.ready, range(total)))
    async with Delivery(endpoints.kafka(settings), 60.0, LINGER_S) as delivery:
        for name in topics.SOURCES:
            await delivery.partitions(settings.topic_prefix + name)
        begin, index = time.time() + LEAD_S, 0
        while index < total:
            due = min(total, int((time.time() - begin) * order.rate) + 1)
            if due <= index:
                await asyncio.sleep(TICK_S)
                continue
            for number in range(index, min(due, index + 1000)):
                ready, at = waiting[number], int(1000 * (begin + number / order.rate))
                await delivery.add(ready.address, ready.key, maker.value(number, ready, at, _times(at)))
            index = min(due, index + 1000)
            behind = max(behind, time.time() - begin - index / order.rate)
            await asyncio.sleep(0)
        await delivery.flush()
        done = time.time()
    probed = len(range(0, total, probes.spacing(order.rate)))
    return {
        "began": begin,
        "sent": total,
        "probes": probed,
        "behind_s": round(behind, 3),
        "took_s": round(done - begin, 3),
    }


_times = lru_cache(maxsize=1)(probes.times)


if __name__ == "__main__":
    asked = Order(float(sys.argv[1]), float(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
    sys.stdout.write(json.dumps(asyncio.run(send(load(), asked))) + "\n")
