"""Markdown -> styled text: one walk over the parser's events."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyromark

from bots.markup.latex import readable
from bots.markup.source import Prepared, clean, prepare
from bots.markup.styled import Kind, Sheet, Styled
from bots.markup.table import Row, write_table

_PARSER = pyromark.Markdown(
    options=pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_GFM
)
_STYLES: dict[str, Kind] = {
    "Strong": "bold",
    "Emphasis": "italic",
    "Strikethrough": "strikethrough",
}
_BULLET, _TODO, _DONE, _RULE = "• ", "☐ ", "☑ ", "———"
_INDENT = "    "
# Nothing a person reads goes deeper; what a program writes may, and must not cost more.
_DEEPEST, _WIDEST_BULLET = 8, 64
# Each costs 0.1 ms when it is new; what follows them stays LaTeX.
_MOST_FORMULAS = 1_000
_NUMBER = re.compile(rb"[ \t]*(\d{1,9})([.)])")
_LANGUAGE = re.compile(r"[\w+#.-]{1,32}")
# The one tag that models mean as such: Markdown has no other way to break a line in a table.
_BREAK = re.compile(r" ?<br ?/?> ?", re.IGNORECASE)
_BLANK_LINES = re.compile(r"(?:[ \t]*\n)+")


def parse(markdown: str, *, is_link: Callable[[str], bool]) -> Styled:
    """Return what the Markdown says; what is HTML is text.

    Args:
        markdown: Whatever a model wrote, whole or cut off anywhere.
        is_link: Whether the platform makes this address a link. One that it does not is shown
            in parentheses after its text.
    """
    source = prepare(markdown)
    walk = _Walk(source, is_link)
    raw = source.markdown.encode()
    for event, place in _PARSER.events_with_range(source.markdown, merge_text=True):
        name, argument = _unpack(event)
        if name == "StartItem":
            argument = raw[place["start"] : place["start"] + 16]
        if action := _ACTIONS.get(name):
            action(walk, argument)
    return walk.sheet.finish()


def _unpack(event: Any) -> tuple[str, Any]:  # noqa: ANN401 - the parser's union of 40 shapes
    """Return an event's name, `StartLink` say, and its argument."""
    if isinstance(event, str):
        return event, None
    ((name, argument),) = event.items()
    if name in ("Start", "End"):
        if isinstance(argument, str):
            return name + argument, argument
        ((tag, argument),) = argument.items()
        name += tag
    return name, argument


@dataclass(slots=True, kw_only=True)
class _List:
    """A list being written.

    Attributes:
        number: What its newest item shows; None for bullets.
        written: What the source says there.
        is_long: Its newest item has several paragraphs, so that air must follow it.
    """

    number: int | None
    written: int = -1
    is_long: bool = False


class _Walk:
    """What each event does to the sheet."""

    def __init__(self, source: Prepared, is_link: Callable[[str], bool]) -> None:
        self.sheet = self._page = Sheet()
        self._source = source
        self._is_link = is_link
        self._lists: list[_List] = []
        self._outer: list[list[_List]] = []
        self._links: list[tuple[str, int, bool]] = []
        self._code: list[str] | None = None
        self._language = ""
        self._rows: list[Row] = []
        self._alignments: tuple[str, ...] = ()
        self._is_fresh = False
        self._formulas = 0

    def text(self, text: str) -> None:
        if self._code is not None:
            self._code.append(text)
            return
        for piece, is_formula in self._source.pieces(text):
            if is_formula:
                self._write_formula(piece)
            else:
                said = _tidy(piece)
                self.sheet.write(said if self.sheet is self._page else _BREAK.sub("\n", said))

    def code(self, text: str) -> None:
        self.sheet.write_code(self._restore(text), "code")

    def end_line(self, _: object = None) -> None:
        self.sheet.end_line(1, self._indent())

    def rule(self, _: object) -> None:
        self.start_paragraph()
        self.sheet.write(_RULE)
        self.end_line()

    def start_style(self, event: str) -> None:
        self.sheet.open(_STYLES[event])

    def end_style(self, event: str) -> None:
        self.sheet.close(_STYLES[event])

    def start_paragraph(self, _: object = None) -> None:
        if self._is_begun():
            return
        self.sheet.end_line(2, self._indent())
        if self._lists:
            self._lists[-1].is_long = True

    def start_heading(self, heading: dict[str, str]) -> None:
        self.start_paragraph()
        self.sheet.open("heading", heading["level"].removeprefix("H"))

    def end_heading(self, _: object) -> None:
        self.sheet.close("heading")
        self.end_line()

    def start_code(self, kind: str | dict[str, str]) -> None:
        info = "" if isinstance(kind, str) else kind["Fenced"]
        language = _LANGUAGE.match(info)
        self._language = language[0] if language else ""
        self._code = []

    def end_code(self, _: object) -> None:
        text = self._restore("".join(self._code or ()))
        self._code = None
        if lead := _BLANK_LINES.match(text):
            text = text[lead.end() :]
        if text := text.rstrip():
            self._start_block()
            self.sheet.write_code(text, "pre", self._language)
            self.end_line()

    def start_quote(self, kind: str | None) -> None:
        self._start_block()
        self._outer.append(self._lists)
        self._lists = []
        self.sheet.open("quote")
        if kind:
            self.sheet.open("bold")
            self.sheet.write(kind)
            self.sheet.close("bold")
            self.end_line()
        self._is_fresh = True

    def end_quote(self, _: object) -> None:
        self.sheet.close("quote")
        self._lists = self._outer.pop()
        self._is_fresh = False
        self.end_line()

    def start_list(self, number: int | None) -> None:
        if not self._is_begun():
            self.sheet.end_line(1 if self._lists else 2)
        self._lists.append(_List(number=number))

    def end_list(self, _: object) -> None:
        is_long = self._lists.pop().is_long
        if self._lists:
            self._lists[-1].is_long |= is_long
        self.end_line()

    def start_item(self, source: bytes) -> None:
        newest = self._lists[-1]
        if not self.sheet.bullet:
            self.sheet.end_line(2 if newest.is_long else 1, self._indent(1))
        newest.is_long = False
        if len(self.sheet.bullet) < _WIDEST_BULLET:
            self.sheet.bullet += self._number(newest, source)

    def end_item(self, _: object) -> None:
        self.sheet.flush_bullet()

    def task(self, is_done: bool) -> None:  # noqa: FBT001 - an event's argument
        mark = _DONE if is_done else _TODO
        self.sheet.bullet = self.sheet.bullet.removesuffix(_BULLET) + mark

    def footnote(self, label: str) -> None:
        self.sheet.end_line(2)
        self.sheet.bullet = f"[{self._restore(label)}] "

    def footnote_reference(self, label: str) -> None:
        self.sheet.write(f"[{self._restore(label)}]")

    def start_table(self, alignments: tuple[str, ...]) -> None:
        self._alignments = alignments
        self._rows = []

    def start_row(self, _: object) -> None:
        self._rows.append([])

    def start_cell(self, _: object) -> None:
        self.sheet = Sheet()

    def end_cell(self, _: object) -> None:
        self._rows[-1].append(self.sheet.finish())
        self.sheet = self._page

    def end_table(self, _: object) -> None:
        self._start_block()
        write_table(self.sheet, self._rows[0], self._rows[1:], self._alignments)
        self.end_line()

    def start_link(self, link: dict[str, str]) -> None:
        url = self._restore(link["dest_url"])
        is_open = not self._links and self._is_link(url)
        self._links.append((url, self.sheet.mark(), is_open))
        if is_open:
            self.sheet.open("link")

    def end_link(self, _: object) -> None:
        url, mark, is_open = self._links.pop()
        text = self.sheet.since(mark).strip()
        address = url.removeprefix("mailto:")
        if is_open and text and text != url:
            self.sheet.close("link", url)
            return
        if is_open:
            self.sheet.drop("link")
        if not text:
            self.sheet.write(address)
        elif address not in (text, "") and not self._links:
            self.sheet.write(f" ({address})")

    def _write_formula(self, latex: str) -> None:
        """Write a formula as code: on lines of its own if it has several."""
        self._formulas += 1
        text = _tidy(readable(latex) if self._formulas <= _MOST_FORMULAS else "")
        lines = text.split("\n")
        if len(lines) == 1 or self._links or self.sheet is not self._page:
            text = "; ".join(line.strip() for line in lines)
            self.sheet.write_code(text or latex.expandtabs(4), "code")
            return
        self.sheet.flush_bullet()
        self.sheet.end_line(1)
        self.sheet.unindent()
        self.sheet.write_code(text, "pre")
        self.end_line()

    def _is_begun(self) -> bool:
        """Whether the line is there: behind a bullet, or the first of a quote."""
        is_fresh, self._is_fresh = self._is_fresh, False
        return is_fresh or bool(self.sheet.bullet)

    def _start_block(self) -> None:
        """Begin what stands on lines of its own, at the margin."""
        self.sheet.flush_bullet()
        if not self._is_begun():
            self.sheet.end_line(1 if self._lists else 2)
        self.sheet.unindent()

    def _indent(self, less: int = 0) -> str:
        return _INDENT * min(len(self._lists) - less, _DEEPEST)

    def _restore(self, text: str) -> str:
        return _tidy(self._source.restore(text))

    @staticmethod
    def _number(newest: _List, source: bytes) -> str:
        """Return what stands before an item: a bullet, or the number that the source says.

        A list whose author left the counting to Markdown repeats its number.
        """
        match = _NUMBER.match(source)
        if newest.number is None or not match:
            return _BULLET
        written = int(match[1])
        newest.number = newest.number + 1 if written == newest.written else written
        newest.written = written
        return f"{newest.number}{match[2].decode()} "


def _tidy(text: str) -> str:
    return clean(text).expandtabs(4)


_ACTIONS: dict[str, Callable[[_Walk, Any], None]] = {
    "Text": _Walk.text,
    "Html": _Walk.text,
    "InlineHtml": _Walk.text,
    "Code": _Walk.code,
    "SoftBreak": _Walk.end_line,
    "HardBreak": _Walk.end_line,
    "Rule": _Walk.rule,
    "StartStrong": _Walk.start_style,
    "StartEmphasis": _Walk.start_style,
    "StartStrikethrough": _Walk.start_style,
    "EndStrong": _Walk.end_style,
    "EndEmphasis": _Walk.end_style,
    "EndStrikethrough": _Walk.end_style,
    "StartParagraph": _Walk.start_paragraph,
    "StartHeading": _Walk.start_heading,
    "EndHeading": _Walk.end_heading,
    "StartCodeBlock": _Walk.start_code,
    "EndCodeBlock": _Walk.end_code,
    "StartBlockQuote": _Walk.start_quote,
    "EndBlockQuote": _Walk.end_quote,
    "StartList": _Walk.start_list,
    "EndList": _Walk.end_list,
    "StartItem": _Walk.start_item,
    "EndItem": _Walk.end_item,
    "TaskListMarker": _Walk.task,
    "StartFootnoteDefinition": _Walk.footnote,
    "EndFootnoteDefinition": _Walk.end_item,
    "FootnoteReference": _Walk.footnote_reference,
    "StartTable": _Walk.start_table,
    "StartTableHead": _Walk.start_row,
    "StartTableRow": _Walk.start_row,
    "StartTableCell": _Walk.start_cell,
    "EndTableCell": _Walk.end_cell,
    "EndTable": _Walk.end_table,
    "StartLink": _Walk.start_link,
    "EndLink": _Walk.end_link,
    "StartImage": _Walk.start_link,
    "EndImage": _Walk.end_link,
}
