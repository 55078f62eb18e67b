"""Names and values as ClickHouse's SQL writes them."""

import re

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,199}")


def valid_name(name: str) -> bool:
    """Whether `name` can be the name of a setting at all."""
    return _NAME.fullmatch(name) is not None


def quoted(value: str) -> str:
    """`value` as a string literal of ClickHouse's SQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def backquoted(name: str) -> bytes:
    """`name` as an identifier."""
    return b"`" + name.replace("\\", "\\\\").replace("`", "\\`").encode() + b"`"


def set_statement(values: dict[str, str | None]) -> bytes:
    """The SET statement that gives each name its value; None stands for the default."""
    parts = [f"{name} = {'DEFAULT' if value is None else quoted(value)}" for name, value in values.items()]
    return ("SET " + ", ".join(parts)).encode()
