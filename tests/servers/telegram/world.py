"""What is in the simulated world: people, messages, drafts, files."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tests.servers.telegram.chats import Chat

Json = dict[str, Any]


@dataclass(slots=True, kw_only=True, eq=False)
class User:
    """A person, or the bot."""

    id: int
    name: str
    username: str = ""
    last_name: str = ""
    language: str = "en"
    is_bot: bool = False
    has_blocked: bool = False

    def json(self) -> Json:
        """Return the Bot API's User."""
        found: Json = {"id": self.id, "is_bot": self.is_bot, "first_name": self.name}
        if self.last_name:
            found["last_name"] = self.last_name
        if self.username:
            found["username"] = self.username
        if not self.is_bot:
            found["language_code"] = self.language
        return found


@dataclass(slots=True, kw_only=True, eq=False)
class Message:
    """A message as it stands now.

    Attributes:
        sender: Who wrote it; the bot is `server.bot`.
        text: Text, or caption.
        entities: Of the text or caption, as MessageEntity objects.
        content: Fields of its content other than text: `voice`, `photo`, `new_chat_members`...
        reply_to: Id of the message it replies to.
        topic: Id of the forum topic it stands in.
        edits: How often its text was changed.
        versions: Every text it had, oldest first.
        options: Parameters of the call it came by, other than those above.
    """

    id: int
    chat: "Chat"
    sender: User
    text: str = ""
    entities: list[Json] = field(default_factory=list)
    content: Json = field(default_factory=dict)
    reply_to: int | None = None
    topic: int | None = None
    date: int = field(default_factory=lambda: int(time.time()))
    edits: int = 0
    edited_at: int | None = None
    is_deleted: bool = False
    versions: list[str] = field(default_factory=list)
    options: Json = field(default_factory=dict)

    @property
    def is_from_bot(self) -> bool:
        """Whether the bot under test wrote it."""
        return self.sender.is_bot

    def json(self, *, is_quoted: bool = False) -> Json:
        """Return the Bot API's Message; a quoted one does not quote in its turn."""
        found: Json = {
            "message_id": self.id,
            "from": self.sender.json(),
            "chat": self.chat.json(),
            "date": self.date,
        }
        if self.edited_at:
            found["edit_date"] = self.edited_at
        found |= self.content
        if self.text:
            key = "caption" if self.content else "text"
            found[key] = self.text
            if self.entities:
                found["caption_entities" if self.content else "entities"] = self.entities
        self._place(found, is_quoted=is_quoted)
        return found

    def _place(self, found: Json, *, is_quoted: bool) -> None:
        """Add thread and reply; what a topic's message does not reply to, it "replies" to it.

        In a supergroup without topics, replies too carry the id of their thread, without
        `is_topic_message`.
        """
        if self.topic:
            found["message_thread_id"] = self.topic
            found["is_topic_message"] = True
        elif self.reply_to and self.chat.type == "supergroup":
            found["message_thread_id"] = self.chat.root(self.reply_to)
        replied = self.chat.messages.get(self.reply_to or self.topic or 0)
        if replied and not is_quoted and not replied.is_deleted:
            found["reply_to_message"] = replied.json(is_quoted=True)


@dataclass(slots=True, kw_only=True)
class Draft:
    """What a person sees of a message that is still being written.

    Attributes:
        at: Time of the last change, monotonic seconds; a draft fades 30 s later.
        versions: Every text it showed, oldest first.
    """

    id: int
    text: str
    entities: list[Json]
    at: float
    versions: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One change of what the people in a chat see of the bot.

    Attributes:
        at: Monotonic seconds.
        id: Of the message or draft.
    """

    at: float
    kind: Literal["message", "edit", "draft", "delete", "typing"]
    id: int
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that Telegram keeps.

    Attributes:
        size: In bytes; may be larger than `data` so that a test needs no 20 MB.
        path: What getFile returns as `file_path`.
    """

    id: str
    unique_id: str
    path: str
    data: bytes
    size: int
    mime: str
