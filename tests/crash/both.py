"""Telegram and Discord at once, served by the same program."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Self, cast

from tests.crash.platforms import Discord, Fault, Kind, Place, Telegram
from tests.servers import discord, telegram


class Servers:
    """The servers of both platforms."""

    def __init__(self, *servers: telegram.TelegramServer | discord.DiscordServer) -> None:
        self._servers = servers
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for server in self._servers:
            await self._open.enter_async_context(server)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._open.aclose()

    @property
    def calls(self) -> Sequence[telegram.Call | discord.Call]:
        """All calls, those of one platform first."""
        return [call for server in self._servers for call in server.calls]

    @property
    def remarks(self) -> Sequence[str]:
        """What the servers did not like."""
        return [remark for server in self._servers for remark in server.remarks]

    async def until(self, is_true: Callable[[], bool], *, seconds: float = 30.0) -> None:
        """Wait until something holds.

        Raises:
            TimeoutError: It does not.
        """
        async with asyncio.timeout(seconds):
            while not is_true():  # noqa: ASYNC110 - two servers, and one thing to wait for
                await asyncio.sleep(0.02)


class Both:
    """Telegram and Discord; see `tests.crash.platforms.Platform`.

    Attributes:
        telegram: The one.
        discord: The other.
    """

    kinds: Sequence[Kind] = ("private", "group", "thread")
    calls_of_life = 30, 200

    def __init__(self) -> None:
        self.telegram, self.discord = Telegram(), Discord()
        servers = Servers(self.telegram.server, self.discord.server)
        # Of a server, whoever tries a program uses what both have.
        self.server = cast("telegram.TelegramServer", servers)
        self._places = 0

    @property
    def settings(self) -> dict[str, str]:
        """Of a program that serves both."""
        return self.telegram.settings | self.discord.settings

    @property
    def is_listened_to(self) -> bool:
        """Both hear."""
        return self.telegram.is_listened_to and self.discord.is_listened_to

    def place(self, name: str, kind: Kind) -> Place:
        """Return a new chat, on each platform in turn; threads only where there are some."""
        self._places += 1
        if kind == "thread" or self._places % 2:
            return self.discord.place(name, kind)
        return self.telegram.place(name, kind)

    def disturbances(self) -> Sequence[Callable[[], Fault | None]]:
        """Return what may go wrong on the way to either."""
        return [*self.telegram.disturbances(), *self.discord.disturbances()]
