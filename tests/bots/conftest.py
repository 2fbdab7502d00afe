"""Fixtures that the bots' tests share."""

import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from discord.gateway import KeepAliveHandler

from bots.discord import starts
from bots.telegram import TelegramBot
from tests.bots.discord_steps import QUICK
from tests.bots.stages import STAGES, Stage
from tests.bots.telegram_steps import open_bot
from tests.servers.discord import Channel, DiscordServer, User
from tests.servers.telegram import Chat as Room
from tests.servers.telegram import TelegramServer


@pytest.fixture(autouse=True)
def no_hearts() -> Iterator[None]:
    """End the heartbeats of connections that were given up before they had a session.

    The SDK's threads for these would wake when the loop of their test is long closed.
    """
    yield
    for thread in threading.enumerate():
        if isinstance(thread, KeepAliveHandler):
            thread.stop()


@pytest.fixture
async def bot(telegram_server: TelegramServer) -> AsyncIterator[TelegramBot]:
    """A bot that does not listen."""
    async with open_bot(telegram_server) as bot:
        yield bot


@pytest.fixture
def quick_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sessions of Discord's gateway follow each other quickly, but no faster than so."""
    monkeypatch.setattr(starts, "PAUSE_SECONDS", QUICK)
    monkeypatch.setattr(starts, "MARGIN_SECONDS", QUICK / 5)
    monkeypatch.setattr(starts, "FRESH_SECONDS", QUICK / 5)


@pytest.fixture
def private(telegram_server: TelegramServer) -> Room:
    """Ann's private chat."""
    return telegram_server.private(telegram_server.user("Ann"))


@pytest.fixture
def group(telegram_server: TelegramServer) -> Room:
    """A group with Ann in it."""
    return telegram_server.group("Friends", [telegram_server.user("Ann")])


@pytest.fixture
def ann(discord_server: DiscordServer) -> User:
    """Somebody on Discord."""
    return discord_server.user("Ann")


@pytest.fixture
def channel(discord_server: DiscordServer, ann: User) -> Channel:
    """A channel of a guild with Ann and the bot in it."""
    owner = discord_server.user("Olga")
    return discord_server.guild("School", owner, members=[ann]).channel("general")


@pytest.fixture(params=STAGES)
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """A place on each platform in turn, with a bot that listens."""
    async with STAGES[request.param]() as stage:
        await stage.serving.begin()
        yield stage
        await stage.serving.end()
