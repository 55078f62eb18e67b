"""How a process says that it is ready: a small file in `home/run`, which its supervisor takes away before it starts it."""

import json
from pathlib import Path
from typing import Any

from deploy.embedded.files import write_atomically
from pipeline.config import Settings


def path(settings: Settings, name: str) -> Path:
    """The file of a process."""
    return settings.home / "run" / f"{name}.json"


def say(settings: Settings, name: str, **facts: Any) -> None:
    """This process is ready; `facts` are what others need of it, such as its address."""
    target = path(settings, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, json.dumps(facts))


def heard(settings: Settings, name: str) -> dict[str, Any] | None:
    """What the process has said, or None while it has said nothing."""
    try:
        return dict(json.loads(path(settings, name).read_text()))
    except FileNotFoundError:
        return None


def forget(settings: Settings, name: str) -> None:
    """Take back what an earlier run of the process has said."""
    path(settings, name).unlink(missing_ok=True)
