"""Who may do what where: the bits, and how they add up."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers.discord.channels import Channel
    from tests.servers.discord.people import Member

# Permissions, "Bitwise permission flags", 2026-11: those that matter to a bot that talks.
ADMINISTRATOR = 1 << 3
MANAGE_CHANNELS = 1 << 4
MANAGE_GUILD = 1 << 5
ADD_REACTIONS = 1 << 6
VIEW_CHANNEL = 1 << 10
SEND_MESSAGES = 1 << 11
SEND_TTS_MESSAGES = 1 << 12
MANAGE_MESSAGES = 1 << 13
EMBED_LINKS = 1 << 14
ATTACH_FILES = 1 << 15
READ_MESSAGE_HISTORY = 1 << 16
MENTION_EVERYONE = 1 << 17
USE_EXTERNAL_EMOJIS = 1 << 18
MANAGE_ROLES = 1 << 28
USE_APPLICATION_COMMANDS = 1 << 31
MANAGE_THREADS = 1 << 34
CREATE_PUBLIC_THREADS = 1 << 35
CREATE_PRIVATE_THREADS = 1 << 36
SEND_MESSAGES_IN_THREADS = 1 << 38
SEND_VOICE_MESSAGES = 1 << 46
USE_EXTERNAL_APPS = 1 << 50

ALL = (1 << 53) - 1
# What @everyone may do in a new guild, as far as it matters here.
DEFAULT = (
    ADD_REACTIONS
    | VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | USE_EXTERNAL_EMOJIS
    | USE_APPLICATION_COMMANDS
    | CREATE_PUBLIC_THREADS
    | CREATE_PRIVATE_THREADS
    | SEND_MESSAGES_IN_THREADS
    | SEND_VOICE_MESSAGES
    | USE_EXTERNAL_APPS
)
# Permissions, "Implicit permissions": without sending, none of these.
_WITH_SENDING = MENTION_EVERYONE | SEND_TTS_MESSAGES | ATTACH_FILES | EMBED_LINKS


def of_member(member: "Member") -> int:
    """Return what somebody may do in a guild, before any channel has its say."""
    guild = member.guild
    if member.user is guild.owner:
        return ALL
    found = guild.everyone.permissions
    for role in member.roles:
        found |= role.permissions
    return ALL if found & ADMINISTRATOR else found


def in_channel(member: "Member", channel: "Channel") -> int:
    """Return what somebody may do in a channel or thread, as "Permission overwrites" says."""
    found = of_member(member)
    if found == ALL:
        return ALL
    place = channel.parent if channel.is_thread and channel.parent else channel
    overwrites = place.overwrites
    if overwrites:
        found = _overwritten(found, member, overwrites)
    if not found & VIEW_CHANNEL:
        return 0
    sends = SEND_MESSAGES_IN_THREADS if channel.is_thread else SEND_MESSAGES
    if not found & sends:
        found &= ~_WITH_SENDING
    return found


def _overwritten(found: int, member: "Member", overwrites: dict[int, tuple[int, int]]) -> int:
    allow, deny = overwrites.get(member.guild.id, (0, 0))
    found = found & ~deny | allow
    allow = deny = 0
    for role in member.roles:
        role_allow, role_deny = overwrites.get(role.id, (0, 0))
        allow |= role_allow
        deny |= role_deny
    found = found & ~deny | allow
    allow, deny = overwrites.get(member.user.id, (0, 0))
    return found & ~deny | allow
