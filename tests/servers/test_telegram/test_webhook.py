"""Webhooks of the loopback Telegram: what is delivered, how often, and what is told of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import telegram
from aiohttp import web

from tests.ports import free_port
from tests.servers.telegram import Chat, Courier, TelegramServer, User

Hook = Callable[[str], Awaitable[int]]


@asynccontextmanager
async def hooked(hook: Hook, port: int = 0) -> AsyncIterator[str]:
    """Answer what is posted with the status that `hook` gives for a text; yield the root."""

    async def answer(request: web.Request) -> web.Response:
        update = await request.json()
        return web.Response(status=await hook(update["message"]["text"]))

    app = web.Application()
    app.router.add_post("/hook", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_chat_waits_for_its_own_and_for_no_other(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat
) -> None:
    """The next of a chat comes after the one before was accepted; others come meanwhile."""
    bob = server.user("Bob")
    seen: list[str] = []

    async def hook(text: str) -> int:
        seen.append(text)
        return 503 if text == "a1" and seen.count("a1") < 3 else 200

    await bot.set_webhook("https://a.example/hook")
    for text in ("a1", "a2"):
        chat.say(ann, text)
    server.private(bob).say(bob, "b1")
    async with hooked(hook) as url, Courier(server, url):
        await server.until(lambda: not server.updates.pending)
    assert [text for text in seen if text[0] == "a"] == ["a1", "a1", "a1", "a2"]
    assert seen.index("b1") < 2


async def test_only_so_many_at_once(server: TelegramServer, bot: telegram.Bot) -> None:
    """As many requests are under way as were asked for, however many chats wait."""
    people = [server.user(f"Ann {number}") for number in range(7)]
    gate = asyncio.Event()

    async def hook(_: str) -> int:
        await gate.wait()
        return 200

    await bot.set_webhook("https://a.example/hook", max_connections=3)
    for person in people:
        server.private(person).say(person, "Hello")
    async with hooked(hook) as url, Courier(server, url) as courier:
        await server.until(lambda: courier.most == 3)
        gate.set()
        await server.until(lambda: not server.updates.pending)
        assert courier.most == 3


async def test_what_telegram_knows_of_a_webhook(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat
) -> None:
    """The last failure and when, until the webhook is set anew; what waits; what is wanted."""
    port, statuses = free_port(), [500]

    async def hook(_: str) -> int:
        return statuses.pop() if statuses else 200

    await bot.set_webhook("https://a.example/hook", allowed_updates=["message"])
    info = await bot.get_webhook_info()
    assert (info.max_connections, info.allowed_updates) == (40, ("message",))
    assert (info.last_error_date, info.last_error_message) == (None, None)
    chat.say(ann, "Hello")
    async with Courier(server, f"http://127.0.0.1:{port}") as courier:
        await server.until(lambda: courier.statuses)
        info = await bot.get_webhook_info()
        assert info.last_error_message == "Connection refused"
        assert info.last_error_date
        assert info.pending_update_count == 1
        async with hooked(hook, port):
            await server.until(lambda: not server.updates.pending)
    info = await bot.get_webhook_info()
    said = "Wrong response from the webhook: 500 Internal Server Error"
    assert (info.last_error_message, info.pending_update_count) == (said, 0)
    await bot.set_webhook("https://a.example/hook", allowed_updates=[])
    info = await bot.get_webhook_info()
    assert (info.last_error_message, info.allowed_updates) == (None, ())


async def test_listeners_behind_one_address_take_turns(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat
) -> None:
    """A courier with several addresses goes to the next one each time, as a proxy does."""
    seen: list[tuple[int, str]] = []

    def hook(number: int) -> Hook:
        async def take(text: str) -> int:
            seen.append((number, text))
            return 200

        return take

    await bot.set_webhook("https://a.example/hook")
    for text in "abcd":
        chat.say(ann, text)
    async with hooked(hook(0)) as one, hooked(hook(1)) as two, Courier(server, one, two):
        await server.until(lambda: not server.updates.pending)
    assert seen == [(0, "a"), (1, "b"), (0, "c"), (1, "d")]


async def test_nothing_is_delivered_once_the_webhook_is_deleted(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat
) -> None:
    """What waits is kept for getUpdates."""

    async def hook(_: str) -> int:
        return 500

    await bot.set_webhook("https://a.example/hook")
    chat.say(ann, "Hello")
    async with hooked(hook) as url, Courier(server, url) as courier:
        await server.until(lambda: courier.statuses)
        await bot.delete_webhook()
        assert len(await bot.get_updates()) == 1
    assert (await bot.get_webhook_info()).last_error_message is None
