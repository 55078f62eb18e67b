"""Migrations as files: numbered without gaps, and cut into statements."""

from pathlib import Path

import pytest

from sinks.migrations import Migration, MigrationError, listed


def test_ours_are_in_order_and_have_statements() -> None:
    """Each statement is one, and no comment is left over."""
    for number, migration in enumerate(listed(), start=1):
        assert migration.number == number
        statements = list(migration.statements())
        assert statements
        for statement in statements:
            assert statement.startswith(("CREATE ", "ALTER ", "INSERT ", "DROP "))
            assert not any(line.lstrip().startswith("--") for line in statement.splitlines())


def test_statements_end_at_a_semicolon_before_a_line_break() -> None:
    """Comments go, a missing semicolon at the end does not matter, and an empty file has nothing to say."""
    migration = Migration(1, "x", "-- why\nCREATE TABLE a\n(x String);\n\n  -- more\nCREATE TABLE b (y String)")
    assert list(migration.statements()) == ["CREATE TABLE a\n(x String)", "CREATE TABLE b (y String)"]
    assert list(Migration(1, "x", "-- nothing\n;\n").statements()) == []


def test_a_changed_file_has_another_checksum() -> None:
    """SHA-256 of its text."""
    assert Migration(1, "x", "a").checksum != Migration(1, "x", "b").checksum


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0001_a.sql", "0003_b.sql"], "without gaps"),
        (["0002_a.sql"], "without gaps"),
        (["0001_a.sql", "0001_b.sql"], "without gaps"),
        (["1_a.sql"], "not named like"),
        (["0001_A.sql"], "not named like"),
    ],
)
def test_bad_numbers_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    """Before anything is applied."""
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError, match=message):
        listed(tmp_path)
