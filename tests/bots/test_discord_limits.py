"""Discord's rate limits, against a loopback one: kept without asking, and without waiting."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import aiohttp
import pytest

from bots.discord.buckets import Limits, Route
from bots.discord.rest import Body, Rest
from core.errors import DeliveryError
from tests.bots.discord_calls import HELLO, ask, failed, failure, open_rest, outcomes
from tests.bots.discord_steps import listening, seen, until
from tests.bots.inbox import Inbox
from tests.servers.discord import Channel, DiscordServer, Rate, User
from tests.servers.discord import Limits as Allowed


@pytest.fixture
async def rest(discord_server: DiscordServer) -> AsyncIterator[Rest]:
    """The bot's client."""
    rest = open_rest(discord_server)
    yield rest
    await rest.close()


async def test_an_empty_bucket_is_told_without_asking(
    discord_server: DiscordServer, rest: Rest, channel: Channel
) -> None:
    """A call that may not go out says for how long, is not made, and goes out after that."""
    discord_server.limits = Allowed(create=Rate(calls=3, seconds=0.4))
    for _ in range(3):
        await rest.post(str(channel.id), HELLO)
    error = await failure(rest.post(str(channel.id), HELLO))
    assert 0 < (error.retry_after or 0) <= 0.41
    assert len(channel.calls) == 3
    await asyncio.sleep(error.retry_after or 0)
    await rest.post(str(channel.id), HELLO)
    assert [call.status for call in channel.calls] == [200] * 4
    assert discord_server.remarks == []


async def test_a_preview_leaves_the_last_call_to_the_final_text(
    rest: Rest, channel: Channel
) -> None:
    """Of five calls four are for previews; other channels have five of their own."""
    assert channel.guild
    message = (await rest.post(str(channel.id), HELLO))["id"]
    for number in range(4):
        body = Body(text=str(number))
        await rest.edit(str(channel.id), message, body, is_preview=True)
    error = await failure(rest.edit(str(channel.id), message, HELLO, is_preview=True))
    assert 0 < (error.retry_after or 0) <= 5.01
    await rest.edit(str(channel.id), message, Body(text="final"))
    await failure(rest.edit(str(channel.id), message, HELLO))
    assert channel.answers[0].content == "final"
    assert len(channel.calls) == 6
    other = channel.guild.channel("other")
    await rest.post(str(other.id), HELLO, is_preview=True)


async def test_what_is_under_way_counts(
    discord_server: DiscordServer, rest: Rest, channel: Channel
) -> None:
    """Once a limit is known, calls made at once keep to it, in new channels too."""
    assert channel.guild
    await rest.post(str(channel.id), HELLO)
    other = channel.guild.channel("other")
    found = await outcomes([rest.post(str(other.id), HELLO) for _ in range(9)])
    assert len(failed(found)) == 4
    assert [call.status for call in other.calls] == [200] * 5
    assert discord_server.remarks == []


async def test_before_a_limit_is_known_only_final_texts_go_out_at_once(
    rest: Rest, channel: Channel
) -> None:
    """Previews go one by one; final texts all, and what is too much comes back with a time."""
    found = await outcomes([rest.post(str(channel.id), HELLO, is_preview=True) for _ in range(3)])
    assert len(failed(found)) == 2
    assert channel.guild
    other = channel.guild.channel("other")
    found = await outcomes([rest.delete(str(other.id), str(n)) for n in range(1, 9)])
    refused = failed(found)
    assert len(refused) == 3
    assert all(error.retry_after for error in refused)


@pytest.mark.parametrize("scope", ["user", "shared"])
async def test_a_429_silences_its_bucket_only(
    discord_server: DiscordServer, rest: Rest, channel: Channel, scope: Any
) -> None:
    """What one channel's limit forbids is not asked again before its time, others go on."""
    assert channel.guild
    discord_server.limit_next("create_message", 0.3, scope=scope, place=channel)
    first = await failure(rest.post(str(channel.id), HELLO))
    assert first.retry_after == pytest.approx(0.3, abs=0.01)
    second = await failure(rest.post(str(channel.id), HELLO))
    assert len(channel.calls) == 1
    await rest.post(str(channel.guild.channel("other").id), HELLO)
    await asyncio.sleep(second.retry_after or 0)
    await rest.post(str(channel.id), HELLO)
    assert discord_server.remarks == []


async def test_no_429_silences_for_good(
    discord_server: DiscordServer, rest: Rest, channel: Channel
) -> None:
    """Who asks for a pause of years is asked again after an hour."""
    discord_server.limit_next("create_message", 1e300, scope="shared", place=channel)
    assert (await failure(rest.post(str(channel.id), HELLO))).retry_after == 3600
    assert 3599 < ((await failure(rest.post(str(channel.id), HELLO))).retry_after or 0) <= 3601


async def test_a_global_429_silences_everything_but_interactions(
    discord_server: DiscordServer, rest: Rest, channel: Channel, ann: User
) -> None:
    """The limit over all does not count what goes by an interaction's token."""
    assert channel.guild
    interaction, _ = await ask(rest, channel, ann)
    discord_server.limit_next("create_message", 30.0, scope="global", place=channel)
    await failure(rest.post(str(channel.id), HELLO))
    count = len(discord_server.calls)
    error = await failure(rest.post(str(channel.guild.channel("other").id), HELLO))
    assert 29 < (error.retry_after or 0) <= 31
    assert len(discord_server.calls) == count
    await rest.defer(str(interaction.id), interaction.token)
    assert interaction.state == "thinking"
    assert discord_server.remarks == []


async def test_previews_leave_a_part_of_each_second_to_what_is_worth_more(
    discord_server: DiscordServer, rest: Rest, channel: Channel
) -> None:
    """The 45 calls of a second are for final texts; first texts, edits, signs have fewer."""
    assert channel.guild
    discord_server.limits = Allowed.unlimited()
    refs = [str(channel.guild.channel(str(n)).id) for n in range(40)]
    kinds: list[list[Awaitable[object]]] = [
        [rest.type(ref) for ref in refs],
        [rest.edit(ref, "1", HELLO, is_preview=True) for ref in refs],
        [rest.post(ref, HELLO, is_preview=True) for ref in refs],
        [rest.post(ref, HELLO) for ref in refs],
    ]
    refused = [failed(await outcomes(calls)) for calls in kinds]
    assert [40 - len(errors) for errors in refused] == [20, 10, 10, 5]
    assert all(0 < (error.retry_after or 0) <= 1.01 for errors in refused for error in errors)


async def test_a_ban_in_front_of_discord_silences_everything(
    discord_server: DiscordServer,
    rest: Rest,
    channel: Channel,
    ann: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A 429 in HTML is Cloudflare's: a long pause, for interactions too, and a word of it."""
    interaction, _ = await ask(rest, channel, ann)
    discord_server.fail_next("create_message", status=429, is_html=True)
    first = await failure(rest.post(str(channel.id), HELLO))
    count = len(discord_server.calls)
    second = await failure(rest.defer(str(interaction.id), interaction.token))
    assert first.retry_after == 60
    assert 59 < (second.retry_after or 0) < 61
    assert len(discord_server.calls) == count
    assert "banned" in caplog.text


async def test_a_text_blocked_in_front_of_discord_stops_its_channel_only(
    discord_server: DiscordServer, rest: Rest, channel: Channel
) -> None:
    """A 403 in HTML may be about this text, so that the other chats go on."""
    assert channel.guild
    discord_server.fail_next("create_message", status=403, is_html=True)
    for _ in range(2):
        error = await failure(rest.post(str(channel.id), HELLO))
        assert 59 < (error.retry_after or 0) < 61
    assert len(channel.calls) == 1
    await rest.post(str(channel.guild.channel("other").id), HELLO)


async def test_idle_buckets_are_forgotten() -> None:
    """However many channels come and go, what is remembered of them stays small."""
    limits = Limits()
    headers = {
        "X-RateLimit-Bucket": "abc",
        "X-RateLimit-Limit": "5",
        "X-RateLimit-Remaining": "4",
        "X-RateLimit-Reset-After": "0",
    }
    for number in range(2000):
        route = Route.of("PATCH", f"/webhooks/1/token{number}/messages/@original")
        limits.answered(route, limits.take(route, is_preview=False), headers)
    assert len(limits._buckets) <= 256
    assert len(limits._names) == 1


async def test_a_bot_that_is_allowed_more_calls_more(
    discord_server: DiscordServer, channel: Channel
) -> None:
    """Discord raises the limit of large bots; the share of final texts stays."""
    assert channel.guild
    discord_server.limits = Allowed.unlimited()
    rest = open_rest(discord_server, per_second=100)
    refs = [str(channel.guild.channel(str(n)).id) for n in range(100)]
    previews = await outcomes([rest.post(ref, HELLO, is_preview=True) for ref in refs])
    assert len(failed(previews)) == 20
    await rest.close()


async def test_those_who_share_a_limit_find_out(
    discord_server: DiscordServer, channel: Channel
) -> None:
    """Processes of one bot use up the limit together: all is posted, once, and 429s are few."""
    assert channel.guild
    discord_server.limits = Allowed(create=None, overall=20)
    clients = [open_rest(discord_server, per_second=20) for _ in range(3)]
    places = [channel.guild.channel(str(n)) for n in range(60)]
    await asyncio.gather(
        *(post_at_last(clients[n % 3], str(place.id)) for n, place in enumerate(places))
    )
    assert [len(place.answers) for place in places] == [1] * 60
    assert sum(call.status == 429 for call in discord_server.calls) < 60
    for client in clients:
        await client.close()


async def post_at_last(rest: Rest, channel: str) -> None:
    """Post as the relay does: again when Discord says, for as long as it takes."""
    while True:
        try:
            await rest.post(channel, HELLO)
        except DeliveryError as error:
            await asyncio.sleep(error.retry_after or 0.1)
        else:
            return


def test_our_share_shrinks_and_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    """With each 429 about all calls, once for those of one pause; with time it is whole again."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    limits, route = Limits(), Route.of("POST", "/channels/1/messages")

    def most() -> int:
        count = 0
        while True:
            try:
                bucket = limits.take(route, is_preview=False)
            except DeliveryError:
                return count
            limits.answered(route, bucket, {})
            count += 1

    found = []
    for pause, seconds in ((0.0, 0.0), (0.5, 1.0), (0.5, 1.0), (0.5, 60.0)):
        for _ in range(3 if pause else 0):
            limits.share(pause)
        now += seconds
        found.append(most())
        now += 1.0
    assert found == [45, 32, 24, 45]


async def test_what_the_sdk_reads_counts_too(discord_server: DiscordServer, ann: User) -> None:
    """What was missed in many chats is read so slowly that there is room for answers."""
    guild = discord_server.guild("School", ann)
    places = [guild.channel(str(n)) for n in range(40)]
    discord_server.limits = Allowed.unlimited()
    inbox = Inbox(known=[seen(place, 0) for place in places])
    for place in places:
        place.say(ann, f"{discord_server.bot.mention} missed")
    async with listening(discord_server, inbox):
        await until(lambda: len(inbox.messages) == 40)
    at = [call.at for call in discord_server.calls if call.name == "get_channel_messages"]
    assert len(at) == 40
    assert max(sum(first <= other < first + 0.95 for other in at) for first in at) <= 30


async def test_a_pause_that_the_sdk_is_asked_for_is_ours(
    discord_server: DiscordServer, rest: Rest, channel: Channel
) -> None:
    """A 429 about all calls that it meets makes ours wait, too."""
    url = f"{discord_server.url}/api/v10/channels/{channel.id}/messages"
    discord_server.limit_next("get_channel_messages", 30.0, scope="global")
    async with aiohttp.ClientSession(trace_configs=[rest.trace()]) as session:
        headers = {
            "Authorization": f"Bot {discord_server.token}",
            "User-Agent": "DiscordBot (https://example.org, 1.0)",
        }
        async with session.get(url, headers=headers) as response:
            assert response.status == 429
    error = await failure(rest.post(str(channel.id), HELLO))
    assert 29 < (error.retry_after or 0) <= 31
    assert len(channel.calls) == 1
