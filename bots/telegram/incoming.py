"""What an update means: an Incoming, or nothing for us. Pure; it cannot fail."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import replace

import telegram

from core.documents import is_text
from core.types import Chat, Document, Incoming, Person, Quoted, Voice

# Clients split a paste at 4096 UTF-16 units or at a line break before it (Bot API 10.1,
# sendMessage.text, 2026-11); a person who types stays well below.
PARTIAL_LENGTH = 4000
NAME_LENGTH = 64
_PRIVATE = "private"
_GROUPS = ("group", "supergroup")

# Bot API 10.1, Message. What comes with another field for old clients stands before it. Fields
# younger than the SDK are found in its `api_kwargs`.
_UNREADABLE = {
    "animation": "an animation",
    "live_photo": "a live photo",
    "photo": "a picture",
    "sticker": "a sticker",
    "video": "a video",
    "document": "a document",
    "story": "a story",
    "paid_media": "paid media",
    "contact": "a contact",
    "venue": "a place",
    "location": "a location",
    "poll": "a poll",
    "checklist": "a checklist",
    "dice": "a die",
    "game": "a game",
    "invoice": "an invoice",
    "giveaway": "a giveaway",
    "rich_message": "a richly formatted message",
}

_COMMAND = re.compile(r"/(?P<name>\w{1,64})(?:@(?P<bot>\w+))?(?=\s|$)", re.ASCII)
# Of files whose media type says nothing; those that may be films are left out.
_AUDIBLE_NAMES = (".flac", ".m4a", ".mp3", ".mpga", ".oga", ".ogg", ".opus", ".wav")
_AUDIBLE = ("voice", "audio", "video_note")
# Telegram records these two itself and does not always say in what.
_MIMES = {"voice": "audio/ogg", "video_note": "video/mp4"}

Span = tuple[int, int]


def incoming(update: telegram.Update, me: telegram.User) -> Incoming | None:
    """Return the message an update holds, new or edited, if it is one for us to answer.

    Not for us: channel posts, service messages, what bots write, and in groups
    everything that neither mentions the bot, nor replies to it, nor is a command.
    """
    message = update.message or update.edited_message
    if message is None or message.chat.type not in (_PRIVATE, *_GROUPS):
        return None
    person = _person(message)
    text = _clean(message.text) or _clean(message.caption)
    voice = _voice(message)
    documents = _documents(message)
    unreadable = "" if voice or documents else _unreadable(message)
    if person is None or not (text or voice or documents or unreadable):
        return None
    is_private = message.chat.type == _PRIVATE
    if not is_private:
        mentions = _mentions(message, text, me)
        if not _is_for(me, message, text, is_mentioned=bool(mentions)):
            return None
        text = _without(text, mentions)
    return Incoming(
        event=f"{me.id}:{update.update_id}:{message.message_id}",
        chat=_chat(message, is_private=is_private),
        person=person,
        text=_plain_command(text, me),
        message=str(message.message_id),
        sent_at=int(message.date.timestamp() * 1000) if message.date else 0,
        voice=voice,
        documents=documents,
        quoted=_quoted(message, me),
        is_partial=_length(text) >= PARTIAL_LENGTH or bool(message.media_group_id),
        unreadable=unreadable,
    )


def renamed(message: telegram.Message) -> tuple[Chat, str] | None:
    """Return a group that became a supergroup, and the id it has now; it is said in both."""
    chat = _chat(message, is_private=False)
    if isinstance(message.migrate_to_chat_id, int):
        return chat, str(message.migrate_to_chat_id)
    if isinstance(message.migrate_from_chat_id, int):
        return replace(chat, ref=str(message.migrate_from_chat_id)), chat.ref
    return None


def _chat(message: telegram.Message, *, is_private: bool) -> Chat:
    ref = str(message.chat.id)
    if message.is_topic_message and message.message_thread_id:
        ref = f"{ref}/{message.message_thread_id}"
    title = "" if is_private else _name(message.chat.title)
    return Chat(platform="telegram", ref=ref, is_private=is_private, title=title)


def _person(message: telegram.Message) -> Person | None:
    """Return who wrote a message; None for bots and channels forwarded by the server."""
    if message.is_automatic_forward:
        return None
    sender = message.sender_chat  # an anonymous administrator, or somebody as their channel
    if sender:
        return Person(id=f"telegram:{sender.id}", name=_name(sender.title))
    user = message.from_user
    if user is None or user.is_bot:
        return None
    return Person(id=f"telegram:{user.id}", name=_user_name(user))


def _user_name(user: telegram.User) -> str:
    return _name(f"{_clean(user.first_name)} {_clean(user.last_name)}") or _name(user.username)


def _name(name: str | None) -> str:
    """Put a name on one line of bounded length."""
    return " ".join(_clean(name).split())[:NAME_LENGTH].rstrip()


def _clean(text: str | None) -> str:
    """Replace what no database stores, unit by unit, so that entities keep their places."""
    if not text or text.isascii():
        return (text or "").replace("\0", " ")
    units = text.replace("\0", " ").encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "replace")


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _voice(message: telegram.Message | telegram.ExternalReplyInfo) -> Voice | None:
    for field in _AUDIBLE:
        if media := getattr(message, field):
            return Voice(
                ref=media.file_id,
                seconds=_seconds(media.duration),
                size=media.file_size,
                mime=_clean(getattr(media, "mime_type", None)) or _MIMES.get(field, ""),
                name=_clean(getattr(media, "file_name", None)),
            )
    file = message.document
    if file is None:
        return None
    mime, name = _clean(file.mime_type), _clean(file.file_name)
    if not mime.startswith("audio/") and not name.lower().endswith(_AUDIBLE_NAMES):
        return None
    return Voice(ref=file.file_id, size=file.file_size, mime=mime, name=name)


def _documents(message: telegram.Message | telegram.ExternalReplyInfo) -> tuple[Document, ...]:
    file = message.document
    if file is None:
        return ()
    name = _clean(file.file_name) or "document"
    if not is_text(_clean(file.mime_type), name):
        return ()
    return (Document(ref=file.file_id, name=name, size=file.file_size),)


def _seconds(duration: dt.timedelta | int) -> float:
    if isinstance(duration, dt.timedelta):
        return duration.total_seconds()
    return float(duration)


def _unreadable(message: telegram.Message) -> str:
    for field, words in _UNREADABLE.items():
        if getattr(message, field, None) or message.api_kwargs.get(field):
            return words
    return ""


def _quoted(message: telegram.Message, me: telegram.User) -> Quoted | None:
    """Return what a message replies to, or only the fragment the person chose of it."""
    name, text, voice = "", "", None
    documents: tuple[Document, ...] = ()
    replied, elsewhere = _replied(message), message.external_reply
    if replied:
        name = _writer(replied, me)
        text, voice = _clean(replied.text) or _clean(replied.caption), _voice(replied)
        documents = _documents(replied)
    elif elsewhere:
        name, voice = _origin(elsewhere.origin), _voice(elsewhere)
        documents = _documents(elsewhere)
    if message.quote:
        text = _clean(message.quote.text) or text
    if not (text or voice or documents):
        return None
    return Quoted(name=name, text=text, voice=voice, documents=documents)


def _replied(message: telegram.Message) -> telegram.Message | None:
    """Return the message replied to; a topic's opening counts as none."""
    replied = message.reply_to_message
    return None if replied is None or replied.forum_topic_created else replied


def _writer(message: telegram.Message, me: telegram.User) -> str:
    if message.sender_chat:
        return _name(message.sender_chat.title)
    user = message.from_user
    return "" if user is None or user.id == me.id else _user_name(user)


def _origin(origin: telegram.MessageOrigin) -> str:
    if isinstance(origin, telegram.MessageOriginUser):
        return _user_name(origin.sender_user)
    if isinstance(origin, telegram.MessageOriginHiddenUser):
        return _name(origin.sender_user_name)
    if isinstance(origin, telegram.MessageOriginChat):
        return _name(origin.sender_chat.title)
    if isinstance(origin, telegram.MessageOriginChannel):
        return _name(origin.chat.title)
    return ""


def _is_for(
    me: telegram.User, message: telegram.Message, text: str, *, is_mentioned: bool
) -> bool:
    """Say whether a group's message is meant for the bot."""
    command = _COMMAND.match(text)
    if command and command["bot"]:
        return _is_me(command["bot"], me)
    replied = _replied(message)
    is_reply = replied is not None and replied.from_user == me
    return bool(command) or is_mentioned or is_reply


def _is_me(username: str, me: telegram.User) -> bool:
    return bool(username) and username.lower() == (me.username or "").lower()


def _mentions(message: telegram.Message, text: str, me: telegram.User) -> list[Span]:
    """Return where the bot is mentioned, in characters, in order."""
    entities: Sequence[telegram.MessageEntity]
    entities = message.entities if message.text else message.caption_entities
    spans = []
    for entity in entities:
        span = _span(text, entity)
        is_named = entity.type == "mention" and _is_me(text[slice(*span)].lstrip("@"), me)
        is_linked = entity.type == "text_mention" and entity.user == me
        if is_named or is_linked:
            spans.append(span)
    return sorted(spans)


def _span(text: str, entity: telegram.MessageEntity) -> Span:
    start = max(entity.offset, 0)
    end = max(start, entity.offset + entity.length)
    if text.isascii():
        return start, end
    units = text.encode("utf-16-le")
    return _characters(units[: 2 * start]), _characters(units[: 2 * end])


def _characters(units: bytes) -> int:
    return len(units.decode("utf-16-le", "ignore"))


def _without(text: str, mentions: Sequence[Span]) -> str:
    """Take mentions of the bot out where they only address it: at the beginning and the end."""
    for start, end in reversed(mentions):
        if not text[end:].strip():
            text = text[:start].rstrip()
        elif not text[:start].strip():
            text = text[end:].lstrip().lstrip(",:").lstrip()
    return text


def _plain_command(text: str, me: telegram.User) -> str:
    command = _COMMAND.match(text)
    if command and command["bot"] and _is_me(command["bot"], me):
        return f"/{command['name']}{text[command.end() :]}"
    return text
