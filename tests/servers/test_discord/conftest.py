"""What the tests of the loopback Discord share."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.servers.discord import Channel, DiscordServer, Guild, User
from tests.servers.test_discord.client import Bot, Rest


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    """A server with nobody in it yet."""
    async with DiscordServer() as server:
        yield server


@pytest.fixture
async def bot(server: DiscordServer) -> AsyncIterator[Bot]:
    """A bot without an SDK."""
    async with aiohttp.ClientSession() as http:
        yield Bot(server, http)


@pytest.fixture
def rest(bot: Bot) -> Rest:
    """Its REST side."""
    return bot.rest


@pytest.fixture
def ann(server: DiscordServer) -> User:
    """A person."""
    return server.user("Ann")


@pytest.fixture
def bob(server: DiscordServer) -> User:
    """Another one."""
    return server.user("Bob")


@pytest.fixture
def guild(server: DiscordServer, ann: User, bob: User) -> Guild:
    """Ann's guild, with Bob and the bot in it."""
    return server.guild("School", ann, members=[bob])


@pytest.fixture
def channel(guild: Guild) -> Channel:
    """A channel in it."""
    return guild.channel("general")
