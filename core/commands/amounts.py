"""Amounts of money and tokens, as people write them behind a command."""

import re
from decimal import Decimal

from core.errors import InputError
from core.money import Unit
from core.usage import MICRO, amount

# Both fit into 64 bits, in micro-dollars and granted a thousand times over.
MOST_DOLLARS = 1_000_000_000
MOST_TOKENS = 1_000_000_000_000
_SPAN = re.compile(r"(?:/\s*|\b(?:for\s+)?(?:(?:a|per|this)\s+)?)\b(?:today|day|month)\b")
# A comma stands between thousands and nowhere else: what `0,50` and `0,500` mean is not guessed.
_WHOLE = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)"
_TOKENS = re.compile(rf"({_WHOLE})\s*tokens?")
_DOLLARS = re.compile(rf"(?:\$|usd)?\s*({_WHOLE}(?:\.[0-9]+)?|\.[0-9]+)\s*(?:\$|usd|dollars?)?")


def read_amount(text: str) -> tuple[int, Unit]:
    """Return an amount, in micro-dollars or tokens; its text may hold a day or month as well.

    Whatever `core.usage.amount` prints is read, and what a person may leave out of it.

    Raises:
        InputError: It is none, or more than can be kept.
    """
    words = _SPAN.sub(" ", text.lower(), count=1).strip()
    if found := _TOKENS.fullmatch(words):
        return _bounded(_number(found[1]), MOST_TOKENS, "tokens")
    if found := _DOLLARS.fullmatch(words):
        return _bounded(_number(found[1]) * MICRO, MOST_DOLLARS * MICRO, "usd")
    raise InputError("Say how much, such as `$0.50` or `20,000 tokens`, and `day` or `month`.")


def _number(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def _bounded(value: Decimal, most: int, unit: Unit) -> tuple[int, Unit]:
    if value > most:
        raise InputError(f"That is more than I can count: say at most `{amount(most, unit)}`.")
    return round(value), unit
