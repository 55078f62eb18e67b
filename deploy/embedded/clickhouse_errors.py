"""What can go wrong with the embedded ClickHouse, as one line for the user."""

from pathlib import Path


class EmbeddedClickHouseError(Exception):
    """The embedded ClickHouse cannot be had; `str()` is one line: what is wrong and, in `advice`, what to do."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(f"{problem}: {advice}")
        self.problem = problem
        self.advice = advice


def port_taken(port: int) -> EmbeddedClickHouseError:
    """Another program listens on the port that ClickHouse was to have."""
    return EmbeddedClickHouseError(
        f"port {port} is taken", "choose another with TOUCHSTREAM_CLICKHOUSE_PORT, or leave it out"
    )


def already_running(data: Path) -> EmbeddedClickHouseError:
    """Another process serves these data."""
    return EmbeddedClickHouseError(
        f"a ClickHouse runs already on {data}", "use that one, end it, or choose another home"
    )


def not_writable(home: Path, reason: str) -> EmbeddedClickHouseError:
    """The home cannot be made or written."""
    return EmbeddedClickHouseError(f"cannot write to {home} ({reason})", "choose another home with TOUCHSTREAM_HOME")


def not_installed() -> EmbeddedClickHouseError:
    """The engine's package is missing."""
    return EmbeddedClickHouseError(
        "the ClickHouse engine is not installed", "install it with: pip install 'touchstream[embedded]'"
    )


def cannot_open(data: Path, reason: str) -> EmbeddedClickHouseError:
    """The engine refuses the data."""
    return EmbeddedClickHouseError(f"ClickHouse cannot open {data} ({reason})", "see server.log next to it")


def ended_early(log: Path, last_line: str) -> EmbeddedClickHouseError:
    """The server's process ended before it was ready."""
    return EmbeddedClickHouseError(last_line or "ClickHouse ended before it was ready", f"see {log}")


def too_slow(log: Path, timeout_s: float) -> EmbeddedClickHouseError:
    """The server did not become ready in time."""
    return EmbeddedClickHouseError(f"ClickHouse was not ready after {timeout_s:g} s", f"see {log}")
