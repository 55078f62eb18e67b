"""Every reason has its words, and the page in docs/ is made of them."""

from pathlib import Path

from pipeline.events import Reason
from pipeline.rejections import MEANINGS, as_markdown

DOCS = Path(__file__).parents[2] / "docs"


def test_every_reason_is_explained() -> None:
    assert set(MEANINGS) == set(Reason)


def test_the_page_is_made_from_the_code() -> None:
    assert (DOCS / "rejections.md").read_text() == as_markdown(), "make it again: pipeline.rejections.as_markdown()"
