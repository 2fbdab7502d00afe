"""A cluster that is knocked about for minutes: what was asked, and what was answered.

Run as `python -m tests.bench demo_cluster`, for five minutes (`--seconds`). Starts PostgreSQL,
two listeners and four workers, loopback servers of Telegram, Discord and OpenAI, and 200 chats
whose people go on asking. Meanwhile processes die by SIGKILL or stand still, the database is
restarted or dies, and the platforms refuse calls and drop connections. Ends with exit code 1
unless everything was answered, once and in order, and within the budget.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from itertools import cycle
from pathlib import Path

from core.store import open_store
from tests.crash.both import Both
from tests.crash.cluster import Cluster
from tests.crash.verdict import budget_problems, problems
from tests.crash.world import World
from tests.servers.postgres import PostgresServer

ROLES = ("listen", "listen", "work", "work", "work", "work")
FROZEN = "processes that stood still for 20 s"
TOKENS = 50_000_000
SETTINGS = {"TOTAL_DAILY_TOKENS": str(TOKENS), "USER_DAILY_TOKENS": str(TOKENS)}


async def main(seconds: float, chats: int, seed: int) -> int:
    """Run the demonstration; return the exit code."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, PostgresServer(is_durable=True) as server:
        url = server.url(server.create())
        await (await open_store(url)).close()
        async with World(Path(folder), Both(), database=url, **SETTINGS) as world:
            world.openai.first_token_delay = 0.2
            world.openai.chunk_delay = 0.02
            for _, kind in zip(range(chats), cycle(world.platform.kinds), strict=False):
                world.room(kind)
            async with Cluster(world=world, roles=ROLES) as cluster:
                happened = await _live(world, cluster, server, rng, seconds)
                await world.settle(seconds=300)
            kills = sum(cluster.kills.values()) + happened[FROZEN]
            found = problems(world, kills=kills) + budget_problems(world.ledger, TOKENS)
            _tell(world, cluster, happened, found)
    return 1 if found else 0


async def _live(
    world: World, cluster: Cluster, server: PostgresServer, rng: random.Random, seconds: float
) -> Counter[str]:
    """Let people ask while things go wrong; return how often what went wrong."""
    happened: Counter[str] = Counter()

    async def restart(_: random.Random) -> None:
        happened["database restarted"] += 1
        await asyncio.to_thread(server.restart)

    async def die(_: random.Random) -> None:
        happened["database killed"] += 1
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(rng.uniform(0, 5))
        await asyncio.to_thread(server.revive)

    async def freeze(_: random.Random) -> None:
        happened[FROZEN] += 1
        await cluster.freeze_one(rng, seconds=20)

    for room in world.rooms:  # where the bot has never been, it misses nothing
        world.ask(room)
    await world.take_in()
    weather = [
        asyncio.create_task(cluster.disturb(rng, pause=(2, 8), others=(restart, die, freeze))),
        asyncio.create_task(_refuse(world, rng)),
    ]
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                world.ask(rng.choice(world.rooms), world.mark(rng.choice("sssmmmxxw")))
                await asyncio.sleep(rng.expovariate(8))
    for task in weather:
        task.cancel()
    for result in await asyncio.gather(*weather, return_exceptions=True):
        if isinstance(result, Exception):
            raise result
    await asyncio.to_thread(server.ensure)
    return happened


async def _refuse(world: World, rng: random.Random) -> None:
    """Let a platform refuse a call or drop a connection now and then."""
    faults = world.platform.disturbances()
    while True:
        fault = rng.choice(faults)()
        try:
            await asyncio.sleep(rng.uniform(0, 0.5))
        finally:
            if fault:
                fault.release()
        await asyncio.sleep(rng.uniform(0, 2))


def _tell(world: World, cluster: Cluster, happened: Counter[str], found: list[str]) -> None:
    outbox = [text for room in world.rooms for text in world.ledger.outbox(room.ref)]
    wrong = [line for room in world.rooms for line in world.unanswered(room)]
    calls = world.platform.server.calls
    rows = {
        "chats on two platforms": len(world.rooms),
        **{f"{role}ers killed by SIGKILL": n for role, n in sorted(cluster.kills.items())},
        **happened,
        "platform calls": len(calls),
        "of them refused or dropped": sum(bool(call.error) for call in calls),
        "questions asked": sum(len(room.asked) for room in world.rooms),
        "questions answered": sum(len(world.heard(room)) for room in world.rooms) - len(wrong),
        "answers (several questions at once are one turn)": len(outbox),
        "chats with a lost, repeated or misplaced answer": len(wrong),
        "messages that stand twice": sum(world.surplus(room) or 0 for room in world.rooms),
        "tokens spent": world.ledger.spent,
        "problems": len(found),
    }
    sys.stdout.write("".join(f"{name:<52}{value:>12,}\n" for name, value in rows.items()))
    sys.stdout.write("".join(f"problem: {line}\n" for line in found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench demo_cluster")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--chats", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20261122)
    chosen = parser.parse_args()
    sys.exit(asyncio.run(main(chosen.seconds, chosen.chats, chosen.seed)))
