"""A guild: channels, threads, roles, members."""

from typing import TYPE_CHECKING

from tests.servers.discord import messages, permissions
from tests.servers.discord.channels import Channel
from tests.servers.discord.clock import stamp
from tests.servers.discord.errors import Json
from tests.servers.discord.messages import Message
from tests.servers.discord.people import Member, Role, User
from tests.servers.discord.places import (
    ANNOUNCEMENT,
    ANNOUNCEMENT_THREAD,
    FORUM,
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    TEXT,
    Thread,
)

if TYPE_CHECKING:
    from tests.servers.discord.server import DiscordServer


class Guild:
    """A guild ("server" in the client), with or without the bot in it.

    Attributes:
        everyone: The role that everybody has; its id is the guild's.
        bot_role: The role the bot got when it was added; None where it is not.
        is_available: False while an outage of Discord hides it.
    """

    def __init__(
        self,
        server: "DiscordServer",
        name: str,
        owner: User,
        *,
        id: int = 0,  # noqa: A002 - as Discord names it
    ) -> None:
        self.server = server
        self.id = id or server.clock.snowflake()
        self.name = name
        self.owner = owner
        self.is_available = True
        self.everyone = Role(
            id=self.id, name="@everyone", permissions=permissions.DEFAULT, position=0
        )
        self.roles: dict[int, Role] = {self.id: self.everyone}
        self.members: dict[int, Member] = {}
        self.channels: dict[int, Channel] = {}
        self.threads: dict[int, Channel] = {}
        self.bot_role: Role | None = None
        self.join(owner)

    @property
    def has_bot(self) -> bool:
        """Whether the bot is a member."""
        return self.server.bot.id in self.members

    def json(self) -> Json:
        """Return the API's Guild."""
        return {
            "id": str(self.id),
            "name": self.name,
            "icon": None,
            "splash": None,
            "discovery_splash": None,
            "owner_id": str(self.owner.id),
            "afk_channel_id": None,
            "afk_timeout": 300,
            "verification_level": 0,
            "default_message_notifications": 1,
            "explicit_content_filter": 0,
            "roles": [role.json() for role in self.roles.values()],
            "emojis": [],
            "stickers": [],
            "features": [],
            "mfa_level": 0,
            "application_id": None,
            "system_channel_id": None,
            "system_channel_flags": 0,
            "rules_channel_id": None,
            "vanity_url_code": None,
            "description": None,
            "banner": None,
            "premium_tier": 0,
            "preferred_locale": "en-US",
            "public_updates_channel_id": None,
            "nsfw_level": 0,
            "premium_progress_bar_enabled": False,
            "safety_alerts_channel_id": None,
        }

    def event(self, *, has_members: bool) -> Json:
        """Return it as GUILD_CREATE carries it; without its intent, only the bot's member."""
        bot = self.server.bot.id
        seen = self.members.values() if has_members else [self.members[bot]]
        threads = [thread for thread in self.threads.values() if is_open(thread)]
        return self.json() | {
            "joined_at": stamp(self.members[bot].joined_at),
            "large": False,
            "unavailable": False,
            "member_count": len(self.members),
            "voice_states": [],
            "members": [member.json() for member in seen],
            "channels": [channel.json() for channel in self.channels.values()],
            "threads": [thread.json() for thread in threads if thread.is_seen],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }

    # What is in it.

    def channel(self, name: str, *, is_announcement: bool = False) -> Channel:
        """Add a channel, of which the bot is told."""
        return self._add(name, ANNOUNCEMENT if is_announcement else TEXT)

    def forum(self, name: str) -> Channel:
        """Add a forum, of which the bot is told; people write in its posts."""
        return self._add(name, FORUM)

    def _add(self, name: str, type: int) -> Channel:  # noqa: A002 - as Discord names it
        channel = Channel(
            self.server, id=self.server.clock.snowflake(), type=type, name=name, guild=self
        )
        self.channels[channel.id] = self.server.channels[channel.id] = channel
        self.server.dispatch("CHANNEL_CREATE", channel.json(), guild=self)
        return channel

    def delete(self, channel: Channel) -> None:
        """Delete a channel or thread; what is asked of it is refused from now on."""
        was_seen = channel.is_seen
        for thread in [*self.threads.values()]:
            if thread.parent is channel:
                self.delete(thread)
        channel.is_deleted = True
        (self.threads if channel.is_thread else self.channels).pop(channel.id)
        self.server.channels.pop(channel.id)
        name = "THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE"
        if was_seen or not channel.is_thread:
            self.server.dispatch(name, channel.json(), guild=self)

    def role(self, name: str, allow: int = 0) -> Role:
        """Add a role with these permissions, of which the bot is told."""
        role = Role(id=self.server.clock.snowflake(), name=name, permissions=allow)
        self.roles[role.id] = role
        found = {"guild_id": str(self.id), "role": role.json()}
        self.server.dispatch("GUILD_ROLE_CREATE", found, guild=self)
        return role

    def permit(self, role: Role, allow: int) -> None:
        """Change what a role may do, of which the bot is told."""
        role.permissions = allow
        found = {"guild_id": str(self.id), "role": role.json()}
        self.server.dispatch("GUILD_ROLE_UPDATE", found, guild=self)

    # Who is in it.

    def join(self, user: User, *, nick: str = "", roles: tuple[Role, ...] = ()) -> Member:
        """Let somebody in, or change the nickname and roles of who is."""
        old = self.members.get(user.id)
        joined_at = old.joined_at if old else self.server.clock.now()
        member = Member(guild=self, user=user, joined_at=joined_at, nick=nick, roles=[*roles])
        self.members[user.id] = member
        name = "GUILD_MEMBER_UPDATE" if old else "GUILD_MEMBER_ADD"
        found = member.json() | {"guild_id": str(self.id)}
        self.server.dispatch(name, found, guild=self, is_about_bot=user is self.server.bot)
        return member

    def leave(self, user: User) -> None:
        """Let somebody go."""
        del self.members[user.id]
        found = {"guild_id": str(self.id), "user": user.json()}
        self.server.dispatch("GUILD_MEMBER_REMOVE", found, guild=self)

    def add_bot(self, allow: int = permissions.DEFAULT) -> None:
        """Add the bot with a role of its own that has these permissions."""
        bot = self.server.bot
        self.bot_role = Role(
            id=self.server.clock.snowflake(),
            name=bot.name,
            permissions=allow,
            is_managed=True,
            bot_id=bot.id,
        )
        self.roles[self.bot_role.id] = self.bot_role
        self.members[bot.id] = Member(
            guild=self, user=bot, joined_at=self.server.clock.now(), roles=[self.bot_role]
        )
        self.server.gateway.show_guild(self)

    def remove_bot(self) -> None:
        """Kick the bot."""
        found = {"id": str(self.id)}
        self.server.dispatch("GUILD_DELETE", found, guild=self)
        del self.members[self.server.bot.id]
        if self.bot_role:
            del self.roles[self.bot_role.id]
        self.bot_role = None

    def hide(self) -> None:
        """Let an outage of Discord hide the guild."""
        found = {"id": str(self.id), "unavailable": True}
        self.server.dispatch("GUILD_DELETE", found, guild=self)
        self.is_available = False

    def restore(self) -> None:
        """End the outage that hid the guild."""
        self.is_available = True
        self.server.gateway.show_guild(self)

    # Threads, whoever opens them.

    def open_thread(
        self,
        parent: Channel,
        owner: User,
        name: str,
        *,
        type: int,  # noqa: A002 - as Discord names it
        message: Message | None = None,
        auto_archive_minutes: int = 4320,
    ) -> Channel:
        """Open a thread; at a message it has that message's id and begins by pointing at it."""
        now = self.server.clock.now()
        if parent.type == ANNOUNCEMENT and type == PUBLIC_THREAD:
            type = ANNOUNCEMENT_THREAD  # noqa: A001 - the same
        thread = Channel(
            self.server,
            id=message.id if message else self.server.clock.snowflake(),
            type=type,
            name=name,
            guild=self,
            parent=parent,
            thread=Thread(
                owner=owner,
                changed_at=now,
                auto_archive_minutes=auto_archive_minutes,
                members={owner.id: now},
            ),
        )
        self.threads[thread.id] = self.server.channels[thread.id] = thread
        if thread.is_seen:
            found = thread.json() | {"newly_created": True}
            self.server.dispatch("THREAD_CREATE", found, channel=thread)
        self._announce(thread, owner, message)
        return thread

    def _announce(self, thread: Channel, owner: User, message: Message | None) -> None:
        parent = thread.parent
        assert parent
        place = {"channel_id": str(thread.id), "guild_id": str(self.id)}
        if message:
            starter = {
                "message_id": str(message.id),
                "channel_id": str(parent.id),
                "guild_id": str(self.id),
            }
            self._post(thread, owner, messages.THREAD_STARTER, reference=starter, replied=message)
            message.thread = thread
            parent.change(message, flags=message.flags | messages.HAS_THREAD)
        elif thread.type != PRIVATE_THREAD and parent.type != FORUM:
            self._post(
                parent, owner, messages.THREAD_CREATED, reference=place, content=thread.name
            )

    def _post(
        self,
        channel: Channel,
        author: User,
        type: int,  # noqa: A002 - as Discord names it
        *,
        reference: Json,
        content: str = "",
        replied: Message | None = None,
    ) -> None:
        message = Message(
            id=self.server.clock.snowflake(),
            channel=channel,
            author=author,
            type=type,
            content=content,
            reference=reference,
            replied=replied,
        )
        channel.add(message)

    def join_thread(self, thread: Channel, user: User) -> None:
        """Add somebody to a thread, of which the bot is told."""
        assert thread.thread
        if user.id in thread.thread.members:
            return
        now = self.server.clock.now()
        thread.thread.members[user.id] = now
        is_bot = user is self.server.bot
        if is_bot:
            self.server.dispatch("THREAD_CREATE", thread.json(), channel=thread)
        found = {
            "id": str(thread.id),
            "guild_id": str(self.id),
            "member_count": len(thread.thread.members),
            "added_members": [
                {
                    "id": str(thread.id),
                    "user_id": str(user.id),
                    "join_timestamp": stamp(now),
                    "flags": 0,
                    "member": self.members[user.id].json(),
                }
            ],
            "removed_member_ids": [],
        }
        self.server.dispatch("THREAD_MEMBERS_UPDATE", found, channel=thread, is_about_bot=is_bot)

    def leave_thread(self, thread: Channel, user: User) -> None:
        """Take somebody out of a thread, of which the bot is told."""
        assert thread.thread
        del thread.thread.members[user.id]
        found = {
            "id": str(thread.id),
            "guild_id": str(self.id),
            "member_count": len(thread.thread.members),
            "removed_member_ids": [str(user.id)],
        }
        is_bot = user is self.server.bot
        self.server.dispatch("THREAD_MEMBERS_UPDATE", found, channel=thread, is_about_bot=is_bot)


def is_open(thread: Channel) -> bool:
    """Say whether a thread is active."""
    return bool(thread.thread and not thread.thread.is_archived)
