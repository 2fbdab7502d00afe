"""Shards: each hears its own servers, and none is held up by what befalls another."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest

from bots.discord import connection, starts
from bots.settings import BotSettings
from bots.shards import Shards
from core.commands import COMMANDS
from core.errors import SettingsError
from core.settings import load
from tests.bots.discord_steps import QUICK, listening, open_bot, seen, until
from tests.bots.inbox import Inbox
from tests.servers.discord import Channel, DiscordServer, Limits, User

FEW_STARTS = 100


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    """A loopback Discord that lets four shards begin at once."""
    async with DiscordServer(limits=Limits(max_concurrency=4)) as server:
        yield server


@pytest.fixture
def ann(server: DiscordServer) -> User:
    """Somebody."""
    return server.user("Ann")


def read(spelled: str) -> Shards | None:
    """Return what a setting says."""
    return load(BotSettings, discord_shards=spelled).discord_shards


def places(server: DiscordServer, ann: User, count: int) -> list[Channel]:
    """Return a channel of each shard, and Ann's direct messages, of the first."""
    guilds = [server.guild(f"School {n}", ann, shard=(n, count)) for n in range(count)]
    return [*(guild.channel("general") for guild in guilds), server.direct(ann)]


def say(server: DiscordServer, ann: User, channels: Sequence[Channel], text: str) -> None:
    """Have Ann say the same everywhere, to the bot."""
    for channel in channels:
        channel.say(ann, f"{server.bot.mention} {text}" if channel.guild else text)


def heard(inbox: Inbox, channel: Channel) -> list[str]:
    """Return what came in from a channel, every time that it was handed in."""
    return [message.text for message in inbox.messages if message.chat.ref == str(channel.id)]


@asynccontextmanager
async def serving(
    server: DiscordServer, *ranges: str, known: Sequence[Channel] = ()
) -> AsyncIterator[list[Inbox]]:
    """Have a bot for each range listen, with all of its shards connected."""
    async with AsyncExitStack() as stack:
        inboxes = []
        for spelled in ranges:
            inbox = Inbox(known=[seen(channel, 0) for channel in known])
            inboxes.append(inbox)
            listens = listening(server, inbox, shards=read(spelled))
            await stack.enter_async_context(listens)
        await until(lambda: len(server.gateway.shards) == wanted(server, ranges))
        await until(lambda: all(inbox.looks for inbox in inboxes))
        yield inboxes


def wanted(server: DiscordServer, ranges: Sequence[str]) -> int:
    """Return how many shards are to be connected."""
    return sum(len(chosen.ids) if (chosen := read(one)) else server.shards for one in ranges)


@pytest.mark.parametrize("spelled", ["2", "4", ""])
async def test_all_shards_in_one_process(server: DiscordServer, ann: User, spelled: str) -> None:
    """Every server and direct messages are heard, once; empty: as many as Discord recommends."""
    server.shards = 3
    count = int(spelled or server.shards)
    channels = places(server, ann, count)
    async with serving(server, spelled) as [inbox]:
        assert server.gateway.shards == [(n, count) for n in range(count)]
        for number in range(3):
            say(server, ann, channels, f"m{number}")
        await until(lambda: len(inbox.messages) == 3 * len(channels))
        for channel in channels:
            assert heard(inbox, channel) == ["m0", "m1", "m2"]
        assert len(inbox.begun) == len(inbox.messages)
    assert server.remarks == []


async def test_a_range_per_process(server: DiscordServer, ann: User) -> None:
    """Each hears its own servers and catches up with them alone; the first has the rest."""
    channels = places(server, ann, 4)
    say(server, ann, channels, "missed")
    ranges = ("0-1/4", "2-3/4")
    async with serving(server, *ranges, known=channels) as [first, second]:
        await until(lambda: len(first.messages) + len(second.messages) == len(channels))
        say(server, ann, channels, "now")
        await until(lambda: len(first.messages) + len(second.messages) == 2 * len(channels))
        ours = {"first": [*channels[:2], channels[4]], "second": channels[2:4]}
        for inbox, its in ((first, ours["first"]), (second, ours["second"])):
            assert len(inbox.begun) == 2 * len(its)
            for channel in its:
                assert heard(inbox, channel) == ["missed", "now"]
    read_at = [c.ids["channel_id"] for c in server.calls if c.name == "get_channel_messages"]
    assert sorted(read_at) == sorted(str(channel.id) for channel in channels)


async def test_another_takes_a_range_over(server: DiscordServer, ann: User) -> None:
    """With what came while nobody listened to it; the other range notices nothing."""
    channels = places(server, ann, 4)
    async with serving(server, "0-1/4") as [first]:
        async with serving(server, "2-3/4") as [second]:
            say(server, ann, channels, "one")
            await until(lambda: len(first.messages) == 3 and len(second.messages) == 2)
        await until(lambda: server.gateway.shards == [(0, 4), (1, 4)])
        say(server, ann, channels, "two")
        await until(lambda: len(first.messages) == 6)
        third = Inbox(known=[seen(c, second.messages[0].sent_at) for c in channels])
        async with listening(server, third, shards=read("2-3/4")):
            await until(lambda: third.texts.count("two") == 2)
            say(server, ann, channels, "three")
            await until(lambda: third.texts.count("three") == 2)
            await until(lambda: first.texts.count("three") == 3)
        assert len(first.begun) == 9
        for channel in channels[2:4]:
            assert heard(third, channel)[-2:] == ["two", "three"]
    assert server.gateway.identifies == 6


@pytest.mark.parametrize("number", [0, 2])
async def test_a_shard_that_is_cut_is_resumed(
    server: DiscordServer, ann: User, number: int
) -> None:
    """While messages come on all: nothing is lost or doubled, and no other shard is touched."""
    channels = places(server, ann, 4)
    async with serving(server, "4") as [inbox]:
        others = [c for c in server.gateway.connections if c not in server.gateway.of(number)]
        for count in range(60):
            say(server, ann, channels, f"m{count}")
            if count in {10, 30}:
                server.gateway.drop(number)
            await asyncio.sleep(0)
        await until(lambda: len(inbox.messages) == 60 * len(channels))
        await until(lambda: len(server.gateway.shards) == 4)
        assert all(connection in server.gateway.connections for connection in others)
    for channel in channels:
        assert heard(inbox, channel) == [f"m{n}" for n in range(60)]
    assert len(inbox.begun) == len(inbox.messages)
    assert server.gateway.identifies == 4
    assert server.gateway.resumes >= 1


@pytest.mark.usefixtures("quick_starts")
async def test_a_shard_that_loses_its_session_is_caught_up(
    server: DiscordServer, ann: User
) -> None:
    """It begins another and reads what came meanwhile; the others go on hearing."""
    channels = places(server, ann, 2)
    async with serving(server, "2") as [inbox]:
        say(server, ann, channels, "one")
        await until(lambda: len(inbox.messages) == len(channels))
        inbox.known = [seen(channel, inbox.messages[0].sent_at) for channel in channels]
        server.gateway.invalidate(1)
        say(server, ann, channels, "two")
        await until(lambda: inbox.texts.count("two") == len(channels))
        assert server.gateway.identifies == 3
    for channel in channels:
        assert heard(inbox, channel) == ["one", "two"]


@pytest.mark.usefixtures("quick_starts")
@pytest.mark.parametrize(("count", "at_once"), [(3, 1), (6, 2)])
async def test_sessions_begin_no_faster_than_discord_wants(
    server: DiscordServer, count: int, at_once: int
) -> None:
    """One in a while for each key, in order, and the keys beside each other."""
    server.limits = Limits(identify_seconds=QUICK, max_concurrency=at_once)
    async with serving(server, str(count)):
        pass
    assert server.gateway.identifies == count
    assert server.remarks == []


@pytest.mark.usefixtures("quick_starts")
async def test_processes_that_begin_at_once_get_out_of_each_others_way(
    server: DiscordServer, ann: User
) -> None:
    """Discord refuses what comes too soon; all shards of both begin, and hear."""
    server.limits = Limits(identify_seconds=QUICK)
    channels = places(server, ann, 4)
    inboxes = [Inbox(), Inbox()]
    async with AsyncExitStack() as stack:
        bots = [
            await stack.enter_async_context(open_bot(server, shards=read(spelled)))
            for spelled in ("0-1/4", "2-3/4")
        ]
        tasks = [
            asyncio.create_task(bot.listen(inbox))
            for bot, inbox in zip(bots, inboxes, strict=True)
        ]
        await until(lambda: len(server.gateway.shards) == 4)
        say(server, ann, channels, "Hello")
        await until(lambda: sum(len(inbox.messages) for inbox in inboxes) == len(channels))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert server.gateway.identifies == 4


async def test_when_a_days_sessions_are_used_up_it_waits(
    server: DiscordServer,
    ann: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It says so once, begins none, and goes on the next day: one too many resets the token."""
    monkeypatch.setattr(starts, "LONGEST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(starts, "FRESH_SECONDS", 0.0)
    server.limits = Limits(identifies=FEW_STARTS, max_concurrency=4)
    server.gateway.starts.used = FEW_STARTS - 2
    inbox, direct = Inbox(), server.direct(ann)
    async with open_bot(server, shards=read("2")) as bot:
        task = asyncio.create_task(bot.listen(inbox))
        await until(lambda: "no further connection for 24.0 h" in caplog.text)
        asked = partial(calls, server, "get_gateway_bot")
        before = asked()
        await until(lambda: asked() > before + 2)
        assert len(server.gateway.shards) == 1
        server.advance(24 * 3600 + 1)
        await until(lambda: len(server.gateway.shards) == 2)
        direct.say(ann, "Hello")
        await until(lambda: inbox.messages)
        task.cancel()
        await asyncio.wait({task})
    assert caplog.text.count("no further connection") == 1


@pytest.mark.usefixtures("quick_starts")
async def test_a_lost_session_waits_for_the_next_day_too(
    server: DiscordServer,
    ann: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What cannot be begun now is not tried, and what was missed meanwhile is caught up."""
    monkeypatch.setattr(starts, "LONGEST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(starts, "FRESH_SECONDS", 0.0)
    server.limits = Limits(identifies=FEW_STARTS)
    direct = server.direct(ann)
    async with serving(server, "") as [inbox]:
        inbox.known = [seen(direct, 0)]
        server.gateway.starts.used = FEW_STARTS
        server.gateway.invalidate()
        direct.say(ann, "Hello")
        await until(lambda: "no further connection for 24.0 h" in caplog.text)
        server.advance(24 * 3600 + 1)
        await until(lambda: inbox.texts == ["Hello"])
    assert server.gateway.identifies == 2


@pytest.mark.usefixtures("quick_starts")
async def test_many_lost_sessions_begin_one_after_the_other(
    server: DiscordServer, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long some of them wait; the SDK gives up after a while, and we before it."""
    monkeypatch.setattr(connection, "LONGEST_START", 0.4)
    server.limits = Limits(identify_seconds=QUICK)
    channels = places(server, ann, 6)
    async with serving(server, "6") as [inbox]:
        inbox.known = [seen(channel, 0) for channel in channels]
        server.gateway.invalidate()
        say(server, ann, channels, "Hello")
        await until(lambda: len(server.gateway.shards) == 6)
        await until(lambda: len(inbox.messages) == len(channels))
    assert server.remarks == []


def calls(server: DiscordServer, name: str) -> int:
    """Return how often a route was called."""
    return sum(call.name == name for call in server.calls)


@pytest.mark.parametrize(
    ("spelled", "limits"),
    [
        ("2", Limits(guilds_per_shard=1)),
        ("3", Limits(shard_multiple=2)),
        ("", Limits(shard_multiple=2)),
    ],
    ids=["too many servers", "no multiple", "not even what is recommended"],
)
@pytest.mark.usefixtures("quick_starts")
async def test_shards_that_discord_refuses_are_the_owners_to_mend(
    server: DiscordServer, ann: User, spelled: str, limits: Limits
) -> None:
    """The error names the setting, and how many Discord recommends."""
    for _ in range(2):
        server.guild("School", ann, shard=(1, 2))
    server.limits, server.shards = limits, 3
    async with open_bot(server, shards=read(spelled)) as bot:
        with pytest.raises(SettingsError, match=r"^DISCORD_SHARDS: .* recommends, 3; it refuses"):
            await asyncio.wait_for(bot.listen(Inbox()), 10)


@pytest.mark.usefixtures("quick_starts")
async def test_a_bot_that_has_grown_gets_more_shards(
    server: DiscordServer, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the number is Discord's to recommend, what it refuses is asked for anew."""
    channels = places(server, ann, 2)
    async with serving(server, "") as [inbox]:
        assert server.gateway.shards == [(0, 1)]
        server.limits, server.shards = Limits(guilds_per_shard=1, max_concurrency=2), 2
        inbox.known = [seen(channel, 0) for channel in channels]
        server.gateway.invalidate()
        await until(lambda: server.gateway.shards == [(0, 2), (1, 2)])
        say(server, ann, channels, "Hello")
        await until(lambda: len(inbox.messages) == len(channels))
    assert "discord wants more shards than 1" in caplog.text


@pytest.mark.usefixtures("quick_starts")
@pytest.mark.parametrize("code", [4013, 4014])
async def test_a_bot_that_may_hear_nothing_is_the_owners_to_mend(
    server: DiscordServer, code: int
) -> None:
    """Without messages there is nothing to serve."""
    server.privileged = 0
    async with open_bot(server, shards=read("2")) as bot:
        task = asyncio.create_task(bot.listen(Inbox()))
        await until(lambda: len(server.gateway.shards) == 2)
        server.gateway.close(code, shard=1)
        with pytest.raises(SettingsError, match=f"^DISCORD_BOT_TOKEN: .*{code}"):
            await asyncio.wait_for(task, 10)


async def test_the_menu_is_uploaded_where_direct_messages_come(server: DiscordServer) -> None:
    """By one process of several."""
    async with AsyncExitStack() as stack:
        for spelled in ("2-3/4", "0-1/4"):
            listens = listening(server, Inbox(), shards=read(spelled), commands=COMMANDS)
            await stack.enter_async_context(listens)
            await until(lambda: len(server.gateway.shards) in {2, 4})
            if spelled == "2-3/4":
                assert server.commands.all == []
        await until(lambda: server.commands.find("chat"))
    assert calls(server, "get_global_application_commands") == 1


@pytest.mark.parametrize(
    ("spelled", "claim"),
    [("", "discord"), ("4", "discord"), ("0-7/8", "discord"), ("0-3/8", "discord 0-3/8")],
)
async def test_what_one_process_may_listen_to(
    server: DiscordServer, spelled: str, claim: str
) -> None:
    """The same range once; different ones beside each other."""
    async with open_bot(server, shards=read(spelled)) as bot:
        assert bot.claim == claim


@pytest.mark.parametrize(
    ("spelled", "text"),
    [
        ("four", "should be a number such as 4, or a range such as 0-3/8, or empty"),
        ("0-3", "should be a number such as 4, or a range such as 0-3/8, or empty"),
        ("0", "should be from 1 to 10000 shards"),
        ("4-8/8", "should be a range from low to high; of 8, they go from 0 to 7"),
        ("3-2/8", "should be a range from low to high; of 8, they go from 0 to 7"),
    ],
)
def test_a_range_that_is_none(spelled: str, text: str) -> None:
    """The error names the setting and what would be right."""
    with pytest.raises(SettingsError) as caught:
        read(spelled)
    assert str(caught.value) == f"DISCORD_SHARDS: {text}"


def test_ranges() -> None:
    """One, some or all of so many; spaces do not matter."""
    assert read("") is None
    found = [read(spelled) for spelled in ("4", " 0 - 3 / 8 ", "5/8")]
    assert [str(one) for one in found] == ["0-3/4", "0-3/8", "5-5/8"]
    assert [one.is_all for one in found if one] == [True, False, False]
