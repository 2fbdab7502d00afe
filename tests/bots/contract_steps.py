"""Steps that the tests of the bot contract share."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from core.reply import Reply
from core.types import File, Incoming
from tests.bots.stages import Stage, until


async def heard(stage: Stage, count: int = 1) -> Incoming:
    """Wait for the `count`-th message."""
    inbox = stage.serving.inbox
    await until(lambda: len(inbox.messages) >= count)
    return inbox.messages[count - 1]


async def asked(stage: Stage, text: str = "Hello") -> Incoming:
    """Have a person say something; return what is handed in."""
    count = len(stage.serving.inbox.messages)
    await stage.say(text)
    return await heard(stage, count + 1)


def reply_to(
    incoming: Incoming, *, key: int = 17, posted: Sequence[str] = (), attached: int = 0
) -> Reply:
    """Return the answer to a message."""
    return Reply(
        chat=incoming.chat,
        key=key,
        to=incoming.message,
        posted=tuple(posted),
        attached=attached,
    )


async def replying(stage: Stage) -> Reply:
    """Have a person ask something; return the answer on its way."""
    return reply_to(await asked(stage))


@asynccontextmanager
async def preview(stage: Stage, reply: Reply) -> AsyncIterator[None]:
    """Show a reply while it grows; see the preview end when it closes, whatever has failed."""
    task = asyncio.create_task(stage.serving.bot.deliver(reply))
    try:
        yield
        reply.close()
        async with asyncio.timeout(10):
            await task
    finally:
        task.cancel()


async def final(stage: Stage, reply: Reply, text: str, *files: File) -> None:
    """Make `text` final, with files below it, and show it."""
    reply.settle(text, files=files)
    await stage.serving.bot.deliver(reply)


async def answer(stage: Stage, incoming: Incoming, text: str) -> None:
    """Answer a message."""
    await final(stage, reply_to(incoming), text)


async def sees(stage: Stage, words: str) -> None:
    """Wait until people see some words."""
    await until(lambda: any(words in text for text in stage.shown))
