"""Turns a second through the whole path with stand-ins for model and platform, on each database.

Run as `python -m tests.bench turns`. 200 people ask one after the other, each as soon as the last
answer stands; what is measured is our own: intake, lease, memory, budgets, commit, outbox. Then
messages come at random, half as many a second, and what is measured is how long after a message
is stored the model is asked. Both databases wait for the disk, and run in turns on the same
machine; how long the disk lets a small file of our own wait meanwhile is measured, too, since
nothing is faster than that.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bots import heap
from core.protocols import Store
from core.relay import PACE
from core.reply import Reply
from core.store import open_store
from core.types import Chat, Delta, Message, ModelEvent, Person, Usage
from tests.core.house import House
from tests.core.stand_ins import StandInBot, StandInModel, incoming
from tests.servers.postgres import PostgresServer

CHATS, TURNS, ROUNDS = 200, 20, 3
LONGEST_SECONDS = 10.0
LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one round came to.

    Attributes:
        rate: Turns a second.
        cpu: Milliseconds of this process for a turn, what asks included.
        asked: At half of that rate, milliseconds from stored to the model's being asked.
        synced: Milliseconds that single fsyncs took meanwhile.
    """

    rate: float
    cpu: float
    asked: Sequence[float]
    synced: Sequence[float]


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


class Watched(StandInModel):
    """A model that notes when it was asked what, and answers in a few words."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.asked: dict[str, float] = {}

    async def _answer(
        self, prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        self.prompts.clear()
        self.asked[prompt[-1].content] = time.perf_counter()
        yield Delta(text="So it is.")
        size = sum(message.tokens for message in prompt)
        yield Usage(purpose="chat", model=models[0], input=size, output=4)


class Talk:
    """People who ask, each in a chat of their own.

    Args:
        store: Where their messages are kept.
        first: Number of the first message; as all, it is to be new in the store.
    """

    def __init__(self, store: Store, *, first: int) -> None:
        self.town, self.model = Town(), Watched()
        self.house = House(store=store, bot=self.town, model=self.model, pace=PACE, mode="open")
        self._numbers = itertools.count(first)

    async def ask(self, number: int) -> str:
        """Let one person ask; return what, once it is stored."""
        chat = Chat(platform="desk", ref=str(number), is_private=True)
        self.town.answered[chat.ref] = asyncio.Event()
        text = f"How is {next(self._numbers)}?"
        said = incoming(
            int(text[7:-1]), text, chat=chat, person=Person(id=f"desk:{number}", name="Ann")
        )
        await self.house.inbox.receive(said)
        return text

    async def rounds(self, count: int) -> float:
        """Let everybody ask so often, one after the other; return the seconds that took."""

        async def talk(number: int) -> None:
            for _ in range(count):
                await self.ask(number)
                await self.town.answered[str(number)].wait()

        began = time.perf_counter()
        await asyncio.gather(*(talk(number) for number in range(CHATS)))
        return time.perf_counter() - began

    async def at_random(self, rate: float, seconds: float) -> list[float]:
        """Let so many messages a second come, of people who have their last answer.

        Returns:
            The seconds until the model was asked.
        """
        stored: dict[str, float] = {}

        async def ask(number: int) -> None:
            stored[await self.ask(number)] = time.perf_counter()

        async with asyncio.TaskGroup() as group:
            began, at = time.perf_counter(), random.expovariate(rate)
            people = itertools.cycle(range(CHATS))
            while at < seconds:
                await asyncio.sleep(began + at - time.perf_counter())
                idle = filter(self._is_idle, itertools.islice(people, CHATS))
                if (number := next(idle, None)) is not None:
                    self.town.answered[str(number)].clear()
                    group.create_task(ask(number))
                at += random.expovariate(rate)
        for done in self.town.answered.values():
            await done.wait()
        return [self.model.asked[text] - when for text, when in stored.items()]

    def _is_idle(self, number: int) -> bool:
        """Whether somebody has the answer to what they asked last."""
        return self.town.answered[str(number)].is_set()


async def measure(where: Path | str, turns: int, *, first: int) -> Figures:
    """Measure once; the number of the first message, as all, is to be new."""
    store = await open_store(where)
    talk = Talk(store, first=first)
    async with talk.house.running():
        await talk.rounds(2)
        heap.settle()  # as a process does that serves
        used = _cpu()
        seconds = await talk.rounds(turns)
        used = _cpu() - used
        rate = CHATS * turns / seconds
        async with looked_at_disk() as synced:
            waits = await talk.at_random(rate / 2, min(seconds, LONGEST_SECONDS))
    await store.close()
    return Figures(
        rate=rate,
        cpu=used / (CHATS * turns) * 1000,
        asked=[wait * 1000 for wait in waits],
        synced=synced,
    )


@contextlib.asynccontextmanager
async def looked_at_disk() -> AsyncIterator[list[float]]:
    """Write a little again and again; yield the milliseconds that took, which go on growing."""
    with tempfile.TemporaryFile() as file:
        taken: list[float] = []

        def write() -> None:
            began = time.perf_counter()
            os.pwrite(file.fileno(), bytes(4096), 0)
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)

        async def look() -> None:
            while True:
                await asyncio.to_thread(write)
                await asyncio.sleep(LOOK_SECONDS)

        looking = asyncio.create_task(look())
        try:
            yield taken
        finally:
            looking.cancel()
            await asyncio.wait({looking})


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
            one = asyncio.run(measure(where, turns, first=number * 10**6 + 1))
            found.setdefault(name, []).append(one)
    head = (
        f"{CHATS} chats",
        "turns/s",
        "best",
        "CPU ms/turn",
        "asked after ms: median",
        "p99",
        "fsync ms: p99",
    )
    widths = (12, 9, 9, 14, 25, 9, 15)
    sys.stdout.write("".join(f"{text:>{w}}" for text, w in zip(head, widths, strict=True)) + "\n")
    for name, figures in found.items():
        rates = [one.rate for one in figures]
        cpu = statistics.median(one.cpu for one in figures)
        waits = [statistics.quantiles(one.asked, n=100) for one in figures]
        middle, late = (statistics.median(one[place] for one in waits) for place in (49, 98))
        disk = statistics.median(statistics.quantiles(one.synced, n=100)[98] for one in figures)
        sys.stdout.write(
            f"{name:>12}{statistics.median(rates):9.0f}{max(rates):9.0f}{cpu:14.2f}"
            f"{middle:25.1f}{late:9.1f}{disk:15.1f}\n"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench turns")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--turns", type=int, default=TURNS)
    chosen = parser.parse_args()
    main(chosen.rounds, chosen.turns)
