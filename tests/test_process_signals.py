"""The command as a process that is told to end: twice, too early, by somebody in a hurry."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.crash.platforms import Telegram
from tests.crash.program import START_SECONDS, Program
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
