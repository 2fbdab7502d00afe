"""The gateway: sessions, resumption, intents, and what goes wrong with them."""

import json

import pytest

from tests.servers.discord import Channel, DiscordServer, Guild, Limits, User
from tests.servers.test_discord.client import INTENTS, Bot

CONTENT = 1 << 15


async def test_a_session_begins_with_ready_and_the_guilds(
    bot: Bot, channel: Channel, ann: User
) -> None:
    """READY names guilds as unavailable; each comes with GUILD_CREATE, then live events."""
    thread = channel.open_thread(ann, "homework")
    async with bot.socket() as socket:
        hello = await socket.receive()
        assert hello == {"op": 10, "d": {"heartbeat_interval": 41250}, "s": None, "t": None}
        ready = await socket.identify()
        assert [guild["unavailable"] for guild in ready["guilds"]] == [True]
        guild = await socket.event("GUILD_CREATE")
        assert [found["name"] for found in guild["channels"]] == ["general"]
        assert [found["id"] for found in guild["threads"]] == [str(thread.id)]
        assert [found["user"]["username"] for found in guild["members"]] == ["causerie"]
        assert {role["managed"] for role in guild["roles"]} == {False, True}
        channel.say(ann, "Hello")
        found = await socket.receive()
        assert (found["op"], found["s"], found["t"]) == (0, 3, "MESSAGE_CREATE")
        assert found["d"]["member"]["roles"] == []
        await socket.send(1, 3)
        assert (await socket.receive())["op"] == 11


async def test_a_stream_is_compressed_as_asked(bot: Bot) -> None:
    """With zlib-stream, one context spans all payloads."""
    async with bot.socket("v=10&encoding=json&compress=zlib-stream") as socket:
        assert (await socket.receive())["op"] == 10
        assert (await socket.identify())["v"] == 10


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"token": "no"}, 4004),
        ({"properties": None}, 4002),
        ({"intents": 1 << 40}, 4013),
        ({"intents": "all"}, 4013),
        ({"shard": [1, 1]}, 4010),
        ({"intents": 1 << 1}, 4014),
    ],
)
async def test_a_wrong_identify_closes(bot: Bot, fields: dict[str, object], code: int) -> None:
    """Each mistake has its close code."""
    async with bot.socket() as socket:
        await socket.send(2, socket.identity(**fields))
        assert await socket.closed() == code


async def test_the_content_intent_must_be_switched_on(server: DiscordServer, bot: Bot) -> None:
    """Asking for a privileged intent that the portal has off closes with 4014."""
    server.privileged = 0
    async with bot.socket() as socket:
        await socket.send(2, socket.identity())
        assert await socket.closed() == 4014
    assert server.gateway.identifies == 0


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ("{", 4002),
        ('{"op": 1, "d": "' + "x" * 4096 + '"}', 4002),
        ('{"op": 77}', 4001),
        ('{"op": 3, "d": {}}', 4003),
    ],
)
async def test_wrong_payloads_close(bot: Bot, payload: str, code: int) -> None:
    """What is no payload, too large, unknown or too early has its close code."""
    async with bot.socket() as socket:
        await socket.send_text(payload)
        assert await socket.closed() == code


@pytest.mark.parametrize("op", [2, 6])
async def test_a_session_begins_once(bot: Bot, op: int) -> None:
    """A second IDENTIFY or RESUME on a connection closes it."""
    async with bot.socket() as socket:
        await socket.identify()
        await socket.send(op, socket.identity())
        assert await socket.closed() == 4005


async def test_other_versions_and_too_many_payloads_close(bot: Bot) -> None:
    """Only v10 is spoken; 120 payloads a minute are enough."""
    async with bot.socket("v=5") as socket:
        assert await socket.closed() == 4012
    async with bot.socket() as socket:
        for _ in range(121):
            await socket.send(1)
        assert await socket.closed() == 4008


async def test_resuming_replays_what_was_missed(
    server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """After a cut connection, RESUME brings every event since, then RESUMED."""
    async with bot.socket() as socket:
        ready = await socket.identify()
        await socket.event("GUILD_CREATE")
        server.gateway.drop()
        await server.until(lambda: not server.gateway.connections)
    channel.say(ann, "One")
    channel.say(ann, "Two")
    async with bot.socket() as socket:
        await socket.resume(ready, 2)
        texts = [(await socket.event("MESSAGE_CREATE"))["content"] for _ in range(2)]
        assert texts == ["One", "Two"]
        assert (await socket.receive())["t"] == "RESUMED"
    assert (server.gateway.identifies, server.gateway.resumes) == (1, 1)


async def test_what_cannot_be_resumed(server: DiscordServer, bot: Bot) -> None:
    """A wrong sequence closes; an unknown, ended, expired or late session is invalid."""
    async with bot.socket() as socket:
        ready = await socket.identify()
        await socket.close(1000)
    async with bot.socket() as socket:
        await server.until(lambda: not server.gateway.sessions)
        await socket.resume(ready, 1)
        assert [(await socket.receive())["op"] for _ in range(2)] == [10, 9]
        ready = await socket.identify()
        await socket.close(4000)
        await server.until(lambda: server.gateway.session is None)
        server.advance(server.limits.resume_seconds + 1)
    async with bot.socket() as socket:
        await socket.resume(ready, 1)
        assert [(await socket.receive())["d"] for _ in range(2)][1] is False
        ready = await socket.identify()
        await socket.close(4000)
        await server.until(lambda: server.gateway.session is None)
    async with bot.socket() as socket:
        await socket.resume(ready, 99)
        assert await socket.closed() == 4007


async def test_requests_to_reconnect_and_invalid_sessions(
    server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """Ops 7, 9 and 1 come as asked; an invalid session misses what happens from then on."""
    async with bot.socket() as socket:
        await socket.identify()
        await socket.event("GUILD_CREATE")
        server.gateway.reconnect()
        server.gateway.ask_for_heartbeat()
        server.gateway.invalidate(is_resumable=True)
        channel.say(ann, "Heard")
        server.gateway.invalidate()
        channel.say(ann, "Lost")
        found = [await socket.receive() for _ in range(5)]
        assert [item["op"] for item in found] == [7, 1, 9, 0, 9]
        assert [item["d"] for item in found if item["op"] == 9] == [True, False]
        await socket.send(3, {})
        assert await socket.closed() == 4003


async def test_a_zombie_keeps_silent_and_its_session_waits(
    server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """A frozen connection acknowledges nothing; a new one resumes and gets the events."""
    async with bot.socket() as zombie:
        ready = await zombie.identify()
        await zombie.event("GUILD_CREATE")
        server.gateway.freeze()
        await zombie.send(1, 2)
        await server.until(lambda: server.gateway.beats == 1)
        channel.say(ann, "Hello")
        async with bot.socket() as socket:
            await socket.resume(ready, 2)
            assert (await socket.event("MESSAGE_CREATE"))["content"] == "Hello"


async def test_who_does_not_beat_is_closed(server: DiscordServer, bot: Bot) -> None:
    """Without heartbeats the connection is closed; the session can be resumed."""
    server.gateway.heartbeat_seconds = 0.02
    async with bot.socket() as socket:
        ready = await socket.identify()
        assert await socket.closed() == 4000
    async with bot.socket() as socket:
        await socket.resume(ready, 1)
        await socket.event("RESUMED")


async def test_identifying_is_limited(server: DiscordServer, bot: Bot) -> None:
    """Too soon: op 9; too often a day: the token is void, and /gateway/bot told before."""
    server.limits = Limits(identifies=2, identify_seconds=5.0)
    for remaining in (2, 1):
        found = await bot.rest("GET", "/gateway/bot")
        assert found["session_start_limit"]["remaining"] == remaining
        async with bot.socket() as socket:
            await socket.identify()
        async with bot.socket() as socket:
            await socket.send(2, socket.identity())
            assert [(await socket.receive())["op"] for _ in range(2)] == [10, 9]
        server.advance(5.0)
    token = server.token
    async with bot.socket() as socket:
        await socket.send(2, socket.identity())
        assert await socket.closed() == 4004
    assert server.token != token


async def test_only_events_asked_for_are_sent(
    server: DiscordServer, bot: Bot, guild: Guild, channel: Channel, ann: User
) -> None:
    """Without an intent its events are left out; without GUILDS even the guilds."""
    async with bot.socket() as socket:
        await socket.identify(intents=1 << 12)
        channel.say(ann, "Lost")
        guild.channel("other")
        server.direct(ann).say(ann, "Hello")
        found = await socket.receive()
        assert (found["t"], found["s"], found["d"]["content"]) == ("MESSAGE_CREATE", 2, "Hello")
        assert "guild_id" not in found["d"]
        assert "member" not in found["d"]


async def test_content_is_empty_without_its_intent(
    server: DiscordServer, bot: Bot, channel: Channel, ann: User, bob: User
) -> None:
    """Except in DMs, when the bot is mentioned, and in its own; what is quoted counts too."""
    first = channel.say(bob, "Secret")
    async with bot.socket() as socket:
        await socket.identify(intents=INTENTS & ~CONTENT)
        channel.say(ann, "Hidden")
        channel.say(ann, f"{server.bot.mention} open", reply_to=first)
        server.direct(ann).say(ann, "Direct")
        found = [await socket.event("MESSAGE_CREATE") for _ in range(3)]
    assert [item["content"] for item in found] == ["", f"{server.bot.mention} open", "Direct"]
    assert found[1]["referenced_message"]["content"] == ""


async def test_nothing_comes_from_where_the_bot_may_not_look(
    bot: Bot, guild: Guild, channel: Channel, ann: User
) -> None:
    """A channel without View, a private thread without the bot, a guild without it: silence."""
    hidden = guild.channel("staff")
    hidden.allow(guild.everyone, deny=1 << 10)
    assert guild.bot_role
    hidden.allow(guild.bot_role, deny=1 << 10)
    secret = channel.open_thread(ann, "secret", is_private=True)
    other = guild.server.guild("Elsewhere", ann, has_bot=False).channel("general")
    async with bot.socket() as socket:
        await socket.identify()
        await socket.event("GUILD_CREATE")
        for place in (hidden, secret, other):
            place.say(ann, "Lost")
        secret.invite(guild.server.bot)
        assert (await socket.receive())["t"] == "THREAD_CREATE"
        assert (await socket.receive())["t"] == "THREAD_MEMBERS_UPDATE"
        secret.say(ann, "Hello")
        assert (await socket.receive())["d"]["content"] == "Hello"


async def test_guilds_come_and_go(
    server: DiscordServer, bot: Bot, guild: Guild, ann: User
) -> None:
    """Outages of a guild, being kicked and being added are told apart."""
    async with bot.socket() as socket:
        await socket.identify()
        await socket.event("GUILD_CREATE")
        guild.hide()
        guild.restore()
        guild.remove_bot()
        server.guild("Another", ann)
        found = [await socket.receive() for _ in range(4)]
    names = ["GUILD_DELETE", "GUILD_CREATE", "GUILD_DELETE", "GUILD_CREATE"]
    assert [item["t"] for item in found] == names
    assert [item["d"].get("unavailable") for item in found] == [True, False, None, False]


async def test_anything_can_be_pushed(server: DiscordServer, bot: Bot) -> None:
    """Events nobody knows, and text that is none, reach the bot."""
    async with bot.socket() as socket:
        await socket.identify(intents=0)
        server.gateway.push("SENT_BY_PIGEON", {"what": 1})
        server.gateway.push_text(json.dumps({"op": 99}))
        assert await socket.event("SENT_BY_PIGEON") == {"what": 1}
        assert await socket.receive() == {"op": 99}


async def test_members_can_be_asked_for(
    server: DiscordServer, bot: Bot, guild: Guild, bob: User
) -> None:
    """Op 8 brings the members in one chunk, or those asked for."""
    async with bot.socket() as socket:
        await socket.identify()
        await socket.send(8, {"guild_id": str(guild.id), "query": "", "limit": 0})
        assert len((await socket.event("GUILD_MEMBERS_CHUNK"))["members"]) == 3
        await socket.send(8, {"guild_id": str(guild.id), "user_ids": [str(bob.id)]})
        (found,) = (await socket.event("GUILD_MEMBERS_CHUNK"))["members"]
        assert found["user"]["username"] == "bob"
    assert server.gateway.session is None or server.gateway.identifies == 1


async def test_shards_share_the_guilds(server: DiscordServer, bot: Bot, ann: User) -> None:
    """A guild's events go to its shard, direct messages to the first."""
    async with bot.socket() as first, bot.socket() as second:
        await first.identify(shard=[0, 2])
        await second.identify(shard=[1, 2])
        server.direct(ann).say(ann, "Hello")
        assert (await first.receive())["d"]["content"] == "Hello"
        while True:
            guild = server.guild("School", ann)
            if (guild.id >> 22) % 2:
                break
            server.advance(0.001)
        assert (await second.event("GUILD_CREATE"))["id"] == str(guild.id)
