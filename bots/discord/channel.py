"""Where one reply is shown: as messages of a channel, a thread, or direct messages."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from bots.discord.refusals import (
    ARCHIVED,
    UNKNOWN_MESSAGE,
    Notes,
    carrying,
    mapped,
    written,
)
from bots.discord.rest import Body, RefusedError, Rest
from bots.discord.transport import PREVIEW_SECONDS
from bots.live import Pace
from bots.markup import DiscordPart, discord_parts
from core.reply import Reply
from core.types import File

log = logging.getLogger(__name__)

# A channel takes 5 posts and 5 edits in 5 seconds (no promise; what its answers have said,
# 2026-11), of which previews leave one. The typing sign "expires after 10 seconds", discord.com/
# developers/docs/resources/channel#trigger-typing-indicator, 2026-11.
PACE = Pace(edit=1.2, typing_every=8.0, call=PREVIEW_SECONDS)

T = TypeVar("T")


class ChannelScreen:
    """A channel, a thread or direct messages; a `bots.live.Screen`.

    Args:
        rest: How to call.
        reply: What is shown.
        notes: What is known of all chats.
        channel: Id of where to show it; empty for the reply's chat.
        above: A line to stand above it.
        pace: How often previews call.
    """

    def __init__(
        self,
        rest: Rest,
        reply: Reply,
        *,
        notes: Notes,
        channel: str = "",
        above: str = "",
        pace: Pace = PACE,
    ) -> None:
        self.pace = pace
        self._rest = rest
        self._reply = reply
        self._notes = notes
        self._channel = channel or reply.chat.ref
        self._above = above

    def render(self, text: str, *, is_final: bool) -> Sequence[DiscordPart]:
        """Split and format Markdown."""
        return discord_parts(text, is_final=is_final)

    async def post(self, part: DiscordPart, *, is_first: bool) -> str:
        """Post a message, once however often it is tried; the first replies to the question."""
        with mapped(self._channel, self._notes):
            index = len(self._reply.posted)
            return await self._post(self._body(showing(part), index, is_first=is_first))

    async def attach(self, file: File, *, is_first: bool) -> str:
        """Post a file, once however often it is tried."""
        with mapped(self._channel, self._notes):
            index = -1 - self._reply.attached
            return await self._post(self._body(carrying(file), index, is_first=is_first))

    async def edit(self, ref: str, part: DiscordPart) -> str:
        """Edit a message; when it is not there any more, post another."""
        index = index_of(self._reply, ref)
        with mapped(self._channel, self._notes):
            body = self._body(showing(part), index, is_first=not index)
            return await self._edit(ref, body)

    async def remove(self, ref: str) -> None:
        """Delete a message."""
        with mapped(self._channel, self._notes):
            try:
                await self._rest.delete(self._channel, ref)
            except RefusedError as error:
                if error.code != UNKNOWN_MESSAGE:
                    raise

    async def draft(self, part: DiscordPart) -> bool:  # noqa: ARG002 - the protocol's
        """Do nothing: Discord has no drafts."""
        return False

    async def type(self) -> None:
        """Show that the bot writes, for up to 10 seconds."""
        with mapped(self._channel, self._notes):
            await self._rest.type(self._channel)

    async def _post(self, body: Body) -> str:
        async def write(body: Body) -> dict[str, Any]:
            return await self._rest.post(self._channel, body, is_preview=is_preview)

        is_preview = not self._reply.is_final
        shown, body = await written(write, body, is_preview=is_preview)
        ref = str(shown["id"])
        if _shows(shown, body):
            return ref
        # The nonce was used before: by a preview, or by a part that differed.
        return await self._edit(ref, body)

    async def _edit(self, ref: str, body: Body) -> str:
        async def write(body: Body) -> dict[str, Any]:
            try:
                return await self._rest.edit(self._channel, ref, body, is_preview=is_preview)
            except RefusedError as error:
                if error.code != ARCHIVED:
                    raise
            await self._rest.reopen(self._channel, is_preview=is_preview)
            return await self._rest.edit(self._channel, ref, body, is_preview=is_preview)

        is_preview = not self._reply.is_final
        try:
            await written(write, replace(body, answers="", nonce=""), is_preview=is_preview)
        except RefusedError as error:
            if error.code != UNKNOWN_MESSAGE:
                raise
            return await self._post(replace(body, nonce=_nonce(body.nonce, ref)))
        return ref

    def _body(self, body: Body, index: int, *, is_first: bool) -> Body:
        reply, to = self._reply, self._reply.to or ""
        is_answer = is_first and to.isdecimal() and not reply.chat.is_private
        return replace(
            body,
            text=f"{self._above}\n{body.text}" if is_first and self._above else body.text,
            nonce=_nonce(self._channel, reply.chat.ref, to, str(reply.key), str(index)),
            answers=to if is_answer else "",
        )


def showing(part: DiscordPart) -> Body:
    """Return what a message shows of a text, with the whole of it as a file where it is long."""
    data = part.file.encode(errors="replace")
    file = File(name="answer.md", mime="text/markdown; charset=utf-8", data=data)
    return Body(text=part.text, file=file if data else None)


def index_of(reply: Reply, ref: str) -> int:
    """Return which part of the reply a message is."""
    return [posted.ref for posted in reply.posted].index(ref)


def _shows(message: Mapping[str, Any], body: Body) -> bool:
    """Say whether a message is what we asked for; Discord strips texts."""
    is_file_there = bool(message.get("attachments")) or not body.file
    return is_file_there and message.get("content", "").strip() == body.text.strip()


def _nonce(*parts: str) -> str:
    """Return the same 24 characters for the same parts, and others for others."""
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()
