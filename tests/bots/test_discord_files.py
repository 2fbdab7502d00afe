"""How files stand in Discord's channels and answers, and what stands there if they cannot."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.errors import DeliveryError, GoneError
from core.types import File
from tests.bots.discord_screens import (
    Bot,
    asked,
    expired,
    final,
    in_thread,
    reply_in,
    texts,
    with_thread,
)
from tests.pictures import png
from tests.servers.discord import Channel, DiscordServer, Limits, Message, User, permissions

PICTURE = File(name="usage.png", mime="image/png", data=png())
ARCHIVE = File(name="export.zip", mime="application/zip", data=b"PK\x03\x04")


@pytest.fixture
async def bot(discord_server: DiscordServer) -> AsyncIterator[Bot]:
    """A bot that only answers."""
    bot = Bot(discord_server)
    yield bot
    await bot.rest.close()


def names(*messages: Message | None) -> list[str]:
    """Return the names of what messages carry."""
    return [file.name for message in messages if message for file in message.attachments]


async def test_files_follow_in_messages_of_their_own(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """Each is what it was; only what comes first answers the question."""
    discord_server.limits = Limits.unlimited()
    question = channel.say(ann, "Hi")
    large = File(name="all.bin", mime="application/octet-stream", data=bytes(10_000_000))
    await final(bot, reply_in(channel, to=question), "", PICTURE, large)
    assert [(f.name, f.data, f.mime) for m in channel.answers for f in m.attachments] == [
        (PICTURE.name, PICTURE.data, PICTURE.mime),
        (large.name, large.data, large.mime),
    ]
    assert [message.replied for message in channel.answers] == [question, None]
    assert discord_server.remarks == []


async def test_a_file_whose_confirmation_was_lost_stands_once(
    discord_server: DiscordServer, bot: Bot, channel: Channel
) -> None:
    """In channels, each file has a nonce of its own, equal files too; receipts are not needed."""
    discord_server.limits = Limits.unlimited()
    reply = reply_in(channel)
    await final(bot, reply, "Here")
    discord_server.drop_next("create_message", is_done=True)
    with pytest.raises(DeliveryError):
        await final(bot, reply, "Here", PICTURE, PICTURE)
    for again in (reply, reply_in(channel)):
        await final(bot, again, "Here", PICTURE, PICTURE)
        assert texts(channel) == ["Here", "", ""]
        assert names(*channel.answers) == ["usage.png"] * 2


async def test_a_file_that_may_not_be_attached_is_missed_in_words(
    bot: Bot, channel: Channel
) -> None:
    """Without the permission, a sentence says what is missing and what would help."""
    channel.allow(channel.server.bot, deny=permissions.ATTACH_FILES)
    await final(bot, reply_in(channel), "Here", PICTURE)
    said = "Here `usage.png` is missing: I may not send files here; Attach Files would let me."
    assert texts(channel) == ["Here", said]


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 413, "code": 40005},
        {"status": 413, "is_html": True},
        {"status": 400, "code": 50046},
        {"status": 400, "code": 50035},
    ],
)
async def test_a_file_that_is_refused_is_missed_in_words(
    discord_server: DiscordServer, bot: Bot, channel: Channel, fault: dict[str, Any]
) -> None:
    """Whatever Discord or what stands before it has against a file, no retry follows."""
    reply = reply_in(channel)
    await final(bot, reply, "Here")
    discord_server.fail_next("create_message", **fault)
    await final(bot, reply, "Here", PICTURE)
    said = "Here `usage.png` is missing: Discord does not take it here."
    assert texts(channel) == ["Here", said]


async def test_a_file_that_is_too_large_is_missed_in_words(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """A sentence stands in its place, in channels and under interactions."""
    file = File(name="all.zip", mime="application/zip", data=bytes(10_000_001))
    said = "Here `all.zip` is missing: it has 10.1 MB, and I can send at most 10 MB."
    await final(bot, reply_in(channel), "Here", file, ARCHIVE)
    assert texts(channel) == ["Here", said, ""]
    interaction, ticket = await asked(bot, channel, ann)
    await final(bot, reply_in(channel, to=ticket), "", file)
    assert interaction.texts == [said]
    assert discord_server.remarks == []


async def test_a_chat_that_is_gone_gets_no_file(bot: Bot, channel: Channel) -> None:
    """Where no sentence can be written either, the file is given up."""
    channel.allow(channel.server.bot, deny=permissions.SEND_MESSAGES)
    with pytest.raises(GoneError):
        await final(bot, reply_in(channel), "", PICTURE)


async def test_a_hidden_answers_files_stay_hidden(bot: Bot, channel: Channel, ann: User) -> None:
    """The first takes the place of "thinking…", and who asked alone sees them."""
    interaction, ticket = await asked(bot, channel, ann, is_hidden=True)
    await final(bot, reply_in(channel, to=ticket), "", ARCHIVE, PICTURE)
    assert names(interaction.original, *interaction.followups) == ["export.zip", "usage.png"]
    assert [message.asker for message in interaction.followups] == [ann]
    assert channel.answers == []


async def test_an_interaction_that_is_over_leaves_its_file_elsewhere(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """In the channel for all to see, or if it is hidden in a direct message."""
    _, ticket = await asked(bot, channel, ann)
    await final(bot, reply_in(channel, to=expired(ticket)), "", PICTURE)
    assert [m.content for m in channel.answers if m.attachments] == [f"-# For {ann.mention}"]
    _, ticket = await asked(bot, channel, ann, is_hidden=True)
    await final(bot, reply_in(channel, to=expired(ticket)), "Here", ARCHIVE)
    assert names(*discord_server.direct(ann).answers) == ["export.zip"]


async def test_files_follow_in_the_thread_that_an_answer_opens(
    bot: Bot, channel: Channel, ann: User
) -> None:
    """They stand below the text."""
    interaction, ticket = await asked(bot, channel, ann)
    ticket = with_thread(interaction, ticket)
    await final(bot, in_thread(ticket), "Here", PICTURE)
    (thread,) = [place for place in channel.server.channels.values() if place.thread]
    assert [m.content for m in thread.answers if m.content] == ["Here"]
    assert names(*thread.answers) == ["usage.png"]
