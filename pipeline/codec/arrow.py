"""The fast implementation: whole batches through Apache Arrow and `pyruhvro`, which is written in Rust.

It trusts nothing that it has not seen come back: a batch that was read is written again, and only if the very same bytes come
out, and every text is UTF-8, was it Avro to the letter. Whatever else goes wrong is narrowed down and read by the reference, so
both accept and reject the same, with the same words. Other versions are read so where there is a `Way`; else by the reference.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro
from fastavro.schema import to_parsing_canonical_form

from pipeline.codec.arrays import array_of
from pipeline.codec.columns import Column, Columns, Part, by_columns
from pipeline.codec.reference import Bodies, Decoder, Encoder, Value
from pipeline.codec.shapes import readable
from pipeline.codec.ways import Way
from pipeline.codec.wire import HEAD_BYTES, Record
from pipeline.events import Rejection
from schemas.registry import Registry, Schema

# Below so many records a batch is not worth its overhead.
FEW: Final = 64
# A bad record costs its neighbours in a part of so many the speed, the others of its batch a second reading.
PART: Final = 512
MOST_RECORDS: Final = 10_000
# Offsets of texts in a batch are 32 bits wide.
MOST_BYTES: Final = 1 << 28
Found = dict[int, Record | Rejection]
Batch = tuple[Sequence[int], Any]
"""Places, ascending, and the records there as an Arrow batch of our fields."""


class ArrowDecoder(Decoder):
    """See Decoder."""

    def __init__(self, record: str, registry: Registry, fields: Sequence[str] | None = None) -> None:
        super().__init__(record, registry, fields)
        self._fields = [part.field for part in self._parts]
        newest = self._writers.newest
        self._types = _types(newest) if readable(newest) else {}

    def decode_all(self, values: Sequence[Value]) -> list[Record | Rejection]:
        """See Decoder."""
        batches, others = self._batches(values)
        if len(batches) == 1 and not others:
            return self._records(batches[0][1])
        found: list[Any] = [None] * len(values)
        for places, batch in batches:
            for place, record in zip(places, self._records(batch), strict=True):
                found[place] = record
        for place, other in others.items():
            found[place] = other
        return found

    def decode_columns(self, values: Sequence[Value]) -> Columns:
        """See Decoder."""
        return self._columns(*self._batches(values))

    def _columns(self, batches: list[Batch], others: Found) -> Columns:
        rejected = [(place, one) for place, one in sorted(others.items()) if isinstance(one, Rejection)]
        if len(rejected) < len(others) or not batches:
            found = dict(others)
            for places, batch in batches:
                found.update(zip(places, self._records(batch), strict=True))
            records = [one for _, one in sorted(found.items()) if not isinstance(one, Rejection)]
            return Columns(by_columns(records, self._parts), rejected)
        columns: dict[str, Column] = {}
        for part in self._parts:
            for name in part.names:
                columns[name] = []
            for batch in _in_order(batches):
                for name, column in zip(part.names, _spread(batch.column(part.field), part), strict=True):
                    columns[name] += column
        return Columns(columns, rejected)

    def decode_arrays(self, values: Sequence[Value]) -> Columns:
        """See Decoder."""
        batches, others = self._batches(values)
        if others or not batches:
            return self._columns(batches, others)
        batch = pa.concat_batches(_in_order(batches))
        if any(map(_repeats, batch.columns)):
            return self._columns(batches, others)
        arrays: dict[str, Any] = {}
        for part in self._parts:
            arrays.update(zip(part.names, _flat(batch.column(part.field), part), strict=True))
        return Columns(arrays, [])

    def _records(self, batch: Any) -> list[Any]:
        names = self._fields
        columns = [listed(batch.column(name)) for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def _batches(self, values: Sequence[Value]) -> tuple[list[Batch], Found]:
        """What could be read at once, by places in `values`; and what became of the others."""
        others: Found = {}
        batches: list[Batch] = []
        for way, places in self._alike(values, others):
            for first in range(0, len(places), MOST_RECORDS):
                self._read(values, places[first : first + MOST_RECORDS], way, (batches, others))
        return batches, others

    def _alike(self, values: Sequence[Value], others: Found) -> list[tuple[Way, Sequence[int]]]:
        """Places of records that can be read together, those of each writer for themselves; what is left goes to the reference."""
        if len(values) < FEW or not self._types:
            others.update({n: self.decode(value) for n, value in enumerate(values)})
            return []
        alike: list[tuple[Way, Sequence[int]]] = []
        for places in _by_head(values):
            way = self.way(values[places[0]]) if len(places) >= FEW else None
            if way is None:
                others.update({place: self.decode(values[place]) for place in places})
            else:
                alike.append((way, places))
        return alike

    def _read(self, values: Sequence[Value], places: Sequence[int], way: Way, into: tuple[list[Batch], Found]) -> None:
        """Read these, or narrow down where the trouble is and leave that to the reference."""
        batches, others = into
        batch = _exact([value[HEAD_BYTES:] for value in _at(values, places)], way.schema)
        if batch is not None:
            batches.append((places, self._as_ours(batch, way)))
        elif len(places) <= PART:
            others.update({place: self.decode(values[place]) for place in places})
        else:
            for first in range(0, len(places), PART):
                self._read(values, places[first : first + PART], way, into)

    def _as_ours(self, batch: Any, way: Way) -> Any:
        absent, rows = way.absent, batch.num_rows
        columns = [pa.nulls(rows, self._types[name]) if name in absent else batch.column(name) for name in self._fields]
        return pa.RecordBatch.from_arrays(columns, names=self._fields)


def _at(values: Sequence[Value], places: Sequence[int]) -> Iterable[bytes]:
    """The values in places that all have one."""
    found: Any = values[places.start : places.stop] if isinstance(places, range) else map(values.__getitem__, places)
    return cast("Iterable[bytes]", found)


def _types(schema: Schema) -> dict[str, Any]:
    """What Arrow makes of each field."""
    return {field.name: field.type for field in pyruhvro.avro_to_arrow_schema(to_parsing_canonical_form(schema))}


def _by_head(values: Sequence[Value]) -> Iterable[Sequence[int]]:
    """Places of values that begin alike, and so say the same of who wrote them."""
    if None not in values and len({value[:HEAD_BYTES] for value in values if value is not None}) == 1:
        return [range(len(values))]
    found: dict[bytes, list[int]] = {}
    for place, value in enumerate(values):
        found.setdefault((value or b"")[:HEAD_BYTES], []).append(place)
    return found.values()


def _in_order(batches: list[Batch]) -> list[Any]:
    """The batches, or one of all their records where the places of one lie among those of another."""
    if all(before[0][-1] < after[0][0] for before, after in pairwise(batches)):
        return [batch for _, batch in batches]
    places = [place for of_batch, _ in batches for place in of_batch]
    whole = pa.Table.from_batches([batch for _, batch in batches])
    in_order = whole.take(pa.array(sorted(range(len(places)), key=places.__getitem__))).combine_chunks()
    found: list[Any] = in_order.to_batches()
    return found


def _exact(bodies: list[bytes], schema: str) -> Any:
    """The batch, if these are all Avro to the letter; otherwise nothing."""
    if sum(map(len, bodies)) > MOST_BYTES:
        return None
    try:
        batch = pyruhvro.deserialize_array(bodies, schema)
        written = pyruhvro.serialize_record_batch(batch, schema, 1)[0]
        batch.validate(full=True)  # pyruhvro does not look whether a text is UTF-8
    except ValueError:
        return None
    return batch if written.equals(pa.array(bodies, pa.binary())) else None


def listed(column: Any) -> Column:
    """The values of an array of Arrow as a list; a map as a dictionary."""
    values: Column = column.to_pylist()
    # What pyarrow itself makes into dictionaries it makes ten times slower.
    return [dict(pairs) for pairs in values] if pa.types.is_map(column.type) else values


def _spread(column: Any, part: Part) -> list[Column]:
    return [listed(column) for column in _flat(column, part)]


def _flat(column: Any, part: Part) -> list[Any]:
    if not part.inner:
        return [column]
    if not part.many:
        found: list[Any] = column.flatten()
        return found
    return [pa.ListArray.from_arrays(column.offsets, inner) for inner in column.values.flatten()]


def _repeats(column: Any) -> bool:
    """Whether a map has a key twice, of which only the last counts."""
    if not pa.types.is_map(column.type) or not len(column.keys):
        return False
    coded = column.keys.dictionary_encode()
    rows = pc.list_parent_indices(pa.ListArray.from_arrays(column.offsets, coded.indices))
    places = pc.add(pc.multiply(rows.cast("int64"), len(coded.dictionary)), coded.indices)
    return bool(pc.count_distinct(places).as_py() < len(places))


class ArrowBodies(Bodies):
    """See Bodies."""

    def __init__(self, schema: Schema) -> None:
        super().__init__(schema)
        self._json = to_parsing_canonical_form(self.schema) if readable(self.schema) else ""
        self._arrow: Any = pyruhvro.avro_to_arrow_schema(self._json) if self._json else None

    def all(self, records: Sequence[Record], head: bytes = b"") -> list[bytes]:
        """See Bodies."""
        if len(records) < FEW or not self._json:
            return super().all(records, head)
        written: list[bytes] = []
        try:
            for first in range(0, len(records), MOST_RECORDS):
                batch = self._batch(records[first : first + MOST_RECORDS])
                written += pyruhvro.serialize_record_batch(batch, self._json, 1)[0].to_pylist()
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
            return super().all(records, head)  # which finds what does not fit, or has a default for what is missing
        return [head + body for body in written]

    def _batch(self, records: Sequence[Record]) -> Any:
        arrays = []
        for field, of in zip(self.schema["fields"], self._arrow, strict=True):
            name = field["name"]
            arrays.append(array_of([record[name] for record in records], field["type"], of.type))
        return pa.RecordBatch.from_arrays(arrays, names=self._arrow.names)


class ArrowEncoder(Encoder):
    """See Encoder."""

    bodies = ArrowBodies
