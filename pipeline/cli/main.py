"""The command line: `touchstream COMMAND`. Commands live in their own modules and are imported when they are used."""

import sys
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

import typer
from typer.core import TyperGroup

from pipeline import logs

# Command -> module and what it does in a line, so that `touchstream --help` and `touchstream run` import no more than they need.
COMMANDS: Final = {
    "demo": ("pipeline.cli.demo", "Start everything, replay real data, simulate live contacts, show the board."),
    "up": ("pipeline.cli.up", "Start everything and keep it running."),
    "down": ("pipeline.cli.down", "Stop what `up --detach` started."),
    "status": ("pipeline.cli.status", "Show processes, lag and rates."),
    "wait": ("pipeline.cli.wait", "Wait until everything produced so far can be queried."),
    "doctor": ("pipeline.cli.doctor", "Say what is wrong, and what to do."),
    "run": ("pipeline.cli.run", "Run one process in the foreground."),
    "replay": ("pipeline.cli.replay", "Produce touchpoints from a data set or a file."),
    "intake": ("pipeline.cli.intake", "Try how a file's rows become touchpoints; list the ready mappings."),
    "simulate": ("pipeline.cli.simulate", "Produce simulated touchpoints on all channels."),
    "keys": ("pipeline.cli.keys", "Say who may send touchpoints over HTTP."),
    "customer": ("pipeline.cli.customer", "Show what is known of a customer."),
    "sources": ("pipeline.cli.sources", "Show how each source fares, and open alerts about them."),
    "rejected": ("pipeline.cli.rejected", "Show rejected records, and send them again when the fault is mended."),
    "reconcile": ("pipeline.cli.reconcile", "Account for every record: stored, rejected or duplicate."),
    "recompute": ("pipeline.cli.recompute", "Compute everything again from the raw topics and compare."),
    "topics": ("pipeline.cli.topics", "Compare the topics with the table of topics, and make missing ones."),
    "schemas": ("pipeline.cli.schemas", "Check the schemas' compatibility, and register them."),
    "db": ("pipeline.cli.db", "Show and apply migrations of the tables."),
    "config": ("pipeline.cli.config", "Print the settings, with secrets hidden."),
    "bench": ("pipeline.cli.bench", "Measure the stages and the whole path on this machine."),
}


class Commands(TyperGroup):
    """Finds a command's module when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, with its module imported."""
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        loaded = import_module(module)
        found: Any = getattr(loaded, "app", None) or typer.Typer(add_completion=False)
        if not hasattr(loaded, "app"):
            found.command()(getattr(loaded, cmd_name))
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The table itself: no module is imported for a list."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


app = typer.Typer(
    cls=Commands, add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(version("touchstream"))
        raise typer.Exit


@app.callback()
def touchstream(
    _version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    debug: bool = typer.Option(False, "--debug", help="Print a stack trace with an error."),
) -> None:
    """Customer touchpoints on Kafka, turned into journeys, live satisfaction scores and churn risk, in ClickHouse.

    Start with `touchstream demo`.
    """
    if not debug:
        sys.excepthook = _one_line
        logs.hush()


def _one_line(kind: type[BaseException], error: BaseException, _trace: Any) -> None:
    sys.stderr.write(
        f"touchstream: {kind.__name__}: {error} (a fault of touchstream; `touchstream --debug` shows where)\n"
    )


def main() -> None:
    """Run the command line; exit codes follow sysexits, 130 after Ctrl-C."""
    try:
        app()
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
