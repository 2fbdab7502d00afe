"""Lines of text in any script, each character from a font that has it: no boxes.

With Raqm (in Pillow's wheels; it needs the system's FriBidi) scripts are shaped as they should;
without, letters stand side by side and an emoji made of several is its first.
"""

import itertools
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import wcwidth
from PIL import Image, ImageDraw, ImageFont, features

from core.charts import fonts

Color = tuple[int, int, int]

MISSING = "\N{MIDDLE DOT}"
_MOST_CHARACTERS = 400  # of a text: what stands in one line is far less
_MOST_MARKS = 2  # on one letter; more would climb into the line above
_MOST_MISSING = 3  # dots in a row: more say no more
_JOINERS = "\u200c\u200d"
_WIDE = 2  # columns in a terminal: an emoji, or a sign among Chinese ones
_ASCENT, _HEIGHT = 1.15, 1.55  # of a line, in its size
_HALO, _BOLDNESS = 0.16, 0.02  # strokes around letters, in their size
_DIRECTIONS = {"R": True, "AL": True, "L": False, "EN": False, "AN": False}  # is it leftward?
_HAS_RAQM = features.check_feature("raqm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How text looks.

    Attributes:
        size: In px.
        halo: The colour around the letters that keeps them apart from what they cross.
    """

    size: int
    color: Color
    is_bold: bool = False
    halo: Color | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Characters of one font and direction, `width` px wide."""

    text: str
    font: fonts.Font
    is_leftward: bool
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of text as it is drawn, from left to right."""

    runs: tuple[Run, ...]
    style: Style

    @property
    def width(self) -> float:
        """Px from its first to its last character."""
        return sum(run.width for run in self.runs)


@dataclass(frozen=True, slots=True)
class _Cluster:
    text: str
    font: fonts.Font


def set_line(
    text: str, style: Style, *, folders: tuple[Path, ...], width: float | None = None
) -> Line:
    """Lay out a line; cut it with an ellipsis where it is wider than `width` px."""
    clusters = list(_clusters(text, folders))
    line = _join(clusters, style)
    if width is None or line.width <= width:
        return line
    dots = list(_clusters("…", folders))
    fits, breaks = 0, len(clusters)
    while breaks - fits > 1:
        middle = (fits + breaks) // 2
        if _join(clusters[:middle] + dots, style).width <= width:
            fits = middle
        else:
            breaks = middle
    while fits and clusters[fits - 1].text == " ":
        fits -= 1
    return _join(clusters[:fits] + dots, style)


def write(image: Image.Image, line: Line, x: float, baseline: float) -> None:
    """Draw a line that starts at `x`; nothing of it leaves the height of a line."""
    size = line.style.size
    left, top = int(x) - size // 4, int(baseline - size * _ASCENT)
    box = (left, top, int(x + line.width) + size // 4, top + round(size * _HEIGHT))
    strip = image.crop(box)
    pen = x - left
    for run in line.runs:
        draw = _stamp if run.font.strike else _draw
        draw(strip, run, line.style, (pen, baseline - top))
        pen += run.width
    image.paste(strip, box)


def _draw(image: Image.Image, run: Run, style: Style, place: tuple[float, float]) -> None:
    """Draw letters."""
    font, _ = _open(run.font, style)
    is_thin = style.is_bold and run.font.path != fonts.REGULAR
    ImageDraw.Draw(image).text(
        place,
        run.text,
        fill=style.color,
        font=font,
        anchor="ls",
        direction=_direction(is_leftward=run.is_leftward),
        stroke_width=style.size * (_HALO if style.halo else _BOLDNESS * is_thin),
        stroke_fill=style.halo or style.color,
        embedded_color=True,
    )


def _clusters(text: str, folders: tuple[Path, ...]) -> Iterator[_Cluster]:
    """Yield what people take for characters, each with a font that has it."""
    missing = 0
    for grapheme in wcwidth.iter_graphemes(_clean(text)):
        if all(map(_is_ignorable, grapheme)):
            continue
        cluster = _find(grapheme, folders)
        missing = 0 if cluster else missing + 1
        if cluster:
            yield cluster
        elif missing <= _MOST_MISSING and (dot := _find(MISSING, folders)):
            yield dot


def _clean(text: str) -> str:
    """Return the text in one line, composed, without what cannot be seen."""
    text = unicodedata.normalize("NFC", text[:_MOST_CHARACTERS])
    kept = (
        " " if character.isspace() else character
        for character in text
        if character.isspace()
        or _is_ignorable(character)
        or unicodedata.category(character) not in {"Cc", "Cf", "Cs"}
    )
    return " ".join("".join(kept).split())


def _is_ignorable(character: str) -> bool:
    """Return whether it only tells how its neighbours look: joiners, variants, flags' tags."""
    return character in _JOINERS or "\ufe00" <= character <= "\ufe0f" or character >= "\U000e0000"


def _find(grapheme: str, folders: tuple[Path, ...]) -> _Cluster | None:
    """Return the grapheme, or its first character, with a font; None where there is none."""
    marks = 0
    kept = ""
    for character in grapheme:
        marks += bool(unicodedata.combining(character))
        if not unicodedata.combining(character) or marks <= _MOST_MARKS:
            kept += character
    is_wide = unicodedata.category(kept[0]) == "So" and wcwidth.wcwidth(kept[0]) == _WIDE
    is_emoji = "\ufe0f" in kept or is_wide or kept[0] >= "\U0001f000"
    attempts = (kept, kept[0]) if _HAS_RAQM else (kept[0],)
    for attempt in attempts:
        visible = "".join(itertools.filterfalse(_is_ignorable, attempt))
        font = fonts.find(visible, folders, is_emoji=is_emoji) if visible else None
        if font:
            return _Cluster(attempt, font)
    return None


def _join(clusters: list[_Cluster], style: Style) -> Line:
    """Join clusters of the same font and direction, in the order in which they are seen."""
    directions = list(_directions(clusters))
    segments = []
    for is_leftward, segment in itertools.groupby(
        zip(clusters, directions, strict=True), key=lambda pair: pair[1]
    ):
        runs = [
            _run(
                "".join(cluster.text for cluster, _ in group), font, style, is_leftward=is_leftward
            )
            for font, group in itertools.groupby(segment, key=lambda pair: pair[0].font)
        ]
        segments.append(runs[::-1] if is_leftward else runs)
    if directions and directions[0]:
        segments.reverse()
    return Line(runs=tuple(itertools.chain.from_iterable(segments)), style=style)


def _directions(clusters: list[_Cluster]) -> Iterator[bool]:
    """Yield whether each cluster is read leftward; spaces and signs go with both neighbours."""
    kinds = [_DIRECTIONS.get(unicodedata.bidirectional(cluster.text[0])) for cluster in clusters]
    base = next((kind for kind in kinds if kind is not None), False)
    before = base
    for place, kind in enumerate(kinds):
        after = next((later for later in kinds[place:] if later is not None), base)
        yield after if after == before or kind is not None else base
        before = after if kind is not None else before


def _run(text: str, font: fonts.Font, style: Style, *, is_leftward: bool) -> Run:
    if is_leftward and not _HAS_RAQM:
        text = text[::-1]
    opened, scale = _open(font, style)
    width = opened.getlength(text, direction=_direction(is_leftward=is_leftward)) * scale
    return Run(text=text, font=font, is_leftward=is_leftward, width=width)


def _direction(*, is_leftward: bool) -> str | None:
    """Return Pillow's name of it; without Raqm it takes none."""
    if not _HAS_RAQM:
        return None
    return "rtl" if is_leftward else "ltr"


def _open(font: fonts.Font, style: Style) -> tuple[ImageFont.FreeTypeFont, float]:
    """Return a font to draw with, and how much what it draws must be enlarged."""
    if font.strike:
        return fonts.open_font(font.path, font.strike), style.size / font.strike
    is_bold = style.is_bold and font.path == fonts.REGULAR
    return fonts.open_font(fonts.BOLD if is_bold else font.path, style.size), 1


def _stamp(image: Image.Image, run: Run, style: Style, place: tuple[float, float]) -> None:
    """Draw pictures as large as the letters beside them."""
    font, scale = _open(run.font, style)
    width, height = round(run.width / scale) + 2, round(font.size * _HEIGHT)
    layer = Image.new("RGBA", (width, height))
    ImageDraw.Draw(layer).text(
        (0, font.size * _ASCENT),
        run.text,
        font=font,
        anchor="ls",
        direction=_direction(is_leftward=run.is_leftward),
        embedded_color=True,
    )
    layer = layer.resize((max(1, round(width * scale)), max(1, round(height * scale))))
    x, baseline = place
    image.paste(layer, (round(x), round(baseline - style.size * _ASCENT)), layer)
