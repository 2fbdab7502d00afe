"""Long polling that confirms an update only once it is stored."""

import asyncio
import itertools
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import telegram
from telegram.request import BaseRequest

from bots.telegram.menu import Menu
from bots.telegram.transport import seconds
from bots.telegram.updates import ALLOWED, Found, Pauses, Read, insist, read, reason, store
from core.errors import StoreError
from core.intake import followed
from core.protocols import Inbox

log = logging.getLogger(__name__)

# The longest wait that the open-source server grants (telegram-bot-api, 2026-11).
POLL_SECONDS = 50
# Beyond it, before the connection counts as dead.
SLACK_SECONDS = 15.0
# A server that does not wait for updates is asked ten times a second, not thousands of times.
EMPTY_SECONDS = 0.1
CONFLICT_EVERY = 60.0

_BATCH = {"limit": 100, "allowed_updates": json.dumps(ALLOWED)}
_RIVALS = {
    False: "another program receives this telegram bot's messages; stop it, or make a "
    "token of its own for one of them with @BotFather",
    True: "a webhook was set for this telegram bot and receives its messages; stop what set it, "
    "then start causerie anew, which removes it",
}


class Polling:
    """Brings messages in, one batch after the other.

    Args:
        bot: The SDK's client.
        request: Its transport.
        menu: What is set at the start.
        pause: Seconds after a first failure; they double up to 30.
    """

    def __init__(
        self,
        bot: telegram.Bot,
        request: BaseRequest,
        *,
        menu: Menu,
        pause: float,
    ) -> None:
        self._bot = bot
        self._request = request
        self._menu = menu
        self._pauses = Pauses(pause, "telegram polling")
        self._offset = 0
        self._next_complaint = 0.0
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
            await self._menu.set()
            began = time.monotonic()
            updates = await self._poll()
            if updates == []:
                await asyncio.sleep(began + EMPTY_SECONDS - time.monotonic())
            elif updates is not None:
                await self._store(
                    [message for raw in updates if (message := read(raw, me))], inbox
                )
                await self._confirm(updates)

    async def _start(self) -> telegram.User:
        me = await insist(self._introduce, self._pauses)
        self._pauses.end()
        self._is_heard = True
        log.info("telegram bot @%s is listening", me.username)
        return me

    async def _introduce(self) -> telegram.User:
        """Learn who we are and end a webhook; what waits behind it is kept."""
        me = await self._bot.get_me()
        await self._bot.delete_webhook(drop_pending_updates=False)
        return me

    async def _poll(self) -> list[Any] | None:
        """Return the next updates, raw, since the SDK parses a batch as a whole or not at all.

        None after a failure and the pause it costs.
        """
        # After a failure, it shall soon be known that it goes on.
        longest = POLL_SECONDS if self.is_listening else 1
        patience = int(min(longest, max(1.0, self._menu.due_in)))
        query = urlencode({"offset": self._offset, "timeout": patience, **_BATCH})
        try:
            updates = await self._request.post(
                f"{self._bot.base_url}/getUpdates?{query}",
                read_timeout=POLL_SECONDS + SLACK_SECONDS,
            )
        except telegram.error.InvalidToken as error:
            await self._pauses.wait(reason(error))
            await insist(
                self._introduce, self._pauses
            )  # which tells a revoked token from a server out of order
            return None
        except telegram.error.Conflict as error:
            self._is_heard = False
            self._complain(is_webhook="webhook" in error.message.lower())
            await asyncio.sleep(self._pauses.first)
            return None
        except telegram.error.RetryAfter as error:
            await asyncio.sleep(seconds(error))
            return None
        except telegram.error.TelegramError as error:
            await self._pauses.wait(reason(error))
            return None
        if not isinstance(updates, list):
            await self._pauses.wait("no list of updates")
            return None
        self._pauses.end()
        self._is_heard = True
        return updates

    def _complain(self, *, is_webhook: bool) -> None:
        now = time.monotonic()
        if now >= self._next_complaint:
            self._next_complaint = now + CONFLICT_EVERY
            log.warning(_RIVALS[is_webhook])

    async def _store(self, messages: Sequence[Found], inbox: Inbox) -> None:
        """Have a batch stored: each chat's in order, all chats at once.

        A database that works side by side would not keep the order of what is handed over at
        once. What it had already taken in when it failed it knows at the next attempt.
        """
        chats: dict[str, list[Found]] = {}
        for message in messages:
            chats.setdefault(message.ref, []).append(message)
        while chats:
            steps = [_store_in_order(chat, inbox) for chat in chats.values()]
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


async def _store_in_order(messages: Sequence[Found], inbox: Inbox) -> None:
    for message, following in itertools.zip_longest(messages, messages[1:]):
        await store(_announced(message, following), inbox)


def _announced(message: Found, following: Found | None) -> Found:
    """Let a message say whether its writer's next one came with it."""
    if not isinstance(message, Read) or not isinstance(following, Read) or following.is_edit:
        return message
    return replace(message, incoming=followed(message.incoming, by=following.incoming))
