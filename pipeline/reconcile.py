"""Is every event accounted for? Per partition and hour: received = stored + rejected + duplicate + erased. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from pipeline.codec import Decoder
from pipeline.events import Raw, Rejection

HOUR_MS: Final = 3_600_000
Place = tuple[str, int, int]


@dataclass(slots=True)
class Account:
    """One source partition in one hour of arrival (hours since epoch, UTC). `unexplained` are offsets."""

    topic: str
    partition: int
    hour: int
    received: int = 0
    stored: int = 0
    rejected: int = 0
    duplicate: int = 0
    erased: int = 0
    unexplained: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the tables say: places (topic, partition, offset) of stored and of rejected records."""

    stored: frozenset[Place]
    rejected: frozenset[Place]


def reconcile(records: Iterable[Raw], evidence: Evidence, decoder: Decoder) -> list[Account]:
    """Account for every raw record. One is a duplicate only if an earlier or later one of the same event id is stored.

    A record that is both stored and rejected is unexplained: both cannot be true.
    """
    accounts: dict[tuple[str, int, int], Account] = {}
    open_ones: list[tuple[Account, Raw]] = []
    stored_ids: dict[tuple[str, int], set[str]] = defaultdict(set)
    for raw in records:
        origin = raw.origin
        name = (origin.topic, origin.partition, origin.arrived_at // HOUR_MS)
        account = accounts.setdefault(name, Account(*name))
        account.received += 1
        place = (origin.topic, origin.partition, origin.offset)
        stored, rejected = place in evidence.stored, place in evidence.rejected
        if stored and rejected:
            account.unexplained.append(origin.offset)
        elif stored:
            account.stored += 1
            stored_ids[name[:2]].add(_event_id(raw, decoder) or "")
        elif rejected:
            account.rejected += 1
        else:
            open_ones.append((account, raw))
    for account, raw in open_ones:
        event_id = _event_id(raw, decoder)
        if event_id and event_id in stored_ids[account.topic, account.partition]:
            account.duplicate += 1
        else:
            account.unexplained.append(raw.origin.offset)
    return [accounts[name] for name in sorted(accounts)]


def _event_id(raw: Raw, decoder: Decoder) -> str | None:
    record = decoder.decode(raw.value)
    return None if isinstance(record, Rejection) else str(record["event_id"])


def total(accounts: Iterable[Account]) -> dict[str, int]:
    """All accounts together, with the number of unexplained offsets."""
    whole = {"received": 0, "stored": 0, "rejected": 0, "duplicate": 0, "erased": 0, "unexplained": 0}
    for account in accounts:
        for name in ("received", "stored", "rejected", "duplicate", "erased"):
            whole[name] += getattr(account, name)
        whole["unexplained"] += len(account.unexplained)
    return whole
