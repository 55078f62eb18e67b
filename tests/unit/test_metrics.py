"""Every metric has its words, the page in docs/ is made of them, and what a process exposes are those and no others."""

from pathlib import Path

from pipeline.metrics_page import BY_PROCESS, as_markdown

DOCS = Path(__file__).parents[2] / "docs"
EVERY = [one for series in BY_PROCESS.values() for one in series]


def test_the_page_is_made_from_the_code() -> None:
    assert (DOCS / "metrics.md").read_text() == as_markdown(), "make it again: pipeline.metrics_page.as_markdown()"


def test_every_series_is_named_once_as_prometheus_wants_it() -> None:
    names = [one.name for one in EVERY]
    assert len(set(names)) == len(names)
    for one in EVERY:
        assert one.name.startswith("touchstream_")
        assert not one.name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert one.kind != "histogram" or one.name.endswith("_seconds")
        assert one.meaning.endswith(".")
        assert one.watch.endswith(".")
