"""The command as a process that is told to end: twice, too early, by somebody in a hurry."""

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bots.__main__ import EXIT_INTERRUPTED
from tests.crash.platforms import Telegram
from tests.crash.program import PLAIN, START_SECONDS, Program
from tests.crash.world import World, served
from tests.test_process import END_SECONDS


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Servers, and a folder for the program."""
    async with World(tmp_path, Telegram(), LOG_LEVEL="WARNING") as world:
        world.is_measured = True
        yield world


async def insist(program: Program, number: signal.Signals, *, pause: float) -> int:
    """Send a signal again and again until a program has ended; return its exit code."""
    async with asyncio.timeout(START_SECONDS):
        while program.is_running:
            program.send(number)
            await asyncio.sleep(pause)
    return await program.wait()


@pytest.mark.parametrize(
    ("number", "pause"),
    [(signal.SIGINT, 0.0), (signal.SIGTERM, 0.0), (signal.SIGTERM, 0.003), (signal.SIGTERM, 0.02)],
)
async def test_signals_at_once_are_one(world: World, number: signal.Signals, pause: float) -> None:
    """It ends in good order, whenever in its end the others come: `timeout` sends two."""
    async with served(world) as program:
        program.send(number)
        for _ in range(20):
            await asyncio.sleep(pause)
            if program.is_running:
                program.send(number)
        # Once all is closed, another may find nobody who heeds it.
        assert await program.wait(seconds=END_SECONDS) in {0, -number}
    assert not world.log()


async def test_a_later_signal_ends_it_at_once(world: World) -> None:
    """Even while it waits for answers; the next start gives them."""
    room = world.room()
    world.openai.gate = asyncio.Event()
    async with served(world) as program:
        world.ask(room, world.mark("m"))
        await world.openai.until(lambda: bool(world.openai.requests))
        assert await insist(program, signal.SIGTERM, pause=0.1) == -signal.SIGTERM
    world.openai.gate.set()
    async with served(world):
        await world.settle()
    assert not world.unanswered(room)


async def test_a_signal_while_it_waits_for_the_database(world: World) -> None:
    """Somebody writes there, and does not end: it ends without a word, and without a trace."""
    async with served(world) as program:
        program.send(signal.SIGTERM)
        assert await program.wait() == 0
    path = world.folder / "causerie.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as somebody:
        somebody.execute("BEGIN IMMEDIATE")
        async with world.program() as program:
            await opened(program, path)
            program.send(signal.SIGTERM)
            assert await program.wait(seconds=2 * END_SECONDS) == 0
    assert not world.log()


async def test_a_command_that_is_broken_off_has_not_succeeded(world: World) -> None:
    """It says so by its exit code, as shells do."""
    server = world.platform.server
    server.delay_next("getMe")
    async with world.program(*PLAIN, "doctor") as program:
        await server.until(lambda: bool(server.calls), seconds=START_SECONDS)
        program.send(signal.SIGTERM)
        assert await program.wait(seconds=END_SECONDS) == EXIT_INTERRUPTED
    assert not world.log()


async def opened(program: Program, path: Path) -> None:
    """Wait until a program has opened a file."""
    async with asyncio.timeout(START_SECONDS):
        # On Linux; nothing there wakes us.
        while path not in held(program):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def held(program: Program) -> set[Path]:
    """Return the files that a program has open."""
    found = set()
    for entry in Path(f"/proc/{program.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(entry.readlink())
    return found
