"""What Prometheus is told to scrape is what listens, and what alerts ask for is exposed."""

import re
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from pipeline.metrics_page import BY_PROCESS
from pipeline.targets import PROCESSES

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "deploy" / "prometheus"


def read(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text())


def test_the_compose_services_are_scraped_at_their_ports() -> None:
    services = read(ROOT / "docker-compose.yml")["services"]
    environment = services["resolve"]["environment"]
    assert environment["TOUCHSTREAM_METRICS_HOST"] == "0.0.0.0"
    first = environment["TOUCHSTREAM_METRICS_PORT"]
    expected = {f"{name}:{first + n}": name for n, name in enumerate(PROCESSES) if name in services}
    expected[f"{services['serve']['hostname']}:{services['serve']['environment']['TOUCHSTREAM_SERVE_PORT']}"] = "serve"
    (job,) = read(FOLDER / "prometheus.yml")["scrape_configs"]
    assert {one["targets"][0]: one["labels"]["process"] for one in job["static_configs"]} == expected


def test_alerts_ask_for_series_that_there_are() -> None:
    names = {one.shown.partition("{")[0] for series in BY_PROCESS.values() for one in series}
    rules = [rule for group in read(FOLDER / "alerts.yml")["groups"] for rule in group["rules"]]
    asked = {name for rule in rules for name in re.findall(r"touchstream_\w+", rule["expr"])}
    assert asked
    assert asked <= names


def test_what_up_writes_is_what_the_local_file_reads() -> None:
    (job,) = read(FOLDER / "local.yml")["scrape_configs"]
    assert job["file_sd_configs"][0]["files"] == ["../../.touchstream/run/prometheus.json"]
