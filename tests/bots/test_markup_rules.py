"""Telegram's rules for a message, written down apart from the code that must keep them."""

import re

import pytest

from bots.markup import Entity, Part

# What tdlib's clean_input_string drops or blanks (td/telegram/misc.cpp, 2026).
REFUSED = re.compile("[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff\u2028-\u202e\u030a\u0333\u033f]")
INTERNAL = re.compile("[\ufdd0-\ufdd2]")
QUOTES = {"blockquote", "expandable_blockquote"}
STYLES = {"bold", "italic", "strikethrough", "underline", "spoiler"}
CODES = {"code", "pre"}
EDGES = " \n"


def problems(part: Part, *, limit: int = 4096, most: int = 100) -> list[str]:
    """Return what Telegram would refuse or silently change in a message."""
    found = []
    if INTERNAL.search(part.text) or REFUSED.search(part.text):
        return ["a character Telegram drops"]
    raw = part.text.encode("utf-16-le")
    if not part.text.strip("\u200b\u200c\u200d\u200e\u200f\ufeff\u2800" + EDGES):
        found.append("nothing to see")
    if part.text != part.text.strip(EDGES):
        found.append("untrimmed text")
    if len(raw) > 2 * limit:
        found.append("too long")
    if len(part.entities) > most:
        found.append("too many entities")
    if list(part.entities) != sorted(part.entities, key=lambda e: (e.offset, -e.length)):
        found.append("unsorted entities")
    open_entities: list[Entity] = []
    for entity in part.entities:
        found += problems_alone(entity, raw)
        while open_entities and end_of(open_entities[-1]) <= entity.offset:
            open_entities.pop()
        for outer in open_entities:
            found += problems_inside(entity, outer)
        open_entities.append(entity)
    return found


def problems_alone(entity: Entity, raw: bytes) -> list[str]:
    """Return what is wrong with an entity, whatever else there is."""
    found = []
    if entity.type not in QUOTES | STYLES | CODES | {"text_link"}:
        found.append(f"unknown type {entity.type}")
    if entity.offset < 0 or entity.length <= 0 or 2 * end_of(entity) > len(raw):
        return [*found, "outside the text"]
    try:
        text = raw[2 * entity.offset : 2 * end_of(entity)].decode("utf-16-le")
    except UnicodeDecodeError:
        return [*found, "cuts a surrogate pair"]
    if text != text.strip(EDGES):
        found.append(f"untrimmed {entity.type}")
    if (entity.type == "text_link") != bool(entity.url):
        found.append("address misplaced")
    if entity.language and entity.type != "pre":
        found.append("language misplaced")
    return found


def problems_inside(inner: Entity, outer: Entity) -> list[str]:
    """Return what is wrong with two entities that share characters."""
    if end_of(inner) > end_of(outer):
        return ["entities overlap in part"]
    kinds = (outer.type, inner.type)
    if outer.type in CODES:
        return [f"{kinds}: code contains something"]
    if inner.type in CODES and outer.type not in QUOTES:
        return [f"{kinds}: code is contained"]
    if inner.type == outer.type or (inner.type in QUOTES and outer.type not in STYLES):
        return [f"{kinds}: must not nest"]
    return []


def end_of(entity: Entity) -> int:
    """Return where an entity ends, in UTF-16 units."""
    return entity.offset + entity.length


def entity(kind: str, offset: int, length: int, url: str = "", language: str = "") -> Entity:
    """Return an entity, tersely."""
    return Entity(type=kind, offset=offset, length=length, url=url, language=language)


@pytest.mark.parametrize(
    "part",
    [
        Part(text="", entities=()),
        Part(text="\u200b", entities=()),
        Part(text=" a", entities=()),
        Part(text="a\n", entities=()),
        Part(text="a\tb", entities=()),
        Part(text="a\ufdd0", entities=()),
        Part(text="a" * 4097, entities=()),
        Part(text="\U0001f34e" * 2049, entities=()),
        Part(text="a" * 101, entities=tuple(entity("bold", i, 1) for i in range(101))),
        Part(text="ab", entities=(entity("bold", 1, 1), entity("bold", 0, 1))),
        Part(text="ab", entities=(entity("shout", 0, 1),)),
        Part(text="ab", entities=(entity("bold", 0, 0),)),
        Part(text="ab", entities=(entity("bold", 1, 2),)),
        Part(text="\U0001f34e", entities=(entity("bold", 0, 1),)),
        Part(text="a b", entities=(entity("bold", 0, 2),)),
        Part(text="ab", entities=(entity("text_link", 0, 2),)),
        Part(text="ab", entities=(entity("bold", 0, 2, url="https://a.b"),)),
        Part(text="ab", entities=(entity("code", 0, 2, language="py"),)),
        Part(text="abc", entities=(entity("bold", 0, 2), entity("italic", 1, 2))),
        Part(text="abc", entities=(entity("code", 0, 3), entity("bold", 0, 2))),
        Part(text="abc", entities=(entity("bold", 0, 3), entity("code", 0, 2))),
        Part(text="abc", entities=(entity("blockquote", 0, 3), entity("blockquote", 0, 2))),
        Part(text="abc", entities=(entity("bold", 0, 3), entity("bold", 0, 2))),
    ],
)
def test_the_rules_refuse_what_telegram_refuses(part: Part) -> None:
    """Every rule is broken by some message, or it would prove nothing."""
    assert problems(part)


def test_the_rules_accept_what_telegram_accepts() -> None:
    """A quote may contain everything but quotes; styles may contain each other."""
    part = Part(
        text="\U0001f34e abc def",
        entities=(
            entity("blockquote", 0, 10),
            entity("bold", 0, 6),
            entity("italic", 3, 3),
            entity("pre", 7, 3, language="py"),
        ),
    )
    assert not problems(part)
