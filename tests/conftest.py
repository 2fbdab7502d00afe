"""Fixtures that every room's tests share."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from core import models
from tests.servers.discord import DiscordServer
from tests.servers.openai import OpenAIServer
from tests.servers.telegram import TelegramServer

TODAY = date(2026, 11, 21)


@pytest.fixture(autouse=True)
def table() -> None:
    """Describe models by the table that ships, and on the day it was made."""
    models.use(clock=lambda: TODAY)


@pytest.fixture
async def openai_server() -> AsyncIterator[OpenAIServer]:
    """A loopback model server."""
    async with OpenAIServer() as server:
        yield server


@pytest.fixture
async def telegram_server() -> AsyncIterator[TelegramServer]:
    """A loopback Bot API server."""
    async with TelegramServer() as server:
        yield server


@pytest.fixture
async def discord_server() -> AsyncIterator[DiscordServer]:
    """A loopback Discord."""
    async with DiscordServer() as server:
        yield server
