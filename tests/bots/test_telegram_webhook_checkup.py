"""What the doctor says of a webhook of ours: going by what Telegram tells, one fix for each."""

import time
from typing import Any

import pytest

from bots.telegram.checkup import check_telegram
from core.finding import Finding
from tests.bots.answering import answering
from tests.bots.test_doctor import finds
from tests.servers.telegram import TelegramServer

URL = "https://bot.example/hidden-path"
TOKEN = "7000000001:AA-doctor-doctor-doctor-doctor-doctor"
ME = {"username": "causerie_bot", "can_join_groups": False}
OURS = {"url": URL, "max_connections": 40, "pending_update_count": 0}


async def found(webhook: dict[str, Any], **fields: object) -> list[Finding]:
    """Return what is found of a webhook as Telegram describes it."""
    answers = {"getMe": {"result": ME}, "getWebhookInfo": {"result": webhook}}
    settings = {"telegram_bot_token": TOKEN, "telegram_webhook_url": URL, **fields}
    async with answering(answers) as url:
        _, *findings, _ = await finds(check_telegram, telegram_api_url=url, **settings)
    assert all("hidden-path" not in finding.text + finding.fix for finding in findings)
    return findings


def failing(said: str, *, seconds: float = 5.0, waiting: int = 3) -> dict[str, Any]:
    """Return a webhook of ours that failed some time ago."""
    at = int(time.time() - seconds)
    about = {"last_error_message": said, "last_error_date": at}
    return OURS | about | {"pending_update_count": waiting}


async def test_all_is_well(telegram_server: TelegramServer) -> None:
    """The webhook is accepted as ours; that its secret cannot be seen is said."""
    settings = {"telegram_bot_token": telegram_server.token, "telegram_webhook_url": URL}
    telegram_server.updates.set_webhook({"url": URL, "max_connections": 40})
    findings = await finds(check_telegram, telegram_api_url=telegram_server.url, **settings)
    assert {finding.level for finding in findings} == {"ok"}
    assert "hands messages to bot.example (which secret" in findings[1].text
    assert telegram_server.updates.webhook


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("", "no webhook is set yet"),
        (None, "no webhook is set yet"),
        ("https://elsewhere.example/x", "to elsewhere.example instead of bot.example"),
        ("https://bot.example/x", "to another path of bot.example"),
        ("nonsense", "to an unknown address instead of bot.example"),
    ],
)
async def test_another_or_none(url: str | None, text: str) -> None:
    """Causerie sets its own when it starts, so this is a warning."""
    (finding,) = await found({"url": url})
    assert finding.level == "warning"
    assert text in finding.text
    assert "start causerie" in finding.fix


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("Wrong response from the webhook: 403 Forbidden", "start causerie anew: it tells"),
        ("Wrong response from the webhook: 404 Not Found", "unchanged, to 127.0.0.1:8443"),
        ("Wrong response from the webhook: 413 Payload Too Large", "requests of 1 MB"),
        ("Wrong response from the webhook: 502 Bad Gateway", "find 127.0.0.1:8443"),
        ("Wrong response from the webhook: 503 Service Unavailable", "causerie's log"),
        ("SSL error {error:0A000086:SSL routines::certificate verify failed}", "certificate"),
        ("Failed to resolve host: Name or service not known", "public DNS"),
        ("Connection refused", "firewall"),
        ("Connection timed out", "firewall"),
        ("Something new", "log of the reverse proxy at bot.example"),
    ],
)
async def test_what_telegram_could_not_do(said: str, fix: str) -> None:
    """Its own words, when it was, and the one thing to do, while messages wait."""
    (finding,) = await found(failing(said))
    assert finding.level == "fault"
    assert finding.text == f"Telegram could not hand a message to bot.example just now: {said}"
    assert fix in finding.fix


@pytest.mark.parametrize(
    ("seconds", "waiting", "level", "text"),
    [
        (5, 0, "warning", "just now: Connection refused; nothing waits now"),
        (600, 0, "warning", "10 minutes ago: Connection refused; nothing waits now"),
        (7200, 0, "ok", "hands messages to bot.example"),
        (7200, 1, "fault", "2 hours ago: Connection refused"),
        (259_200, 1, "fault", "3 days ago: Connection refused"),
        (-60, 1, "fault", "just now: Connection refused"),
    ],
)
async def test_what_is_over_is_no_fault(seconds: int, waiting: int, level: str, text: str) -> None:
    """A failure counts while something waits, and is worth a word for an hour."""
    (finding,) = await found(failing("Connection refused", seconds=seconds, waiting=waiting))
    assert (finding.level, text in finding.text) == (level, True)


async def test_odd_answers() -> None:
    """A webhook that another program set at the same URL; a failure without a time."""
    webhook = {**OURS, "max_connections": None, "last_error_message": "x", "last_error_date": "?"}
    fine, odd = await found(webhook)
    assert fine.level == "ok"
    assert (odd.level, "causerie did not set" in odd.text) == ("warning", True)
