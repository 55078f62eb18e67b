"""The clocks of devices that were wrong, kept in the stage's state within bounds. Pure.

Most clocks are right, and take no room. Devices share a fixed number of slots, so that no flood of made-up ones can fill the
memory; who comes to a slot that another one used within the last day is not known, and so not corrected.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from processors.skew import TOLERANCE_MS, Clock, learned
from processors.store import Store

SLOTS: Final = 1 << 15
DEVICE_BYTES: Final = 10
IDLE_MS: Final = 86_400_000
# A clock whose battery is flat says 1970. What is farther off is no clock, and its sums would not fit into 64 bits.
MOST_BEHIND_MS: Final = 100 * 366 * 86_400_000
SOME: Final = b"some"
MARK: Final = "s"
"""Stands in the place of an hour in the keys of these, so that they are told apart from chunks of event ids."""
NAMESPACES: Final = ("device", "cookie")
"""Identifiers that name a device; a touchpoint without one is of its source's own clock."""
_decoder: Final = msgspec.msgpack.Decoder(Clock)


class Clocks:
    """Those of the touchpoints of one source topic's partition."""

    def __init__(self, topic: str, store: Store) -> None:
        self._prefix = f"{topic}\0{MARK}\0".encode()
        self._store = store
        self._any: bool | None = None

    def corrected(self, record: Mapping[str, Any], arrived_at: int) -> int:
        """What time a new touchpoint happened; milliseconds since epoch, UTC, as is `arrived_at`, by the broker's clock."""
        sent_at, received_at, occurred_at = record["sent_at"], record["received_at"], record["occurred_at"]
        if sent_at is None or received_at is None:
            return int(occurred_at)
        behind = received_at - sent_at
        if abs(behind) > MOST_BEHIND_MS or (abs(behind) <= TOLERANCE_MS and not self._any_wrong()):
            return int(occurred_at)
        device = _device(record)
        key = self._prefix + b"%d" % (int.from_bytes(device[:4], "big") % SLOTS)
        packed = self._store.get(key)
        known = _decoder.decode(packed) if packed else None
        if known is not None and known.device != device:
            if arrived_at - known.last < IDLE_MS:
                return int(occurred_at)
            known = None
        after = learned(known, device, occurred_at, behind, arrived_at)
        if after is not None:
            if not self._any_wrong():
                self._any = True
                self._store.put(self._prefix + SOME, b"")
            self._store.put(key, msgspec.msgpack.encode(after))
        elif packed is not None:
            self._store.delete(key)
        return known.corrected(occurred_at) if known is not None else int(occurred_at)

    def _any_wrong(self) -> bool:
        """Whether looking for a device is worth it; asked of the state once, when that is complete."""
        if self._any is None:
            self._any = self._store.get(self._prefix + SOME) is not None
        return self._any


def _device(record: Mapping[str, Any]) -> bytes:
    """A keyless hash is enough: it never leaves the state."""
    names = {one["namespace"]: one["value"] for one in record["identifiers"]}
    name = next((f"{kind}\0{names[kind]}" for kind in NAMESPACES if kind in names), f"source\0{record['source']}")
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=DEVICE_BYTES).digest()
