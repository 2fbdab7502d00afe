"""The calls that show one reply in one Telegram chat, and what their failures mean."""

import contextlib
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import telegram

from bots import live
from bots.markup import Entity, Part, telegram_parts
from bots.notes import MOST_NOTES, keep
from bots.telegram.transport import READ_SECONDS, seconds
from core.errors import DeliveryError, GoneError
from core.reply import Reply
from core.types import File

log = logging.getLogger(__name__)

_UNREACHABLE = "Telegram cannot be reached right now."
_PAUSED = "Telegram asks for a pause in this chat."
_GONE = "The bot cannot write in this chat any more."
_REFUSED = "Telegram does not accept this text."

# A timer may ring this early.
TIMER_SECONDS = 0.001
# "Bots FAQ", core.telegram.org/bots/faq, 2026-11: about 30 messages a second in all chats; some
# are left to those that were not refused.
RETURNS_PER_SECOND = 28

# Descriptions of the Bot API's 400, in lower case, as api.telegram.org words them (2026-11).
_SAME = ("message is not modified", "message_not_modified")
_LOST = ("message to edit not found", "message_id_invalid")
_ENTITIES = ("entit", "parse", "url", "tag")
_CHAT_GONE = (
    "chat not found",
    "chat was deactivated",
    "user is deactivated",
    "not enough rights",
    "no rights to send",
    "chat_write_forbidden",
    "chat_restricted",
    "chat_send_plain_forbidden",
    "need administrator rights",
    "peer_id_invalid",
    "message thread not found",
    "topic_closed",
    "topic_deleted",
)
_NO_PREVIEW = telegram.LinkPreviewOptions(is_disabled=True)

# "Bots FAQ", the same: 20 messages a minute in a group, all its topics together; edits count.
# One preview calls every 3 s (`bots.telegram.bot.GROUP_PACE`); those of a group together every
# 4 s, and 5 at once after a quiet time, so that final texts find room.
_GROUP_SHARE, _GROUP_BURST = 4 / 3, 5

# "Sending files", core.telegram.org/bots/api#sending-files, 2026-11; it does not say which MB.
_LARGEST_PHOTO = 10_000_000
_LARGEST_FILE = 50_000_000
_PHOTOS = ("image/png", "image/jpeg")

T = TypeVar("T")
# As raw parameters: the SDK's MessageEntity costs more than the rest of a call together.
Entities = dict[str, list[dict[str, str | int]]] | None


@dataclass(slots=True)
class Notes:
    """What the bot has learnt about its chats, for as long as it runs.

    Attributes:
        quiet: Until when (by `time.monotonic`) a chat is to be left alone.
        used: Until when what was called is all that previews may call in a group.
        draftless: By chat, that it refuses drafts.
        moved: Groups that became supergroups, with their new ids.
    """

    quiet: dict[int, float] = field(default_factory=dict)
    used: dict[int, float] = field(default_factory=dict)
    draftless: dict[int, bool] = field(default_factory=dict)
    moved: dict[int, int] = field(default_factory=dict)

    def check(self, chat: int) -> None:
        """Let a call pass.

        Raises:
            DeliveryError: The chat asked for a pause that is not over.
        """
        until = self.quiet.get(chat)
        if until is None:
            return
        left = until - time.monotonic()
        if left > TIMER_SECONDS:
            raise DeliveryError(_PAUSED, retry_after=left)
        del self.quiet[chat]

    def take(self, group: int, every: float, *, is_preview: bool) -> None:
        """Count a call in a group, where previews may call every so many seconds, a few at once.

        Raises:
            DeliveryError: A preview would leave no room for final texts.
        """
        now = time.monotonic()
        used = max(self.used.get(group, now), now)
        left = used - now - (_GROUP_BURST - 1) * every
        if is_preview and left > TIMER_SECONDS:
            raise DeliveryError(_PAUSED, retry_after=left)
        keep(self.used, group, used + every)

    def pause(self, chat: int, seconds: float) -> float:
        """Leave a chat alone for a while, and return for how long.

        That is a little longer where others come back at the same time: those that are refused
        together have met the limit over all chats, and would meet it again.
        """
        now = time.monotonic()
        if len(self.quiet) >= MOST_NOTES:
            self.quiet = {chat: until for chat, until in self.quiet.items() if until > now}
        until = now + seconds
        taken = {int(other * RETURNS_PER_SECOND) for other in self.quiet.values()}
        place = int(until * RETURNS_PER_SECOND)
        while place in taken:
            place += 1
            until = (place + 0.5) / RETURNS_PER_SECOND
        self.quiet[chat] = max(self.quiet.get(chat, 0.0), until)
        return self.quiet[chat] - now


class TelegramScreen:
    """Where one reply is shown; a `bots.live.Screen`."""

    def __init__(self, bot: telegram.Bot, reply: Reply, *, notes: Notes, pace: live.Pace) -> None:
        self.pace = pace
        self._bot = bot
        self._reply = reply
        self._notes = notes
        self._has_drafts = True  # until one fails; the next reply is tried with drafts again
        chat, _, thread = reply.chat.ref.partition("/")
        self._ref = int(chat)
        self._thread = int(thread) if thread else None

    def render(self, text: str, *, is_final: bool) -> tuple[Part, ...]:
        """Split and format Markdown."""
        return telegram_parts(text, is_final=is_final)

    async def post(self, part: Part, *, is_first: bool) -> str:
        """Send a message; in groups the first is a reply to what was asked."""

        async def send(entities: Entities) -> telegram.Message:
            return await self._bot.send_message(
                self._chat,
                part.text,
                api_kwargs=entities,
                message_thread_id=self._thread,
                link_preview_options=_NO_PREVIEW,
                reply_parameters=self._answered() if is_first else None,
            )

        with self._errors():
            self._take_place()
            try:
                message = await _formatted(send, part)
            except telegram.error.BadRequest as error:
                if _says(error, *_CHAT_GONE):
                    raise
                log.warning("telegram refuses a message, sent bare: %s", error)
                message = await self._bot.send_message(
                    self._chat, part.text, message_thread_id=self._thread
                )
        return str(message.message_id)

    async def edit(self, ref: str, part: Part) -> str:
        """Edit a message; when it is not there any more, send another.

        One whose edit is refused for whatever other reason is replaced too, but only by the
        final text.
        """
        is_there = False

        async def change(entities: Entities) -> None:
            await self._bot.edit_message_text(
                part.text,
                self._chat,
                int(ref),
                api_kwargs=entities,
                link_preview_options=_NO_PREVIEW,
                read_timeout=READ_SECONDS if self._reply.is_final else self.pace.change,
            )

        with self._errors():
            self._take_place()
            try:
                await _formatted(change, part)
            except telegram.error.BadRequest as error:
                if _says(error, *_SAME):
                    return ref
                is_there = not _says(error, *_LOST)
                if is_there and (not self._reply.is_final or _says(error, *_CHAT_GONE)):
                    raise
                log.info("telegram refuses an edit, sent anew: %s", error)
            else:
                return ref
        anew = await self.post(part, is_first=ref == self._reply.posted[0].ref)
        if is_there:
            with contextlib.suppress(DeliveryError):
                await self.remove(ref)
        return anew

    async def attach(self, file: File, *, is_first: bool) -> str:
        """Send a picture as such if Telegram takes it, anything else as a document."""
        why = live.too_large(file, _LARGEST_FILE)
        for send in self._ways(file, is_first=is_first):
            with self._errors():
                try:
                    return str((await send()).message_id)
                except telegram.error.BadRequest as error:
                    log.warning("telegram refuses a file: %s", error)
                    why = live.missing(file, "Telegram does not take it here")
        [part] = self.render(why, is_final=True)
        return await self.post(part, is_first=is_first)

    def _ways(
        self, file: File, *, is_first: bool
    ) -> Iterator[Callable[[], Awaitable[telegram.Message]]]:
        where: dict[str, Any] = {
            "message_thread_id": self._thread,
            "reply_parameters": self._answered() if is_first else None,
        }
        upload = telegram.InputFile(file.data, file.name)
        if file.mime in _PHOTOS and len(file.data) <= _LARGEST_PHOTO:
            yield functools.partial(self._bot.send_photo, self._chat, upload, **where)
        if len(file.data) <= _LARGEST_FILE:
            yield functools.partial(
                self._bot.send_document,
                self._chat,
                upload,
                disable_content_type_detection=True,
                **where,
            )

    async def remove(self, ref: str) -> None:
        """Delete a message."""
        with self._errors():
            await self._bot.delete_message(self._chat, int(ref))

    async def draft(self, part: Part) -> bool:
        """Show a draft, which only private chats have, and fewer servers than methods."""
        if not (self._reply.chat.is_private and self._has_drafts):
            return False
        if self._chat in self._notes.draftless:
            return False

        async def show(entities: Entities) -> None:
            await self._bot.send_message_draft(
                self._chat,
                self._reply.key % 2**31 or 1,
                part.text,
                message_thread_id=self._thread,
                api_kwargs=entities,
                read_timeout=self.pace.call,
            )

        with self._errors():
            try:
                await _formatted(show, part)
            except (telegram.error.BadRequest, telegram.error.InvalidToken) as error:
                log.debug("chat %s takes no drafts: %s", self._chat, error)
                keep(self._notes.draftless, self._chat, True)  # noqa: FBT003 - a value to keep
                return False
            except (
                telegram.error.ChatMigrated,
                telegram.error.Forbidden,
                telegram.error.RetryAfter,
                telegram.error.TimedOut,
            ):
                raise
            except telegram.error.TelegramError as error:
                log.debug("no draft now: %s", type(error).__name__)
                self._has_drafts = False
                return False
        return True

    async def type(self) -> None:
        """Show that the bot writes, for up to 5 seconds."""
        with self._errors():
            await self._bot.send_chat_action(
                self._chat,
                telegram.constants.ChatAction.TYPING,
                self._thread,
                read_timeout=self.pace.call,
            )

    @property
    def _chat(self) -> int:
        return self._notes.moved.get(self._ref, self._ref)

    def _answered(self) -> telegram.ReplyParameters | None:
        if self._reply.chat.is_private or not self._reply.to:
            return None
        return telegram.ReplyParameters(int(self._reply.to), allow_sending_without_reply=True)

    def _take_place(self) -> None:
        """Count a call in a group; a preview leaves room for final texts."""
        if not self._reply.chat.is_private:
            every = self.pace.edit * _GROUP_SHARE
            self._notes.take(self._chat, every, is_preview=not self._reply.is_final)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Refuse a call while the chat is to be left alone; map what goes wrong in it."""
        self._notes.check(self._chat)
        with _mapped_errors():
            try:
                yield
            except telegram.error.ChatMigrated as error:
                keep(self._notes.moved, self._ref, error.new_chat_id)
                raise DeliveryError(_UNREACHABLE, retry_after=0.0) from None
            except telegram.error.RetryAfter as error:
                pause = self._notes.pause(self._chat, seconds(error))
                raise DeliveryError(_PAUSED, retry_after=pause) from None


@contextlib.contextmanager
def _mapped_errors() -> Iterator[None]:
    """Translate the SDK's other errors into ours.

    Raises:
        DeliveryError: It may work later.
        GoneError: It never will.
    """
    try:
        yield
    except telegram.error.Forbidden as error:
        log.info("a chat is gone: %s", error)
        raise GoneError(_GONE) from None
    except telegram.error.BadRequest as error:
        if _says(error, *_CHAT_GONE):
            log.info("a chat is gone: %s", error)
            raise GoneError(_GONE) from None
        log.warning("telegram refuses a call: %s", error)
        raise GoneError(_REFUSED) from None
    except telegram.error.TelegramError as error:
        log.debug("a call failed: %s", type(error).__name__)
        raise DeliveryError(_UNREACHABLE) from None


async def _formatted(call: Callable[[Entities], Awaitable[T]], part: Part) -> T:
    """Make a call with the part's entities, or without when they are refused."""
    if not part.entities:
        return await call(None)
    try:
        return await call({"entities": [_fields(entity) for entity in part.entities]})
    except telegram.error.BadRequest as error:
        if not _says(error, *_ENTITIES):
            raise
        log.warning("telegram refuses entities, shown plain: %s", error)
    return await call(None)


def _fields(entity: Entity) -> dict[str, str | int]:
    found: dict[str, str | int] = {
        "type": entity.type,
        "offset": entity.offset,
        "length": entity.length,
    }
    if entity.url:
        found["url"] = entity.url
    if entity.language:
        found["language"] = entity.language
    return found


def _says(error: telegram.error.TelegramError, *texts: str) -> bool:
    description = error.message.lower()
    return any(text in description for text in texts)
