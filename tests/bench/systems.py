"""The programs of the comparison: how each is started, and what its result is read from."""

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.broker import environment, touchstream
from tests.bench.inputs import SOURCE

HERE: Final = Path(__file__).parent
SCHEMAS: Final = HERE.parents[1] / "schemas"
OURS_BEGUN: Final = re.compile(rb"partition \d+: open")
PEER_BEGUN: Final = re.compile(rb"^FIRST \d+", re.MULTILINE)
# Faust subscribes to changelogs that it has only just asked for. One that is not in its metadata by then has no partitions for it,
# and its agent crashes again and again (PartitionsMismatch) behind a worker that says it is ready.
FAUST_CHANGELOGS: Final = ("persons-changelog", "seen-changelog")


@dataclass(frozen=True, slots=True)
class Where:
    """Where one run takes place: broker, name of the run, the bench's folder, our topics' prefix, the input's topic."""

    bootstrap: str
    run: str
    folder: Path
    prefix: str
    source: str

    @property
    def result(self) -> str:
        """A peer's result topic."""
        return f"{self.run}-results"


@dataclass(frozen=True, slots=True)
class Job:
    """The reference job: `journey` reads resolved touchpoints, each once; `path` raw ones, some of them twice."""

    name: str

    @property
    def deduplicates(self) -> bool:
        """Whether deduplication by event id belongs to it."""
        return self.name == "path"

    @property
    def source(self) -> str:
        """The topic, without prefix, that it reads."""
        return SOURCE if self.deduplicates else "touchpoints.resolved.v1"

    @property
    def schema(self) -> Path:
        """The schema of what it reads."""
        return SCHEMAS / ("touchpoint" if self.deduplicates else "resolved_touchpoint") / "2.avsc"


@dataclass(frozen=True, slots=True)
class System:
    """One program: touchstream with `workers` processes of each stage, or a peer's command; `fast` ones get the long input.

    `changelogs` are topics of a peer's own, named after the run, that it finds made.
    """

    name: str
    guarantee: str
    command: tuple[str, ...] = ()
    workers: int = 0
    fast: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    changelogs: tuple[str, ...] = ()

    @property
    def ours(self) -> bool:
        """Whether it is touchstream."""
        return self.workers > 0

    @property
    def begun(self) -> re.Pattern[bytes]:
        """What it says when it handles its first record."""
        return OURS_BEGUN if self.ours else PEER_BEGUN

    def commands(self, job: Job) -> list[list[str]]:
        """The processes that do the job."""
        if not self.ours:
            return [list(self.command)]
        stages = ("resolve", "journey") if job.deduplicates else ("journey",)
        program = self.command or tuple(touchstream("run"))
        return [[*program, stage] for stage in stages for _ in range(self.workers)]

    def environment(self, job: Job, where: Where) -> dict[str, str]:
        """What its processes find in their environment."""
        kafka = {"kafka_bootstrap": where.bootstrap, "topic_prefix": where.prefix}
        own = environment(where.folder / where.run, **kafka, **self.settings)
        asked = {
            "bootstrap": where.bootstrap,
            "input": where.source,
            "output": where.result,
            "run": where.run,
            "folder": str(where.folder / where.run),
            "schema": str(job.schema),
            "answer_schema": str(HERE / "answer.avsc"),
            "deduplicate": str(int(job.deduplicates)),
            "guarantee": self.guarantee,
        }
        if self.ours:
            return own
        unset = {name: value for name, value in own.items() if not name.startswith(("TOUCHSTREAM_", "PYTHONPATH"))}
        return unset | {"BENCH_" + name.upper(): value for name, value in asked.items()}


def touchstreams(codecs: tuple[str, ...]) -> list[System]:
    """Ours: as shipped on one process and on two, and with every codec that this version can be told to use."""
    found = [System("touchstream", "exactly-once", workers=1, fast=True)]
    found += [
        System(f"touchstream, {codec}", "exactly-once", workers=1, fast=True, settings={"codec": codec})
        for codec in codecs
    ]
    return [*found, System("touchstream, 2 workers", "exactly-once", workers=2, fast=True)]


def peers(python: Path | None, jar: Path | None) -> list[System]:
    """The others: those in Python when their venv is there, Kafka Streams when it has been built."""
    found = []
    if python:
        for name, module, guarantee in (
            ("Faust agent + Table", "faust_app.py", "at-least-once"),
            ("Quix Streams", "quix_app.py", "at-least-once"),
            ("Quix Streams, exactly-once", "quix_app.py", "exactly-once"),
            ("Bytewax", "bytewax_app.py", "at-least-once"),
        ):
            faust = module == "faust_app.py"
            more = ("worker", "-l", "info", "--without-web") if faust else ()
            command = (str(python), str(HERE / "peers" / module), *more)
            found.append(System(name, guarantee, command, changelogs=FAUST_CHANGELOGS if faust else ()))
    java = shutil.which("java")
    if jar and java:
        classes = f"{jar}:{jar.parent / 'lib'}/*"
        command = (java, "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", classes, "bench.Main")
        for guarantee in ("at_least_once", "exactly_once_v2"):
            found.append(System(f"Kafka Streams, {guarantee}", guarantee, command, fast=True))
    return found
