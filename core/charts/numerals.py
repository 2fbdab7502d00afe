"""Amounts as short as a picture needs them."""

from collections.abc import Sequence
from dataclasses import dataclass

DOLLAR = 1_000_000  # micro-dollars
CENT = 10_000
_THOUSAND = 1_000
_UNITS = ("", "k", "M", "B", "T")
_TENTHS = (10, 20, 25, 50, 100, 200, 250, 500)  # round steps, in tenths of a power of ten


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """An axis from 0: `most` is its end, `step` what lies between two rules; 0 for no axis."""

    step: int
    most: int

    @property
    def values(self) -> Sequence[int]:
        """Where its rules are, upward; only 0 without an axis."""
        return range(0, self.most + 1, self.step) if self.step else (0,)


def scale(highest: int, *, steps: int) -> Scale:
    """Return the axis for values up to `highest` in at most so many round steps."""
    if highest <= 0:
        return Scale(step=0, most=0)
    power = 10 ** max(0, len(str(highest)) - 2)
    step = next(power * tenth // 10 for tenth in _TENTHS if power * tenth // 10 * steps >= highest)
    return Scale(step=step, most=-(-highest // step) * step)


def dollars(cost: int) -> str:
    """Write micro-dollars as `$0`, `$0.0042`, `$12.34` or `$12.3k`; paid use is never `$0`."""
    if cost <= 0:
        return "$0"
    if cost < CENT:
        digits = 6 - len(str(cost)) + 2
        return f"${cost / DOLLAR:.{min(6, digits)}f}"
    if cost < 10_000 * DOLLAR:
        return f"${cost / DOLLAR:,.2f}"
    return f"${compact(cost // DOLLAR)}"


def dollar_mark(cost: int, step: int) -> str:
    """Write micro-dollars at a rule of an axis, with the decimals that its steps have."""
    if cost >= 10_000 * DOLLAR or not cost:
        return dollars(cost)
    decimals = len(f"{step % DOLLAR:06}".rstrip("0"))
    return f"${cost / DOLLAR:,.{2 if decimals == 1 else decimals}f}"


def compact(count: int) -> str:
    """Write a number with three digits at most: `950`, `12.3k`, `1.2M`."""
    place, value = 0, float(max(0, count))
    while place < len(_UNITS) - 1 and round(value) >= _THOUSAND:
        place, value = place + 1, value / _THOUSAND
    digits = f"{value:.{max(0, 3 - len(str(int(value))))}f}"
    return (digits.rstrip("0").rstrip(".") if "." in digits else digits) + _UNITS[place]


def percent(part: int, whole: int) -> str:
    """Write a share, rounded down unless it is next to nothing."""
    if part <= 0 or whole <= 0:
        return "0%"
    return f"{min(100, part * 100 // whole)}%" if part * 100 >= whole else "<1%"
