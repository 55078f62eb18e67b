"""Parts of a page that are changed in place, and only when what they show has changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from pipeline.serve.board.charts import Options
from pipeline.serve.board.text import TileText


class Text(TextElement):
    """Text in a tag of one's choice, with classes that replace each other."""

    def __init__(self, tag: str, text: str = "", classes: str = "") -> None:
        super().__init__(tag=tag, text=text)
        self._kind = ""
        self.classes(classes)

    def say(self, text: str, kind: str = "") -> None:
        """Show this text, with `kind` as its further classes."""
        if text != self.text:
            self.set_text(text)
        if kind != self._kind:
            self.classes(add=kind, remove=self._kind)
            self._kind = kind


class Html:
    """HTML that is sent again only when it differs. What goes in must be escaped."""

    def __init__(self, classes: str = "", tag: str = "div") -> None:
        self.element = ui.html("", sanitize=False, tag=tag).classes(classes)

    def show(self, content: str) -> None:
        """Show this content."""
        if content != self.element.content:
            self.element.set_content(content)


class Chart:
    """A chart whose series are changed in place, without animation. `words` describe it to those who cannot see it."""

    def __init__(self, classes: str, words: str) -> None:
        # As SVG its colours can be the page's own variables, so light and dark need no second set of options.
        self._chart = ui.echart({"series": []}, renderer="svg").classes(classes)
        self._chart.props('role="img"')
        self._chart.props["aria-label"] = words
        self._shown: Options = {}

    def show(self, options: Options) -> None:
        """Show these options."""
        if options != self._shown:
            self._shown = options
            self._chart.options.clear()
            self._chart.options.update(_copied(options))
            self._chart.update()


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


@contextmanager
def panel(title: str, classes: str) -> Iterator[Text]:
    """A panel with a heading; gives the heading, so that it can change."""
    with ui.element("section").classes(f"panel {classes}") as section:
        with ui.element("div").classes("head"):
            heading = Text("h2", title)
        # Not as text of properties: in that, a quotation mark in the title would begin properties of its own.
        section.props["aria-label"] = title
        yield heading


class Tile:
    """A number with what belongs to it: interval, n, change, course."""

    def __init__(self, title: str) -> None:
        with ui.element("section").classes("panel s3 loading") as self._panel:
            self._title = Text("h2", title)
            with ui.element("div").classes("figure"):
                self._number = Text("div", "", "number")
                self._beside = Text("div", "", "beside")
            self._change = Text("div", "", "change")
            self._elsewhere = Text("a", "", "elsewhere")
            self._chart = Chart("spark", f"course of {title}")
        self._faint = False
        self._loading = True

    def show(self, text: TileText, course: Options, elsewhere: tuple[str, str] = ("", "")) -> None:
        """Show a reading; `elsewhere` is a link's words and target, for a period that holds nothing."""
        if self._loading:
            self._panel.classes(remove="loading")
            self._loading = False
        if text.faint != self._faint:
            self._faint = text.faint
            self._panel.classes(add="faint" if text.faint else "", remove="" if text.faint else "faint")
        self._title.say(text.title)
        self._number.say(text.number)
        self._beside.say(text.beside)
        self._change.say(text.change, text.tone)
        self._elsewhere.say(elsewhere[0])
        if elsewhere[1] and self._elsewhere.props.get("href") != elsewhere[1]:
            self._elsewhere.props(f'href="{elsewhere[1]}"')
        self._chart.show(course)
