"""What processes offer to Prometheus, read as Prometheus reads it."""

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, str], float]


def fetched(url: str) -> str:
    """What is answered there."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def samples(text: str) -> Samples:
    """Every sample by its name and the value of its label (bounds of buckets aside)."""
    return {
        (one.name, ",".join(value for name, value in one.labels.items() if name != "le")): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def scraped(url: str) -> Samples:
    """What a process says of itself now."""
    return samples(fetched(url))
