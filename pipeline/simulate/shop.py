"""Episodes of buying and using: web shop, app, orders with their payments and deliveries, shops, things, what is known."""

from typing import Any, Final

from pipeline.events import Amount
from pipeline.simulate.scene import MINUTE, Episode, Scene

PRODUCTS: Final = ("kettle", "lamp", "radio", "router", "heater", "scale", "fan", "clock")
_CURRENCY: Final = "EUR"
# What follows a page of the shop: an event and its weight; None ends the visit.
_NEXT: Final = {
    "web.page_viewed": (
        ("catalogue.viewed", 4),
        ("search.performed", 4),
        ("promotion.viewed", 1),
        ("content.viewed", 1),
    ),
    "catalogue.viewed": (("product.viewed", 6), ("search.performed", 1), ("product.compared", 1), (None, 2)),
    "search.performed": (("product.viewed", 5), ("search.filtered", 3), ("search.failed", 1), (None, 1)),
    "search.filtered": (("product.viewed", 7), (None, 3)),
    "search.failed": (("search.performed", 5), (None, 5)),
    "promotion.viewed": (("product.viewed", 6), (None, 4)),
    "content.viewed": (("catalogue.viewed", 3), (None, 7)),
    "product.compared": (("product.viewed", 8), (None, 2)),
    "product.viewed": (
        *(("product.viewed", 3), ("review.viewed", 2), ("cart.item_added", 2), ("wishlist.item_added", 1)),
        *(("product.missed", 1), ("web.error_shown", 0.4), (None, 4)),
    ),
    "review.viewed": (("product.viewed", 5), ("cart.item_added", 2), (None, 3)),
    "wishlist.item_added": (("product.viewed", 5), (None, 5)),
    "product.missed": (("search.performed", 4), (None, 6)),
    "web.error_shown": (("web.page_viewed", 4), (None, 6)),
    "cart.item_added": (("cart.viewed", 8), ("product.viewed", 2)),
    "cart.viewed": (("order.placed", 4), ("cart.abandoned", 4), ("product.viewed", 2)),
}
_HURTS: Final = frozenset({"web.error_shown", "search.failed", "product.missed"})
_LONGEST: Final = 30


def visit(scene: Scene) -> Episode:
    """A visit to the web shop, page by page, which may end in an order."""
    page: str | None = "web.page_viewed"
    for _ in range(_LONGEST):
        if page is None:
            if scene.chance(0.4):
                scene.stage.start(_asked_on_the_spot(scene))
            return
        if page == "order.placed":
            yield from _checkout(scene)
            return
        product = scene.rng.choice(PRODUCTS) if page.startswith(("product", "cart", "wishlist")) else None
        yield scene.touch(page, product=product)
        if page in _HURTS:
            scene.feel("failure_seen")
        following = _NEXT.get(page, ((None, 1),))
        page = scene.rng.choices([name for name, _ in following], [weight for _, weight in following])[0]
        scene.wait(3_000, 90_000)


def _checkout(scene: Scene) -> Episode:
    scene.identifiers = [*scene.customer.names("customer", "email"), *scene.identifiers]
    yield scene.touch("checkout.shipping_entered")
    scene.wait(15_000, 2 * MINUTE)
    yield scene.touch("checkout.payment_entered")
    scene.wait(5_000, MINUTE)
    if scene.chance(0.03):
        yield scene.touch("checkout.failed")
        scene.feel("failure_seen")
        return
    yield from order(scene)


def order(scene: Scene) -> Episode:
    """An order with its payment; its delivery follows."""
    product, cents = scene.rng.choice(PRODUCTS), scene.rng.randrange(990, 30_000, 10)
    amount = Amount(_CURRENCY, cents)
    number = f"order-{scene.stage.next_id()}"
    about: dict[str, Any] = {"product": product, "amount": amount, "attributes": {"order": number}}
    yield scene.touch("order.placed", **about)
    scene.wait(2_000, 20_000)
    if scene.chance(0.08):
        yield scene.touch("payment.failed", **about)
        scene.feel("payment_failed")
        if scene.chance(0.4):
            scene.wait(MINUTE, 10 * MINUTE)
            yield scene.touch("order.cancelled", **about)
            return
        scene.wait(20_000, 3 * MINUTE)
    yield scene.touch("order.paid", **about)
    if scene.channel == "store":
        yield scene.touch("loyalty.points_earned", actor_type="system", attributes={"order": number})
        return
    home = scene.fork(channel="other", identifiers=scene.customer.names("customer", "email"))
    scene.stage.start(_delivery(home, number, product, amount))


def _delivery(scene: Scene, number: str, product: str, amount: Amount) -> Episode:
    about: dict[str, Any] = {"product": product, "attributes": {"order": number}, "actor_type": "system"}
    in_time = scene.chance(0.86)
    scene.stage.start(scene.fork().promised("delivery", 72, 1.0 if in_time else 0.0))
    scene.rest(4, 24)
    yield scene.touch("delivery.dispatched", **about)
    scene.rest(12, 40)
    if not in_time:
        yield scene.touch("delivery.delayed", **about)
        scene.feel("delivered_late")
        scene.rest(24, 72)
    if scene.chance(0.03):
        yield scene.touch("delivery.failed", **about)
        scene.feel("not_delivered")
        scene.rest(24, 48)
    yield scene.touch("delivery.completed", **about)
    scene.feel("delivered")
    if scene.chance(0.4):
        metric = scene.rng.choices(("nps", "csat"), (0.6, 0.4))[0]
        scene.stage.start(scene.fork(channel="email").asked(metric, "delivery"))
    if scene.chance(0.06):
        yield from _return(scene, number, product, amount)


def _return(scene: Scene, number: str, product: str, amount: Amount) -> Episode:
    about: dict[str, Any] = {"product": product, "attributes": {"order": number}}
    scene.rest(12, 120)
    yield scene.touch("return.requested", "web", **about)
    scene.rest(24, 120)
    yield scene.touch("return.received", **about, actor_type="system")
    scene.rest(4, 96)
    back = Amount(amount.currency, -amount.minor_units)
    yield scene.touch("payment.refunded", **about, actor_type="system", amount=back)


def app_use(scene: Scene) -> Episode:
    """A short use of the app."""
    yield scene.touch("app.opened")
    for _ in range(scene.rng.randrange(1, 5)):
        scene.wait(2_000, 40_000)
        yield scene.touch(
            "app.screen_viewed", attributes={"screen": scene.rng.choice(("home", "bills", "usage", "help"))}
        )
    if scene.chance(0.02):
        yield scene.touch("app.crashed")
        scene.feel("failure_seen")
    if scene.chance(0.6):
        scene.stage.start(_asked_on_the_spot(scene))


def _asked_on_the_spot(scene: Scene) -> Episode:
    metric = scene.rng.choices(("nps", "csat", "ces"), (0.4, 0.3, 0.3))[0]
    return scene.fork().asked(metric, "product", at_once=True)


def shop_visit(scene: Scene) -> Episode:
    """A visit to a shop, with a purchase more often than not."""
    yield scene.touch("store.visited", site="high-street")
    scene.wait(MINUTE, 8 * MINUTE)
    yield scene.touch("store.served", site="high-street", actor_type="agent")
    if scene.chance(0.5):
        scene.wait(MINUTE, 6 * MINUTE)
        yield from order(scene)


def thing(scene: Scene) -> Episode:
    """A device that reports, and now and then warns or orders by itself."""
    yield scene.touch("device.reported", actor_type="device")
    if scene.chance(0.1):
        scene.wait(1_000, 10_000)
        yield scene.touch("device.alerted", actor_type="device")
    elif scene.chance(0.05):
        scene.wait(1_000, 10_000)
        yield scene.touch("device.reordered", actor_type="device", product="filter")


def bill(scene: Scene) -> Episode:
    """A bill, which some dispute and some are reminded of."""
    amount = Amount(_CURRENCY, scene.rng.randrange(1_500, 9_000))
    scene.channel = "email"
    yield scene.touch("billing.invoiced", amount=amount, actor_type="system")
    if scene.chance(0.06):
        scene.rest(2, 48)
        yield scene.touch("billing.disputed", amount=amount, text=scene.says(), language=scene.customer.language)
        scene.feel("unresolved")
    elif scene.chance(0.08):
        scene.rest(96, 200)
        yield scene.touch("billing.reminded", amount=amount, actor_type="system")


def account(scene: Scene) -> Episode:
    """Something that the customer changes about themselves, after logging in."""
    known = scene.customer.names("user", "email")
    scene.identifiers = [*known, *scene.identifiers]
    yield scene.touch("account.logged_in")
    scene.wait(3_000, 30_000)
    yield scene.touch("account.viewed")
    scene.wait(3_000, MINUTE)
    changes = (
        "profile.updated",
        "preference.set",
        "consent.given",
        "consent.withdrawn",
        "life.changed",
        "contract.renewed",
    )
    yield scene.touch(scene.rng.choices(changes, (5, 4, 2, 1, 1, 2))[0])


def campaign(scene: Scene) -> Episode:
    """A mailing that some open and fewer click."""
    about: dict[str, Any] = {"campaign": "autumn"}
    yield scene.touch("campaign.sent", actor_type="system", **about)
    if scene.chance(0.35):
        scene.rest(0.1, 20)
        yield scene.touch("email.opened", **about)
        if scene.chance(0.25):
            scene.wait(2_000, MINUTE)
            yield scene.touch("email.clicked", **about)
