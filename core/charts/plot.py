"""Bars side by side: where they stand, and the writing around them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from core.charts.canvas import Box, Canvas
from core.charts.lettering import Color
from core.charts.look import LEFT, QUIET, RIGHT, RULE, SMALL, STRONG, VALUE
from core.charts.numerals import Scale

WIDEST_BAR = 96
SLIVER = 4  # the least height of what is more than nothing
CORNER = 12  # the largest radius of a bar's

_ABOVE, _BELOW = 136, 70  # in a card: for heading and highest value, and for the captions
HEADING = 64  # from the top of a card to the baseline
_SWATCH = 22
_STRIDES = (1, 2, 3, 5, 7, 10, 14, 30, 60, 90, 120, 180, 366)  # of captions
_WIDEST_CAPTION = 220
_OVERHANG = 20  # of a caption over the right edge of the plot
_APART = 8  # at least between two writings
_CLOSE = 8  # bars in less room than that have smaller gaps


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An entry of a legend."""

    text: str
    color: Color
    form: Literal["box", "hatch", "dash", ""] = "box"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Where the bars of a card stand, and what their heights mean."""

    box: Box
    count: int
    scale: Scale

    def column(self, place: int) -> Box:
        """Return the room of a bar, as high as the plot."""
        slot = self.box.width / self.count
        width = min(slot * (0.66 if slot > _CLOSE else 0.84), WIDEST_BAR)
        middle = self.middle(place)
        return self.box._replace(left=middle - width / 2, right=middle + width / 2)

    def middle(self, place: int) -> float:
        """Return where the middle of a bar is, from the left."""
        return self.box.left + self.box.width * (place + 0.5) / self.count

    def y(self, value: int) -> float:
        """Return where a value is, from above; what is more than 0 can be seen."""
        if value <= 0 or not self.scale.most:
            return self.box.bottom
        height = self.box.height * min(1, value / self.scale.most)
        return self.box.bottom - max(SLIVER, height)


def lay_out(card: Box, *, axis: float, count: int, scale: Scale) -> Plot:
    """Return the plot of a card, with `axis` px at its left for the numbers of the scale."""
    box = Box(LEFT + axis, card.top + _ABOVE, RIGHT, card.bottom - _BELOW)
    return Plot(box=box, count=count, scale=scale)


def draw_rules(canvas: Canvas, plot: Plot, name: Callable[[int], str]) -> None:
    """Draw a line at each mark of the scale, with its number."""
    box = plot.box
    for value in plot.scale.values:
        y = plot.box.bottom - (box.height * value / plot.scale.most if value else 0)
        canvas.fill(Box(box.left, y - 1, box.right, y + 1), RULE)
        if plot.scale.most:
            place = (box.left - 18, y + SMALL.size * 0.36)
            canvas.write(name(value), SMALL, place, align=1, room=box.left - 18)


def draw_captions(canvas: Canvas, plot: Plot, labels: Sequence[str]) -> None:
    """Write what the bars are called, as many as there is room for."""
    slot = plot.box.width / plot.count
    widest = min(_WIDEST_CAPTION, max(canvas.measure(label, SMALL) for label in labels))
    stride = next((stride for stride in _STRIDES if stride * slot >= widest + _APART), plot.count)
    edge = 0.0
    for place in range(0, plot.count, stride):
        width = min(_WIDEST_CAPTION, canvas.measure(labels[place], SMALL))
        x = min(plot.middle(place), RIGHT + _OVERHANG - width / 2)
        if x - width / 2 >= edge:
            spot = (x, plot.box.bottom + 44)
            canvas.write(labels[place], SMALL, spot, align=0.5, room=_WIDEST_CAPTION)
            edge = x + width / 2 + _APART


def draw_values(canvas: Canvas, plot: Plot, values: Sequence[int], texts: Sequence[str]) -> None:
    """Write above the bars how high they are; above the highest if there is no room for all."""
    slot = plot.box.width / plot.count
    places = [place for place, value in enumerate(values) if value > 0]
    if any(canvas.measure(texts[place], VALUE) > slot - _APART for place in places):
        places = [max(places, key=values.__getitem__)]
    for place in places:
        half = canvas.measure(texts[place], VALUE) / 2
        x = max(plot.box.left + half, min(plot.middle(place), RIGHT - half))
        spot = (x, plot.y(values[place]) - 12)
        canvas.write(texts[place], VALUE, spot, align=0.5, room=_WIDEST_CAPTION)


def draw_heading(canvas: Canvas, card: Box, text: str, legend: Sequence[Key]) -> None:
    """Write what a card is about, and at its right what its colours mean."""
    baseline = card.top + HEADING
    x: float = RIGHT
    for key in reversed(legend):
        x -= canvas.write(key.text, SMALL, (x, baseline), align=1, room=x - LEFT)
        if key.form:
            x = _swatch(canvas, key, x - 12, baseline)
        x -= 34
    canvas.write(text, STRONG, (LEFT, baseline), room=x - LEFT)


def _swatch(canvas: Canvas, key: Key, right: float, baseline: float) -> float:
    """Draw a sample of a colour and return its left edge."""
    width = 2 * _SWATCH if key.form == "dash" else _SWATCH
    box = Box(right - width, baseline - _SWATCH, right, baseline)
    if key.form == "hatch":
        canvas.hatch(box, QUIET, radius=5)
    elif key.form == "dash":
        middle = baseline - _SWATCH / 2
        canvas.dash(Box(box.left, middle - 2, right, middle + 2), key.color)
    else:
        canvas.fill(box, key.color, radius=6)
    return box.left
