"""How updates reach the relay by a webhook: proven, stored first, confirmed afterwards."""

import asyncio
import logging
import socket
from collections import defaultdict

import aiohttp
import pytest
from aiohttp import web

from core.errors import SettingsError, StoreError
from core.types import Incoming
from tests.bots.inbox import Inbox
from tests.bots.stages import until
from tests.bots.telegram_steps import open_bot
from tests.bots.webhook_steps import HEADER, SECRET, health, hooked, new_hook, post, root, told
from tests.servers.telegram import Chat as Room
from tests.servers.telegram import Courier, TelegramServer


def hello(server: TelegramServer, text: str = "Hello") -> Room:
    """Have Ann say something."""
    ann = server.user("Ann")
    chat = server.private(ann)
    chat.say(ann, text)
    return chat


@pytest.mark.parametrize("secret", [None, "", "only-telegram-knows-i", "öff", SECRET + "!"])
async def test_who_does_not_know_the_secret_is_refused(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture, secret: str | None
) -> None:
    """Nothing is read or touched, and the log says so once a minute, whoever asks how often."""
    inbox, hook = Inbox(), new_hook()
    async with hooked(telegram_server, inbox, hook):
        for _ in range(3):
            assert await post(hook, b"x" * (2 << 20), secret=secret) == 403
        assert await post(hook) == 200
    assert not inbox.begun
    assert caplog.text.count("without the right secret") == 1


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"not JSON", 400),
        (b"\xff\xfe", 400),
        (b"[1]", 400),
        (b"[" * 100_000, 400),
        (b'{"update_id":' + b" " * (1 << 20) + b"1}", 413),
    ],
)
async def test_what_is_no_update_is_refused(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture, data: bytes, status: int
) -> None:
    """Whatever is posted, the next message is heard, and nothing of it is in the log."""
    inbox, hook = Inbox(), new_hook()
    async with (
        hooked(telegram_server, inbox, hook),
        Courier(telegram_server, root(hook)),
    ):
        assert await post(hook, data) == status
        hello(telegram_server)
        await until(lambda: inbox.texts == ["Hello"])
    assert all(record.levelno < logging.WARNING for record in caplog.records)


@pytest.mark.parametrize("path", ["/telegram/causerie", "/causerie", "/", "//causerie/"])
async def test_a_proxy_may_strip_the_path(telegram_server: TelegramServer, path: str) -> None:
    """Or a part of it: who knows the secret is heard, and the health is told below."""
    inbox, hook = Inbox(), new_hook()
    async with hooked(telegram_server, inbox, hook), Courier(telegram_server, root(hook)):
        assert await post(hook, path=path) == 200
        assert await post(hook, path=path, secret="wrong") == 403
        assert await health(hook, path=f"{path.rstrip('/')}/healthz") == (200, "ok")
        assert (await health(hook, path=path))[0] == 405
    assert not inbox.begun


async def test_a_request_that_breaks_off_is_forgotten(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Half an update is none, and no reason for a traceback."""
    inbox, hook = Inbox(), new_hook()
    async with hooked(telegram_server, inbox, hook), Courier(telegram_server, root(hook)):
        host, _, port = hook.listen.rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /telegram/causerie HTTP/1.1\r\nHost: x\r\n{HEADER}: {SECRET}\r\n"
        writer.write(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        hello(telegram_server)
        await until(lambda: inbox.texts == ["Hello"])
    assert all(record.levelno < logging.WARNING for record in caplog.records)


async def test_an_unreadable_update_is_set_aside(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It is confirmed, named by its id, and does not keep its chat waiting."""
    inbox, hook = Inbox(), new_hook()
    for message in ({"text": "secret"}, "secret", {"date": "secret", "message_id": 1}):
        telegram_server.push({"message": message})
    bad = [update["update_id"] for update in telegram_server.updates.pending]
    async with hooked(telegram_server, inbox, hook), Courier(telegram_server, root(hook)):
        hello(telegram_server)
        await telegram_server.until(lambda: not telegram_server.updates.pending)
        for odd in (b'"secret", "message": 1', b'1, "message":' + b"[" * 5000 + b"]" * 5000):
            assert await post(hook, b'{"update_id":%b}' % odd) == 200
    assert inbox.texts == ["Hello"]
    assert all(str(number) in caplog.text for number in bad)
    assert "secret" not in caplog.text


async def test_what_the_store_does_not_take_comes_again(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Once it is healed nothing is lost, nothing doubled, and each chat is in order."""
    caplog.set_level(logging.INFO)
    hook, people = new_hook(), [telegram_server.user(f"Ann {n}") for n in range(5)]
    inbox = Inbox(*[StoreError("The disk is full.")] * 9, None, None, TimeoutError())
    for number in range(8):
        for person in people:
            telegram_server.private(person).say(person, f"{person.name}: {number}")
    async with (
        hooked(telegram_server, inbox, hook),
        Courier(telegram_server, root(hook)) as courier,
    ):
        await telegram_server.until(lambda: not telegram_server.updates.pending)
    said = defaultdict(list)
    for text in inbox.texts:
        said[text.partition(": ")[0]].append(text.partition(": ")[2])
    assert dict(said) == {person.name: list("01234567") for person in people}
    assert len(inbox.begun) == 40 + 10
    assert courier.statuses.count(503) == 10
    assert set(courier.retry_after) == {"2"}
    assert "is interrupted: The disk is full." in caplog.text
    assert "goes on" in caplog.text


async def test_messages_of_a_chat_are_stored_one_after_the_other(
    telegram_server: TelegramServer,
) -> None:
    """Even where a server does not wait for one before it sends the next."""
    chat = hello(telegram_server, "one")
    for text in ("two", "three"):
        chat.say(chat.members[0], text)
    updates = list(telegram_server.updates.pending)
    gate = asyncio.Event()

    async def hold(_: Incoming) -> None:
        await gate.wait()

    inbox, hook = Inbox(then=hold), new_hook()
    async with hooked(telegram_server, inbox, hook), aiohttp.ClientSession() as session:
        posts = []
        for number, update in enumerate(updates):
            url = f"{root(hook)}/telegram/causerie"
            post = session.post(url, json=update, headers={HEADER: SECRET})
            posts.append(asyncio.ensure_future(post))
            await until(lambda: inbox.begun)
            # The server has read it: it answers what came after it.
            if number:
                await health(hook)
        assert inbox.begun == ["one"]
        gate.set()
        assert [(await response).status for response in posts] == [200] * 3
    assert inbox.texts == ["one", "two", "three"]


async def test_what_is_being_stored_is_stored_before_it_ends(
    telegram_server: TelegramServer,
) -> None:
    """Meanwhile proxies and Telegram are told to go elsewhere; then nobody listens any more."""
    gate = asyncio.Event()

    async def hold(_: Incoming) -> None:
        await gate.wait()

    inbox, hook = Inbox(then=hold), new_hook(drain=10.0)
    hello(telegram_server)
    async with (
        hooked(telegram_server, inbox, hook) as listening,
        Courier(telegram_server, root(hook)) as courier,
    ):
        assert await health(hook) == (200, "ok")
        await until(lambda: inbox.begun)
        listening.cancel()
        await told(hook, 503)
        assert await health(hook) == (503, "ending")
        assert await post(hook) == 503
        assert not courier.statuses
        gate.set()
        await asyncio.wait({listening}, timeout=5)
        assert listening.cancelled()
        await until(lambda: courier.statuses == [200])
        assert await health(hook) == (0, "")
    assert not telegram_server.updates.pending
    assert telegram_server.updates.webhook


async def test_what_cannot_be_stored_in_time_waits_at_telegram(
    telegram_server: TelegramServer,
) -> None:
    """The end waits for a moment only; the next start has the message."""

    async def hang(_: Incoming) -> None:
        await asyncio.Event().wait()

    inbox, hook = Inbox(then=hang), new_hook()
    hello(telegram_server)
    async with Courier(telegram_server, root(hook)) as courier:
        async with hooked(telegram_server, inbox, hook):
            await until(lambda: inbox.begun)
        await until(lambda: courier.statuses)
        assert courier.statuses[0] == 503
        assert len(telegram_server.updates.pending) == 1
        async with hooked(telegram_server, healed := Inbox(), hook):
            await telegram_server.until(lambda: not telegram_server.updates.pending)
    assert healed.texts == ["Hello"]


async def test_updates_wait_while_nobody_listens(telegram_server: TelegramServer) -> None:
    """Before the first start, and between two: nothing is dropped, and order is kept."""
    inbox, hook = Inbox(), new_hook()
    chat = hello(telegram_server, "one")
    async with Courier(telegram_server, root(hook)) as courier:
        async with hooked(telegram_server, inbox, hook):
            await until(lambda: inbox.texts == ["one"])
        failed = courier.statuses.count(0)
        for text in ("two", "three"):
            chat.say(chat.members[0], text)
        await telegram_server.until(lambda: courier.statuses.count(0) > failed)
        async with hooked(telegram_server, inbox, hook):
            await telegram_server.until(lambda: not telegram_server.updates.pending)
    assert inbox.texts == inbox.begun == ["one", "two", "three"]
    assert [call.method for call in telegram_server.calls].count("setWebhook") == 1


async def test_two_listeners_share_one_url(telegram_server: TelegramServer) -> None:
    """Each takes in what it gets; one may end and start again without anybody noticing."""
    person = telegram_server.user("Ann")
    chat, inbox = telegram_server.private(person), Inbox()
    one, two = new_hook(), new_hook()
    texts = [str(number) for number in range(40)]
    async with (
        hooked(telegram_server, inbox, one) as first,
        hooked(telegram_server, inbox, two),
        Courier(telegram_server, root(one), root(two)) as courier,
    ):
        for text in texts[:20]:
            chat.say(person, text)
        await until(lambda: len(inbox.texts) > 10)
        first.cancel()
        for text in texts[20:]:
            chat.say(person, text)
        await telegram_server.until(lambda: not telegram_server.updates.pending)
        assert 0 in courier.statuses
    assert inbox.texts == inbox.begun == texts


async def test_a_proxy_may_stand_in_front(telegram_server: TelegramServer) -> None:
    """With TLS, names and limits of its own in front, and other things beside us."""
    inbox, hook = Inbox(), new_hook()

    async def pass_on(request: web.Request) -> web.Response:
        assert request.path.startswith("/telegram/")
        async with aiohttp.ClientSession() as session:
            url = f"{root(hook)}{request.path}"
            kept = {HEADER: request.headers[HEADER], "X-Forwarded-For": "149.154.167.220"}
            async with session.post(url, data=await request.read(), headers=kept) as response:
                return web.Response(status=response.status, headers=response.headers)

    proxy = web.Application()
    proxy.router.add_post("/telegram/{rest:.*}", pass_on)
    runner = web.AppRunner(proxy, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hello(telegram_server)
    async with (
        hooked(telegram_server, inbox, hook),
        Courier(telegram_server, f"http://127.0.0.1:{runner.addresses[0][1]}"),
    ):
        await telegram_server.until(lambda: not telegram_server.updates.pending)
    await runner.cleanup()
    assert inbox.texts == ["Hello"]


async def test_an_address_that_is_taken_is_the_owners_to_mend(
    telegram_server: TelegramServer,
) -> None:
    """The setting is named."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        hook = new_hook(listen=f"127.0.0.1:{taken.getsockname()[1]}")
        async with open_bot(telegram_server, hook=hook) as bot:
            with pytest.raises(SettingsError, match=r"^TELEGRAM_WEBHOOK_LISTEN: cannot listen"):
                await bot.listen(Inbox())
    assert not telegram_server.updates.webhook


async def test_any_number_may_listen_to_a_webhook(telegram_server: TelegramServer) -> None:
    """Where the bot polls, only one may."""
    async with (
        open_bot(telegram_server) as polling,
        open_bot(telegram_server, hook=new_hook()) as posted,
    ):
        assert (polling.claim, posted.claim) == ("telegram", "")
