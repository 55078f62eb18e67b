"""The flow of journeys: nothing lost, nothing made up."""

import random

from pipeline.serve.flow import ENDED, LONG, MORE, OPEN, OTHER, SHOWN_STEPS, Node, Path, flow

CHANNELS = ["web", "call", "app", "email", "chat", "store", "sms"]


def some_paths(seed: int) -> list[Path]:
    r = random.Random(seed)
    paths = []
    for _ in range(300):
        length = r.randint(0, SHOWN_STEPS)
        steps = tuple(r.choices(CHANNELS, weights=range(7, 0, -1), k=length))
        full = length == SHOWN_STEPS
        paths.append(
            Path(steps, full and r.random() < 0.5, full and r.random() < 0.1, r.random() < 0.3, r.randint(1, 9))
        )
    return paths


def test_what_goes_in_comes_out_at_every_node() -> None:
    for seed in range(20):
        paths = some_paths(seed)
        found = flow(paths)
        assert found.entered == found.left == sum(path.journeys for path in paths)
        for node in found.nodes:
            going_in = sum(n for (_, end), n in found.links.items() if end == node)
            going_out = sum(n for (start, _), n in found.links.items() if start == node)
            if node.step > 1:
                assert going_in == going_out
        first = sum(n for (start, _), n in found.links.items() if start.step == 1)
        assert first == found.entered


def test_rare_channels_are_seen_as_other() -> None:
    paths = [Path((channel,), False, False, False, count) for count, channel in enumerate(CHANNELS, 1)]
    found = flow(paths)
    assert found.links[Node(1, OTHER), Node(0, ENDED)] == 1 + 2 + 3
    assert found.links[Node(1, "sms"), Node(0, ENDED)] == 7


def test_a_journey_ends_is_open_or_goes_on() -> None:
    found = flow(
        [
            Path(("web", "call"), False, False, False, 5),
            Path(("web",), False, False, True, 3),
            Path(("web",) * SHOWN_STEPS, True, False, True, 2),
        ]
    )
    assert found.links[Node(2, "call"), Node(0, ENDED)] == 5
    assert found.links[Node(1, "web"), Node(0, OPEN)] == 3
    assert found.links[Node(SHOWN_STEPS, "web"), Node(0, MORE)] == 2


def test_a_journey_whose_beginning_is_not_kept_claims_no_first_channel() -> None:
    found = flow([Path(("web",) * SHOWN_STEPS, True, True, False, 4)])
    assert found.links == {(Node(1, LONG), Node(0, MORE)): 4}


def test_no_journeys_flow_nowhere() -> None:
    assert flow([]).entered == flow([]).left == 0
