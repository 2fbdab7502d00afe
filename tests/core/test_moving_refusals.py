"""What is not copied, and where nothing is copied to: it is said in a sentence."""

import asyncio
import os
from pathlib import Path

import psycopg
import pytest

from core.errors import StoreError
from core.store import moving, open_store
from core.store.beside import beside
from core.store.checkup_postgres import about_postgres
from core.store.postgres_connection import SERIAL
from core.store.schema import MIGRATIONS
from core.store.shape import statements
from tests.core.contents import contents, execute
from tests.core.places import KINDS, Kind, Place, make, quiet
from tests.core.storing import put
from tests.core.test_migration import earlier
from tests.servers.postgres import PostgresServer


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_is_in_the_way(full: Path, place: Place, tmp_path: Path, kind: Kind) -> None:
    """A database that a bot runs on is neither moved nor restored; one that was left, is."""
    where, other = place(kind), tmp_path / "other.db"
    store = await open_store(where)
    async with store.lead("tidy"):
        for attempt in (
            lambda: moving.migrate(where, other, quiet),
            lambda: moving.migrate(full, where, quiet),
            lambda: moving.restore(full, where, quiet, force=True),
        ):
            with pytest.raises(StoreError, match=r"Another causerie is running|A causerie runs"):
                await asyncio.to_thread(attempt)
    await store.close()
    assert not other.exists()
    moving.migrate(full, where, quiet)
    moving.migrate(where, other, quiet)


async def test_who_only_listens_is_in_the_way_too(place: Place, tmp_path: Path) -> None:
    """A listener behind a webhook leads nothing and holds no chat, but stores what comes in."""
    where = place("postgres")
    store = await open_store(where)
    with pytest.raises(StoreError, match="A causerie runs on the database; end all of them"):
        await asyncio.to_thread(moving.migrate, where, tmp_path / "other.db", quiet)
    await store.close()
    moving.migrate(where, tmp_path / "other.db", quiet)


async def test_a_lease_that_has_not_expired_is_respected(full: Path, place: Place) -> None:
    """On PostgreSQL, where others may work; and two do not copy at once."""
    where = place("postgres")
    assert isinstance(where, str)
    store = await open_store(where)
    await put(store, 1, kind="command")
    assert (await store.lease(["desk"], 1))[0]
    await store.close()
    with pytest.raises(StoreError, match=r"free in 1[3-6] s"):
        moving.restore(full, where, quiet, force=True)
    with psycopg.connect(where) as busy:
        busy.execute("SELECT pg_advisory_lock(%s)", [0x63617573])
        with pytest.raises(StoreError, match="just starting on the database, or copying"):
            moving.restore(full, where, quiet, force=True)


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("version", [1, len(MIGRATIONS) - 1])
async def test_a_backup_of_an_earlier_version_is_brought_up_to_date(
    place: Place, tmp_path: Path, target: Kind, version: int
) -> None:
    """As when the bot is started on it; and a database of an earlier version can be saved."""
    old, where = tmp_path / "old.db", place(target)
    earlier(old, version)
    moving.migrate(old, where, quiet)
    assert moving.migrate(old, where, quiet).was_done
    moving.restore(old, where, quiet, force=True)
    store = await open_store(where)
    assert [m.content for m in await store.window(1, start=0)] == ["before"]
    await store.close()
    moving.backup(old, tmp_path / "backup.db", quiet)
    assert execute(tmp_path / "backup.db", "PRAGMA user_version") == [(version,)]


def test_a_postgres_database_of_an_earlier_version_is_saved_as_it_is(
    place: Place, tmp_path: Path
) -> None:
    """So that the version that wrote it can read the backup."""
    where, version = place("postgres"), 5
    for statement in statements(SERIAL, until=version):
        execute(where, statement)
    execute(where, "CREATE TABLE version (number BIGINT NOT NULL)")
    execute(where, "INSERT INTO version (number) VALUES (?)", version)
    execute(where, "INSERT INTO chat (platform, ref, is_private, title) VALUES ('a', 'b', 0, 'c')")
    moving.backup(where, tmp_path / "backup.db", quiet)
    assert execute(tmp_path / "backup.db", "PRAGMA user_version") == [(version,)]
    assert contents(tmp_path / "backup.db") == contents(where)
    with pytest.raises(StoreError, match="from an older version"):
        asyncio.run(visit(where))
    moving.migrate(where, tmp_path / "new.db", quiet)
    assert contents(tmp_path / "new.db")["chat"][0]["title"] == "c"


async def visit(where: Path | str) -> None:
    """Open a database as a command does that runs beside a bot."""
    async with beside(where):
        pass


def test_nothing_is_moved_onto_an_earlier_database(full: Path, tmp_path: Path) -> None:
    """It holds something else."""
    earlier(tmp_path / "old.db", 3)
    with pytest.raises(StoreError, match="holds something else already"):
        moving.migrate(full, tmp_path / "old.db", quiet)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_newer_version_is_left_alone(full: Path, place: Place, kind: Kind) -> None:
    """What we do not know cannot be copied, nor overwritten."""
    where, newer = place(kind), len(MIGRATIONS) + 1
    await make(where)
    file = full.parent / "backup.db"
    if isinstance(where, Path):
        execute(where, f"PRAGMA user_version = {newer}")
    else:
        execute(where, f"UPDATE version SET number = {newer}")  # noqa: S608
    with pytest.raises(StoreError, match="from a newer version"):
        moving.migrate(where, full.parent / "other.db", quiet)
    with pytest.raises(StoreError, match="from a newer version"):
        moving.restore(full, where, quiet, force=True)
    if isinstance(where, Path):
        moving.backup(where, file, quiet)
        with pytest.raises(StoreError, match="from a newer version"):
            moving.restore(file, full.parent / "other.db", quiet)


def test_what_is_no_backup_is_told_apart(full: Path, place: Place, tmp_path: Path) -> None:
    """Another program's file, a damaged one, an empty one, none."""
    letter, strange, empty = (tmp_path / f"{name}.db" for name in ("letter", "strange", "empty"))
    letter.write_text("Dear Ann, " * 1000)
    empty.touch()
    execute(strange, "CREATE TABLE song (name TEXT)")
    damaged = tmp_path / "damaged.db"
    moving.backup(full, damaged, quiet)
    data = bytearray(damaged.read_bytes())
    [(page,)] = execute(damaged, "SELECT rootpage FROM sqlite_master WHERE name = 'inbox_open'")
    data[(page - 1) * 4096 : page * 4096] = b"\x00" * 4096
    damaged.write_bytes(data)
    for file, words in (
        (letter, "file is not a database"),
        (strange, "is no database of causerie"),
        (empty, "nothing in the database"),
        (damaged, "damaged|malformed"),
        (tmp_path / "none.db", "There is no database"),
    ):
        with pytest.raises(StoreError, match=words):
            moving.restore(file, place("sqlite"), quiet)
    with pytest.raises(StoreError, match="is no database of causerie"):
        moving.migrate(full, strange, quiet)


def test_another_programs_tables_are_left_alone(full: Path, place: Place) -> None:
    """A PostgreSQL database that something else lives in is not ours to fill."""
    where = place("postgres")
    execute(where, "CREATE TABLE message (words TEXT)")
    with pytest.raises(StoreError, match="another program"):
        moving.migrate(full, where, quiet)
    with pytest.raises(StoreError, match="nothing in the database"):
        moving.backup(place("postgres"), full.parent / "backup.db", quiet)
    assert not (full.parent / "backup.db").exists()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_an_encoding_that_spoils_words_is_refused(
    full: Path, postgres_server: PostgresServer, encoding: str
) -> None:
    """Before anything is written, and by the doctor; what it is to be is said."""
    name = f"in_{encoding.lower()}"
    how = f"ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
    postgres_server.admin(f"CREATE DATABASE {name} {how}")
    try:
        with pytest.raises(StoreError, match=f"has the encoding {encoding}; .* with UTF8"):
            moving.migrate(full, postgres_server.url(name), quiet)
        *_, found = about_postgres(postgres_server.url(name))
        assert (found.level, encoding in found.text) == ("fault", True)
        assert "ENCODING 'UTF8'" in found.fix
    finally:
        postgres_server.drop(name)


def test_a_database_is_not_copied_into_itself(full: Path) -> None:
    """However it is spelled."""
    link = full.with_name("link.db")
    link.symlink_to(full)
    for spelled in (full.parent / "." / ".." / full.parent.name / full.name, link):
        with pytest.raises(StoreError, match="the same database"):
            moving.migrate(full, spelled, quiet)


def test_two_do_not_write_the_same_file(full: Path, tmp_path: Path) -> None:
    """The second is told so; what a killed one left behind is overwritten."""
    file = tmp_path / "backup.db"
    (tmp_path / "backup.db.part").write_text("left behind")

    def progress(_label: str, _done: int, _total: int) -> None:
        with pytest.raises(StoreError, match="is writing"):
            moving.backup(full, file, quiet)

    moving.backup(full, file, progress)
    assert contents(file) == contents(full)


def test_a_folder_that_is_not_there(full: Path, tmp_path: Path) -> None:
    """Is named, with what is wrong with it."""
    nowhere = tmp_path / "nowhere" / "backup.db"
    for attempt in (
        lambda: moving.backup(full, nowhere, quiet),
        lambda: moving.migrate(full, nowhere, quiet),
    ):
        with pytest.raises(StoreError, match=r"Cannot write .*nowhere.*: No such file"):
            attempt()


def test_a_path_that_leads_nowhere(full: Path, tmp_path: Path) -> None:
    """One that cannot be looked at, or goes in circles, gets a sentence, too."""
    circle, long = tmp_path / "circle.db", tmp_path / f"{'x' * 300}.db"
    circle.symlink_to(circle)
    for attempt, words in (
        (lambda: moving.backup(full, long, quiet), r"Cannot write .*: File name too long"),
        (lambda: moving.backup(long, tmp_path / "b.db", quiet), r"Cannot read .*: File name"),
        (lambda: moving.backup(full, circle, quiet), "exists already"),
        (lambda: moving.restore(circle, full, quiet), "There is no database"),
    ):
        with pytest.raises(StoreError, match=words):
            attempt()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_can_only_be_read(full: Path, tmp_path: Path) -> None:
    """What it holds is restored; moved, it could be in use."""
    folder = tmp_path / "medium"
    folder.mkdir()
    full.rename(folder / "causerie.db")
    folder.chmod(0o500)
    moving.restore(folder / "causerie.db", full, quiet)
    with pytest.raises(StoreError, match=r"Cannot lock the database .*: Permission denied"):
        moving.migrate(folder / "causerie.db", tmp_path / "other.db", quiet)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://causerie:in-no-log@127.0.0.1:9/x", "be reached: Connection refused"),
        ("postgresql://causerie:in-no/log@127.0.0.1:9/x", "Servname not supported"),
        ("postgresql://causerie:in-no-log%zz@127.0.0.1:9/x", "should look like"),
    ],
)
def test_a_server_that_is_not_there(full: Path, url: str, words: str) -> None:
    """Is told of without any part of the password."""
    with pytest.raises(StoreError, match=words) as caught:
        moving.migrate(full, url, quiet)
    assert "in-no" not in str(caught.value)


def test_a_connection_that_breaks(full: Path, place: Place) -> None:
    """Whoever copies is told to try again."""
    where = place("postgres")

    def progress(label: str, _done: int, _total: int) -> None:
        if label == "copying message":
            execute(
                where,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <>"
                " pg_backend_pid() AND datname = current_database()",
            )

    with pytest.raises(StoreError, match="connection to the database broke"):
        moving.migrate(full, where, progress)
    moving.migrate(full, where, quiet)
