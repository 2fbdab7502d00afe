"""What a bot costs that knows 10,000 chats and to which nobody writes.

Run as `python -m tests.bench idle`. One process serves Telegram from SQLite, with metrics on.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from core.store import open_store
from core.store.tx import Tx
from tests.bench.rounds import write_aim
from tests.crash.platforms import Telegram
from tests.crash.world import World, served
from tests.ports import free_port

CHATS, MESSAGES = 10_000, 10
MOST_CPU, MOST_MB = 0.01, 120
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


async def main(seconds: float) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(Path(folder) / "causerie.db")
        await store._run(fill)
        await store.close()
        settings = {"HEALTH_LISTEN": f"127.0.0.1:{free_port()}"}
        async with World(Path(folder), Telegram(), **settings) as world, served(world) as program:
            room = world.room()
            world.ask(room)  # with one answer, all is loaded that will be
            await world.settle()
            await asyncio.sleep(5)
            before = _cpu(program.pid)
            await asyncio.sleep(seconds)
            load = (_cpu(program.pid) - before) / seconds
            memory = _memory(program.pid)
    sys.stdout.write(f"{CHATS:,} chats, idle for {seconds:.0f} s\n")
    write_aim(load * 100, "% of a core (<= 1)", is_met=load <= MOST_CPU)
    write_aim(memory, f"MB RSS (<= {MOST_MB})", is_met=memory <= MOST_MB)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench idle")
    parser.add_argument("--seconds", type=float, default=30)
    asyncio.run(main(parser.parse_args().seconds))
