"""One shard's connection to the gateway: opened, watched, opened anew."""

import asyncio
import functools
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord
import yarl

from bots.discord.incoming import MALFORMED
from bots.discord.listening import Listening
from bots.discord.starts import Starts, UsedUpError
from core.errors import DeliveryError, SettingsError
from core.proxies import system_proxy

log = logging.getLogger(__name__)

INTENTS = discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=True)
LONGEST_PAUSE = 30.0
# The SDK's own pauses between two attempts grow to 17 minutes (discord.py 2.7, backoff.py).
LONGEST_SILENCE = 60.0
# The SDK gives up what has not begun a session after 60 s (discord.py 2.7, client.py).
LONGEST_START = 45.0

REFUSED = (
    "DISCORD_BOT_TOKEN: should be a token that Discord accepts; reset it on the page Bot of your "
    "application, discord.com/developers/applications, and copy it anew"
)
_NO_CONTENT = (
    "the Message Content intent of this discord bot is off, so in servers it reads only what "
    "mentions it; turn it on on the page Bot of discord.com/developers/applications"
)
_NO_INTENTS = (
    "DISCORD_BOT_TOKEN: should be that of a bot that may read messages; Discord refuses to tell "
    "this one of any (close code %d)"
)
# Discord, "Gateway Close Event Codes", 2026-11: authentication failed; invalid shard, sharding
# required; invalid intents.
_BAD_TOKEN, _BAD_SHARDS, _BAD_INTENTS = 4004, (4010, 4011), 4013
_DISALLOWED_INTENTS = 4014
FAILURES = (
    OSError,
    aiohttp.ClientError,
    TimeoutError,
    discord.DiscordException,
    DeliveryError,
    UsedUpError,
    *MALFORMED,
)

Open = Callable[[discord.Client], Listening]


class ShardsError(Exception):
    """Discord does not take a shard of so many. Stays within `bots.discord`.

    Attributes:
        code: With which it closed the connection.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True, kw_only=True)
class Account:
    """The account that all connections of a process are for.

    Attributes:
        token: The bot's.
        proxy: URL of an HTTP proxy; None means the one the system names, if any.
        pause: Seconds after a first failure; they double up to 30.
        starts: When sessions may begin.
        trace: Sees to it that what the SDK calls counts for the limit over all.
        listening: Makes what takes the events of a new client.
        intents: What to hear of.
    """

    token: str
    proxy: str | None
    pause: float
    starts: Starts
    trace: aiohttp.TraceConfig
    listening: Open
    intents: discord.Intents

    def client(self, shard: int = 0, count: int = 1) -> discord.Client:
        """Return a client that is not logged in."""
        client = discord.Client(
            intents=self.intents,
            shard_id=shard,
            shard_count=count,
            proxy=self.proxy or system_proxy(discord.http.Route.BASE),
            http_trace=self.trace,
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


class Connection:
    """Keeps one shard connected, for as long as it runs, whatever becomes of the others.

    Args:
        account: What it has in common with the others.
        shard: Its number.
        count: Of all shards.
    """

    def __init__(self, account: Account, shard: int, count: int) -> None:
        self._account = account
        self._shard = shard
        self._count = count
        self._intents = account.intents
        self._failures = 0
        self._refusals = 0
        self._listening: Listening | None = None

    @property
    def is_connected(self) -> bool:
        """Whether Discord tells us what happens."""
        return self._listening is not None and self._listening.is_connected

    async def run(self) -> None:
        """Listen until cancelled.

        Raises:
            SettingsError: Discord refuses the bot.
            ShardsError: Discord refuses such a shard.
        """
        while True:
            try:
                await self._account.starts.wait(self._shard)
                await self._listen()
            except discord.PrivilegedIntentsRequired:
                self._do_without_content()
            except discord.LoginFailure:
                raise SettingsError(REFUSED) from None
            except FAILURES as error:
                _check(error)
                self._account.starts.leave(self._shard)
                await pause_after(error, self._failures, first=self._account.pause)
                self._failures += 1

    async def before_identify_hook(self, shard: int | None, *, initial: bool = False) -> None:
        """Wait until the shard may begin a session; the SDK calls this, by this name."""
        self._refusals = 0 if initial else self._refusals + 1
        try:
            async with asyncio.timeout(LONGEST_START):
                await self._account.starts.begin(shard or 0, refusals=self._refusals)
        except TimeoutError:  # of which the SDK would make another attempt to resume
            raise discord.ClientException("too many sessions begin at once") from None

    async def _listen(self) -> None:
        self._intents = self._account.intents
        async with self._account.client(self._shard, self._count) as client:
            client.event(self.before_identify_hook)
            await client.login(self._account.token)
            if address := (await self._account.starts.terms()).url:
                discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(address)
            listening = self._listening = self._account.listening(client)
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

    async def _watch(self, listening: Listening) -> None:
        """Return when the SDK has been without a connection for too long."""
        while True:
            await asyncio.sleep(1)
            if listening.is_connected:
                self._failures = self._refusals = 0
            elif time.monotonic() - listening.silent_since > LONGEST_SILENCE:
                log.info("discord is silent; connecting anew")
                return

    def _do_without_content(self) -> None:
        """Hear less from now on: of all connections the first says so."""
        if not self._intents.message_content:
            raise SettingsError(_NO_INTENTS % _DISALLOWED_INTENTS) from None
        if self._account.intents.message_content:
            log.warning(_NO_CONTENT)
            self._account.intents = discord.Intents(self._intents.value)
            self._account.intents.message_content = False


async def pause_after(error: BaseException, failures: int, *, first: float) -> None:
    """Say why Discord cannot be heard, and wait before the next attempt.

    Args:
        error: The reason.
        failures: How many came before it.
        first: Seconds after the first failure; they double up to 30.
    """
    log.warning("discord cannot be heard: %s", _reason(error))
    most = min(first * 2 ** min(failures, 10), LONGEST_PAUSE)
    asked = error.retry_after if isinstance(error, DeliveryError) else None
    await asyncio.sleep(asked or random.uniform(most / 2, most))  # noqa: S311 - jitter


def _check(error: BaseException) -> None:
    """Raise what a further attempt would not mend."""
    code = error.code if isinstance(error, discord.ConnectionClosed) else 0
    if code == _BAD_TOKEN:
        raise SettingsError(REFUSED) from None
    if code in _BAD_SHARDS:
        raise ShardsError(code) from None
    if code == _BAD_INTENTS:
        raise SettingsError(_NO_INTENTS % code) from None


def _parse(event: str, parse: Callable[[Any], None], payload: Any) -> None:  # noqa: ANN401 - JSON
    try:
        if event == "THREAD_LIST_SYNC":
            _join(payload)
        parse(payload)
    except MALFORMED:
        log.warning("discord event %s cannot be read and is set aside", event)


def _join(sync: Any) -> None:  # noqa: ANN401 - JSON
    """Tell of threads as all other events do, where the SDK looks for it: which we are in."""
    members = {member["id"]: member for member in sync.get("members", ())}
    for thread in sync.get("threads", ()):
        if thread["id"] in members:
            thread["member"] = members[thread["id"]]


def _reason(error: BaseException) -> str:
    if isinstance(error, discord.HTTPException):
        return f"HTTP {error.status}"
    if isinstance(error, UsedUpError):
        return "no further connection is allowed today"
    return f"{type(error).__name__}: {error}"
