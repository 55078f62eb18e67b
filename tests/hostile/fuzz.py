"""Coverage-guided fuzzing of what reads input: `python -m tests.hostile.fuzz json|avro|container|mapped --runs N`.

Needs the packages of tests/hostile/requirements-fuzz.lock beside those of the project. It ends with 0 after so many inputs when
nothing was found; an input that breaks a target's promises is written to a file `crash-...`, and belongs into the corpus.
"""

import argparse
import importlib
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

MOST_S: Final = 1.0
MOST_MIB: Final = 400
LARGEST: Final = 16_384
VERSIONS: Final = ("atheris", "msgspec", "fastavro", "pyarrow", "pyruhvro")
INSTRUMENTED: Final = [
    "pipeline.intake",
    "pipeline.codec",
    "pipeline.replay",
    "processors.validate",
    "processors.resolve",
    "schemas",
    "json",
]


def say(line: str) -> None:
    """A line of the log."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def peak_mib() -> float:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Checked:
    """A target with its bounds. Says what has come of it after the last of so many `runs`."""

    def __init__(self, name: str, target: Callable[..., None], counts: Any, runs: int) -> None:
        self._name, self._target, self._counts, self._runs = name, target, counts, runs
        self._inputs, self._slowest, self._began = 0, 0.0, time.monotonic()

    def __call__(self, data: bytes) -> None:
        began = time.thread_time()
        self._target(data, self._counts)
        took = time.thread_time() - began
        self._slowest = max(self._slowest, took)
        assert took < MOST_S, f"{took:.2f} s of a core for {len(data)} bytes"
        self._inputs += 1
        if self._inputs % 1000 == 0 or self._inputs == self._runs:
            assert peak_mib() < MOST_MIB, f"{peak_mib():.0f} MiB after {self._inputs} inputs"
        if self._inputs == self._runs:
            self._tell()

    def _tell(self) -> None:
        took = time.monotonic() - self._began
        say(f"result     {self._name}: {self._inputs} inputs in {took:.0f} s, nothing found")
        say(f"slowest    {self._slowest * 1000:.0f} ms of a core for one input; peak memory {peak_mib():.0f} MiB")
        say("verdicts   " + ", ".join(f"{name} {count}" for name, count in self._counts.most_common()))


def machine() -> str:
    """Cores, memory and Python."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return f"{os.cpu_count()} cores, {gib:.0f} GiB, Python {platform.python_version()}"


def main() -> None:
    """The command line. The fuzzer ends the process."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.fuzz", description=__doc__)
    parser.add_argument("target", choices=["avro", "container", "json", "mapped"])
    parser.add_argument("--runs", type=int, default=10_000, help="inputs in all")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED):
        targets = importlib.import_module("tests.hostile.targets")
    from tests.hostile.seeds import dictionary, seeds

    say(f"machine    {machine()}; " + ", ".join(f"{name} {version(name)}" for name in VERSIONS))
    folder = Path(tempfile.mkdtemp(prefix="touchstream-fuzz-"))
    (folder / "seeds").mkdir()
    for number, seed in enumerate(seeds(given.target)):
        (folder / "seeds" / str(number)).write_bytes(seed)
    words = "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in dictionary(given.target))
    (folder / "words").write_text(words)
    options = {"runs": given.runs, "seed": given.seed, "max_len": LARGEST, "dict": folder / "words", "timeout": 20}
    arguments = [sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(folder / "seeds")]
    arguments += ["-print_final_stats=1", f"-rss_limit_mb={2 * MOST_MIB}"]
    atheris.Setup(arguments, Checked(given.target, targets.TARGETS[given.target], targets.Counts(), given.runs))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
