"""Touchstream alone: the journey stage, resolve and journey together, one hot person, and what each guarantee costs."""

import sys
from typing import Final

from pipeline.config import Settings
from tests.bench.session import Bench
from tests.bench.systems import Job, System, touchstreams
from tests.bench.workloads.compare import interleaved, prepared

HOT_SHARE: Final = 0.3
VARIANTS: Final = {
    "without changelog": "without-changelog",
    "without transactions": "without-transactions",
}


def codecs() -> tuple[str, ...]:
    """Codecs to measure beside the one that is taken by itself: the reference, where the fast one is installed."""
    if "codec" not in Settings.model_fields:
        return ()
    try:
        Settings(codec="arrow")  # type: ignore[call-arg,unused-ignore]
    except ValueError:
        return ()
    return ("fastavro",)


def journey(bench: Bench) -> None:
    """The journey stage over resolved touchpoints."""
    with bench.kafka():
        ready = prepared(bench, Job("journey"), bench.options.events)
        interleaved(bench, "journey", [(system, ready) for system in touchstreams(codecs())])


def path(bench: Bench) -> None:
    """Resolve and journey over raw touchpoints."""
    with bench.kafka():
        ready = prepared(bench, Job("path"), bench.options.events)
        interleaved(bench, "path", [(system, ready) for system in touchstreams(codecs())])


def hotkey(bench: Bench) -> None:
    """The journey stage when three events of ten belong to one person."""
    with bench.kafka():
        usual = prepared(bench, Job("journey"), bench.options.events)
        hot = prepared(bench, Job("journey"), bench.options.events, HOT_SHARE)
        one = touchstreams(())[0]
        entries = [(one, usual), (System("touchstream, 30% on one person", one.guarantee, workers=1), hot)]
        interleaved(bench, "hotkey", entries)


def guarantees(bench: Bench) -> None:
    """The journey stage with parts of its guarantee taken out, and with small batches, which make transactions frequent."""
    variants = [touchstreams(())[0]]
    variants.append(System("batches of 500", "exactly-once", workers=1, settings={"batch_records": "500"}))
    for name, variant in VARIANTS.items():
        command = (sys.executable, "-m", "tests.bench.variant", variant, "run")
        variants.append(System(name, "none", command, workers=1))
    with bench.kafka():
        ready = prepared(bench, Job("journey"), bench.options.events)
        interleaved(bench, "guarantees", [(system, ready) for system in variants])
