"""What a bot costs that knows 10,000 chats and to which nobody writes.

Run as `python -m tests.bench idle`. One process serves Telegram from SQLite, with metrics on;
with `--platforms discord` or `--platforms telegram discord`, what is named.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from core.store import open_store
from core.store.tx import Tx
from tests.bench.rounds import write_aim
from tests.crash.platforms import Discord, Platform, Telegram
from tests.crash.program import START_SECONDS, Program
from tests.crash.world import Room, World, served
from tests.ports import free_port

CHATS, MESSAGES = 10_000, 10
MOST_CPU, MOST_MB = 0.01, 120
PLATFORMS = {"telegram": Telegram, "discord": Discord}
_TICKS = os.sysconf("SC_CLK_TCK")


def fill(tx: Tx) -> None:
    """Let 10,000 people have talked."""
    for number in range(1, CHATS + 1):
        tx.run(
            "INSERT INTO chat (id, platform, ref, is_private, title, total) VALUES"
            " (?, 'telegram', ?, 1, ?, ?)",
            *(number, str(10**9 + number), f"Person {number}", MESSAGES * 30),
        )
        tx.run(
            "INSERT INTO person (id, name, private_chat) VALUES (?, ?, ?)",
            *(f"telegram:{10**9 + number}", f"Person {number}", number),
        )
        for place in range(1, MESSAGES + 1):
            tx.run(
                "INSERT INTO message (chat_id, turn, role, name, content, tokens, total,"
                " created_at) VALUES (?, ?, 'user', '', 'So it was said.', 30, ?, 0)",
                *(number, place, place * 30),
            )


async def main(names: Sequence[str], seconds: float) -> None:
    """Measure and print."""
    async with AsyncExitStack() as stack:
        program = await _serve([PLATFORMS[name]() for name in names], stack)
        await asyncio.sleep(5)
        before = _cpu(program.pid)
        await asyncio.sleep(seconds)
        load = (_cpu(program.pid) - before) / seconds
        memory = _memory(program.pid)
    sys.stdout.write(f"{' and '.join(names)}: {CHATS:,} chats, idle for {seconds:.0f} s\n")
    write_aim(load * 100, "% of a core (<= 1)", is_met=load <= MOST_CPU)
    write_aim(memory, f"MB RSS (<= {MOST_MB})", is_met=memory <= MOST_MB)


async def _serve(platforms: Sequence[Platform], stack: AsyncExitStack) -> Program:
    """Let a program serve platforms, and answer once on each, so that all is loaded."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    store = await open_store(folder / "causerie.db")
    await store._run(fill)
    await store.close()
    settings = {"HEALTH_LISTEN": f"127.0.0.1:{free_port()}"}
    first, *others = platforms
    for other in others:
        await stack.enter_async_context(other.server)
        settings |= other.settings
    world = await stack.enter_async_context(World(folder, first, **settings))
    program = await stack.enter_async_context(served(world))
    for platform in platforms:
        await _listened_to(platform)
        world.rooms.append(Room(place=platform.place("Ann", "private")))
        world.ask(world.rooms[-1])
    await world.settle()
    return program


async def _listened_to(platform: Platform) -> None:
    await platform.server.until(lambda: platform.is_listened_to, seconds=START_SECONDS)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench idle")
    parser.add_argument("--platforms", nargs="+", choices=PLATFORMS, default=["telegram"])
    parser.add_argument("--seconds", type=float, default=30)
    chosen = parser.parse_args()
    asyncio.run(main(chosen.platforms, chosen.seconds))
