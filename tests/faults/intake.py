"""HTTP under faults: events come in at a rate while the broker is killed, then every answer is held against what is stored.

`python -m tests.faults.intake --rate 5000 --seconds 300 --kills 2 --log FILE`
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.embedded.ports import pick
from pipeline import accounting, ready
from pipeline.config import PREFIX
from pipeline.intake import keyfile
from pipeline.intake.keys import Key, hashed
from tests.faults.findings import Findings
from tests.faults.invariants import rest
from tests.faults.run import ROOT, environment
from tests.harness.http_load import event_id, is_invalid
from tests.harness.rig import START_S, Rig, settings_of
from tests.harness.waiting import until

REST_S: Final = 300.0
AWAY_S: Final = 15.0
KEY: Final = "ts_0123456789ab_" + "5e" * 32
SOURCE: Final = "load"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate` events a second for `seconds`, `together` in a request; the broker is killed `kills` times, or the intake too."""

    seed: int
    rate: float
    seconds: float
    together: int
    kills: int
    kill_intake: bool = False

    @property
    def events(self) -> int:
        """How many in all."""
        return int(self.rate * self.seconds)


def start_intake(rig: Rig) -> str:
    """Start the intake of a rig, with one key; its URL."""
    home = rig.folder / "home-intake"
    home.mkdir(parents=True, exist_ok=True)
    _, name, secret = KEY.split("_")
    with keyfile.changing(home / "intake_keys.json") as keys:
        keys.append(Key(name=name, source=SOURCE, sha256=hashed(secret), created_at=0))
    port = pick(0)
    given = {"home": home, "kafka_bootstrap": rig.bootstrap, "secret": rig.settings.secret.get_secret_value()}
    more = {PREFIX + name.upper(): str(value) for name, value in {**given, "intake_port": port}.items()}
    settings = settings_of(home=home)
    rig.keep("intake", ["-m", "pipeline.cli.main", "run", "intake"], more, lambda: ready.forget(settings, "intake"))
    until(lambda: ready.heard(settings, "intake") is not None, START_S, f"the intake is ready (see {rig.folder})")
    return f"http://127.0.0.1:{port}"


def run(rig: Rig, plan: Plan, say: Say) -> bool:
    """Carry the plan out on a rig; whether everything held."""
    url, file = start_intake(rig), rig.folder / "told.json"
    options = {"seed": plan.seed, "url": url, "key": KEY, "events": plan.events, "rate": plan.rate}
    arguments = [f"--{name}={value}" for name, value in {**options, "together": plan.together, "told": file}.items()]
    load = subprocess.Popen([sys.executable, "-m", "tests.harness.http_load", *arguments], cwd=ROOT)
    began = time.monotonic()
    try:
        _break_things(rig, plan, began, say)
        assert load.wait(plan.seconds + REST_S) == 0, "the load broke off"
    finally:
        load.kill()
        load.wait()
    told = json.loads(file.read_text())
    say(
        f"load       {plan.events} events in {told['seconds']:.1f} s, {plan.together} in a request; requests by status"
        f" {told['statuses']}; answered after {told['p50_s'] * 1000:.0f} ms (median), {told['p99_s']:.2f} s (p99),"
        f" {told['max_s']:.1f} s (longest); {told['behind_s']:.1f} s behind at the end"
    )
    return _check(rig, plan, {int(number): verdict for number, verdict in told["verdicts"].items()}, say)


def _break_things(rig: Rig, plan: Plan, began: float, say: Say) -> None:
    """The broker dies at times that part the run, every second time for longer than a request waits."""
    chance = random.Random(plan.seed)
    for kill in range(plan.kills):
        due = began + plan.seconds * (kill + chance.uniform(0.3, 0.7)) / plan.kills
        until(lambda due=due: time.monotonic() >= due, plan.seconds + REST_S, "the time of the next kill")  # type: ignore[misc]
        long = kill % 2 == 1
        rig.hold("kafka") if long else rig.kill("kafka")
        say(f"kill -9    Kafka after {time.monotonic() - began:.1f} s" + (f", away for {AWAY_S:g} s" if long else ""))
        if plan.kill_intake:
            rig.kill("intake")
            say(f"kill -9    the intake after {time.monotonic() - began:.1f} s")
        if long:
            back = time.monotonic() + AWAY_S
            until(lambda back=back: time.monotonic() >= back, AWAY_S + 5, "the broker has been away")  # type: ignore[misc]
            rig.release("kafka")


def _check(rig: Rig, plan: Plan, verdicts: dict[int, str], say: Say) -> bool:
    findings = Findings(plan.seed, say=say)
    took, late = rest(rig, REST_S, say)
    findings.add("I6", f"no lag {took:.1f} s after the last answer", late)
    say(f"told       {dict(Counter(verdicts.values()))}")
    stored = Counter(row[0] for row in rig.query("SELECT event_id FROM touchpoints"))
    durable = {event_id(plan.seed, n) for n, word in verdicts.items() if word in ("accepted", "duplicate")}
    uncertain = {event_id(plan.seed, n) for n, word in verdicts.items() if word == "unanswered"}
    findings.add("I1", f"{len(durable)} answered as taken, each in ClickHouse", sorted(durable - stored.keys())[:20])
    findings.add("I1", "each once", [name for name, count in stored.items() if count > 1][:20])
    findings.add("I3", "nothing in ClickHouse that was not sent", sorted(stored.keys() - durable - uncertain)[:20])
    refused = {event_id(plan.seed, n) for n, word in verdicts.items() if word == "rejected"}
    kept = {
        json.loads(bytes.fromhex(row[0]))["event_id"] for row in rig.query("SELECT hex(payload) FROM rejected FINAL")
    }
    findings.add("I3", f"{len(refused)} answered as rejected, each kept", sorted(refused - kept)[:20])
    wrong = [n for n, word in verdicts.items() if word != "unanswered" and (word == "rejected") != is_invalid(n)]
    findings.add("I3", "rejected is what is no touchpoint, and nothing else", wrong[:20])
    left = [one.unexplained for one in accounting.accounts(rig.settings) if one.unexplained]
    findings.add("I3", "no record of the topics is unexplained", left)
    say("result     everything answered is stored once" if findings.held else "result     BROKEN")
    return findings.held


def main() -> int:
    """The command line: 0 when everything held, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.intake", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rate", type=float, default=5000.0, help="events a second")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--together", type=int, default=50, help="events in a request")
    parser.add_argument("--kills", type=int, default=2, help="kill -9 of the broker")
    parser.add_argument("--kill-intake", action="store_true", help="kill the intake with the broker")
    parser.add_argument("--log", type=Path, help="also write everything that is said to this file")
    given: dict[str, Any] = vars(parser.parse_args())
    log, lines = given.pop("log"), list[str]()

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)
        if log:
            log.write_text("\n".join(lines) + "\n")

    for line in environment():
        say(line)
    plan = Plan(**given)
    say(f"plan       {plan}")
    with tempfile.TemporaryDirectory(prefix="touchstream-intake-") as folder, Rig(Path(folder), heap_mb=768) as rig:
        return 0 if run(rig, plan, say) else 1


if __name__ == "__main__":
    sys.exit(main())
