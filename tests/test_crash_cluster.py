"""Listeners and workers on one PostgreSQL, of which one after the other dies."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import cycle
from pathlib import Path

import pytest

from tests.core.conftest import prepared
from tests.crash.cluster import Cluster
from tests.crash.platforms import Discord, Kind, Platform, Telegram
from tests.crash.verdict import problems
from tests.crash.world import World
from tests.servers.postgres import PostgresServer

CHATS, QUESTIONS, SECONDS = 30, 120, 12.0
ROLES = ("listen", "listen", "work", "work")


@pytest.fixture
async def database(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """URL of an empty database."""
    name = await prepared(postgres_server)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("platform", "kinds"),
    [(Telegram, Telegram.kinds), (Discord, Discord.kinds)],
    ids=("telegram", "discord"),
)
async def test_whoever_dies_the_others_go_on(
    tmp_path: Path,
    postgres_server: PostgresServer,
    database: str,
    platform: Callable[[], Platform],
    kinds: Sequence[Kind],
) -> None:
    """Every question is answered once and in order, though processes and the database die."""
    rng = random.Random(20261122)
    async with World(tmp_path, platform(), database=database) as world:
        world.openai.first_token_delay = 0.05
        world.openai.chunk_delay = 0.02
        for _, kind in zip(range(CHATS), cycle(kinds), strict=False):
            world.room(kind)

        async def restart(_: random.Random) -> None:
            await asyncio.to_thread(postgres_server.restart)

        async with Cluster(world=world, roles=ROLES) as cluster:
            for room in world.rooms:  # where the bot has never been, it misses nothing
                world.ask(room)
            await world.take_in()
            weather = asyncio.create_task(
                cluster.disturb(rng, pause=(0.5, 2.0), others=(restart,))
            )
            for _ in range(QUESTIONS):
                world.ask(rng.choice(world.rooms), world.mark(rng.choice("ssmmmx")))
                await asyncio.sleep(SECONDS / QUESTIONS)
            weather.cancel()
            await asyncio.wait({weather})
            await world.settle(seconds=120)
        assert problems(world, kills=sum(cluster.kills.values())) == []
        assert cluster.kills.keys() == {"listen", "work"}
