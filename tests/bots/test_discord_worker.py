"""A bot that never listens answers what another took in: all it knows is what was stored."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from bots.discord import DiscordBot
from core.commands import COMMANDS
from core.errors import DeliveryError
from core.reply import Reply
from core.types import Incoming, Voice
from tests.bots.discord_steps import chat, listening, open_bot, until
from tests.bots.inbox import Inbox
from tests.servers.discord import Channel, DiscordServer, File, Interaction, User

CALLBACK = "create_interaction_response"
EDIT = "edit_original_interaction_response"


@pytest.fixture
def school(discord_server: DiscordServer, ann: User) -> Channel:
    """A channel on Ann's server."""
    return discord_server.guild("School", ann).channel("general")


@asynccontextmanager
async def serving(server: DiscordServer, inbox: Inbox) -> AsyncIterator[DiscordBot]:
    """Have one bot listen; return another."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(listening(server, inbox, commands=COMMANDS))
        worker = await stack.enter_async_context(open_bot(server, commands=COMMANDS))
        await until(lambda: server.commands.find("chat"))
        yield worker


async def asked(channel: Channel, user: User, inbox: Inbox, **options: Any) -> Interaction:
    """Have somebody use /chat; wait until that is taken in, whatever Discord knows of it."""
    count = len(inbox.messages)
    interaction = channel.slash(user, "chat", prompt="What is a lake?", **options)
    await until(lambda: len(inbox.messages) > count)
    return interaction


def reply_to(incoming: Incoming) -> Reply:
    """Return an answer on its way."""
    return Reply(chat=incoming.chat, key=17, to=incoming.message)


async def insist(bot: DiscordBot, reply: Reply) -> int:
    """Deliver as the relay does, until the whole text stands; return how often it took."""
    times = 1
    while True:
        try:
            await bot.deliver(reply)
        except DeliveryError as error:
            await asyncio.sleep(error.retry_after or 0.05)
            times += 1
        else:
            return times


async def test_a_command_is_answered_where_it_thinks(
    discord_server: DiscordServer, ann: User, school: Channel
) -> None:
    """In place of "thinking…", though another bot said that."""
    inbox = Inbox()
    async with serving(discord_server, inbox) as worker:
        question = await asked(school, ann, inbox)
        await question.until(lambda: question.state == "thinking")
        reply = reply_to(inbox.messages[0])
        reply.settle("A lake is water.")
        assert await insist(worker, reply) == 1
    assert question.text == "A lake is water."
    assert [message.content for message in school.answers] == ["A lake is water."]
    assert discord_server.remarks == []


@pytest.mark.parametrize("has_preview", [True, False])
async def test_an_answer_that_comes_before_the_acknowledgement_waits_for_it(
    discord_server: DiscordServer, ann: User, school: Channel, *, has_preview: bool
) -> None:
    """The listener stores first and then tells Discord; a quick worker posts nothing else."""
    inbox = Inbox()
    async with serving(discord_server, inbox) as worker:
        late = discord_server.delay_next(CALLBACK)
        question = await asked(school, ann, inbox)
        await until(lambda: late.used)
        reply = reply_to(inbox.messages[0])
        if has_preview:
            preview = asyncio.create_task(worker.deliver(reply))
            reply.grow("A lake")
            await until(lambda: count(discord_server, EDIT))
            reply.close()
            await preview
        reply.settle("A lake is water.")
        answering = asyncio.create_task(insist(worker, reply))
        await until(lambda: count(discord_server, EDIT) > has_preview)
        assert (school.answers, question.state) == ([], "waiting")
        late.release()
        await answering
    assert question.text == "A lake is water."
    assert [message.content for message in school.answers] == ["A lake is water."]


async def test_an_acknowledgement_that_never_comes_is_not_waited_for(
    discord_server: DiscordServer, ann: User, school: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listener died in between: the answer comes in the channel after a while."""
    monkeypatch.setattr("bots.discord.screen.ACK_SECONDS", 0.3)
    inbox = Inbox()
    async with serving(discord_server, inbox) as worker:
        discord_server.fail_next(CALLBACK, status=404, code=10062, message="Unknown interaction")
        await asked(school, ann, inbox)
        await until(lambda: count(discord_server, CALLBACK))
        reply = reply_to(inbox.messages[0])
        reply.settle("A lake is water.")
        assert await insist(worker, reply) > 1
    assert [message.content for message in school.answers] == [
        f"-# For {ann.mention}\nA lake is water."
    ]


async def test_a_hidden_answer_stays_hidden(
    discord_server: DiscordServer, ann: User, school: Channel
) -> None:
    """That only who asked may see it is stored with the question."""
    inbox = Inbox()
    async with serving(discord_server, inbox) as worker:
        question = school.slash(ann, "settings")
        await until(lambda: inbox.messages)
        reply = reply_to(inbox.messages[0])
        reply.settle("x" * 2500)
        await insist(worker, reply)
    assert question.is_ephemeral
    assert len(question.texts) == 2
    assert school.answers == []


async def test_a_thread_is_opened_by_who_answers(
    discord_server: DiscordServer, ann: User, school: Channel
) -> None:
    """Where it begins is stored with the question."""
    inbox = Inbox()
    async with serving(discord_server, inbox) as worker:
        question = await asked(school, ann, inbox, thread=True)
        await until(lambda: inbox.messages[0].chat.ref != str(school.id))
        reply = reply_to(inbox.messages[0])
        reply.settle("A lake is water.")
        await insist(worker, reply)
    assert question.original
    thread = discord_server.channels[question.original.id]
    assert question.text == f"→ {thread.mention}"
    assert [message.content for message in thread.answers] == ["A lake is water."]


async def test_a_quarter_of_an_hour_later_it_comes_in_the_channel(
    discord_server: DiscordServer, ann: User, school: Channel
) -> None:
    """By Discord's clock; a worker whose own is slow finds out by asking."""
    inbox = Inbox()
    async with serving(discord_server, inbox) as worker:
        question = await asked(school, ann, inbox)
        await question.until(lambda: question.state == "thinking")
        discord_server.advance(900)
        reply = reply_to(inbox.messages[0])
        reply.settle("A lake is water.")
        assert await insist(worker, reply) == 1
    assert len(school.answers) == 1


async def test_a_file_is_fetched_by_who_answers(
    discord_server: DiscordServer, ann: User, school: Channel
) -> None:
    """Its link may have expired by then; what was stored finds a new one."""
    inbox = Inbox()
    async with serving(discord_server, inbox) as worker:
        file = File(name="note.ogg", data=b"sound", mime="audio/ogg")
        school.say(ann, discord_server.bot.mention, files=[file])
        await until(lambda: inbox.messages)
        discord_server.cdn.expire()
        voice = inbox.messages[0].voice
        assert isinstance(voice, Voice)
        assert await worker.fetch(voice) == b"sound"


async def test_only_who_listens_connects_and_uploads_the_menu(
    discord_server: DiscordServer, ann: User, school: Channel
) -> None:
    """A worker makes the calls of its answers, and no others."""
    reply = Reply(chat=chat(school), key=1, to=str(school.say(ann, "Hello").id))
    async with open_bot(discord_server, commands=COMMANDS) as worker:
        reply.settle("Hello.")
        await worker.deliver(reply)
    assert [call.name for call in discord_server.calls] == ["create_message"]
    assert discord_server.gateway.identifies == 0


def count(server: DiscordServer, name: str) -> int:
    """Return how often a route was called."""
    return sum(call.name == name for call in server.calls)
