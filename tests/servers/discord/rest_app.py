"""Routes about the bot itself: identity, gateway, commands, guilds, direct messages, links."""

from typing import TYPE_CHECKING, Any

from tests.servers.discord import checks
from tests.servers.discord.errors import ApiError, Json, refused, unknown
from tests.servers.discord.routes import route

if TYPE_CHECKING:
    from tests.servers.discord.gate import Call
    from tests.servers.discord.guilds import Guild
    from tests.servers.discord.people import Member
    from tests.servers.discord.server import DiscordServer

# Message resource, "Refresh attachment URLs", as far as it is known: at most 50 at once.
_MOST_URLS = 50


@route("GET /users/@me")
def get_current_user(server: "DiscordServer", _call: "Call") -> Json:
    """Return the bot."""
    extra = {"verified": True, "mfa_enabled": False, "locale": "en-US", "flags": 0, "email": None}
    return server.bot.json() | extra


@route("GET /users/{user_id}")
def get_user(server: "DiscordServer", call: "Call") -> Json:
    """Return anybody."""
    user = server.users.get(call.id("user_id"))
    if user is None:
        raise unknown("User")
    return user.json()


def _application(server: "DiscordServer") -> Json:
    owner = server.application_owner
    return {
        "id": str(server.application_id),
        "name": server.bot.name,
        "icon": None,
        "description": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "bot": server.bot.json(),
        "owner": owner.json(),
        "verify_key": "0" * 64,
        "team": None,
        "flags": server.application_flags,
        "approximate_guild_count": sum(guild.has_bot for guild in server.guilds.values()),
        "approximate_user_install_count": sum(u.has_installed for u in server.users.values()),
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "integration_types_config": {
            str(kind): {} for kind in sorted(server.installation_contexts)
        },
    }


@route("GET /applications/@me")
def get_current_application(server: "DiscordServer", _call: "Call") -> Json:
    """Return the application."""
    return _application(server)


@route("GET /oauth2/applications/@me")
def get_current_bot_application_information(server: "DiscordServer", _call: "Call") -> Json:
    """Return the application, under its older path."""
    return _application(server)


@route("GET /gateway", has_token=True)
def get_gateway(server: "DiscordServer", _call: "Call") -> Json:
    """Return where the gateway is; needs no token."""
    return {"url": server.gateway_url}


@route("GET /gateway/bot")
def get_gateway_bot(server: "DiscordServer", _call: "Call") -> Json:
    """Return where the gateway is, and how many sessions may still begin."""
    starts = server.gateway.starts
    return {
        "url": server.gateway_url,
        "shards": server.shards,
        "session_start_limit": {
            "total": server.limits.identifies,
            "remaining": starts.left,
            "reset_after": int(starts.reset_seconds * 1000),
            "max_concurrency": server.limits.max_concurrency,
        },
    }


def _check_application(server: "DiscordServer", call: "Call") -> None:
    if call.id("application_id") != server.application_id:
        raise ApiError(403, 20012, "You are not authorized to perform this action on this app")


@route("GET /applications/{application_id}/commands")
def get_global_application_commands(server: "DiscordServer", call: "Call") -> list[Json]:
    """Return every global command."""
    _check_application(server, call)
    return server.commands.all


@route("PUT /applications/{application_id}/commands")
def bulk_overwrite_global_application_commands(
    server: "DiscordServer", call: "Call"
) -> list[Json]:
    """Replace every global command; names that are new count towards the day's 200."""
    _check_application(server, call)
    return server.commands.overwrite(call.json)


def _guild(server: "DiscordServer", call: "Call") -> "Guild":
    guild = server.guilds.get(call.id("guild_id"))
    if guild is None or not guild.is_available:
        raise unknown("Guild")
    if not guild.has_bot:
        raise refused(50001)
    return guild


@route("GET /users/@me/guilds")
def get_current_user_guilds(server: "DiscordServer", _call: "Call") -> list[Json]:
    """Return the guilds the bot is in."""
    return [
        {"id": str(guild.id), "name": guild.name, "icon": None, "owner": False, "features": []}
        for guild in server.guilds.values()
        if guild.has_bot
    ]


@route("GET /guilds/{guild_id}")
def get_guild(server: "DiscordServer", call: "Call") -> Json:
    """Return a guild the bot is in."""
    return _guild(server, call).json()


@route("GET /guilds/{guild_id}/channels")
def get_guild_channels(server: "DiscordServer", call: "Call") -> list[Json]:
    """Return a guild's channels, without threads."""
    return [channel.json() for channel in _guild(server, call).channels.values()]


@route("GET /guilds/{guild_id}/threads/active")
def list_active_guild_threads(server: "DiscordServer", call: "Call") -> Json:
    """Return a guild's active threads that the bot sees."""
    threads = [t for t in _guild(server, call).threads.values() if t.is_seen]
    found = [t.json() for t in threads if t.thread and not t.thread.is_archived]
    return {"threads": found, "members": [t["member"] for t in found if "member" in t]}


@route("GET /guilds/{guild_id}/members/{user_id}")
def get_guild_member(server: "DiscordServer", call: "Call") -> Json:
    """Return somebody who is in a guild."""
    guild = _guild(server, call)
    who = call.ids["user_id"]
    member: Member | None = guild.members.get(
        server.bot.id if who == "@me" else call.id("user_id")
    )
    if member is None:
        raise unknown("Member")
    return member.json()


@route("POST /users/@me/channels")
def create_dm(server: "DiscordServer", call: "Call") -> Json:
    """Return the direct message channel with somebody, opening it if need be."""
    checks.form(call.json, {"recipient_id": checks.snowflake}, required=("recipient_id",))
    user = server.users.get(int(call.json["recipient_id"]))
    if user is None or user.is_bot:
        raise refused(50033)
    return server.direct(user).json()


@route("POST /attachments/refresh-urls")
def refresh_attachment_urls(server: "DiscordServer", call: "Call") -> Json:
    """Return fresh links in place of old ones."""
    fields = {"attachment_urls": checks.array(_MOST_URLS)}
    checks.form(call.json, fields, required=("attachment_urls",))
    urls: list[Any] = call.json["attachment_urls"]
    found = [{"original": url, "refreshed": server.cdn.refresh(str(url))} for url in urls]
    return {"refreshed_urls": found}
