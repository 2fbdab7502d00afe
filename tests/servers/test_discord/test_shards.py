"""Sharding: which session hears of what, how many may begin, and which are refused."""

from tests.servers.discord import DiscordServer, Limits, User
from tests.servers.test_discord.client import Bot


async def test_each_shard_is_its_own(server: DiscordServer, bot: Bot, ann: User) -> None:
    """READY names its guilds only, and what happens to one session happens to no other."""
    guilds = [server.guild(f"School {n}", ann, shard=(n, 4)) for n in range(4)]
    async with bot.socket() as first, bot.socket() as second:
        for number, socket in ((1, first), (3, second)):
            ready = await socket.identify(shard=[number, 4])
            assert (ready["shard"], [g["id"] for g in ready["guilds"]]) == (
                [number, 4],
                [str(guilds[number].id)],
            )
            await socket.event("GUILD_CREATE")
        assert server.gateway.shards == [(1, 4), (3, 4)]
        server.direct(ann).say(ann, "for the first, which is not there")
        server.gateway.close(4000, shard=1)
        assert await first.closed() == 4000
        server.gateway.invalidate(3)
        assert (await second.receive())["op"] == 9
    assert [session.shard for session in server.gateway.sessions.values()] == [(1, 4)]


async def test_shards_that_are_refused(server: DiscordServer, bot: Bot, ann: User) -> None:
    """One that would have too many guilds, and numbers that are no multiple, for large bots."""
    for _ in range(3):
        server.guild("School", ann, shard=(1, 2))
    server.limits = Limits(guilds_per_shard=2, shard_multiple=2)
    for shard, code in (([0, 3], 4010), ([2, 2], 4010), ([1, 2], 4011)):
        async with bot.socket() as socket:
            await socket.send(2, socket.identity(shard=shard))
            assert await socket.closed() == code
    async with bot.socket() as socket:
        assert (await socket.identify(shard=[0, 2]))["guilds"] == []


async def test_shards_of_different_keys_begin_at_once(server: DiscordServer, bot: Bot) -> None:
    """As many as `max_concurrency`; one with the same key is refused for 5 s."""
    server.shards = 4
    server.limits = Limits(identify_seconds=5.0, max_concurrency=2)
    found = await bot.rest("GET", "/gateway/bot")
    assert (found["shards"], found["session_start_limit"]["max_concurrency"]) == (4, 2)
    for number in range(2):
        async with bot.socket() as socket:
            await socket.identify(shard=[number, 4])
    async with bot.socket() as socket:
        await socket.send(2, socket.identity(shard=[2, 4]))
        assert [(await socket.receive())["op"] for _ in range(2)] == [10, 9]


async def test_a_new_day_has_its_own_sessions(server: DiscordServer, bot: Bot) -> None:
    """What `/gateway/bot` says to be left is back once `reset_after` has passed."""
    server.limits = Limits(identifies=1)
    async with bot.socket() as socket:
        await socket.identify()
    for left in (0, 1):
        limit = (await bot.rest("GET", "/gateway/bot"))["session_start_limit"]
        assert limit["remaining"] == left
        server.advance(limit["reset_after"] / 1000 + 1)
