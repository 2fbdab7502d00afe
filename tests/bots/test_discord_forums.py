"""Forums and threads: each post is a thread, and so a chat of its own."""

import pytest

from core.commands import COMMANDS
from core.reply import Reply
from core.types import Incoming
from tests.bots.discord_steps import listening, open_bot, seen, until
from tests.bots.inbox import Inbox
from tests.servers.discord import Channel, DiscordServer, User


@pytest.fixture
def forum(discord_server: DiscordServer, ann: User) -> Channel:
    """A forum on Ann's server."""
    return discord_server.guild("School", ann).forum("questions")


async def answer(server: DiscordServer, incoming: Incoming, text: str) -> None:
    """Answer a message."""
    reply = Reply(chat=incoming.chat, key=17, to=incoming.message)
    reply.settle(text)
    async with open_bot(server) as bot:
        await bot.deliver(reply)


async def test_a_mention_in_a_post_is_answered_there(
    discord_server: DiscordServer, ann: User, forum: Channel
) -> None:
    """Whether it stands in the post's first message or below; then all that follows is for us."""
    me, inbox = discord_server.bot.mention, Inbox()
    async with listening(discord_server, inbox):
        post = forum.post(ann, "Salt", f"{me} how much salt?")
        other = forum.post(ann, "Sugar", "Nobody is asked")
        other.say(ann, f"{me} and sugar?")
        await until(lambda: len(inbox.messages) == 2)
        first, second = inbox.messages
        await answer(discord_server, first, "A pinch.")
        await answer(discord_server, second, "A spoon.")
        post.say(ann, "Is that all?")
        await until(lambda: len(inbox.messages) == 3)
    assert inbox.texts == ["how much salt?", "and sugar?", "Is that all?"]
    assert [message.chat.ref for message in inbox.messages] == [
        str(post.id),
        str(other.id),
        str(post.id),
    ]
    assert first.chat.title == "School #questions > Salt"
    assert first.chat.places[0] == f"discord:{forum.id}"
    assert [message.content for message in post.answers] == ["A pinch."]
    assert [message.content for message in other.answers] == ["A spoon."]
    assert discord_server.remarks == []


async def test_a_post_is_caught_up(
    discord_server: DiscordServer, ann: User, forum: Channel
) -> None:
    """What was written in it while nobody listened."""
    post = forum.post(ann, "Salt", f"{discord_server.bot.mention} how much salt?")
    inbox = Inbox(known=[seen(post, 0)])
    async with listening(discord_server, inbox):
        await until(lambda: inbox.texts == ["how much salt?"])


async def test_a_command_in_a_post_is_answered_there(
    discord_server: DiscordServer, ann: User, forum: Channel
) -> None:
    """It is a thread, in which no other can be opened."""
    inbox = Inbox()
    post = forum.post(ann, "Salt", "How much?")
    async with listening(discord_server, inbox, commands=COMMANDS):
        await until(lambda: discord_server.commands.find("chat"))
        asked = post.slash(ann, "chat", prompt="How much?", thread=True)
        await asked.until(lambda: asked.state == "thinking")
        await until(lambda: inbox.messages)
        await answer(discord_server, inbox.messages[0], "A pinch.")
    assert asked.text == "-# I may not open a thread here, so I answer in place.\nA pinch."


@pytest.mark.parametrize("is_opened_by_bot", [False, True])
async def test_a_bot_that_was_taken_out_of_a_thread_is_silent(
    discord_server: DiscordServer, ann: User, *, is_opened_by_bot: bool
) -> None:
    """There it answers who mentions it, and all others again once it is invited anew."""
    inbox, bot = Inbox(), discord_server.bot
    school = discord_server.guild("School", ann).channel("general")
    async with listening(discord_server, inbox):
        await discord_server.gateway.ready()
        thread = school.open_thread(bot if is_opened_by_bot else ann, "Salt", members=[ann, bot])
        thread.say(ann, "one")
        thread.expel(bot)
        thread.say(ann, "two")
        thread.say(ann, f"{bot.mention} three")
        thread.invite(bot)
        thread.say(ann, "four")
        await until(lambda: "four" in inbox.texts)
    assert inbox.texts == ["one", "three", "four"]
