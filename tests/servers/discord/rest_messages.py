"""Routes about messages."""

from typing import TYPE_CHECKING, Any

from tests.servers.discord import checks, composing, intents, messages, permissions, places
from tests.servers.discord.channels import Channel, reference_to
from tests.servers.discord.clock import born
from tests.servers.discord.composing import Draft
from tests.servers.discord.errors import Json, invalid, refused, unknown
from tests.servers.discord.messages import Message
from tests.servers.discord.rest_channels import demand, visible
from tests.servers.discord.routes import route

if TYPE_CHECKING:
    from tests.servers.discord.gate import Call
    from tests.servers.discord.server import DiscordServer

_EXTRA: dict[str, checks.Check] = {
    "nonce": checks.anything,
    "enforce_nonce": checks.boolean,
    "message_reference": checks.mapping,
    "sticker_ids": checks.array(3),
}
_REFERENCE = {
    "type": checks.integer,
    "message_id": checks.snowflake,
    "channel_id": checks.snowflake,
    "guild_id": checks.snowflake,
    "fail_if_not_exists": checks.boolean,
}
# Message resource, "Create message": a nonce is remembered for "the past few minutes".
_NONCE_SECONDS = 300.0
# Message resource, "Get channel messages", 2026-11.
_MOST_MESSAGES = 100
_DEFAULT_MESSAGES = 50


@route("POST /channels/{channel_id}/messages", bucket="create")
def create_message(server: "DiscordServer", call: "Call") -> Json:
    """Post a message; with `enforce_nonce`, a nonce used before returns its message instead."""
    channel = visible(server, call)
    _check_sending(channel)
    body = call.json if call.json is not None else {}
    draft = composing.compose(server, call, channel, body, extra=_EXTRA)
    nonce = _nonce(server, body)
    known = _known(server, channel, nonce) if body.get("enforce_nonce") else None
    if known:
        return known.json()
    fields = _refer(server, channel, body.get("message_reference"))
    if draft.is_empty and not body.get("sticker_ids") and "snapshots" not in fields:
        raise refused(50006)
    _check_content(channel, draft)
    message = _build(server, channel, draft, body, fields)
    message.nonce = nonce
    if nonce is not None:
        channel.nonces[server.bot.id, str(nonce)] = message
    _wake(server, channel)
    channel.add(message)
    return message.json()


def _check_sending(channel: Channel) -> None:
    if channel.guild is None:
        if any(user.has_blocked for user in channel.recipients):
            raise refused(50007)
        return
    if channel.type == places.FORUM:
        raise refused(50008)
    if channel.thread is None:
        demand(channel, permissions.SEND_MESSAGES)
        return
    demand(channel, permissions.SEND_MESSAGES_IN_THREADS)
    may_moderate = channel.bot_permissions & permissions.MANAGE_THREADS
    if channel.thread.is_locked and not may_moderate:
        raise refused(160005)


def _wake(server: "DiscordServer", channel: Channel) -> None:
    """Unarchive a thread and join it, as sending does."""
    if channel.thread is None or channel.guild is None:
        return
    channel.guild.join_thread(channel, server.bot)
    if channel.thread.is_archived:
        channel.set_thread(is_archived=False, is_locked=channel.thread.is_locked)


def _nonce(server: "DiscordServer", body: Json) -> str | int | None:
    nonce: Any = body.get("nonce")
    if nonce is None:
        if body.get("enforce_nonce"):
            server.remark("create_message sets enforce_nonce without a nonce")
        return None
    if isinstance(nonce, bool) or not isinstance(nonce, int | str):
        raise invalid("nonce", "NONCE_TYPE_INVALID", "Must be an integer or a string.")
    if len(str(nonce)) > composing.MOST_NONCE:
        text = f"Must be {composing.MOST_NONCE} or fewer in length."
        raise invalid("nonce", "BASE_TYPE_MAX_LENGTH", text)
    return nonce


def _known(server: "DiscordServer", channel: Channel, nonce: str | int | None) -> Message | None:
    found = channel.nonces.get((server.bot.id, str(nonce)))
    if found is None or server.clock.now() > born(found.id) + _NONCE_SECONDS:
        return None
    return found


def _refer(server: "DiscordServer", channel: Channel, reference: Json | None) -> dict[str, Any]:
    """Return what a reference makes of a message: a reply, a forward, or nothing.

    Raises:
        ApiError: What it refers to is not there, or may not be read.
    """
    if reference is None:
        return {}
    checks.form(reference, _REFERENCE, required=("message_id",), path="message_reference")
    if reference.get("type") == 1:
        return _forward(server, reference)
    if not channel.bot_permissions & permissions.READ_MESSAGE_HISTORY:
        raise refused(160002)
    replied = channel.messages.get(int(reference["message_id"]))
    if replied is None or replied.is_deleted or replied.asker:
        if reference.get("fail_if_not_exists", True):
            text = "Unknown message"
            raise invalid("message_reference", "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", text)
        return {}
    if replied.type not in messages.SPOKEN:
        text = "Cannot reply to a system message"
        raise invalid("message_reference", "REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE", text)
    return reference_to(replied)


def _forward(server: "DiscordServer", reference: Json) -> dict[str, Any]:
    place = server.channels.get(int(reference.get("channel_id") or 0))
    if place is None:
        raise unknown("Channel")
    if not place.is_seen:
        raise refused(50001)
    message = place.messages.get(int(reference["message_id"]))
    if message is None or message.is_deleted:
        raise unknown("Message")
    found = reference_to(message)["reference"] | {"type": 1}
    return {
        "reference": found,
        "snapshots": [message.snapshot()],
        "flags": messages.HAS_SNAPSHOT,
    }


def _check_content(channel: Channel, draft: Draft) -> None:
    if channel.guild is None:
        return
    if draft.files:
        demand(channel, permissions.ATTACH_FILES)
    if draft.embeds:
        demand(channel, permissions.EMBED_LINKS)
    if draft.flags & messages.IS_VOICE_MESSAGE:
        demand(channel, permissions.SEND_VOICE_MESSAGES)


def _build(
    server: "DiscordServer", channel: Channel, draft: Draft, body: Json, fields: dict[str, Any]
) -> Message:
    message = Message(
        id=server.clock.snowflake(),
        channel=channel,
        author=server.bot,
        content=(draft.content or "").strip(),
        attachments=draft.files,
        embeds=draft.embeds or [],
        components=draft.components or [],
        options=body,
        **{"flags": 0} | fields,
    )
    message.flags |= draft.flags
    may_everyone = channel.bot_permissions & permissions.MENTION_EVERYONE
    message.pinged = messages.pings(
        channel,
        server.bot,
        message.content,
        allowed=body.get("allowed_mentions"),
        replied=message.replied,
        may_mention_everyone=bool(may_everyone),
    )
    return message


def _read(server: "DiscordServer", channel: Channel, message: Message) -> Json:
    """Return a message as the bot may read it."""
    found = message.json()
    if channel.guild and not server.privileged & intents.MESSAGE_CONTENT:
        return intents.hide(found, bot_id=server.bot.id)
    return found


def _find(call: "Call", channel: Channel) -> Message:
    """Return the message of a call, if it is there for everybody."""
    message = channel.messages.get(call.id("message_id"))
    if message is None or message.is_deleted or message.asker:
        raise unknown("Message")
    return message


@route("GET /channels/{channel_id}/messages/{message_id}", bucket="read")
def get_channel_message(server: "DiscordServer", call: "Call") -> Json:
    """Return one message."""
    channel = visible(server, call)
    demand(channel, permissions.READ_MESSAGE_HISTORY)
    return _read(server, channel, _find(call, channel))


@route("GET /channels/{channel_id}/messages", bucket="read")
def get_channel_messages(server: "DiscordServer", call: "Call") -> list[Json]:
    """Return messages, newest first; none at all without Read Message History."""
    channel = visible(server, call)
    query = call.query
    limit = checks.number(query.get("limit", str(_DEFAULT_MESSAGES)), "limit")
    if not 1 <= limit <= _MOST_MESSAGES:
        text = f"int value should be between 1 and {_MOST_MESSAGES}."
        raise invalid("limit", "NUMBER_TYPE_MAX", text)
    anchors = [name for name in ("around", "before", "after") if name in query]
    if len(anchors) > 1:
        server.remark(f"get_channel_messages gives {anchors}, of which only one counts")
    server.note_unknown(call, [n for n in query if n not in {*anchors, "limit"}])
    if not channel.bot_permissions & permissions.READ_MESSAGE_HISTORY:
        return []
    there = [m for m in channel.messages.values() if not m.is_deleted and not m.asker]
    if anchors:
        there = _near(there, anchors[0], checks.number(query[anchors[0]], anchors[0]), limit)
    return [_read(server, channel, message) for message in reversed(there[-limit:])]


def _near(there: list[Message], anchor: str, number: int, limit: int) -> list[Message]:
    before = [message for message in there if message.id < number]
    after = [message for message in there if message.id >= number]
    if anchor == "before":
        return before
    if anchor == "after":
        return [message for message in after if message.id != number][:limit]
    half = limit // 2
    return (before[-half:] if half else []) + after[: limit - half]


@route("PATCH /channels/{channel_id}/messages/{message_id}", bucket="edit")
def edit_message(server: "DiscordServer", call: "Call") -> Json:
    """Change a message of the bot's own; of others', moderators may hide embeds."""
    channel = visible(server, call)
    message = _find(call, channel)
    body = call.json if call.json is not None else {}
    draft = composing.compose(server, call, channel, body)
    if message.author is not server.bot:
        if set(body) != {"flags"}:
            raise refused(50005)
        demand(channel, permissions.MANAGE_MESSAGES)
    if message.type not in messages.SPOKEN:
        raise refused(50021)
    if channel.thread and channel.thread.is_archived:
        raise refused(50083)
    if channel.thread and channel.thread.is_locked:
        demand(channel, permissions.MANAGE_THREADS)
    change(channel, message, draft, body)
    return message.json()


def change(channel: Channel, message: Message, draft: Draft, body: Json) -> None:
    """Change a message as a body says; what it does not name stays.

    Raises:
        ApiError: 50006: nothing would be left; 50035: it is a voice message.
    """
    if message.flags & messages.IS_VOICE_MESSAGE:
        text = "Voice messages cannot be edited"
        raise invalid("content", "MESSAGE_VOICE_MESSAGE_EDIT", text)
    content = message.content if "content" not in body else draft.content or ""
    kept = message.attachments
    if draft.kept is not None:
        kept = [item for item in kept if str(item.id) in draft.kept]
    fields: dict[str, Any] = {
        "attachments": kept + draft.files,
        "embeds": message.embeds if "embeds" not in body else draft.embeds or [],
        "components": message.components if "components" not in body else draft.components or [],
        "flags": _flags(message, draft, body),
    }
    if not content.strip() and not any(fields[name] for name in list(fields)[:3]):
        raise refused(50006)
    channel.change(message, content=content if "content" in body else None, **fields)


def _flags(message: Message, draft: Draft, body: Json) -> int:
    """Return the flags after an edit, which changes two of them and ends a loading state."""
    found = message.flags & ~messages.LOADING
    found |= draft.flags & messages.IS_COMPONENTS_V2
    if body.get("flags") is None:
        return found
    return found & ~messages.SUPPRESS_EMBEDS | draft.flags & messages.SUPPRESS_EMBEDS


@route("DELETE /channels/{channel_id}/messages/{message_id}", bucket="delete")
def delete_message(server: "DiscordServer", call: "Call") -> None:
    """Delete a message: the bot's own, or with Manage Messages anybody's."""
    channel = visible(server, call)
    message = _find(call, channel)
    if message.author is not server.bot:
        if channel.guild is None:
            raise refused(50003)
        demand(channel, permissions.MANAGE_MESSAGES)
    if message.type not in messages.DELETABLE:
        raise refused(50021)
    channel.delete(message)
