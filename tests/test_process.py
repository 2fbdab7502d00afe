"""The command as a process: how it starts, how it ends, what it says when it cannot."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.crash.platforms import Discord, Platform, Telegram
from tests.crash.program import START_SECONDS
from tests.crash.world import World, served

# The issue: Ctrl-C and SIGTERM end the program within 5 s, answers in flight or not.
END_SECONDS = 5.0
SIGNALS = [signal.SIGTERM, signal.SIGINT]


@pytest.fixture
def telegram() -> Telegram:
    """Telegram."""
    return Telegram()


@pytest.fixture
async def world(tmp_path: Path, telegram: Telegram) -> AsyncIterator[World]:
    """Servers, and a folder for the program."""
    async with World(tmp_path, telegram, LOG_LEVEL="WARNING") as world:
        world.is_measured = True
        yield world


@pytest.mark.parametrize(
    ("platform", "number"),
    [
        (Telegram, SIGNALS[0]),
        (Telegram, SIGNALS[1]),
        (Discord, SIGNALS[0]),
    ],
    ids=["telegram-term", "telegram-int", "discord-term"],
)
async def test_a_signal_ends_it_with_fifty_answers_in_flight(
    tmp_path: Path, platform: Callable[[], Platform], number: signal.Signals
) -> None:
    """It ends in time with code 0, and the next start answers what was broken off."""
    async with World(tmp_path, platform(), LOG_LEVEL="WARNING") as world:
        world.is_measured = True
        world.openai.gate = asyncio.Event()
        for place in range(50):
            world.room("private" if place % 4 else "group")
        async with served(world) as program:
            for room in world.rooms:
                world.ask(room, world.mark("m"))
            await world.openai.until(lambda: len(world.openai.requests) == len(world.rooms))
            program.send(number)
            assert await program.wait(seconds=END_SECONDS) == 0
        assert not world.log()
        world.openai.gate.set()
        async with served(world):
            await world.settle()
        found = world.ledger.problems()
        for room in world.rooms:
            found += world.problems(room) + world.unanswered(room)
        assert not found
        assert "Traceback" not in world.log()


@pytest.mark.parametrize(
    ("platform", "number"), [(Telegram, SIGNALS[0]), (Telegram, SIGNALS[1]), (Discord, SIGNALS[1])]
)
async def test_a_signal_ends_an_idle_program(
    tmp_path: Path, platform: Callable[[], Platform], number: signal.Signals
) -> None:
    """Nothing in flight: nothing to say."""
    async with World(tmp_path, platform(), LOG_LEVEL="WARNING") as world:
        world.is_measured = True
        async with served(world) as program:
            program.send(number)
            assert await program.wait(seconds=END_SECONDS) == 0
        assert not world.log()


async def test_answers_that_are_nearly_done_end_before_the_program(
    world: World, telegram: Telegram
) -> None:
    """What takes less than the time left is not broken off."""
    room = world.room()
    world.openai.gate = asyncio.Event()
    async with served(world) as program:
        world.ask(room, world.mark("m"))
        await world.openai.until(lambda: bool(world.openai.requests))
        program.send(signal.SIGTERM)
        await telegram.server.until(lambda: not telegram.is_listened_to)
        world.openai.gate.set()
        assert await program.wait(seconds=END_SECONDS) == 0
    assert not world.unanswered(room)
    assert not world.problems(room)
    assert len(world.openai.requests) == 1


async def test_a_token_that_is_revoked_ends_it_in_good_order(
    world: World, telegram: Telegram
) -> None:
    """As a signal would: what is nearly done is answered first."""
    server, rooms = telegram.server, [world.room(), world.room()]
    world.openai.gate = asyncio.Event()
    async with served(world) as program:
        world.ask(rooms[0])
        await world.openai.until(lambda: len(world.openai.requests) == 1)
        for method in ("getUpdates", "getMe"):
            server.fail_next(method, status=401, description="Unauthorized")
        world.ask(rooms[1])  # ends the long poll
        await server.until(lambda: server.calls[-1].method == "getMe" and server.calls[-1].error)
        world.openai.gate.set()
        assert await program.wait(seconds=END_SECONDS) == 2
    assert not [found for room in rooms for found in world.unanswered(room)]
    interrupted, line = world.log().splitlines()
    assert "polling is interrupted" in interrupted
    assert "TELEGRAM_BOT_TOKEN: should be" in line


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_while_it_starts(
    world: World, telegram: Telegram, number: signal.Signals
) -> None:
    """As soon as the database is open, and before Telegram has answered, it ends as always."""
    server = telegram.server
    server.delay_next("getMe")
    async with world.program() as program:
        await server.until(lambda: bool(server.calls), seconds=START_SECONDS)
        program.send(number)
        assert await program.wait(seconds=END_SECONDS) == 0
    assert not world.log()


async def test_telegram_cannot_be_reached_at_the_start(world: World, telegram: Telegram) -> None:
    """It goes on trying, and serves once Telegram is there."""
    telegram.server.fail_next("getMe", status=502, is_html=True)
    telegram.server.drop_next("getMe")
    room = world.room()
    world.ask(room)
    async with served(world):
        await world.settle()
    assert not world.unanswered(room)
    settings = {"TELEGRAM_API_URL": "http://127.0.0.1:9", "DATABASE_URL": "sqlite:///other.db"}
    async with world.program(**settings) as program:
        await logged(world, "interrupted", times=2)
        program.send(signal.SIGTERM)
        assert await program.wait(seconds=END_SECONDS) == 0
    assert "Traceback" not in world.log()


async def test_owners_are_warned_at_the_start(world: World, tmp_path: Path) -> None:
    """Of a model that ends, a window that is guessed, and a bot that nobody owns."""
    soon = (datetime.now(UTC) + timedelta(days=30)).date()
    rows = {"going": {"retires": f"{soon}"}, "gone": {"retires": "2026-01-31"}}
    table = tmp_path / "models.json"
    table.write_text(json.dumps({"chat": rows, "speech": rows}))
    settings = {"CHAT_MODEL": "gone,going,mystery", "SPEECH_MODEL": "going"}
    settings |= {"MODEL_TABLE": f"{table}", "ACCESS": "pairing"}
    async with world.program(**settings) as program:
        await logged(world, "gone was shut down on 2026-01-31, so it is not asked", times=1)
        await logged(world, f"going is shut down on {soon}; set CHAT_MODEL", times=1)
        await logged(world, f"going is shut down on {soon}; set SPEECH_MODEL", times=1)
        await logged(world, "the context window of mystery is unknown", times=1)
        await logged(world, "OWNERS is empty", times=1)
        program.send(signal.SIGTERM)
        assert await program.wait(seconds=END_SECONDS) == 0


async def test_the_model_server_cannot_be_reached(world: World) -> None:
    """It serves; who asks is told kindly, and is answered once the model is there."""
    url, world.openai.url = world.openai.url, "http://127.0.0.1:9/v1"
    room = world.room()
    world.ask(room)
    async with served(world) as program:
        await world.settle()
        program.send(signal.SIGTERM)
        assert await program.wait(seconds=END_SECONDS) == 0
    (sorry,) = room.place.answers
    assert sorry.text
    assert "127.0.0.1" not in sorry.text
    world.openai.url = url
    world.ask(room)
    async with served(world):
        await world.settle()
    assert world.unanswered(room, room.asked[1:]) == []
    assert "Traceback" not in world.log()


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"TELEGRAM_BOT_TOKEN": "7:wrong"}, 2, "TELEGRAM_BOT_TOKEN: should be"),
        ({"ACCESS": "everybody"}, 2, "ACCESS: "),
        ({"DATABASE_URL": "sqlite:///stderr.txt/causerie.db"}, 1, "Cannot open the database"),
        ({"DATABASE_URL": "sqlite:///folder"}, 1, "Cannot open the database"),
        ({"DATABASE_URL": "sqlite:///letter.txt"}, 1, "Cannot open the database"),
    ],
    ids=["token", "access", "no folder", "a folder", "no database"],
)
async def test_what_is_wrong_is_said_in_one_line(
    world: World, tmp_path: Path, *, settings: dict[str, str], code: int, words: str
) -> None:
    """A wrong setting ends it with code 2, a database that cannot be used with 1."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "letter.txt").write_text("Dear Ann, " * 1000)
    async with world.program(**settings) as program:
        assert await program.wait() == code
    (line,) = world.log().splitlines()
    assert words in line
    assert world.platform.server.token not in line


async def test_a_second_program_on_the_same_database(world: World) -> None:
    """It says so in one line and leaves; the first one serves on."""
    room = world.room()
    async with served(world):
        async with world.program() as second:
            assert await second.wait() == 1
        (line,) = world.log().splitlines()
        assert "Another causerie is running" in line
        world.ask(room)
        await world.settle()
    assert not world.unanswered(room)


async def logged(world: World, words: str, *, times: int) -> None:
    """Wait until words are in the log so many times."""
    async with asyncio.timeout(START_SECONDS):
        while world.log().count(words) < times:  # noqa: ASYNC110 - a file wakes nobody
            await asyncio.sleep(0.02)
