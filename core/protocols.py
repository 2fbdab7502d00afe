"""The outside world, as core sees it: one protocol per edge."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Protocol

from core.kept import Depth, Kept, Stored
from core.money import By, Level, Limit, Standing, Total, Unit
from core.people import Admitted, Known, Pairing, Pause
from core.reply import Reply
from core.types import (
    Chat,
    Document,
    Incoming,
    Kind,
    Lease,
    Message,
    ModelEvent,
    Outcome,
    Outgoing,
    Seen,
    Transcript,
    Turn,
    Usage,
    Voice,
)


class Inbox(Protocol):
    """Where bots hand in what people write. Every method raises StoreError if it failed."""

    async def receive(self, incoming: Incoming) -> None:
        """Take a message in; when this returns, it is durable. Repeats are ignored."""

    async def amend(self, incoming: Incoming) -> None:
        """Note that somebody edited a message; it counts if nobody has begun to answer it."""

    async def withdraw(self, chat: Chat, message: str) -> None:
        """Note that a message was deleted; it counts if nobody has begun to answer it."""

    async def move(self, incoming: Incoming) -> None:
        """Let a message that was taken in wait in another chat, if nobody has begun with it."""

    async def rename(self, chat: Chat, ref: str) -> None:
        """Note that the platform gave a chat another ref; what is remembered of it stays."""

    async def seen(self, platform: str) -> list[Seen]:
        """Return a platform's chats, the newest first, to ask it for what came since in each."""


Hear = Callable[[tuple[str, str] | None], None]
Calls = Sequence[Usage]
Pay = Callable[[Usage], None]
HoldAudio = Callable[[Sequence[str], float], Awaitable[Pay]]


class Bot(Protocol):
    """A chat platform: what it brings in, and what it shows.

    Attributes:
        name: The `platform` of its chats.
        claim: What only one process at a time may listen to; empty if any number may.
    """

    name: str
    claim: str

    @property
    def is_listening(self) -> bool:
        """Whether what people write is heard now."""

    async def listen(self, inbox: Inbox) -> None:
        """Hand every message to `inbox` until cancelled.

        The platform is told that we have a message only after `receive` has returned; when it
        raises StoreError, the same message is handed over again later.

        Raises:
            SettingsError: The platform refuses us (a wrong token, say).
        """

    async def deliver(self, reply: Reply) -> None:
        """Show `reply` in its chat.

        While it is not final: show what there is as it grows, as well as the platform lets us,
        until it is closed; a failure shows less and raises nothing. Once it is final: return
        when the whole text stands in the chat, formatted, split where it must be, and its files
        below it. In place of a file that the platform does not take, a sentence says so.

        Raises:
            DeliveryError: The final text does not stand yet; to be called again with it.
            GoneError: It never will.
        """

    async def fetch(self, file: Voice | Document) -> bytes:
        """Return the bytes of a file.

        Raises:
            FetchError: The platform does not hand it out (too large for bots, expired).
            DeliveryError: Not now.
        """


class ChatModel(Protocol):
    """Chat completions, whatever answers them."""

    def stream(
        self, prompt: Sequence[Message], *, models: Sequence[str], limit: int
    ) -> AsyncGenerator[ModelEvent]:
        """Yield the reply piece by piece, a Restart where it begins anew, a Usage per call.

        A Cut: the model did not come to its end; a Waiting: it cannot be asked yet.

        Args:
            prompt: System messages first.
            models: The preferred one, then its fallbacks.
            limit: Most tokens of the reply.

        Raises:
            ContextLengthError: The prompt was too long for a model; others may have been paid.
            ModelError: No model answered; whatever Usage fell due was yielded before.
        """

    async def close(self) -> None:
        """Let go of connections."""


class Transcriber(Protocol):
    """Speech to text, whatever hears it."""

    async def transcribe(
        self, audio: bytes, voice: Voice, *, hold: HoldAudio, to_english: bool = False
    ) -> Transcript:
        """Return what is said in `audio`, translated into English if asked.

        Args:
            audio: The recording's bytes.
            voice: What its platform says of it.
            hold: Awaited before anything is paid, with the models that may be asked and the
                seconds they will hear, at most; what it raises, this raises. What it returns is
                told of each paid call at once: whatever comes then, that is due.
            to_english: Translate.

        Raises:
            SpeechError: It cannot be heard: too large, too long, no known format, no sound.
            ModelError: No model heard it.
        """

    async def close(self) -> None:
        """Let go of connections."""


class Store(Protocol):
    """What must survive a crash, in the domain's words. Every method is one transaction.

    Every method raises StoreError when the database fails, and those that take a lease
    LeaseLostError when it is not the chat's newest.
    """

    async def put(self, incoming: Incoming, kind: Kind) -> bool:
        """Take a message in, durably; False when its event was taken in before."""

    async def amend(self, incoming: Incoming, kind: Kind) -> bool:
        """Let an edited message stand in its own place, if no work on it has begun."""

    async def withdraw(self, chat: Chat, message: str) -> bool:
        """Drop a message, if no work on it has begun."""

    async def move(self, incoming: Incoming) -> bool:
        """Let a message, known by its event, wait in another chat, if no work on it has begun."""

    async def rename(self, chat: Chat, ref: str) -> bool:
        """Let a chat have another ref; False if it is not known, or the ref is."""

    async def seen(self, platform: str) -> list[Seen]:
        """Return every chat with the time of its newest message not alone, the newest first."""

    async def stop(self, chat: Chat) -> None:
        """Let whoever works on a chat know that its turn is to end, in whatever process."""

    async def watch(self, hear: Hear) -> None:
        """Call `hear` until cancelled.

        With a chat (platform and ref) whose turn is to end, or with None when a chat may have
        become ready.
        """

    def lead(self, name: str) -> AbstractAsyncContextManager[asyncio.Event]:
        """Wait until no other process leads under a name, then lead; the event: it is lost."""

    async def lease(
        self, platforms: Sequence[str], limit: int
    ) -> tuple[list[tuple[Lease, Outgoing | Turn]], float]:
        """Lease up to `limit` chats of `platforms` in which something waits, longest first.

        Returns:
            Each lease with the first piece of its work, and the seconds until the next chat
            becomes ready (five, at most).
        """

    async def renew(self, leases: Sequence[Lease]) -> set[int]:
        """Extend the leases; return the chat ids of those that are lost."""

    async def next(self, lease: Lease, *, sent: int | None = None) -> Outgoing | Turn | None:
        """Return the chat's next piece of work: unsent text first, then the next turn.

        A turn's attempts are counted here. With nothing left the lease is released and None
        returned; what arrives later makes the chat ready again.

        Args:
            lease: The chat's lease.
            sent: An Outgoing that now stands in its chat, or never will.
        """

    async def release(self, lease: Lease, *, turn: Turn | None = None, spent: Calls = ()) -> None:
        """Let the chat go; `turn` does not count as attempted, but what it has spent does."""

    async def postpone(
        self, lease: Lease, seconds: float, *, failed: Turn | Outgoing | None = None
    ) -> None:
        """Give the chat up; it becomes ready again in `seconds`, and not by a new message.

        Args:
            lease: The chat's lease.
            seconds: From now.
            failed: What failed; its failures are counted here, and a text that has failed
                five times is left behind.
        """

    async def finish(self, lease: Lease, turn: Turn, outcome: Outcome) -> Outgoing | None:
        """Commit a turn as a whole: history, usage, outbox, inbox; return what to deliver."""

    async def heard(
        self, lease: Lease, turn: Turn, index: int, transcript: Transcript, *, hold: str = ""
    ) -> None:
        """Keep a transcript of message `index`, with its cost: a retry does not pay it again."""

    async def posted(self, reply: int, part: int, ref: str) -> None:
        """Keep the platform's id of a posted part of a reply, by its key; see `Reply`."""

    async def window(
        self, chat: int, *, start: int, tokens: int | None = None, before: int | None = None
    ) -> list[Message]:
        """Return the newest messages after `start` that fit into `tokens`, oldest first.

        Its cost follows what it returns, not how much is stored.

        Args:
            chat: The chat's id in the store.
            start: A running sum of tokens, as `Message.total`.
            tokens: Most tokens in all; None for no bound.
            before: A turn; its messages and later ones are left out, though they count.
        """

    async def compact(
        self,
        chat: int,
        *,
        old: int,
        new: int,
        summary: str,
        usage: tuple[Usage, ...] = (),
        hold: str = "",
        erased: int = 0,
    ) -> bool:
        """Let memory start at `new` with `summary`.

        False if its start is no longer `old`, or a part of its history was deleted since it was in
        the state that said `erased`. The usage takes the place of what was held either way.
        """

    async def forget(self, lease: Lease) -> None:
        """Start afresh; the history stays stored but is not remembered."""

    async def choose(
        self,
        lease: Lease,
        *,
        model: str | None = None,
        persona: str | None = None,
        is_off_record: bool | None = None,
    ) -> None:
        """Set the chat's model or persona; None leaves it, empty means the default.

        While a chat is off the record, nothing is kept of a turn once it is answered.
        """

    async def last_turn(self, lease: Lease) -> Turn | None:
        """Return the chat's last finished turn that was no command."""

    async def calibrations(self) -> dict[str, float]:
        """Return, by model, its own prompt tokens per reference token, as learned."""

    async def calibrate(self, model: str, factor: float) -> None:
        """Keep what was learned about a model's tokens."""

    async def kept(self, lease: Lease, turn: Turn) -> Kept:
        """Count what is stored about whoever's turn it is; they may forget it then."""

    async def may_forget(self, lease: Lease, turn: Turn) -> bool:
        """Say whether they were told in this chat, within ten minutes, what would be deleted."""

    async def stored(self, person: str) -> Stored:
        """Return everything that is stored about somebody: theirs, not what others said."""

    async def expire(self, days: int | None) -> int:
        """Delete a slice of what is older than so many days; 0 when there is nothing left.

        What waits is kept, and sums without names. None: only budgets of months that are long
        over, and what was off the record and not sent.
        """

    async def tidy(self) -> None:
        """See that the files hold nothing that was deleted for good; to be called every hour."""

    async def known(self, person: str) -> Known | None:
        """Return what is known of somebody who has written before."""

    async def ask(self, person: str, *, turn: int) -> Pairing:
        """Return somebody's request to be let in; its code holds for an hour."""

    async def ration(self, person: str, *, turn: int, most: int) -> Pause | None:
        """Let a turn of somebody's pass, unless `most` others were within a minute."""

    async def decide(self, who: str, status: str) -> Known | None:
        """Make somebody `approved` or `denied`, by id or code; None if there is no such one."""

    async def everybody(self) -> list[Known]:
        """Return everybody who ever wrote, by name."""

    async def admits(self, place: str, ids: Collection[str]) -> bool:
        """Say whether any of `ids` was admitted in a place."""

    async def admit(self, place: str, admitted: Admitted) -> None:
        """Let a group of people, or everybody in a part of a place, talk to the bot there."""

    async def dismiss(self, place: str, admitted: str) -> bool:
        """Take that back, by id; False if there was nothing to take back."""

    async def admitted(self, place: str) -> list[Admitted]:
        """Return all that was admitted in a place, by name."""

    async def hold(
        self, name: str, limits: Sequence[Limit], *, usd: int, tokens: int, spent: Calls = ()
    ) -> Standing:
        """Set an amount aside under all of the limits, or under none if one does not allow it.

        What was held under the same name is let go first. It is settled by what is committed
        for that work (`finish`, `heard`, `compact`), and counts no longer after an hour.

        Args:
            name: Of the work it is for.
            limits: Where it counts, limited or not.
            usd: What more may be spent, in micro-dollars.
            tokens: Likewise.
            spent: Earlier calls of the work, which stay held if no more is allowed.
        """

    async def release_hold(self, name: str) -> None:
        """Let go of what is held under a name."""

    async def levels(self, limits: Sequence[Limit]) -> list[Level]:
        """Return how far each limit is used up; nothing for what has none."""

    async def totals(
        self,
        by: By,
        *,
        since: date | None = None,
        person: str | None = None,
        chat: int | None = None,
    ) -> list[Total]:
        """Return sums of the ledger, the dearest first; those of days and months in their order.

        Args:
            by: What each is the sum of.
            since: The first day; None for all. Of months, the one it lies in is there as a whole.
            person: Only theirs.
            chat: Only of this chat, by its id in the store.
        """

    async def cap(self, limit: Limit, unit: Unit, amount: int | None) -> None:
        """Set a limit in place of that of the settings; None for no limit."""

    async def uncap(self, limit: Limit, unit: Unit) -> None:
        """Let the limit of the settings count again."""

    async def reset(self, limit: Limit) -> None:
        """Let what was spent in the present day or month count no longer toward a limit.

        What is held goes on to count, also once it is settled; the ledger stays as it is.
        """

    async def depth(self) -> Depth:
        """Count what waits, so cheaply that it can be asked every few seconds."""

    async def close(self) -> None:
        """Finish what is queued and close the database."""
