"""That Telegram knows the webhook: set once, set again where it must be, left in place."""

import asyncio
import logging
import traceback
from dataclasses import replace
from typing import Any

import pytest

from core.errors import SettingsError
from tests.bots.inbox import Inbox
from tests.bots.stages import until
from tests.bots.telegram_steps import open_bot
from tests.bots.test_telegram_listening import Entry
from tests.bots.webhook_steps import SECRET, URL, health, hooked, new_hook, post, root
from tests.servers.telegram import Courier, TelegramServer

WANTED: dict[str, Any] = {
    "url": URL,
    "secret_token": SECRET,
    "max_connections": 40,
    "allowed_updates": ["message", "edited_message"],
}


def count(server: TelegramServer, method: str) -> int:
    """Return how often a method was called with success."""
    return sum(call.method == method and not call.error for call in server.calls)


def hello(server: TelegramServer) -> None:
    """Have Ann say something."""
    ann = server.user("Ann")
    server.private(ann).say(ann, "Hello")


async def test_the_webhook_is_set_once_and_stays(telegram_server: TelegramServer) -> None:
    """With the secret and what we read; a second start finds it as it should be."""
    hook = new_hook()
    hello(telegram_server)
    for _ in range(2):
        async with hooked(telegram_server, Inbox(), hook, commands=[Entry("new", "Start afresh")]):
            await until(lambda: telegram_server.menus)
        telegram_server.menus.clear()
    (call,) = [call for call in telegram_server.calls if call.method == "setWebhook"]
    assert call.params.pop("drop_pending_updates", False) is False
    assert call.params == WANTED
    assert count(telegram_server, "getWebhookInfo") == 2
    assert count(telegram_server, "deleteWebhook") == 0
    assert telegram_server.updates.webhook
    assert len(telegram_server.updates.pending) == 1
    assert telegram_server.remarks == []


@pytest.mark.parametrize(
    "other",
    [
        {"url": "https://elsewhere.example/x"},
        {"max_connections": 1},
        {"allowed_updates": ["message"]},
        {"allowed_updates": []},
    ],
)
async def test_what_does_not_stand_as_wanted_is_set(
    telegram_server: TelegramServer, other: dict[str, Any]
) -> None:
    """What waits behind the other one is kept."""
    inbox, hook = Inbox(), new_hook()
    async with open_bot(telegram_server) as bot:
        await bot._bot.set_webhook(**{**WANTED, **other})
    hello(telegram_server)
    async with hooked(telegram_server, inbox, hook), Courier(telegram_server, root(hook)):
        await until(lambda: inbox.texts == ["Hello"])
    assert count(telegram_server, "setWebhook") == 2


async def test_trouble_at_the_start_is_outlived(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Refusals, pauses and lost connections cost nothing but time; it is told once."""
    caplog.set_level(logging.INFO)
    inbox, hook = Inbox(), new_hook()
    telegram_server.fail_next("getMe", status=502, is_html=True)
    telegram_server.drop_next("getMe")
    telegram_server.fail_next("getWebhookInfo", status=500)
    telegram_server.fail_next("setWebhook", retry_after=1)
    telegram_server.fail_next("setWebhook", status=409, description="Conflict: other setWebhook")
    telegram_server.drop_next("setWebhook", is_done=True)
    hello(telegram_server)
    async with hooked(telegram_server, inbox, hook), Courier(telegram_server, root(hook)):
        await until(lambda: inbox.texts == ["Hello"])
        await until(lambda: "goes on" in caplog.text)
    assert caplog.text.count("telegram's webhook is interrupted") == 1
    assert telegram_server.updates.webhook
    calls = [call.at for call in telegram_server.calls if call.method == "setWebhook"]
    assert calls[1] - calls[0] >= 1.0


async def test_nothing_is_taken_before_we_know_who_we_are(telegram_server: TelegramServer) -> None:
    """What is posted from before the start comes again, and a proxy is told to wait."""
    inbox, hook = Inbox(), new_hook()
    telegram_server.updates.set_webhook(WANTED)
    fault = telegram_server.delay_next("getMe")
    hello(telegram_server)
    async with open_bot(telegram_server, hook=hook) as bot, Courier(telegram_server, root(hook)):
        listening = asyncio.create_task(bot.listen(inbox))
        await telegram_server.until(lambda: fault.used)
        assert await health(hook) == (503, "starting")
        assert await post(hook) == 503
        fault.release()
        await until(lambda: inbox.texts == ["Hello"])
        listening.cancel()
        await asyncio.wait({listening}, timeout=5)


@pytest.mark.parametrize("token", ["7000000001:AAwrong", "nonsense"])
async def test_a_wrong_token_is_the_owners_to_mend(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture, token: str
) -> None:
    """A token that is refused names its setting, never itself."""
    caplog.set_level(logging.DEBUG)
    async with open_bot(telegram_server, token=token, hook=new_hook()) as bot:
        with pytest.raises(SettingsError, match=r"^TELEGRAM_BOT_TOKEN: ") as caught:
            await bot.listen(Inbox())
    assert token not in "".join(traceback.format_exception(caught.value)) + caplog.text


async def test_a_url_that_telegram_refuses_is_the_owners_to_mend(
    telegram_server: TelegramServer,
) -> None:
    """With Telegram's reason, and without the URL."""
    hook = new_hook(url="https://bot.example:4711/telegram")
    async with open_bot(telegram_server, hook=hook) as bot:
        with pytest.raises(SettingsError, match=r"refuses it: .*only on ports 80") as caught:
            await bot.listen(Inbox())
    assert str(caught.value).startswith("TELEGRAM_WEBHOOK_URL: ")
    assert "4711" not in str(caught.value)


async def test_a_new_secret_is_told_to_telegram(telegram_server: TelegramServer) -> None:
    """Telegram does not say which one it knows; that we refuse it is told, and is mended."""
    inbox, hook = Inbox(), new_hook()
    async with hooked(telegram_server, inbox, replace(hook, secret="the-old-one")):
        pass
    hello(telegram_server)
    async with (
        Courier(telegram_server, root(hook)) as courier,
        hooked(telegram_server, inbox, hook),
    ):
        await until(lambda: inbox.texts == ["Hello"])
        assert 403 in courier.statuses
    assert telegram_server.updates.webhook
    assert telegram_server.updates.webhook["secret_token"] == SECRET


async def test_strangers_cause_one_look_and_no_more(telegram_server: TelegramServer) -> None:
    """Whoever posts without the secret does not make us set the webhook."""
    hook = new_hook()
    async with hooked(telegram_server, Inbox(), hook):
        for _ in range(5):
            assert await post(hook, secret="guess") == 403
        await until(lambda: count(telegram_server, "getWebhookInfo") == 2)
    assert count(telegram_server, "getWebhookInfo") == 2
    assert count(telegram_server, "setWebhook") == 1


async def test_what_was_taken_away_is_taken_back(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning that another program is about."""
    inbox, hook = Inbox(), new_hook()
    async with hooked(telegram_server, inbox, hook), Courier(telegram_server, root(hook)):
        telegram_server.updates.set_webhook(None)
        assert await post(hook, secret="guess") == 403
        await until(lambda: telegram_server.updates.webhook)
        hello(telegram_server)
        await until(lambda: inbox.texts == ["Hello"])
    assert caplog.text.count("another program took this telegram bot's webhook away") == 1


async def test_a_refusal_later_on_ends_nothing(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A name that does not resolve for a while, say: it is told, and listening goes on."""
    hook = new_hook()
    async with hooked(telegram_server, Inbox(), hook) as listening:
        telegram_server.updates.set_webhook(None)
        telegram_server.fail_next(
            "setWebhook", status=400, description="Bad Request: bad webhook: no such host"
        )
        assert await post(hook, secret="guess") == 403
        await until(lambda: "is interrupted: Bad webhook: no such host" in caplog.text)
        assert await health(hook) == (200, "ok")
        assert not listening.done()
