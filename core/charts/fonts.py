"""Which font has a character: ours first, then those of the system.

What a font has is read from its `cmap` table, because Pillow does not tell; it would draw a box.
Formats: learn.microsoft.com/typography/opentype/spec/cmap, 2026-11.
"""

import bisect
import functools
import importlib.resources
import itertools
import os
import re
import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from PIL import ImageFont

_DATA = Path(str(importlib.resources.files("core"))) / "data"
# Inter 4.1, SIL Open Font License (beside them), rsms.me/inter, 2026-11: Latin, Greek, Cyrillic
# and punctuation, by fontTools' subset with kern, mark, mkmk, ccmp and locl, without hints.
REGULAR = _DATA / "Inter-Regular.ttf"
BOLD = _DATA / "Inter-SemiBold.ttf"

_TRIAL = 32  # px: a size to see whether there is anything to see
_MOST_FILES = 2_000  # a machine for typesetting has more, in alphabets of its own
_FILES = (".ttf", ".ttc", ".otf", ".otc")
_OTHER_STYLES = re.compile(
    "bold|italic|oblique|light|thin|black|heavy|medium|cond|narrow|mono|serif|slab|display|math"
    "|lastresort"
)
# Of the encodings of a cmap: platform and encoding, those with every plane first.
_UNICODE = ((3, 10), (0, 6), (0, 4), (3, 1), (0, 3), (0, 2), (0, 1), (0, 0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Font:
    """A font file.

    Attributes:
        strike: The one size in px of its glyphs, which are coloured bitmaps; 0 for outlines.
        starts: First code point of each range it has, in order.
        ends: Their last ones.
    """

    path: Path
    strike: int
    starts: Sequence[int] = field(repr=False)
    ends: Sequence[int] = field(repr=False)

    def has(self, character: str) -> bool:
        """Return whether it has a glyph for one character."""
        place = bisect.bisect_right(self.starts, ord(character)) - 1
        return place >= 0 and ord(character) <= self.ends[place]


@functools.lru_cache(maxsize=4_096)
def find(characters: str, folders: tuple[Path, ...], *, is_emoji: bool) -> Font | None:
    """Return the most suitable font that has all of the characters, None where none has.

    Args:
        characters: Those that need a glyph.
        folders: With the system's fonts; looked through once, at the first need.
        is_emoji: Rather as a coloured picture.
    """
    own = load(REGULAR)
    has_own = own is not None and all(map(own.has, characters))
    if has_own and not is_emoji:
        return own
    for font in filter(None, map(load, _files(folders, is_emoji=is_emoji))):
        if all(map(font.has, characters)) and _shows(font, characters):
            return font
    return own if has_own else None


@functools.lru_cache(maxsize=64)
def open_font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """Open a font in a size in px.

    Raises:
        OSError: It is damaged.
    """
    return ImageFont.truetype(path, size)


def _shows(font: Font, characters: str) -> bool:
    """Return whether anything is to be seen: Pillow leaves newer kinds of pictures blank."""
    try:
        opened = open_font(font.path, font.strike or _TRIAL)
        return opened.getmask(characters, mode="RGBA").getbbox() is not None
    except OSError:
        return False


@functools.cache
def _files(folders: tuple[Path, ...], *, is_emoji: bool) -> tuple[Path, ...]:
    """List the fonts in the folders: plain sans serifs first, emoji at the end asked for."""
    found = (
        Path(place, name)
        for folder in folders
        # Unlike Path's, this leaves the ~ of somebody without a home.
        for place, _, names in os.walk(os.path.expanduser(folder))  # noqa: PTH111
        for name in names
        if name.lower().endswith(_FILES)
    )
    files = sorted(found, key=_strangeness)[:_MOST_FILES]
    return tuple(sorted(files, key=lambda path: ("emoji" in path.name.lower()) != is_emoji))


def _strangeness(path: Path) -> tuple[int, bool, str]:
    name = path.name.lower()
    return len(_OTHER_STYLES.findall(name)), "sans" not in name, str(path)


@functools.cache
def load(path: Path) -> Font | None:
    """Return what a font file has; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            tables = _tables(file)
            ranges = sorted(_ranges(_read(file, *tables[b"cmap"])))
            strike = _strike(file, tables)
    except (OSError, ValueError, LookupError, struct.error):
        return None
    starts, ends = array("L"), array("L")
    for start, end in itertools.filterfalse(_is_empty, ranges):
        starts.append(start)
        ends.append(end)
    return Font(path=path, strike=strike, starts=starts, ends=ends)


def _is_empty(pair: tuple[int, int]) -> bool:
    return pair[0] > pair[1]


def _tables(file: BinaryIO) -> dict[bytes, tuple[int, int]]:
    """Return offset and length of each table of a font, of the first one in a collection."""
    start = 0
    if file.read(4) == b"ttcf":
        (start,) = struct.unpack(">8xL", file.read(12))
    (count,) = struct.unpack(">4xH6x", _read(file, start, 12))
    records = struct.iter_unpack(">4s4xLL", _read(file, start + 12, 16 * count))
    return {tag: (offset, length) for tag, offset, length in records}


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def _strike(file: BinaryIO, tables: dict[bytes, tuple[int, int]]) -> int:
    """Return the size of a font's coloured bitmaps, their first; 0 if it has outlines."""
    if b"CBLC" in tables:
        return _read(file, tables[b"CBLC"][0] + 8 + 45, 1)[0]
    if b"sbix" in tables:
        start, length = tables[b"sbix"]
        table = _read(file, start, length)
        (count,) = struct.unpack_from(">4xL", table)
        offsets = struct.unpack_from(f">{count}L", table, 8)
        return int(max(struct.unpack_from(">H", table, offset)[0] for offset in offsets))
    return 0


def _ranges(cmap: bytes) -> Iterator[tuple[int, int]]:
    """Yield first and last of the code points that have a glyph, in ranges.

    Raises:
        ValueError, LookupError, struct.error: The table is damaged or holds no Unicode.
    """
    (count,) = struct.unpack_from(">2xH", cmap)
    records = struct.iter_unpack(">HHL", cmap[4 : 4 + 8 * count])
    offsets = {(platform, encoding): offset for platform, encoding, offset in records}
    table = cmap[offsets[min(offsets.keys() & set(_UNICODE), key=_UNICODE.index)] :]
    (version,) = struct.unpack_from(">H", table)
    yield from {4: _segments, 12: _groups}[version](table)


def _groups(table: bytes) -> Iterator[tuple[int, int]]:
    (count,) = struct.unpack_from(">12xL", table)
    for start, end, glyph in struct.iter_unpack(">LLL", table[16 : 16 + 12 * count]):
        yield start + (not glyph), end


def _segments(table: bytes) -> Iterator[tuple[int, int]]:
    (count,) = struct.unpack_from(">6xH", table)
    size = count // 2
    words = struct.unpack_from(f">{len(table) // 2 - 7}H", table, 14)
    for place in range(size):
        end, start = words[place], words[size + 1 + place]
        offset = words[3 * size + 1 + place]
        if offset:
            first = 3 * size + 1 + place + offset // 2
            glyphs = words[first : first + end - start + 1]
            yield from ((start + i, start + i) for i, glyph in enumerate(glyphs) if glyph)
        else:
            yield start, end
