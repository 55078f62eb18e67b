"""From what is typed to what it may mean."""

import pytest

from pipeline.keys import Keyring
from pipeline.serve.identify import Unreadable, meaning
from pipeline.serve.present import cursor_of, cursor_text
from pipeline.serve.read_customer import Cursor

KEYS = Keyring(b"a secret of sixteen bytes")


def test_a_person_is_taken_at_its_name() -> None:
    name = "p_0123456789abcdef0123"
    assert meaning(name, KEYS).person == name


def test_an_identifier_is_compared_in_its_one_form() -> None:
    assert meaning("email: Ada@Example.ORG ", KEYS) == meaning("email:ada@example.org", KEYS)
    assert meaning("phone:+49 (30) 123-456", KEYS).cells == (KEYS.cell("phone", "+4930123456"),)


def test_a_bare_value_is_tried_in_every_namespace_that_it_fits() -> None:
    cells = meaning("ada@example.org", KEYS).cells
    assert KEYS.cell("email", "ada@example.org") in cells
    assert not any(cell.startswith("phone:") for cell in cells)


def test_an_unlisted_namespace_is_taken_as_it_is() -> None:
    assert meaning("loyalty:77", KEYS).cells == (KEYS.cell("loyalty", "77"),)


def test_a_cell_as_the_api_shows_it_is_understood() -> None:
    cell = KEYS.cell("email", "ada@example.org")
    assert cell in meaning(cell, KEYS).cells


def test_a_value_with_a_colon_but_no_namespace_is_bare() -> None:
    assert KEYS.cell("customer", "A:1") in meaning("A:1", KEYS).cells


@pytest.mark.parametrize("text", ["", "   ", "x" * 301, "email:secret", "phone:secret", "\x00secret"])
def test_what_cannot_be_an_identifier_is_said_without_repeating_it(text: str) -> None:
    with pytest.raises(Unreadable) as error:
        meaning(text, KEYS)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("cursor", [Cursor(1_760_000_000_123, "ev-1"), Cursor(-62_000, "a~b"), Cursor(0)])
def test_cursors_come_back_as_they_were(cursor: Cursor) -> None:
    assert cursor_of(cursor_text(cursor)) == cursor


def test_a_cursor_may_be_any_iso_time() -> None:
    assert cursor_of("1998-01-02").at_ms == cursor_of("1998-01-02T01:00:00+01:00").at_ms == 883_699_200_000
    with pytest.raises(ValueError, match="Invalid isoformat"):
        cursor_of("yesterday")
