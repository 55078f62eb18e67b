"""Parts of a page: what is shown never becomes properties of an element."""

from nicegui import Client, ui

from pipeline.serve.board.widgets import Chart, panel

HOSTILE = 'a" innerHTML="<img src=x onerror=alert(1)>" b'


def test_a_title_stays_a_title() -> None:
    with Client(ui.page("/")), panel(HOSTILE, "s12") as heading:
        assert heading.parent_slot is not None
        section = heading.parent_slot.parent.parent_slot
        assert section is not None
        assert (section.parent.tag, dict(section.parent.props)) == ("section", {"aria-label": HOSTILE})
        assert heading.text == HOSTILE


def test_the_words_of_a_chart_stay_words() -> None:
    with Client(ui.page("/")) as client:
        Chart("spark", HOSTILE)
        (chart,) = [one for one in client.elements.values() if isinstance(one, ui.echart)]
        assert chart.props["aria-label"] == HOSTILE
        assert "innerHTML" not in chart.props
