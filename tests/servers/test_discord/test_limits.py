"""Rate limits, faults on request, outages."""

import asyncio
import time

import aiohttp
import pytest

from tests.servers.discord import Channel, DiscordServer, Guild, Limits, Rate, User
from tests.servers.test_discord.client import Bot, Rest

BODY = {"content": "x"}


async def test_a_bucket_fills_and_is_told_in_headers(
    server: DiscordServer, rest: Rest, guild: Guild, channel: Channel
) -> None:
    """Five messages in five seconds and channel; the sixth waits, other channels do not."""
    path = f"/channels/{channel.id}/messages"
    for remaining in (4, 3, 2, 1, 0):
        await rest("POST", path, BODY)
        assert rest.headers["X-RateLimit-Limit"] == "5"
        assert rest.headers["X-RateLimit-Remaining"] == str(remaining)
        assert 0 < float(rest.headers["X-RateLimit-Reset-After"]) <= 5
        reset = float(rest.headers["X-RateLimit-Reset"])
        assert abs(reset - server.clock.now()) <= 5.1
    bucket = rest.headers["X-RateLimit-Bucket"]
    found = await rest("POST", path, BODY)
    assert (rest.status, found["global"], found["message"]) == (
        429,
        False,
        "You are being rate limited.",
    )
    assert 0 < found["retry_after"] <= 5
    assert rest.headers["Retry-After"] == "5"
    assert rest.headers["X-RateLimit-Scope"] == "user"
    assert rest.headers["X-RateLimit-Bucket"] == bucket
    assert "Via" in rest.headers
    await rest("POST", f"/channels/{guild.channel('other').id}/messages", BODY)
    assert (rest.status, rest.headers["X-RateLimit-Bucket"]) == (200, bucket)
    assert len(channel.answers) == 5
    assert not server.remarks


async def test_impatience_is_remarked(server: DiscordServer, rest: Rest, channel: Channel) -> None:
    """A call before retry_after is over is refused again, and seen; patience is not."""
    server.limits = Limits(create=Rate(calls=1, seconds=5.0))
    path = f"/channels/{channel.id}/messages"
    await rest("POST", path, BODY)
    await rest("POST", path, BODY)
    server.advance(5)
    await rest("POST", path, BODY)
    assert (rest.status, server.remarks) == (200, [])
    for _ in range(2):
        await rest("POST", path, BODY)
    (remark,) = server.remarks
    assert "before its retry_after was over" in remark


async def test_the_limit_over_all(
    server: DiscordServer, rest: Rest, channel: Channel, ann: User
) -> None:
    """Fifty calls a second, whatever they are; interactions do not count."""
    server.limits = Limits(overall=2)
    await rest("PUT", f"/applications/{server.application_id}/commands", [])
    await rest("GET", "/users/@me")
    found = await rest("GET", f"/channels/{channel.id}")
    assert (rest.status, found["global"]) == (429, True)
    assert rest.headers["X-RateLimit-Global"] == "true"
    assert rest.headers["X-RateLimit-Scope"] == "global"
    assert "X-RateLimit-Bucket" not in rest.headers
    await rest("POST", "/interactions/1/x/callback", {"type": 5})
    assert rest.status == 404
    server.advance(1)
    await rest("GET", f"/channels/{channel.id}")
    assert (rest.status, server.remarks) == (200, [])
    assert ann.id in server.users


async def test_without_limits_there_are_no_headers(
    server: DiscordServer, rest: Rest, channel: Channel
) -> None:
    """For benches, nothing is counted."""
    server.limits = Limits.unlimited()
    for _ in range(60):
        await rest("POST", f"/channels/{channel.id}/messages", BODY)
        assert rest.status == 200
    assert not [name for name in rest.headers if name.startswith("X-RateLimit")]


async def test_too_many_invalid_calls_are_a_ban(server: DiscordServer, rest: Rest) -> None:
    """401, 403 and 429 count; then HTML comes, without a Via."""
    server.limits = Limits(invalid=Rate(calls=2, seconds=600.0))
    for _ in range(2):
        await rest.refused("GET", "/users/@me", headers={"Authorization": "no"})
    found = await rest("GET", "/users/@me")
    assert (rest.status, "Via" in rest.headers) == (429, False)
    assert found.startswith("<html>")
    server.advance(600)
    await rest("GET", "/users/@me")
    assert rest.status == 200


async def test_refusals_on_request(server: DiscordServer, rest: Rest, channel: Channel) -> None:
    """JSON, a 429 of any scope, or a gateway's HTML, for the chosen channel and calls."""
    path = f"/channels/{channel.id}/messages"
    other = server.direct(server.user("Eve"))
    fault = server.fail_next("create_message", status=503, place=channel, times=2)
    await rest("POST", f"/channels/{other.id}/messages", BODY)
    assert rest.status == 200
    assert await rest.refused("POST", path, BODY) == (503, 0)
    assert await rest.refused("POST", path, BODY) == (503, 0)
    assert (fault.used, fault.left) == (2, 0)
    server.fail_next("*", status=502, is_html=True)
    assert "502" in await rest("POST", path, BODY)
    server.limit_next("create_message", 1.25, scope="shared")
    found = await rest("POST", path, BODY)
    assert (rest.status, found["retry_after"], rest.headers["X-RateLimit-Scope"]) == (
        429,
        1.25,
        "shared",
    )
    await rest("POST", path, BODY)
    assert len(server.remarks) == 1
    assert [call.is_done for call in channel.calls] == [False] * 4 + [True]
    with pytest.raises(AssertionError, match="no call"):
        server.fail_next("send_message")


async def test_cut_connections(server: DiscordServer, rest: Rest, channel: Channel) -> None:
    """Before it was done nothing stands; after, it does."""
    path = f"/channels/{channel.id}/messages"
    server.drop_next("create_message")
    with pytest.raises(aiohttp.ClientError):
        await rest("POST", path, BODY)
    assert not channel.answers
    server.drop_next("create_message", is_done=True)
    with pytest.raises(aiohttp.ClientError):
        await rest("POST", path, BODY)
    assert len(channel.answers) == 1


async def test_delays_and_holds(server: DiscordServer, rest: Rest, channel: Channel) -> None:
    """A delayed call is not done yet; a held one is, but its caller waits."""
    path = f"/channels/{channel.id}/messages"
    fault = server.delay_next("create_message")
    calling = asyncio.create_task(rest("POST", path, BODY))
    await server.until(lambda: fault.used)
    assert not channel.answers
    fault.release()
    await calling
    fault = server.hold_next("create_message")
    calling = asyncio.create_task(rest("POST", path, BODY))
    await channel.answer(2)
    assert not calling.done()
    fault.release()
    assert (await calling)["id"] == str(channel.answers[1].id)


async def test_an_outage_cuts_everything(
    server: DiscordServer, bot: Bot, channel: Channel, ann: User
) -> None:
    """REST and gateway are gone until it ends; what happened meanwhile is never sent."""
    async with bot.socket() as socket:
        ready = await socket.identify()
        server.outage()
        await server.until(lambda: not server.gateway.connections)
        with pytest.raises(aiohttp.ClientError):
            await bot.rest("GET", "/users/@me")
        with pytest.raises(aiohttp.ClientError):
            await bot.socket().__aenter__()
        channel.say(ann, "Lost")
    server.restore()
    async with bot.socket() as socket:
        await socket.resume(ready, 1)
        assert [(await socket.receive())["op"] for _ in range(2)] == [10, 9]
    found = await bot.rest("GET", f"/channels/{channel.id}/messages")
    assert [item["content"] for item in found] == ["Lost"]


async def test_waiting_is_bounded(server: DiscordServer, channel: Channel) -> None:
    """Who waits in vain is told what stands there instead."""
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match="general shows"):
        await channel.answer(seconds=0.01)
    with pytest.raises(TimeoutError, match="last calls"):
        await server.until(lambda: False, seconds=0.01)
    assert time.monotonic() - begin < 5
