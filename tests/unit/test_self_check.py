"""What a process sees of itself, put into words for the watchdog."""

from pipeline.meter import Signs
from pipeline.self_check import OUTAGE_S, Subject, excuse, lanes
from pipeline.standing import Standing
from pipeline.watchdog import Lane

FOUND = {
    ("web", 0): Standing(5, 2, 1000),
    ("web", 1): Standing(7, 0, None),
    ("call", 0): Standing(9, 1, 2000),
}


def subject(signs: Signs, *, by_number: bool) -> Subject:
    """A process with those partitions."""
    name = (lambda place: str(place[1])) if by_number else (lambda place: f"{place[0]}-{place[1]}")
    return Subject("", "", lambda: frozenset(FOUND), name, signs)


def test_a_lane_of_a_stage_takes_in_all_topics_of_its_number_and_its_restore() -> None:
    signs = Signs(restoring={0: 300})
    assert lanes(FOUND, subject(signs, by_number=True)) == {"0": Lane(3, (9, 5, 300)), "1": Lane(0, (7, 0))}


def test_a_lane_of_the_sink_is_a_partition() -> None:
    found = lanes(FOUND, subject(Signs(), by_number=False))
    assert found == {"call-0": Lane(1, (9, 0)), "web-0": Lane(2, (5, 0)), "web-1": Lane(0, (7, 0))}


def test_a_server_that_was_away_is_an_excuse_for_a_while_and_until_something_works() -> None:
    now = 1000.0
    signs = Signs()
    assert excuse(signs, now) == ""
    signs.failed("clickhouse", lambda: now)
    assert excuse(signs, now + OUTAGE_S - 1) == "a server is away"
    assert excuse(signs, now + OUTAGE_S) == ""
    signs.worked()
    assert excuse(signs, now + 1) == ""


def test_what_no_server_is_to_blame_for_is_no_excuse() -> None:
    signs = Signs()
    for reason in ("fenced", "commit"):
        signs.failed(reason, lambda: 1000.0)
    assert excuse(signs, 1000.0) == ""


def test_an_insert_on_its_way_is_an_excuse() -> None:
    assert excuse(Signs(inserting=True), 0.0) == "an insert is on its way"
