"""What the tests of the Telegram bot do over and over."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bots.live import Pace
from bots.telegram import TelegramBot
from core.reply import Reply
from core.types import Chat, File
from tests.servers.telegram import Chat as Room
from tests.servers.telegram import TelegramServer

FAST = Pace(draft=0.0, edit=0.0, refresh=60.0, typing_after=60.0)


def open_bot(server: TelegramServer, **options: Any) -> TelegramBot:
    """Return a bot in a hurry."""
    paces = {"private_pace": FAST, "group_pace": FAST, "pause": 0.01}
    return TelegramBot(**{"token": server.token, "api_url": server.url, **paces, **options})


def reply_in(
    room: Room, *, to: int | None = None, topic: int | None = None, posted: Sequence[int] = ()
) -> Reply:
    """Return a reply that is to be shown in a chat."""
    ref = f"{room.id}/{topic}" if topic else str(room.id)
    return Reply(
        chat=Chat(platform="telegram", ref=ref, is_private=room.type == "private"),
        key=17,
        to=str(to) if to else None,
        posted=tuple(map(str, posted)),
    )


@asynccontextmanager
async def preview(bot: TelegramBot, reply: Reply) -> AsyncIterator[None]:
    """Show a reply while it grows, and see the preview end when it closes."""
    task = asyncio.create_task(bot.deliver(reply))
    try:
        yield
        reply.close()
        async with asyncio.timeout(10):
            await task
    finally:
        task.cancel()


async def final(bot: TelegramBot, reply: Reply, text: str, *files: File) -> None:
    """Make `text` final, with files below it, and show it."""
    reply.settle(text, files=files)
    await bot.deliver(reply)


def kinds(room: Room) -> list[str]:
    """Return what people saw happen, in order."""
    return [shown.kind for shown in room.shown]
