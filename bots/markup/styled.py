"""Text with spans: what a document says, before any platform says how it looks."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["bold", "italic", "strikethrough", "heading", "code", "pre", "link", "quote"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of text that looks its own way.

    Attributes:
        start: Index of its first character.
        end: Index after its last.
        argument: The address of a link, the language of a `pre`, the level of a heading from
            1 to 6; else empty.
    """

    kind: Kind
    start: int
    end: int
    argument: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Styled:
    """A text and its spans.

    The text does not end with a blank or newline; a span may, and may reach beyond the text.
    Spans are sorted, outer before inner; of two that overlap, one contains the other; `code`
    and `pre` contain nothing, and only a quote contains them; quotes do not nest, nor links.
    """

    text: str
    spans: tuple[Span, ...] = ()


class Sheet:
    """A styled text being written, front to back.

    Breaks between blocks are asked for before it is known whether anything follows, so they
    are written together with what does.
    """

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._length = 0
        self._spans: list[Span] = []
        self._open: dict[Kind, int | None] = {}
        self._depths: dict[Kind, int] = {}
        self._level = ""
        self._newlines = 0
        self._indent = ""
        self.bullet = ""

    def mark(self) -> int:
        """Return a mark of this place, for `since`."""
        return len(self._texts)

    def since(self, mark: int) -> str:
        """Return what was written since a mark was taken, with what led to it."""
        return "".join(self._texts[mark:])

    def end_line(self, newlines: int, indent: str = "") -> None:
        """Put at least so many newlines and then `indent` before what is written next."""
        self._newlines = max(self._newlines, newlines)
        self._indent = indent

    def unindent(self) -> None:
        """Let what is written next start at the margin, if it starts a line."""
        self._indent = ""

    def write(self, text: str) -> None:
        """Write `text` in the styles that are open."""
        if not text:
            return
        self._begin()
        for kind, start in self._open.items():
            if start is None:
                self._open[kind] = self._length
        self._append(text)

    def write_code(self, text: str, kind: Literal["code", "pre"], language: str = "") -> None:
        """Write `text` as code: every style but a quote pauses; in a link it is only text."""
        if "link" in self._open:
            self.write(text)
            return
        self._begin()
        for style, start in reversed(self._open.items()):
            if style != "quote":
                self._add(style, start, self._level if style == "heading" else "")
                self._open[style] = None
            elif start is None:
                self._open[style] = self._length
        start = self._length
        self._append(text)
        self._add(kind, start, language)

    def paste(self, styled: Styled) -> None:
        """Write another text with its spans."""
        self.write(styled.text)
        shift = self._length - len(styled.text)
        for span in styled.spans:
            end = min(span.end + shift, self._length)
            self._add(span.kind, span.start + shift, span.argument, end=end)

    def open(self, kind: Kind, level: str = "") -> None:
        """Begin a style; inside itself it changes nothing, nor does bold inside a heading.

        Args:
            kind: Which.
            level: Of a heading.
        """
        self._level = level or self._level
        depth = self._depths.get(kind, 0)
        self._depths[kind] = depth + 1
        if not depth and not (kind == "bold" and "heading" in self._open):
            self._open[kind] = None

    def close(self, kind: Kind, argument: str = "") -> None:
        """End a style."""
        self._depths[kind] -= 1
        if not self._depths[kind] and kind in self._open:
            argument = self._level if kind == "heading" else argument
            self._add(kind, self._open.pop(kind), argument)

    def drop(self, kind: Kind) -> None:
        """End a style as if it had never begun; none inside itself."""
        self._depths[kind] = 0
        del self._open[kind]

    def flush_bullet(self) -> None:
        """Write a bullet that waits for its item's text, on its own."""
        if self.bullet:
            self._begin()

    def finish(self) -> Styled:
        """Return what was written."""
        # Of two that share both ends, the outer was added last.
        spans = self._spans[::-1]
        spans.sort(key=lambda span: (span.start, -span.end))
        return Styled(text="".join(self._texts).rstrip(" \n"), spans=tuple(spans))

    def _begin(self) -> None:
        if self._newlines:
            if self._length:
                self._append("\n" * self._newlines + self._indent)
            self._newlines = 0
        if self.bullet:
            if self._open.get("quote", 0) is None:
                self._open["quote"] = self._length
            self._append(self.bullet)
            self.bullet = ""

    def _append(self, text: str) -> None:
        self._texts.append(text)
        self._length += len(text)

    def _add(self, kind: Kind, start: int | None, argument: str = "", *, end: int = -1) -> None:
        end = self._length if end < 0 else end
        if start is not None and start < end:
            self._spans.append(Span(kind=kind, start=start, end=end, argument=argument))
