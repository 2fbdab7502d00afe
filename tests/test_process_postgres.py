"""The command as a process that ends while PostgreSQL stands still."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.crash.platforms import Telegram
from tests.crash.world import World, served
from tests.servers.postgres import PostgresServer
from tests.test_process import END_SECONDS


@pytest.fixture
async def world(tmp_path: Path, postgres_server: PostgresServer) -> AsyncIterator[World]:
    """Servers, and a folder for the program."""
    name = postgres_server.create()
    url = postgres_server.url(name)
    async with World(tmp_path, Telegram(), database=url, LOG_LEVEL="WARNING") as world:
        world.is_measured = True
        yield world
    postgres_server.drop(name)


@pytest.mark.parametrize("is_busy", [False, True], ids=["idle", "busy"])
async def test_it_ends_though_the_server_stands_still(
    world: World, postgres_server: PostgresServer, *, is_busy: bool
) -> None:
    """In time, and what it held is answered by the next once that is possible."""
    rooms = [world.room("private") for _ in range(20 if is_busy else 1)]
    async with served(world) as program:
        world.ask(rooms[0])
        await world.settle()
        if is_busy:
            world.openai.gate = asyncio.Event()
            before = len(world.openai.requests)
            for room in rooms:
                world.ask(room, world.mark("m"))
            await world.openai.until(
                lambda: len(world.openai.requests) == before + len(rooms), seconds=30.0
            )
        with postgres_server.frozen():
            if world.openai.gate:
                world.openai.gate.set()
            program.send(signal.SIGTERM)
            assert await program.wait(seconds=END_SECONDS + 1) == 0
    assert "Traceback" not in world.log()
    async with served(world):
        await world.settle()
    for room in rooms:
        assert not world.unanswered(room)
