"""The gateway: as many connections as this process is to keep."""

import asyncio
import logging
from collections.abc import Callable

import discord

from bots.discord.connection import (
    FAILURES,
    REFUSED,
    Account,
    Connection,
    ShardsError,
    pause_after,
)
from bots.shards import Shards
from core.errors import SettingsError

log = logging.getLogger(__name__)


class Gateway:
    """Keeps connections to Discord, for as long as it runs; each is a client of its own.

    Args:
        account: What they have in common.
        shards: Which of them; None for all of as many as Discord recommends.
        prepare: Done once logged in, with the id of the application, where direct messages come.
    """

    def __init__(
        self, account: Account, shards: Shards | None, *, prepare: Callable[[str], None]
    ) -> None:
        self._account = account
        self._shards = shards
        self._prepare = prepare
        self._connections: list[Connection] = []

    @property
    def is_connected(self) -> bool:
        """Whether Discord tells us what happens, on every shard."""
        return bool(self._connections) and all(c.is_connected for c in self._connections)

    async def run(self) -> None:
        """Listen until cancelled.

        Raises:
            SettingsError: The token is refused, or the shards are.
        """
        last = 0
        while True:
            shards = await self._choose()
            try:
                await self._keep(shards)
            except ShardsError as error:
                if self._shards or shards.count == last:
                    raise SettingsError(self._refused(shards, error.code)) from None
                log.warning("discord wants more shards than %d", shards.count)
                last = shards.count

    async def _choose(self) -> Shards:
        """Log in, and return what to keep."""
        failures = 0
        while True:
            try:
                async with self._account.client() as client:
                    await client.login(self._account.token)
                    if self._shards is None or 0 in self._shards.ids:
                        self._prepare(str(client.application_id))
                terms = await self._account.starts.terms(is_fresh=True)
            except discord.LoginFailure:
                raise SettingsError(REFUSED) from None
            except FAILURES as error:
                await pause_after(error, failures, first=self._account.pause)
                failures += 1
                continue
            every = Shards(first=0, last=terms.shards - 1, count=terms.shards)
            chosen = self._shards or every
            if chosen.count > 1:
                log.info("discord shards=%s recommended=%d", chosen, terms.shards)
            return chosen

    async def _keep(self, shards: Shards) -> None:
        """Keep connections until one of them cannot be."""
        self._connections = [
            Connection(self._account, number, shards.count) for number in shards.ids
        ]
        tasks = [asyncio.create_task(connection.run()) for connection in self._connections]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for error in [task.exception() for task in tasks if not task.cancelled()]:
            if error:
                raise error

    def _refused(self, shards: Shards, code: int) -> str:
        recommended = self._account.starts.known.shards
        return (
            f"DISCORD_SHARDS: should be empty, or as many as Discord recommends, {recommended}; "
            f"it refuses a shard of {shards.count} (close code {code})"
        )
