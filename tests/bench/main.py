"""What `touchstream bench WORKLOAD` calls: runs a workload and keeps its raw results."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

from aiokafka.errors import KafkaError as AioKafkaError
from kafka.errors import KafkaError

from pipeline.config import PREFIX
from pipeline.endpoints import NotRunning
from pipeline.supervisor import StartFailed
from tests.bench.broker import BenchFailed
from tests.bench.session import Bench, Options, keep
from tests.bench.workloads import failover, peers, pipeline, restore, sink, stages

__all__ = ["WORKLOADS", "BenchFailed", "Options", "measure"]
WORKLOADS: Final[dict[str, Callable[[Bench], None]]] = {
    "peers": peers.run,
    "journey": stages.journey,
    "path": stages.path,
    "sink": sink.run,
    "pipeline": pipeline.run,
    "flood": pipeline.flood,
    "restore": restore.run,
    "state": restore.run,
    "failover": failover.run,
    "hotkey": stages.hotkey,
    "guarantees": stages.guarantees,
}
# `peers` holds journey and path, and restore tells the state's size.
ALL: Final = ("peers", "sink", "pipeline", "flood", "restore", "failover", "hotkey", "guarantees")


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    """Being told to end is as good as Ctrl-C: what the bench has started ends with it."""
    raise KeyboardInterrupt


def measure(workload: str, options: Options, say: Callable[[str], None]) -> tuple[Path, list[dict[str, Any]]]:
    """Run a workload, or all; where the raw results were written, and the results. Raises BenchFailed.

    What was measured before a failure is kept. The user's own settings are put aside: the environment would go before the bench's.
    """
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    signal.signal(signal.SIGTERM, _interrupted)
    last, runs = Path(), []
    for name in ALL if workload == "all" else (workload,):
        bench = Bench(options, say)
        try:
            WORKLOADS[name](bench)
        except (AioKafkaError, KafkaError, NotRunning, StartFailed) as error:
            raise BenchFailed(f"{name}: {type(error).__name__}: {error}") from error
        finally:
            if bench.runs:
                last = keep(bench, name)
        runs += bench.runs
    return last, runs
