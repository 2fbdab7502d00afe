"""Text as Telegram sees it: UTF-16 lengths, trimming, entities and what clients add to it."""

import re
from collections.abc import Container
from itertools import accumulate
from typing import Any
from urllib.parse import urlsplit

from tests.servers.telegram.params import ApiError, bad

Entity = dict[str, Any]

# Bot API 10.1, sendMessage: 1-4096 characters after entities parsing; captions 0-1024.
TEXT_LENGTH = 4096
CAPTION_LENGTH = 1024
# limits.tginfo.me, 2026-11: entities beyond the 100th are dropped in silence.
MOST_ENTITIES = 100

# Bot API 10.1, MessageEntity.type. The first set is found by the server itself in any text.
_FOUND = {"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number"}
_STYLES = {"bold", "italic", "underline", "strikethrough", "spoiler"}
_BLOCKS = {"blockquote", "expandable_blockquote"}
_CODE = {"pre", "code"}
_LINKS = {"text_link", "text_mention", "custom_emoji", "date_time"}
TYPES = _FOUND | _STYLES | _BLOCKS | _CODE | _LINKS

_FIELDS = {
    "text_link": {"url"},
    "text_mention": {"user"},
    "pre": {"language"},
    "custom_emoji": {"custom_emoji_id"},
    "date_time": {"unix_time", "date_time_format"},
}
# What a client finds in what a person types (a simplification of its rules).
_TYPED = re.compile(
    r"(?P<url>https?://[^\s<>\"]+[^\s<>\".,;:!?)])"
    r"|(?<![\w/@])(?P<bot_command>/[a-zA-Z0-9_]{1,64}(?:@[a-zA-Z0-9_]{3,32})?)(?![\w/])"
    r"|(?<![\w@/])(?P<mention>@[a-zA-Z][a-zA-Z0-9_]{3,31})(?!\w)"
    r"|(?<!\w)(?P<hashtag>#\w*[^\W\d]\w*)"
)
_SPACE = " \t\r\n\v\f\x00\u200b\u2060\ufeff"


def utf16(text: str) -> int:
    """Return the length in UTF-16 code units, in which Telegram counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def tidy(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Trim the text as the server does and move its entities along, dropping empty ones."""
    text = text.replace("\r", "")
    start = len(text) - len(text.lstrip(_SPACE))
    kept = text.strip(_SPACE)
    if kept == text or not entities:
        return kept, entities
    cut, size = utf16(text[:start]), utf16(kept)
    moved = []
    for entity in entities:
        begin = max(entity["offset"] - cut, 0)
        end = min(entity["offset"] + entity["length"] - cut, size)
        if begin < end:
            moved.append(entity | {"offset": begin, "length": end - begin})
    return kept, moved


def check(text: str, entities: list[Any]) -> list[Entity]:
    """Return valid entities in order.

    Stricter than the real server in one thing: entities that overlap or nest as "Formatting
    options" forbids are refused, where it would split or drop some.

    Raises:
        ApiError: Any of them is not a valid MessageEntity for this text.
    """
    if not entities:
        return []
    size = utf16(text)
    borders: Container[int] = range(size + 1)
    if size > len(text):
        borders = set(accumulate((2 if sign > "\uffff" else 1 for sign in text), initial=0))
    checked = [_check_one(entity, size, borders) for entity in entities]
    checked.sort(key=lambda entity: (entity["offset"], -entity["length"]))
    _check_nesting(checked)
    return checked


def _check_one(entity: Any, size: int, borders: Container[int]) -> Entity:
    if not isinstance(entity, dict):
        raise bad("can't parse MessageEntity: expected an Object")
    kind = entity.get("type")
    if not isinstance(kind, str):
        raise bad('can\'t parse MessageEntity: Field "type" must be of type String')
    if kind not in TYPES:
        raise bad("can't parse MessageEntity: Unsupported type specified")
    unknown = set(entity) - {"type", "offset", "length"} - _FIELDS.get(kind, set())
    if unknown:
        raise bad(f"can't parse MessageEntity: fields {sorted(unknown)} do not belong to {kind}")
    _check_span(entity, size, borders)
    _check_fields(kind, entity)
    return entity


def _check_span(entity: Entity, size: int, borders: Container[int]) -> None:
    for field in ("offset", "length"):
        value = entity.get(field)
        if type(value) is not int:
            raise bad(f'can\'t parse MessageEntity: Field "{field}" must be of type Number')
    begin, length = entity["offset"], entity["length"]
    end = begin + length
    if begin < 0:
        raise bad(f"receive an entity with incorrect offset {begin}")
    if length <= 0:
        raise bad(f"receive an entity with incorrect length {length}")
    if begin >= size:
        raise bad(f"entity begins after the end of the text at UTF-16 offset {begin}")
    if end > size:
        raise bad(
            f"entity beginning at UTF-16 offset {begin} ends after the end of the text "
            f"at UTF-16 offset {end}"
        )
    if begin not in borders:
        raise bad(f"entity begins in a middle of a UTF-16 symbol at byte offset {begin}")
    if end not in borders:
        raise bad(
            f"entity beginning at UTF-16 offset {begin} ends in a middle of a UTF-16 symbol "
            f"at byte offset {end}"
        )


def _check_fields(kind: str, entity: Entity) -> None:
    if kind == "text_link":
        url = entity.get("url")
        if not isinstance(url, str) or not _is_link(url):
            raise bad(f"entity URL '{url}' is invalid: Wrong HTTP URL")
    elif kind == "pre" and not isinstance(entity.get("language", ""), str):
        raise bad('can\'t parse MessageEntity: Field "language" must be of type String')
    elif kind == "text_mention" and not isinstance(entity.get("user"), dict):
        raise bad('can\'t parse MessageEntity: Field "user" must be of type Object')
    elif kind == "custom_emoji" and not str(entity.get("custom_emoji_id", "")).isdigit():
        raise bad('can\'t parse MessageEntity: Field "custom_emoji_id" must be a valid Number')
    elif kind == "date_time" and type(entity.get("unix_time")) is not int:
        raise bad('can\'t parse MessageEntity: Field "unix_time" must be of type Number')


def _is_link(url: str) -> bool:
    if not url or url != url.strip() or len(url) > 4096 or re.search(r"[\s<>\"]", url):
        return False
    if "://" not in url and re.match(r"[a-zA-Z][\w+.-]*:(?!\d)", url):
        return False
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme in {"tg", "ton", "tonsite"}:
        return True
    if parts.scheme not in {"http", "https"} or port == 0:
        return False
    return bool(re.fullmatch(r"(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W_][\w-]+|[\d.]+", host))


def _check_nesting(entities: list[Entity]) -> None:
    """Formatting options: nested entities lie within one another, code holds none, quotes once.

    Bold, italic, underline, strikethrough and spoiler
    may hold and be part of any other except pre and code; all others cannot contain each other.
    """
    open_: list[Entity] = []
    for entity in entities:
        begin, end, kind = entity["offset"], entity["offset"] + entity["length"], entity["type"]
        while open_ and open_[-1]["offset"] + open_[-1]["length"] <= begin:
            open_.pop()
        for outer in open_:
            if end > outer["offset"] + outer["length"]:
                raise _nesting(f"{kind} at {begin} crosses the end of {outer['type']}")
            if not _may_hold(outer["type"], kind):
                raise _nesting(f"{outer['type']} can't contain {kind} at {begin}")
        open_.append(entity)


def _may_hold(outer: str, inner: str) -> bool:
    if outer in _CODE:
        return False
    if outer in _BLOCKS:
        return inner not in _BLOCKS
    if inner in _CODE:
        return False
    return outer in _STYLES or inner in _STYLES


def _nesting(text: str) -> ApiError:
    return bad(f"can't parse entities: {text}")


def typed_entities(text: str) -> list[Entity]:
    """Return what a client finds in a text a person typed: commands, mentions, links, tags."""
    entities: list[Entity] = []
    for match in _TYPED.finditer(text):
        kind = str(match.lastgroup)
        begin, end = match.span(kind)
        entities.append(
            {"type": kind, "offset": utf16(text[:begin]), "length": utf16(text[begin:end])}
        )
    return entities


def cut(text: str, *, is_soft: bool = False) -> list[str]:
    """Split a paste into messages of at most 4096 units, as a client does before it sends.

    Args:
        text: What was pasted.
        is_soft: Prefer the last line break or space of the second half, as desktop clients do.
    """
    parts = []
    while utf16(text) > TEXT_LENGTH:
        end = _index_of(text, TEXT_LENGTH)
        if is_soft:
            half = end // 2
            at = max(text.rfind("\n", half, end), -1)
            at = at if at > 0 else text.rfind(" ", half, end)
            end = at + 1 if at > 0 else end
        parts.append(text[:end])
        text = text[end:]
    return [*parts, text]


def _index_of(text: str, units: int) -> int:
    """Return how many characters fit into `units`."""
    end = min(len(text), units)
    while utf16(text[:end]) > units:
        end -= max((utf16(text[:end]) - units) // 2, 1)
    return end
