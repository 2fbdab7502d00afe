"""The command as a process that Telegram posts to: its settings, its start and its end."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.crash.platforms import Telegram
from tests.crash.program import PLAIN, START_SECONDS, Program
from tests.crash.world import Room, World, answered, served
from tests.servers.postgres import PostgresServer
from tests.test_process import END_SECONDS


@pytest.fixture
def telegram() -> Telegram:
    """Telegram, which posts to one program."""
    return Telegram(listeners=1)


@pytest.fixture
async def world(tmp_path: Path, telegram: Telegram) -> AsyncIterator[World]:
    """Servers, and a folder for the program."""
    async with World(tmp_path, telegram, LOG_LEVEL="WARNING") as world:
        world.is_measured = True
        yield world


async def test_it_serves_ends_and_serves_again(world: World, telegram: Telegram) -> None:
    """What is said between two starts waits at Telegram, behind the webhook that stays."""
    rooms = [world.room("private"), world.room("group")]
    async with served(world) as program:
        for room in rooms:
            world.ask(room)
        await world.settle()
        program.send(signal.SIGTERM)
        assert await program.wait(seconds=END_SECONDS) == 0
    assert telegram.server.updates.webhook
    for room in rooms * 3:
        world.ask(room)
    async with served(world):
        await world.settle()
    assert not [found for room in rooms for found in world.problems(room)]
    assert not [found for room in rooms for found in world.unanswered(room)]
    methods = [call.method for call in telegram.server.calls]
    assert methods.count("setWebhook") == 1
    assert not {"getUpdates", "deleteWebhook"} & set(methods)
    assert not world.log()


async def test_polling_takes_over_from_a_webhook_and_back(
    world: World, telegram: Telegram
) -> None:
    """Without the setting the webhook is removed, with it set again; nothing is dropped."""
    room = world.room()
    world.ask(room)
    for settings in ({}, {"TELEGRAM_WEBHOOK_URL": "", "TELEGRAM_WEBHOOK_LISTEN": ""}):
        calls = len(telegram.server.calls)
        async with world.program(**settings) as program:
            await telegram.server.until(
                lambda: len(telegram.server.calls) > calls,  # noqa: B023
                seconds=START_SECONDS,
            )
            await world.settle()
            assert bool(telegram.server.updates.webhook) == (not settings)
            program.send(signal.SIGTERM)
            assert await program.wait(seconds=END_SECONDS) == 0
        world.ask(room)
    async with served(world):
        await world.settle()
    assert not world.unanswered(room)


@pytest.mark.parametrize("nth", [1, 2])
async def test_killed_while_it_takes_messages_in(
    world: World, telegram: Telegram, nth: int
) -> None:
    """At any moment of it: nothing is lost, nothing doubled, and order is kept."""
    rooms = [world.room("group" if number % 3 else "private") for number in range(12)]
    for _ in range(4):
        for room in rooms:
            world.ask(room)
    accepted = nth * len(rooms)
    async with world.program() as program:
        statuses = telegram.server.courier.statuses
        await telegram.server.until(lambda: statuses.count(200) >= accepted, seconds=START_SECONDS)
        await program.kill()
    assert telegram.server.updates.pending or nth > 1
    async with served(world):
        await world.settle()
    found = [*world.ledger.problems()]
    for room in rooms:
        found += world.problems(room, duplicates=None) + world.unanswered(room)
    assert not found


async def test_two_listeners_behind_one_url(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """Neither waits for the other to end; one may die, and a worker answers what both took in."""
    telegram, name = Telegram(listeners=2), postgres_server.create()
    settings = {"DATABASE_URL": postgres_server.url(name), "LOG_LEVEL": "WARNING"}
    async with World(tmp_path, telegram, **settings) as world:
        rooms = [world.room("group" if number % 2 else "private") for number in range(4)]

        def listener(number: int) -> Program:
            at = telegram.addresses[number]
            return world.program(*PLAIN, "listen", TELEGRAM_WEBHOOK_LISTEN=at)

        async with world.program(*PLAIN, "work"), listener(0) as first, listener(1):
            server = telegram.server
            await server.until(lambda: telegram.is_listened_to, seconds=START_SECONDS)
            for number in range(24):
                world.ask(rooms[number % len(rooms)])
                if number == 12:
                    await server.until(lambda: server.courier.statuses.count(200) > 4)
                    await first.kill()
            async with asyncio.timeout(START_SECONDS):
                while any(said(room) != room.asked for room in rooms):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert 0 in server.courier.statuses
    postgres_server.drop(name)


def said(room: Room) -> list[str]:
    """Return what was answered in a room, in order."""
    return [mark for message in room.place.answers for mark in answered(message.text)]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"TELEGRAM_WEBHOOK_URL": "bot.example"}, "TELEGRAM_WEBHOOK_URL: should look like"),
        ({"TELEGRAM_WEBHOOK_SECRET": "s3cret s3cret"}, "TELEGRAM_WEBHOOK_SECRET: should be 1-256"),
        ({"TELEGRAM_WEBHOOK_LISTEN": "8443"}, "TELEGRAM_WEBHOOK_LISTEN: should look like"),
        ({"TELEGRAM_WEBHOOK_URL": ""}, "TELEGRAM_WEBHOOK_LISTEN: should be empty unless"),
        ({"TELEGRAM_WEBHOOK_URL": "https://b.example:444/"}, "TELEGRAM_WEBHOOK_URL: Telegram"),
        ({"TELEGRAM_BOT_TOKEN": "7:wrong"}, "TELEGRAM_BOT_TOKEN: should be"),
    ],
    ids=["url", "secret", "listen", "no url", "refused", "token"],
)
async def test_what_is_wrong_is_said_in_one_line(
    world: World, settings: dict[str, str], words: str
) -> None:
    """With code 2, and without secrets."""
    async with world.program(**settings) as program:
        assert await program.wait() == 2
    (line,) = world.log().splitlines()
    assert words in line
    assert "s3cret" not in line


async def test_an_address_that_another_has(world: World, telegram: Telegram) -> None:
    """The setting is named, and the exit code is 2."""
    address = telegram.server.url.removeprefix("http://")
    async with world.program(TELEGRAM_WEBHOOK_LISTEN=address) as program:
        assert await program.wait() == 2
    (line,) = world.log().splitlines()
    assert f"TELEGRAM_WEBHOOK_LISTEN: cannot listen on {address}" in line
