"""A flame graph as a picture: who called whom, each as wide as it was seen at work."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from core.charts.fonts import REGULAR

WIDTH, ROW, MARGIN, HEAD = 2000, 20, 20, 70
LETTERS, TITLE = 12, 20  # px
LEAST = 3  # px that a frame is wide, to be drawn
# What everything stands in, and tells nothing: the loop's own frames and a thread's, from below.
_BASE = ("BaseEventLoop._run_once", "Handle._run", "Thread.")
_COLOURS = ("#4c78a8", "#72b7b2", "#54a24b", "#eeca3b", "#f58518", "#e45756", "#b279a2", "#9d755d")
_OTHER = "#c9c9c9"


@dataclass(slots=True)
class Frame:
    """A function in a place of the stack.

    Attributes:
        part: What it belongs to.
        seen: How often it was seen there.
    """

    name: str
    part: str
    seen: int = 0
    calls: dict[str, "Frame"] = field(default_factory=dict)

    def boxes(self, left: float, row: int, scale: float) -> Iterator[tuple[float, int, "Frame"]]:
        """Yield each call within it that is wide enough, with its place."""
        for frame in sorted(self.calls.values(), key=lambda frame: frame.name):
            if frame.seen * scale >= LEAST:
                yield left, row, frame
                yield from frame.boxes(left, row + 1, scale)
            left += frame.seen * scale


def tree(lines: Iterable[str], part_of: Callable[[str], str]) -> Frame:
    """Return what was seen, as one frame for all.

    Args:
        lines: Stacks with their frames separated by semicolons, each with a number behind.
        part_of: Names what a stack's time is put down to.
    """
    root = Frame("", "")
    for line in lines:
        stack, _, number = line.rpartition(" ")
        frames, at = stack.split(";"), root
        root.seen += int(number)
        last = max((n for n, name in enumerate(frames) if name.startswith(_BASE)), default=-1)
        base = min(last + 1, len(frames) - 1)
        for end, frame in enumerate(frames[base:], base + 1):
            name = frame.partition(" (")[0]
            at = at.calls.setdefault(name, Frame(name, part_of(";".join(frames[:end]))))
            at.seen += int(number)
    return root


def draw(root: Frame, path: Path, title: str) -> None:
    """Write a picture of what was seen; the most frequent parts have a colour."""
    scale = (WIDTH - 2 * MARGIN) / root.seen
    boxes = list(root.boxes(MARGIN, 0, scale))
    parts = Counter[str]()
    for _, _, frame in boxes:
        parts[frame.part] += frame.seen
    frequent = [part for part, _ in parts.most_common(len(_COLOURS))]
    colours = dict(zip(frequent, _COLOURS, strict=False))
    image = Image.new("RGB", (WIDTH, HEAD + MARGIN + ROW * (1 + max(row for _, row, _ in boxes))))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, *image.size), "white")
    pen.text((MARGIN, 10), title, "black", ImageFont.truetype(REGULAR, TITLE))
    letters = ImageFont.truetype(REGULAR, LETTERS)
    at = float(MARGIN)
    for part, colour in colours.items():
        pen.rectangle((at, 44, at + 12, 56), colour)
        pen.text((at + 18, 43), part, "black", letters)
        at += 40 + letters.getlength(part)
    for left, row, frame in boxes:
        top, right = HEAD + row * ROW, left + frame.seen * scale
        pen.rectangle((left, top, right - 1, top + ROW - 2), colours.get(frame.part, _OTHER))
        pen.text(
            (left + 3, top + 2), _fitting(frame.name, right - left - 6, letters), "black", letters
        )
    image.save(path)


def _fitting(name: str, width: float, letters: ImageFont.FreeTypeFont) -> str:
    while name and letters.getlength(name) > width:
        name = name[:-1]
    return name
