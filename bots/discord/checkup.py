"""What `causerie doctor` checks of Discord, without connecting to its gateway."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import discord

from bots.discord import invite
from bots.discord.incoming import MALFORMED
from bots.discord.starts import Terms
from bots.settings import BotSettings
from bots.shards import Shards
from core.finding import Finding, Way, fault, host, ok, warning
from core.proxies import system_proxy

# Two rounds of them fit into the doctor's patience.
SECONDS = 4.5
# A share of the connections that Discord allows in a day; fewer left are worth a warning.
FEW_STARTS = 0.1
# So many times what is recommended leaves room for growth; more only costs.
MANY_TIMES = 4

_PORTAL = "https://discord.com/developers/applications"
# "Application flags", discord.com/developers/docs/resources/application, 2026-11; the second is
# that of bots in fewer than 100 servers.
_READS_CONTENT = discord.ApplicationFlags(
    gateway_message_content=True, gateway_message_content_limited=True
).value
# discord.com/developers/docs/reference#user-agent, 2026-11.
_AGENT = f"DiscordBot (https://github.com/Rapptz/discord.py, {discord.__version__}) Causerie"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What came of a call.

    Attributes:
        status: Of HTTP; 0 if there was no answer.
        found: The JSON object; empty for anything else.
        reason: Kind of error, if there was no answer.
    """

    status: int
    found: Mapping[str, Any]
    reason: str = ""


async def check_discord(
    chosen: BotSettings, *, seconds: float = SECONDS
) -> AsyncGenerator[Finding]:
    """Ask who the bot is, how its application is set up, and whether it may still connect.

    Args:
        chosen: The owner's settings.
        seconds: The most that each of two rounds takes.
    """
    if chosen.discord_bot_token is None:
        return
    async with aiohttp.ClientSession(
        headers={
            "Authorization": f"Bot {chosen.discord_bot_token.get_secret_value()}",
            "User-Agent": _AGENT,
        },
        timeout=aiohttp.ClientTimeout(total=seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        me = await _get(session, chosen, "/users/@me")
        if "id" not in me.found:
            yield _refused(me, _way(chosen))
            return
        yield ok(f"{me.found.get('username')} answers")
        application, gateway = await asyncio.gather(
            _get(session, chosen, "/applications/@me"), _get(session, chosen, "/gateway/bot")
        )
    if "id" in application.found:
        for finding in _about(application.found):
            yield finding
    else:
        yield _refused(application, _way(chosen))
    for finding in _about_gateway(gateway, chosen):
        yield finding


def _about(application: Mapping[str, Any]) -> Iterator[Finding]:
    number = application["id"]
    if application.get("flags", 0) & _READS_CONTENT:
        yield ok("the Message Content intent is on")
    else:
        yield warning(
            "the Message Content intent is off, so in servers it reads only what mentions it",
            fix=f"turn on Message Content Intent on {_PORTAL}/{number}/bot",
        )
    if url := application.get("interactions_endpoint_url"):
        name = host(str(url)) or "another address"
        yield fault(
            f"slash commands go to {name} and never reach causerie",
            fix=f"empty Interactions Endpoint URL on {_PORTAL}/{number}/information",
        )
    if application.get("bot_require_code_grant"):
        yield fault(
            "adding the bot to a server demands an OAuth2 code grant, which causerie has none of",
            fix=f"turn off Requires OAuth2 Code Grant on {_PORTAL}/{number}/bot",
        )
    yield _about_places(application)


def _about_places(application: Mapping[str, Any]) -> Finding:
    """Say where people find the bot: servers it is in, people who have installed it."""
    servers = application.get("approximate_guild_count")
    people = application.get("approximate_user_install_count") or 0
    is_for_people = "1" in (application.get("integration_types_config") or {})
    if servers == 0 and not (is_for_people and people):
        return warning(
            "it is in no server, and nobody has installed it, so nobody can write to it",
            fix=f"open {invite.server_link(application['id'])}",
        )
    places = [f"in {servers} server{'' if servers == 1 else 's'}"] if servers else []
    if people:
        places.append(f"installed by {people} {'person' if people == 1 else 'people'}")
    if not is_for_people:
        places.append("people cannot install it for themselves")
    return ok(", ".join(places) or "it can be added to servers")


def _about_gateway(answer: _Answer, chosen: BotSettings) -> Iterator[Finding]:
    shards = chosen.discord_shards
    try:
        terms = Terms.read(answer.found)
    except MALFORMED:
        terms = Terms()
    if not terms.url:
        yield _refused(answer, _way(chosen))
        return
    if shards:
        yield _about_shards(terms, shards)
        if not shards.is_all and isinstance(chosen.database, Path):
            yield warning(
                f"no other process can share the SQLite file, so nobody hears but shards {shards}",
                fix="empty DISCORD_SHARDS, or set DATABASE_URL to a PostgreSQL database",
            )
    yield _about_starts(terms, len(shards.ids) if shards else terms.shards)


def _about_shards(terms: Terms, shards: Shards) -> Finding:
    text = f"{shards} is set, Discord recommends {_counted(terms.shards)}"
    fix = f"empty DISCORD_SHARDS, or part {_counted(terms.shards)} among its processes"
    if shards.count < terms.shards:
        return warning(f"{text}; one with more than 2,500 servers is refused", fix=fix)
    if shards.count > MANY_TIMES * terms.shards:
        return warning(f"{text}; each start uses up one of a day's connections", fix=fix)
    return ok(text)


def _about_starts(terms: Terms, needed: int) -> Finding:
    hours = terms.reset_seconds / 3600
    text = f"{terms.left} of {terms.total} connections are left for the next {hours:.1f} h"
    fix = "look into the log for why it connects so often, before it is started again"
    if terms.free < needed:
        return fault(f"{text}, too few for {_counted(needed)}", fix=fix)
    if terms.left <= terms.total * FEW_STARTS:
        return warning(text, fix=fix)
    return ok(f"the gateway is open for {_counted(needed)}, {text}")


def _counted(shards: int) -> str:
    return f"{shards} shard{'' if shards == 1 else 's'}"


def _refused(answer: _Answer, way: Way) -> Finding:
    """Say why Discord did not answer as it should."""
    if answer.status == 0:
        return way.unreachable(answer.reason)
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return fault(
            "Discord refuses DISCORD_BOT_TOKEN",
            fix=f"reset it on the page Bot of your application, {_PORTAL}, and copy it anew",
        )
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS and answer.found:
        return warning(
            f"{way.host} asks for a pause of {answer.found.get('retry_after', 1):.0f} s",
            fix="run `causerie doctor` again after that",
        )
    if answer.status in {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}:
        return fault(
            f"{way.host} blocks this machine's address (HTTP {answer.status})",
            fix=f"let an hour pass; if that does not help, set {way.proxy_setting} to a proxy",
        )
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return way.ailing(f"HTTP {answer.status}")
    return way.strange(f"HTTP {answer.status}")


async def _get(session: aiohttp.ClientSession, chosen: BotSettings, path: str) -> _Answer:
    # aiohttp's errors repeat the proxy's URL, password and all, so only their kind is told.
    try:
        async with session.get(
            _root(chosen) + path,
            proxy=chosen.http_proxy_discord or system_proxy(_root(chosen)),
            allow_redirects=False,
        ) as response:
            payload = await response.read()
            status = response.status
    except TimeoutError:
        return _Answer(status=0, found={}, reason="no answer in time")
    except (aiohttp.ClientError, OSError, ValueError) as error:  # of a URL that is none
        return _Answer(status=0, found={}, reason=type(error).__name__)
    try:
        found = json.loads(payload)
    except ValueError:
        found = None
    return _Answer(status=status, found=found if isinstance(found, dict) else {})


def _root(chosen: BotSettings) -> str:
    url = chosen.discord_api_url
    return f"{url}/api/v10" if url else discord.http.Route.BASE


def _way(chosen: BotSettings) -> Way:
    return Way(
        url=_root(chosen),
        setting="DISCORD_API_URL",
        is_default=chosen.discord_api_url is None,
        proxy=chosen.http_proxy_discord,
        proxy_setting="HTTP_PROXY_DISCORD",
    )
