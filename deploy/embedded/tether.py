"""Runs a program that is asked to end when the process which started it is gone, even by kill -9.

Started as a script, with the parent's process id and the program's command line. It becomes that program, so its own
process id is the program's. Where the system has no such bond (it is Linux's), the program runs without it.
"""

import ctypes
import os
import signal
import sys

_SET_PARENT_DEATH_SIGNAL = 1


def main(parent: int, command: list[str]) -> None:
    """Become `command`, to get SIGTERM when `parent` dies; exits at once if it is already gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(os.EX_TEMPFAIL)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
