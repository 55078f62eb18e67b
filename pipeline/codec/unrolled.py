"""The reader of a record as one function, written out field by field: a loop over fields, and a call for each, would take twice as
long. What is written out is the usual case; everything else is left to the reader of the field's type, which knows what is wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.codec.varint import number

Read = Callable[[bytes, int], tuple[Any, int]]

# What stands here reads from `data` at `at`, sets {value} and moves `at` on. {read} is the reader that is right in every case,
# {zero} what the byte 00 alone means. The size of a short text lies in one byte, an even one.
ANY: Final = """
    {value}, at = {read}(data, at)
"""
SHORT: Final = """
    if data[at]:
        {value}, at = {read}(data, at)
    else:
        {value}, at = {zero}, at + 1
"""
LONG: Final = """
    n = data[at]
    if n < 0x80:
        at += 1
    else:
        n, at = number(data, at)
    {value} = (n >> 1) ^ -(n & 1)
"""
STRING: Final = """
    n = data[at]
    if n & 0x81:
        {value}, at = {read}(data, at)
    else:
        end = at + 1 + (n >> 1)
        {value}, at = data[at + 1 : end].decode(), end
"""
NULLABLE_STRING: Final = """
    if not data[at]:
        {value}, at = None, at + 1
    elif data[at] == 2 and not (n := data[at + 1]) & 0x81:
        end = at + 2 + (n >> 1)
        {value}, at = data[at + 2 : end].decode(), end
    else:
        {value}, at = {read}(data, at)
"""
NULLABLE_LONG: Final = """
    if not data[at]:
        {value}, at = None, at + 1
    elif data[at] == 2:
        n, at = number(data, at + 1)
        {value} = (n >> 1) ^ -(n & 1)
    else:
        {value}, at = {read}(data, at)
"""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record: its name, how it is read, and what of that is written out."""

    name: str
    read: Read
    zero: Any
    template: str


def record_reader(fields: Sequence[Field], wanted: frozenset[str] | None) -> Read:
    """Reads the fields one after the other, and gives those that are wanted (None: all) by name."""
    names: dict[str, Any] = {"number": number}
    body: list[str] = []
    for place, field in enumerate(fields):
        names |= {f"read_{place}": field.read, f"zero_{place}": field.zero}
        body.append(field.template.format(value=f"v{place}", read=f"read_{place}", zero=f"zero_{place}"))
    held = [f"{field.name!r}: v{n}" for n, field in enumerate(fields) if wanted is None or field.name in wanted]
    source = f"def read(data, at):\n{''.join(body)}\n    return {{{', '.join(held)}}}, at\n"
    # Nothing of a schema gets into the source but names of fields, as literals.
    exec(compile(source, "<record>", "exec"), names)
    read: Read = names["read"]
    return read
