"""What the tests of the Telegram bot's webhook do over and over."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import aiohttp

from bots.telegram import Hook
from core.protocols import Inbox
from tests import leaks
from tests.bots.stages import until
from tests.bots.telegram_steps import open_bot
from tests.ports import free_port
from tests.servers.telegram import TelegramServer

URL = "https://bot.example/telegram/causerie"
SECRET = "only-telegram-knows-it"
HEADER = "X-Telegram-Bot-Api-Secret-Token"


def new_hook(**fields: Any) -> Hook:
    """Return a webhook on a port of its own."""
    leaks.note_secret(SECRET)
    hook = Hook(url=URL, secret=SECRET, listen=f"127.0.0.1:{free_port()}", drain=0.2)
    return replace(hook, **fields)


def root(hook: Hook) -> str:
    """Return where a proxy finds a listener."""
    return f"http://{hook.listen}"


@asynccontextmanager
async def hooked(
    server: TelegramServer, inbox: Inbox, hook: Hook, **options: Any
) -> AsyncIterator["asyncio.Task[None]"]:
    """Have a bot listen behind a webhook, and take updates; it ends soon when cancelled."""
    async with open_bot(server, hook=hook, **options) as bot:
        task = asyncio.create_task(bot.listen(inbox))
        try:
            await told(hook, 200)
            await until(lambda: task.done() or server.updates.webhook)
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                async with asyncio.timeout(5):
                    await task


async def post(
    hook: Hook,
    data: bytes = b"{}",
    *,
    secret: str | None = SECRET,
    path: str = "/telegram/causerie",
) -> int:
    """Post something as if from Telegram, unless told otherwise; return the status."""
    headers = {} if secret is None else {HEADER: secret}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{root(hook)}{path}", data=io.BytesIO(data), headers=headers) as response,
    ):
        return response.status


async def health(hook: Hook, *, path: str = "/telegram/causerie/healthz") -> tuple[int, str]:
    """Return what a proxy is told; 0 and nothing if nobody listens."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{root(hook)}{path}") as response,
        ):
            return response.status, (await response.text()).strip()
    except aiohttp.ClientConnectionError:
        return 0, ""


async def told(hook: Hook, status: int) -> None:
    """Wait until a proxy is told so."""
    async with asyncio.timeout(10):
        while (await health(hook))[0] != status:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.005)
