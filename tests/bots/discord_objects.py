"""Real discord.py objects, made of what Discord would send, without a connection."""

import re
from collections.abc import Iterable
from typing import Any

import discord

Json = dict[str, Any]

BOT_ID, ANN_ID, BO_ID, APP_ID = 700, 501, 502, 700
GUILD_ID, ADMINS_ID, BOT_ROLE_ID, HOSTS_ID = 800, 811, 812, 813
GENERAL_ID, NEWS_ID, THREAD_ID, OWN_THREAD_ID, JOINED_ID, DM_ID = 901, 902, 903, 904, 905, 906
# The first milliseconds of 2026, as Discord counts.
MESSAGE_ID = (1_767_225_600_123 - 1_420_070_400_000) << 22 | 5
MANAGE_SERVER = 1 << 5
VOICE = 2


def user(id_: int, name: str, **fields: Any) -> Json:
    """Return somebody."""
    return {"id": str(id_), "username": name, "discriminator": "0", "avatar": None, **fields}


ANN = user(ANN_ID, "ann", global_name="Ann Lee")
BO = user(BO_ID, "bo")
BOT = user(BOT_ID, "causerie", bot=True)
MEMBER: Json = {
    "roles": [str(ADMINS_ID)],
    "joined_at": "2025-01-01T00:00:00+00:00",
    "deaf": False,
    "mute": False,
    "flags": 0,
}


def role(id_: int, name: str, *, permissions: int = 0, **fields: Any) -> Json:
    """Return a role of the server."""
    return {
        "id": str(id_),
        "name": name,
        "permissions": str(permissions),
        "position": 1,
        "color": 0,
        "hoist": False,
        "managed": bool(fields),
        "mentionable": True,
        "flags": 0,
        **fields,
    }


def channel(id_: int, name: str, kind: int = 0) -> Json:
    """Return a channel of the server."""
    return {
        "id": str(id_),
        "guild_id": str(GUILD_ID),
        "type": kind,
        "name": name,
        "position": 0,
        "permission_overwrites": [],
        **({"bitrate": 64_000, "user_limit": 0} if kind == VOICE else {}),
    }


def thread(id_: int, name: str, *, owner: int = ANN_ID, **fields: Any) -> Json:
    """Return a thread in the channel #general."""
    metadata = {
        "archived": False,
        "auto_archive_duration": 60,
        "archive_timestamp": "2026-01-01T00:00:00+00:00",
        "locked": False,
    }
    return {
        "id": str(id_),
        "guild_id": str(GUILD_ID),
        "parent_id": str(GENERAL_ID),
        "owner_id": str(owner),
        "type": 11,
        "name": name,
        "message_count": 1,
        "member_count": 1,
        "thread_metadata": metadata,
        **fields,
    }


JOINED: Json = {
    "id": str(JOINED_ID),
    "user_id": str(BOT_ID),
    "join_timestamp": "2026-01-01T00:00:00+00:00",
    "flags": 0,
}
GUILD: Json = {
    "id": str(GUILD_ID),
    "name": "Friends",
    "owner_id": str(BO_ID),
    "roles": [
        role(GUILD_ID, "@everyone"),
        role(ADMINS_ID, "Admins"),
        role(HOSTS_ID, "Hosts", permissions=MANAGE_SERVER),
        role(BOT_ROLE_ID, "Causerie", tags={"bot_id": str(BOT_ID)}),
    ],
    "channels": [channel(GENERAL_ID, "general"), channel(NEWS_ID, "news", 5)],
    "threads": [
        thread(THREAD_ID, "Plans"),
        thread(OWN_THREAD_ID, "Ours", owner=BOT_ID),
        thread(JOINED_ID, "Invited", member=JOINED),
    ],
    "members": [],
    "emojis": [],
    "stickers": [],
    "features": [],
    "voice_states": [],
    "presences": [],
    "member_count": 3,
    "large": False,
    "unavailable": False,
}


class World:
    """A client that knows one server, and what it makes of events."""

    def __init__(self) -> None:
        client = discord.Client(intents=discord.Intents.default(), max_messages=None)
        self.state = client._connection
        self.me = discord.ClientUser(state=self.state, data=BOT)  # type: ignore[arg-type]
        self.state.user = self.me
        self.state._add_guild_from_data(GUILD)  # type: ignore[arg-type]
        self._events: list[Any] = []
        self.state.dispatch = lambda _, *arguments: self._events.extend(arguments)

    def message(self, data: Json) -> discord.Message:
        """Return what the client makes of MESSAGE_CREATE."""
        self.state.parse_message_create(data)  # type: ignore[arg-type]
        found = self._events.pop()
        assert isinstance(found, discord.Message)
        return found

    def interaction(self, data: Json) -> discord.Interaction:
        """Return what the client makes of INTERACTION_CREATE."""
        self.state.parse_interaction_create(data)  # type: ignore[arg-type]
        found = self._events.pop()
        assert isinstance(found, discord.Interaction)
        return found


def direct(text: str = "", **fields: Any) -> Json:
    """Return a direct message, as the gateway sends it."""
    return {
        "id": str(MESSAGE_ID),
        "channel_id": str(DM_ID),
        "type": 0,
        "author": ANN,
        "content": text,
        "timestamp": "2026-01-01T00:00:00.123000+00:00",
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "pinned": False,
        **fields,
    }


def public(text: str = "", *, at: int = GENERAL_ID, **fields: Any) -> Json:
    """Return a message on the server; Discord finds the mentions in its text."""
    people = {str(BOT_ID): BOT, str(BO_ID): BO}
    mentioned = re.findall(r"<@!?(\d+)>", text)
    nick = {} if "author" in fields else {"nick": "Annie"}
    return direct(
        text,
        **{
            "channel_id": str(at),
            "guild_id": str(GUILD_ID),
            "member": {**MEMBER, **nick},
            "mentions": [dict(people[id_]) for id_ in mentioned if id_ in people],
            "mention_roles": [str(r) for r in (ADMINS_ID, BOT_ROLE_ID) if f"<@&{r}>" in text],
            **fields,
        },
    )


def file(name: str, mime: str | None = None, **fields: Any) -> Json:
    """Return an attachment."""
    return {
        "id": "33",
        "filename": name,
        "size": 900,
        "url": f"https://cdn/{name}?ex=1",
        "proxy_url": f"https://media/{name}",
        "content_type": mime,
        **fields,
    }


def reply(to: Json | None, text: str = "", **fields: Any) -> Json:
    """Return the fields of a message that replies to another."""
    reference = {"type": 0, "message_id": "44", "channel_id": str(GENERAL_ID)}
    sent = {"referenced_message": to} if to is None or to else {}
    return {"type": 19, "content": text, "message_reference": reference, **sent, **fields}


def forward(*snapshots: Json) -> Json:
    """Return the fields of a message that forwards others."""
    full = {
        "type": 0,
        "content": "",
        "embeds": [],
        "attachments": [],
        "timestamp": "2026-01-01T00:00:00+00:00",
        "edited_timestamp": None,
    }
    return {
        "message_reference": {"type": 1, "message_id": "44", "channel_id": "9"},
        "message_snapshots": [{"message": {**full, **snapshot}} for snapshot in snapshots],
    }


def interaction(data: Json, **fields: Any) -> Json:
    """Return an interaction in the bot's own DM."""
    return {
        "id": str(MESSAGE_ID),
        "application_id": str(APP_ID),
        "type": 2,
        "token": "aT",
        "version": 1,
        "data": {"id": "1", "type": 1, **data},
        "user": ANN,
        "channel": {"id": str(DM_ID), "type": 1},
        "channel_id": str(DM_ID),
        "context": 1,
        "app_permissions": "0",
        "authorizing_integration_owners": {"1": str(ANN_ID)},
        "attachment_size_limit": 10_000_000,
        "entitlements": [],
        "locale": "en-US",
        **fields,
    }


def on_server(
    data: Json,
    *,
    place: Json | None = None,
    guild: int = GUILD_ID,
    permissions: int = 0,
    **fields: Any,
) -> Json:
    """Return an interaction on a server."""
    place = place or channel(GENERAL_ID, "general")
    whole = interaction(
        data,
        **{
            "guild_id": str(guild),
            "guild": {"id": str(guild), "locale": "en-US", "features": []},
            "member": {**MEMBER, "nick": "Annie", "user": ANN, "permissions": str(permissions)},
            "channel": place,
            "channel_id": place["id"],
            "context": 0,
            "authorizing_integration_owners": {"0": str(guild)},
            **fields,
        },
    )
    del whole["user"]
    return whole


def typed(name: str, values: Json | None = None, **resolved: Iterable[Json]) -> Json:
    """Return the data of a slash command."""
    options = [
        {"name": key, "type": 5 if isinstance(value, bool) else 3, "value": value}
        for key, value in (values or {}).items()
    ]
    found = {kind: {item["id"]: item for item in items} for kind, items in resolved.items()}
    return {"name": name, "options": options, "resolved": found}


def chosen(name: str, message: Json) -> Json:
    """Return the data of a choice from a message's menu."""
    id_ = message["id"]
    resolved = {"messages": {id_: message}}
    return {"name": name, "type": 3, "target_id": id_, "resolved": resolved}


AT_BOT = f"<@{BOT_ID}>"
ROBOT = user(9, "r2", bot=True)
PICTURE = file("a.png", "image/png")
SPOKEN = file("voice-message.ogg", "audio/ogg", duration_secs=3.2, waveform="AAAA")
# Where the files of a message in #general can be asked for anew.
KEPT = f"{GENERAL_ID}/{MESSAGE_ID}/33"
