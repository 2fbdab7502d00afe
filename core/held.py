"""A chat that this process works on, and what can be done to its work from elsewhere."""

import asyncio
from dataclasses import dataclass

from core.protocols import Calls
from core.types import Lease, Outgoing, Turn
from core.working import Working


@dataclass(slots=True, kw_only=True)
class Held:
    """A chat this process works on.

    Attributes:
        work: What would have to be done again if it ended now.
        working: The turn that is being answered, until it is being committed.
        stop: Ends the answer that is being written; None while none is.
        is_stopped: Somebody has ended the turn, maybe before its work began.
    """

    lease: Lease
    task: asyncio.Task[None] | None = None
    work: Outgoing | Turn | None = None
    working: Working | None = None
    stop: asyncio.Timeout | None = None
    is_stopped: bool = False

    def take(self, work: Outgoing | Turn | None) -> None:
        """Go on to the next piece of work."""
        self.work = work
        self.is_stopped = False

    @property
    def place(self) -> tuple[str, str]:
        """What tells the chat from all others, as a signal names it."""
        return self.lease.chat.platform, self.lease.chat.ref

    @property
    def turn(self) -> Turn | None:
        """The turn at work, until it is committed."""
        return self.work if isinstance(self.work, Turn) else None

    @property
    def spent(self) -> Calls:
        """What the answer under way has cost so far."""
        return self.working.spent() if self.working else ()

    def stop_turn(self) -> None:
        """End the turn at work with what it has come to; a /stop itself is left alone."""
        if self.turn is None or self.turn.kind == "stop":
            return
        self.is_stopped = True
        if self.stop and not self.stop.expired():
            self.stop.reschedule(0)
