"""What a figure was measured on."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "touchstream",
    "faust-streaming",
    "aiokafka",
    "kafka-python",
    "fastavro",
    "chdb",
    "clickhouse-driver",
    "msgspec",
)


def load() -> float:
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def facts() -> dict[str, Any]:
    """Processor, cores, memory, versions."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)),
        "system": f"{platform.system()} {platform.release()}",
        "versions": versions,
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = [line.partition(":")[2].strip() for line in lines if line.startswith(("cpu family", "model\t"))]
    return (named[0] if named else platform.machine()) + (
        f" (family {model[0]}, model {model[1]})" if len(model) > 1 else ""
    )


def answered(*command: str) -> str:
    """The first line that a command says, empty when it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return ""
    return next(iter((done.stdout or done.stderr).splitlines()), "")
