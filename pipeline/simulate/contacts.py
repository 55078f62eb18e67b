"""Episodes of the service desk: calls, mail, chat, messages, letters, social networks, self-help."""

from typing import Final

from pipeline.simulate.people import Matter
from pipeline.simulate.scene import MINUTE, Episode, Scene

REASONS: Final = ("billing", "delivery", "fault", "contract", "login", "advice", "moving")
SITES: Final = (("north", "own"), ("south", "own"), ("riverside", "partner-a"), ("hilltop", "partner-b"))
# The chance that a customer leaves rises steeply from the fourth contact about one matter on.
_LEAVES: Final = (0.0, 0.005, 0.01, 0.02, 0.25, 0.45)
_ANSWERED_FAST_MS: Final = 20_000
_TALK_MS: Final = 90_000


def call(scene: Scene) -> Episode:
    """A call about a new or an open matter, from the queue to what follows from it."""
    matter = _matter(scene)
    matter.calls += 1
    common = {"reason": matter.reason, "language": scene.customer.language}
    queued = scene.now
    yield scene.touch("call.queued", **common)
    if matter.calls > 1:
        scene.feel("asked_again")
    scene.now += int(scene.rng.lognormvariate(2.5, 0.9) * 1000)
    waited = scene.now - queued
    if waited > 60_000 and scene.chance(0.6):
        yield scene.touch("call.abandoned", duration_ms=waited, outcome="abandoned", **common)
        scene.feel("gave_up")
        if scene.chance(0.5):
            scene.stage.start(_again(scene, matter))
        return
    desk = _desk(scene)
    yield scene.touch("call.answered", actor_type="agent", **common, **desk)
    scene.feel("answered_fast" if waited <= _ANSWERED_FAST_MS else "waited")
    answered = scene.now
    scene.now += max(5_000, int(scene.rng.expovariate(1 / _TALK_MS)))
    if scene.chance(0.08):
        yield scene.touch("call.transferred", actor_type="agent", **common, **desk)
        scene.feel("transferred")
        desk = _desk(scene)
        scene.wait(30_000, 180_000)
    outcome = scene.rng.choices(("resolved", "promised", "unresolved"), (0.7, 0.16, 0.14))[0]
    note = scene.says() if scene.chance(0.2) else None
    yield scene.touch(
        "call.ended", actor_type="agent", duration_ms=scene.now - answered, outcome=outcome, text=note, **common, **desk
    )
    scene.feel("unresolved" if outcome == "unresolved" else "resolved")
    yield from _aftermath(scene, matter, outcome)


def _aftermath(scene: Scene, matter: Matter, outcome: str) -> Episode:
    customer = scene.customer
    if outcome == "resolved" and matter in customer.matters:
        customer.matters.remove(matter)
    if outcome == "promised":
        kind, due_h = scene.rng.choice((("callback", 4), ("callback", 24), ("correction", 48)))
        scene.stage.start(scene.fork(session=scene.session).promised(kind, due_h, 0.75))
    if scene.chance(0.35):
        metric = scene.rng.choices(("nps", "csat", "ces"), (0.5, 0.25, 0.25))[0]
        scene.stage.start(scene.fork(channel="sms").asked(metric, "support"))
    if outcome != "resolved" and scene.chance(0.06):
        scene.stage.start(_complaint(scene.fork(), matter.reason))
    if outcome == "unresolved":
        if scene.chance(_LEAVES[min(matter.calls, len(_LEAVES) - 1)]):
            yield from _leave(scene)
        elif scene.chance(0.7):
            scene.stage.start(_again(scene, matter))


def _leave(scene: Scene) -> Episode:
    scene.session = None
    scene.rest(1, 24)
    yield scene.touch("contract.cancelled", reason="dissatisfied")
    scene.customer.matters.clear()
    scene.rest(240, 720)
    scene.customer.gone_until = scene.now


def _again(scene: Scene, matter: Matter) -> Episode:
    later = scene.fork(channel="call")
    later.rest(0.5, 30)
    later.session = f"call-{later.stage.next_id()}"
    if matter not in later.customer.matters:
        later.customer.matters.append(matter)
    yield from call(later)


def _complaint(scene: Scene, reason: str) -> Episode:
    scene.rest(0.5, 12)
    scene.channel = scene.rng.choice(("email", "letter", "social"))
    language = scene.customer.language
    yield scene.touch("complaint.raised", reason=reason, text=scene.says(), language=language)
    scene.rest(12, 96)
    yield scene.touch("complaint.settled", reason=reason, outcome="settled", actor_type="agent")
    scene.feel("resolved")


def _matter(scene: Scene) -> Matter:
    open_ones = scene.customer.matters
    if open_ones and scene.chance(0.8):
        return scene.rng.choice(open_ones)
    matter = Matter(scene.rng.choice(REASONS))
    open_ones.append(matter)
    del open_ones[:-3]
    return matter


def _desk(scene: Scene) -> dict[str, str]:
    site, vendor = scene.rng.choices(SITES, (0.4, 0.3, 0.2, 0.1))[0]
    return {"agent": f"{site}-{scene.rng.randrange(1, 61)}", "site": site, "vendor": vendor}


def email(scene: Scene) -> Episode:
    """A mail and its answer."""
    reason = scene.rng.choice(REASONS)
    yield scene.touch("email.received", reason=reason, text=scene.says(), language=scene.customer.language)
    scene.rest(1, 30)
    yield scene.touch("email.answered", reason=reason, actor_type="agent", **_desk(scene))
    scene.feel("resolved" if scene.chance(0.8) else "unresolved")


def chat(scene: Scene) -> Episode:
    """A chat from its first line to its end."""
    reason = scene.rng.choice(REASONS)
    began = scene.now
    yield scene.touch("chat.started", reason=reason, text=scene.says(), language=scene.customer.language)
    scene.wait(5_000, 120_000)
    desk = _desk(scene)
    yield scene.touch("chat.answered", reason=reason, actor_type="agent", **desk)
    scene.wait(2 * MINUTE, 12 * MINUTE)
    outcome = "resolved" if scene.chance(0.75) else "unresolved"
    yield scene.touch("chat.ended", reason=reason, outcome=outcome, duration_ms=scene.now - began, **desk)
    scene.feel(outcome)
    if scene.chance(0.2):
        scene.stage.start(scene.fork().asked("csat", "support"))


def sms(scene: Scene) -> Episode:
    """An offer by text message, now and then answered."""
    yield scene.touch("sms.sent", actor_type="system", campaign="autumn")
    if scene.chance(0.3):
        scene.wait(MINUTE, 20 * MINUTE)
        yield scene.touch("sms.received", text=scene.says(), language=scene.customer.language)


def letter(scene: Scene) -> Episode:
    """A letter and its answer."""
    reason = scene.rng.choice(REASONS)
    yield scene.touch("letter.received", reason=reason, text=scene.says(), language=scene.customer.language)
    scene.rest(24, 120)
    yield scene.touch("letter.answered", reason=reason, actor_type="agent")


def social(scene: Scene) -> Episode:
    """A remark in public, a review or a recommendation."""
    kind = scene.rng.choices(("social.mentioned", "review.written", "referral.made"), (0.6, 0.25, 0.15))[0]
    text = None if kind == "referral.made" else scene.says()
    yield scene.touch(kind, text=text, language=scene.customer.language)
    if kind == "social.mentioned" and scene.chance(0.6):
        scene.rest(0.2, 4)
        yield scene.touch("social.answered", actor_type="agent")
        scene.feel("thanked")


def self_help(scene: Scene) -> Episode:
    """A search of the knowledge base; who finds nothing often calls."""
    yield scene.touch("kb.searched", attributes={"query": scene.rng.choice(REASONS)})
    scene.wait(2_000, 20_000)
    if scene.chance(0.7):
        yield scene.touch("kb.viewed")
        scene.feel("found_help")
        scene.wait(20_000, 5 * MINUTE)
        yield scene.touch("kb.deflected", outcome="helped")
        return
    yield scene.touch("kb.failed")
    scene.feel("found_nothing")
    if scene.chance(0.4):
        caller = scene.fork(channel="call", identifiers=scene.customer.names("customer", "phone"))
        caller.wait(MINUTE, 30 * MINUTE)
        caller.session = f"call-{caller.stage.next_id()}"
        scene.stage.start(call(caller))
