"""How updates reach the relay: stored first, confirmed afterwards, through all weathers."""

import asyncio
import dataclasses
import json
import logging
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import web

from bots.telegram import TelegramBot
from core.errors import SettingsError, StoreError
from core.types import Incoming
from tests.bots.inbox import Inbox
from tests.bots.stages import until
from tests.bots.telegram_steps import open_bot
from tests.servers.telegram import TelegramServer


@asynccontextmanager
async def listening(
    server: TelegramServer, inbox: Inbox, **options: Any
) -> AsyncIterator["asyncio.Task[None]"]:
    """Have a bot listen; it stops at once when cancelled."""
    async with open_bot(server, **options) as bot:
        task = asyncio.create_task(bot.listen(inbox))
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                async with asyncio.timeout(5):
                    await task


def last_update(server: TelegramServer) -> int:
    """Return the id of the newest update that waits."""
    return int(server.updates.pending[-1]["update_id"])


async def test_an_update_is_confirmed_once_it_is_stored(telegram_server: TelegramServer) -> None:
    """Messages arrive in order, and the server forgets them only afterwards."""
    ann = telegram_server.user("Ann")
    chat, inbox = telegram_server.private(ann), Inbox()
    texts = [f"message {number}" for number in range(120)]
    for text in texts:
        chat.say(ann, text)
    last = last_update(telegram_server)
    async with listening(telegram_server, inbox):
        await telegram_server.until(lambda: telegram_server.updates.confirmed == last)
    assert inbox.texts == inbox.begun == texts
    assert telegram_server.remarks == []


async def test_what_the_store_does_not_take_is_handed_over_again(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing store loses nothing, and the server still has everything meanwhile."""
    ann = telegram_server.user("Ann")
    chat = telegram_server.private(ann)
    inbox = Inbox(None, StoreError("The disk is full."), None, None, StoreError("Still."))
    for text in ("one", "two", "three"):
        chat.say(ann, text)
    first, last = telegram_server.updates.pending[0]["update_id"], last_update(telegram_server)
    async with listening(telegram_server, inbox):
        await telegram_server.until(lambda: telegram_server.updates.confirmed == last)
    assert inbox.begun == ["one", "two", *["one", "two", "three"] * 2]
    assert inbox.texts == ["one", "two", "three"]
    offsets = [
        call.params["offset"] for call in telegram_server.calls if call.method == "getUpdates"
    ]
    assert set(offsets) <= {0, last + 1}
    assert first < last
    assert caplog.text.count("The disk is full.") == 1
    assert "Still." not in caplog.text


async def test_messages_of_a_chat_are_stored_one_after_the_other(
    telegram_server: TelegramServer,
) -> None:
    """A database that works side by side keeps their order; other chats do not wait for them."""
    gate = asyncio.Event()

    async def hold(incoming: Incoming) -> None:
        if incoming.text.startswith("Ann"):
            await gate.wait()

    inbox = Inbox(then=hold)
    ann, bob = (telegram_server.user(name) for name in ("Ann", "Bob"))
    for number in range(3):
        for person in (ann, bob):
            telegram_server.private(person).say(person, f"{person.name} {number}")
    async with listening(telegram_server, inbox):
        await until(lambda: "Bob 2" in inbox.texts)
        assert "Ann 1" not in inbox.begun
        gate.set()
        await telegram_server.until(lambda: telegram_server.updates.confirmed > 0)
    assert [text for text in inbox.texts if text[0] == "A"] == ["Ann 0", "Ann 1", "Ann 2"]


async def test_what_comes_together_is_said_to_be_followed(telegram_server: TelegramServer) -> None:
    """By the next message of the same person, so that both can be one turn; not by an edit."""
    ann, bob = (telegram_server.user(name) for name in ("Ann", "Bob"))
    group = telegram_server.group("Friends", [ann, bob])
    for person, text in ((ann, "one"), (ann, "two"), (bob, "three"), (ann, "four")):
        said = group.say(person, f"@causerie_bot {text}")
    group.edit(said, "@causerie_bot five")
    telegram_server.private(ann).say(ann, "elsewhere")
    inbox = Inbox()
    async with listening(telegram_server, inbox):
        await until(lambda: inbox.edits and "elsewhere" in inbox.texts)
    assert [message.text for message in inbox.messages if message.is_partial] == ["one"]


async def test_a_group_that_becomes_a_supergroup_is_renamed(
    telegram_server: TelegramServer,
) -> None:
    """Before what is said there then is handed in; either chat tells of it."""
    ann = telegram_server.user("Ann")
    group = telegram_server.group("Friends", [ann], is_basic=True)
    group.say(ann, "@causerie_bot before")
    new = group.upgrade(ann)
    new.say(ann, "@causerie_bot after")
    renamed: list[int] = []

    async def look(_: Incoming) -> None:
        renamed.append(len(inbox.renamed))

    inbox = Inbox(then=look)
    async with listening(telegram_server, inbox):
        await until(lambda: len(inbox.messages) == 2)
    assert inbox.texts[-1] == "after"
    assert renamed[-1] == 2
    assert inbox.renamed == [(str(group.id), str(new.id))] * 2


async def test_an_unreadable_update_is_set_aside(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """One update nobody understands does not make the bot deaf, and is not repeated in logs."""
    ann, inbox = telegram_server.user("Ann"), Inbox()
    for message in ({"text": "secret"}, "secret", {"date": "secret", "message_id": 1}):
        telegram_server.push({"message": message})
    bad = [update["update_id"] for update in telegram_server.updates.pending]
    telegram_server.private(ann).say(ann, "Hello")
    async with listening(telegram_server, inbox):
        await telegram_server.until(lambda: inbox.messages)
    assert inbox.texts == ["Hello"]
    assert all(str(number) in caplog.text for number in bad)
    assert "secret" not in caplog.text


async def test_another_poller_is_named_once_and_outlived(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A conflict is explained once a minute, and polling goes on."""
    ann, inbox = telegram_server.user("Ann"), Inbox()
    telegram_server.fail_next("getUpdates", status=409, description="Conflict: other", times=3)
    telegram_server.private(ann).say(ann, "Hello")
    async with listening(telegram_server, inbox):
        await telegram_server.until(lambda: inbox.messages)
    assert caplog.text.count("another program") == 1


async def test_a_webhook_that_was_set_meanwhile_is_named(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no other poller; what to do about it is said, and polling goes on once it is gone."""
    ann, inbox = telegram_server.user("Ann"), Inbox()
    async with listening(telegram_server, inbox):
        await telegram_server.until(lambda: telegram_server.updates.is_polled)
        telegram_server.updates.set_webhook({"url": "https://bot.example"})
        await telegram_server.until(lambda: "use deleteWebhook" in telegram_server.calls[-1].error)
        telegram_server.private(ann).say(ann, "Hello")
        telegram_server.updates.set_webhook(None)
        await telegram_server.until(lambda: "Hello" in inbox.texts)
    assert caplog.text.count("a webhook was set for this telegram bot") == 1
    assert "another program" not in caplog.text


async def test_trouble_on_the_line_is_reported_once_and_outlived(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Polling survives whatever a network does, and says when it began and ended."""
    caplog.set_level(logging.DEBUG)
    ann, inbox = telegram_server.user("Ann"), Inbox()
    telegram_server.fail_next("getMe", status=500)
    for status in (401, 404):
        telegram_server.fail_next("getMe", status=status, is_html=True)
    telegram_server.drop_next("deleteWebhook")
    telegram_server.drop_next("getUpdates", times=2)
    for status in (401, 403, 409, 502):
        telegram_server.fail_next("getUpdates", status=status, is_html=True)
    telegram_server.fail_next("getUpdates", status=401, description="Unauthorized")
    telegram_server.private(ann).say(ann, "Hello")
    async with listening(telegram_server, inbox):
        await telegram_server.until(lambda: inbox.messages)
    assert caplog.text.count("interrupted") == caplog.text.count("goes on") == 2
    assert "another program" not in caplog.text
    assert telegram_server.token not in caplog.text


async def test_a_poll_waits_as_long_as_the_server_asks(telegram_server: TelegramServer) -> None:
    """A 429 on polling is obeyed."""
    ann, inbox = telegram_server.user("Ann"), Inbox()
    telegram_server.fail_next("getUpdates", retry_after=1)
    telegram_server.private(ann).say(ann, "Hello")
    async with listening(telegram_server, inbox):
        await telegram_server.until(lambda: inbox.messages)
    polls = [call.at for call in telegram_server.calls if call.method == "getUpdates"]
    assert polls[1] - polls[0] >= 1.0


@dataclasses.dataclass(frozen=True)
class Entry:
    """A command for the menu."""

    name: str
    help: str
    is_for_owners: bool = False
    is_for_hosts: bool = False


async def test_a_webhook_is_ended_and_the_menu_set(telegram_server: TelegramServer) -> None:
    """What waits behind a webhook is kept; the menu shows names and bounded help."""
    ann, inbox = telegram_server.user("Ann"), Inbox()
    telegram_server.updates.set_webhook({"url": "https://bot.example"})
    telegram_server.private(ann).say(ann, "Hello")
    commands = [Entry("new", "Start afresh"), Entry("help", "x" * 300)]
    async with listening(telegram_server, inbox, commands=commands):
        await telegram_server.until(lambda: inbox.messages)
    (menu,) = telegram_server.menus.values()
    assert menu[0] == {"command": "new", "description": "Start afresh"}
    assert menu[1] == {"command": "help", "description": "x" * 256}


async def test_a_menu_shows_nobody_what_is_not_for_them(telegram_server: TelegramServer) -> None:
    """Owners who have written see everything in their chats; Telegram does not say who hosts."""
    ann, inbox = telegram_server.user("Ann"), Inbox()
    telegram_server.private(ann).say(ann, "Hello")
    commands = [
        Entry("new", "Start afresh"),
        Entry("users", "List them", is_for_owners=True),
        Entry("settings", "Set something", is_for_hosts=True),
    ]
    owners = ("telegram:404", "discord:1", f"telegram:{ann.id}")
    async with listening(telegram_server, inbox, commands=commands, owners=owners):
        await telegram_server.until(lambda: inbox.messages)
    shown = {
        scope: [row["command"] for row in m] for (scope, _), m in telegram_server.menus.items()
    }
    own = f'{{"chat_id": {ann.id}, "type": "chat"}}'
    assert shown == {'{"type": "default"}': ["new"], own: ["new", "users", "settings"]}


async def test_a_refused_menu_does_not_keep_it_from_listening(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The menu is a nicety."""
    ann, inbox = telegram_server.user("Ann"), Inbox()
    telegram_server.private(ann).say(ann, "Hello")
    async with listening(telegram_server, inbox, commands=[Entry("No Name", "?")]):
        await telegram_server.until(lambda: inbox.messages)
    assert "menu is not set" in caplog.text


async def test_a_menu_that_has_to_wait_is_set_later(telegram_server: TelegramServer) -> None:
    """A flood wait at the start costs neither messages nor the menu."""
    ann, inbox = telegram_server.user("Ann"), Inbox()
    telegram_server.fail_next("getMe", retry_after=1)
    telegram_server.fail_next("setMyCommands", retry_after=1)
    telegram_server.private(ann).say(ann, "Hello")
    async with listening(telegram_server, inbox, commands=[Entry("new", "Start afresh")]):
        await telegram_server.until(lambda: inbox.messages)
        await telegram_server.until(lambda: telegram_server.menus)


@pytest.mark.parametrize("token", ["7000000001:AAwrong", "nonsense"])
async def test_a_wrong_token_is_the_owners_to_mend(
    telegram_server: TelegramServer, caplog: pytest.LogCaptureFixture, token: str
) -> None:
    """A token that is refused names its setting, never itself."""
    caplog.set_level(logging.DEBUG)
    async with open_bot(telegram_server, token=token) as bot:
        with pytest.raises(SettingsError, match=r"^TELEGRAM_BOT_TOKEN: ") as caught:
            await bot.listen(Inbox())
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert token not in shown


# Values that a parser of JSON refuses together with all that stands around them.
ODD = (b"[" * 5000 + b"]" * 5000, b'{"message_id":' + b"9" * 5000 + b"}", b'"\xff"')


def beside(odd: bytes, number: int, message: dict[str, Any]) -> bytes:
    """Return two updates, the first with an odd value for a message."""
    good = json.dumps({"update_id": number, "message": {**message, "text": "Beside"}}).encode()
    return b'{"ok":true,"result":[{"update_id":0,"message":%b},%b]}' % (odd, good)


async def test_a_server_that_talks_nonsense_is_outlived() -> None:
    """Answers that are no answers cost a pause each, and nothing else."""
    me = {"id": 7, "is_bot": True, "first_name": "B", "username": "b_bot"}
    person = {"id": 1, "type": "private", "is_bot": False, "first_name": "Ann"}
    message = {"message_id": 1, "date": 1, "chat": person, "from": person, "text": "Hello"}
    answers: Iterator[Any] = iter(
        [
            web.Response(text="not JSON"),
            web.Response(text="[1]"),
            web.Response(text="{}"),
            web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
            web.json_response({"ok": True, "result": True}),
            web.json_response({"ok": True, "result": None}),
            web.json_response({"ok": False, "error_code": 500, "description": "x"}),
            web.json_response({"ok": False, "error_code": "?", "description": "x"}),
            web.json_response(
                {"ok": False, "description": "x", "parameters": {"retry_after": "1"}}, status=429
            ),
            web.json_response({"ok": True, "result": [1, {"message": message}]}),
            *(
                web.Response(body=beside(ODD[number], number, message))
                for number in range(len(ODD))
            ),
            web.json_response({"ok": True, "result": [{"update_id": 5, "message": message}]}),
        ]
    )
    arrived = asyncio.Event()
    empty: list[float] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/getMe"):
            return web.json_response({"ok": True, "result": me})
        if request.path.endswith("/deleteWebhook"):
            return web.json_response({"ok": True, "result": True})
        if found := next(answers, None):
            return found  # type: ignore[no-any-return]
        empty.append(time.monotonic())
        if len(empty) > 2:
            arrived.set()
        return web.json_response({"ok": True, "result": []})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        inbox = Inbox()
        async with TelegramBot(token="7:x", api_url=url, pause=0.001) as bot:
            task = asyncio.create_task(bot.listen(inbox))
            await asyncio.wait_for(arrived.wait(), 10)
            task.cancel()
            await asyncio.wait({task}, timeout=5)
        assert inbox.texts == ["Beside"] * len(ODD) + ["Hello"]
        assert empty[2] - empty[0] >= 0.2
    finally:
        await runner.cleanup()
