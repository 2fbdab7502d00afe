"""Updates: polling and webhooks."""

import asyncio
from itertools import pairwise

import aiohttp
import pytest
import telegram
from aiohttp import web
from telegram.error import Conflict

from tests.servers.telegram import Chat, Courier, TelegramServer, User
from tests.servers.test_telegram.bot import connect, refused


def texts(updates: tuple[telegram.Update, ...]) -> list[str]:
    """Return what the messages of updates say."""
    return [
        (update.effective_message.text or "") if update.effective_message else ""
        for update in updates
    ]


async def test_updates_come_again_until_an_offset_confirms_them(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat
) -> None:
    """Ids below the offset are forgotten, all others delivered again, in order."""
    for text in "abc":
        chat.say(ann, text)
    first = await bot.get_updates(limit=2)
    assert texts(first) == ["a", "b"]
    assert texts(await bot.get_updates()) == ["a", "b", "c"]
    assert [b.update_id - a.update_id for a, b in pairwise(first)] == [1]
    assert texts(await bot.get_updates(offset=first[0].update_id + 1)) == ["b", "c"]
    assert server.updates.confirmed == first[0].update_id
    assert texts(await bot.get_updates(offset=-1)) == ["c"]
    assert texts(await bot.get_updates()) == ["c"]
    chat.say(ann, "d")
    assert texts(await bot.get_updates(offset=first[0].update_id + 3)) == ["d"]


async def test_a_long_poll_ends_as_something_arrives(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat
) -> None:
    """A poll waits for its timeout at most, and ends at once with an update."""
    assert await bot.get_updates(timeout=0) == ()
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await server.until(lambda: server.updates.is_polled)
    chat.say(ann, "a")
    assert texts(await poll) == ["a"]
    assert (
        await bot.get_updates(offset=server.updates.pending[0]["update_id"] + 1, timeout=1) == ()
    )


async def test_a_second_poller_ends_the_first(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat
) -> None:
    """Of two getUpdates at a time the older one is told of the conflict."""
    older = asyncio.create_task(bot.get_updates(timeout=30))
    await server.until(lambda: server.updates.is_polled)
    async with connect(server) as other:
        newer = asyncio.create_task(other.get_updates(timeout=30))
        with pytest.raises(Conflict, match="make sure that only one bot instance is running"):
            await older
        chat.say(ann, "a")
        assert texts(await newer) == ["a"]


async def test_a_poller_that_went_away_is_no_conflict(
    server: TelegramServer, bot: telegram.Bot
) -> None:
    """When its connection is closed, a waiting request is over."""
    url = f"{server.url}/bot{server.token}/getUpdates"
    async with aiohttp.ClientSession() as session:
        with pytest.raises(TimeoutError):
            await session.post(url, data={"timeout": 30}, timeout=aiohttp.ClientTimeout(0.2))
    await server.until(lambda: not server.updates.is_polled)
    assert await bot.get_updates() == ()


async def test_only_allowed_updates_arrive(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat
) -> None:
    """Types apply to future updates and are remembered; an empty list is the default."""
    said = chat.say(ann, "a")
    assert texts(await bot.get_updates(allowed_updates=["edited_message"])) == ["a"]
    chat.say(ann, "b")
    chat.edit(said, "A")
    assert texts(await bot.get_updates()) == ["a", "A"]
    assert server.push({"poll": {}}) == 0
    await bot.get_updates(allowed_updates=["nonsense"])
    assert server.remarks == ["allowed_updates names unknown types ['nonsense']"]
    await bot.get_updates(allowed_updates=[])
    assert server.push({"chat_member": {}}) == 0
    assert server.push({"of_tomorrow": {}}) > 0


async def test_raw_updates_keep_their_form(server: TelegramServer, bot: telegram.Bot) -> None:
    """Whatever is pushed is delivered as it is, for what a bot cannot read."""
    server.push({"update_id": 900_000_000, "message": {"message_id": "x"}})
    with pytest.raises(Exception, match="date"):
        await bot.get_updates()
    server.push({"poll": {}})
    assert server.updates.pending[-1]["update_id"] == 900_000_001


async def test_limits_of_get_updates(server: TelegramServer, bot: telegram.Bot) -> None:
    """A limit outside 1-100 is put right, with a remark."""
    await bot.get_updates(limit=0)
    assert server.remarks == ["getUpdates with limit 0, outside 1-100"]


async def test_a_webhook_excludes_polling(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat
) -> None:
    """While a webhook is set getUpdates conflicts; deleting it may drop what is pending."""
    for wrong in ("http://a.example/", "https://a.example:8080/"):
        with refused("bad webhook"):
            await bot.set_webhook(wrong)
    with refused("unallowed"):
        await bot.set_webhook("https://a.example/", secret_token="a b")
    with refused("max_connections"):
        await bot.set_webhook("https://a.example/", max_connections=101)
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await server.until(lambda: server.updates.is_polled)
    await bot.set_webhook("https://a.example/hook", drop_pending_updates=True)
    with pytest.raises(Conflict, match="setWebhook"):
        await poll
    chat.say(ann, "a")
    info = await bot.get_webhook_info()
    assert (info.url, info.pending_update_count) == ("https://a.example/hook", 1)
    with pytest.raises(Conflict, match="use deleteWebhook"):
        await bot.get_updates()
    await bot.delete_webhook()
    assert texts(await bot.get_updates()) == ["a"]
    await bot.delete_webhook(drop_pending_updates=True)
    assert await bot.get_updates() == ()
    assert (await bot.get_webhook_info()).url == ""


async def test_a_courier_repeats_what_was_not_accepted(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat
) -> None:
    """A webhook gets updates in order, with its secret, until each is answered with 2xx."""
    seen: list[tuple[str, str | None]] = []

    async def hook(request: web.Request) -> web.Response:
        secret = request.headers.get("X-Telegram-Bot-Api-Secret-Token")
        seen.append(((await request.json())["message"]["text"], secret))
        return web.Response(status=500 if len(seen) == 1 else 200)

    app = web.Application()
    app.router.add_post("/hook", hook)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    await bot.set_webhook("https://a.example/hook", secret_token="s-1")
    chat.say(ann, "a")
    async with Courier(server, f"http://{host}:{port}") as courier:
        chat.say(ann, "b")
        await server.until(lambda: not server.updates.pending)
        await runner.cleanup()
        chat.say(ann, "c")
        await server.until(lambda: 0 in courier.statuses)
    assert seen == [("a", "s-1"), ("a", "s-1"), ("b", "s-1")]
    assert courier.statuses[:3] == [500, 200, 200]
