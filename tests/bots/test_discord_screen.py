"""How replies stand in Discord's channels, against a loopback one."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from bots import live
from core.errors import DeliveryError, GoneError
from tests.bots.discord_screens import (
    LONG,
    Bot,
    final,
    preview,
    reply_in,
    texts,
)
from tests.servers.discord import Channel, DiscordServer, Limits, User, permissions


@pytest.fixture
async def bot(discord_server: DiscordServer) -> AsyncIterator[Bot]:
    """A bot that only answers."""
    bot = Bot(discord_server)
    yield bot
    await bot.rest.close()


async def test_a_channel_sees_a_reply_that_is_edited(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """The first message answers the question without pinging and grows by edits."""
    question = channel.say(ann, f"{discord_server.bot.mention} Hi")
    reply = reply_in(channel, to=question)
    async with preview(bot, reply):
        reply.grow("One")
        await channel.answer(containing="One")
        reply.grow("One two")
        await channel.answer(containing="two")
    await final(bot, reply, f"One two {ann.mention} @everyone")
    (message,) = channel.answers
    assert message.replied is question
    assert message.pinged == set()
    assert message.flags == 4
    await bot.deliver(reply)
    assert [shown.kind for shown in channel.shown] == ["message", "edit", "edit"]
    assert discord_server.remarks == []


async def test_direct_messages_are_no_replies(
    discord_server: DiscordServer, bot: Bot, ann: User
) -> None:
    """Where nobody else writes, a question need not be quoted."""
    direct = discord_server.direct(ann)
    question = direct.say(ann, "Hi")
    await final(bot, reply_in(direct, to=question), "Hello")
    assert [(m.content, m.replied) for m in direct.answers] == [("Hello", None)]


async def test_a_deleted_question_is_answered(bot: Bot, channel: Channel, ann: User) -> None:
    """The answer does not depend on the message it replies to."""
    question = channel.say(ann, "Hi")
    channel.delete(question)
    await final(bot, reply_in(channel, to=question), "Hello")
    assert texts(channel) == ["Hello"]


async def test_a_long_answer_is_split_and_comes_with_a_file(
    discord_server: DiscordServer, bot: Bot, channel: Channel
) -> None:
    """Nothing is lost or posted twice; many messages bring the whole as Markdown."""
    discord_server.limits = Limits.unlimited()
    text = "\n\n".join([LONG] * 2)
    await final(bot, reply_in(channel), text)
    assert " ".join(texts(channel)).split() == text.split()
    files = [file for message in channel.answers for file in message.attachments]
    assert [(file.name, file.data.decode()) for file in files] == [("answer.md", text)]


async def test_people_see_that_the_bot_writes(bot: Bot, channel: Channel) -> None:
    """Until the first word, there is a typing sign."""
    reply = reply_in(channel)
    pace = live.Pace(typing_after=0.0, edit=0.0)
    async with preview(bot, reply, pace=pace):
        await channel.until(lambda: channel.is_typing)


@pytest.mark.parametrize("is_done", [False, True])
async def test_a_post_whose_connection_was_cut_stands_once(
    discord_server: DiscordServer, bot: Bot, channel: Channel, *, is_done: bool
) -> None:
    """Whether it stood or not, trying again leaves one message."""
    reply = reply_in(channel)
    discord_server.drop_next("create_message", is_done=is_done)
    with pytest.raises(DeliveryError):
        await final(bot, reply, "Hello")
    await bot.deliver(reply)
    assert texts(channel) == ["Hello"]


async def test_after_a_crash_a_post_without_receipt_is_found_again(
    bot: Bot, channel: Channel
) -> None:
    """What was posted but not noted down is returned by its nonce, and shows the final text."""
    await final(bot, reply_in(channel), "A preview")
    await final(bot, reply_in(channel), "The whole text")
    assert texts(channel) == ["The whole text"]
    await final(bot, reply_in(channel, key=18), "Another answer")
    assert texts(channel) == ["The whole text", "Another answer"]


async def test_after_a_crash_receipts_are_edited(bot: Bot, channel: Channel) -> None:
    """What stands is edited, what is needless goes."""
    await final(bot, reply_in(channel), LONG)
    ids = [message.id for message in channel.answers]
    assert len(ids) > 2
    channel.delete(channel.answers[-1])
    await final(bot, reply_in(channel, posted=ids), "Short")
    assert texts(channel) == ["Short"]
    assert channel.answers[0].id == ids[0]


async def test_a_message_somebody_deleted_is_posted_anew(
    bot: Bot, channel: Channel, ann: User
) -> None:
    """An answer that was removed while it grew stands in the end, as a reply again."""
    question = channel.say(ann, "Hi")
    reply = reply_in(channel, to=question)
    async with preview(bot, reply):
        reply.grow("One")
        channel.delete(await channel.answer(containing="One"))
    await final(bot, reply, "One two")
    assert [(m.content, m.replied) for m in channel.answers] == [("One two", question)]


async def test_a_thread_that_was_closed_meanwhile_is_reopened(
    bot: Bot, channel: Channel, ann: User
) -> None:
    """An answer that has begun in a thread is completed, though edits do not reopen it."""
    thread = channel.open_thread(ann, "Salt")
    reply = reply_in(thread)
    async with preview(bot, reply):
        reply.grow("One")
        await thread.answer(containing="One")
        thread.archive()
    await final(bot, reply, "One two")
    assert texts(thread) == ["One two"]
    thread.archive(is_locked=True)
    with pytest.raises(GoneError):
        await final(bot, reply, "One two three")


async def test_a_deleted_message_does_not_hold_its_nonce(
    discord_server: DiscordServer, bot: Bot, channel: Channel
) -> None:
    """Where the nonce names a message that is gone, the text is posted under another."""
    discord_server.fail_next("create_message", status=404, code=10008, message="Unknown Message")
    await final(bot, reply_in(channel), "Hello")
    assert texts(channel) == ["Hello"]


async def test_a_hanging_preview_delays_the_final_text_little(
    discord_server: DiscordServer, bot: Bot, channel: Channel
) -> None:
    """What a preview's call does in the end, the final text stands once."""
    hanging = discord_server.hold_next("create_message")
    reply = reply_in(channel)
    async with preview(bot, reply):
        reply.grow("One")
        await channel.answer(containing="One")
    await final(bot, reply, "One two")
    hanging.release()
    assert texts(channel) == ["One two"]


async def test_a_preview_that_takes_long_does_not_undo_the_final_text(
    discord_server: DiscordServer, bot: Bot, channel: Channel
) -> None:
    """However long an edit takes, the last one comes after it."""
    reply = reply_in(channel)
    slow = discord_server.delay_next("edit_message", seconds=0.6)
    async with preview(bot, reply):
        reply.grow("One")
        await channel.answer(containing="One")
        reply.grow("One two")
        await channel.until(lambda: slow.used)
    await final(bot, reply, "One two three")
    await channel.until(lambda: len(channel.shown) == 3)
    assert texts(channel) == ["One two three"]


async def test_without_history_there_is_no_reply_but_an_answer(
    discord_server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """Read Message History is needed to quote, not to answer."""
    channel.allow(discord_server.bot, deny=permissions.READ_MESSAGE_HISTORY)
    await final(bot, reply_in(channel, to=channel.say(ann, "Hi")), "Hello")
    assert [(m.content, m.replied) for m in channel.answers] == [("Hello", None)]


async def test_without_attach_files_there_is_the_text(
    discord_server: DiscordServer, bot: Bot, channel: Channel
) -> None:
    """A file that may not be sent is left out."""
    discord_server.limits = Limits.unlimited()
    channel.allow(discord_server.bot, deny=permissions.ATTACH_FILES)
    text = "\n\n".join([LONG] * 2)
    await final(bot, reply_in(channel), text)
    assert " ".join(texts(channel)).split() == text.split()


async def test_a_text_refused_for_its_form_is_sent_bare(
    discord_server: DiscordServer, bot: Bot, channel: Channel
) -> None:
    """Once more as plainly as possible; then a sentence stands in its place."""
    discord_server.fail_next("create_message", status=400, code=50035, message="Invalid Form Body")
    await final(bot, reply_in(channel), "Hello")
    assert texts(channel) == ["Hello"]
    discord_server.fail_next("create_message", status=400, code=50035, times=2)
    with pytest.raises(GoneError, match="does not accept"):
        await final(bot, reply_in(channel, key=18), "Hello again")
    assert texts(channel) == ["Hello", "Discord does not accept this answer."]


async def test_a_text_that_automod_blocks_leaves_a_sentence(
    discord_server: DiscordServer, bot: Bot, channel: Channel
) -> None:
    """The preview that stood there ends in words that say why."""
    reply = reply_in(channel)
    async with preview(bot, reply):
        reply.grow("One")
        await channel.answer(containing="One")
    discord_server.fail_next("edit_message", status=400, code=200000, message="Blocked")
    with pytest.raises(GoneError, match="AutoMod"):
        await final(bot, reply, "One two")
    assert texts(channel) == ["This server's AutoMod blocked this answer."]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (10003, "channel is gone"),
        (50001, "View Channel"),
        (50013, "Send Messages"),
        (50007, "direct messages"),
        (50083, "archived"),
        (160005, "locked"),
        (99999, "does not say why"),
    ],
)
async def test_a_chat_that_is_closed_is_given_up_and_its_owner_told(  # noqa: PLR0917 - a table
    discord_server: DiscordServer,
    bot: Bot,
    channel: Channel,
    caplog: pytest.LogCaptureFixture,
    code: int,
    words: str,
) -> None:
    """One line an hour says what to do; the text is not tried for ever."""
    fault = discord_server.fail_next("create_message", status=403, code=code, times=9)
    for key in (1, 2):
        with pytest.raises(GoneError, match="cannot write"):
            await final(bot, reply_in(channel, key=key), "Hello")
    assert fault.used == 2
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert words in warnings[0].getMessage()
    assert str(channel.id) in warnings[0].getMessage()


async def test_a_person_who_blocked_the_bot_is_not_written_to(
    discord_server: DiscordServer, bot: Bot, ann: User
) -> None:
    """Nothing is raised while the reply grows, and the final text is given up."""
    direct = discord_server.direct(ann)
    ann.has_blocked = True
    reply = reply_in(direct)
    task = asyncio.create_task(bot.deliver(reply))
    reply.grow("One")
    async with asyncio.timeout(10):
        await task
    with pytest.raises(GoneError):
        await final(bot, reply, "One")


async def test_slow_mode_is_waited_out(
    discord_server: DiscordServer, bot: Bot, channel: Channel
) -> None:
    """A pause is named, for the caller to plan."""
    discord_server.limit_next("create_message", 40.0)
    with pytest.raises(DeliveryError) as caught:
        await final(bot, reply_in(channel), "Hello")
    assert caught.value.retry_after == pytest.approx(40.0)


async def test_many_previews_never_hold_a_final_text_up(
    discord_server: DiscordServer, bot: Bot, channel: Channel
) -> None:
    """However fast the model writes, the final edit goes through at once, without a 429."""
    reply = reply_in(channel)
    async with preview(bot, reply):
        for number in range(60):
            reply.grow("word " * (number + 1))
            await asyncio.sleep(0.005)
    await final(bot, reply, "word " * 61)
    assert texts(channel) == [("word " * 61).strip()]
    assert {call.status for call in channel.calls} == {200}
    assert discord_server.remarks == []
