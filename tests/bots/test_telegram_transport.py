"""Recordings, proxies and secrets: what the Telegram bot's connections carry."""

import dataclasses
import logging
import math
import traceback
from pathlib import Path
from typing import Any

import pytest

from bots.telegram import TelegramBot
from core.errors import DeliveryError, FetchError, GoneError
from core.types import File, Voice
from tests.bots.answering import answering
from tests.bots.telegram_steps import final, open_bot, reply_in
from tests.servers.telegram import Chat as Room
from tests.servers.telegram import TelegramServer


def voice_in(room: Room, data: bytes, **about: Any) -> Voice:
    """Record a voice note and return what the bot is told of it."""
    message = room.say_voice(room.members[0], data, **about)
    voice = message.content["voice"]
    return Voice(ref=voice["file_id"], size=voice["file_size"], mime="audio/ogg")


async def test_a_recording_above_the_limit_is_not_fetched(
    telegram_server: TelegramServer, bot: TelegramBot, private: Room
) -> None:
    """20 MB is the most a bot gets: one clear sentence, before any call if the size is known."""
    voice = voice_in(private, b"OggS", size=21 << 20)
    with pytest.raises(FetchError, match="at most 20 MB"):
        await bot.fetch(voice)
    assert telegram_server.calls == []
    with pytest.raises(FetchError, match="at most 20 MB"):
        await bot.fetch(dataclasses.replace(voice, size=None))


@pytest.mark.parametrize(
    ("method", "fault", "error"),
    [
        ("getFile", {"status": 400, "description": "Bad Request: invalid file_id"}, FetchError),
        (
            "getFile",
            {"status": 400, "description": "Bad Request: file is temporarily unavailable"},
            DeliveryError,
        ),
        ("getFile", {"retry_after": 3}, DeliveryError),
        ("getFile", {"status": 500}, DeliveryError),
        ("file", {"status": 404}, FetchError),
    ],
)
async def test_what_cannot_be_fetched_is_said(  # noqa: PLR0917 - a table
    telegram_server: TelegramServer,
    bot: TelegramBot,
    private: Room,
    method: str,
    fault: dict[str, Any],
    error: type[Exception],
) -> None:
    """Gone for good is a FetchError, not now is a DeliveryError; the next attempt succeeds."""
    voice = voice_in(private, b"OggS")
    telegram_server.fail_next(method, **fault)
    with pytest.raises(error):
        await bot.fetch(voice)
    assert await bot.fetch(voice) == b"OggS"


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 409, 429, 502])
async def test_a_gateways_page_costs_no_answer(
    telegram_server: TelegramServer, bot: TelegramBot, private: Room, status: int
) -> None:
    """It knows nothing of the chat, the token or the text: what it kept off is sent again."""
    reply = reply_in(private)
    for method in ("sendMessage", "editMessageText"):
        telegram_server.fail_next(method, status=status, is_html=True)
        with pytest.raises(DeliveryError, match="cannot be reached") as caught:
            await final(bot, reply, f"Hello {method}")
        assert not isinstance(caught.value, GoneError)
        await bot.deliver(reply)
    assert [message.text for message in private.answers] == ["Hello editMessageText"]


@pytest.mark.parametrize(
    ("fields", "error", "pause"),
    [
        ({"error_code": 429, "parameters": {"retry_after": 40}}, DeliveryError, 40.0),
        ({"error_code": 403}, GoneError, None),
        ({"error_code": 500}, DeliveryError, None),
        ({"error_code": 7}, DeliveryError, None),
        ({"error_code": 400, "description": 5, "parameters": ["retry_after"]}, GoneError, None),
        ({"error_code": 429, "parameters": {"retry_after": "soon"}}, DeliveryError, None),
        ({"error_code": 429, "parameters": {"retry_after": math.inf}}, DeliveryError, None),
        ({"error_code": 429, "parameters": {"retry_after": 10**14}}, DeliveryError, 3600.0),
        ({}, DeliveryError, None),
    ],
)
async def test_a_refusal_counts_whatever_the_status(
    telegram_server: TelegramServer,
    fields: dict[str, Any],
    error: type[Exception],
    pause: float | None,
) -> None:
    """A server or gateway that answers all calls with HTTP 200 tells it in `error_code`."""
    room = telegram_server.private(telegram_server.user("Ann"))
    refusal = {"ok": False, "description": "So", **fields}
    async with (
        answering({"sendMessage": refusal}) as url,
        open_bot(telegram_server, api_url=url) as bot,
    ):
        with pytest.raises(DeliveryError) as caught:
            await final(bot, reply_in(room), "Hello")
    assert type(caught.value) is error
    assert caught.value.retry_after == pytest.approx(pause)


async def test_what_was_sent_is_known_by_its_id(telegram_server: TelegramServer) -> None:
    """Whatever else is said or not said of it, it is not sent again."""
    reply = reply_in(telegram_server.private(telegram_server.user("Ann")))
    picture = File(name="a.png", mime="image/png", data=b"a")
    sent: dict[str, Any] = {
        "sendMessage": {"message_id": 11},
        "editMessageText": {"message_id": 11, "date": "?", "chat": {}},
        "sendPhoto": {"message_id": 12, "date": 1, "chat": {"id": 1}, "photo": [{}]},
    }
    answers = {method: {"ok": True, "result": result} for method, result in sent.items()}
    async with answering(answers) as url, open_bot(telegram_server, api_url=url) as bot:
        await final(bot, reply, "Hello")
        await final(bot, reply, "Hello Ann", picture)
    assert ([message.ref for message in reply.posted], reply.attached) == (["11"], 1)


async def test_a_path_on_the_servers_disk_is_of_no_use(
    telegram_server: TelegramServer, bot: TelegramBot, private: Room, tmp_path: Path
) -> None:
    """A local Bot API server names files on its disk, which we never read."""
    path = tmp_path / "voice.ogg"
    path.write_bytes(b"private")
    voice = voice_in(private, b"OggS")
    file = telegram_server.files[voice.ref]
    telegram_server.files[voice.ref] = dataclasses.replace(file, path=str(path))
    with pytest.raises(FetchError, match="without --local"):
        await bot.fetch(voice)


async def test_the_token_is_never_seen(
    telegram_server: TelegramServer, private: Room, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails, neither logs nor errors show the token or what people write."""
    caplog.set_level(logging.DEBUG)
    seen = []
    voice = voice_in(private, b"OggS")
    telegram_server.drop_next("file", times=2)  # a download is tried twice
    telegram_server.drop_next("sendMessage")
    async with open_bot(telegram_server) as bot:
        for call in (bot.fetch(voice), final(bot, reply_in(private), "my secret")):
            with pytest.raises(DeliveryError) as caught:
                await call
            seen += traceback.format_exception(caught.value)
    async with open_bot(telegram_server, api_url="http://127.0.0.1:1") as bot:
        with pytest.raises(DeliveryError) as caught:
            await final(bot, reply_in(private), "my secret")
        seen += traceback.format_exception(caught.value)
    shown = "".join(seen) + caplog.text
    assert telegram_server.token.partition(":")[2] not in shown
    assert "my secret" not in caplog.text


@pytest.mark.parametrize("is_named", [True, False])
async def test_a_proxy_is_used(
    telegram_server: TelegramServer, monkeypatch: pytest.MonkeyPatch, *, is_named: bool
) -> None:
    """Calls go through the proxy of the settings or, failing that, of the system."""
    ann = telegram_server.user("Ann")
    room = telegram_server.private(ann)
    if not is_named:
        monkeypatch.setenv("http_proxy", telegram_server.url)
    proxy = telegram_server.url if is_named else None
    async with open_bot(telegram_server, api_url="http://telegram.test", proxy=proxy) as bot:
        await final(bot, reply_in(room), "Hello")
    assert [message.text for message in room.answers] == ["Hello"]


async def test_closing_a_bot_that_did_nothing_is_quiet(telegram_server: TelegramServer) -> None:
    """Nothing is opened before it is needed."""
    async with open_bot(telegram_server):
        pass
    assert telegram_server.calls == []
