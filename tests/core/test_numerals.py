"""Amounts in a picture: short, round at its axes, never nought for something."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.charts import numerals

DOLLAR = 1_000_000


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        (0, "$0"),
        (1, "$0.000001"),
        (42, "$0.000042"),
        (4_200, "$0.0042"),
        (9_999, "$0.0100"),
        (10_000, "$0.01"),
        (1_234_560_000, "$1,234.56"),
        (12_345_000_000, "$12.3k"),
    ],
)
def test_amounts_are_short(cost: int, text: str) -> None:
    """Micro-dollars are written with what matters of them."""
    assert numerals.dollars(cost) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1k"),
        (1_234, "1.23k"),
        (12_000, "12k"),
        (999_600, "1M"),
        (1_200_000, "1.2M"),
        (10**16, "10000T"),
    ],
)
def test_counts_are_short(count: int, text: str) -> None:
    """Three digits and a unit."""
    assert numerals.compact(count) == text


@pytest.mark.parametrize(
    ("highest", "marks"),
    [
        (0, ["$0"]),
        (3, ["$0", "$0.000001", "$0.000002", "$0.000003"]),
        (12_000, ["$0", "$0.005", "$0.010", "$0.015"]),
        (40_000, ["$0", "$0.01", "$0.02", "$0.03", "$0.04"]),
        (1_210_000, ["$0", "$0.50", "$1.00", "$1.50"]),
        (4_000 * DOLLAR, ["$0", "$1,000", "$2,000", "$3,000", "$4,000"]),
        (40_000 * DOLLAR, ["$0", "$10k", "$20k", "$30k", "$40k"]),
    ],
)
def test_axes_have_round_numbers(highest: int, marks: list[str]) -> None:
    """At most so many steps as asked for, each round, and the last one not below the highest."""
    scale = numerals.scale(highest, steps=4)
    assert [numerals.dollar_mark(value, scale.step) for value in scale.values] == marks


@given(st.integers(1, 2**63), st.integers(2, 5))
def test_an_axis_reaches_the_highest(highest: int, steps: int) -> None:
    """It ends at or above the highest value, by less than one step, after at most `steps`."""
    scale = numerals.scale(highest, steps=steps)
    assert scale.most - scale.step < highest <= scale.most
    assert len(scale.values) <= steps + 1


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "0%"), (1, 1_000, "<1%"), (999, 1_000, "99%"), (5, 4, "100%")],
)
def test_shares_in_percent(part: int, whole: int, text: str) -> None:
    """Only all of it is 100 %, and something is never 0 %."""
    assert numerals.percent(part, whole) == text
