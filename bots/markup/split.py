"""Cut a styled text into pieces at the places where it hurts least."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from bots.markup.styled import Span, Styled

# Returns how far a piece may reach that starts at a place, given the spans that go on there and
# how many have started before it; it must not matter to it what stands behind that.
Reach = Callable[[int, Sequence[Span], int], int]

_BLANKS = " \n"
_PARAGRAPH = re.compile(r"(?=\n\n)")
_LINE = re.compile(r"(?=\n)")
_OUTER_LINE = re.compile(r"(?=\n\S)")
_SENTENCE = re.compile(
    r"(?<=[.!?\u2026])(?=\s)"
    r"|(?<=[.!?\u2026][\"'\u201d\u2019\u00bb)\]])(?=\s)"
    r"|(?<=[\u3002\uff01\uff1f])(?![\"'\u201d\u2019\u300d\u300f\uff09)\]])"
)
_WORD = re.compile(r"(?=[ \n])")


def split(styled: Styled, *, reach: Reach, most_spans: int) -> Iterator[Styled]:
    """Yield the text in pieces that each fit.

    A span that is cut goes on in the next piece. Blanks and newlines at a cut are dropped. A
    piece that is not the last stays as it is when text is appended: where it ends depends on
    what is up to two characters behind it, on nothing further away.

    Args:
        styled: The whole text.
        reach: How far a piece may reach, at least a character.
        most_spans: Most spans of a piece; beyond them it ends early.
    """
    knife = _Knife(styled)
    text, spans = styled.text, styled.spans
    start, taken = knife.skip(0), 0
    carried: list[Span] = []
    while start < len(text):
        end = reach(start, carried, taken)
        over = taken + max(0, most_spans - len(carried))
        if over < len(spans) and start < spans[over].start < end:
            end = spans[over].start
        cut = end if end == len(text) else knife.cut(start, end)
        while taken < len(spans) and spans[taken].start < cut:
            carried.append(spans[taken])
            taken += 1
        if piece := text[start:cut].rstrip(_BLANKS):
            clipped = (knife.clip(span, start, cut) for span in carried)
            kept = [span for span in clipped if span.start < span.end]
            kept.sort(key=lambda span: (span.start, -span.end))
            yield Styled(text=piece, spans=tuple(kept[:most_spans]))
        start = knife.skip(cut)
        carried = [span for span in carried if span.end > start]


def reach_units(text: str, limit: int) -> Reach:
    """Return the reach of pieces of at most `limit` UTF-16 units, which is at least 2."""

    def reach(start: int, *_: object) -> int:
        window = text[start : start + limit]
        raw = window.encode("utf-16-le")
        if len(raw) > 2 * limit:
            window = raw[: 2 * limit].decode("utf-16-le", "ignore")
        return start + len(window)

    return reach


class _Knife:
    """Where a styled text may be cut."""

    def __init__(self, styled: Styled) -> None:
        self._text = styled.text
        pres = [span for span in styled.spans if span.kind == "pre"]
        self._starts = [span.start for span in pres]
        self._ends = [span.end for span in pres]
        self._headings = {span.end for span in styled.spans if span.kind == "heading"}

    def skip(self, place: int) -> int:
        """Return the first place from there on that is no blank, but for the indent of code."""
        text = self._text
        while place < len(text) and text[place] in _BLANKS:
            if text[place] == " " and self._is_code(place):
                break
            place += 1
        return place

    def clip(self, span: Span, start: int, end: int) -> Span:
        """Return the trimmed part of a span in the piece from `start` to `end`."""
        first, last = self.skip(max(span.start, start)), min(span.end, end)
        while first < last and self._text[last - 1] in _BLANKS:
            last -= 1
        return replace(span, start=first - start, end=last - start)

    def cut(self, start: int, end: int) -> int:
        """Return the best place in the second half of the text from `start` to `end`."""

        def last(pattern: re.Pattern[str], is_good: Callable[[int], bool]) -> int:
            matches = pattern.finditer(self._text, start + (end - start + 1) // 2, end + 2)
            places = [match.start() for match in matches if match.start() <= end]
            return next(filter(is_good, reversed(places)), 0)

        def is_whole(place: int) -> bool:
            return self._floor(start, place) == place

        for pattern in (_PARAGRAPH, _LINE):
            if place := last(pattern, self._is_between):
                return place
        for pattern in (_PARAGRAPH, _OUTER_LINE, _LINE, _SENTENCE, _WORD):
            if place := last(pattern, is_whole):
                return place
        return self._floor(start, end)

    def _is_between(self, place: int) -> bool:
        """Whether neither code is cut nor a heading parted from its text."""
        return place not in self._headings and not self._is_code(place)

    def _is_code(self, place: int) -> bool:
        index = bisect_right(self._starts, place) - 1
        return index >= 0 and place < self._ends[index]

    def _floor(self, start: int, place: int) -> int:
        """Return the last place up to `place` that cuts no character as people see it."""
        import wcwidth  # noqa: PLC0415 - its tables take 2 MB

        window = self._text[start : place + 1]
        before = start + wcwidth.grapheme_boundary_before(window, len(window))
        return before if before > start else place
