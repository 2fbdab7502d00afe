"""What it means that Discord refuses a message: show less of it, or give it up and say why."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from bots.discord.rest import Body, RefusedError
from bots.live import missing, too_large
from bots.notes import keep
from core.errors import DeliveryError, GoneError
from core.types import File

log = logging.getLogger(__name__)

# An owner is told of a fault in a chat this often.
TELL_SECONDS = 3600.0
LENGTH = 2000
# support.discord.com/hc/en-us/articles/25444343291031, 2026-11: 10 MB; more only in servers that
# are paid for.
LARGEST_FILE = 10_000_000

# All codes: discord.com/developers/docs/topics/opcodes-and-status-codes, JSON, 2026-11.
UNKNOWN_MESSAGE = 10008
ARCHIVED = 50083
UNKNOWN_WEBHOOK = 10015
THREAD_EXISTS = 160004
TOO_MANY_FOLLOWUPS = 40094
MISSING_PERMISSIONS = 50013
_INVALID, _EMPTY = 50035, 50006
# The last two: unknown interaction, invalid webhook token.
_OVER = (UNKNOWN_WEBHOOK, 10062, 50027)
# Too large; invalid; uploads limited for this server.
_FILES = (40005, 50045, 50046, 50110, 400001)
_NO_HISTORY = 160002
_TEXT = {
    20009: "Discord's filter for explicit content blocked this answer.",
    200000: "This server's AutoMod blocked this answer.",
    200001: "This server's AutoMod blocked this answer.",
    240000: "Discord's filter for harmful links blocked this answer.",
    _INVALID: "Discord does not accept this answer.",
    _EMPTY: "Discord does not accept this answer: nothing of it can be seen.",
}
_ADVICE = {
    10003: "the channel is gone",
    10004: "the server is gone",
    50001: "it may not see the channel; give it View Channel there, or invite it anew",
    50007: "this person takes no direct messages from it: blocked, switched off, no common server",
    50008: "nobody can write in a channel of this kind",
    MISSING_PERMISSIONS: "give it Send Messages there, and Send Messages in Threads in a thread",
    ARCHIVED: "the thread is archived; reopen it",
    160005: "the thread is locked; unlock it, or give the bot Manage Threads",
}

_GONE = "The bot cannot write in this chat any more."

Write = Callable[[Body], Awaitable[dict[str, Any]]]


@dataclass(slots=True)
class Notes:
    """What the bot has learnt about its chats, for as long as it runs.

    Attributes:
        told: When (by `time.monotonic`) its owner heard last of a fault, by chat and code.
        threads: By the message it begins at, whether a thread could be opened.
        over: By interaction that cannot be answered any more, the code that said so.
        directs: The channel for direct messages, by person.
        acknowledged: By interaction that this process has taken in, what is done once Discord
            was told that its answer follows, or never will be.
        refused: By interaction that another process has taken in, when (likewise) Discord first
            said that it waits for no answer.
    """

    told: dict[tuple[str, int], float] = field(default_factory=dict)
    threads: dict[str, bool] = field(default_factory=dict)
    over: dict[str, int] = field(default_factory=dict)
    directs: dict[str, str] = field(default_factory=dict)
    acknowledged: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    refused: dict[str, float] = field(default_factory=dict)


def is_over(error: RefusedError) -> bool:
    """Say whether an interaction can be answered no more."""
    return error.code in _OVER or (error.status in {401, 404} and error.code != UNKNOWN_MESSAGE)


@contextlib.contextmanager
def mapped(chat: str, notes: Notes) -> Iterator[None]:
    """Give up what Discord refuses.

    Raises:
        GoneError: It did.
    """
    try:
        yield
    except RefusedError as error:
        raise _given_up(error, chat, notes) from None


def _given_up(error: RefusedError, chat: str, notes: Notes) -> GoneError:
    """Return the error that ends a delivery; tell the owner what to do, once an hour."""
    now, key = time.monotonic(), (chat, error.code)
    if now >= notes.told.get(key, -TELL_SECONDS) + TELL_SECONDS:
        keep(notes.told, key, now)
        advice = _ADVICE.get(error.code) or _excuse(error) or "it does not say why"
        log.warning("discord refuses the bot in chat %s: %s: %s", chat, error, advice)
    return GoneError(_excuse(error) or _GONE)


def carrying(file: File) -> Body:
    """Return the message that brings a file, or the sentence in its place."""
    if len(file.data) > LARGEST_FILE:
        return Body(text=too_large(file, LARGEST_FILE))
    return Body(text="", file=file)


async def written(write: Write, body: Body, *, is_preview: bool) -> tuple[dict[str, Any], Body]:
    """Write a message, or less of it where Discord refuses more; return both.

    When a final text is refused for what it says, a sentence saying so is written in its place.

    Raises:
        RefusedError: Nothing of it is accepted.
    """
    while True:
        try:
            return await write(body), body
        except RefusedError as error:
            lesser = _less(body, error, is_preview=is_preview)
            if lesser is None:
                if not is_preview and _excuse(error):
                    with contextlib.suppress(RefusedError, DeliveryError):
                        await write(replace(body, text=_excuse(error), file=None))
                raise
            log.info("a message is refused, shown with less: %s", error)
            body = lesser


def _less(body: Body, error: RefusedError, *, is_preview: bool) -> Body | None:
    """Return what may be accepted in place of a refused body; None for nothing.

    First the file goes, if it may be the reason, then the reply to the question. Of a final
    text that is refused for no reason known, the bare words are tried.
    """
    code = error.code
    if body.file and code in {*_FILES, MISSING_PERMISSIONS}:
        return _without_file(body, body.file, code)
    if body.answers and code in {_NO_HISTORY, MISSING_PERMISSIONS, _INVALID}:
        return replace(body, answers="")
    if code == UNKNOWN_MESSAGE and body.nonce and not body.nonce.endswith("+"):
        # What was posted with this nonce has been deleted since.
        return replace(body, nonce=f"{body.nonce}+")
    if code == _INVALID and not body.is_plain and not is_preview:
        body = _without_file(body, body.file, code) if body.file else body
        return replace(body, text=_bare(body.text), is_plain=True)
    return None


def _without_file(body: Body, file: File, code: int) -> Body:
    """Return a body without its file, which is missed where there is no other text."""
    why = "I may not send files here; Attach Files would let me"
    if code != MISSING_PERMISSIONS:
        why = "Discord does not take it here"
    return replace(body, file=None, text=body.text or missing(file, why))


def _excuse(error: RefusedError) -> str:
    """Return what to say in place of a text that is refused for what it says; else nothing."""
    return _TEXT.get(error.code, "")


def _bare(text: str) -> str:
    """Return the words without what is invisible, cut to what fits for certain."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t").strip()[:LENGTH]
