"""Which files SQLite is opened on: one process each, ours, and none that is spoilt by it."""

import asyncio
import contextlib
import errno
import fcntl
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import StoreError
from core.store import open_store
from core.store.schema import MIGRATIONS
from tests.core.contents import execute


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database file that does not exist yet."""
    return tmp_path / "deep" / "causerie.db"


def write(path: Path, content: bytes) -> None:
    """Put a file where the database should be."""
    path.parent.mkdir()
    path.write_bytes(content)


async def test_a_second_process_is_refused(path: Path) -> None:
    """The file belongs to one process; another one gets a sentence, until the first ends."""
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom core.store import open_store\n"
        "async def main():\n"
        "    store = await open_store(Path(sys.argv[1]))\n"
        "    await store.close()\n"
        "try:\n    asyncio.run(main())\n"
        "except Exception as error:\n    sys.exit(str(error))\n"
    )

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
        )

    store = await open_store(path)
    refused = await asyncio.to_thread(run)
    assert refused.returncode == 1
    assert refused.stderr == f"Another causerie is running on {path}; end it first.\n"
    with pytest.raises(StoreError, match="Another causerie"):
        await open_store(path)
    await store.close()
    assert (await asyncio.to_thread(run)).returncode == 0


async def test_a_file_without_the_tables_is_refused_and_let_go(path: Path) -> None:
    """A database that says it is ours and is not is closed again; nothing hangs."""
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    for _ in range(2):
        with pytest.raises(StoreError):
            await open_store(path)


async def test_another_programs_file_is_left_as_it_is(path: Path) -> None:
    """Whoever mistypes a name spoils nothing."""
    path.parent.mkdir()
    execute(path, "CREATE TABLE bookmark (name TEXT)")
    before = await asyncio.to_thread(path.read_bytes)
    with pytest.raises(StoreError, match="is no database of causerie"):
        await open_store(path)
    assert await asyncio.to_thread(path.read_bytes) == before


async def test_a_link_leads_to_the_same_lock(path: Path) -> None:
    """By whatever name it is reached, a file belongs to one process."""
    store = await open_store(path)
    link = path.with_name("link.db")
    link.symlink_to(path)
    with pytest.raises(StoreError, match="Another causerie"):
        await open_store(link)
    await store.close()
    await (await open_store(link)).close()


async def test_what_a_killed_copy_left_is_deleted(path: Path) -> None:
    """By whoever owns the file next: it holds words that `/forget` does not reach."""
    part = path.with_name("causerie.db.part")
    write(part, b"words")
    await (await open_store(path)).close()
    assert not part.exists()


async def test_a_file_system_without_locks_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looks for another process that does not run."""

    def refuse(_: object, __: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refuse)
        with pytest.raises(StoreError, match=r"Cannot open the database .*: No locks available"):
            await open_store(path)
    await (await open_store(path)).close()


async def test_a_damaged_file_is_refused(path: Path) -> None:
    """Rubbish is not opened, not overwritten, and its lock is let go."""
    rubbish = b"no database at all" * 100
    write(path, rubbish)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"Cannot open the database .*causerie\.db"):
            await open_store(path)
    assert await asyncio.to_thread(path.read_bytes) == rubbish


async def test_a_newer_file_is_refused(path: Path) -> None:
    """A file of a newer version is left as it is."""
    await (await open_store(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(StoreError, match="newer version"):
        await open_store(path)


async def test_a_place_that_cannot_hold_a_file_is_refused(tmp_path: Path) -> None:
    """A folder in place of the file, or a file in place of the folder, gets a sentence."""
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "file").touch()
    for path in (tmp_path / "folder.db", tmp_path / "file" / "causerie.db"):
        with pytest.raises(StoreError, match="Cannot open the database"):
            await open_store(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A read-only folder gets a sentence."""
    await asyncio.to_thread(tmp_path.chmod, 0o500)
    with pytest.raises(StoreError, match="Permission denied"):
        await open_store(tmp_path / "causerie.db")


async def test_an_empty_file_gets_the_newest_schema(path: Path) -> None:
    """An empty file counts as a new one; every migration is entered."""
    write(path, b"")
    await (await open_store(path)).close()
    connection = sqlite3.connect(path)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    assert version == len(MIGRATIONS)
