"""A whole file as a stream of touchpoints, with an account of what did not fit."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TextIO

from pipeline.events import Touchpoint
from pipeline.replay import mapper
from pipeline.replay.fields import Misfit
from pipeline.replay.lines import FileFault
from pipeline.replay.plan import Mapping
from pipeline.replay.row import BadRow, Row
from pipeline.replay.rows import read_rows

SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that did not fit: its line, the field at fault (empty: the row as such), and the reason."""

    line: int
    field: str
    reason: str


@dataclass(slots=True)
class Account:
    """What became of the rows read so far. `fault` says why the file could not be read to its end, if it could not."""

    rows: int = 0
    fitted: int = 0
    left_out: int = 0
    rejected: int = 0
    first: list[Reject] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    fault: FileFault | None = None


def touchpoints(
    path: Path, mapping: Mapping, secret: bytes, account: Account, rejects: TextIO | None = None
) -> Iterator[Touchpoint]:
    """The touchpoints of a file, in its order or in that of time, as the mapping says; keeps the account meanwhile.

    A file that ends badly ends the stream and is noted as `account.fault`. Rows that do not fit are written to `rejects`
    as JSON lines with the row as it was. Raises OSError when those cannot be written.
    """
    stream = _in_file_order(path, mapping, secret, _Desk(account, rejects))
    yield from sorted(stream, key=attrgetter("occurred_at")) if mapping.in_time_order else stream


@dataclass(slots=True)
class _Desk:
    account: Account
    rejects: TextIO | None

    def reject(self, row: Row | BadRow, fault: Reject, original: Any) -> None:
        self.account.rejected += 1
        self.account.reasons[f"{fault.field}: {fault.reason}" if fault.field else fault.reason] += 1
        if len(self.account.first) < SHOWN:
            self.account.first.append(fault)
        if self.rejects is not None:
            entry = {"line": row.line, "field": fault.field, "reason": fault.reason, "row": original}
            self.rejects.write(json.dumps(entry) + "\n")


def _in_file_order(path: Path, mapping: Mapping, secret: bytes, desk: _Desk) -> Iterator[Touchpoint]:
    account = desk.account
    try:
        for row in read_rows(path, mapping.layout, mapping.columns):
            account.rows += 1
            if isinstance(row, BadRow):
                desk.reject(row, Reject(row.line, "", row.reason), row.text.rstrip("\r\n"))
                continue
            try:
                made = mapper.touchpoints(mapping, secret, row)
            except Misfit as misfit:
                desk.reject(row, Reject(row.line, misfit.field, misfit.reason), row.cells)
                continue
            account.fitted += bool(made)
            account.left_out += not made
            yield from made
    except FileFault as fault:
        account.fault = fault
