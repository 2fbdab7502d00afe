"""Fixtures of the tests of core."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.llm import OpenAIChat
from core.protocols import Store
from core.store import open_store
from core.store.postgres import PostgresDatabase, open_postgres
from tests.core.contents import fill_every_column
from tests.core.hearing import MakeChat
from tests.core.places import Kind, Place, make
from tests.core.stand_ins import StandInClock
from tests.servers.openai import OpenAIServer
from tests.servers.postgres import PostgresServer


@pytest.fixture
async def make_chat(openai_server: OpenAIServer) -> AsyncIterator[MakeChat]:
    """Return what makes a client of the loopback server: patient for 0.3 s, quick to retry."""
    async with contextlib.AsyncExitStack() as stack:

        def make(**options: object) -> OpenAIChat:
            wanted = {
                "key": openai_server.key,
                "base_url": openai_server.url,
                "first_seconds": 0.3,
                "read_seconds": 0.3,
                "backoff_seconds": 0.001,
            }
            chat = OpenAIChat(**(wanted | options))  # type: ignore[arg-type]
            stack.push_async_callback(chat.close)
            return chat

        yield make


@pytest.fixture
def chat(make_chat: MakeChat) -> OpenAIChat:
    """A client of the loopback server."""
    return make_chat()


@pytest.fixture
def clock() -> StandInClock:
    """The clock of `store`."""
    return StandInClock()


async def prepared(server: PostgresServer) -> str:
    """Return an empty database with our tables, a copy of the first."""
    if not server.template:
        first = server.create()
        await (await open_store(server.url(first))).close()
        server.template = first
    return server.create(server.template)


@pytest.fixture
async def postgres_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """URL of an empty database of PostgreSQL."""
    name = await prepared(postgres_server)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    """The database at `postgres_url`, of a first process."""
    opened = await open_postgres(postgres_url)
    yield opened
    await opened.close()


@pytest.fixture
async def other(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    """The same database, of a second process."""
    opened = await open_postgres(postgres_url)
    yield opened
    await opened.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: StandInClock | None
) -> AsyncIterator[Store]:
    """An empty store of every kind there is; where `clock` is None, time passes in it."""
    if request.param == "sqlite":
        opened = await open_store(tmp_path / "causerie.db", clock=clock)
        yield opened
        await opened.close()
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = await prepared(server)
    opened = await open_store(server.url(name), clock=clock)
    yield opened
    await opened.close()
    server.drop(name)


@pytest.fixture
def place(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Place]:
    """Return what names databases that are not there yet, or are empty."""
    made: list[str] = []

    def new(kind: Kind) -> Path | str:
        if kind == "sqlite":
            made.append("")
            return tmp_path / f"{len(made)}.db"
        made.append(postgres_server.create())
        return postgres_server.url(made[-1])

    yield new
    for name in filter(None, made):
        postgres_server.drop(name)


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A database with something in every column."""
    path = tmp_path / "full.db"
    asyncio.run(make(path))
    fill_every_column(path)
    return path
