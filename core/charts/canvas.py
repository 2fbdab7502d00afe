"""A picture to draw boxes and lines of text on, in px from the upper left corner."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageChops, ImageDraw

from core.charts import lettering
from core.charts.lettering import Color, Line, Style

_FINENESS = 2  # shapes are drawn this much larger, so that their edges are smooth
_STRIPE, _PERIOD = 5, 14  # px: of hatching
_DASH, _DASH_GAP = 18, 12  # px
_MOST_BYTES = 200_000


class Box(NamedTuple):
    """A rectangle; right and lower edge are outside."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Px from left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Px from top to bottom."""
        return self.bottom - self.top


class Canvas:
    """A picture that is being drawn; text lies above the shapes."""

    def __init__(self, width: int, height: int, *, color: Color, folders: Sequence[Path]) -> None:
        self._image = Image.new("RGB", (width * _FINENESS, height * _FINENESS), color)
        self._lines: list[tuple[Line, float, float]] = []
        self._folders = tuple(folders)

    def fill(self, box: Box, color: Color, *, radius: float = 0) -> None:
        """Draw a box with round corners."""
        self._paste(color, box, _form(box, radius, is_flat=False))

    def stack(self, box: Box, parts: Sequence[tuple[float, Color]], *, radius: float) -> None:
        """Draw a box with round upper corners, coloured from above: from where on, and how."""
        form = _form(box, radius, is_flat=True)
        if not form:
            return
        for top, color in parts:
            cut = round(top * _FINENESS) - round(box.top * _FINENESS)
            part = form.crop((0, cut, *form.size))
            self._paste(color, box._replace(top=top), part)

    def hatch(self, box: Box, color: Color, *, radius: float = 0) -> None:
        """Draw a box of slanting stripes with round upper corners."""
        form = _form(box, radius, is_flat=True)
        if not form:
            return
        stripes = Image.new("L", form.size)
        pen = ImageDraw.Draw(stripes)
        for start in range(-form.height, form.width, _PERIOD * _FINENESS):
            ends = (start, form.height, start + form.height, 0)
            pen.line(ends, fill=255, width=_STRIPE * _FINENESS)
        self._paste(color, box, ImageChops.multiply(stripes, form))

    def dash(self, box: Box, color: Color) -> None:
        """Draw a broken line that fills the height of the box."""
        left = box.left
        while left < box.right:
            right = min(left + _DASH, box.right)
            self.fill(box._replace(left=left, right=right), color, radius=box.height / 2)
            left += _DASH + _DASH_GAP

    def measure(self, text: str, style: Style) -> float:
        """Return the width that a line of text would have."""
        return lettering.set_line(text, style, folders=self._folders).width

    def write(
        self, text: str, style: Style, place: tuple[float, float], *, align: float = 0, room: float
    ) -> float:
        """Write a line and return its width.

        Args:
            text: Of any script.
            style: How it looks.
            place: Where it stands on its baseline.
            align: Which part of it is left of the place: 0 for none, 0.5 to centre, 1 for all.
            room: Its greatest width; what is longer is cut.
        """
        line = lettering.set_line(text, style, folders=self._folders, width=room)
        x, baseline = place
        self._lines.append((line, x - line.width * align, baseline))
        return line.width

    def _paste(self, color: Color, box: Box, form: Image.Image | None) -> None:
        if form and all(form.size):
            corner = (round(box.left * _FINENESS), round(box.top * _FINENESS))
            self._image.paste(color, corner, form)

    def png(self) -> bytes:
        """Return the picture as a file, with 256 colours where more would make it large."""
        image = self._image.reduce(_FINENESS)
        for line, x, baseline in self._lines:
            lettering.write(image, line, x, baseline)
        file = _encode(image)
        return file if len(file) <= _MOST_BYTES else _encode(image.quantize())


def _encode(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _form(box: Box, radius: float, *, is_flat: bool) -> Image.Image | None:
    """Return the form of a box, enlarged; None where nothing of it is left."""
    left, top, right, bottom = (round(edge * _FINENESS) for edge in box)
    if right <= left or bottom <= top:
        return None
    form = Image.new("L", (right - left, bottom - top))
    radius = min(radius, box.width / 2, box.height) * _FINENESS
    # A flat one ends above its lower corners.
    lowest = bottom - top - 1 + (round(radius) if is_flat else 0)
    ImageDraw.Draw(form).rounded_rectangle((0, 0, right - left - 1, lowest), radius, fill=255)
    return form
