"""A worker of the stage `journey` whose fold never returns: run as a program, in the environment of an installation."""

import threading

from pipeline import config, logs
from pipeline.telemetry import telemetry
from processors import agents
from processors.journey import JourneyFold


def main() -> None:
    """Work until the first batch, then no more, as code in an endless loop would."""
    settings = config.load()
    logs.set_up("double", settings.log_level)
    JourneyFold.apply = lambda *_: threading.Event().wait()  # type: ignore[method-assign, assignment]
    with telemetry("journey", settings) as own:
        agents.run(own, lambda: None)


if __name__ == "__main__":
    main()
