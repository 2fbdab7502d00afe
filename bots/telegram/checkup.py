"""What `causerie doctor` checks of Telegram, without disturbing a bot that runs."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from http import HTTPStatus
from typing import Any

import telegram

from bots.settings import TELEGRAM_API_URL, BotSettings
from bots.telegram import transport, webhook_checkup
from bots.telegram.transport import AiohttpRequest, ForeignAnswerError
from core.finding import Finding, Way, fault, ok, warning

SECONDS = 8.0
# The bot's id and 35 characters ("Bot features", core.telegram.org/bots/features, 2026-11). What
# is nothing like it gets a 404, as if the server were the wrong one.
_TOKEN = re.compile(r"\d+:[\w-]{30,}", re.ASCII)

_NEW_TOKEN = "copy TELEGRAM_BOT_TOKEN anew from @BotFather (/mybots, API Token)"  # noqa: S105
# Of gateways; what is not there or not for us is there for others.
_AILING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_NO_ANSWER = "it does not speak the Bot API"


async def check_telegram(
    chosen: BotSettings, *, seconds: float = SECONDS
) -> AsyncGenerator[Finding]:
    """Ask who the bot is and whether anything else receives its messages.

    Nothing is asked for with getUpdates: that would interrupt a bot that is running.

    Args:
        chosen: The owner's settings.
        seconds: The most that it takes.
    """
    if chosen.telegram_bot_token is None:
        return
    root = f"{chosen.telegram_api_url}/bot{chosen.telegram_bot_token.get_secret_value()}"
    request = AiohttpRequest(proxy=chosen.http_proxy_telegram)
    try:
        async with asyncio.timeout(seconds):
            me: Any = await request.post(f"{root}/getMe")
            webhook: Any = await request.post(f"{root}/getWebhookInfo")
    except (telegram.error.TelegramError, TimeoutError, KeyError) as error:
        yield _read(error, chosen)
        return
    finally:
        await request.shutdown()
    if not isinstance(me, dict) or not isinstance(webhook, dict):
        yield _way(chosen).strange(_NO_ANSWER)
        return
    for finding in (*_about(me, webhook), *webhook_checkup.about(webhook, chosen), *_groups(me)):
        yield finding


def _about(me: Mapping[str, Any], webhook: Mapping[str, Any]) -> Iterator[Finding]:
    waiting = webhook.get("pending_update_count")
    yield ok(f"@{me.get('username')} answers{f', {waiting} updates wait' if waiting else ''}")


def _groups(me: Mapping[str, Any]) -> Iterator[Finding]:
    if not me.get("can_join_groups"):
        yield ok("it cannot be added to groups (/setjoingroups of @BotFather)")
    elif me.get("can_read_all_group_messages"):
        yield ok("in groups it is sent everything and answers what is meant for it")
    else:
        yield ok("in groups it is sent only mentions, replies and commands, all that it needs")


def _read(error: Exception, chosen: BotSettings) -> Finding:
    """Say why Telegram did not answer."""
    way = _way(chosen)
    match error:
        case telegram.error.InvalidToken() if way.is_default or _is_refused(error, chosen):
            return fault("Telegram refuses TELEGRAM_BOT_TOKEN", fix=_NEW_TOKEN)
        case telegram.error.InvalidToken():
            return way.strange("HTTP 404")
        case telegram.error.RetryAfter():
            return warning(
                f"{way.host} asks for a pause of {transport.seconds(error):.0f} s",
                fix="run `causerie doctor` again after that",
            )
        case telegram.error.TimedOut() | TimeoutError():
            return way.unreachable("no answer in time")
        case telegram.error.NetworkError() if not isinstance(error, telegram.error.BadRequest):
            return _trouble(error, way)
        case _:
            return way.strange(_NO_ANSWER)


def _trouble(error: telegram.error.NetworkError, way: Way) -> Finding:
    """Tell a server that is out of order from a gateway before it, and from another server."""
    if not isinstance(error, ForeignAnswerError):
        # Our transport names the kind of error; all else is a sentence of whoever answered.
        kind = error.message
        return way.unreachable(kind) if kind.isidentifier() else way.ailing()
    if error.status < HTTPStatus.MULTIPLE_CHOICES:
        return way.strange(_NO_ANSWER)
    answer = f"HTTP {error.status}"
    is_ailing = error.status in _AILING or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return way.ailing(answer) if is_ailing else way.strange(answer)


def _is_refused(error: telegram.error.InvalidToken, chosen: BotSettings) -> bool:
    """Say whether it is about the token; the other reason is that nothing is at that URL."""
    token = chosen.telegram_bot_token
    is_odd = token is not None and not _TOKEN.fullmatch(token.get_secret_value())
    return is_odd or error.message.startswith("Unauthorized")


def _way(chosen: BotSettings) -> Way:
    return Way(
        url=chosen.telegram_api_url,
        setting="TELEGRAM_API_URL",
        is_default=chosen.telegram_api_url == TELEGRAM_API_URL,
        proxy=chosen.http_proxy_telegram,
        proxy_setting="HTTP_PROXY_TELEGRAM",
    )
