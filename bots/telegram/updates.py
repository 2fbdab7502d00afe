"""What polling and the webhook share: an update read and stored, a call made until it is answered.

An update is the same whichever way it comes, so it is read by itself, and one that cannot be read
is set aside.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import telegram

from bots.telegram.incoming import incoming, renamed
from bots.telegram.transport import seconds
from core.errors import SettingsError
from core.protocols import Inbox
from core.types import Chat, Incoming

log = logging.getLogger(__name__)

T = TypeVar("T")

# Update types that we read (Bot API 10.1, Update).
ALLOWED = ("message", "edited_message")
LONGEST_PAUSE = 30.0

_REFUSED = (
    "TELEGRAM_BOT_TOKEN: should be a token that Telegram accepts, such as 123456:ABC-DEF; "
    "copy it anew from @BotFather (and check TELEGRAM_API_URL, if you have set it)"
)
# What the SDK and `incoming` may raise over JSON that is not what the documentation says.
_MALFORMED = (
    AttributeError,
    LookupError,
    OSError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)

# Fields of a message that `incoming` reads: without the former it may be somebody else's, or
# another chat's; the latter are of use each by itself.
_CORE = (
    "message_id",
    "date",
    "chat",
    "from",
    "sender_chat",
    "is_automatic_forward",
    "is_topic_message",
    "message_thread_id",
    "media_group_id",
    "migrate_from_chat_id",
    "migrate_to_chat_id",
    "text",
    "caption",
)
_BESIDE = (
    "entities",
    "caption_entities",
    "voice",
    "audio",
    "video_note",
    "document",
    "reply_to_message",
    "external_reply",
    "quote",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The message in an update, new or edited."""

    incoming: Incoming
    is_edit: bool

    @property
    def ref(self) -> str:
        """The chat it belongs to, for their order."""
        return self.incoming.chat.ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamed:
    """A group that became a supergroup, which has another id: `ref`."""

    chat: Chat
    ref: str


Found = Read | Renamed


@dataclass(slots=True)
class Pauses:
    """Ever longer pauses, with jitter, in seconds; what fails is reported once.

    Attributes:
        first: The first pause; they double up to 30.
        what: What is interrupted, for the log.
    """

    first: float
    what: str
    failures: int = 0

    async def wait(self, reason: str) -> None:
        """Pause after a failure."""
        pause = min(self.first * 2 ** min(self.failures, 10), LONGEST_PAUSE)
        self.begin(reason)
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    def begin(self, reason: str) -> None:
        """Take note of a failure."""
        if not self.failures:
            log.warning("%s is interrupted: %s", self.what, reason)
        self.failures += 1

    def end(self) -> None:
        """Take note that it works again."""
        if self.failures:
            log.info("%s goes on", self.what)
        self.failures = 0


def read(raw: Any, me: telegram.User) -> Found | None:  # noqa: ANN401 - JSON
    """Return the message in one update, if it is for us; one that cannot be read is set aside."""
    try:
        return _found(raw, me)
    except _MALFORMED:
        found = _rest(raw, me)
    update_id = raw.get("update_id") if isinstance(raw, dict) else None
    # Whatever stands there instead of a number may be somebody's words.
    number = update_id if isinstance(update_id, int) else None
    what = "can be read only in part" if found else "cannot be read and is set aside"
    log.warning("telegram update %s %s", number, what)
    return found


def _found(raw: Any, me: telegram.User) -> Found | None:  # noqa: ANN401 - JSON
    update = telegram.Update.de_json(raw)
    _check(update)
    if update.message and (found := renamed(update.message)):
        return Renamed(chat=found[0], ref=found[1])
    message = incoming(update, me)
    return Read(incoming=message, is_edit=update.message is None) if message else None


def _rest(raw: Any, me: telegram.User) -> Found | None:  # noqa: ANN401 - JSON
    """Return what a message says without those fields of it that cannot be read, if anything."""
    found = None
    with suppress(*_MALFORMED):
        kind = "message" if "message" in raw else "edited_message"
        whole = raw[kind]
        kept = {name: whole[name] for name in _CORE if name in whole}
        found = _found({"update_id": raw["update_id"], kind: kept}, me)
        for name in _BESIDE:
            with suppress(*_MALFORMED):
                more = {**kept, name: whole[name]}
                found = _found({"update_id": raw["update_id"], kind: more}, me)
                kept = more
    return found


def _check(update: telegram.Update) -> None:
    """See that the ids are there, by which a message is known, ordered and answered.

    Raises:
        TypeError: They are not.
    """
    message = update.message or update.edited_message
    ids: tuple[object, ...] = (message.chat.id, message.message_id) if message else ()
    if not all(isinstance(number, int) for number in (update.update_id, *ids)):
        raise TypeError


async def store(message: Found, inbox: Inbox) -> None:
    """Hand a message to the inbox.

    Raises:
        StoreError: It is not stored; to be handed over again.
    """
    if isinstance(message, Renamed):
        await inbox.rename(message.chat, message.ref)
    elif message.is_edit:
        await inbox.amend(message.incoming)
    else:
        await inbox.receive(message.incoming)


async def insist(step: Callable[[], Awaitable[T]], pauses: Pauses) -> T:
    """Return what a call to Telegram returns, however often it has to be made.

    Raises:
        SettingsError: The token is refused.
    """
    while True:
        try:
            return await step()
        except telegram.error.InvalidToken:
            raise SettingsError(_REFUSED) from None
        except telegram.error.RetryAfter as error:
            await asyncio.sleep(seconds(error))
        except telegram.error.TelegramError as error:
            await pauses.wait(reason(error))


def reason(error: telegram.error.TelegramError) -> str:
    """Return what a log says of an error."""
    return f"{type(error).__name__}: {error.message}"
