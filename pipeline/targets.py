"""Where the metrics of a home's processes are to be had, for `status` and for Prometheus."""

import json
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from deploy.embedded.files import write_atomically
from pipeline import ready
from pipeline.config import Settings

# In the order of their ports, when these are set.
PROCESSES: Final = ("resolve", "journey", "sink", "probe", "intake", "watch")
SERVE: Final = "serve"


def path(settings: Settings) -> Path:
    """The file with targets for Prometheus' `file_sd_configs`."""
    return settings.home / "run" / "prometheus.json"


def metrics(settings: Settings) -> dict[str, str]:
    """By process the URL of its metrics, as the processes have said themselves."""
    found = {}
    for name in (*PROCESSES, SERVE):
        said = ready.heard(settings, name) or {}
        url = said.get("metrics") or (f"{said['url']}/metrics" if "url" in said else "")
        if url:
            found[name] = str(url)
    return found


def note(settings: Settings) -> None:
    """Write the targets down for Prometheus."""
    groups = [
        {"targets": [urlsplit(url).netloc], "labels": {"process": name}} for name, url in metrics(settings).items()
    ]
    write_atomically(path(settings), json.dumps(groups, indent=1))
