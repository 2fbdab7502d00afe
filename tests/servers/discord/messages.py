"""A message as it stands, and whom it would have pinged."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.servers.discord.cdn import Attachment
from tests.servers.discord.clock import born, stamp
from tests.servers.discord.errors import Json
from tests.servers.discord.people import Role, User

if TYPE_CHECKING:
    from tests.servers.discord.channels import Channel

# Message resource, "Message types", 2026-11.
DEFAULT, THREAD_CREATED, REPLY, CHAT_INPUT, THREAD_STARTER, CONTEXT_MENU = 0, 18, 19, 20, 21, 23
DELETABLE = frozenset({0, 6, 7, 8, 9, 10, 11, 12, 18, 19, 20, 22, 23, 24, 25})
SPOKEN = frozenset({DEFAULT, REPLY, CHAT_INPUT, CONTEXT_MENU})
# Message resource, "Message flags", 2026-11.
SUPPRESS_EMBEDS = 1 << 2
HAS_THREAD = 1 << 5
EPHEMERAL = 1 << 6
LOADING = 1 << 7
SUPPRESS_NOTIFICATIONS = 1 << 12
IS_VOICE_MESSAGE = 1 << 13
HAS_SNAPSHOT = 1 << 14
IS_COMPONENTS_V2 = 1 << 15

_USER = re.compile(r"<@!?(\d+)>")
_ROLE = re.compile(r"<@&(\d+)>")
_EVERYBODY = re.compile(r"@(everyone|here)\b")


@dataclass(slots=True, kw_only=True, eq=False)
class Message:
    """A message as it stands now.

    Attributes:
        author: Who wrote it; the bot is `server.bot`.
        type: As the API numbers it.
        reference: The API's message reference; None for none.
        replied: The message it replies to, even if that is deleted by now.
        snapshots: What was forwarded, as it was then.
        pinged: Mentions that notify somebody: ids, or `everyone`.
        asker: Who alone sees it, if it is ephemeral.
        edits: How often its text was changed.
        versions: Every text it had, oldest first.
        options: The body of the call it came by.
        origin: Fields that only answers to interactions have.
    """

    id: int
    channel: "Channel"
    author: User
    content: str = ""
    type: int = DEFAULT
    flags: int = 0
    attachments: list[Attachment] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    stickers: list[Json] = field(default_factory=list)
    reference: Json | None = None
    replied: "Message | None" = None
    snapshots: list[Json] = field(default_factory=list)
    nonce: str | int | None = None
    pinged: set[int | str] = field(default_factory=set)
    asker: User | None = None
    edits: int = 0
    edited_at: float | None = None
    is_deleted: bool = False
    versions: list[str] = field(default_factory=list)
    options: Json = field(default_factory=dict)
    origin: Json = field(default_factory=dict)
    thread: "Channel | None" = None

    @property
    def is_from_bot(self) -> bool:
        """Whether the bot under test wrote it."""
        return self.author is self.channel.server.bot

    @property
    def is_loading(self) -> bool:
        """Whether it is the "thinking…" of a deferred answer."""
        return bool(self.flags & LOADING)

    def json(self, *, is_quoted: bool = False) -> Json:
        """Return the API's Message; a quoted one does not quote in its turn."""
        users = [self.channel.server.users[n] for n in self._pinged_users()]
        found = self.snapshot() | {
            "id": str(self.id),
            "channel_id": str(self.channel.id),
            "author": self.author.json(),
            "mentions": [user.json() for user in users],
            "mention_everyone": "everyone" in self.pinged,
            "pinned": False,
            "tts": False,
            **self.origin,
        }
        if self.nonce is not None:
            found["nonce"] = self.nonce
        if self.stickers:
            found["sticker_items"] = self.stickers
        if self.reference:
            found["message_reference"] = self.reference
        if self.snapshots:
            found["message_snapshots"] = [{"message": shot} for shot in self.snapshots]
        if self.type in {REPLY, THREAD_STARTER} and not is_quoted:
            replied = self.replied
            is_there = replied is not None and not replied.is_deleted
            found["referenced_message"] = (
                replied.json(is_quoted=True) if replied and is_there else None
            )
        if self.thread:
            found["thread"] = self.thread.json()
        return found

    def snapshot(self) -> Json:
        """Return the fields that a forwarded copy has."""
        cdn = self.channel.server.cdn
        return {
            "type": self.type,
            "content": self.content,
            "timestamp": stamp(born(self.id)),
            "edited_timestamp": stamp(self.edited_at) if self.edited_at else None,
            "flags": self.flags,
            "mentions": [],
            "mention_roles": [str(role.id) for role in self._pinged_roles()],
            "attachments": [cdn.json(attachment) for attachment in self.attachments],
            "embeds": self.embeds,
            "components": self.components,
        }

    def event(self) -> Json:
        """Return it as MESSAGE_CREATE and MESSAGE_UPDATE carry it."""
        found = self.json()
        guild = self.channel.guild
        found["channel_type"] = self.channel.type
        if guild is None:
            return found
        found["guild_id"] = str(guild.id)
        member = guild.members.get(self.author.id)
        if member:
            found["member"] = member.json(has_user=False)
        for mention in found["mentions"]:
            mentioned = guild.members.get(int(mention["id"]))
            if mentioned:
                mention["member"] = mentioned.json(has_user=False)
        return found

    def mentions(self, user: User) -> bool:
        """Say whether it notifies somebody by name."""
        return user.id in self.pinged

    def _pinged_users(self) -> list[int]:
        users = self.channel.server.users
        return [n for n in self.pinged if isinstance(n, int) and n in users]

    def _pinged_roles(self) -> list[Role]:
        guild = self.channel.guild
        return [role for n, role in guild.roles.items() if n in self.pinged] if guild else []


def pings(
    channel: "Channel",
    author: User,
    content: str,
    *,
    allowed: Any = None,
    replied: Message | None = None,
    may_mention_everyone: bool = False,
) -> set[int | str]:
    """Return whom a message notifies.

    Args:
        channel: Where it stands.
        author: Who writes; nobody pings themselves.
        content: The text.
        allowed: The API's allowed mentions; None lets the text decide.
        replied: The message it replies to.
        may_mention_everyone: The author has that permission there.
    """
    everybody = {"everyone"} if may_mention_everyone and _EVERYBODY.search(content) else set()
    users = {int(n) for n in _USER.findall(content)}.intersection(channel.server.users)
    roles = _roles(channel, content, may_mention_everyone=may_mention_everyone)
    is_author_pinged = True
    if allowed is not None:
        parse = allowed.get("parse", [])
        everybody = everybody if "everyone" in parse else set()
        users = users if "users" in parse else users & _ids(allowed, "users")
        roles = roles if "roles" in parse else roles & _ids(allowed, "roles")
        is_author_pinged = bool(allowed.get("replied_user"))
    if replied and is_author_pinged:
        users.add(replied.author.id)
    return everybody | (users - {author.id}) | roles


def _roles(channel: "Channel", content: str, *, may_mention_everyone: bool) -> set[int]:
    if channel.guild is None:
        return set()
    known = channel.guild.roles
    named = {int(n) for n in _ROLE.findall(content)}.intersection(known)
    return {n for n in named if may_mention_everyone or known[n].is_mentionable}


def _ids(allowed: Json, key: str) -> set[int]:
    return {int(n) for n in allowed.get(key) or ()}
