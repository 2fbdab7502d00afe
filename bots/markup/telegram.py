"""Styled text -> Telegram messages: plain text and its entities."""

import re
import urllib.parse
from bisect import bisect_left
from dataclasses import dataclass

from bots.markup.dangling import close_dangling
from bots.markup.parse import parse
from bots.markup.source import clean
from bots.markup.split import reach_units, split
from bots.markup.styled import Kind, Span, Styled

# Bot API 10.0, core.telegram.org/bots/api#sendmessage and #formatting-options, 2026-11:
# 4096 UTF-16 units; tdlib sends the first 100 entities (MAX_USER_ENTITY_COUNT).
_LONGEST, _MOST_ENTITIES = 4096, 100

_TYPES: dict[Kind, str] = {
    "bold": "bold",
    "italic": "italic",
    "strikethrough": "strikethrough",
    "heading": "bold",
    "code": "code",
    "pre": "pre",
    "link": "text_link",
}

# A little less than what tdlib takes for an address (parse_url, check_link, 2026), which refuses
# the whole message for any other: a host with a dot, a port that is one. It makes `mailto:` an
# http address, and knows not everybody in tg://user. A password is shown, never hidden.
_LINK = re.compile(
    r"https?://(?:(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W_][\w-]*[^\W_]|\d{1,3}(?:\.\d{1,3}){3})"
    r"(?::(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))?"
    r"(?:[/?#].*)?"
    r"|tg://(?!user\b)[a-z\d_-]+(?:[/?#].*)?",
    re.IGNORECASE | re.DOTALL,
)
_LONGEST_LINK = 2048
_UNQUOTED = re.compile(r'[\s<>"]')

# What tdlib counts as nothing in a message (strip_empty_characters, 2026).
_VISIBLE = re.compile(
    "[^\\s\u180e\u200b-\u200f\u202e\u2800\ufeff\ufffc\U000e0000-\U000e007f]", re.UNICODE
)
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")

# A quote that a phone shows in more lines, of so many characters, is folded.
_QUOTE_LINES, _QUOTE_WIDTH = 10, 45


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A formatted stretch of a message; `type` as Telegram names it, the rest in UTF-16 units."""

    type: str
    offset: int
    length: int
    url: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One Telegram message; equal parts show the same."""

    text: str
    entities: tuple[Entity, ...] = ()


def telegram_parts(
    markdown: str,
    *,
    limit: int = _LONGEST,
    most_entities: int = _MOST_ENTITIES,
    is_final: bool = True,
) -> tuple[Part, ...]:
    """Return the messages that show `markdown`, in order.

    None for a text of nothing but blanks. As long as a text grows, all but the last message
    stay the same, unless what follows changes how what stands there reads.

    Args:
        markdown: Whatever a model wrote, whole or cut off anywhere.
        limit: Most UTF-16 units of a message, at least 2.
        most_entities: Most entities of a message, at least 2 (code in a quote is two); beyond
            them it ends early.
        is_final: Show every character that forms no markup. If not, more is to come: markers
            left open at the end are taken as closed, and what shows nothing yet is nothing.
    """
    source = markdown if is_final else close_dangling(markdown)
    styled = parse(source, is_link=_is_link)
    parts = _parts(styled, limit, most_entities)
    return parts if parts or not is_final else plain_parts(markdown, limit=limit)


def plain_parts(text: str, *, limit: int = _LONGEST) -> tuple[Part, ...]:
    """Return the messages that show `text` as it is, without any formatting.

    Args:
        text: Anything.
        limit: Most UTF-16 units of a message, at least 2.
    """
    styled = Styled(text=clean(text).expandtabs(4).rstrip(" \n"))
    return _parts(styled, limit, 0)


def _parts(styled: Styled, limit: int, most_entities: int) -> tuple[Part, ...]:
    reach = reach_units(styled.text, limit)
    pieces = split(styled, reach=reach, most_spans=most_entities)
    return tuple(_part(piece) for piece in pieces if _VISIBLE.search(piece.text))


def _part(piece: Styled) -> Part:
    text = piece.text
    for span in piece.spans:
        if span.kind == "pre":
            text = _keep_indent(text, span.start)
    astral = [match.start() for match in _ASTRAL.finditer(text)]

    def offset(place: int) -> int:
        return place + bisect_left(astral, place)

    entities = (_entity(text, span, offset(span.start), offset(span.end)) for span in piece.spans)
    return Part(text=text, entities=tuple(entities))


def _keep_indent(text: str, start: int) -> str:
    """Make the indent of code's first line visible: Telegram drops blanks there."""
    code = text[start:]
    indent = len(code) - len(code.lstrip(" "))
    return text[:start] + "\u00a0" * indent + code[indent:] if indent else text


def _entity(text: str, span: Span, start: int, end: int) -> Entity:
    kind = _TYPES.get(span.kind) or _quote_type(text[span.start : span.end])
    return Entity(
        type=kind,
        offset=start,
        length=end - start,
        url=_quote_url(span.argument) if span.kind == "link" else "",
        language=span.argument if span.kind == "pre" else "",
    )


def _quote_type(text: str) -> str:
    lines = sum(1 + len(line) // _QUOTE_WIDTH for line in text.split("\n"))
    return "expandable_blockquote" if lines > _QUOTE_LINES else "blockquote"


def _is_link(url: str) -> bool:
    return len(url) <= _LONGEST_LINK and bool(_LINK.fullmatch(url))


def _quote_url(url: str) -> str:
    return _UNQUOTED.sub(lambda match: urllib.parse.quote(match[0]), url)
