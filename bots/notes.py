"""What a bot notes of its chats while it runs: bounded, since there is no end of chats."""

from typing import TypeVar

# Of each kind; what is forgotten is learnt anew by one more call.
MOST_NOTES = 1000

K = TypeVar("K")
V = TypeVar("V")


def keep(notes: dict[K, V], key: K, value: V) -> V:
    """Note something and forget the oldest of too much; return it."""
    notes.pop(key, None)
    notes[key] = value
    if len(notes) > MOST_NOTES:
        del notes[next(iter(notes))]
    return value
