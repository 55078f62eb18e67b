"""The course of one probe: sent, looked for, found or given up."""

import asyncio

import pytest

from pipeline.events import Touchpoint
from pipeline.probe import EVENT_TYPE, SOURCE, WHO, Outcome, course
from pipeline.produce import ProduceError
from schemas.catalogue import listed
from schemas.namespaces import namespace


def test_a_probe_is_looked_for_until_it_is_there() -> None:
    sent: list[Touchpoint] = []
    looks = iter((False, False, True))

    async def send(probe: Touchpoint) -> None:
        sent.append(probe)

    async def visible(probe: Touchpoint) -> bool:
        assert probe == sent[0]
        return next(looks)

    found = asyncio.run(course(send, visible))
    assert found.outcome is Outcome.VISIBLE
    assert 0 < found.seconds < 30
    assert next(looks, None) is None
    assert len(sent) == 1


def test_a_probe_that_does_not_come_is_given_up() -> None:
    async def send(probe: Touchpoint) -> None:
        pass

    async def visible(probe: Touchpoint) -> bool:
        return False

    assert asyncio.run(course(send, visible, overdue_s=0.0)).outcome is Outcome.OVERDUE


def test_what_cannot_be_sent_is_not_looked_for() -> None:
    async def send(probe: Touchpoint) -> None:
        raise ProduceError("Kafka is away")

    async def visible(probe: Touchpoint) -> bool:
        raise AssertionError("nothing to look for")

    with pytest.raises(ProduceError):
        asyncio.run(course(send, visible))


def test_a_probe_is_a_known_touchpoint_of_nobody() -> None:
    kind, value = WHO
    known = listed()[EVENT_TYPE]
    assert known.channels == ("other",)
    found = namespace(kind)
    assert found is not None
    assert found.canonical(value) == value
    assert found.canonical("somebody") is None
    assert SOURCE == "touchstream"
