"""Styled text -> Discord messages, written in the Markdown that Discord itself reads."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bots.markup.dangling import close_dangling
from bots.markup.discord_line import code_block, encode_url, write_line
from bots.markup.parse import parse
from bots.markup.source import clean
from bots.markup.split import split
from bots.markup.styled import Kind, Span, Styled

# 2000 characters (discord.com/developers/docs/resources/message#create-message, 2026-11); whether
# code points or UTF-16 units it does not say: no message has more of either.
_LONGEST = 2000
# What people still scroll through; a longer answer can also be had as a file.
_MOST_PARTS = 5

# A host with a dot and no password; no end that Discord takes for the end of a sentence.
_LINK = re.compile(
    r"https?://[^\s/?#@:<>\"]+\.[^\s/?#@:<>\".]+(?::\d{1,5})?(?:[/?#].*)?(?<![.,:;'])"
)

# The languages that Discord knows by another name, as it reads no `#` there.
_LANGUAGES = {"c#": "cs", "f#": "fs"}
_LANGUAGE = re.compile(r"[a-zA-Z0-9_+.-]+")

_VISIBLE = re.compile(
    "[^\\s\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202e\u2060-\u206f\u2800"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufffc\U000e0000-\U000e0fff]"
)

# What a span adds to a line at most, in UTF-16 units: its markers, a seam to its neighbour, a
# backslash where it begins. A `pre` stands on two more lines, which may be quoted.
_PRICES: dict[Kind, int] = {
    "bold": 6,
    "italic": 4,
    "strikethrough": 6,
    "heading": 6,
    "code": 8,
    "pre": 12,
    "link": 8,
    "quote": 2,
}
_HEADINGS = ("1", "2", "3")
# What costs one more: a backslash, a second unit, a seam; two more is an address, in brackets.
_MARKED = re.compile("[\\\\*_~|`<\\[:\n\U00010000-\U0010ffff]|(?<=:/)/|(?<=\\])\\(")
_MARKED_IN_CODE = re.compile("[`\n\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordPart:
    """One Discord message; equal parts show the same.

    Attributes:
        text: Its content, never empty.
        file: The whole answer's Markdown, to be attached as `answer.md`; empty: no file.
    """

    text: str
    file: str = ""


def discord_parts(
    markdown: str, *, limit: int = _LONGEST, is_final: bool = True
) -> tuple[DiscordPart, ...]:
    """Return the messages that show `markdown`, in order.

    None for a text of nothing but blanks. As long as a text grows, all but the last message
    stay the same, unless what follows changes how what stands there reads.

    Args:
        markdown: Whatever a model wrote, whole or cut off anywhere.
        limit: Most characters and most UTF-16 units of a message, at least 100.
        is_final: Show every character that forms no markup, and add a file to many messages. If
            not, more is to come: markers left open at the end are taken as closed, and what
            shows nothing yet is nothing.
    """
    source = markdown if is_final else close_dangling(markdown)
    longest = limit // 4
    parts = _parts(parse(source, is_link=lambda url: _is_link(url, longest)), limit)
    if not is_final:
        return parts
    if not parts:
        return _parts(Styled(text=clean(markdown).expandtabs(4).rstrip(" \n")), limit)
    if len(parts) > _MOST_PARTS:
        return (*parts[:-1], replace(parts[-1], file=clean(markdown)))
    return parts


def _is_link(url: str, longest: int) -> bool:
    return bool(_LINK.fullmatch(url)) and _units(encode_url(url)) <= longest


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _parts(styled: Styled, limit: int) -> tuple[DiscordPart, ...]:
    pieces = split(styled, reach=_Ruler(styled, limit).reach, most_spans=len(styled.spans))
    shown = (piece for piece in pieces if _VISIBLE.search(piece.text))
    return tuple(DiscordPart(text="\n".join(_write(piece))) for piece in shown)


class _Ruler:
    """Measures how much of a styled text fits into a message with its markup.

    What it counts never is less than what is written, and only ever grows with the text, so
    that it does not matter what follows.
    """

    def __init__(self, styled: Styled, limit: int) -> None:
        self._text = styled.text
        self._spans = styled.spans
        self._limit = limit

    def reach(self, start: int, carried: Sequence[Span], taken: int) -> int:
        """Return where a piece must end that starts at `start`; see `split`."""
        left = self._limit - 1 - sum(map(_price, carried))
        inside, place = list(carried), start
        while True:
            while taken < len(self._spans) and self._spans[taken].start <= place:
                inside.append(self._spans[taken])
                left -= _price(self._spans[taken])
                taken += 1
            inside = [span for span in inside if span.end > place]
            if left < 0 or place == len(self._text):
                return max(place, start + 1)
            ends = [len(self._text), place + left + 1, *(span.end for span in inside)]
            ends += [span.start for span in self._spans[taken : taken + 1]]
            end, left = self._measure(place, min(ends), inside, left)
            if end < min(ends):
                return max(end, start + 1)
            place = end

    def _measure(self, place: int, end: int, inside: list[Span], left: int) -> tuple[int, int]:
        """Return how far up to `end` the text fits into what is left, and what is left then."""
        line = 1 + sum(_price(span) for span in inside if span.kind != "pre")
        is_code = any(span.kind in ("code", "pre") for span in inside)
        for match in (_MARKED_IN_CODE if is_code else _MARKED).finditer(self._text, place, end):
            gap, cost = match.start() - place, 1 + {"\n": line, "/": 2}.get(match[0], 1)
            if gap + cost > left:
                return place + min(gap, left), left
            left -= gap + cost
            place += gap + 1
        fits = min(end - place, left)
        return place + fits, left - fits


def _price(span: Span) -> int:
    return _PRICES[span.kind] + (_units(encode_url(span.argument)) if span.argument else 0)


def _write(piece: Styled) -> Iterator[str]:
    """Yield the lines of a message."""
    prose = _Prose(piece)
    place = 0
    for pre in (span for span in piece.spans if span.kind == "pre"):
        yield from prose.lines(place, pre.start)
        prefix = prose.prefix(pre.start)
        language = _LANGUAGES.get(pre.argument.lower(), pre.argument)
        if not _LANGUAGE.fullmatch(language):
            language = ""
        for line in code_block(piece.text[pre.start : pre.end], language):
            yield prefix + line
        place = pre.end + 1
    yield from prose.lines(place, len(piece.text) + 1)


class _Prose:
    """Writes a message's lines but for its code blocks, front to back."""

    def __init__(self, piece: Styled) -> None:
        self._text = piece.text
        self._quotes = [span for span in piece.spans if span.kind == "quote"]
        self._spans = [span for span in piece.spans if span.kind not in ("quote", "pre")]
        self._taken = 0
        self._carried: list[Span] = []

    def prefix(self, place: int) -> str:
        """Return what stands before a line."""
        is_quoted = any(quote.start <= place < quote.end for quote in self._quotes)
        return "> " if is_quoted else ""

    def lines(self, start: int, end: int) -> Iterator[str]:
        """Yield the lines from `start` up to the newline before `end`."""
        is_below_heading = False
        while start < end:
            line_end = self._text.find("\n", start, end)
            if line_end < 0:
                line_end = min(end, len(self._text))
            text = self._text[start:line_end]
            spans = self._inside(start, line_end)
            heading = _heading(text, spans)
            if text or not is_below_heading:
                spans = [span for span in spans if not (heading and span.kind == "heading")]
                place = start + len(text) - len(text.lstrip(" "))
                yield self.prefix(place) + heading + write_line(text, spans)
            is_below_heading = bool(heading)
            start = line_end + 1

    def _inside(self, start: int, end: int) -> list[Span]:
        """Return the spans of a line, clipped to it, in its own places."""
        while self._taken < len(self._spans) and self._spans[self._taken].start < end:
            self._carried.append(self._spans[self._taken])
            self._taken += 1
        self._carried = [span for span in self._carried if span.end > start]
        clipped = []
        for span in self._carried:
            first, last = max(span.start, start), min(span.end, end)
            text = self._text[first:last]
            first += len(text) - len(text.lstrip())
            last -= len(text) - len(text.rstrip())
            if first < last:
                clipped.append(replace(span, start=first - start, end=last - start))
        return sorted(clipped, key=lambda span: (span.start, -span.end))


def _heading(text: str, spans: Sequence[Span]) -> str:
    """Return what makes a heading of a line that is one from its start; code may come before."""
    place = 0
    for span in spans:
        if text[place : span.start].strip() or span.kind not in ("code", "heading"):
            break
        if span.kind == "heading":
            return f"{'#' * int(span.argument)} " if span.argument in _HEADINGS else ""
        place = span.end
    return ""
