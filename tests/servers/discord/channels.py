"""A channel, a thread, or a direct conversation, and what people do in it."""

import base64
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from tests.servers.bell import Bell
from tests.servers.discord import asking, messages, permissions, places
from tests.servers.discord.cdn import Attachment
from tests.servers.discord.errors import Json
from tests.servers.discord.messages import Message
from tests.servers.discord.people import Role, User
from tests.servers.discord.places import PRIVATE_THREAD, PUBLIC_THREAD, File, Shown, Thread

if TYPE_CHECKING:
    from tests.servers.discord.gate import Call
    from tests.servers.discord.guilds import Guild
    from tests.servers.discord.interactions import Interaction
    from tests.servers.discord.server import DiscordServer

T = TypeVar("T")
# Message resource, "Voice messages": at most 256 datapoints, one byte each.
_WAVEFORM = base64.b64encode(bytes(range(0, 256, 8))).decode()
_ALL_BUT_REPLIED = {"parse": ["users", "roles", "everyone"]}


class Channel:
    """A channel of a guild, a thread, a direct message channel, or a group's.

    Attributes:
        guild: None for direct messages and groups.
        parent: Where a thread was opened.
        recipients: Who talks in a direct message channel or group; else empty.
        overwrites: By id of a role or user, what is allowed and denied here.
        messages: By id, in order; deleted ones stay, marked.
        shown: Every change that people saw of the bot, in order.
        calls: Every API call about this channel, in order.
        interactions: Everything people asked of the bot here by commands.
    """

    def __init__(
        self,
        server: "DiscordServer",
        *,
        id: int,  # noqa: A002 - as Discord names it
        type: int,  # noqa: A002 - the same
        name: str = "",
        guild: "Guild | None" = None,
        parent: "Channel | None" = None,
        recipients: Sequence[User] = (),
        thread: Thread | None = None,
    ) -> None:
        self.server = server
        self.id = id
        self.type = type
        self.name = name
        self.guild = guild
        self.parent = parent
        self.recipients = list(recipients)
        self.thread = thread
        self.is_deleted = False
        self.overwrites: dict[int, tuple[int, int]] = {}
        self.messages: dict[int, Message] = {}
        self.shown: list[Shown] = []
        self.calls: list[Call] = []
        self.interactions: list[Interaction] = []
        self.nonces: dict[tuple[int, str], Message] = {}
        self.typing_until = 0.0
        self.bell = Bell()
        self._from_bot: list[Message] = []

    @property
    def is_thread(self) -> bool:
        """Whether it is a thread."""
        return self.type in places.THREADS

    @property
    def mention(self) -> str:
        """How to mention it in a text."""
        return f"<#{self.id}>"

    def json(self) -> Json:
        """Return the API's Channel."""
        return places.describe(self)

    # What the bot may.

    @property
    def bot_permissions(self) -> int:
        """What the bot may do here; 0 where it is not."""
        if self.guild is None:
            return permissions.ALL if self.server.bot in self.recipients else 0
        member = self.guild.members.get(self.server.bot.id)
        if member is None or not self.guild.is_available:
            return 0
        found = permissions.in_channel(member, self)
        if self.type == PRIVATE_THREAD and self.thread:
            is_in = self.server.bot.id in self.thread.members
            return found if is_in or found & permissions.MANAGE_THREADS else 0
        return found

    @property
    def is_seen(self) -> bool:
        """Whether the bot sees what happens here."""
        return bool(self.bot_permissions & permissions.VIEW_CHANNEL)

    # What people see.

    @property
    def answers(self) -> list[Message]:
        """What the bot wrote here for everybody and did not delete, oldest first."""
        hidden = messages.LOADING | messages.EPHEMERAL
        return [
            message
            for message in self._from_bot
            if not message.is_deleted
            and not message.flags & hidden
            and message.type in messages.SPOKEN
        ]

    @property
    def is_typing(self) -> bool:
        """Whether people see that the bot writes: for 10 s, or until its message comes."""
        return self.typing_until > self.server.clock.now()

    async def answer(self, n: int = 1, *, containing: str = "", seconds: float = 30.0) -> Message:
        """Wait for the bot's n-th message here, until it contains `containing`.

        Raises:
            TimeoutError: With what stands in the channel instead.
        """

        def find() -> Message | None:
            answers = self.answers
            found = answers[n - 1] if len(answers) >= n else None
            return found if found and containing in found.content else None

        found = await self.until(find, seconds=seconds)
        assert found is not None
        return found

    async def until(self, condition: Callable[[], T], *, seconds: float = 30.0) -> T:
        """Wait until a condition about this channel holds; return its value.

        Raises:
            TimeoutError: With what stands in the channel instead.
        """
        try:
            return await self.bell.until(condition, seconds)
        except TimeoutError:
            texts = [message.content[:80] for message in self.answers]
            raise TimeoutError(f"after {seconds} s {self.name or self.id} shows {texts}") from None

    # What people do.

    def say(
        self,
        user: User,
        text: str = "",
        *,
        reply_to: Message | None = None,
        does_ping: bool = True,
        files: Iterable[File] = (),
        **fields: Any,
    ) -> Message:
        """Write something; mentions stand in the text as `user.mention` and `role.mention`.

        Args:
            user: Who writes.
            text: What; clients send at most 2000 characters.
            reply_to: The message it replies to.
            does_ping: The reply notifies whom it replies to.
            files: What is attached.
            fields: Further attributes of the Message.
        """
        assert len(text) <= 2000, "a client does not send more than 2000 characters"
        if reply_to:
            fields |= reference_to(reply_to)
        message = Message(
            id=fields.pop("id", 0) or self.server.clock.snowflake(),
            channel=self,
            author=user,
            content=text.strip(),
            attachments=[self.attach(file) for file in files],
            **fields,
        )
        message.pinged = messages.pings(
            self,
            user,
            text,
            allowed=None if does_ping else _ALL_BUT_REPLIED,
            replied=reply_to,
            may_mention_everyone=bool(self._may(user) & permissions.MENTION_EVERYONE),
        )
        if self.thread:
            self.thread.members.setdefault(user.id, self.server.clock.now())
            if self.thread.is_archived:
                self.set_thread(is_archived=False)
        self.add(message)
        return message

    def _may(self, user: User) -> int:
        member = self.guild.members.get(user.id) if self.guild else None
        return permissions.in_channel(member, self) if member else 0

    def say_voice(
        self, user: User, data: bytes, *, seconds: float = 1.0, mime: str = "audio/ogg"
    ) -> Message:
        """Record a voice message."""
        file = File(
            name="voice-message.ogg", data=data, mime=mime, seconds=seconds, waveform=_WAVEFORM
        )
        return self.say(user, files=[file], flags=messages.IS_VOICE_MESSAGE)

    def say_sticker(self, user: User, name: str) -> Message:
        """Send a sticker."""
        number = str(self.server.clock.snowflake())
        return self.say(user, stickers=[{"id": number, "name": name, "format_type": 1}])

    def forward(self, user: User, message: Message) -> Message:
        """Forward a message from somewhere: a snapshot of it."""
        return self.say(
            user,
            reference=reference_to(message)["reference"] | {"type": 1},
            snapshots=[message.snapshot()],
            flags=messages.HAS_SNAPSHOT,
        )

    def attach(self, file: File, *, is_ephemeral: bool = False) -> Attachment:
        """Keep a file for a message in this channel."""
        return self.server.cdn.keep(
            Attachment(
                id=self.server.clock.snowflake(),
                channel_id=self.id,
                name=file.name.replace(" ", "_"),
                data=file.data,
                size=len(file.data) if file.size is None else file.size,
                mime=file.mime,
                seconds=file.seconds,
                waveform=file.waveform,
                is_ephemeral=is_ephemeral,
            )
        )

    def edit(self, message: Message, text: str) -> Message:
        """Change what somebody wrote."""
        message.pinged = messages.pings(
            self, message.author, text, allowed=_ALL_BUT_REPLIED, replied=message.replied
        )
        self.change(message, content=text)
        return message

    def delete(self, message: Message) -> None:
        """Delete a message."""
        message.is_deleted = True
        if message.is_from_bot:
            self.show("delete", message.id)
        found = {"id": str(message.id), "channel_id": str(self.id)}
        if message.asker is None:
            self.server.dispatch("MESSAGE_DELETE", self.located(found), channel=self)
        self.ring()

    def slash(self, user: User, name: str, /, **options: Any) -> "Interaction":
        """Send a slash command; see `asking.slash`."""
        return asking.slash(self, user, name, options)

    def autocomplete(
        self, user: User, name: str, /, *, focused: str, **options: Any
    ) -> "Interaction":
        """Type into an option of a slash command that suggests; see `asking.slash`."""
        return asking.slash(self, user, name, options, focused=focused)

    def menu(self, user: User, name: str, target: "Message | User") -> "Interaction":
        """Choose a command from the context menu of a message or a person."""
        return asking.menu(self, user, name, target)

    def open_thread(
        self,
        user: User,
        name: str,
        *,
        message: Message | None = None,
        is_private: bool = False,
        members: Sequence[User] = (),
    ) -> "Channel":
        """Open a thread, at a message if one is given, and invite others into it."""
        assert self.guild, "threads are a guild's"
        kind = PRIVATE_THREAD if is_private else PUBLIC_THREAD
        thread = self.guild.open_thread(self, user, name, type=kind, message=message)
        for member in members:
            thread.invite(member)
        return thread

    def post(self, user: User, title: str, text: str) -> "Channel":
        """Write a post in this forum: a thread whose first message has its id."""
        thread = self.open_thread(user, title)
        thread.say(user, text, id=thread.id)
        return thread

    def invite(self, user: User) -> None:
        """Add somebody to this thread."""
        assert self.guild, "threads are a guild's"
        self.guild.join_thread(self, user)

    def expel(self, user: User) -> None:
        """Take somebody out of this thread."""
        assert self.guild, "threads are a guild's"
        self.guild.leave_thread(self, user)

    def archive(self, *, is_locked: bool = False) -> None:
        """Archive this thread, and lock it if asked."""
        self.set_thread(is_archived=True, is_locked=is_locked)

    def set_thread(self, *, is_archived: bool, is_locked: bool = False) -> None:
        """Change what this thread is, of which the bot is told."""
        assert self.thread, "only threads are archived"
        self.thread.is_archived = is_archived
        self.thread.is_locked = is_locked
        self.thread.changed_at = self.server.clock.now()
        self.server.dispatch("THREAD_UPDATE", self.json(), channel=self)
        self.ring()

    def allow(self, whom: "User | Role", allow: int = 0, *, deny: int = 0) -> None:
        """Overwrite what a role or member may do here."""
        could_see = self.is_seen
        self.overwrites[whom.id] = (allow, deny)
        if could_see or self.is_seen:
            self.server.dispatch("CHANNEL_UPDATE", self.json(), guild=self.guild)

    # What the server writes down.

    def add(self, message: Message) -> None:
        """Write a message down and tell the bot, if it may see it."""
        message.versions.append(message.content)
        self.messages[message.id] = message
        if self.thread:
            self.thread.sent += 1
        if message.is_from_bot:
            self.typing_until = 0.0
            self._from_bot.append(message)
        if message.is_from_bot and message.type in messages.SPOKEN:
            self.show("message", message.id, message.content)
        if message.asker is None and self.is_seen:
            self.server.dispatch("MESSAGE_CREATE", message.event(), channel=self)
        self.ring()

    def change(self, message: Message, *, content: str | None = None, **fields: Any) -> None:
        """Change a message and tell the bot, if it may see it."""
        for name, value in fields.items():
            setattr(message, name, value)
        if content is not None:
            message.content = content.strip()
            message.versions.append(message.content)
            message.edits += 1
        message.edited_at = self.server.clock.now()
        if message.is_from_bot:
            self.show("edit", message.id, message.content)
        if message.asker is None and self.is_seen:
            self.server.dispatch("MESSAGE_UPDATE", message.event(), channel=self)
        self.ring()

    def located(self, found: Json) -> Json:
        """Add the guild's id, where there is one."""
        return found | {"guild_id": str(self.guild.id)} if self.guild else found

    def show(self, kind: Any, id: int, text: str = "") -> None:  # noqa: A002 - as in Shown
        """Write down what people saw of the bot."""
        self.shown.append(Shown(at=self.server.clock.now(), kind=kind, id=id, text=text))

    def ring(self) -> None:
        """Wake everybody who waits for something here or anywhere."""
        self.bell.ring()
        self.server.bell.ring()


def reference_to(message: Message) -> Json:
    """Return the attributes of a Message that replies to another."""
    channel = message.channel
    reference = {"type": 0, "message_id": str(message.id), "channel_id": str(channel.id)}
    return {
        "type": messages.REPLY,
        "reference": channel.located(reference),
        "replied": message,
    }
