"""Surveys with a known truth: responders mislead as stated, and weighting by propensity finds the truth again."""

import math
from random import Random

import pytest

from pipeline.events import Answer, Touchpoint
from pipeline.simulate import Kind, Options, Simulation
from pipeline.simulate.people import EFFECTS, population
from pipeline.simulate.surveys import SCALES, Ledger, answer, expected_nps, points, propensity, score

NPS = SCALES["nps"]


@pytest.fixture(scope="module", params=list(SCALES))
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """Thirty thousand customers asked one question each."""
    scale, rng = SCALES[request.param], Random("truth")
    made = Ledger(scale)
    for _ in range(30_000):
        value = answer(scale, min(10.0, max(0.0, rng.gauss(7.2, 1.8))), rng)
        made.invited[value] += 1
        if rng.random() < propensity(scale, value):
            made.answered[value] += 1
            made.given[value] += 1
    return made


def test_responders_mislead_by_the_stated_bias(ledger: Ledger) -> None:
    account = ledger.account()
    assert account["responders_score"] - account["true_score"] == pytest.approx(
        account["expected_responder_bias"], abs=2.5 if ledger.scale is NPS else 0.05
    )
    assert account["expected_responder_bias"] < (-10 if ledger.scale is NPS else -0.1)
    assert account["response_rate"] == pytest.approx(account["expected_response_rate"], abs=0.01)


def test_weighting_by_propensity_recovers_the_truth(ledger: Ledger) -> None:
    account = ledger.account()
    weights = {
        int(value): count / account["propensity_by_answer"][value]
        for value, count in account["given_by_answer"].items()
    }
    assert score(ledger.scale, weights) == pytest.approx(
        account["true_score"], abs=2.5 if ledger.scale is NPS else 0.05
    )


def test_the_mean_answer_points_are_what_was_computed() -> None:
    rng = Random(3)
    for satisfaction in (0.0, 5.0, 6.5, 8.5, 10.0):
        said = [points(NPS, answer(NPS, satisfaction, rng)) for _ in range(20_000)]
        assert sum(said) / len(said) == pytest.approx(expected_nps(satisfaction), abs=2)


def test_the_answers_in_the_stream_are_those_in_the_truth() -> None:
    simulation = Simulation(Options(start=1_772_366_400_000, duration_ms=500_000, customers=400, rate=60))
    given: dict[str, dict[int, int]] = {metric: {} for metric in SCALES}
    for record in simulation:
        content = record.content
        if (
            record.kind in (Kind.ON_TIME, Kind.LATE)
            and isinstance(content, Touchpoint)
            and isinstance(content.answer, Answer)
        ):
            counts = given[content.answer.metric]
            counts[content.answer.value] = counts.get(content.answer.value, 0) + 1
    truth = simulation.truth()
    for metric, counts in given.items():
        told = truth["surveys"][metric]["given_by_answer"]
        # The touchpoint after the last record is made already and may be an answer.
        assert abs(sum(told.values()) - sum(counts.values())) <= 1
        assert counts.keys() <= {int(value) for value in told}
    assert truth["surveys"]["nps"]["answered"] > 30
    assert truth["surveys"]["nps"]["expected_responder_bias"] < 0
    assert truth["population"]["customers"] == 400
    assert -100 <= truth["population"]["true_nps"] <= 100


def test_satisfaction_moves_with_what_happens_and_goes_back_with_time() -> None:
    customer = population(1, "1", at=0)[0]
    before = customer.satisfaction(0, 1.0)
    customer.feel("promise_broken", 0, 1.0)
    after = customer.satisfaction(0, 1.0)
    assert after == pytest.approx(max(0, before + EFFECTS["promise_broken"]))
    ten_days = customer.satisfaction(10 * 86_400_000, 1.0)
    assert ten_days == pytest.approx(before + (after - before) / math.e)
    assert customer.satisfaction(86_400_000, 10.0) == pytest.approx(ten_days)


def test_satisfaction_stays_on_its_scale() -> None:
    customer = population(1, "1", at=0)[0]
    for _ in range(50):
        customer.feel("promise_broken", 0, 1.0)
    assert customer.satisfaction(0, 1.0) == 0
    for _ in range(50):
        customer.feel("promise_kept", 0, 1.0)
    assert customer.satisfaction(0, 1.0) == 10
