"""Turns a second through the whole path with stand-ins for model and platform, on each database.

Run as `python -m tests.bench turns`. 200 people ask one after the other, each as soon as the last
answer stands; what is measured is our own: intake, lease, memory, budgets, commit, outbox. Both
databases wait for the disk, and run in turns on the same machine.
"""

import argparse
import asyncio
import contextlib
import itertools
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.relay import PACE
from core.reply import Reply
from core.store import open_store
from core.types import Chat, Person
from tests.core.house import House
from tests.core.stand_ins import StandInBot, incoming
from tests.servers.postgres import PostgresServer

CHATS, TURNS, ROUNDS = 200, 20, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one round came to.

    Attributes:
        rate: Turns a second.
        cpu: Milliseconds of this process for a turn, what asks included.
    """

    rate: float
    cpu: float


class Town(StandInBot):
    """A platform on which an answer stands at once."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: dict[str, asyncio.Event] = {}

    async def deliver(self, reply: Reply) -> None:
        """Let whoever asked know."""
        if reply.is_final:
            self.answered[reply.chat.ref].set()
            return
        async for _ in reply.snapshots():
            pass


async def measure(where: Path | str, turns: int, *, first: int) -> Figures:
    """Let everybody ask so often; the number of the first message, as all, is to be new."""
    store = await open_store(where)
    town = Town()
    house = House(store=store, bot=town, pace=PACE, mode="open")
    numbers = itertools.count(first)

    async def talk(number: int, count: int) -> None:
        chat = Chat(platform="desk", ref=str(number), is_private=True)
        person = Person(id=f"desk:{number}", name="Ann")
        done = town.answered[chat.ref] = asyncio.Event()
        for _ in range(count):
            done.clear()
            await house.inbox.receive(incoming(next(numbers), "How?", chat=chat, person=person))
            await done.wait()

    async with house.running():
        await asyncio.gather(*(talk(n, 2) for n in range(CHATS)))
        began, used = time.perf_counter(), _cpu()
        await asyncio.gather(*(talk(n, turns) for n in range(CHATS)))
        seconds, used = time.perf_counter() - began, _cpu() - used
    await store.close()
    return Figures(rate=CHATS * turns / seconds, cpu=used / (CHATS * turns) * 1000)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextlib.contextmanager
def databases() -> Iterator[dict[str, Path | str]]:
    """Make a database of each kind."""
    with tempfile.TemporaryDirectory() as folder, PostgresServer(is_durable=True) as server:
        yield {"SQLite": Path(folder) / "a.db", "PostgreSQL": server.url(server.create())}


def main(rounds: int, turns: int) -> None:
    """Measure, and print a table."""
    found: dict[str, list[Figures]] = {}
    with databases() as places:
        for number, (name, where) in itertools.product(range(rounds), places.items()):
            one = asyncio.run(measure(where, turns, first=number * 10**6))
            found.setdefault(name, []).append(one)
    sys.stdout.write(f"{CHATS} chats         turns/s   CPU ms/turn\n")
    for name, figures in found.items():
        rate = statistics.median(one.rate for one in figures)
        cpu = statistics.median(one.cpu for one in figures)
        sys.stdout.write(f"{name:12}{rate:12.0f}{cpu:14.2f}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench turns")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--turns", type=int, default=TURNS)
    chosen = parser.parse_args()
    main(chosen.rounds, chosen.turns)
