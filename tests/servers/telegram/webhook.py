"""Delivery of updates to a webhook, as if from the other side of a reverse proxy."""

import asyncio
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import aiohttp

from tests.servers.telegram.updates import Updates

if TYPE_CHECKING:
    from tests.servers.telegram.server import TelegramServer

# The real server waits up to minutes; a test does not.
_FIRST_WAIT = 0.02
_LONGEST_WAIT = 0.5


class Courier:
    """Posts updates to the webhook that is set, one after another, until each is accepted.

    Bot API 10.1, setWebhook: an unsuccessful request (status other than 2xx) is repeated, and
    the secret token comes in the header X-Telegram-Bot-Api-Secret-Token.

    Attributes:
        statuses: What the bot answered, in order; 0 for a broken connection.
    """

    def __init__(self, server: "TelegramServer", local: str) -> None:
        """Deliver to `local`, such as `http://127.0.0.1:8080`, under the webhook's path."""
        self.statuses: list[int] = []
        self._server = server
        self._local = local.rstrip("/")
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(self._server.updates))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, updates: Updates) -> None:
        wait = _FIRST_WAIT
        async with aiohttp.ClientSession() as session:
            while True:
                updates.arrived.clear()
                if not (updates.webhook and updates.pending):
                    await updates.arrived.wait()
                    continue
                update = updates.pending[0]
                status = await self._post(session, updates.webhook, update)
                self.statuses.append(status)
                if 200 <= status <= 299:
                    updates.confirm(update["update_id"] + 1)
                    wait = _FIRST_WAIT
                else:
                    await asyncio.sleep(wait)
                    wait = min(2 * wait, _LONGEST_WAIT)
                self._server.bell.ring()

    async def _post(
        self, session: aiohttp.ClientSession, webhook: dict[str, Any], update: dict[str, Any]
    ) -> int:
        secret = webhook.get("secret_token")
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
        url = self._local + urlsplit(webhook["url"]).path
        try:
            async with session.post(url, json=update, headers=headers) as response:
                return response.status
        except aiohttp.ClientError:
            return 0
