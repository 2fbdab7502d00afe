"""A day of a busy community in twenty minutes: does the process hold more at its end?

Run as `python -m tests.bench soak`, for twenty minutes (`--minutes`), on PostgreSQL with
`--postgres`. One process serves Telegram and Discord, loopback servers of both and of OpenAI. In
more and more chats people ask, speak, correct themselves, give commands, come and go, while the
platforms refuse calls and drop connections, and the model fails, stalls and breaks off. Four times
a night falls, in which nobody writes; what the process holds then is compared. Ends with exit
code 1 unless everything was answered and nothing has grown.
"""

import argparse
import asyncio
import itertools
import logging
import math
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from core.store import open_store
from core.store.tx import Tx
from tests.bench.rounds import write_aim
from tests.bench.soak_people import Town, reply
from tests.bench.soak_samples import Sample, Watch, draw, figure, median, slope, write_lines
from tests.bench.subject import DISK
from tests.crash.both import Both
from tests.crash.platforms import Fault
from tests.crash.world import World, served
from tests.ports import free_port
from tests.servers.openai import Break, broken, html, rate_limited
from tests.servers.openai import Fault as ModelFault
from tests.servers.postgres import PostgresServer

DAY_MS = 24 * 60 * 60 * 1000
QUARTERS = 4
# Idle connections are closed after 30 to 60 s, so that a night has to be longer to show which
# are never closed.
NIGHT_SECONDS = 75.0
# As long a day as leaves room for a stalled call to be given up before night.
STALL_SECONDS = 75.0
LOOKS, LOOK_SECONDS = 6, 0.3
OLD = 2_400  # messages of the day before, to be forgotten during this one
MOST_GROWTH = 1.05
_MODEL_FAULTS: tuple[Callable[[], ModelFault], ...] = (
    lambda: rate_limited(retry_after=1),
    broken,
    lambda: html(502),
    *(lambda how=how: Break(how=how, after=2) for how in ("reset", "eof", "malformed", "error")),
)


@dataclass(slots=True, kw_only=True)
class Soak:
    """One day, in quarters that each end with a night.

    Attributes:
        seconds: Of all four.
        chats: At its beginning.
        arrivals: New chats a second.
        rate: Of what people do in a second, on average.
        lost: Faults in which a platform did what it was told, and did not say so.
        nights: What the process held at the end of each.
    """

    town: Town
    watch: Watch
    seconds: float
    chats: int
    rate: float
    arrivals: float
    platform: Both
    rng: random.Random
    lost: list[Fault] = field(default_factory=list)
    nights: list[Sample] = field(default_factory=list)

    @property
    def night(self) -> float:
        """Seconds of a night; half a quarter, if the day is short."""
        return min(NIGHT_SECONDS, self.seconds / QUARTERS / 2)

    async def run(self) -> None:
        """Live through it."""
        for _ in range(self.chats):
            self.town.arrive()
        watching = asyncio.create_task(self.watch.run(min(5.0, self.night / 4)))
        for _ in range(QUARTERS):
            await self._day(self._now + self.seconds / QUARTERS - self.night)
            await self._night()
        watching.cancel()
        for result in await asyncio.gather(watching, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _day(self, end: float) -> None:
        """Let people be busy until then, most at noon; then let the last be answered."""
        weather = [asyncio.create_task(bad) for bad in (self._refuse(), self._fail(end))]
        begin = self._now
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, end - begin)):
                await asyncio.gather(self._talk(begin, end), self._arrive())
        for task in weather:
            task.cancel()
        for result in await asyncio.gather(*weather, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
        while self.town.is_busy or not self.town.world.ledger.is_settled:  # noqa: ASYNC110
            await asyncio.sleep(0.2)  # another process rings no bell

    async def _talk(self, begin: float, end: float) -> None:
        while True:
            noon = math.sin(math.pi * (self._now - begin) / (end - begin))
            await asyncio.sleep(self.rng.expovariate(self.rate * (0.4 + 0.94 * max(noon, 0))))
            self.town.begin()

    async def _arrive(self) -> None:
        while True:
            await asyncio.sleep(self.rng.expovariate(self.arrivals))
            if self.platform.discord.is_listened_to:  # where the bot never was, it misses nothing
                self.town.begin(self.town.arrive())

    async def _refuse(self) -> None:
        """Let a platform refuse a call or drop a connection now and then."""
        discord = self.platform.discord
        while True:
            await asyncio.sleep(self.rng.uniform(0, 3))
            fault = self.rng.choice(
                [*self.platform.telegram.disturbances(), *discord.refusals()]
            )()
            if fault and fault.kind == "lose":
                self.lost.append(fault)
            if self.rng.random() < 0.15 and not self.town.newcomers and discord.is_listened_to:
                self.rng.choice(discord.interruptions())()
                self.town.counts["gateway interrupted"] += 1

    async def _fail(self, end: float) -> None:
        """Let the model fail now and then."""
        while True:
            await asyncio.sleep(self.rng.uniform(0, 6))
            fault, times = self.rng.choice(_MODEL_FAULTS)(), self.rng.choice([1, 1, 2, 4])
            if self.rng.random() < 0.15 and end - self._now > STALL_SECONDS:
                fault, times = Break(how="stall", after=self.rng.choice([None, 2])), 1
            self.town.world.openai.fail(fault, times=times)
            self.town.counts["model failures ordered"] += 1

    async def _night(self) -> None:
        self.town.world.openai.heal()
        await asyncio.sleep(self.night)
        samples = []
        for _ in range(LOOKS):
            samples.append(await self.watch.take())
            await asyncio.sleep(min(LOOK_SECONDS, self.night / LOOKS))
        # What is only passing by, such as a renewal of leases, is not there in all of them.
        self.nights.append(min(samples, key=lambda sample: sample.tasks))

    @property
    def _now(self) -> float:
        return time.monotonic() - self.watch.began


async def soak(
    *, minutes: float, rate: float, chats: int, postgres: bool, seed: int, picture: Path | None
) -> int:
    """Let a day pass; print what it came to and return the exit code."""
    rng, seconds = random.Random(seed), minutes * 60
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=DISK)))
        database = ""
        if postgres:
            server = stack.enter_context(PostgresServer(is_durable=True))
            database = server.url(server.create())
        await _fill(database or folder / "causerie.db", seconds)
        address = f"127.0.0.1:{free_port()}"
        settings = {
            "HEALTH_LISTEN": address,
            "RETENTION_DAYS": "1",
            "CONTEXT_TOKENS": "6000",
            "CHAT_MODEL": "gpt-5.4-mini,gpt-4.1-mini",
        }
        platform = Both()
        hour = str(seconds / 24)
        async with (
            World(folder, platform, database=database, **settings) as world,
            served(world, "-m", "tests.bench.soak_program", hour, "serve") as program,
        ):
            world.openai.reply, world.openai.chunk_delay = reply, 0.02
            world.openai.first_token_delay = 0.2
            day = Soak(
                town=Town(world, platform, rng),
                watch=Watch(program.pid, f"http://{address}/metrics"),
                seconds=seconds,
                chats=chats,
                rate=rate,
                arrivals=chats / 400,
                platform=platform,
                rng=rng,
            )
            await day.run()
            log = world.log()
    if picture:
        draw(day.watch.samples, picture)
    return _tell(day, log)


async def _fill(where: Path | str, seconds: float) -> None:
    """Let people have talked a day ago, so that what they said is too old bit by bit."""

    def fill(tx: Tx) -> None:
        for number in range(OLD):
            at = tx.now - DAY_MS + round(number / OLD * seconds * 1000)
            chat, mark = 1 + number % 100, 10**6 + number
            if number < 100:
                tx.run(
                    "INSERT INTO chat (id, platform, ref, is_private, title)"
                    " VALUES (?, 'telegram', ?, 1, 'Somebody')",
                    *(chat, str(10**9 + chat)),
                )
            tx.run(
                "INSERT INTO inbox (id, platform, event, chat_id, person, kind, body, ready_at,"
                " turn, done_at) VALUES (?, 'telegram', ?, ?, 'telegram:1', 'message', '{}', ?,"
                " ?, ?)",
                *(mark, f"old:{number}", chat, at, mark, at),
            )
            tx.run(
                "INSERT INTO message (chat_id, turn, role, name, content, tokens, total,"
                " created_at) VALUES (?, ?, 'user', '', 'So it was said.', 30, ?, ?)",
                *(chat, mark, 30 * (1 + number // 100), at),
            )

    store = await open_store(where)
    await store._run(fill)
    await store.close()


def _tell(day: Soak, log: str) -> int:
    """Print how the day went; return 1 if an aim was missed, else 0."""
    write, town, samples = sys.stdout.write, day.town, day.watch.samples
    waited = sum(
        town.counts[name]
        for name in (
            "answered",
            "answered with an apology",
            "not heard, as the person was told",
        )
    )
    rows = {
        "chats on two platforms": len(town.seats),
        "turns": samples[-1].turns,
        **dict(sorted(town.counts.items())),
        "lost": len(town.lost),
        "complete answers that stand twice": town.surplus().total(),
        "of calls done whose answer was lost": sum(fault.used for fault in day.lost),
        "platform calls": len(day.platform.server.calls),
        "of them refused or dropped": sum(bool(c.error) for c in day.platform.server.calls),
    }
    write("".join(f"{name:<40}{value:>10,}\n" for name, value in rows.items()))
    write("".join(f"lost: {line}\n" for line in town.lost))
    load = samples[-1].cpu / samples[-1].at
    write(f"{'load of one core, on average':<40}{load:>10.0%}\n\n")
    write(write_lines(samples) + "\n")
    write(f"{'in the night':<12}" + "".join(f"{n:>8}" for n in range(1, QUARTERS + 1)) + "\n")
    for name in ("tasks", "sockets", "files", "others", "threads", "connections", "rss", "uss"):
        values = (getattr(night, name) for night in day.nights)
        write(f"{name:<12}" + "".join(f"{value:>8.0f}" for value in values) + "\n")
    is_sound = "Traceback" not in log and town.counts["asked"] == waited
    write("\n" if is_sound else f"log: {log[max(0, log.find('Traceback')) :][:2000]}\n\n")
    return 0 if _judge(day) and is_sound else 1


def _judge(day: Soak) -> bool:
    first, last = day.nights[0], day.nights[-1]
    aims = [(float(len(day.town.lost)), "lost", not day.town.lost)]
    if day.night >= NIGHT_SECONDS:
        for name in ("tasks", "sockets", "files", "others", "connections"):
            grown = getattr(last, name) - getattr(first, name)
            aims.append((float(grown), f"more {name} in the last night (<= 0)", grown <= 0))
    ends = [0.0, *(night.at for night in day.nights)]
    parts = [day.watch.between(begin, end) for begin, end in itertools.pairwise(ends)]
    for name in ("rss", "uss"):
        of = figure(name)
        before, after = median(parts[1], of), median(parts[-1], of)
        text = f"{name} of the last quarter ({after:.1f} MB) to the second's ({before:.1f} MB)"
        aims.append((after / before, f"{text} (<= {MOST_GROWTH})", after <= MOST_GROWTH * before))
    for value, text, is_met in aims:
        write_aim(value, text, is_met=is_met)
    late = [sample for part in parts[1:] for sample in part]
    hourly = slope(late, lambda sample: sample.uss) * 3600
    turns = (late[-1].turns - late[0].turns) / (late[-1].at - late[0].at) * 3600
    sys.stdout.write(
        f"slope of uss since the second quarter: {hourly:+.2f} MB an hour, or"
        f" {hourly / turns * 1_000_000 if turns else 0:+.0f} bytes a turn\n"
    )
    return all(is_met for *_, is_met in aims)


if __name__ == "__main__":
    # Of connections that the bot cuts while a server answers: that is what is ordered here.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    parser = argparse.ArgumentParser(prog="python -m tests.bench soak")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rate", type=float, default=13)
    parser.add_argument("--chats", type=int, default=200)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--seed", type=int, default=20261130)
    parser.add_argument("--picture", type=Path)
    sys.exit(asyncio.run(soak(**vars(parser.parse_args()))))
