"""What kind of statement an SQL text is, read from its tokens; the engine does the real parsing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

_TOKEN = re.compile(
    rb"""(?P<blank>[\s\xa0]+|--[^\n]*|\#[!\s][^\n]*|/\*.*?\*/)
    |(?P<word>[A-Za-z_][A-Za-z_0-9]*)
    |(?P<quoted>`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")
    |(?P<string>'(?:[^'\\]|\\.|'')*')
    |(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_TAIL_FORMAT = re.compile(rb"\bformat\s+\w+[\s;]*\Z", re.IGNORECASE)
_BLANKS = b"; \t\r\n"
_DATA_WORDS = ("VALUES", "FORMAT")
_ENDING_WORDS = (*_DATA_WORDS, "SELECT", "WITH", "FROM")
_TAIL_BYTES = 200


class Kind(Enum):
    """How a statement is run."""

    SELECT = auto()
    INSERT_BLOCKS = auto()
    SET = auto()
    USE = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement without what only a client needs. For INSERT_BLOCKS `sql` ends behind the columns, `settings` is what
    follows it (the word included) up to VALUES or FORMAT, `target` is the table as written (with FUNCTION for a table
    function) and `columns` what stands in the brackets behind it.
    """

    kind: Kind
    sql: bytes
    target: bytes = b""
    columns: bytes = b""
    settings: bytes = b""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    start: int
    end: int
    word: str


def _tokens(sql: bytes) -> Iterator[_Token]:
    for match in _TOKEN.finditer(sql):
        if match.lastgroup != "blank":
            found = match.group().upper().decode("latin-1")
            yield _Token(str(match.lastgroup), match.start(), match.end(), found)


def parse(sql: bytes) -> Statement:
    """Tell what `sql` is; a text that makes no sense is OTHER, for the engine to refuse."""
    first = next((token.word for token in _tokens(sql) if token.word != "("), "")
    if first == "INSERT":
        return _parse_insert(sql)
    stripped = _without_tail(sql)
    kinds = {"SELECT": Kind.SELECT, "WITH": Kind.SELECT, "FROM": Kind.SELECT, "SET": Kind.SET, "USE": Kind.USE}
    return Statement(kinds.get(first, Kind.OTHER), stripped)


def _without_tail(sql: bytes) -> bytes:
    """Without blanks, semicolons and a FORMAT clause at the end: this protocol has one format."""
    if not sql.rstrip(_BLANKS) or not _may_have_tail(sql):
        return sql.strip()
    tokens = list(_tokens(sql))
    while tokens and tokens[-1].word == ";":
        tokens.pop()
    if len(tokens) > 2 and tokens[-2].word == "FORMAT" and tokens[-1].kind == "word" and tokens[-3].word not in ".,(":
        tokens = tokens[:-2]
    return sql[: tokens[-1].end] if tokens else sql


def _may_have_tail(sql: bytes) -> bool:
    tail = sql[-_TAIL_BYTES:].rstrip()
    return tail.endswith(b";") or b"--" in tail or b"/*" in tail or _TAIL_FORMAT.search(tail) is not None


def _parse_insert(sql: bytes) -> Statement:
    items = [item for item in _top_level(sql) if item.word not in ("INSERT", "INTO", "TABLE")]
    if not items:
        return Statement(Kind.OTHER, sql)
    end = _target_end(items)
    target = sql[items[0].start : items[end - 1].end]
    brackets = next((item for item in items[end:] if item.word == "(" and item.kind == "group"), None)
    columns = sql[brackets.start + 1 : brackets.end - 1] if brackets else b""
    last = items[-1]
    if columns.lstrip().upper().startswith((b"SELECT", b"WITH")) or not _awaits_blocks(sql, last):
        return Statement(Kind.OTHER, _without_tail(sql) if last.word in ("SELECT", "WITH") else sql)
    stop = last.start if last.word in _DATA_WORDS else last.end
    begin = next((item.start for item in items[end:] if item.word == "SETTINGS"), stop)
    return Statement(Kind.INSERT_BLOCKS, sql[:begin].rstrip(), target, columns.strip(), sql[begin:stop].rstrip())


def _top_level(sql: bytes) -> Iterator[_Token]:
    """The tokens outside brackets, a bracket with all inside it as one, up to the word that the data follow."""
    depth, start = 0, 0
    for position, token in enumerate(_tokens(sql)):
        if depth == 0 and token.word != "(":
            yield token
            if position > 2 and token.kind == "word" and token.word in _ENDING_WORDS:
                return
        if depth == 0:
            start = token.start
        depth += (token.word == "(") - (token.word == ")")
        if token.word == ")" and depth == 0:
            yield _Token("group", start, token.end, "(")


def _target_end(items: list[_Token]) -> int:
    """The number of items that name the table: `name`, `database.name` or `FUNCTION name(...)`."""
    if items[0].word == "FUNCTION":
        return min(3, len(items))
    return 3 if len(items) > 2 and items[1].word == "." else 1


def _awaits_blocks(sql: bytes, last: _Token) -> bool:
    """Whether the client sends the rows apart from the statement, after its last top-level word."""
    words = (token.word for token in _tokens(sql[last.end :]) if token.word != ";")
    if last.word == "FORMAT":
        next(words, None)
    if last.word in _DATA_WORDS:
        return next(words, None) is None
    return last.word not in _ENDING_WORDS
