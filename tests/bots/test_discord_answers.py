"""How replies stand under interactions and in threads of their own, against a loopback Discord."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bots.discord.screen import Notes
from core.errors import GoneError
from tests.bots.discord_screens import (
    LONG,
    Bot,
    asked,
    expired,
    final,
    in_thread,
    preview,
    reply_in,
    texts,
    with_thread,
)
from tests.servers.discord import Channel, DiscordServer, Limits, User, permissions


@pytest.fixture
async def bot(discord_server: DiscordServer) -> AsyncIterator[Bot]:
    """A bot that only answers."""
    bot = Bot(discord_server)
    yield bot
    await bot.rest.close()


async def test_an_interactions_answer_takes_the_place_of_thinking(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """The first message is edited, further ones follow, nobody is pinged, nothing types."""
    discord_server.limits = Limits.unlimited()
    interaction, ticket = await asked(bot, channel, ann)
    reply = reply_in(channel, to=ticket)
    async with preview(bot, reply):
        reply.grow("One")
        await interaction.answer(containing="One")
    await final(bot, reply, f"{LONG}\n\n{ann.mention}")
    assert len(interaction.texts) > 2
    assert " ".join(interaction.texts).split()[:-1] == LONG.split()
    assert interaction.original
    messages = [interaction.original, *interaction.followups]
    assert [message.pinged for message in messages] == [set()] * len(messages)
    assert not [call for call in discord_server.calls if call.name == "create_message"]
    assert discord_server.remarks == []


async def test_a_further_answer_that_takes_long_stands_once(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """Since it has no nonce, even a preview waits until it is confirmed."""
    discord_server.limits = Limits.unlimited()
    interaction, ticket = await asked(bot, channel, ann)
    reply = reply_in(channel, to=ticket)
    async with preview(bot, reply):
        slow = discord_server.hold_next("create_followup_message")
        reply.grow(LONG)
        await channel.until(lambda: slow.used)
        # Longer than any other call of a preview may take.
        asyncio.get_running_loop().call_later(0.5, slow.release)
    await final(bot, reply, LONG)
    assert " ".join(interaction.texts).split() == LONG.split()


async def test_a_hidden_answer_stays_hidden(bot: Bot, channel: Channel, ann: User) -> None:
    """All of its messages are seen by who asked, and by nobody else."""
    interaction, ticket = await asked(bot, channel, ann, is_hidden=True)
    await final(bot, reply_in(channel, to=ticket), LONG)
    assert len(interaction.texts) > 2
    assert all(message.asker is ann for message in interaction.followups)
    assert texts(channel) == []


async def test_after_a_crash_an_interaction_goes_on(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """What was posted by the token is edited by it; a repeat of the first message is an edit."""
    discord_server.limits = Limits.unlimited()
    interaction, ticket = await asked(bot, channel, ann)
    await final(bot, reply_in(channel, to=ticket), "A preview")
    await final(bot, reply_in(channel, to=ticket), LONG)
    ids = [m.id for m in (interaction.original, *interaction.followups) if m]
    await final(bot, reply_in(channel, to=ticket, posted=ids), "The whole text")
    assert interaction.texts == ["The whole text"]


async def test_the_answer_waits_until_discord_has_heard_of_it(
    bot: Bot, channel: Channel, ann: User
) -> None:
    """A model may be faster than the acknowledgement; the first edit comes after it."""
    interaction, ticket = await asked(bot, channel, ann, is_acked=False)
    acknowledged = asyncio.get_running_loop().create_future()
    bot.notes.acknowledged[ticket.interaction] = acknowledged
    reply = reply_in(channel, to=ticket)
    reply.settle("Hello")
    task = asyncio.create_task(bot.deliver(reply))
    await bot.rest.defer(ticket.interaction, ticket.token)
    assert not task.done()
    acknowledged.set_result(None)
    await task
    assert interaction.texts == ["Hello"]
    assert texts(channel) == ["Hello"]


async def test_an_interaction_that_was_not_acknowledged_is_answered_in_the_channel(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """The token is tried once; a line says for whom the answer is, and pings nobody."""
    _, ticket = await asked(bot, channel, ann, is_acked=False)
    tried = bot.notes.acknowledged[ticket.interaction] = asyncio.get_running_loop().create_future()
    tried.set_result(None)
    await final(bot, reply_in(channel, to=ticket), "Hello")
    assert texts(channel) == [f"-# For {ann.mention}\nHello"]
    assert channel.answers[0].pinged == set()
    await final(bot, reply_in(channel, to=ticket, key=18), "Again")
    by_token = [c for c in discord_server.calls if c.name == "edit_original_interaction_response"]
    assert len(by_token) == 1


async def test_after_15_minutes_an_answer_goes_on_in_the_channel(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """What stands is edited there, the rest posted, and the token is not even tried."""
    interaction, ticket = await asked(bot, channel, ann)
    reply = reply_in(channel, to=ticket)
    await final(bot, reply, "One")
    late = reply_in(channel, to=expired(ticket), posted=[int(reply.posted[0].ref)])
    discord_server.advance(900)
    count = len([call for call in discord_server.calls if "webhooks" in call.path])
    await final(bot, late, LONG)
    assert interaction.original
    assert interaction.original.content.startswith(f"-# For {ann.mention}\nParagraph 0")
    words = " ".join(texts(channel)).split()
    assert words == f"-# For {ann.mention} {LONG}".split()
    assert len([call for call in discord_server.calls if "webhooks" in call.path]) == count


async def test_a_hidden_answer_that_is_late_comes_as_a_direct_message(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """It is never shown in the channel; what stood there hidden is posted anew, once."""
    interaction, ticket = await asked(bot, channel, ann, is_hidden=True)
    reply = reply_in(channel, to=ticket)
    await final(bot, reply, "Secret")
    discord_server.advance(900)
    late = reply_in(channel, to=ticket, posted=[int(reply.posted[0].ref)])
    await final(bot, late, "Secret, whole")
    await final(bot, late, "Secret, whole again")
    assert texts(discord_server.direct(ann)) == [
        f"-# You asked in {channel.mention}\nSecret, whole again"
    ]
    assert interaction.texts == ["Secret"]
    assert texts(channel) == []


async def test_when_direct_messages_are_closed_too_the_answer_is_given_up(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """A hidden answer rather goes nowhere than where others read it."""
    _, ticket = await asked(bot, channel, ann, is_hidden=True)
    ann.has_blocked = True
    with pytest.raises(GoneError):
        await final(bot, reply_in(channel, to=expired(ticket)), "Secret")
    discord_server.fail_next("create_dm", status=400, code=50033)
    with pytest.raises(GoneError):
        await final(bot, reply_in(channel, to=expired(ticket)), "Secret")
    assert texts(channel) == []


async def test_where_the_bot_may_not_write_a_late_answer_comes_as_a_direct_message(
    discord_server: DiscordServer, bot: Bot, ann: User
) -> None:
    """In servers of others, an app that a person installed has only its token, and them."""
    owner = discord_server.user("Olga")
    guild = discord_server.guild("Foreign", owner, members=[ann], has_bot=False)
    channel = guild.channel("general")
    ann.has_installed = True
    interaction, ticket = await asked(bot, channel, ann)
    await final(bot, reply_in(channel, to=ticket), "In time")
    assert interaction.texts == ["In time"]
    await final(bot, reply_in(channel, to=expired(ticket), key=18), "Late")
    assert texts(discord_server.direct(ann)) == [f"-# You asked in {channel.mention}\nLate"]


async def test_an_answer_goes_on_where_the_bot_may_write_no_more(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """Messages after the first are answers to the command when the channel takes no posts."""
    discord_server.limits = Limits.unlimited()
    interaction, ticket = await asked(bot, channel, ann)
    channel.allow(discord_server.bot, deny=permissions.SEND_MESSAGES)
    await final(bot, reply_in(channel, to=replace(ticket, may_post=True)), LONG)
    assert " ".join(interaction.texts).split() == LONG.split()


async def test_a_command_is_answered_in_a_thread_that_was_closed_meanwhile(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """Where its own answer cannot be edited, a post reopens the thread."""
    thread = channel.open_thread(ann, "Salt")
    _, ticket = await asked(bot, thread, ann)
    thread.archive()
    route = "edit_original_interaction_response"
    discord_server.fail_next(route, status=400, code=50083, message="Thread is archived")
    await final(bot, reply_in(thread, to=ticket), "Hello")
    assert texts(thread) == [f"-# For {ann.mention}\nHello"]
    assert thread.thread
    assert not thread.thread.is_archived


async def test_more_messages_than_a_persons_app_may_send_come_as_direct_messages(
    discord_server: DiscordServer, bot: Bot, ann: User
) -> None:
    """Of a very long answer in a foreign server, nothing is lost."""
    discord_server.limits = Limits.unlimited()
    guild = discord_server.guild("Foreign", discord_server.user("Olga"), has_bot=False)
    guild.join(ann)
    ann.has_installed = True
    interaction, ticket = await asked(bot, guild.channel("general"), ann)
    text = "\n\n".join([LONG] * 3)
    await final(bot, reply_in(interaction.channel, to=ticket), text)
    words = " ".join([*interaction.texts, *texts(discord_server.direct(ann))]).split()
    assert len(interaction.texts) == 6
    assert words == text.split()


async def test_a_first_answer_that_was_deleted_is_posted_anew(
    bot: Bot, channel: Channel, ann: User
) -> None:
    """Who removes "thinking…" gets a further message instead."""
    interaction, ticket = await asked(bot, channel, ann)
    assert interaction.original
    channel.delete(interaction.original)
    reply = reply_in(channel, to=ticket)
    async with preview(bot, reply):
        reply.grow("One")
        await interaction.until(lambda: interaction.texts == ["One"])
        channel.delete(interaction.followups[0])
    await final(bot, reply, "One two")
    assert texts(channel) == [f"-# For {ann.mention}\nOne two"]


async def test_an_answer_automod_blocks_does_not_leave_thinking_behind(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """A sentence takes its place."""
    interaction, ticket = await asked(bot, channel, ann)
    route = "edit_original_interaction_response"
    discord_server.fail_next(route, status=400, code=200000, message="Blocked")
    with pytest.raises(GoneError):
        await final(bot, reply_in(channel, to=ticket), "Hello")
    assert interaction.texts == ["This server's AutoMod blocked this answer."]


async def test_an_answer_opens_its_thread_and_points_to_it(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """It grows in the thread; the channel shows one line; a crash repeats neither."""
    interaction, ticket = await asked(bot, channel, ann)
    ticket = with_thread(interaction, ticket)
    assert ticket.starter
    reply = in_thread(ticket)
    async with preview(bot, reply):
        reply.grow("One")
        thread = await discord_server.until(
            lambda: discord_server.channels.get(int(ticket.starter.message))  # type: ignore[union-attr]
        )
        assert thread
        await thread.answer(containing="One")
    bot.notes = Notes()
    await final(bot, reply, "One two")
    assert thread.name == "Salt"
    assert texts(thread) == ["One two"]
    assert interaction.texts == [thread.mention.join(["→ ", ""])]
    assert texts(channel) == interaction.texts
    assert discord_server.remarks == []


async def test_where_no_thread_may_be_opened_the_answer_stands_in_place(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """One line says why, the whole text follows, and it is asked for once only."""
    discord_server.limits = Limits.unlimited()
    channel.allow(discord_server.bot, deny=permissions.CREATE_PUBLIC_THREADS)
    interaction, ticket = await asked(bot, channel, ann)
    ticket = with_thread(interaction, ticket)
    reply = in_thread(ticket)
    async with preview(bot, reply):
        reply.grow("One")
        await interaction.answer(containing="One")
    await final(bot, reply, LONG)
    first, *_ = interaction.texts
    assert first.startswith("-# I may not open a thread here")
    assert " ".join(interaction.texts).split()[-len(LONG.split()) :] == LONG.split()
    opened = [c for c in discord_server.calls if c.name == "start_thread_from_message"]
    assert len(opened) == 1


async def test_a_thread_is_opened_late_as_well(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """After 15 minutes, the line that points to it is written as an edit in the channel."""
    interaction, ticket = await asked(bot, channel, ann)
    ticket = with_thread(interaction, ticket)
    discord_server.advance(900)
    await final(bot, in_thread(ticket), "Hello")
    assert ticket.starter
    thread = discord_server.channels[int(ticket.starter.message)]
    assert texts(thread) == ["Hello"]
    assert texts(channel) == [f"→ {thread.mention}"]


async def test_nothing_secret_is_logged(
    discord_server: DiscordServer,
    bot: Bot,
    channel: Channel,
    ann: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Through all fallbacks, neither a token nor a word of the answer gets into the log."""
    caplog.set_level(logging.DEBUG)
    interaction, ticket = await asked(bot, channel, ann)
    discord_server.advance(900)
    channel.allow(discord_server.bot, deny=permissions.SEND_MESSAGES)
    ann.has_blocked = True
    with pytest.raises(GoneError) as caught:
        await final(bot, reply_in(channel, to=ticket), "Nobody reads this")
    told = caplog.text + str(caught.value)
    assert ticket.interaction in told
    for word in (discord_server.token, interaction.token, "Nobody"):
        assert word not in told
