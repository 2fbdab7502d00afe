"""Where one reply is shown: as messages of a channel, or as answers to an interaction."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from bots.discord.channel import PACE, ChannelScreen, index_of, showing
from bots.discord.refusals import (
    ARCHIVED,
    LENGTH,
    THREAD_EXISTS,
    TOO_MANY_FOLLOWUPS,
    UNKNOWN_MESSAGE,
    UNKNOWN_WEBHOOK,
    Notes,
    carrying,
    is_over,
    mapped,
    written,
)
from bots.discord.rest import Body, RefusedError, Rest
from bots.discord.ticket import Starter, Ticket
from bots.live import Pace
from bots.markup import DiscordPart, discord_parts
from bots.notes import keep
from core.errors import DeliveryError, GoneError
from core.reply import Reply
from core.types import File

log = logging.getLogger(__name__)

# So long a call waits until Discord has been told that an answer follows.
ACK_SECONDS = 5.0
PREVIEW_ACK_SECONDS = 2.0
# Where another process tells Discord, so often it is asked.
ACK_RETRY_SECONDS = 0.25
ORIGINAL = "@original"

# What may stand above an answer that could not be given where it was asked for.
_NO_THREAD = "-# I may not open a thread here, so I answer in place."
_ABOVE_LENGTH = 100
# What was refused here may be possible there.
_ELSEWHERE = (UNKNOWN_MESSAGE, TOO_MANY_FOLLOWUPS, ARCHIVED)
_WAITING = "Discord has not been told yet that an answer follows."

__all__ = ["PACE", "ChannelScreen", "InteractionScreen", "Notes", "open_screen"]

T = TypeVar("T")


def open_screen(
    rest: Rest, reply: Reply, *, notes: Notes, pace: Pace = PACE
) -> "ChannelScreen | InteractionScreen":
    """Return where a reply is shown: what it answers says so."""
    ticket = Ticket.read(reply.to)
    if ticket:
        return InteractionScreen(rest, reply, ticket=ticket, notes=notes, pace=pace)
    return ChannelScreen(rest, reply, notes=notes, pace=pace)


class InteractionScreen:
    """The answers to an interaction; a `bots.live.Screen`.

    When its 15 minutes are over, or Discord does not know it, the reply goes on in the channel,
    and where the bot may not write there, in a direct message to who asked; a hidden one goes
    there at once. A reply that opens a thread is shown in it. Where the bot may not write but
    answer, nothing keeps a further message from standing twice whose confirmation was lost; the
    first one, and edits, cannot.

    Args:
        rest: How to call.
        reply: What is shown.
        ticket: The right to answer.
        notes: What is known of all chats.
        pace: How often previews call.
    """

    def __init__(
        self,
        rest: Rest,
        reply: Reply,
        *,
        ticket: Ticket,
        notes: Notes,
        pace: Pace = PACE,
    ) -> None:
        self.pace = pace
        self._rest = rest
        self._reply = reply
        self._ticket = ticket
        self._notes = notes

    def render(self, text: str, *, is_final: bool) -> Sequence[DiscordPart]:
        """Split and format Markdown, with room for a line above it."""
        return discord_parts(text, limit=LENGTH - _ABOVE_LENGTH, is_final=is_final)

    async def post(self, part: DiscordPart, *, is_first: bool) -> str:
        """Put the first message in place of "thinking…", or post a further one."""

        async def here() -> str:
            body = self._body(showing(part), is_first=is_first)
            return await self._post(body, is_first=is_first)

        return await self._show(
            here, lambda screen: screen.post(part, is_first=is_first), is_further=not is_first
        )

    async def attach(self, file: File, *, is_first: bool) -> str:
        """Put a file in place of "thinking…", or post it below."""

        async def here() -> str:
            body = self._body(carrying(file), is_first=is_first)
            return await self._post(body, is_first=is_first)

        return await self._show(
            here, lambda screen: screen.attach(file, is_first=is_first), is_further=not is_first
        )

    async def edit(self, ref: str, part: DiscordPart) -> str:
        """Edit a message, wherever it stands; when it is gone, post another."""
        is_first = not index_of(self._reply, ref)

        async def here() -> str:
            return await self._edit(ref, self._body(showing(part), is_first=is_first))

        return await self._show(
            here, lambda screen: screen.edit(ref, part), is_further=not is_first
        )

    async def remove(self, ref: str) -> None:
        """Delete a message."""

        async def here() -> None:
            await self._rest.delete_by(self._ticket, ref)

        is_further = bool(index_of(self._reply, ref))
        await self._show(here, lambda screen: screen.remove(ref), is_further=is_further)

    async def draft(self, part: DiscordPart) -> bool:  # noqa: ARG002 - the protocol's
        """Do nothing: Discord has no drafts."""
        return False

    async def type(self) -> None:
        """Do nothing: people see "thinking…"."""

    async def _show(
        self,
        here: Callable[[], Awaitable[T]],
        there: Callable[[ChannelScreen], Awaitable[T]],
        *,
        is_further: bool,
    ) -> T:
        """Make a call where the reply belongs: in its thread, here, or elsewhere.

        Where the bot may write, further messages are posted, since only such have a nonce.
        """
        starter = self._ticket.starter
        if starter and await self._has_thread(starter):
            return await there(self._channel(starter.message))
        if is_further and self._ticket.may_post:
            with contextlib.suppress(GoneError):  # what was allowed may be allowed no more
                return await there(self._channel(self._home))
        if await self._is_open():
            with mapped(self._home, self._notes):
                try:
                    return await here()
                except RefusedError as error:
                    self._check_acknowledged(error)
                    if not self._has_ended(error) and error.code not in _ELSEWHERE:
                        raise
        return await self._show_elsewhere(there)

    async def _show_elsewhere(self, there: Callable[[ChannelScreen], Awaitable[T]]) -> T:
        """Make a call in the channel, or failing that in direct messages."""
        user, is_preview = self._ticket.user, not self._reply.is_final
        if not self._ticket.is_hidden:
            with contextlib.suppress(GoneError):
                return await there(self._channel(self._home, above=f"-# For <@{user}>"))
        with mapped(f"of {user}", self._notes):
            direct = self._notes.directs.get(user)
            if direct is None:
                direct = await self._rest.open_direct(user, is_preview=is_preview)
                keep(self._notes.directs, user, direct)
        return await there(self._channel(direct, above=f"-# You asked in <#{self._home}>"))

    async def _post(self, body: Body, *, is_first: bool) -> str:
        if is_first:
            try:
                return await self._edit(ORIGINAL, body)
            except RefusedError as error:
                if error.code != UNKNOWN_MESSAGE:
                    raise

        async def write(body: Body) -> dict[str, Any]:
            return await self._rest.post_by(self._ticket, body, is_preview=is_preview)

        is_preview = not self._reply.is_final
        shown, _ = await written(write, body, is_preview=is_preview)
        return str(shown["id"])

    async def _edit(self, ref: str, body: Body) -> str:
        async def write(body: Body) -> dict[str, Any]:
            return await self._rest.edit_by(self._ticket, ref, body, is_preview=is_preview)

        is_preview = not self._reply.is_final
        shown, _ = await written(write, body, is_preview=is_preview)
        return str(shown["id"])

    async def _has_thread(self, starter: Starter) -> bool:
        """Open the reply's thread and point to it; False if that is not allowed."""
        known = self._notes.threads.get(starter.message)
        if known is None:
            await self._point_to(starter)
            known = keep(self._notes.threads, starter.message, await self._open(starter))
        return known

    async def _point_to(self, starter: Starter) -> None:
        """Say in place of "thinking…" where the answer is; nothing is lost if that fails.

        It comes first, since a thread begins at a message that says something.
        """
        body = Body(text=f"→ <#{starter.message}>")
        is_preview = not self._reply.is_final
        if await self._is_open():
            try:
                await self._rest.edit_by(self._ticket, ORIGINAL, body, is_preview=is_preview)
            except RefusedError as error:
                self._has_ended(error)
            else:
                return
        with contextlib.suppress(RefusedError):
            await self._rest.edit(starter.channel, starter.message, body, is_preview=is_preview)

    async def _open(self, starter: Starter) -> bool:
        is_preview = not self._reply.is_final
        try:
            await self._rest.open_thread(
                starter.channel, starter.message, starter.name, is_preview=is_preview
            )
        except RefusedError as error:
            if error.code == THREAD_EXISTS:
                return True
            log.warning("discord opens no thread in channel %s: %s", starter.channel, error)
            return False
        return True

    async def _is_open(self) -> bool:
        """Say whether the interaction can be answered, once Discord has heard of us.

        Raises:
            DeliveryError: It has not for long.
        """
        key = self._ticket.interaction
        if key in self._notes.over or self._ticket.is_over(time.time()):
            return False
        acknowledged = self._notes.acknowledged.get(key)
        if acknowledged:
            seconds = ACK_SECONDS if self._reply.is_final else PREVIEW_ACK_SECONDS
            await asyncio.wait({acknowledged}, timeout=seconds)
            if not acknowledged.done():
                raise DeliveryError(_WAITING, retry_after=1.0)
        return True

    def _check_acknowledged(self, error: RefusedError) -> None:
        """See that an interaction is not given up because Discord has not heard of us yet.

        Another process took it in: it stores a question before it tells Discord that an answer
        follows, and until then Discord knows of nothing to answer.

        Raises:
            DeliveryError: It may be telling so right now.
        """
        key, now = self._ticket.interaction, time.monotonic()
        is_ours = key in self._notes.acknowledged
        if error.code != UNKNOWN_WEBHOOK or is_ours or not self._ticket.is_new(time.time()):
            return
        refused_at = self._notes.refused.get(key) or keep(self._notes.refused, key, now)
        if now < refused_at + ACK_SECONDS:
            raise DeliveryError(_WAITING, retry_after=ACK_RETRY_SECONDS)

    def _has_ended(self, error: RefusedError) -> bool:
        """Say whether the interaction can be answered no more, and remember it."""
        if not is_over(error):
            return False
        log.info("interaction %s is over: %s", self._ticket.interaction, error)
        keep(self._notes.over, self._ticket.interaction, error.code)
        return True

    @property
    def _home(self) -> str:
        """Id of the channel it was asked in."""
        starter = self._ticket.starter
        return starter.channel if starter else self._reply.chat.ref

    def _channel(self, channel: str, *, above: str = "") -> ChannelScreen:
        return ChannelScreen(
            self._rest, self._reply, notes=self._notes, channel=channel, above=above
        )

    def _body(self, body: Body, *, is_first: bool) -> Body:
        is_moved = self._ticket.starter or self._ticket.is_threadless
        above = f"{_NO_THREAD}\n" if is_first and is_moved else ""
        return replace(body, text=above + body.text, is_hidden=self._ticket.is_hidden)
