"""A chat and what people do in it."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from tests.servers.bell import Bell
from tests.servers.telegram import entities as text_rules
from tests.servers.telegram import files
from tests.servers.telegram.world import Draft, Json, Message, Shown, User

if TYPE_CHECKING:
    from tests.servers.telegram.gate import Call
    from tests.servers.telegram.server import TelegramServer

T = TypeVar("T")
# Bot API 10.1, sendMessageDraft: "a temporary 30-second preview".
DRAFT_SECONDS = 30.0
ChatType = Literal["private", "group", "supergroup", "channel"]


class Chat:
    """A private chat or a group, as everybody in it sees it.

    Attributes:
        messages: By id, in order; deleted ones stay, marked.
        drafts: What the bot is writing, by topic (0 for none); a message clears them.
        shown: Every change that people saw of the bot, in order.
        calls: Every API call about this chat, in order.
        topics: Names of a forum's topics, by thread id.
        bot_status: `member`, `administrator`, `left` or `kicked`.
    """

    def __init__(
        self,
        server: "TelegramServer",
        *,
        id: int,  # noqa: A002 - as Telegram names it
        type: ChatType,  # noqa: A002 - the same
        title: str,
        members: Sequence[User],
        is_forum: bool = False,
    ) -> None:
        self.server = server
        self.id = id
        self.type: ChatType = type
        self.title = title
        self.members = list(members)
        self.is_forum = is_forum
        self.messages: dict[int, Message] = {}
        self.drafts: dict[int, Draft] = {}
        self.shown: list[Shown] = []
        self.calls: list[Call] = []
        self.topics: dict[int, str] = {}
        self.bot_status = "member"
        self.migrated_to: Chat | None = None
        self.bell = Bell()
        self._json = self._describe()
        self._from_bot: list[Message] = []
        self._last_id = 1  # that a supergroup was created is its first message

    def _describe(self) -> Json:
        if self.type == "private":
            person = self.members[0].json()
            names = ("first_name", "last_name", "username")
            found = {name: person[name] for name in names if name in person}
            return {"id": self.id, "type": self.type, **found}
        forum = {"is_forum": True} if self.is_forum else {}
        return {"id": self.id, "type": self.type, "title": self.title, **forum}

    def json(self) -> Json:
        """Return the Bot API's Chat; not to be changed."""
        return self._json

    @property
    def answers(self) -> list[Message]:
        """What the bot wrote here and did not delete, oldest first."""
        return [message for message in self._from_bot if not message.is_deleted]

    @property
    def draft(self) -> Draft | None:
        """The draft people see now, if any; it fades 30 s after its last change."""
        since = time.monotonic() - DRAFT_SECONDS
        return next((draft for draft in self.drafts.values() if draft.at >= since), None)

    async def answer(self, n: int = 1, *, containing: str = "", seconds: float = 30.0) -> Message:
        """Wait for the bot's n-th message here, until it contains `containing`.

        Raises:
            TimeoutError: With what stands in the chat instead.
        """

        def find() -> Message | None:
            answers = self.answers if len(self._from_bot) >= n else []
            found = answers[n - 1] if len(answers) >= n else None
            return found if found and containing in found.text else None

        found = await self.until(find, seconds=seconds)
        assert found is not None
        return found

    async def until(self, condition: Callable[[], T], *, seconds: float = 30.0) -> T:
        """Wait until a condition about this chat holds; return its value.

        Raises:
            TimeoutError: With what stands in the chat instead.
        """
        try:
            return await self.bell.until(condition, seconds)
        except TimeoutError:
            texts = [message.text[:80] for message in self.answers]
            raise TimeoutError(f"after {seconds} s {self.title} shows {texts}") from None

    # What people do.

    def say(
        self,
        user: User,
        text: str,
        *,
        entities: list[Json] | None = None,
        reply_to: Message | None = None,
        topic: int | None = None,
    ) -> Message:
        """Write something; return the message, the last one if the client had to split."""
        return self.paste(user, text, entities=entities, reply_to=reply_to, topic=topic)[-1]

    def paste(
        self, user: User, text: str, *, is_soft: bool = False, **place: Any
    ) -> list[Message]:
        """Write something of any length; clients send it in parts of at most 4096 units.

        Args:
            user: Who writes.
            text: What; entities of commands, mentions, links and tags are found in it.
            is_soft: The client cuts at line breaks and spaces instead of at 4096 exactly.
            place: `entities`, `reply_to`, `topic` as in `say`.
        """
        given = place.pop("entities", None)
        sent = []
        for part in text_rules.cut(text, is_soft=is_soft):
            found = text_rules.typed_entities(part) if given is None else given
            tidy, kept = text_rules.tidy(part, found)
            sent.append(self.put(user, text=tidy, entities=kept, **place))
        return sent

    def put(
        self,
        user: User,
        *,
        content: Json | None = None,
        text: str = "",
        entities: list[Json] | None = None,
        reply_to: Message | None = None,
        topic: int | None = None,
    ) -> Message:
        """Add a message of any content and tell the bot, if it may see it."""
        message = self.add(
            user,
            text=text,
            entities=entities or [],
            content=content or {},
            reply_to=reply_to.id if reply_to else None,
            topic=topic or (reply_to.topic if reply_to else None),
        )
        if self.is_seen(message):
            self.server.push({"message": message.json()})
        self.ring()
        return message

    def say_voice(
        self,
        user: User,
        data: bytes,
        *,
        mime: str = "audio/ogg",
        seconds: int = 1,
        size: int | None = None,
        **place: Any,
    ) -> Message:
        """Record a voice note.

        Args:
            user: Who speaks.
            data: The recording.
            mime: Media type as the client states it.
            seconds: Length as the client states it.
            size: In bytes, if not what `data` holds.
            place: `reply_to`, `topic` as in `say`.
        """
        return self._send_file("voice", user, data, mime=mime, size=size, seconds=seconds, **place)

    def say_audio(self, user: User, data: bytes, **about: Any) -> Message:
        """Send an audio file; `mime`, `seconds`, `size`, `name`, `caption`, place as above."""
        return self._send_file("audio", user, data, **{"mime": "audio/mpeg"} | about)

    def say_video_note(self, user: User, data: bytes, **about: Any) -> Message:
        """Send a round video; arguments as in `say_audio`."""
        return self._send_file("video_note", user, data, **{"mime": "video/mp4"} | about)

    def say_photo(self, user: User, data: bytes, **about: Any) -> Message:
        """Send a picture; arguments as in `say_audio`."""
        return self._send_file("photo", user, data, **{"mime": "image/jpeg"} | about)

    def say_document(self, user: User, data: bytes, **about: Any) -> Message:
        """Send any file; arguments as in `say_audio`."""
        return self._send_file("document", user, data, **{"mime": "text/plain"} | about)

    def say_sticker(self, user: User, emoji: str, **about: Any) -> Message:
        """Send a sticker."""
        about = {"mime": "image/webp", "name": emoji} | about
        return self._send_file("sticker", user, b"RIFF", **about)

    def _send_file(
        self,
        kind: str,
        user: User,
        data: bytes,
        *,
        mime: str,
        size: int | None = None,
        seconds: int = 0,
        name: str = "",
        caption: str = "",
        **place: Any,
    ) -> Message:
        file = files.keep(self.server, kind, data, mime=mime, size=size)
        content = {kind: files.describe(kind, file, seconds=seconds, name=name)}
        found = text_rules.typed_entities(caption)
        return self.put(user, content=content, text=caption, entities=found, **place)

    def join(self, by: User, *users: User) -> Message:
        """Let people into a group: a service message."""
        self.members += [user for user in users if user not in self.members]
        return self.put(by, content={"new_chat_members": [user.json() for user in users]})

    def leave(self, user: User) -> Message:
        """Let somebody leave a group: a service message."""
        self.members.remove(user)
        return self.put(user, content={"left_chat_member": user.json()})

    def topic(self, by: User, name: str) -> int:
        """Open a topic in a forum; return its thread id, that of its service message."""
        about = {"name": name, "icon_color": 7322096}
        message = self.add(by, content={"forum_topic_created": about})
        message.topic = message.id
        self.topics[message.id] = name
        self.server.push({"message": message.json()})
        return message.id

    def upgrade(self, by: User) -> "Chat":
        """Turn a basic group into a supergroup; the old id is refused from now on."""
        new = self.server.group(self.title, self.members)
        self.put(by, content={"migrate_to_chat_id": new.id})
        self.migrated_to = new
        new.put(by, content={"migrate_from_chat_id": self.id})
        return new

    def delete(self, message: Message) -> None:
        """Delete what somebody wrote; bots are not told."""
        message.is_deleted = True
        self.ring()

    def edit(self, message: Message, text: str) -> Message:
        """Change what somebody wrote."""
        message.text, message.entities = text, text_rules.typed_entities(text)
        message.versions.append(text)
        message.edits += 1
        message.edited_at = int(time.time())
        if self.is_seen(message):
            self.server.push({"edited_message": message.json()})
        self.ring()
        return message

    def is_seen(self, message: Message) -> bool:
        """Say whether the bot gets a message, in privacy mode unless switched off.

        Bots features, "Privacy mode": in groups a bot receives service messages, commands
        that are not another bot's, replies to its messages, and what mentions it.
        """
        if self.bot_status in {"left", "kicked"}:
            return False
        if self.type == "private" or not self.server.has_privacy:
            return True
        if self.bot_status == "administrator":
            return True
        replied = self.messages.get(message.reply_to or 0)
        if replied and replied.is_from_bot:
            return True
        return _is_service(message) or any(
            self._addresses(message.text, entity) for entity in message.entities
        )

    def _addresses(self, text: str, entity: Json) -> bool:
        begin = 2 * entity["offset"]
        units = text.encode("utf-16-le")[begin : begin + 2 * entity["length"]]
        word = units.decode("utf-16-le").lower()
        name = f"@{self.server.bot.username}".lower()
        if entity["type"] == "bot_command":
            return entity["offset"] == 0 and ("@" not in word or word.endswith(name))
        return bool(entity["type"] == "mention" and word == name)

    # What the server writes down.

    def add(self, sender: User, **fields: Any) -> Message:
        """Write a message down, with the chat's next id."""
        message = Message(id=self._next_id(), chat=self, sender=sender, **fields)
        message.versions.append(message.text)
        self.messages[message.id] = message
        if message.is_from_bot:
            self._from_bot.append(message)
        return message

    def _next_id(self) -> int:
        """Message ids count per supergroup, and per account in all other chats together."""
        if self.type in {"supergroup", "channel"}:
            self._last_id += 1
            return self._last_id
        return self.server.next_private_id()

    def root(self, message_id: int) -> int:
        """Return the id of the message that a thread of replies began with."""
        message = self.messages.get(message_id)
        while message and message.reply_to in self.messages:
            message = self.messages[message.reply_to]
        return message.id if message else message_id

    def show(self, kind: Any, id: int, text: str = "") -> None:  # noqa: A002 - as in Shown
        """Write down what people saw of the bot."""
        self.shown.append(Shown(at=time.monotonic(), kind=kind, id=id, text=text))

    def ring(self) -> None:
        """Wake everybody who waits for something here or anywhere."""
        self.bell.ring()
        self.server.bell.ring()


def _is_service(message: Message) -> bool:
    return bool(message.content) and not _MEDIA.intersection(message.content)


_MEDIA = frozenset(
    {"voice", "audio", "video_note", "video", "photo", "document", "sticker", "animation"}
)
