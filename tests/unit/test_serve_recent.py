"""Which journey an arrival belongs to."""

from pipeline.serve.read_recent import Arrival, RecentJourney, chosen

OLD = RecentJourney("p_a", "j1", 1_000, 2_000, 3, ("web",))
NEW = RecentJourney("p_a", "j2", 9_000, 9_500, 2, ("call",))


def test_a_late_touchpoint_shows_the_journey_that_it_lies_in() -> None:
    (found,) = chosen([Arrival("p_a", 10_000, 1_500)], [OLD, NEW])
    assert (found.journey_id, found.arrived_ms) == ("j1", 10_000)


def test_order_is_that_of_arrival_and_unknown_journeys_are_left_out() -> None:
    other = RecentJourney("p_b", "j3", 0, 100, 1, ("app",))
    arrivals = [Arrival("p_b", 12, 50), Arrival("p_c", 11, 1), Arrival("p_a", 10, 9_100), Arrival("p_a", 9, 5_000)]
    assert [j.journey_id for j in chosen(arrivals, [OLD, NEW, other])] == ["j3", "j2"]
