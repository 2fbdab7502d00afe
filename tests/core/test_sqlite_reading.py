"""What reads a SQLite file beside what is written to it."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.errors import LeaseLostError, StoreError
from core.store.sqlite import SqliteDatabase, open_sqlite
from core.store.tx import Tx


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database file that does not exist yet."""
    return tmp_path / "causerie.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    """An open database."""
    opened = await open_sqlite(path)
    yield opened
    await opened.close()


def learn(tx: Tx, model: str) -> None:
    """Write a row."""
    tx.run("INSERT INTO calibration (model, millionths) VALUES (?, 1)", model)


def models(tx: Tx) -> list[str]:
    """Return what was written."""
    return [row["model"] for row in tx.all("SELECT model FROM calibration ORDER BY model")]


async def test_who_looks_keeps_nobody_waiting(database: SqliteDatabase) -> None:
    """While somebody reads for long, others write; the reader sees what was before."""
    begun, done = threading.Event(), threading.Event()

    def look(tx: Tx) -> list[str]:
        before = models(tx)
        begun.set()
        assert done.wait(10)
        assert models(tx) == before
        return before

    await database.run(learn, "a")
    looking = asyncio.create_task(database.read(look))
    await asyncio.to_thread(begun.wait, 10)
    await database.run(learn, "b")
    assert not looking.done()
    done.set()
    assert await looking == ["a"]
    assert await database.read(models) == ["a", "b"]


async def test_who_looks_at_the_same_time_looks_together(database: SqliteDatabase) -> None:
    """A hundred cost two transactions; one that fails fails alone."""
    found: list[str] = []
    assert database._reading
    await database._reading.set_trace_callback(found.append)
    await database.run(learn, "a")

    def look(tx: Tx, number: int) -> list[str]:
        if number == 7:
            raise LeaseLostError("gone")
        return models(tx)

    looks = (database.read(look, number) for number in range(100))
    failing = database.read(learn, "b")
    results = await asyncio.gather(*looks, failing, return_exceptions=True)
    assert found.count("BEGIN") <= 2
    assert isinstance(results[7], LeaseLostError)
    assert isinstance(results[100], StoreError)
    assert [one for one in results if one == ["a"]] == [["a"]] * 99


async def test_a_second_connection_that_fails_leaves_nothing_open(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a thread nor the lock on the file."""

    def fail(_: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("too many open files")

    threads = threading.active_count()
    with monkeypatch.context() as patch:
        patch.setattr("core.store.sqlite.prepare_reading", fail)
        with pytest.raises(StoreError, match="too many open files"):
            await open_sqlite(path)
    async with asyncio.timeout(10):
        while threading.active_count() > threads:  # noqa: ASYNC110 - they end by themselves
            await asyncio.sleep(0.01)
    await (await open_sqlite(path)).close()


async def test_who_looks_writes_nothing(database: SqliteDatabase) -> None:
    """Else it would not be known to those who write."""
    with pytest.raises(StoreError, match="failed"):
        await database.read(learn, "a")
    assert await database.read(models) == []
