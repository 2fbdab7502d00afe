"""The calls of Discord's REST API that we make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from bots.discord.buckets import PER_SECOND
from bots.discord.ticket import Ticket
from bots.discord.transport import (
    PREVIEW_SECONDS,
    TOTAL_SECONDS,
    UPLOAD_SECONDS,
    RefusedError,
    Transport,
)
from core.errors import DeliveryError
from core.types import File

__all__ = ["Body", "RefusedError", "Rest"]

# discord.com/developers/docs/resources/message, 2026-11: flags of messages.
SUPPRESS_EMBEDS = 1 << 2
EPHEMERAL = 1 << 6
NO_PINGS = {"parse": [], "replied_user": False}
# discord.com/developers/docs/interactions/receiving-and-responding, 2026-11: types of answers,
# the time to give one in, and how many values can be suggested.
_MESSAGE, _DEFERRED, _SUGGESTIONS = 4, 5, 8
_ACK_SECONDS = 3.0
_MOST_CHOICES = 25
# discord.com/developers/docs/resources/channel#start-thread-from-message, 2026-11.
_THREAD_NAME_LENGTH = 100
_UNCLEAR = "Discord's answer could not be understood."


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a message shows. It pings nobody, whatever it says.

    Attributes:
        text: At most 2000 characters.
        file: What is attached; None for nothing.
        nonce: A further message with it is not posted, the first one is returned instead, for
            some minutes. At most 25 characters; channels only.
        answers: Id of the message it replies to; channels only.
        is_hidden: Only who asked sees it; further answers to an interaction only.
        is_plain: Without all that can be left out.
    """

    text: str
    file: File | None = None
    nonce: str = ""
    answers: str = ""
    is_hidden: bool = False
    is_plain: bool = False

    def posted(self) -> dict[str, Any]:
        """Return the fields of a new message."""
        fields = self._fields(EPHEMERAL if self.is_hidden else 0)
        if self.nonce:
            fields |= {"nonce": self.nonce, "enforce_nonce": True}
        if self.answers:
            reference = {"message_id": self.answers, "fail_if_not_exists": False}
            fields["message_reference"] = reference
        return fields

    def edited(self) -> dict[str, Any]:
        """Return the fields that make another message show the same."""
        return {"attachments": []} | self._fields(0)

    def _fields(self, flags: int) -> dict[str, Any]:
        flags |= 0 if self.is_plain else SUPPRESS_EMBEDS
        fields: dict[str, Any] = {"content": self.text, "allowed_mentions": NO_PINGS}
        if flags:
            fields["flags"] = flags
        if self.file:
            fields["attachments"] = [{"id": 0, "filename": self.file.name}]
        return fields


class Rest:
    """Talks to Discord for one bot account, within its rate limits and without ever sleeping.

    Every method raises DeliveryError if it cannot be done now: with `retry_after` if a limit
    is the reason, without if Discord was not reached, and then it may have been done; and
    RefusedError if it can never be done. What `is_preview` does not take long and leaves
    to final texts the last call of its bucket and a good part of the calls of a second.

    Args:
        token: The bot's.
        root: Of the API, version included; empty for the one the SDK uses.
        proxy: URL of an HTTP proxy; None means the one the system names, if any.
        preview_seconds: The most that a call for a preview takes.
        change_seconds: The most that an edit for one takes; see `bots.live.Pace`.
        per_second: Calls that Discord allows the bot in a second; large ones are given more.
    """

    def __init__(
        self,
        token: str,
        *,
        root: str = "",
        proxy: str | None = None,
        preview_seconds: float = PREVIEW_SECONDS,
        change_seconds: float = 10.0,
        per_second: int = PER_SECOND,
    ) -> None:
        self._change_seconds = change_seconds
        self._transport = Transport(
            token,
            root=root,
            proxy=proxy,
            preview_seconds=preview_seconds,
            per_second=per_second,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    def trace(self) -> aiohttp.TraceConfig:
        """Return what makes the SDK's calls keep to the limit over all, together with ours."""
        return self._transport.trace()

    async def call(
        self, method: str, path: str, fields: object = None, *, is_preview: bool = False
    ) -> Any:  # noqa: ANN401 - JSON
        """Make any call, with `fields` as JSON; return the JSON it answers, or an empty dict."""
        return await self._transport.call(method, path, fields, is_preview=is_preview)

    async def fetch(self, url: str, *, most: int) -> bytes:
        """Return the bytes of an attachment, which are at most so many.

        Raises:
            FetchError: It is larger, or is not there any more.
            DeliveryError: Not now.
        """
        return await self._transport.fetch(url, most=most)

    # Messages in channels.

    async def post(self, channel: str, body: Body, *, is_preview: bool = False) -> dict[str, Any]:
        """Post a message; return it, or the one that was posted with the same nonce."""
        path = f"/channels/{channel}/messages"
        return await self._write("POST", path, body, is_preview=is_preview)

    async def edit(
        self, channel: str, message: str, body: Body, *, is_preview: bool = False
    ) -> dict[str, Any]:
        """Make a message of ours show something else; return it."""
        path = f"/channels/{channel}/messages/{message}"
        return await self._write("PATCH", path, body, is_preview=is_preview)

    async def delete(self, channel: str, message: str) -> None:
        """Delete a message."""
        await self.call("DELETE", f"/channels/{channel}/messages/{message}")

    async def type(self, channel: str) -> None:
        """Show that the bot writes, for 10 seconds or until it has written."""
        await self.call("POST", f"/channels/{channel}/typing", is_preview=True)

    async def open_thread(
        self, channel: str, message: str, name: str, *, is_preview: bool = False
    ) -> None:
        """Open a thread at a message, whose id it gets; refused with 160004 if there is one."""
        path = f"/channels/{channel}/messages/{message}/threads"
        fields = {"name": name[:_THREAD_NAME_LENGTH]}
        await self.call("POST", path, fields, is_preview=is_preview)

    async def reopen(self, thread: str, *, is_preview: bool = False) -> None:
        """Take a thread out of the archive, as posting in it does and editing does not."""
        fields = {"archived": False}
        await self.call("PATCH", f"/channels/{thread}", fields, is_preview=is_preview)

    async def open_direct(self, user: str, *, is_preview: bool = False) -> str:
        """Return the id of the channel for direct messages to somebody."""
        fields = {"recipient_id": user}
        found = await self.call("POST", "/users/@me/channels", fields, is_preview=is_preview)
        return str(_checked(found)["id"])

    # Answers to interactions.

    async def original(self, ticket: Ticket) -> str:
        """Return the id of the first answer, such as the one that says that it follows."""
        found = await self.call("GET", f"{_hook(ticket)}/messages/@original")
        return str(_checked(found)["id"])

    async def defer(self, interaction: str, token: str, *, is_hidden: bool = False) -> str:
        """Say that the answer follows; return the id of the message that says so, or nothing.

        Refused with 40060 if that was said before, with 10062 if the 3 seconds are over.
        """
        answer: dict[str, Any] = {"type": _DEFERRED}
        if is_hidden:
            answer["data"] = {"flags": EPHEMERAL}
        found = await self._respond(interaction, token, answer, query="?with_response=true")
        return str(found.get("interaction", {}).get("response_message_id") or "")

    async def reply(self, interaction: str, token: str, text: str) -> None:
        """Answer at once, so that only who asked sees it."""
        data = Body(text=text, is_hidden=True).posted()
        await self._respond(interaction, token, {"type": _MESSAGE, "data": data})

    async def suggest(
        self, interaction: str, token: str, choices: Sequence[Mapping[str, Any]]
    ) -> None:
        """Suggest values for what somebody is typing; of more than 25, the first."""
        data = {"choices": list(choices[:_MOST_CHOICES])}
        await self._respond(interaction, token, {"type": _SUGGESTIONS, "data": data})

    async def post_by(
        self, ticket: Ticket, body: Body, *, is_preview: bool = False
    ) -> dict[str, Any]:
        """Post a further answer to an interaction; return it.

        It has no nonce, and is waited for long, since it stands twice if it is posted again.
        """
        return await self._write(
            "POST", _hook(ticket), body, is_preview=is_preview, seconds=TOTAL_SECONDS
        )

    async def edit_by(
        self, ticket: Ticket, message: str, body: Body, *, is_preview: bool = False
    ) -> dict[str, Any]:
        """Make an answer to an interaction show something else; return it.

        The first answer is `@original`, even while it only says that the answer follows.
        """
        path = f"{_hook(ticket)}/messages/{message}"
        return await self._write("PATCH", path, body, is_preview=is_preview)

    async def delete_by(self, ticket: Ticket, message: str) -> None:
        """Delete an answer to an interaction."""
        await self.call("DELETE", f"{_hook(ticket)}/messages/{message}")

    # The command menu.

    async def commands(self, application: str) -> list[dict[str, Any]]:
        """Return the commands that stand everywhere, in all languages."""
        path = f"/applications/{application}/commands?with_localizations=true"
        return list(await self.call("GET", path))

    async def put_commands(
        self, application: str, commands: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """Replace the commands that stand everywhere; return them."""
        return list(await self.call("PUT", f"/applications/{application}/commands", commands))

    async def _respond(
        self, interaction: str, token: str, answer: Mapping[str, Any], *, query: str = ""
    ) -> dict[str, Any]:
        path = f"/interactions/{interaction}/{token}/callback{query}"
        found: dict[str, Any] = await self._transport.call(
            "POST", path, answer, seconds=_ACK_SECONDS
        )
        return found

    async def _write(
        self,
        method: str,
        path: str,
        body: Body,
        *,
        is_preview: bool,
        seconds: float | None = None,
    ) -> dict[str, Any]:
        fields = body.posted() if method == "POST" else body.edited()
        if body.file and not is_preview:
            seconds = UPLOAD_SECONDS
        if is_preview and method == "PATCH":
            seconds = self._change_seconds
        found = await self._transport.call(
            method, path, fields, file=body.file, is_preview=is_preview, seconds=seconds
        )
        return _checked(found)


def _hook(ticket: Ticket) -> str:
    return f"/webhooks/{ticket.application}/{ticket.token}"


def _checked(found: object) -> dict[str, Any]:
    """Return what has an id."""
    if isinstance(found, dict) and found.get("id"):
        return found
    raise DeliveryError(_UNCLEAR)
