"""Steps that the tests of Discord's screens share."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bots import live
from bots.discord.screen import Notes, open_screen
from bots.discord.ticket import Starter, Ticket
from core.reply import Reply
from core.types import Chat, File
from tests.bots.discord_calls import ask, open_rest
from tests.servers.discord import Channel, DiscordServer, Interaction, Message, User

FAST = live.Pace(draft=0.0, edit=0.0, refresh=60.0, typing_after=60.0)
LONG = "\n\n".join(f"Paragraph {n}. " + "word " * 60 for n in range(20))


class Bot:
    """Just what shows replies: each call on a screen of its own, as a bot does it."""

    def __init__(self, server: DiscordServer) -> None:
        self.rest = open_rest(server, preview_seconds=0.3)
        self.notes = Notes()

    async def deliver(self, reply: Reply, *, pace: live.Pace = FAST) -> None:
        """Show a reply."""
        await live.show(reply, open_screen(self.rest, reply, notes=self.notes, pace=pace))


def reply_in(
    channel: Channel,
    *,
    to: Message | Ticket | None = None,
    posted: Sequence[int] = (),
    key: int = 17,
) -> Reply:
    """Return a reply that is to be shown in a channel."""
    spelled = to.spell() if isinstance(to, Ticket) else str(to.id) if to else None
    return Reply(
        chat=Chat(platform="discord", ref=str(channel.id), is_private=channel.guild is None),
        key=key,
        to=spelled,
        posted=tuple(map(str, posted)),
    )


@asynccontextmanager
async def preview(bot: Bot, reply: Reply, **options: Any) -> AsyncIterator[None]:
    """Show a reply while it grows, and see the preview end when it closes."""
    task = asyncio.create_task(bot.deliver(reply, **options))
    try:
        yield
        reply.close()
        async with asyncio.timeout(10):
            await task
    finally:
        task.cancel()


async def final(bot: Bot, reply: Reply, text: str, *files: File) -> None:
    """Make `text` final, with files below it, and show it."""
    reply.settle(text, files=files)
    await bot.deliver(reply)


def texts(channel: Channel) -> list[str]:
    """Return what everybody can read of the bot in a channel."""
    return [message.content for message in channel.answers]


async def asked(
    bot: Bot, channel: Channel, user: User, *, is_hidden: bool = False, is_acked: bool = True
) -> tuple[Interaction, Ticket]:
    """Let somebody use a command, of which the bot says that the answer follows."""
    interaction, ticket = await ask(bot.rest, channel, user)
    if is_acked:
        await bot.rest.defer(ticket.interaction, ticket.token, is_hidden=is_hidden)
    return interaction, dataclasses.replace(ticket, is_hidden=is_hidden)


def with_thread(interaction: Interaction, ticket: Ticket) -> Ticket:
    """Return the ticket of an interaction whose answer opens a thread, Salt."""
    assert interaction.original
    message, channel = str(interaction.original.id), str(interaction.channel.id)
    starter = Starter(message=message, channel=channel, name="Salt")
    return dataclasses.replace(ticket, starter=starter)


def in_thread(ticket: Ticket) -> Reply:
    """Return a reply whose chat is the thread that it opens."""
    assert ticket.starter
    chat = Chat(platform="discord", ref=ticket.starter.message, is_private=False)
    return Reply(chat=chat, key=17, to=ticket.spell())


def expired(ticket: Ticket) -> Ticket:
    """Return the same ticket 15 minutes later."""
    return dataclasses.replace(ticket, created_at=ticket.created_at - 900_000)
