"""That Telegram knows our webhook: set at the start, looked after, left in place at the end."""

import asyncio
import logging
import math
import time
from contextlib import suppress
from dataclasses import dataclass, field

import telegram

from bots.telegram.menu import Menu
from bots.telegram.updates import ALLOWED, Pauses, insist
from core.errors import SettingsError

log = logging.getLogger(__name__)

# Telegram's own default (Bot API 10.1, setWebhook). A chat uses one at a time, so this is how many
# chats are stored at once: at 50 ms there and back 800 messages a second, about what a database
# takes. More would only wait here instead of there.
CONNECTIONS = 40
# Whether the webhook still stands is looked up so often.
CHECK_SECONDS = 300.0
COMPLAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """Where Telegram reaches us.

    Attributes:
        url: As Telegram calls it.
        secret: What Telegram proves itself with.
        listen: `host:port` on which Telegram, or the proxy in front of us, finds us.
        drain: Seconds for what is being stored to be stored when listening ends.
    """

    url: str
    secret: str = field(repr=False)
    listen: str
    drain: float = 1.0


class Registration:
    """Sees to it that Telegram knows the webhook, also when something removes it.

    Args:
        bot: The SDK's client.
        hook: What Telegram is to know.
        menu: What is set at the start.
        pause: Seconds after a first failure; they double up to 30.
    """

    def __init__(self, bot: telegram.Bot, hook: Hook, *, menu: Menu, pause: float) -> None:
        self._bot = bot
        self._hook = hook
        self._menu = menu
        self._pauses = Pauses(pause, "telegram's webhook")
        self._has_stood = False
        self._error_at = -math.inf
        self._next_complaint = -math.inf
        self._doubted = asyncio.Event()

    async def introduce(self) -> telegram.User:
        """Learn who we are.

        Raises:
            SettingsError: The token is refused.
        """
        return await insist(self._bot.get_me, self._pauses)

    async def keep(self) -> None:
        """Set the webhook and the menu, and again whenever they are not as they should be.

        Raises:
            SettingsError: The token is refused, or the URL before it ever stood.
        """
        while True:
            await self._register()
            await self._menu.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(CHECK_SECONDS, self._menu.due_in)):
                    await self._doubted.wait()
                    # By then Telegram has noted what it was told.
                    await asyncio.sleep(self._pauses.first)
            self._doubted.clear()

    def doubt(self) -> None:
        """Take note of a request without the right secret: perhaps Telegram knows another.

        Whoever else it may be from, they cause one look a minute.
        """
        now = time.monotonic()
        if now >= self._next_complaint:
            self._next_complaint = now + COMPLAIN_SECONDS
            log.warning("a request to telegram's webhook came without the right secret: refused")
            self._doubted.set()

    async def _register(self) -> None:
        info = await insist(self._bot.get_webhook_info, self._pauses)
        if not self._is_wanted(info):
            if self._has_stood and info.url != self._hook.url:
                log.warning(
                    "another program took this telegram bot's webhook away, it is set again; stop "
                    "that program, or make a token of its own for it with @BotFather"
                )
            self._error_at = _error_at(info)
            problem = await insist(self._set, self._pauses)
            if problem and not self._has_stood:
                raise SettingsError(f"TELEGRAM_WEBHOOK_URL: Telegram refuses it: {problem}")
            if problem:
                return self._pauses.begin(problem)
        self._has_stood = True
        return self._pauses.end()

    def _is_wanted(self, info: telegram.WebhookInfo) -> bool:
        # Which secret Telegram sends it does not tell; only, by and by, that we refused it.
        is_refused = "403" in (info.last_error_message or "") and _error_at(info) > self._error_at
        return (
            info.url == self._hook.url
            and info.max_connections == CONNECTIONS
            and set(info.allowed_updates) == set(ALLOWED)
            and not is_refused
        )

    async def _set(self) -> str:
        """Set the webhook; return why Telegram refuses it, or nothing."""
        try:
            await self._bot.set_webhook(
                self._hook.url,
                secret_token=self._hook.secret,
                max_connections=CONNECTIONS,
                allowed_updates=ALLOWED,
                drop_pending_updates=False,
            )
        except telegram.error.BadRequest as error:
            return error.message
        return ""


def _error_at(info: telegram.WebhookInfo) -> float:
    return info.last_error_date.timestamp() if info.last_error_date else -math.inf
