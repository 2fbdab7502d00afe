"""In which threads the bot hears everything: those that it opened or was invited to."""

import pytest

from tests.bots.discord_steps import listening, until
from tests.bots.inbox import Inbox
from tests.servers.discord import Channel, DiscordServer, User


@pytest.fixture
def thread(discord_server: DiscordServer, ann: User) -> Channel:
    """A thread of Ann's, which the bot is in."""
    school = discord_server.guild("School", ann).channel("general")
    return school.open_thread(ann, "Salt", members=[discord_server.bot])


async def test_it_stays_in_a_thread_that_it_is_told_of_again(
    discord_server: DiscordServer, ann: User, thread: Channel
) -> None:
    """Who gains access to a channel is told of its threads and, beside them, in which it is."""
    inbox, guild = Inbox(), thread.guild
    assert guild
    told = thread.json()
    member = told.pop("member", {}) | {"id": str(thread.id), "flags": 0}
    member |= {"user_id": str(discord_server.bot.id), "join_timestamp": "2026-11-01T00:00:00Z"}
    sync = {"guild_id": str(guild.id), "threads": [told], "members": [member]}
    async with listening(discord_server, inbox):
        discord_server.dispatch("THREAD_LIST_SYNC", sync, channel=thread)
        thread.say(ann, "Do you hear me?")
        await until(lambda: inbox.texts == ["Do you hear me?"])
        thread.expel(discord_server.bot)
        thread.say(ann, "And now?")
        thread.say(ann, f"{discord_server.bot.mention} bye")
        await until(lambda: inbox.texts == ["Do you hear me?", "bye"])
