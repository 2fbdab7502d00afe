"""What the doctor says of Telegram: one fix for each fault."""

from collections.abc import Callable
from functools import partial

import pytest

from bots.telegram.checkup import check_telegram
from core.finding import Finding
from tests.bots.answering import answering
from tests.bots.test_doctor import finds
from tests.servers.openai import OpenAIServer
from tests.servers.telegram import TelegramServer

WRONG = "7000000001:AA-wrong-wrong-wrong-wrong-wrong-wrong"
NOWHERE = "http://127.0.0.1:9"


async def examined(server: TelegramServer, **fields: object) -> list[Finding]:
    """Return what is found with a server's token and address, unless told otherwise."""
    usual = {"telegram_bot_token": server.token, "telegram_api_url": server.url}
    return await finds(check_telegram, **(usual | fields))


@pytest.mark.parametrize(
    ("fields", "text", "fix"),
    [
        ({"telegram_bot_token": WRONG}, "refuses TELEGRAM_BOT_TOKEN", "from @BotFather"),
        ({"telegram_bot_token": "odd"}, "refuses TELEGRAM_BOT_TOKEN", "from @BotFather"),
        ({"telegram_api_url": NOWHERE}, "127.0.0.1:9 cannot", "check TELEGRAM_API_URL: see"),
        ({"http_proxy_telegram": NOWHERE}, "cannot be reached", "check HTTP_PROXY_TELEGRAM"),
        (
            # The default, so that the fix is none of that setting.
            {"telegram_api_url": "https://api.telegram.org", "http_proxy_telegram": NOWHERE},
            "api.telegram.org cannot be reached (no connection to the proxy)",
            "check HTTP_PROXY_TELEGRAM",
        ),
    ],
)
async def test_settings_that_lead_nowhere(
    telegram_server: TelegramServer, fields: dict[str, object], text: str, fix: str
) -> None:
    """A wrong token, address or proxy is one fault, which names the setting."""
    (found,) = await examined(telegram_server, **fields)
    assert found.level == "fault"
    assert text in found.text
    assert fix in found.fix
    assert telegram_server.token not in found.text


async def test_another_server(
    telegram_server: TelegramServer, openai_server: OpenAIServer
) -> None:
    """What does not speak the Bot API is told from a token that is refused."""
    (found,) = await examined(telegram_server, telegram_api_url=openai_server.url)
    assert "is not the right server (HTTP 404)" in found.text
    assert "check TELEGRAM_API_URL: it should be the root" in found.fix


@pytest.mark.parametrize(
    ("spoil", "level", "text", "fix"),
    [
        (
            lambda server: server.fail_next("getMe", status=502, is_html=True),
            "fault",
            "is in trouble (HTTP 502)",
            "log of the server at TELEGRAM_API_URL",
        ),
        (
            lambda server: server.fail_next("getMe", status=401, is_html=True),
            "fault",
            "is not the right server (HTTP 401)",
            "check TELEGRAM_API_URL",
        ),
        (
            lambda server: server.fail_next("getWebhookInfo", retry_after=7),
            "warning",
            "asks for a pause of 7 s",
            "again after that",
        ),
        (
            lambda server: server.drop_next("getMe"),
            "fault",
            "(it hangs up)",
            "check TELEGRAM_API_URL",
        ),
        (
            lambda server: server.fail_next("getMe", status=400, description="odd"),
            "fault",
            "does not speak the Bot API",
            "check TELEGRAM_API_URL",
        ),
    ],
    ids=["gateway", "guard", "pause", "drop", "refusal"],
)
async def test_what_a_server_may_say(
    telegram_server: TelegramServer,
    spoil: Callable[[TelegramServer], object],
    level: str,
    text: str,
    fix: str,
) -> None:
    """Trouble, a pause, a lost connection and nonsense are told apart."""
    spoil(telegram_server)
    (found,) = await examined(telegram_server)
    assert found.level == level
    assert text in found.text
    assert fix in found.fix


async def test_a_server_that_is_silent(telegram_server: TelegramServer) -> None:
    """Silence is a fault of its own, in time for the doctor to say so."""
    fault = telegram_server.delay_next("getMe")
    (found,) = await finds(
        partial(check_telegram, seconds=0.05),
        telegram_bot_token=telegram_server.token,
        telegram_api_url=telegram_server.url,
    )
    fault.release()
    assert "(no answer in time)" in found.text


async def test_a_webhook_is_named_without_its_path(telegram_server: TelegramServer) -> None:
    """Another program receives the messages: which host, but not the secret in its URL."""
    telegram_server.updates.set_webhook({"url": "https://example.org/secret"})
    telegram_server.private(telegram_server.user("Ann")).say(telegram_server.user("Ann"), "Hello")
    answers, webhook, _ = await examined(telegram_server)
    assert answers.text == "@causerie_bot answers, 1 updates wait"
    assert webhook.level == "warning"
    assert "example.org" in webhook.text
    assert "secret" not in webhook.text + webhook.fix
    assert "stop what serves example.org" in webhook.fix
    assert telegram_server.updates.webhook


@pytest.mark.parametrize(
    ("has_privacy", "text"),
    [(True, "is sent only mentions"), (False, "is sent everything")],
)
async def test_what_it_is_sent_in_groups(*, has_privacy: bool, text: str) -> None:
    """Privacy mode is told, and is no fault either way."""
    async with TelegramServer(has_privacy=has_privacy) as server:
        _, found = await examined(server)
        assert (found.level, text in found.text) == ("ok", True)


async def test_it_may_be_kept_out_of_groups() -> None:
    """That is for its owner to decide, so it is no fault."""
    me = {"username": "causerie_bot", "can_join_groups": False}
    answers = {"getMe": {"result": me}, "getWebhookInfo": {"result": {"url": ""}}}
    async with answering(answers) as url:
        _, found = await finds(check_telegram, telegram_bot_token=WRONG, telegram_api_url=url)
    assert (found.level, "/setjoingroups" in found.text) == ("ok", True)


async def test_answers_that_are_none() -> None:
    """JSON of the right shape but without a bot in it is another server's."""
    async with answering({"getMe": {"result": True}, "getWebhookInfo": {"result": {}}}) as url:
        (found,) = await finds(check_telegram, telegram_bot_token=WRONG, telegram_api_url=url)
    assert "does not speak the Bot API" in found.text


async def test_a_web_site_is_no_bot_api(telegram_server: TelegramServer) -> None:
    """Whatever it is pleased to show, with HTTP 200 at that."""
    telegram_server.fail_next("getMe", status=200, is_html=True)
    (found,) = await examined(telegram_server)
    assert "is not the right server (it does not speak the Bot API)" in found.text
