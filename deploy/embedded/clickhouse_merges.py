"""Merging yields to whoever waits for an answer: the engine's own setting for that has no effect in chdb."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

NICE: Final = 15
_THREADS: Final = Path("/proc/self/task")
_NAME: Final = "MergeMutate"


def merging_threads(threads: Path = _THREADS) -> list[int]:
    """The threads of this process that merge, by the kernel's numbers; none before there is a table, or where it is not Linux."""
    found = []
    for thread in threads.iterdir() if threads.is_dir() else ():
        with suppress(OSError):  # it has ended meanwhile
            if (thread / "comm").read_text().startswith(_NAME):
                found.append(int(thread.name))
    return found


def yielding() -> bool:
    """Let them get a smaller share of a busy machine, whose rest they take as before. False when there are none yet."""
    threads = merging_threads()
    for thread in threads:
        with suppress(ProcessLookupError, PermissionError):
            os.setpriority(os.PRIO_PROCESS, thread, NICE)
    return bool(threads)
