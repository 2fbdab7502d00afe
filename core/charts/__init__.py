"""Totals -> picture: what was spent, as an image that reads on a phone.

Importing this costs nothing; what draws is loaded with the first picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Where systems keep their fonts.
FONT_FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("~/.local/share/fonts"),
    Path("~/.fonts"),
    Path("/run/current-system/sw/share/X11/fonts"),
    Path("/System/Library/Fonts"),
    Path("/Library/Fonts"),
    Path("~/Library/Fonts"),
    Path("C:/Windows/Fonts"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What one day (or month, or hour) took.

    Attributes:
        label: What stands below it, short: `14`, `Mon`, `Nov`.
        cost: Micro-dollars; 0 where nothing was used, None where no price is known.
        is_partial: Some of it has no known price, so that `cost` is the least it took.
        input: Tokens, those in `cached` among them.
        cached: The part of `input` billed as a repeated prefix.
        output: Tokens.
    """

    label: str
    cost: int | None = 0
    is_partial: bool = False
    input: int = 0
    cached: int = 0
    output: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one user, chat or model took.

    Attributes:
        name: As people wrote it: any script, any length.
        cost: Micro-dollars; None where no price is known.
        tokens: Input and output together.
        is_partial: As for `Bar`.
    """

    name: str
    cost: int | None
    tokens: int
    is_partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What a picture shows.

    Attributes:
        title: Whose usage it is.
        subtitle: The time it covers.
        bars: In order of time, with those of days on which nothing was used; a year reads
            best as 12 months, though 366 days can be drawn.
        shares: Largest first; all of them, the picture sums up those it has no room for.
        heading: What the shares are: `People`, `Models`.
        limit: Micro-dollars that one bar may cost, if there is a limit on that.
    """

    title: str
    subtitle: str
    bars: Sequence[Bar]
    shares: Sequence[Share] = ()
    heading: str = "Top"
    limit: int | None = None


def draw(chart: Chart, *, folders: tuple[Path, ...] = FONT_FOLDERS) -> bytes:
    """Return the picture as a PNG 1,080 px wide, below 200 KB.

    It is the same for the same chart, fonts and version of Pillow. It keeps a processor busy
    for 0.15 s or so: call it off the event loop.

    Args:
        chart: Amounts below 0 are taken as 0.
        folders: Where to look for fonts with the characters that our own lacks. A character
            that is in none of them becomes a dot.
    """
    from core.charts.picture import paint  # noqa: PLC0415 - 0.1 s, not for a start to wait

    return paint(chart, folders)


__all__ = ["FONT_FOLDERS", "Bar", "Chart", "Share", "draw"]
