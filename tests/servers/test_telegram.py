"""The loopback Bot API, driven by the real SDK."""

from collections.abc import AsyncIterator

import pytest
import telegram
from telegram.error import BadRequest, Conflict, Forbidden, NetworkError, RetryAfter

from tests.servers.telegram import TelegramServer


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    """A server with nobody in it yet."""
    async with TelegramServer() as server:
        yield server


@pytest.fixture
async def bot(server: TelegramServer) -> AsyncIterator[telegram.Bot]:
    """The real SDK's bot, initialized."""
    bot = telegram.Bot(
        server.token, base_url=f"{server.url}/bot", base_file_url=f"{server.url}/file/bot"
    )
    async with bot:
        yield bot


async def test_a_message_reaches_the_bot_and_its_answer_the_chat(
    server: TelegramServer, bot: telegram.Bot
) -> None:
    """What a person says is one update; what the bot sends is what the chat shows."""
    ann = server.user("Ann")
    chat = server.private(ann)
    said = chat.say(ann, "/start now")
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.text == "/start now"
    assert update.message.parse_entities(["bot_command"]) == {update.message.entities[0]: "/start"}
    sent = await bot.send_message(
        chat.id, " Hi 👋 ", reply_parameters=telegram.ReplyParameters(said.id)
    )
    answer = await chat.answer()
    assert (answer.id, answer.text, answer.reply_to) == (sent.message_id, "Hi 👋", said.id)
    assert sent.reply_to_message is not None
    assert not server.remarks
