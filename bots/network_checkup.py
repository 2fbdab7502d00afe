"""What `causerie doctor` checks of the way to all servers: proxies, and their clocks."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp

from bots.settings import BotSettings
from core.finding import Finding, fault, host, ok, warning
from core.provider import OPENAI_URL
from core.proxies import is_exempt, is_own_machine, system_proxy, variable
from core.surroundings import about_clock

CONNECT_SECONDS = 2.0
# Of a server that is asked for the time.
SECONDS = 4.0

_DISCORD = "https://discord.com"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """A server that is talked to.

    Attributes:
        name: As the doctor calls it.
        url: Its root.
        proxy: What stands between; None for nothing.
        source: The setting, or the variable of the environment, that names the proxy, or something
            that is none, or keeps one from being used; empty for neither.
    """

    name: str
    url: str
    proxy: str | None
    source: str


async def check_proxies(chosen: BotSettings) -> AsyncGenerator[Finding]:
    """Say which proxy counts for which server, and whether it can be reached."""
    sides = _sides(chosen)
    groups: dict[tuple[str | None, str], list[str]] = {}
    for side in sides:
        groups.setdefault((side.proxy, side.source), []).append(side.name)
    for finding in _about_unfit(sides):
        yield finding
    found = (_about(proxy, source, names) for (proxy, source), names in groups.items())
    for finding in await asyncio.gather(*found):
        yield finding


async def check_clock(chosen: BotSettings, *, seconds: float = SECONDS) -> AsyncGenerator[Finding]:
    """Compare this machine's clock with those of the servers; one that agrees is enough.

    No key is sent, since any answer tells the time, and no certificate is checked: none is valid
    where the clock is far off.

    Args:
        chosen: The owner's settings.
        seconds: The most that it takes.
    """
    sides = _sides(chosen)
    if not sides:
        return
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=seconds), cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        told = await asyncio.gather(*(_ahead(session, side) for side in sides))
    ahead = {side.url: by for side, by in zip(sides, told, strict=True) if by is not None}
    if not ahead:
        yield ok("not compared, since no server told the time")
        return
    nearest = min(ahead, key=lambda url: abs(ahead[url]))
    yield about_clock(ahead[nearest], host(nearest))


def _sides(chosen: BotSettings) -> list[_Side]:
    sides = []
    if chosen.telegram_bot_token:
        proxy = ("HTTP_PROXY_TELEGRAM", chosen.http_proxy_telegram)
        sides.append(_side("telegram", chosen.telegram_api_url, proxy))
    if chosen.discord_bot_token:
        proxy = ("HTTP_PROXY_DISCORD", chosen.http_proxy_discord)
        sides.append(_side("discord", chosen.discord_api_url or _DISCORD, proxy))
    proxy = ("HTTP_PROXY_OPENAI", chosen.http_proxy_openai)
    chat = chosen.openai_base_url or OPENAI_URL
    if chosen.has_model_server:
        sides.append(_side("chat", chat, proxy))
    speech = chosen.speech_url or OPENAI_URL
    if chosen.has_speech_server and (speech != chat or not chosen.has_model_server):
        sides.append(_side("speech", speech, proxy))
    return [side for side in sides if host(side.url)]  # else its own check says so


def _side(name: str, url: str, own: tuple[str, str | None]) -> _Side:
    """Return how a server is reached; `own` is the setting for its proxy and the value."""
    setting, proxy = own
    if proxy:
        return _Side(name=name, url=url, proxy=proxy, source=setting)
    named = "" if is_own_machine(url) else variable(url)
    if named and is_exempt(url):
        named = "NO_PROXY"
    return _Side(name=name, url=url, proxy=system_proxy(url), source=named)


def _about_unfit(sides: Sequence[_Side]) -> list[Finding]:
    """Say which variables of the environment name something that we cannot use."""
    unfit = {side.source for side in sides if not side.proxy} - {"", "NO_PROXY"}
    return [
        warning(
            f"{source} names no HTTP proxy, so it is left out", fix="write it as http://host:port"
        )
        for source in sorted(unfit)
    ]


async def _about(proxy: str | None, source: str, names: Sequence[str]) -> Finding:
    who = " and ".join(names)
    if not proxy:
        return ok(f"none for {who}{', as NO_PROXY says' if source == 'NO_PROXY' else ''}")
    name = host(proxy) or "what it names"
    if await _is_there(proxy):
        return ok(f"{name} for {who} ({source})")
    text = f"the proxy for {who}, {name}, cannot be reached"
    return fault(text, fix=f"set {source} to a proxy that runs, or to nothing")


async def _is_there(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        port = parts.port or _PORTS[parts.scheme]
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, ValueError):  # a name that is not known or none, too
        return False
    writer.close()
    return True


async def _ahead(session: aiohttp.ClientSession, side: _Side) -> float | None:
    """Return by how many seconds this machine's clock is ahead of a server's; None: not told."""
    began, before = time.time(), time.monotonic()
    try:
        async with session.get(
            side.url,
            proxy=side.proxy,
            ssl=False,
            allow_redirects=False,
            headers={"Cache-Control": "no-cache"},
        ) as response:
            taken = time.monotonic() - before
            # In whole seconds, the rest being left out.
            told = parsedate_to_datetime(response.headers.get("Date", "")).timestamp() + 0.5
    except (aiohttp.ClientError, OSError, ValueError):
        return None
    return began + taken / 2 - told
