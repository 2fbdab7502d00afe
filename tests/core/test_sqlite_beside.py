"""What another process writes to a SQLite file is seen by the one that it belongs to."""

import asyncio
from pathlib import Path

import pytest

from core.store import open_store
from core.store.beside import beside
from core.store.dead import dead
from tests.core.contents import execute
from tests.core.storing import put

PATIENCE = 10.0


async def test_what_another_process_committed_is_noticed(tmp_path: Path) -> None:
    """Within about a second, though it tells nobody; what is only read is no news."""
    path = tmp_path / "causerie.db"
    store = await open_store(path)
    heard = asyncio.Event()
    watching = asyncio.create_task(store.watch(lambda _: heard.set()))
    try:
        await put(store, 1)
        await asyncio.wait_for(heard.wait(), PATIENCE)
        heard.clear()
        async with beside(path) as visit:
            assert await visit.run(dead) == []
        assert not heard.is_set()
        execute(path, "UPDATE chat SET title = 'another'")
        await asyncio.wait_for(heard.wait(), PATIENCE)
    finally:
        watching.cancel()
        await store.close()


async def test_a_look_that_fails_is_followed_by_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that is away for a while ends nothing."""
    store = await open_store(tmp_path / "causerie.db")
    heard = asyncio.Event()
    watching = asyncio.create_task(store.watch(lambda _: heard.set()))
    await asyncio.sleep(0)
    await store.close()
    try:
        await asyncio.wait_for(heard.wait(), PATIENCE)
        assert "cannot see whether the file was written to" in caplog.text
        assert not watching.done()
    finally:
        watching.cancel()
