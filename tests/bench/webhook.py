"""Telegram's updates posted to a webhook, beside polled ones: from said to stored.

Run as `python -m tests.bench webhook`. Both store in SQLite files of their own, beside a loopback
Telegram in the same process, in turns. `alone`: one message, in a quiet chat. `crowd`: what waits
in 200 chats, none of which waits for another.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bots.telegram import Hook, TelegramBot
from core.access import Access
from core.intake import Intake
from core.store import open_store
from core.types import Incoming
from tests.bench.subject import DISK
from tests.ports import free_port
from tests.servers.telegram import TelegramServer

ROUNDS = 5
ALONE = 50
CHATS, MESSAGES = 200, 10


class Side:
    """A bot that listens in one way, with a store and a Telegram of its own."""

    def __init__(self, server: TelegramServer) -> None:
        self._server = server
        self._stored: dict[str, float] = {}
        self._said = 0
        people = [server.user(f"Ann {number}") for number in range(CHATS)]
        self._chats = [(person, server.private(person)) for person in people]

    async def listen(self, stack: AsyncExitStack, path: Path, hook: Hook | None) -> None:
        """Listen until the stack is left."""
        store = await open_store(path)
        stack.push_async_callback(store.close)
        intake = Intake(store, Access(store, mode="open", owners=(), allowed=()))
        server = self._server
        bot = TelegramBot(token=server.token, api_url=server.url, hook=hook)
        stack.push_async_callback(bot.close)
        receive = intake.receive

        async def timed(incoming: Incoming) -> None:
            await receive(incoming)
            self._stored[incoming.text] = time.perf_counter()
            server.bell.ring()

        vars(intake)["receive"] = timed
        listening = asyncio.create_task(bot.listen(intake))
        stack.callback(listening.cancel)
        await server.until(lambda: server.updates.is_polled or server.updates.webhook)

    def _say(self, number: int) -> str:
        person, chat = self._chats[number]
        self._said += 1
        chat.say(person, text := f"message {self._said}")
        return text

    async def alone(self) -> float:
        """Return the seconds from said to stored of one message at a time, the median."""
        delays = []
        for _ in range(ALONE):
            began = time.perf_counter()
            text = self._say(0)
            await self._server.until(lambda: text in self._stored)  # noqa: B023
            delays.append(self._stored[text] - began)
            await self._server.until(lambda: not self._server.updates.pending)
        return statistics.median(delays)

    async def crowd(self) -> float:
        """Return messages a second, from when they wait until all are confirmed."""
        updates = self._server.updates
        for _ in range(MESSAGES):
            for number in range(CHATS):
                self._say(number)
        began = time.perf_counter()
        await self._server.until(lambda: not updates.pending, seconds=60.0)
        return CHATS * MESSAGES / (time.perf_counter() - began)


async def measure(rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return, by way, the delay of one message alone and the rate of many, of each round."""
    found: dict[str, list[tuple[float, float]]] = {"polling": [], "webhook": []}
    at = f"127.0.0.1:{free_port()}"
    hook = Hook(url="https://bot.example/telegram", secret="bench", listen=at)
    ways = {"polling": (None, ()), "webhook": (hook, (f"http://{at}",))}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(dir=DISK)))
        sides = {}
        for name, (its_hook, local) in ways.items():
            server = await stack.enter_async_context(TelegramServer(local=local))
            sides[name] = Side(server)
            await sides[name].listen(stack, folder / f"{name}.db", its_hook)
        for _ in range(rounds):
            for name, side in sides.items():
                found[name].append((await side.alone(), await side.crowd()))
    return found


def _write(name: str, rounds: Sequence[tuple[float, float]]) -> tuple[float, float]:
    delay, rate = (statistics.median(column) for column in zip(*rounds, strict=True))
    sys.stdout.write(f"{name:8} {delay * 1000:8.1f} ms {rate:8.0f} messages/s\n")
    return delay, rate


def main() -> None:
    """Measure and print."""
    found = asyncio.run(measure(ROUNDS))
    sys.stdout.write(f"{'':8} {'alone':>11} {f'{CHATS} chats':>19}\n")
    polled, posted = (_write(name, rounds) for name, rounds in found.items())
    delay, rate = posted[0] / polled[0], posted[1] / polled[1]
    sys.stdout.write(f"webhook / polling: {delay:.2f} x the delay, {rate:.2f} x the rate\n")


if __name__ == "__main__":
    main()
