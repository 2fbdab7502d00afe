"""Steps that the tests of the Discord bot share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from bots import live
from bots.discord import DiscordBot
from core.types import Chat, Seen
from tests.bots.inbox import Inbox
from tests.servers.discord import Channel, DiscordServer

# As short as a test wants them.
QUICK = 0.25
FAST = live.Pace(draft=0.0, edit=0.01, typing_after=0.05, typing_every=0.2, call=0.5, change=1.0)


def open_bot(server: DiscordServer, **options: Any) -> DiscordBot:
    """Return a bot of the server's application."""
    options = {"token": server.token, "pace": FAST, "pause": 0.01, **options}
    return DiscordBot(api_url=server.url, **options)


@asynccontextmanager
async def listening(
    server: DiscordServer, inbox: Inbox, **options: Any
) -> AsyncIterator["asyncio.Task[None]"]:
    """Have a bot listen, connected; it stops at once when cancelled."""
    async with open_bot(server, **options) as bot:
        task = asyncio.create_task(bot.listen(inbox))
        try:
            await until(lambda: server.gateway.session is not None or task.done())
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                async with asyncio.timeout(5):
                    await task


def chat(channel: Channel) -> Chat:
    """Return a channel as the inbox knows it."""
    return Chat(platform="discord", ref=str(channel.id), is_private=channel.guild is None)


def seen(channel: Channel, sent_at: int) -> Seen:
    """Return what the inbox knows of a channel."""
    return Seen(chat=chat(channel), sent_at=sent_at)


async def until(condition: Callable[[], object], *, seconds: float = 30.0) -> None:
    """Wait for a condition, which something in this process makes true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - an inbox rings no bell
            await asyncio.sleep(0.005)
