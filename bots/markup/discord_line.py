"""One line of styled text in Discord's Markdown: escaped, with its markers.

Discord has no specification of its Markdown. What is said of it here is what its clients do:
simple-markdown's rules with its own, as support.discord.com/hc/en-us/articles/210298617 and
discord.com/developers/docs/reference#message-formatting describe them, 2026-11.
"""

import re
from collections.abc import Sequence

from bots.markup.styled import Kind, Span

# Parts two markers that would be read as one, and a run of backticks in code.
SEAM = "\u200b"

_MARKS: dict[Kind, str] = {"bold": "**", "heading": "**", "strikethrough": "~~"}

# A backslash takes the meaning from every sign. `<` opens mentions and emoji, `[` links. An
# address ends before what may close a style, and before Chinese and Japanese punctuation.
_SIGN = re.compile(
    r"https?://(?:(?!~~)[^\s<>\"\\`*\u3001\u3002\u3008-\u3011\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f])+"
    r"|[\\*_~|`<\[:]|(?<=\])\("
)
_LABEL_SIGN = re.compile(r"[\\*_~|`<:]")
# Between two colons without a blank stands the name of an emoji, or what is shown unread.
_NAME = re.compile(r":(?=[^\s:]*:)")
_BEFORE_ANY = re.compile(r":(?=\S)")
# What opens a heading, a quote, a list or small print where a line or a style begins.
_OPENING = re.compile(r"\s*(?:(?=[#>]|[-+](?:[ #]|$))|\d{1,9}(?=\.(?: |$)))")
_AFTER_URL = ".,:;!?'*_~|]}"
_SIGN_IN_TEXT, _ESCAPED = re.compile(r"[\\*_~|`<\[:]"), r"\\\g<0>"
_BRACKET = re.compile(r"[\[\]]")

_UNSAFE = re.compile(r"[\s<>\"\\()*~|`\[\]]")
_TICKS = re.compile(r"`(?=`)")
_FENCE = re.compile(r"``(?=`)")


def write_line(text: str, spans: Sequence[Span]) -> str:
    """Return a line as Discord shows it.

    Args:
        text: Has no newline.
        spans: Inside it, sorted, outer before inner. A heading among them is bold.
    """
    return _Line(text, spans).write()


def code_block(code: str, language: str) -> list[str]:
    """Return the lines of a code block that shows exactly `code`."""
    return [f"```{language}", *_FENCE.sub(f"``{SEAM}", code).split("\n"), "```"]


def encode_url(url: str) -> str:
    """Return an address without what would end a link or mark text."""
    return _UNSAFE.sub(_percent, url)


def is_label(text: str) -> bool:
    """Whether Discord lets this text stand for an address: brackets in pairs, none an address."""
    depth = 0
    for bracket in _BRACKET.findall(text):
        depth += 1 if bracket == "[" else -1
        if depth not in (0, 1):
            return False
    return not depth and "://" not in text


class _Line:
    """A line being written, front to back."""

    def __init__(self, text: str, spans: Sequence[Span]) -> None:
        self._text = text
        self._spans = spans
        self._written: list[str] = []
        self._place = 0
        # Ends and closing markers of what is open, outer before inner.
        self._open: list[tuple[int, str]] = []
        self._label_end = 0
        has_link = any(span.kind == "link" for span in spans)
        names = (_BEFORE_ANY if has_link else _NAME).finditer(text)
        self._colons = {match.start() for match in names}
        # Whether the line or a style has just begun, and what has just been closed.
        self._is_fresh = True
        self._closed = ""

    def write(self) -> str:
        for span in self._spans:
            self._write_until(span.start)
            if span.kind == "code":
                self._mark(code := _code(self._text[span.start : span.end]))
                self._place, self._is_fresh, self._closed = span.end, False, code
            else:
                opening, closing = self._markers(span)
                self._mark(opening)
                self._open.append((span.end, closing))
                self._is_fresh = True
        self._write_until(len(self._text))
        return "".join(self._written)

    def _markers(self, span: Span) -> tuple[str, str]:
        if span.kind != "link":
            mark = _MARKS.get(span.kind) or self._italic(span)
            return mark, mark
        url, label = encode_url(span.argument), self._text[span.start : span.end]
        if label == span.argument:
            return "", ""
        if not is_label(label):
            return "", f" (<{url}>)"
        self._label_end = span.end
        return "[", f"]({url})"

    def _italic(self, span: Span) -> str:
        """Return `_`, which stands beside `**` without doubt, but not in words or addresses."""
        around = self._text[max(0, span.start - 1) : span.start] + self._text[span.end :][:1]
        is_address = "://" in self._text or any(each.kind == "link" for each in self._spans)
        return "*" if is_address or any(map(str.isalnum, around)) else "_"

    def _mark(self, opening: str) -> None:
        if opening and self._closed[-1:] == opening[0]:
            self._written.append(SEAM)
        self._written.append(opening)
        self._closed = ""

    def _write_until(self, place: int) -> None:
        """Write the text up to a place, and what ends there."""
        while self._open and self._open[-1][0] <= place:
            end, closing = self._open.pop()
            self._write_text(end)
            self._written.append(closing)
            self._closed = closing
        self._write_text(place)

    def _write_text(self, place: int) -> None:
        if place <= self._place:
            return
        text = self._text[self._place : place]
        if self._is_fresh and (match := _OPENING.match(text)):
            start = match.end()
            self._written.append(f"{match[0]}\\{text[start]}")
            text = text[start + 1 :]
        sign = _LABEL_SIGN if self._place < self._label_end else _SIGN
        start = place - len(text)
        self._written.append(sign.sub(lambda match: self._escape(match, start), text))
        self._is_fresh = self._is_fresh and text.isspace() and not match
        self._place, self._closed = place, ""

    def _escape(self, match: re.Match[str], start: int) -> str:
        sign = match[0]
        if len(sign) == 1:
            is_plain = sign == ":" and match.start() + start not in self._colons
            return sign if is_plain else "\\" + sign
        url = _without_end(sign)
        if url.endswith("://"):
            return _SIGN_IN_TEXT.sub(_ESCAPED, sign)
        rest = _SIGN_IN_TEXT.sub(_ESCAPED, sign[len(url) :])
        return f"<{url}>{rest}"


def _without_end(url: str) -> str:
    """Return an address without what more likely belongs to the sentence around it."""
    while url[-1] in _AFTER_URL or (url[-1] == ")" and url.count(")") > url.count("(")):
        url = url[:-1]
    return url


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode())


def _code(text: str) -> str:
    """Return inline code that shows exactly `text`; Discord knows no more than two backticks."""
    text = _TICKS.sub(f"`{SEAM}", text)
    if "`" not in text:
        return f"`{text}`"
    before, after = (" " if text[end] == "`" else "" for end in (0, -1))
    return f"``{before}{text}{after}``"
