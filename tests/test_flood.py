"""The command as a process under a flood: it holds little, loses nothing, and others go on."""

import asyncio
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.crash.platforms import Discord, Platform, Telegram
from tests.crash.program import START_SECONDS
from tests.crash.world import Room, World, served
from tests.servers.openai import Break

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")

MESSAGES = 20_000
# The same words in all: what is said in a test is searched for in its log.
WORDS = "and another thing that I would like to know about it, please"
# Were they all held, they would take 30 MB more (Discord, 2026-11); 5 MB are usual.
MOST_MEGABYTES = 20


@pytest.fixture(params=[Telegram, Discord])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A platform, and a folder for the program."""
    platform: Callable[[], Platform] = request.param
    async with World(tmp_path, platform(), LOG_LEVEL="WARNING") as world:
        world.openai.chunk_delay = 0.0
        yield world


async def test_a_flood_is_held_back(world: World) -> None:
    """Twenty thousand messages come while nothing can be stored: they wait at the platform.

    Memory stays flat, all of them are stored in the end, and others are answered long before the
    answers to the flood are all given, though the model does not answer in one chat at all.
    """
    loud, quiet = [[world.room() for _ in range(4)] for _ in range(2)]
    stuck, mark = world.room(), world.mark()
    world.openai.fail(Break(how="stall"), times=None, about=mark)
    async with served(world) as program:
        world.ask(stuck, mark)
        await world.openai.until(lambda: bool(world.openai.requests), seconds=START_SECONDS)
        for room in loud + quiet:
            world.ask(room)
        await until(lambda: all(is_answered(room, 1) for room in loud + quiet))
        idle = program.megabytes
        with locked(world.folder / "causerie.db"):
            for number in range(MESSAGES):
                loud[number % len(loud)].place.say(WORDS)
                if not number % 500:
                    await asyncio.sleep(0)
            await until(lambda: "database" in world.log())
        for room in quiet:
            world.ask(room)
        await until(lambda: all(is_answered(room, 2) for room in quiet))
        await until(lambda: stored(world) == MESSAGES + 13)
        assert not stuck.place.answers
        assert program.megabytes - idle < MOST_MEGABYTES
        program.send(signal.SIGTERM)
        assert await program.wait() == 0
    assert not world.ledger.is_settled
    assert "Traceback" not in world.log()


def stored(world: World) -> int:
    """Return how many messages are."""
    return sum(world.ledger.taken_in.values())


def is_answered(room: Room, count: int) -> bool:
    """Say whether so many answers stand in a room."""
    return len(room.place.answers) == count


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(2 * START_SECONDS):
        while not condition():  # noqa: ASYNC110 - another process rings no bell
            await asyncio.sleep(0.05)


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Let nobody write to the database."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
