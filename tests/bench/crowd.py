"""How long 400 people wait who ask at once, of four workers and a model that takes a second.

Run as `python -m tests.bench crowd`. The messages are stored in PostgreSQL by this process and
answered by four others, with stand-ins for model and platform. All share one machine, on which
the time besides that of the model is what their turns cost.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from typing import Self

from bots import heap
from core.relay import PACE
from core.reply import Reply
from core.store import open_store
from core.types import Chat, Delta, Message, ModelEvent, Person
from tests.bench.rounds import write_aim
from tests.core.house import House
from tests.core.stand_ins import StandInBot, StandInModel, incoming, plain_usage
from tests.servers.postgres import PostgresServer

CHATS, WORKERS, ROUNDS = 400, 4, 5
MODEL_SECONDS, MOST = 1.0, 1.3
READY = "ready"


async def think(prompt: Sequence[Message], models: Sequence[str]) -> AsyncIterator[ModelEvent]:
    """Answer after a second."""
    await asyncio.sleep(MODEL_SECONDS)
    yield Delta(text="So it is.")
    yield plain_usage(prompt, models, "So it is.")


class Printing(StandInBot):
    """A platform on which an answer stands at once; prints when."""

    async def deliver(self, reply: Reply) -> None:
        """Print when a final text stands."""
        if reply.is_final:
            sys.stdout.write(f"{time.monotonic()}\n")
            sys.stdout.flush()
            return
        async for _ in reply.snapshots():
            pass


async def work(url: str) -> None:
    """Answer until the input ends."""
    store = await open_store(url)
    house = House(store=store, bot=Printing(), model=StandInModel(think), pace=PACE)
    async with house.running():
        heap.settle()  # as a process does that serves
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
    await store.close()


class Crew:
    """The workers.

    Attributes:
        answers: When each answer stood, by this machine's monotonic clock.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._processes: list[asyncio.subprocess.Process] = []
        self._ready = 0
        self.answers: list[float] = []
        self._heard = asyncio.Condition()

    async def __aenter__(self) -> Self:
        for _ in range(WORKERS):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.bench.crowd", "--worker", self._url),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            self._processes.append(process)
        self._reading = [asyncio.create_task(self._read(one)) for one in self._processes]
        async with asyncio.timeout(60), self._heard:
            await self._heard.wait_for(lambda: self._ready == WORKERS)
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            if process.stdin:
                process.stdin.close()
        await asyncio.gather(*self._reading, *(one.wait() for one in self._processes))

    async def until(self, count: int) -> None:
        """Wait until so many answers stand."""
        async with asyncio.timeout(120), self._heard:
            await self._heard.wait_for(lambda: len(self.answers) >= count)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        async for line in process.stdout:
            async with self._heard:
                if line.strip() == READY.encode():
                    self._ready += 1
                else:
                    self.answers.append(float(line))
                self._heard.notify_all()


async def main(rounds: int) -> None:
    """Measure and print."""
    with PostgresServer(is_durable=True) as server:
        url = server.url(server.create())
        store = await open_store(url)
        house = House(store=store)
        numbers = itertools.count(1)

        async def ask(number: int) -> None:
            chat = Chat(platform="desk", ref=str(number), is_private=True)
            person = Person(id=f"desk:{number}", name="Ann")
            await house.inbox.receive(incoming(next(numbers), "How?", chat=chat, person=person))

        stored: list[float] = []
        answered: list[float] = []
        async with Crew(url) as crew:
            for number in range(rounds + 1):  # the first warms up
                began = time.monotonic()
                await asyncio.gather(*(ask(chat) for chat in range(CHATS)))
                stored.append(time.monotonic() - began)
                await crew.until(CHATS * (number + 1))
                answered.append(max(crew.answers) - began)
        await store.close()
    _tell(stored[1:], answered[1:])


def _tell(stored: Sequence[float], answered: Sequence[float]) -> None:
    sys.stdout.write(
        f"{CHATS} chats ask at once, {WORKERS} workers, a model that takes {MODEL_SECONDS:.0f} s:"
        f" seconds, medians of {len(stored)} rounds\n"
        f"{statistics.median(stored):6.2f}  until all are stored\n"
    )
    last = statistics.median(answered)
    most = MODEL_SECONDS * MOST
    write_aim(last, f"until the last has its answer (<= {most:.1f})", is_met=last <= most)
    write_aim(
        CHATS / last, "answers a second, the wait for the model included", is_met=last <= most
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench crowd")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--worker", metavar="URL", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    asyncio.run(work(chosen.worker) if chosen.worker else main(chosen.rounds))
