"""How events reach the inbox: in order, with what was missed before what comes, come what may."""

import asyncio
import logging
import traceback
from dataclasses import replace
from typing import Any

import discord
import pytest

from bots.discord import connection
from core.errors import SettingsError, StoreError
from core.types import Incoming
from tests.bots.discord_steps import chat, listening, open_bot, seen, until
from tests.bots.inbox import Inbox
from tests.servers.discord import Channel, DiscordServer, User


@pytest.fixture
def direct(discord_server: DiscordServer, ann: User) -> Channel:
    """Ann's direct messages."""
    return discord_server.direct(ann)


@pytest.fixture
def school(discord_server: DiscordServer, ann: User) -> Channel:
    """A channel on Ann's server."""
    return discord_server.guild("School", ann).channel("general")


async def test_messages_come_in_order(
    discord_server: DiscordServer, ann: User, direct: Channel, school: Channel
) -> None:
    """What is meant for the bot is handed in, in the order of each channel; nothing else."""
    inbox, texts = Inbox(), [f"m{number}" for number in range(50)]
    async with listening(discord_server, inbox):
        for text in texts:
            direct.say(ann, text)
            school.say(ann, f"{discord_server.bot.mention} {text}")
            school.say(ann, "not for you")
        await until(lambda: len(inbox.messages) == 100)
    by_chat = {
        ref: [message.text for message in inbox.messages if message.chat.ref == ref]
        for ref in (str(direct.id), str(school.id))
    }
    assert list(by_chat.values()) == [texts, texts]
    assert discord_server.remarks == []


async def test_what_the_store_does_not_take_is_handed_in_again(
    discord_server: DiscordServer, ann: User, direct: Channel
) -> None:
    """A failing database loses nothing, not even what `seen` would have said."""
    inbox = Inbox(StoreError("Full."), None, StoreError("Full."), StoreError("Still full."))
    async with listening(discord_server, inbox):
        for text in ("one", "two"):
            direct.say(ann, text)
        await until(lambda: len(inbox.messages) == 2)
    assert sorted(inbox.texts) == ["one", "two"]


async def test_edits_and_deletions_are_handed_in(
    discord_server: DiscordServer, ann: User, direct: Channel, school: Channel
) -> None:
    """Each names the message it is about."""
    inbox = Inbox()
    async with listening(discord_server, inbox):
        first, second = direct.say(ann, "Helo"), school.say(ann, "not for you")
        direct.edit(first, "Hello")
        direct.delete(first)
        school.delete(second)
        await until(lambda: len(inbox.deleted) == 2)
    assert [(edit.message, edit.text) for edit in inbox.edits] == [(str(first.id), "Hello")]
    assert set(inbox.deleted) == {
        (str(direct.id), str(first.id)),
        (str(school.id), str(second.id)),
    }


async def test_what_came_while_it_was_away_is_caught_up(
    discord_server: DiscordServer, ann: User, direct: Channel, school: Channel
) -> None:
    """In each chat from the newest message that was taken in, before what comes now."""
    me = discord_server.bot.mention
    first = Inbox()
    async with listening(discord_server, first):
        direct.say(ann, "before")
        school.say(ann, f"{me} before")
        await until(lambda: len(first.messages) == 2)
    known = [seen(c, m.sent_at) for c, m in zip((direct, school), first.messages, strict=True)]
    for number in range(150):
        direct.say(ann, f"missed {number}")
        school.say(ann, f"{me} missed {number}" if number % 10 == 0 else "not for you")
    second = Inbox(known=known)
    async with listening(discord_server, second):
        direct.say(ann, "now")
        school.say(ann, f"{me} now")
        await until(lambda: second.texts.count("now") == 2)
    new = [m for m in second.messages if m.event not in {old.event for old in first.messages}]
    assert [m.text for m in new if m.chat == chat(direct)] == [
        *(f"missed {number}" for number in range(150)),
        "now",
    ]
    assert [m.text for m in new if m.chat.ref == str(school.id)] == [
        *(f"missed {number}" for number in range(0, 150, 10)),
        "now",
    ]
    assert {m.text for m in new if not m.is_partial} <= {"missed 149", "missed 140", "now"}


async def test_roles_of_missed_messages_are_learned(
    discord_server: DiscordServer, ann: User
) -> None:
    """The history does not tell them, and they may be all that lets somebody in."""
    guild = discord_server.guild("School", discord_server.user("Head"))
    pupils = guild.role("Pupils")
    guild.join(ann, roles=(pupils,))
    channel = guild.channel("general")
    channel.say(ann, f"{discord_server.bot.mention} missed")
    inbox = Inbox(known=[seen(channel, 0)])
    async with listening(discord_server, inbox):
        await until(lambda: inbox.messages)
    assert f"discord:{pupils.id}" in inbox.messages[0].person.groups


async def test_what_comes_while_it_catches_up_waits(
    discord_server: DiscordServer, ann: User, direct: Channel
) -> None:
    """And what comes while that is being stored, too."""
    bob = discord_server.user("Bob")
    following = {"missed": "waited", "waited": "late"}

    async def go_on(message: Incoming) -> None:
        if message.text in following:
            text = following.pop(message.text)
            direct.say(ann, text)
            discord_server.direct(bob).say(bob, f"after {text}")
            await until(lambda: f"after {text}" in inbox.texts)

    inbox = Inbox(known=[seen(direct, 0)], then=go_on)
    direct.say(ann, "missed")
    async with listening(discord_server, inbox):
        await until(lambda: "late" in inbox.texts)
    ours = [message.text for message in inbox.messages if message.chat == chat(direct)]
    assert ours == ["missed", "waited", "late"]


@pytest.mark.parametrize(("is_known", "times"), [(True, 0), (False, 1)])
async def test_roles_are_asked_for_once(
    discord_server: DiscordServer, ann: User, times: int, *, is_known: bool
) -> None:
    """Of each author, and of none whose message was taken in: such calls are limited closely."""
    channel = discord_server.guild("School", ann).channel("general")
    for number in range(4):
        newest = channel.say(ann, f"{discord_server.bot.mention} {number}")
    sent_at = (newest.id >> 22) + discord.utils.DISCORD_EPOCH if is_known else 0
    inbox = Inbox(known=[seen(channel, sent_at)])
    async with listening(discord_server, inbox):
        await until(lambda: inbox.texts[-1:] == ["3"])
    asked = [call for call in discord_server.calls if call.name == "get_guild_member"]
    assert len(asked) == times


@pytest.mark.parametrize("fault", ["drop", "close", "reconnect"])
async def test_a_broken_connection_is_resumed(
    discord_server: DiscordServer, ann: User, direct: Channel, fault: str
) -> None:
    """Discord tells what it could not tell meanwhile, and nothing is read anew."""
    inbox = Inbox()
    async with listening(discord_server, inbox):
        direct.say(ann, "one")
        await until(lambda: inbox.messages)
        getattr(discord_server.gateway, fault)()
        direct.say(ann, "two")
        await until(lambda: len(inbox.messages) == 2)
        direct.say(ann, "three")
        await until(lambda: len(inbox.messages) == 3)
        assert len(discord_server.gateway.sessions) == 1
    assert inbox.texts == ["one", "two", "three"]


@pytest.mark.usefixtures("quick_starts")
async def test_a_lost_session_is_caught_up(
    discord_server: DiscordServer, ann: User, direct: Channel
) -> None:
    """When nothing can be resumed, the history tells what came."""
    inbox = Inbox()
    async with listening(discord_server, inbox):
        direct.say(ann, "one")
        await until(lambda: inbox.messages)
        inbox.known = [seen(direct, inbox.messages[0].sent_at)]
        discord_server.gateway.invalidate()
        direct.say(ann, "two")
        await until(lambda: len(inbox.messages) == 2)
    assert inbox.texts == ["one", "two"]


@pytest.mark.usefixtures("quick_starts")
async def test_a_server_that_was_down_is_caught_up(
    discord_server: DiscordServer, ann: User, direct: Channel, school: Channel
) -> None:
    """What was written there before is read once it comes, and nothing is read elsewhere."""
    me, guild = discord_server.bot.mention, school.guild
    assert guild
    inbox = Inbox(known=[seen(direct, 0), seen(school, 0)])
    async with listening(discord_server, inbox):
        await discord_server.gateway.ready()
        direct.say(ann, "one")
        await until(lambda: inbox.texts == ["one"])
        guild.hide()
        school.say(ann, f"{me} two")
        guild.restore()
        school.say(ann, f"{me} three")
        await until(lambda: len(inbox.texts) > 2)
    assert inbox.texts == ["one", "two", "three"]
    read = [call for call in discord_server.calls if call.name == "get_channel_messages"]
    assert len(read) == 3


async def test_an_outage_is_outlived(
    discord_server: DiscordServer,
    ann: User,
    direct: Channel,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """However long nothing answers, it comes back, and what was said meanwhile is caught up."""
    monkeypatch.setattr(connection, "LONGEST_SILENCE", 0.3)
    inbox = Inbox()
    async with listening(discord_server, inbox):
        direct.say(ann, "one")
        await until(lambda: inbox.messages)
        inbox.known = [seen(direct, inbox.messages[0].sent_at)]
        discord_server.outage()
        direct.say(ann, "two")
        await until(lambda: "discord cannot be heard" in caplog.text)
        discord_server.restore()
        await until(lambda: len(inbox.messages) == 2, seconds=20)
    assert inbox.texts == ["one", "two"]


async def test_where_the_history_is_closed_it_goes_on(
    discord_server: DiscordServer, ann: User, school: Channel
) -> None:
    """Without Read Message History nothing is caught up, and what comes is heard."""
    me = discord_server.bot.mention
    school.say(ann, f"{me} missed")
    discord_server.fail_next("get_channel_messages", status=403, code=50001, place=school)
    inbox = Inbox(known=[seen(school, 0)])
    async with listening(discord_server, inbox):
        school.say(ann, f"{me} now")
        await until(lambda: "now" in inbox.texts)
    assert inbox.texts == ["now"]


async def test_a_bug_in_catching_up_ends_it(
    discord_server: DiscordServer, ann: User, direct: Channel
) -> None:
    """A chat whose gap is never closed would be deaf without a word."""
    direct.say(ann, "one")
    inbox = Inbox(None, RuntimeError("a bug"), known=[seen(direct, 0)])
    with pytest.raises(RuntimeError, match="a bug"):
        async with listening(discord_server, inbox) as task:
            await until(task.done)


async def test_a_history_that_fails_is_read_again(
    discord_server: DiscordServer, ann: User, direct: Channel
) -> None:
    """A cut connection on the way costs another attempt."""
    direct.say(ann, "missed")
    discord_server.drop_next("get_channel_messages", times=2, place=direct)
    inbox = Inbox(known=[seen(direct, 0)])
    async with listening(discord_server, inbox):
        await until(lambda: inbox.texts == ["missed"])


async def test_what_cannot_be_read_is_set_aside(
    discord_server: DiscordServer,
    ann: User,
    direct: Channel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Events that are not as documented end neither the connection nor the order."""
    inbox = Inbox()
    async with listening(discord_server, inbox):
        odd: list[Any] = [
            {},
            {"id": "x"},
            {"id": "1", "channel_id": "2", "author": None},
            [],
            None,
        ]
        for data in odd:
            discord_server.gateway.push("MESSAGE_CREATE", data)
            discord_server.gateway.push("INTERACTION_CREATE", data)
        discord_server.gateway.push("SENT_BY_PIGEON", {"what": "ever"})
        direct.say(ann, "Hello")
        await until(lambda: inbox.texts == ["Hello"])
        assert len(discord_server.gateway.sessions) == 1
    assert "MESSAGE_CREATE cannot be read and is set aside" in caplog.text


@pytest.mark.usefixtures("quick_starts")
async def test_nonsense_on_the_wire_is_outlived(
    discord_server: DiscordServer, ann: User, direct: Channel
) -> None:
    """What is no JSON costs the connection, not the bot."""
    inbox = Inbox()
    async with listening(discord_server, inbox):
        direct.say(ann, "one")
        await until(lambda: inbox.messages)
        inbox.known = [seen(direct, inbox.messages[0].sent_at)]
        discord_server.gateway.push_text("{")
        direct.say(ann, "two")
        await until(lambda: len(inbox.messages) == 2)


async def test_a_wrong_token_is_the_owners_to_mend(
    discord_server: DiscordServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A token that is refused names its setting, never itself."""
    caplog.set_level(logging.DEBUG)
    async with open_bot(discord_server, token="nonsense.token.x") as bot:
        with pytest.raises(SettingsError, match=r"^DISCORD_BOT_TOKEN: ") as caught:
            await bot.listen(Inbox())
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "nonsense.token.x" not in shown


async def test_a_token_that_is_reset_ends_it(
    discord_server: DiscordServer, direct: Channel, ann: User
) -> None:
    """There is nothing to wait for."""
    async with open_bot(discord_server) as bot:
        inbox = Inbox()
        task = asyncio.create_task(bot.listen(inbox))
        await discord_server.gateway.ready()
        direct.say(ann, "Hello")
        await until(lambda: inbox.messages)
        discord_server.reset_token()
        discord_server.gateway.close(4004)
        with pytest.raises(SettingsError, match=r"^DISCORD_BOT_TOKEN: "):
            await asyncio.wait_for(task, 10)


@pytest.mark.usefixtures("quick_starts")
async def test_without_the_intent_it_hears_what_mentions_it(
    discord_server: DiscordServer,
    ann: User,
    school: Channel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The bot serves all the same, and its owner hears what to switch on."""
    discord_server.privileged = 0
    inbox = Inbox()
    async with listening(discord_server, inbox):
        await until(lambda: discord_server.gateway.session is not None)
        school.say(ann, f"{discord_server.bot.mention} Hello")
        await until(lambda: inbox.texts == ["Hello"])
    assert caplog.text.count("the Message Content intent of this discord bot is off") == 1


async def test_a_server_in_trouble_at_the_start_is_waited_for(
    discord_server: DiscordServer, ann: User, direct: Channel
) -> None:
    """Neither an error nor a cut connection at login ends the bot."""
    discord_server.fail_next("get_current_user", status=503, times=1)
    discord_server.drop_next("get_current_user", times=2)
    inbox = Inbox()
    async with listening(discord_server, inbox):
        await discord_server.gateway.ready()
        direct.say(ann, "Hello")
        await until(lambda: inbox.messages)


async def test_edits_and_deletions_that_were_missed_count(
    discord_server: DiscordServer, ann: User, direct: Channel
) -> None:
    """What still waits is looked at again: it may have been edited or deleted meanwhile."""
    edited, deleted, same = (direct.say(ann, text) for text in ("old", "gone", "same"))
    known = seen(direct, 0)
    waiting = (str(edited.id), str(deleted.id), str(same.id), "ticket:{}")
    direct.edit(edited, "new")
    direct.delete(deleted)
    inbox = Inbox(known=[replace(known, waiting=waiting)])
    async with listening(discord_server, inbox):
        await until(lambda: inbox.edits and inbox.deleted)
    assert [(edit.message, edit.text) for edit in inbox.edits] == [(str(edited.id), "new")]
    assert inbox.deleted == [(str(direct.id), str(deleted.id))]
