"""Requests: tokens, methods, parameters."""

import aiohttp
import pytest
import telegram
from telegram.error import InvalidToken

from tests.servers.telegram import Chat, TelegramServer, User
from tests.servers.test_telegram.bot import connect

Entity = telegram.MessageEntity


async def test_what_ann_says_and_what_she_is_answered(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat
) -> None:
    """What a person says is one update; what the bot sends is what the chat shows."""
    said = chat.say(ann, "/start now")
    (update,) = await bot.get_updates()
    assert update.message is not None
    commands = update.message.parse_entities([Entity.BOT_COMMAND])
    assert list(commands.values()) == ["/start"]
    reply = telegram.ReplyParameters(said.id)
    sent = await bot.send_message(chat.id, " Hi 👋 ", reply_parameters=reply)
    answer = await chat.answer()
    assert (answer.id, answer.text, answer.reply_to) == (sent.message_id, "Hi 👋", said.id)
    assert sent.reply_to_message is not None
    assert [shown.kind for shown in chat.shown] == ["message"]
    assert server.calls[-1].params["text"] == " Hi 👋 "
    assert not server.remarks


async def test_only_the_token_opens_the_door(server: TelegramServer) -> None:
    """A wrong token is unauthorized, a malformed one and an unknown method are not found."""
    stranger = connect(server, "123:abc")
    with pytest.raises(InvalidToken, match="rejected by the server"):
        await stranger.initialize()
    await stranger.shutdown()
    async with aiohttp.ClientSession() as session:
        for path in ("/bot123/getMe", f"/bot{server.token}/getMee", "/"):
            async with session.get(server.url + path) as response:
                assert response.status == 404
                assert (await response.json())["description"] == "Not Found"


@pytest.mark.parametrize("how", ["json", "data", "params", "multipart"])
async def test_parameters_come_in_four_ways(server: TelegramServer, chat: Chat, how: str) -> None:
    """Query, form, JSON and multipart say the same; method names ignore case."""
    fields = {"chat_id": str(chat.id), "text": "a&b=é"}
    form = aiohttp.FormData(fields, default_to_multipart=True) if how == "multipart" else None
    kind = {"data": form} if form else {how: fields}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/bot{server.token}/SENDmessage", **kind) as response,
    ):
        assert (await response.json())["result"]["text"] == "a&b=é"
    assert chat.answers[0].text == "a&b=é"


@pytest.mark.parametrize(
    ("kind", "body", "problem"),
    [
        ("json", b"{", "can't parse JSON object"),
        ("json", b"[]", "can't parse JSON object"),
        ("json", b'{"chat_id": 1, "text": "\\ud83d"}', "strings must be encoded in UTF-8"),
        ("x-www-form-urlencoded", b"text=\xff", "strings must be encoded in UTF-8"),
        ("json", b'{"text": "a"}', "chat_id is empty"),
        ("json", b'{"chat_id": "", "text": "a"}', "chat_id is empty"),
        ("json", b'{"chat_id": 77, "text": "a"}', "chat not found"),
        ("json", b'{"chat_id": "@nobody", "text": "a"}', "chat not found"),
        ("json", b'{"chat_id": 1, "entities": 3}', "can't parse entities: expected an Array"),
        ("json", b'{"chat_id": 1, "entities": "["}', "can't parse entities JSON object"),
        ("json", b'{"chat_id": 1, "message_thread_id": "x"}', "must be an Integer"),
        ("json", b'{"chat_id": 1, "protect_content": "x"}', "must be a Boolean"),
        ("json", b'{"chat_id": 1, "reply_parameters": [3]}', "expected an Object"),
    ],
)
async def test_parameters_are_checked(
    server: TelegramServer, kind: str, body: bytes, problem: str
) -> None:
    """A parameter that is missing or of another type is refused by name."""
    headers = {"Content-Type": f"application/{kind}"}
    url = f"{server.url}/bot{server.token}/sendMessage"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as response,
    ):
        assert response.status == 400
        assert problem in (await response.json())["description"]


async def test_unknown_parameters_are_remarked(
    server: TelegramServer, bot: telegram.Bot, chat: Chat
) -> None:
    """The real server ignores an unknown parameter; here a test can see it."""
    await bot.send_message(chat.id, "a", api_kwargs={"reply_to_message_id": 3})
    assert server.remarks == ["sendMessage has no parameter reply_to_message_id"]
