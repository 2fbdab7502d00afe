"""What the tests of the loopback Telegram share."""

from collections.abc import AsyncIterator

import pytest
import telegram

from tests.servers.telegram import Chat, TelegramServer, User
from tests.servers.test_telegram.bot import connect


@pytest.fixture(autouse=True)
def _timedelta(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the SDK state durations as it will from its next version on."""
    monkeypatch.setenv("PTB_TIMEDELTA", "1")


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    """A server with nobody in it yet."""
    async with TelegramServer() as server:
        yield server


@pytest.fixture
async def bot(server: TelegramServer) -> AsyncIterator[telegram.Bot]:
    """The real SDK's bot, initialized."""
    async with connect(server) as bot:
        yield bot


@pytest.fixture
def ann(server: TelegramServer) -> User:
    """A person."""
    return server.user("Ann", username="ann_in_chat")


@pytest.fixture
def chat(server: TelegramServer, ann: User) -> Chat:
    """Ann's private chat with the bot."""
    return server.private(ann)


@pytest.fixture
def group(server: TelegramServer, ann: User) -> Chat:
    """A supergroup with Ann and the bot."""
    return server.group("Friends", [ann])
