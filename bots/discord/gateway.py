"""The gateway's connection: opened, watched, opened anew; what it brings goes to `listening`."""

import asyncio
import functools
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import discord
import yarl

from bots.discord.incoming import MALFORMED
from bots.discord.listening import Listening
from bots.proxies import system_proxy
from core.errors import SettingsError

log = logging.getLogger(__name__)

INTENTS = discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=True)
LONGEST_PAUSE = 30.0
# The SDK's own pauses between two attempts grow to 17 minutes (discord.py 2.7, backoff.py).
LONGEST_SILENCE = 60.0

_REFUSED = (
    "DISCORD_BOT_TOKEN: should be a token that Discord accepts; reset it on the page Bot of your "
    "application, discord.com/developers/applications, and copy it anew"
)
_NO_CONTENT = (
    "the Message Content intent of this discord bot is off, so in servers it reads only what "
    "mentions it; turn it on on the page Bot of discord.com/developers/applications"
)
# Discord, "Gateway Close Event Codes", 2026-11: authentication failed.
_BAD_TOKEN = 4004
_FAILURES = (OSError, aiohttp.ClientError, TimeoutError, discord.DiscordException, *MALFORMED)

Open = Callable[[discord.Client], Listening]


class Gateway:
    """Keeps one connection to Discord, for as long as it runs.

    Args:
        token: The bot's.
        proxy: URL of an HTTP proxy; None means the one the system names, if any.
        pause: Seconds after a first failure; they double up to 30.
        address: Finds where the gateway is; None if Discord does not say.
        prepare: Done after each login, with the id of the application.
        listening: Makes what takes the events of a new client.
    """

    def __init__(
        self,
        *,
        token: str,
        proxy: str | None,
        pause: float,
        address: Callable[[], Awaitable[str | None]],
        prepare: Callable[[str], None],
        listening: Open,
    ) -> None:
        self._token = token
        self._proxy = proxy
        self._first_pause = pause
        self._address = address
        self._prepare = prepare
        self._open = listening
        self._failures = 0
        self._listening: Listening | None = None

    @property
    def is_connected(self) -> bool:
        """Whether Discord tells us what happens."""
        return self._listening is not None and self._listening.is_connected

    async def run(self) -> None:
        """Listen until cancelled.

        Raises:
            SettingsError: The token is refused.
        """
        intents = INTENTS
        while True:
            try:
                await self._listen(intents)
            except discord.PrivilegedIntentsRequired:
                log.warning(_NO_CONTENT)
                intents = discord.Intents(intents.value)
                intents.message_content = False
            except discord.LoginFailure:
                raise SettingsError(_REFUSED) from None
            except _FAILURES as error:
                if isinstance(error, discord.ConnectionClosed) and error.code == _BAD_TOKEN:
                    raise SettingsError(_REFUSED) from None
                await self._pause(error)

    async def _listen(self, intents: discord.Intents) -> None:
        async with self._client(intents) as client:
            await client.login(self._token)
            self._prepare(str(client.application_id))
            if address := await self._address():
                discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(address)
            listening = self._listening = self._open(client)
            tasks = [
                asyncio.create_task(client.connect()),
                asyncio.create_task(listening.run()),
                asyncio.create_task(self._watch(listening)),
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                self._listening = None
                await listening.close()
            for task in done:
                task.result()

    def _client(self, intents: discord.Intents) -> discord.Client:
        client = discord.Client(
            intents=intents,
            proxy=self._proxy or system_proxy(discord.http.Route.BASE),
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            guild_ready_timeout=0,  # listening waits for them itself, and not for silence
        )
        # An event that the SDK cannot read would end its connection; there is no public way to
        # set it aside instead, so that a test holds this one.
        parsers = client._connection.parsers  # noqa: SLF001
        for event, parse in list(parsers.items()):
            if event not in {"READY", "RESUMED"}:
                parsers[event] = functools.partial(_parse, event, parse)
        return client

    async def _watch(self, listening: Listening) -> None:
        """Return when the SDK has been without a connection for too long."""
        while True:
            await asyncio.sleep(1)
            if listening.is_connected:
                self._failures = 0
            elif time.monotonic() - listening.silent_since > LONGEST_SILENCE:
                log.info("discord is silent; connecting anew")
                return

    async def _pause(self, error: BaseException) -> None:
        log.warning("discord cannot be heard: %s", _reason(error))
        pause = min(self._first_pause * 2 ** min(self._failures, 10), LONGEST_PAUSE)
        self._failures += 1
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter


def _parse(event: str, parse: Callable[[Any], None], payload: Any) -> None:  # noqa: ANN401 - JSON
    try:
        parse(payload)
    except MALFORMED:
        log.warning("discord event %s cannot be read and is set aside", event)


def _reason(error: BaseException) -> str:
    if isinstance(error, discord.HTTPException):
        return f"HTTP {error.status}"
    return f"{type(error).__name__}: {error}"
