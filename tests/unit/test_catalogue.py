"""The catalogue of touchpoints: what is in it, and what is refused."""

import pytest

from schemas.catalogue import DATA_KINDS, CatalogueError, Expectation, listed, parse

GOOD = '[touchpoints]\n"call.ended" = { department = "service", data_kind = "interaction", phase = "after", channels = ["call"] }\n'


def test_the_catalogue_holds_all_kinds_of_data_and_all_channels() -> None:
    known = listed().values()
    assert len(known) >= 60
    assert {one.data_kind for one in known} == set(DATA_KINDS)
    assert {channel for one in known for channel in one.channels} == {
        *("other", "call", "web", "email", "app", "chat", "sms", "letter", "social", "store", "device")
    }


def test_an_expectation_says_what_and_within_which_time_since_when() -> None:
    assert listed()["call.answered"].expectation == Expectation("answered within 20 s", 20_000, "call.queued")


def test_a_touchpoint_without_an_expectation_is_fine() -> None:
    assert parse(GOOD)["call.ended"].expectation is None


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (('"call.ended"', '"CallEnded"'), "family.past_participle"),
        (('"service"', "7"), "department must be one word"),
        (('"interaction"', '"gossip"'), "data_kind must be one of"),
        (('"after"', '"never"'), "phase must be one of"),
        (('["call"]', '["carrier pigeon"]'), "channels must be"),
        (('["call"]', "[]"), "channels must be"),
        (('["call"]', '["call", "call"]'), "channels must be"),
        (('["call"]', '["call"], owner = "x"'), "unknown keys ['owner']"),
        (('["call"]', '["call"], expectation = { meaning = "" }'), "expectation must be"),
        (('["call"]', '["call"], expectation = { meaning = "x", within_ms = 0 }'), "expectation must be"),
        (
            ('["call"]', '["call"], expectation = { meaning = "x", within_ms = 5, since = "call.lost" }'),
            "expectation must be",
        ),
        (('["call"]', '["call"], expectation = { meaning = "x", since = "call.ended" }'), "expectation must be"),
    ],
)
def test_a_faulty_entry_is_named_with_its_fault(change: tuple[str, str], fault: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        parse(GOOD.replace(*change))
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "touchpoints = 3", "[touchpoints]", "not toml", '[touchpoints]\n"call.ended" = 3']
)
def test_what_is_no_catalogue_is_refused(text: str) -> None:
    with pytest.raises(CatalogueError):
        parse(text)
