"""Which events a session gets, and what is left out of them."""

from tests.servers.discord.errors import Json

# Gateway, "List of intents", 2026-11.
GUILDS = 1 << 0
GUILD_MEMBERS = 1 << 1
GUILD_PRESENCES = 1 << 8
GUILD_MESSAGES = 1 << 9
GUILD_MESSAGE_REACTIONS = 1 << 10
GUILD_MESSAGE_TYPING = 1 << 11
DIRECT_MESSAGES = 1 << 12
DIRECT_MESSAGE_REACTIONS = 1 << 13
DIRECT_MESSAGE_TYPING = 1 << 14
MESSAGE_CONTENT = 1 << 15
PRIVILEGED = GUILD_MEMBERS | GUILD_PRESENCES | MESSAGE_CONTENT
_UNUSED = 1 << 17 | 1 << 18 | 1 << 19 | 1 << 22 | 1 << 23
KNOWN = ((1 << 26) - 1) & ~_UNUSED

# Event -> its intent in a guild, its intent in direct messages.
_MESSAGES = GUILD_MESSAGES, DIRECT_MESSAGES
_REACTIONS = GUILD_MESSAGE_REACTIONS, DIRECT_MESSAGE_REACTIONS
_INTENTS: dict[str, tuple[int, int]] = {
    "MESSAGE_CREATE": _MESSAGES,
    "MESSAGE_UPDATE": _MESSAGES,
    "MESSAGE_DELETE": _MESSAGES,
    "MESSAGE_REACTION_ADD": _REACTIONS,
    "MESSAGE_REACTION_REMOVE": _REACTIONS,
    "TYPING_START": (GUILD_MESSAGE_TYPING, DIRECT_MESSAGE_TYPING),
    "GUILD_MEMBER_ADD": (GUILD_MEMBERS, 0),
    "GUILD_MEMBER_UPDATE": (GUILD_MEMBERS, 0),
    "GUILD_MEMBER_REMOVE": (GUILD_MEMBERS, 0),
}
_GUILD_EVENTS = frozenset(
    [
        "GUILD_CREATE",
        "GUILD_UPDATE",
        "GUILD_DELETE",
        "GUILD_ROLE_CREATE",
        "GUILD_ROLE_UPDATE",
        "GUILD_ROLE_DELETE",
        "CHANNEL_CREATE",
        "CHANNEL_UPDATE",
        "CHANNEL_DELETE",
        "THREAD_CREATE",
        "THREAD_UPDATE",
        "THREAD_DELETE",
        "THREAD_LIST_SYNC",
        "THREAD_MEMBER_UPDATE",
        "THREAD_MEMBERS_UPDATE",
    ]
)
_CONTENT = frozenset({"MESSAGE_CREATE", "MESSAGE_UPDATE"})


def wants(intents: int, event: str, *, is_direct: bool, is_about_bot: bool) -> bool:
    """Say whether a session with these intents gets an event; what is in no list goes to all.

    Gateway, "List of intents": the bot's own GUILD_MEMBER_UPDATE is always sent.
    """
    if event == "GUILD_MEMBER_UPDATE" and is_about_bot:
        return True
    if event in _GUILD_EVENTS:
        return bool(intents & GUILDS)
    pair = _INTENTS.get(event)
    return pair is None or bool(intents & pair[1 if is_direct else 0])


def strip(event: str, data: Json, *, bot_id: int) -> Json:
    """Return an event as sessions without the message content intent get it."""
    return hide(data, bot_id=bot_id) if event in _CONTENT and "guild_id" in data else data


def hide(message: Json, *, bot_id: int) -> Json:
    """Return a guild's message without its content, unless the app may always read it.

    Gateway, "Message content intent": the app's own messages and those that mention it are
    whole; in all others what the person wrote is empty.
    """
    replied = message.get("referenced_message")
    if replied:
        message = message | {"referenced_message": hide(replied, bot_id=bot_id)}
    bot = str(bot_id)
    is_mentioned = any(user["id"] == bot for user in message["mentions"])
    if is_mentioned or message["author"]["id"] == bot:
        return message
    empty: Json = {"content": "", "embeds": [], "attachments": [], "components": []}
    found = message | empty
    if "message_snapshots" in found:
        found["message_snapshots"] = [
            {"message": shot["message"] | empty} for shot in found["message_snapshots"]
        ]
    return found
