"""Fonts that are made for a test: our own one's letters under other code points."""

import functools
import io
import itertools
import random
import struct
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from core.charts import fonts

GLYPHS = 40  # from this number on, glyphs of our own font are letters that can be seen


def write_font(
    path: Path,
    characters: str,
    *,
    version: int = 12,
    strike: int = 0,
    is_collection: bool = False,
    is_noisy: bool = False,
    is_blank: bool = False,
) -> None:
    """Write a font that has these characters and, with a `strike`, squares for them.

    Args:
        path: A file, in a folder that need not be there yet.
        characters: Each in another form, in the order of their code points.
        version: Of the cmap: 4 or 12, or any other for a table that nobody can read.
        strike: Px: size of the only bitmaps; 0 for outlines.
        is_collection: In a file that could hold several.
        is_blank: Nothing can be seen of them.
        is_noisy: The squares are of all colours; else they are red.
    """
    tables = dict(_own_tables())
    first = _blank(tables) if is_blank else GLYPHS
    glyphs = {ord(c): first + place for place, c in enumerate(sorted(characters))}
    tables[b"cmap"] = _cmap(glyphs, version)
    if strike:
        (count,) = struct.unpack_from(">4xH", tables[b"maxp"])
        tables[b"sbix"] = _sbix(count, strike, is_noisy=is_noisy)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_pack(tables, is_collection=is_collection))


@functools.cache
def _own_tables() -> Mapping[bytes, bytes]:
    raw = fonts.REGULAR.read_bytes()
    (count,) = struct.unpack_from(">4xH", raw)
    records = struct.iter_unpack(">4s4xLL", raw[12 : 12 + 16 * count])
    # Without what would change glyphs or their places.
    return {
        tag: raw[offset : offset + length]
        for tag, offset, length in records
        if tag not in {b"GPOS", b"GSUB", b"GDEF"}
    }


def _blank(tables: Mapping[bytes, bytes]) -> int:
    """Return the number of a glyph without an outline, such as the space's."""
    (is_long,) = struct.unpack_from(">50xh", tables[b"head"])
    places = [place for (place,) in struct.iter_unpack(">L" if is_long else ">H", tables[b"loca"])]
    return next(n for n in range(1, len(places)) if places[n] == places[n + 1])


def _cmap(glyphs: Mapping[int, int], version: int) -> bytes:
    if version == 4:
        # A segment for each, the odd ones by way of the glyph list at the end.
        codes = [*sorted(glyphs), 0xFFFF]
        count = len(codes)
        lists = [glyphs.get(code, 0) for code in codes]
        offsets = [2 * count if place % 2 else 0 for place in range(count)]
        deltas = [
            0 if offset else (glyph - code) % 65_536
            for code, glyph, offset in zip(codes, lists, offsets, strict=True)
        ]
        words = (*codes, 0, *codes, *deltas, *offsets, *lists)
        body = struct.pack(f">3H4H{len(words)}H", 4, 0, 0, 2 * count, 0, 0, 0, *words)
        return struct.pack(">HHHHL", 0, 1, 3, 1, 12) + body
    groups = b"".join(struct.pack(">LLL", code, code, glyphs[code]) for code in sorted(glyphs))
    head = struct.pack(">HHLLL", version, 0, 16 + len(groups), 0, len(glyphs))
    return struct.pack(">HHHHL", 0, 1, 3, 10, 12) + head + groups


def _sbix(count: int, strike: int, *, is_noisy: bool) -> bytes:
    file = io.BytesIO()
    size = (strike, strike)
    noise = random.Random(0).randbytes(3 * strike * strike)
    image = Image.frombytes("RGB", size, noise) if is_noisy else Image.new("RGB", size, "red")
    image.convert("RGBA").save(file, "PNG")
    glyph = struct.pack(">hh4s", 0, 0, b"png ") + file.getvalue()
    start = 4 + 4 * (count + 1)
    offsets = [start + len(glyph) * place for place in range(count + 1)]
    return (
        struct.pack(">HHLL", 1, 1, 1, 12)
        + struct.pack(f">HH{count + 1}L", strike, 72, *offsets)
        + glyph * count
    )


def _pack(tables: Mapping[bytes, bytes], *, is_collection: bool) -> bytes:
    prefix = struct.pack(">4sLLL", b"ttcf", 0x10000, 1, 16) if is_collection else b""
    start = len(prefix) + 12 + 16 * len(tables)
    padded = [table + bytes(-len(table) % 4) for table in tables.values()]
    places = itertools.accumulate(map(len, padded), initial=start)
    records = b"".join(
        struct.pack(">4sLLL", tag, 0, place, len(table))
        for (tag, table), place in zip(tables.items(), places, strict=False)
    )
    head = struct.pack(">LHHHH", 0x10000, len(tables), 0, 0, 0)
    return prefix + head + records + b"".join(padded)
