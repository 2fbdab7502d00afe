"""The nouns of what is stored about somebody."""

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
