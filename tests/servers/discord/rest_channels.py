"""Routes about channels and threads."""

from typing import TYPE_CHECKING

from tests.servers.discord import checks, permissions, places
from tests.servers.discord.channels import Channel
from tests.servers.discord.errors import Json, invalid, refused, unknown
from tests.servers.discord.routes import route

if TYPE_CHECKING:
    from tests.servers.discord.gate import Call
    from tests.servers.discord.server import DiscordServer

# Channel resource, "Start thread", 2026-11.
_DURATIONS = (60, 1440, 4320, 10080)
_THREAD = {
    "name": checks.text(100, least=1),
    "auto_archive_duration": checks.integer,
    "rate_limit_per_user": checks.integer,
}


def visible(server: "DiscordServer", call: "Call") -> Channel:
    """Return the channel of a call, if the bot may see it.

    Raises:
        ApiError: 404: there is none; 403: the bot is not there, or may not view it.
    """
    channel = server.channels.get(call.id("channel_id"))
    if channel is None:
        raise unknown("Channel")
    if not channel.is_seen:
        raise refused(50001)
    return channel


def demand(channel: Channel, permission: int) -> None:
    """Raise 50013 unless the bot has all of these permissions there."""
    if channel.bot_permissions & permission != permission:
        raise refused(50013)


@route("GET /channels/{channel_id}")
def get_channel(server: "DiscordServer", call: "Call") -> Json:
    """Return a channel or thread."""
    return visible(server, call).json()


@route("PATCH /channels/{channel_id}")
def modify_channel(server: "DiscordServer", call: "Call") -> Json:
    """Change a thread: its name, archived, locked; other channels need Manage Channels."""
    channel = visible(server, call)
    fields = _THREAD | {"archived": checks.boolean, "locked": checks.boolean}
    server.note_unknown(call, checks.form(call.json, fields))
    if channel.thread is None:
        demand(channel, permissions.MANAGE_CHANNELS)
        channel.name = call.json.get("name", channel.name)
        server.dispatch("CHANNEL_UPDATE", channel.json(), guild=channel.guild)
        return channel.json()
    _check_thread_change(server, channel, call.json)
    thread = channel.thread
    channel.name = call.json.get("name", channel.name)
    channel.set_thread(
        is_archived=call.json.get("archived", thread.is_archived),
        is_locked=call.json.get("locked", thread.is_locked),
    )
    return channel.json()


def _check_thread_change(server: "DiscordServer", channel: Channel, body: Json) -> None:
    """Topics, "Editing & deleting threads": who may change what."""
    thread = channel.thread
    assert thread
    if channel.bot_permissions & permissions.MANAGE_THREADS:
        return
    is_owner = thread.owner is server.bot
    if "locked" in body or "rate_limit_per_user" in body:
        raise refused(50013)
    if thread.is_locked and not is_owner:
        raise refused(160005)
    is_reopening = set(body) == {"archived"} and not body["archived"]
    if not is_owner and not (is_reopening and server.bot.id in thread.members):
        raise refused(50013)


@route("DELETE /channels/{channel_id}")
def delete_channel(server: "DiscordServer", call: "Call") -> Json:
    """Delete a channel or thread of a guild."""
    channel = visible(server, call)
    if channel.guild is None:
        raise refused(50003)
    is_thread = channel.is_thread
    demand(channel, permissions.MANAGE_THREADS if is_thread else permissions.MANAGE_CHANNELS)
    found = channel.json()
    channel.guild.delete(channel)
    return found


@route("POST /channels/{channel_id}/typing", bucket="typing")
def trigger_typing_indicator(server: "DiscordServer", call: "Call") -> None:
    """Show for 10 s that the bot writes."""
    channel = visible(server, call)
    if channel.guild is not None:
        sends = permissions.SEND_MESSAGES
        demand(channel, permissions.SEND_MESSAGES_IN_THREADS if channel.is_thread else sends)
    channel.typing_until = server.clock.now() + places.TYPING_SECONDS
    channel.show("typing", 0)
    channel.ring()


@route("POST /channels/{channel_id}/messages/{message_id}/threads", status=201)
def start_thread_from_message(server: "DiscordServer", call: "Call") -> Json:
    """Open a thread at a message; a message can have one thread only."""
    channel = visible(server, call)
    _check_thread(server, call, channel)
    demand(channel, permissions.CREATE_PUBLIC_THREADS | permissions.READ_MESSAGE_HISTORY)
    message = channel.messages.get(call.id("message_id"))
    if message is None or message.is_deleted or message.asker:
        raise unknown("Message")
    if message.thread:
        raise refused(160004)
    assert channel.guild
    return channel.guild.open_thread(
        channel,
        server.bot,
        call.json["name"],
        type=places.PUBLIC_THREAD,
        message=message,
        auto_archive_minutes=call.json.get("auto_archive_duration") or _DURATIONS[1],
    ).json()


@route("POST /channels/{channel_id}/threads", status=201)
def start_thread_without_message(server: "DiscordServer", call: "Call") -> Json:
    """Open a thread; it is private unless `type` says otherwise."""
    channel = visible(server, call)
    _check_thread(server, call, channel)
    kind = call.json.get("type", places.PRIVATE_THREAD)
    if kind not in {places.PUBLIC_THREAD, places.PRIVATE_THREAD}:
        raise invalid("type", "BASE_TYPE_CHOICES", "Value must be one of {10, 11, 12}.")
    is_private = kind == places.PRIVATE_THREAD
    public = permissions.CREATE_PUBLIC_THREADS
    demand(channel, permissions.CREATE_PRIVATE_THREADS if is_private else public)
    if is_private and channel.type == places.ANNOUNCEMENT:
        raise refused(50024)
    assert channel.guild
    return channel.guild.open_thread(
        channel,
        server.bot,
        call.json["name"],
        type=kind,
        auto_archive_minutes=call.json.get("auto_archive_duration") or _DURATIONS[1],
    ).json()


def _check_thread(server: "DiscordServer", call: "Call", channel: Channel) -> None:
    fields = _THREAD | {"type": checks.integer, "invitable": checks.boolean}
    server.note_unknown(call, checks.form(call.json, fields, required=("name",)))
    duration = call.json.get("auto_archive_duration")
    if duration is not None and duration not in _DURATIONS:
        text = "Value must be one of (60, 1440, 4320, 10080)."
        raise invalid("auto_archive_duration", "BASE_TYPE_CHOICES", text)
    if channel.guild is None or channel.is_thread:
        raise refused(50024)


@route("PUT /channels/{channel_id}/thread-members/@me")
def join_thread(server: "DiscordServer", call: "Call") -> None:
    """Join a thread that is not archived."""
    channel = visible(server, call)
    if channel.thread is None or channel.guild is None:
        raise refused(50024)
    if channel.thread.is_archived:
        raise refused(50083)
    channel.guild.join_thread(channel, server.bot)


@route("PUT /channels/{channel_id}/thread-members/{user_id}")
def add_thread_member(server: "DiscordServer", call: "Call") -> None:
    """Add somebody to a thread the bot may write in."""
    channel = visible(server, call)
    if channel.thread is None or channel.guild is None:
        raise refused(50024)
    demand(channel, permissions.SEND_MESSAGES_IN_THREADS)
    if channel.thread.is_archived:
        raise refused(50083)
    user = server.users.get(call.id("user_id"))
    if user is None or user.id not in channel.guild.members:
        raise unknown("Member")
    channel.guild.join_thread(channel, user)
