"""The nouns of what is stored: about somebody, and altogether."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How much is stored about somebody.

    Attributes:
        messages: Theirs, answered.
        waiting: Theirs, not yet answered.
        answers: To their messages.
        summaries: Of chats in which they wrote.
        calls: Paid ones, entered under their name.
    """

    messages: int
    waiting: int
    answers: int
    summaries: int
    calls: int


# What is stored about somebody: rows by the kind of thing they hold, each kind in its order.
Rows = Sequence[Mapping[str, Any]]
Stored = Mapping[str, Rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much waits in the store.

    Attributes:
        waiting: Messages that are not answered yet, those that are being answered included.
        oldest_seconds: For how long the oldest of them has been due.
        outbox: Texts that are still to go out.
        dead: Messages that were given up.
        holds: Amounts set aside for calls under way.
        is_writable: More can be stored; seen to only where that has failed before.
    """

    waiting: int
    oldest_seconds: float
    outbox: int
    dead: int
    holds: int
    is_writable: bool = True
