"""Delivery of updates to a webhook, as if from the other side of a reverse proxy."""

import asyncio
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import aiohttp

from tests.servers.telegram.updates import Update, Updates

if TYPE_CHECKING:
    from tests.servers.telegram.server import TelegramServer

# The real server waits from one second up to two minutes, or as long as Retry-After says; a test
# does not.
_FIRST_WAIT = 0.02
_LONGEST_WAIT = 0.2
# Bot API 10.1, setWebhook.max_connections.
_CONNECTIONS = 40


class Courier:
    """Posts updates to the webhook that is set until each is accepted.

    Bot API 10.1, setWebhook: an unsuccessful request (status other than 2xx) is repeated, and
    the secret token comes in the header X-Telegram-Bot-Api-Secret-Token. At most
    `max_connections` requests are under way, one of each chat.

    Attributes:
        statuses: What the bot answered, in order; 0 for a broken connection.
        retry_after: What it asked for in Retry-After, in order.
        most: The most requests that were under way at once.
    """

    def __init__(self, server: "TelegramServer", *local: str) -> None:
        """Deliver to `local`, such as `http://127.0.0.1:8080`, under the webhook's path.

        Of several the next is taken each time, as a proxy does.
        """
        self.statuses: list[int] = []
        self.retry_after: list[str] = []
        self.most = 0
        self._server = server
        self._local = [url.rstrip("/") for url in local]
        self._posted = 0
        self._posts: dict[object, asyncio.Task[None]] = {}
        self._waits: dict[object, float] = {}
        self._due: dict[object, float] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(self._server.updates))
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._posts.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, updates: Updates) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                updates.arrived.clear()
                pause = self._post_what_is_due(session, updates)
                try:
                    await asyncio.wait_for(updates.arrived.wait(), pause)
                except TimeoutError:
                    continue

    def _post_what_is_due(self, session: aiohttp.ClientSession, updates: Updates) -> float | None:
        """Start as many requests as there may be; return the seconds until the next is due."""
        webhook, now = updates.webhook, time.monotonic()
        if webhook is None or not self._local:
            return None
        waits = []
        for queue, update in updates.heads():
            if queue in self._posts:
                continue
            if len(self._posts) >= webhook.get("max_connections", _CONNECTIONS):
                return None
            if (wait := self._due.get(queue, now) - now) > 0:
                waits.append(wait)
                continue
            post = self._deliver(session, webhook, queue, update)
            self._posts[queue] = asyncio.create_task(post)
            self.most = max(self.most, len(self._posts))
            self._server.bell.ring()
        return min(waits, default=None)

    async def _deliver(
        self,
        session: aiohttp.ClientSession,
        webhook: dict[str, Any],
        queue: object,
        update: Update,
    ) -> None:
        updates = self._server.updates
        status, reason = await self._post(session, webhook, update)
        self.statuses.append(status)
        if 200 <= status <= 299:
            updates.accept(update)
            self._waits.pop(queue, None)
            self._due.pop(queue, None)
        else:
            if updates.webhook is webhook:
                updates.fail(reason)
            wait = self._waits.get(queue, _FIRST_WAIT)
            self._waits[queue] = min(2 * wait, _LONGEST_WAIT)
            self._due[queue] = time.monotonic() + wait
        del self._posts[queue]
        updates.arrived.set()
        self._server.bell.ring()

    async def _post(
        self, session: aiohttp.ClientSession, webhook: dict[str, Any], update: Update
    ) -> tuple[int, str]:
        """Return the status, and how the real server would describe a failure."""
        secret = webhook.get("secret_token")
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
        url = self._local[self._posted % len(self._local)] + urlsplit(webhook["url"]).path
        self._posted += 1
        try:
            async with session.post(url, json=update, headers=headers) as response:
                if "Retry-After" in response.headers:
                    self.retry_after.append(response.headers["Retry-After"])
                said = f"Wrong response from the webhook: {response.status} {response.reason}"
                return response.status, said
        except aiohttp.ClientConnectorError:
            return 0, "Connection refused"
        except aiohttp.ClientError:
            return 0, "Webhook connection closed"
