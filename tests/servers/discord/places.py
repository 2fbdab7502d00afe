"""What kinds of channels there are, and what a channel looks like to the API."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tests.servers.discord.clock import born, stamp
from tests.servers.discord.errors import Json
from tests.servers.discord.people import User

if TYPE_CHECKING:
    from tests.servers.discord.channels import Channel

# Channel resource, "Channel types", 2026-11.
TEXT, DM, GROUP_DM, ANNOUNCEMENT = 0, 1, 3, 5
FORUM = 15
ANNOUNCEMENT_THREAD, PUBLIC_THREAD, PRIVATE_THREAD = 10, 11, 12
THREADS = frozenset({ANNOUNCEMENT_THREAD, PUBLIC_THREAD, PRIVATE_THREAD})
# Channel resource, "Trigger typing indicator": it "expires after 10 seconds".
TYPING_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One change of what the people in a channel see of the bot.

    Attributes:
        at: Seconds since 1970, by the server's clock.
        id: Of the message; 0 for typing.
    """

    at: float
    kind: Literal["message", "edit", "delete", "typing"]
    id: int
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """Something a person attaches; `size` if it is not what `data` holds."""

    name: str
    data: bytes
    mime: str = ""
    size: int | None = None
    seconds: float | None = None
    waveform: str = ""


@dataclass(slots=True, kw_only=True)
class Thread:
    """What only threads have; `members` are those who joined."""

    owner: User
    changed_at: float
    is_archived: bool = False
    is_locked: bool = False
    auto_archive_minutes: int = 4320
    members: dict[int, float] = field(default_factory=dict)
    sent: int = 0


def describe(channel: "Channel") -> Json:
    """Return the API's Channel."""
    last = next(reversed(channel.messages), None)
    found: Json = {
        "id": str(channel.id),
        "type": channel.type,
        "last_message_id": str(last) if last else None,
        "flags": 0,
    }
    if channel.guild is None:
        bot = channel.server.bot
        others = [user.json() for user in channel.recipients if user is not bot]
        found |= {"recipients": others, "last_pin_timestamp": None}
        if channel.type == GROUP_DM:
            found |= {"name": None, "icon": None, "owner_id": others[0]["id"]}
        return found
    found |= {
        "guild_id": str(channel.guild.id),
        "name": channel.name,
        "parent_id": str(channel.parent.id) if channel.parent else None,
        "rate_limit_per_user": 0,
    }
    if channel.thread:
        return found | _describe_thread(channel, channel.thread)
    kinds = dict.fromkeys(channel.guild.roles, 0)
    return found | {
        "position": 0,
        "topic": None,
        "nsfw": False,
        "permission_overwrites": [
            {"id": str(n), "type": kinds.get(n, 1), "allow": str(allow), "deny": str(deny)}
            for n, (allow, deny) in channel.overwrites.items()
        ],
    }


def _describe_thread(channel: "Channel", thread: Thread) -> Json:
    found: Json = {
        "owner_id": str(thread.owner.id),
        "message_count": sum(not message.is_deleted for message in channel.messages.values()),
        "total_message_sent": thread.sent,
        "member_count": min(len(thread.members), 50),
        "thread_metadata": {
            "archived": thread.is_archived,
            "auto_archive_duration": thread.auto_archive_minutes,
            "archive_timestamp": stamp(thread.changed_at),
            "locked": thread.is_locked,
            "create_timestamp": stamp(born(channel.id)),
        },
    }
    if channel.type == PRIVATE_THREAD:
        found["thread_metadata"]["invitable"] = True
    joined_at = thread.members.get(channel.server.bot.id)
    if joined_at is not None:
        found["member"] = {
            "id": str(channel.id),
            "user_id": str(channel.server.bot.id),
            "join_timestamp": stamp(joined_at),
            "flags": 0,
        }
    return found
