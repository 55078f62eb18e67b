"""Is every event accounted for? Per partition and hour: received = stored + rejected + duplicate + rekeyed + erased. Pure.

Records come in chunks, and of what the tables say only as much is asked for as concerns a chunk, so memory does not grow with the
number of records; only event ids of refused rows are held, which are few: the sink stops when most are.
"""

from bisect import insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from pipeline.codec import Decoder
from pipeline.events import Origin, Raw, Rejection
from processors.resolve import Admission, Admitted, judge

HOUR_MS: Final = 3_600_000
STORED: Final = 1
REJECTED: Final = 2
REFUSED: Final = 4
SUMMED: Final = ("received", "stored", "rejected", "duplicate", "rekeyed", "erased")


class Twin(NamedTuple):
    """The newest row of an event id in a partition: offset of its source record, and when that arrived (ms since epoch, UTC)."""

    offset: int
    arrived_at: int


class Evidence(Protocol):
    """What the tables say of one source partition."""

    def fates(self, topic: str, partition: int, first: int, last: int) -> Sequence[int]:
        """For each offset from `first` to `last`: STORED, REJECTED (by a stage), REFUSED (by ClickHouse), their sum, or 0."""

    def twins(self, topic: str, partition: int, event_ids: Collection[str]) -> Mapping[str, Twin]:
        """Those of the event ids that are stored."""


@dataclass(slots=True)
class Account:
    """One source partition in one hour of arrival (hours since epoch, UTC). `unexplained` are offsets.

    `beyond_horizon` is how many of the duplicates came again so late that the stage took them for new: the tables keep one row for
    them, sums over persons have counted them. `rekeyed` ones were sent on to the partition that they belong to, and are received
    there once more.
    """

    topic: str
    partition: int
    hour: int
    received: int = 0
    stored: int = 0
    rejected: int = 0
    duplicate: int = 0
    rekeyed: int = 0
    beyond_horizon: int = 0
    erased: int = 0
    unexplained: list[int] = field(default_factory=list)


Named = tuple[Account, Raw, str | None]
"""A record that no table has, the account that it belongs to, and its event id if it can be read."""
Name = tuple[str, int, str]
"""Topic, partition and event id."""
Adrift = tuple[Account, int, Name]
"""A record that was sent on and is not stored: its account, its offset, and its name where it has to be."""


class Reconciliation:
    """Accounts for chunks of records. Each chunk is of one partition, and a partition's chunks come one after another, in order."""

    def __init__(self, evidence: Evidence, admission: Admission) -> None:
        self._evidence = evidence
        self._admission = admission
        self._horizon_h = admission.horizon_h
        self._accounts: dict[tuple[str, int, int], Account] = {}
        self._place: tuple[str, int] = ("", -1)
        self._replaced: dict[str, int] = {}
        self._refused: dict[Name, list[Origin]] = {}
        self._adrift: list[Adrift] = []

    def take(self, chunk: Sequence[Raw]) -> None:
        """Account for every record of a chunk.

        A record that is both stored and rejected is unexplained: both cannot be true. One that is neither was sent on if it
        belongs to another partition and its event id is stored from there, or was refused there by ClickHouse. It is a duplicate
        only if another one of its event id in the same partition is stored, or came before and was refused by ClickHouse: the
        stage knew it by then. Raises RegistryUnavailable, and what the evidence raises.
        """
        if not chunk:
            return
        topic, partition = chunk[0].origin.topic, chunk[0].origin.partition
        if (topic, partition) != self._place:
            self._place, self._replaced = (topic, partition), {}
        first = chunk[0].origin.offset
        fates = self._evidence.fates(topic, partition, first, chunk[-1].origin.offset)
        open_ones: list[tuple[Account, Raw]] = []
        for raw in chunk:
            account = self._account(raw)
            account.received += 1
            match fates[raw.origin.offset - first]:
                case 0:
                    open_ones.append((account, raw))
                case fate if fate == STORED:
                    account.stored += 1
                case fate if fate == REJECTED:
                    account.rejected += 1
                case fate if fate == REFUSED:
                    account.rejected += 1
                    self._note_refused(raw)
                case _:
                    account.unexplained.append(raw.origin.offset)
        self._settle(open_ones)

    def accounts(self) -> list[Account]:
        """All accounts so far, in order."""
        for account, offset, name in self._adrift:
            if name in self._refused:
                account.rekeyed += 1
            else:
                insort(account.unexplained, offset)
        self._adrift = []
        return [self._accounts[name] for name in sorted(self._accounts)]

    def _account(self, raw: Raw) -> Account:
        name = (raw.origin.topic, raw.origin.partition, raw.origin.arrived_at // HOUR_MS)
        return self._accounts.get(name) or self._accounts.setdefault(name, Account(*name))

    def _settle(self, open_ones: list[tuple[Account, Raw]]) -> None:
        here: list[Named] = []
        away: dict[int, list[Named]] = {}
        for account, raw in open_ones:
            event_id, home = self._named(raw)
            (here if home is None else away.setdefault(home, [])).append((account, raw, event_id))
        self._settle_here(here)
        for home, moved in away.items():
            twins = self._evidence.twins(self._place[0], home, {event_id for _, _, event_id in moved if event_id})
            for account, raw, event_id in moved:
                if event_id in twins:
                    account.rekeyed += 1
                else:
                    self._adrift.append((account, raw.origin.offset, (self._place[0], home, event_id or "")))

    def _named(self, raw: Raw) -> tuple[str | None, int | None]:
        """Its event id if it can be read, and the partition that it belongs to if that is another one."""
        record = self._admission.decoder.decode(raw.value)
        if isinstance(record, Rejection):
            return None, None
        judged = judge(raw, record, self._admission)
        return str(record["event_id"]), self._admission.elsewhere(judged) if isinstance(judged, Admitted) else None

    def _settle_here(self, named: list[Named]) -> None:
        ids = {event_id for _, _, event_id in named if event_id}
        twins = self._evidence.twins(*self._place, ids) if ids else {}
        for account, raw, event_id in named:
            if event_id and self._was_refused(event_id, raw):
                account.duplicate += 1
                continue
            twin = twins.get(event_id) if event_id else None
            if event_id is None or twin is None:
                account.unexplained.append(raw.origin.offset)
                continue
            account.duplicate += 1
            account.beyond_horizon += self._was_replaced(event_id, raw, twin)

    def _note_refused(self, raw: Raw) -> None:
        event_id = _event_id(raw, self._admission.decoder)
        if event_id:
            self._refused.setdefault((*self._place, event_id), []).append(raw.origin)

    def _was_refused(self, event_id: str, raw: Raw) -> bool:
        """The stage knew this event id from a record whose row ClickHouse has refused."""
        hour = raw.origin.arrived_at // HOUR_MS
        return any(
            before.offset < raw.origin.offset and hour - before.arrived_at // HOUR_MS <= self._horizon_h
            for before in self._refused.get((*self._place, event_id), ())
        )

    def _was_replaced(self, event_id: str, raw: Raw, twin: Twin) -> bool:
        """The stage took this record for new, and its row has been replaced by that of a record which came beyond the horizon."""
        hour = raw.origin.arrived_at // HOUR_MS
        if twin.offset < raw.origin.offset or twin.arrived_at // HOUR_MS - hour <= self._horizon_h:
            return False
        before = self._replaced.get(event_id)
        if before is not None and hour - before <= self._horizon_h:
            return False
        self._replaced[event_id] = hour
        return True


def _event_id(raw: Raw, decoder: Decoder) -> str | None:
    record = decoder.decode(raw.value)
    return None if isinstance(record, Rejection) else str(record["event_id"])


def total(accounts: Iterable[Account]) -> dict[str, int]:
    """All accounts together, with the number of unexplained offsets."""
    whole = dict.fromkeys((*SUMMED, "beyond_horizon", "unexplained"), 0)
    for account in accounts:
        for name in (*SUMMED, "beyond_horizon"):
            whole[name] += getattr(account, name)
        whole["unexplained"] += len(account.unexplained)
    return whole
