"""What it takes to answer an interaction later, in one string that survives a crash."""

import json
from dataclasses import asdict, dataclass, field
from typing import Self

# "Interaction tokens are valid for 15 minutes", discord.com/developers/docs/interactions/
# receiving-and-responding, 2026-11; the last ten seconds are left for a call on its way.
LIFE_MILLISECONDS = (15 * 60 - 10) * 1000
# Discord wants to hear from us within 3 seconds, and two machines' clocks may differ.
NEW_MILLISECONDS = 60 * 1000
_PREFIX = "ticket:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """A thread that the answer opens and goes into.

    Attributes:
        message: Id of the interaction's own answer, which becomes the thread's id too.
        channel: Id of the channel it stands in.
        name: Of the thread, at most 100 characters.
    """

    message: str
    channel: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The right to answer an interaction, for 15 minutes; it stands where a message's id would.

    Attributes:
        user: Id of who asked.
        created_at: Milliseconds since 1970, by Discord's clock.
        is_hidden: Only who asked may see the answer.
        starter: None if the answer stands where it was asked for.
        is_threadless: A thread was asked for, and the bot may not open one.
        may_post: The bot may write in the channel, too.
    """

    application: str
    interaction: str
    token: str = field(repr=False)
    user: str
    created_at: int
    is_hidden: bool = False
    starter: Starter | None = None
    is_threadless: bool = False
    may_post: bool = False

    def spell(self) -> str:
        """Return it as one string, which no message's id looks like. It holds the token."""
        return _PREFIX + json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def read(cls, spelled: str | None) -> Self | None:
        """Return the ticket that was spelled so; None for a message's id and anything else."""
        if not spelled or not spelled.startswith(_PREFIX):
            return None
        try:
            found = json.loads(spelled.removeprefix(_PREFIX))
            starter = Starter(**found.pop("starter")) if found["starter"] else None
            return cls(**{**found, "starter": starter})
        except (ValueError, TypeError, LookupError, AttributeError):
            return None

    def is_new(self, now: float) -> bool:
        """Say whether it is so new, by whoever's clock, that Discord may not know of us yet."""
        return now * 1000 < self.created_at + NEW_MILLISECONDS

    def is_over(self, now: float) -> bool:
        """Say whether its time has passed; `now` is in seconds since 1970."""
        return now * 1000 >= self.created_at + LIFE_MILLISECONDS
