"""Hostile input over HTTP and on a topic costs only itself: every neighbour is stored, the processes live on, small and quick."""

import contextlib
import hashlib
import http.client
import secrets
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec
import psutil  # type: ignore[import-untyped]
import pytest

from pipeline.intake import keyfile
from pipeline.intake.keys import Key, hashed, text_of
from pipeline.replay import ready
from tests.harness.installation import Installation
from tests.harness.records import written
from tests.hostile import mapped
from tests.hostile.bodies import entries
from tests.hostile.entries import JSON, PERSON, Entry, event, record, said
from tests.hostile.records import records
from tests.hostile.tricks import CLOSED, Trick, tricks

MOST_S: Final = 1.0
LONGEST_S: Final = 4.0
MOST_MIB: Final = 400
TOGETHER: Final = 4
LARGE: Final = 100_000
# Of the small bodies of other systems every so manieth goes over HTTP; all of them go through the functions alone.
SOME: Final = 4
TOPIC: Final = "touchpoints.web.v1"


def now_ms() -> int:
    """Milliseconds since epoch, UTC."""
    return time.time_ns() // 1_000_000


def digest(value: bytes) -> str:
    """As ClickHouse says it."""
    return hashlib.sha256(value).hexdigest().upper()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and after how many seconds."""

    status: int
    told: Any
    seconds: float

    @property
    def codes(self) -> tuple[str, ...]:
        """As an `Entry` has them."""
        if "error" in self.told:
            return (self.told["error"]["code"],)
        return tuple(one.get("reason") or one["status"] for one in self.told["events"])


@dataclass(slots=True)
class Sender:
    """One connection with keys of the source `load`, by mapping; notes which events were told to be taken."""

    url: str
    keys: dict[str, str]
    taken: set[str] = field(default_factory=set)
    _connection: http.client.HTTPConnection | None = None

    def send(
        self, body: bytes, kind: str = JSON, headers: tuple[tuple[str, str], ...] = (), mapping: str = ""
    ) -> Answer:
        """Send a body."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        given = {"Authorization": f"Bearer {self.keys[mapping]}", "Content-Type": kind, **dict(headers)}
        began = time.monotonic()
        # A request that is refused by its head has its answer before the body is out.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.request("POST", "/v1/touchpoints", body, given)
        response = self._connection.getresponse()
        told = msgspec.json.decode(response.read())
        seconds = time.monotonic() - began
        if response.will_close:
            self.close()
        for one in told.get("events", ()):
            if one["status"] != "rejected":
                self.taken.add(one["event_id"])
        return Answer(response.status, told, seconds)

    def close(self) -> None:
        """End the connection; the next body goes over another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass(slots=True)
class Intake:
    """The intake of a running installation."""

    shared: Installation
    url: str
    keys: dict[str, str]
    pid: int
    senders: list[Sender] = field(default_factory=list)

    def sender(self) -> Sender:
        """One more connection."""
        self.senders.append(Sender(self.url, self.keys))
        return self.senders[-1]

    def fault(self, sender: Sender, entry: Entry) -> str:
        """What is wrong with the answer to an entry, or to a good event after it; "" when nothing is."""
        body, before = entry.make(), self.core_s()
        answer = sender.send(body, entry.kind, entry.headers, entry.mapping)
        took = self.core_s() - before
        if (answer.status, answer.codes) != (entry.status, entry.codes):
            return f"{entry.name}: {answer.status} {answer.codes[:9]}"
        if took > MOST_S:
            return f"{entry.name}: {took:.2f} s of a core, answered after {answer.seconds:.2f} s"
        words = [(one.get("field"), one.get("expected"), one.get("got")) for one in answer.told.get("events", ())]
        if PERSON.lower() in str(words or answer.told).lower():
            return f"{entry.name}: says what was sent"
        after = sender.send(said(event(f"after-{uuid4()}", now_ms())))
        return "" if after.status == 202 else f"after {entry.name}: {after.status} {after.told}"

    def core_s(self) -> float:
        """Seconds of a core that the process has used: unlike the time until an answer, they do not hang on what else runs here."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def peak_mib(self) -> float:
        """The most memory that the process has had since `forget_peak`."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def forget_peak(self) -> None:
        """Begin to measure."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


@pytest.fixture(scope="module")
def intake(shared: Installation) -> Iterator[Intake]:
    """With keys for the corpus's source: one for touchpoints as they are, one for each ready mapping."""
    keys = {"": shared.told("keys", "add", "load")["key"], **_mapped_keys(shared)}
    found = Intake(shared, shared.told("status")["intake"], keys, shared.pid("intake"))
    yield found
    for sender in found.senders:
        sender.close()


def _mapped_keys(shared: Installation) -> dict[str, str]:
    """Written as the command does it, which would take half a second for each."""
    made: dict[str, str] = {}
    with keyfile.changing(keyfile.path(shared.settings)) as keys:
        for mapping in ready.names():
            name, secret = secrets.token_hex(6), secrets.token_hex(32)
            keys.append(Key(name=name, source="load", sha256=hashed(secret), created_at=now_ms(), mapping=mapping))
            made[mapping] = text_of(name, secret)
    return made


@dataclass(frozen=True, slots=True)
class OnTopic:
    """What was written straight to a topic, and where the bad ones lie."""

    wrong: list[tuple[str, bytes | None, str]]
    places: list[tuple[int, int]]
    neighbours: set[str]


@pytest.fixture(scope="module")
def on_topic(shared: Installation) -> OnTopic:
    """Every hostile record, with a good one behind each."""
    now, mark = now_ms(), uuid4().hex
    wrong = [(name, value, code.value) for name, value, code in records(now)]
    neighbours = [f"{mark}-{n}" for n in range(len(wrong))]
    values = [
        part for (_, value, _), name in zip(wrong, neighbours, strict=True) for part in (value, record(name, now))
    ]
    return OnTopic(wrong, written(shared, TOPIC, values)[::2], set(neighbours))


@pytest.fixture(scope="module")
def sent(intake: Intake, on_topic: OnTopic) -> list[Entry]:
    """The whole corpus, sent and answered as it should be."""
    others = mapped.entries(now_ms(), uuid4().hex)
    small_ones = [entry for entry in others if len(entry.make()) <= LARGE]
    corpus = [*entries(now_ms(), uuid4().hex), *small_ones[::SOME], *(one for one in others if one not in small_ones)]
    sizes = {entry.name: len(entry.make()) for entry in corpus}
    small = [entry for entry in corpus if sizes[entry.name] <= LARGE and "same one again" not in entry.name]
    rest = [entry for entry in corpus if sizes[entry.name] > LARGE or "same one again" in entry.name]
    intake.forget_peak()
    parts = [(intake.sender(), small[first::TOGETHER]) for first in range(TOGETHER)]
    with ThreadPoolExecutor(TOGETHER) as pool:
        faults = [fault for found in pool.map(lambda part: _faults(intake, *part), parts) for fault in found]
    faults += _faults(intake, intake.sender(), rest)
    assert faults == []
    return corpus


def _faults(intake: Intake, sender: Sender, part: list[Entry]) -> list[str]:
    return [fault for fault in (intake.fault(sender, entry) for entry in part) if fault]


def test_bodies_are_answered_as_expected_and_cost_only_themselves(intake: Intake, sent: list[Entry]) -> None:
    """Each within a second of a core, with a good event behind it; the process is the same, and has stayed small."""
    assert intake.shared.pid("intake") == intake.pid
    assert intake.peak_mib() < MOST_MIB
    print(f"{len(sent)} bodies, peak of {intake.peak_mib():.0f} MiB")


@pytest.fixture(scope="module")
def answered(intake: Intake) -> list[str]:
    """What was wrong with the answers to requests that are wrong below their bodies."""
    sender = intake.sender()
    faults = [fault for trick in tricks(intake.keys[""], now_ms()) if (fault := _trick(intake.url, trick))]
    after = sender.send(said(event(f"after-{uuid4()}", now_ms())))
    return faults if after.status == 202 else [*faults, f"after all: {after.told}"]


def _trick(url: str, trick: Trick) -> str:
    parts = urlsplit(url)
    began = time.monotonic()
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        try:
            connection.sendall(trick.sent)
            if CLOSED in trick.statuses:  # what waits for more is told that there is none
                connection.shutdown(socket.SHUT_WR)
            said_ = b""
            while b"\r\n" not in said_ and (more := connection.recv(4096)):
                said_ += more
        except TimeoutError:
            return f"{trick.name}: no answer"
        except ConnectionError:
            said_ = b""
    status = int(said_.split(b" ", 2)[1]) if said_ else CLOSED
    seconds = time.monotonic() - began
    if status not in trick.statuses:
        return f"{trick.name}: {status}, not one of {trick.statuses}"
    return f"{trick.name}: {seconds:.1f} s" if seconds > LONGEST_S else ""


def test_requests_that_are_wrong_below_their_bodies_are_refused(intake: Intake, answered: list[str]) -> None:
    """By the right status, or by the end of their connection."""
    assert answered == []
    assert intake.shared.pid("intake") == intake.pid


@pytest.fixture(scope="module")
def at_rest(shared: Installation, intake: Intake, sent: list[Entry], on_topic: OnTopic) -> Installation:
    """Everything has come through."""
    shared.wait_idle()
    return shared


def test_everything_that_was_taken_is_stored(at_rest: Installation, intake: Intake) -> None:
    """The neighbours of hostile events, and the good ones after them."""
    taken = {name for sender in intake.senders for name in sender.taken}
    stored = at_rest.query("SELECT DISTINCT event_id FROM touchpoints WHERE source = 'load'")
    assert len(taken) > 1000
    assert taken - {row[0] for row in stored} == set()


def test_everything_that_was_refused_is_kept(at_rest: Installation, sent: list[Entry]) -> None:
    """With its own bytes and its code, where the body was one event or unreadable as a whole."""
    kept = at_rest.query("SELECT reason, hex(SHA256(payload)) FROM rejected WHERE stage = 'intake'")
    alone = [entry for entry in sent if len(entry.codes) == 1 and entry.status in (400, 422) and not entry.headers]
    # A part of a list or of a file is kept by itself.
    parts = ("a list of lists", "a file with")
    wanted = {(entry.codes[0], digest(entry.make())): entry.name for entry in alone if not entry.name.startswith(parts)}
    assert len(wanted) > 500
    assert {wanted[one] for one in wanted.keys() - set(kept)} == set()


def test_records_on_a_topic_are_rejected_with_their_own_bytes(at_rest: Installation, on_topic: OnTopic) -> None:
    """Each where it lies, by its code; and what lies between them is stored."""
    rows = at_rest.query(
        """SELECT source_partition, source_offset, reason, hex(SHA256(payload)) FROM rejected FINAL
        WHERE stage = 'resolve' AND source_topic = %(topic)s""",
        {"topic": at_rest.settings.topic_prefix + TOPIC},
    )
    found = {(partition, offset): (reason, content) for partition, offset, reason, content in rows}
    assert {
        name: found.get(place)
        for (name, value, code), place in zip(on_topic.wrong, on_topic.places, strict=True)
        if found.get(place) != (code, digest(value or b""))
    } == {}
    stored = at_rest.query(
        "SELECT event_id FROM touchpoints FINAL WHERE event_id IN %(ids)s", {"ids": tuple(on_topic.neighbours)}
    )
    assert {row[0] for row in stored} == on_topic.neighbours


def test_nothing_has_stopped(at_rest: Installation, answered: list[str]) -> None:
    """No process was started again."""
    assert {one["restarts"] for one in at_rest.supervised().values()} == {0}
