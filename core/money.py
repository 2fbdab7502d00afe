"""The nouns of money, frozen; amounts are in micro-dollars, a millionth of a dollar."""

from dataclasses import dataclass
from typing import Literal

Scope = Literal["user", "chat", "all"]
Span = Literal["day", "month"]
Unit = Literal["usd", "tokens"]
By = Literal["day", "month", "person", "chat", "model", "purpose", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A spending limit: what may be spent for somebody, in a chat or by everybody, in a time.

    Attributes:
        subject: A person's id, a chat's id in the store, or empty for everybody.
        span: Days and months end at midnight where the owner lives.
        usd: In micro-dollars; None for no limit.
        tokens: None for no limit.
    """

    scope: Scope
    subject: str
    span: Span
    usd: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What an owner allows once, beyond a limit: `amount` more in the present day or month."""

    limit: Limit
    unit: Unit
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How far a limit is used up.

    Attributes:
        cap: With what was granted on top, in the unit; micro-dollars for usd.
        held: For calls under way.
        resets_at: Milliseconds since 1970.
    """

    scope: Scope
    subject: str
    span: Span
    unit: Unit
    cap: int
    spent: int
    held: int
    resets_at: int

    @property
    def left(self) -> int:
        """What can still be held; never negative."""
        return max(0, self.cap - self.spent - self.held)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What came of an attempt to hold.

    Attributes:
        refused: The limit that does not allow it; None if it is held.
        levels: Every limit that applies, as it stands now.
        warned: Those that are nearly used up, each told once in its time.
    """

    refused: Level | None = None
    levels: tuple[Level, ...] = ()
    warned: tuple[Level, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A sum of paid calls.

    Attributes:
        id: What it is the sum of: a day (2026-11-21) or month (2026-11), a person's id, a chat's
            id in the store, a model; empty for everything.
        name: The same for people.
        cached: The part of `input` billed as a repeated prefix.
        cost: Of the calls whose price was known.
        unpriced: How many calls' price was not.
    """

    id: str
    name: str
    calls: int
    input: int
    cached: int
    output: int
    seconds: float
    cost: int
    unpriced: int
