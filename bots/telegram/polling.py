"""Long polling that confirms an update only once it is stored."""

import asyncio
import json
import logging
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import telegram
from telegram.request import BaseRequest

from bots.telegram.incoming import incoming
from bots.telegram.transport import seconds
from core.errors import SettingsError, StoreError
from core.protocols import Inbox
from core.types import Incoming

log = logging.getLogger(__name__)

# The longest wait that the open-source server grants (telegram-bot-api, 2026-11).
POLL_SECONDS = 50
# Beyond it, before the connection counts as dead.
SLACK_SECONDS = 15.0
LONGEST_PAUSE = 30.0
# A server that does not wait for updates is asked ten times a second, not thousands of times.
EMPTY_SECONDS = 0.1
MENU_SECONDS = 5.0
# Until a menu that could not be set is tried again.
MENU_EVERY = 60.0
CONFLICT_EVERY = 60.0
# Bot API 10.1, setMyCommands: at most 100; BotCommand.description: 1-256 characters.
MOST_COMMANDS = 100
DESCRIPTION_LENGTH = 256

_REFUSED = (
    "TELEGRAM_BOT_TOKEN: should be a token that Telegram accepts, such as 123456:ABC-DEF; "
    "copy it anew from @BotFather (and check TELEGRAM_API_URL, if you have set it)"
)
_BATCH = {"limit": 100, "allowed_updates": json.dumps(["message", "edited_message"])}
# What the SDK and `incoming` may raise over JSON that is not what the documentation says.
_MALFORMED = (AttributeError, LookupError, OSError, OverflowError, TypeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    incoming: Incoming
    is_edit: bool


class MenuEntry(Protocol):
    """A command as people see it in the menu."""

    @property
    def name(self) -> str:
        """Its name, without the slash."""

    @property
    def help(self) -> str:
        """What it does, in a few words."""


@dataclass(slots=True)
class Pauses:
    """Ever longer pauses, with jitter, in seconds; what fails is reported once."""

    first: float
    failures: int = 0

    async def wait(self, reason: str) -> None:
        """Pause after a failure."""
        if not self.failures:
            log.warning("telegram polling is interrupted: %s", reason)
        pause = min(self.first * 2 ** min(self.failures, 10), LONGEST_PAUSE)
        self.failures += 1
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    def end(self) -> None:
        """Take note that it works again."""
        if self.failures:
            log.info("telegram polling goes on")
        self.failures = 0


class Polling:
    """Brings messages in, one batch after the other.

    Args:
        bot: The SDK's client.
        request: Its transport.
        commands: The menu; empty leaves it as it is.
        pause: Seconds after a first failure; they double up to 30.
    """

    def __init__(
        self,
        bot: telegram.Bot,
        request: BaseRequest,
        *,
        commands: Sequence[MenuEntry],
        pause: float,
    ) -> None:
        self._bot = bot
        self._request = request
        self._commands = commands
        self._pauses = Pauses(pause)
        self._offset = 0
        self._next_complaint = 0.0
        self._menu_at = 0.0 if commands else math.inf
        self._is_heard = False

    @property
    def is_listening(self) -> bool:
        """Whether requests for messages are answered."""
        return self._is_heard and not self._pauses.failures

    async def run(self, inbox: Inbox) -> None:
        """Hand every message to `inbox` until cancelled, each batch until it is stored.

        Raises:
            SettingsError: The token is refused.
        """
        me = await self._start()
        while True:
            await self._set_menu()
            began = time.monotonic()
            updates = await self._poll()
            if updates == []:
                await asyncio.sleep(began + EMPTY_SECONDS - time.monotonic())
            elif updates is not None:
                await self._store([read for raw in updates if (read := _read(raw, me))], inbox)
                await self._confirm(updates)

    async def _start(self) -> telegram.User:
        me = await self._introduce()
        self._pauses.end()
        self._is_heard = True
        log.info("telegram bot @%s is listening", me.username)
        return me

    async def _introduce(self) -> telegram.User:
        """Learn who we are and end a webhook; what waits behind it is kept."""
        while True:
            try:
                me = await self._bot.get_me()
                await self._bot.delete_webhook(drop_pending_updates=False)
            except telegram.error.InvalidToken:
                raise SettingsError(_REFUSED) from None
            except telegram.error.RetryAfter as error:
                await asyncio.sleep(seconds(error))
            except telegram.error.TelegramError as error:
                await self._pauses.wait(_reason(error))
            else:
                return me

    async def _set_menu(self) -> None:
        """Set the menu if that is due; when it fails for now, it is due again later."""
        if time.monotonic() < self._menu_at:
            return
        menu = [
            telegram.BotCommand(command.name, command.help[:DESCRIPTION_LENGTH])
            for command in self._commands[:MOST_COMMANDS]
        ]
        self._menu_at = math.inf
        try:
            await self._bot.set_my_commands(menu, read_timeout=MENU_SECONDS)
        except telegram.error.BadRequest as error:
            log.warning("the command menu is not set: %s", _reason(error))
        except telegram.error.RetryAfter as error:
            self._menu_at = time.monotonic() + seconds(error)
        except telegram.error.TelegramError as error:
            self._menu_at = time.monotonic() + MENU_EVERY
            log.info("the command menu is not set yet: %s", _reason(error))

    async def _poll(self) -> list[Any] | None:
        """Return the next updates, raw, since the SDK parses a batch as a whole or not at all.

        None after a failure and the pause it costs.
        """
        # After a failure, it shall soon be known that it goes on.
        longest = POLL_SECONDS if self.is_listening else 1
        patience = int(min(longest, max(1.0, self._menu_at - time.monotonic())))
        query = urlencode({"offset": self._offset, "timeout": patience, **_BATCH})
        try:
            updates = await self._request.post(
                f"{self._bot.base_url}/getUpdates?{query}",
                read_timeout=POLL_SECONDS + SLACK_SECONDS,
            )
        except telegram.error.InvalidToken as error:
            await self._pauses.wait(_reason(error))
            await self._introduce()  # which tells a revoked token from a server out of order
            return None
        except telegram.error.Conflict:
            self._is_heard = False
            self._complain()
            await asyncio.sleep(self._pauses.first)
            return None
        except telegram.error.RetryAfter as error:
            await asyncio.sleep(seconds(error))
            return None
        except telegram.error.TelegramError as error:
            await self._pauses.wait(_reason(error))
            return None
        if not isinstance(updates, list):
            await self._pauses.wait("no list of updates")
            return None
        self._pauses.end()
        self._is_heard = True
        return updates

    def _complain(self) -> None:
        now = time.monotonic()
        if now >= self._next_complaint:
            self._next_complaint = now + CONFLICT_EVERY
            log.warning(
                "another program receives this telegram bot's messages; stop it, or make a "
                "token of its own for one of them with @BotFather"
            )

    async def _store(self, messages: Sequence[_Read], inbox: Inbox) -> None:
        """Have a batch stored, in order and all at once, so that its commits can be one.

        What the database had already taken in when it failed it knows at the next attempt.
        """
        while messages:
            steps = [
                inbox.amend(read.incoming) if read.is_edit else inbox.receive(read.incoming)
                for read in messages
            ]
            results = await asyncio.gather(*steps, return_exceptions=True)
            failures = [result for result in results if isinstance(result, BaseException)]
            for failure in failures:
                if not isinstance(failure, StoreError):
                    raise failure
            if not failures:
                return
            await self._pauses.wait(str(failures[0]))

    async def _confirm(self, updates: Sequence[Any]) -> None:
        """Have the next request say that these are stored."""
        ids = [
            raw["update_id"]
            for raw in updates
            if isinstance(raw, dict) and isinstance(raw.get("update_id"), int)
        ]
        if ids:
            self._offset = max(ids) + 1
        elif updates:
            await self._pauses.wait("updates without ids")


def _read(raw: Any, me: telegram.User) -> _Read | None:  # noqa: ANN401 - JSON
    """Return the message in one update; one that cannot be read is set aside."""
    try:
        update = telegram.Update.de_json(raw)
        message = incoming(update, me)
    except _MALFORMED:
        update_id = raw.get("update_id") if isinstance(raw, dict) else None
        log.warning("telegram update %s cannot be read and is set aside", update_id)
        return None
    return _Read(incoming=message, is_edit=update.message is None) if message else None


def _reason(error: telegram.error.TelegramError) -> str:
    return f"{type(error).__name__}: {error.message}"
