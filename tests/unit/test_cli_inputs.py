"""What `replay` and `simulate` refuse before anything is sent, with one line and an exit code."""

import os
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from pipeline.cli.replay import replay
from pipeline.cli.simulate import simulate

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
MAPPING = "asterisk"
app = typer.Typer()
app.command()(replay)
app.command()(simulate)


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without any broker, and no settings of the tester's own."""
    for name in [name for name in os.environ if name.startswith("TOUCHSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TOUCHSTREAM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def ran(*arguments: Any) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def refused(code: int, part: str, *arguments: Any) -> None:
    done = ran(*arguments)
    assert done.exit_code == code, done.output
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("touchstream: ")
    assert part in lines[-1]
    assert "Traceback" not in done.output


@pytest.mark.parametrize("command", ["replay", "simulate"])
def test_help_has_an_example(command: str) -> None:
    done = ran(command, "--help")
    assert done.exit_code == 0
    assert "Example: touchstream" in done.output


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("calls.csv",), 64, "a file needs --mapping"),
        (("cdnow", "--mapping", MAPPING), 64, "cdnow has its own mapping"),
        (("cdnow", "--speed", "fast"), 64, "--speed must be max or a number above 0"),
        (("cdnow", "--speed", "0"), 64, "--speed must be"),
        (("cdnow", "--speed", "inf"), 64, "--speed must be"),
        (("calls.csv", "--mapping", "nowhere.toml"), 78, "cannot read the mapping nowhere.toml"),
        (("calls.csv", "--mapping", "."), 78, "cannot read the mapping"),
        (("calls.csv", "--mapping", "astersik"), 78, "neither a file nor a ready mapping 'astersik'; ready: asterisk"),
        (("nowhere.csv", "--mapping", MAPPING), 66, "cannot read nowhere.csv: No such file"),
        ((".", "--mapping", MAPPING), 66, "cannot read .: Is a directory"),
        (
            (EXAMPLES / "asterisk.csv", "--mapping", MAPPING, "--rejects", "no/such/file"),
            73,
            "cannot write no/such/file",
        ),
        ((EXAMPLES / "asterisk.csv", "--mapping", MAPPING), 69, "no Kafka is known"),
    ],
)
def test_replay_refuses(arguments: tuple[Any, ...], code: int, part: str) -> None:
    refused(code, part, "replay", *arguments)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "nothing in file.csv fits the mapping: of 0 rows"),
        (b"\0\0\0\n", "of 1 rows 1 do not fit"),
        (b"x" * 10_000_000, "of 1 rows 1 do not fit"),
        (b"\xff\xfe\xfd\n" * 50, "of 50 rows 50 do not fit"),
        (b"\x1f\x8bnot gzip", "file.csv breaks off at line 1"),
    ],
)
def test_a_file_in_which_nothing_fits_is_65(tmp_path: Path, content: bytes, part: str) -> None:
    (tmp_path / "file.csv").write_bytes(content)
    refused(65, part, "replay", "file.csv", "--mapping", MAPPING)


def test_a_file_that_may_not_be_read_is_66(tmp_path: Path) -> None:
    secret = tmp_path / "file.csv"
    secret.write_text("x")
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        pytest.skip("this user may read everything")
    refused(66, "Permission denied", "replay", "file.csv", "--mapping", MAPPING)


def test_a_file_without_the_columns_is_65(tmp_path: Path) -> None:
    (tmp_path / "file.csv").write_text("a;b\n1;2\n")
    refused(65, "has no column", "replay", "file.csv", "--mapping", EXAMPLES / "survey.toml")


def test_rejects_never_overwrite_the_file_itself(tmp_path: Path) -> None:
    (tmp_path / "file.csv").write_text("dear data\n")
    refused(64, "would overwrite", "replay", "file.csv", "--mapping", MAPPING, "--rejects", "file.csv")
    assert (tmp_path / "file.csv").read_text() == "dear data\n"


def test_a_wrong_mapping_is_78_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text('name = "x"\n[[touchpoint]]\ncolour = "red"\n')
    refused(
        78, "the mapping m.toml is wrong: touchpoint 1: does not know colour", "replay", "f.csv", "--mapping", "m.toml"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("--rate", "0"), 64, "rate is records a second"),
        (("--rate", "nan"), 64, "rate is records a second"),
        (("--customers", "0"), 64, "customers is 1 to"),
        (("--late", "1.5"), 64, "late is a share"),
        (("--for", "soon"), 64, "--for must be a number with"),
        (("--for", "0s"), 64, "--for must be a number with"),
        (("--speed", "max"), 64, "--speed max needs --for"),
        (("--speed", "2"), 64, "--speed must be real or max"),
        (("--start", "2026-01-01"), 64, "--start is for --speed max"),
        (("--start", "soon", "--for", "1s", "--speed", "max"), 64, "--start must be a time"),
        (("--truth", "no/such/truth.json", "--for", "1s"), 73, "no such directory"),
        (("--for", "1s", "--customers", "10"), 69, "no Kafka is known"),
    ],
)
def test_simulate_refuses(arguments: tuple[str, ...], code: int, part: str) -> None:
    refused(code, part, "simulate", *arguments)
