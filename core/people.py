"""The nouns of access, frozen: who is known, who asked to be let in, who was."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A group of people, or a part of a place, that may talk to the bot in that place."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Somebody who has written before; `status` is empty, asked, approved or denied."""

    id: str
    name: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Somebody has asked enough for now.

    Attributes:
        seconds: Until they may go on.
        is_told: Another turn of theirs has told them.
    """

    seconds: float
    is_told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """A request to be let in.

    Attributes:
        is_new: Made by the turn at hand; the owners have not heard of it.
        recent: How many people have asked within the last hour.
    """

    code: str
    is_new: bool
    recent: int
