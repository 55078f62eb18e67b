"""Takes the events of a request: judged, told apart from repeats, stored, and only then answered."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from pipeline.codec import Encoder, Record
from pipeline.intake import avro_bodies, bodies
from pipeline.intake.bodies import BodyUnreadable, Form
from pipeline.intake.judging import MANY, Bad, Good, Judge, outs
from pipeline.intake.mapped import Mapped
from pipeline.intake.outbox import NotDurable, Outbox
from pipeline.intake.recent import Recent
from pipeline.intake.verdicts import Verdict, rejected
from processors.dedupe import digest

# So long events are judged before other requests get their turn.
TURN_S = 0.02
Stored = asyncio.Future[None]


class Desk:
    """One for all requests. `now` gives milliseconds since epoch, UTC; `most_events` is how many a request may hold."""

    def __init__(self, outbox: Outbox, encoder: Encoder, prefix: str, now: Callable[[], int], most_events: int) -> None:
        self._outbox = outbox
        self._encoder = encoder
        self._prefix = prefix
        self._now = now
        self._most_events = most_events
        self._recent: Recent[Stored] = Recent()

    async def take(self, body: bytes, form: Form | Mapped, judge: Judge) -> list[Verdict]:
        """A verdict on each event, once all that is taken and all that is rejected is stored.

        Raises NotDurable when that is not certain, TooManyEvents, TooMuch, RegistryUnavailable, and BodyUnreadable when there are
        no events to be told apart; by then the body is stored among the rejected ones.
        """
        try:
            judged = await self._judged(body, form, judge)
        except BodyUnreadable as error:
            await self._outbox.put(outs(self._prefix, self._encoder, (), [judge.bad(body, error.why)]))
            raise
        return await self._stored(judged, judge.source)

    async def _judged(self, body: bytes, form: Form | Mapped, judge: Judge) -> list[Good | Bad]:
        found: list[Good | Bad] = []
        clock = asyncio.get_running_loop().time
        began = clock()
        for one in self._events(body, form, judge):
            if one is not None:
                found.append(one)
            if clock() - began > TURN_S:
                await asyncio.sleep(0)
                began = clock()
        return found

    def _events(self, body: bytes, form: Form | Mapped, judge: Judge) -> Iterator[Good | Bad | None]:
        now = self._now()
        if isinstance(form, Mapped):
            return form.events(body, judge, now, self._most_events)
        if form == "avro" and avro_bodies.is_container(body):
            records = avro_bodies.records(body, judge.admission.decoder, self._most_events, judge.most_bytes)
            return (self._of_container(record, judge, now) for record in records)
        if form == "avro":
            return iter([judge.avro(body, now)])
        split = bodies.lines if form == "lines" else bodies.json_events
        return (judge.json(event, now) for event in split(body, self._most_events))

    def _of_container(self, record: Record, judge: Judge, now: int) -> Good | Bad:
        found = judge.record(record, b"", now)
        if isinstance(found, Good):
            return found
        if found.why is MANY:  # a few bytes that unpack to many times as many, again and again
            raise BodyUnreadable(found.why)
        return replace(found, body=self._encoder.encode(record))

    async def _stored(self, judged: Sequence[Good | Bad], source: str) -> list[Verdict]:
        stored: Stored = asyncio.get_running_loop().create_future()
        stored.add_done_callback(lambda future: future.cancelled() or future.exception())
        new: list[Good] = []
        others: set[Stored] = set()
        verdicts: list[Verdict] = []
        for one in judged:
            if isinstance(one, Bad):
                verdicts.append(rejected(one.why, one.record.get("event_id")))
                continue
            known = self._recent.claim((source, digest(one.event_id)), stored)
            if known is None:
                new.append(one)
            elif known is not stored:
                others.add(known)
            verdicts.append(Verdict("accepted" if known is None else "duplicate", one.event_id))
        await self._put(new, [one for one in judged if isinstance(one, Bad)], source, stored)
        for other in others:  # a repeat is told so only when the first of it is stored
            await asyncio.shield(other)
        return verdicts

    async def _put(self, new: Sequence[Good], bad: Sequence[Bad], source: str, stored: Stored) -> None:
        try:
            if new or bad:
                await self._outbox.put(outs(self._prefix, self._encoder, new, bad))
        except BaseException as error:
            for one in new:
                self._recent.forget((source, digest(one.event_id)), stored)
            if not stored.done():
                stored.set_exception(error if isinstance(error, NotDurable) else NotDurable("it was not stored", 1))
            raise
        stored.set_result(None)
