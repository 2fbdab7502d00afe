"""Everything that is kept, copied: nothing is missing, and nothing is half done."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import psycopg
import pytest

from core.errors import StoreError
from core.store import moving, open_store
from core.store.copying import Copied
from core.store.schema import MIGRATIONS
from core.store.shape import FLEETING, tables
from core.types import Outcome
from tests.core.contents import contents, execute, fill_every_column
from tests.core.stand_ins import CHAT, incoming
from tests.core.storing import put
from tests.core.test_migration import earlier
from tests.servers.postgres import PostgresServer

Kind = Literal["sqlite", "postgres"]
Place = Callable[[Kind], Path | str]
KINDS: tuple[Kind, ...] = ("sqlite", "postgres")


@pytest.fixture
def place(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Place]:
    """Return what names databases that are not there yet, or are empty."""
    made: list[str] = []

    def make(kind: Kind) -> Path | str:
        if kind == "sqlite":
            made.append("")
            return tmp_path / f"{len(made)}.db"
        made.append(postgres_server.create())
        return postgres_server.url(made[-1])

    yield make
    for name in filter(None, made):
        postgres_server.drop(name)


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A database with something in every column."""
    path = tmp_path / "full.db"
    asyncio.run(make(path))
    fill_every_column(path)
    return path


async def make(where: Path | str) -> None:
    """Make a database."""
    await (await open_store(where)).close()


def quiet(_label: str, _done: int, _total: int) -> None:
    """Look away."""


def copied(full: Path, kind: Kind, place: Place) -> Path | str:
    """Return a database of a kind that holds what `full` does."""
    where = place(kind)
    moving.migrate(full, where, quiet)
    return where


@pytest.mark.parametrize(("origin", "target"), [KINDS, KINDS[::-1]])
def test_every_column_of_every_table_is_moved(
    full: Path, place: Place, origin: Kind, target: Kind
) -> None:
    """From either kind of database; as their own catalogues name tables and columns."""
    before = contents(full)
    assert set(before) == {table.name for table in tables()}
    source, where = copied(full, origin, place), place(target)
    done = moving.migrate(source, where, quiet)
    assert contents(where) == contents(source) == contents(full) == before
    assert (done.rows, done.tables) == (sum(map(len, before.values())), len(before))


def test_no_table_is_left_out_by_oversight() -> None:
    """Whoever adds a table, or a type of column, thinks of moving it."""
    with closing(sqlite3.connect(":memory:")) as scratch:
        for statement in (s for migration in MIGRATIONS for s in migration):
            scratch.execute(statement.replace("{serial}", "INTEGER PRIMARY KEY AUTOINCREMENT"))
        columns = scratch.execute(
            "SELECT m.name, i.name, i.type FROM sqlite_master m, pragma_table_info(m.name) i"
            " WHERE m.type = 'table' AND m.name <> 'sqlite_sequence'"
        ).fetchall()
    moved = {(table.name, column) for table in tables() for column in table.columns}
    assert {(table, column) for table, column, _ in columns if table not in FLEETING} == moved
    assert {"lead"} == FLEETING
    # What copying was made for; see its checksums before adding another.
    assert {kind for _, _, kind in columns} == {"INTEGER", "BIGINT", "SMALLINT", "TEXT", "BYTEA"}


@pytest.mark.parametrize(("origin", "target"), [KINDS, KINDS[::-1]])
async def test_ids_are_never_given_twice(
    tmp_path: Path, place: Place, origin: Kind, target: Kind
) -> None:
    """Not even those of rows that were deleted before the copy was made."""
    first, source, where = tmp_path / "first.db", place(origin), place(target)
    store = await open_store(first)
    await put(store, 1, 2, 3)
    await store.withdraw(CHAT, "3")
    await store.close()
    moving.migrate(first, source, quiet)
    moving.migrate(source, where, quiet)
    store = await open_store(where)
    await put(store, 4)
    await store.close()
    assert [row["id"] for row in contents(where)["inbox"]] == [1, 2, 4]


@pytest.mark.parametrize("target", KINDS)
async def test_a_chat_that_was_held_is_free(tmp_path: Path, place: Place, target: Kind) -> None:
    """A process that was killed holds nothing in the copy; a late worker of it is late."""
    store = await open_store(tmp_path / "a.db", clock=lambda: 1000)
    await put(store, 1, kind="command")
    [(lease, turn)], _ = await store.lease(["desk"], 1)
    await store.close()
    where = place(target)
    moving.migrate(tmp_path / "a.db", where, quiet)
    assert [row["is_leased"] for row in contents(where)["chat"]] == [0]
    store = await open_store(where)
    with pytest.raises(StoreError, match="Another worker"):
        await store.finish(lease, turn, Outcome())  # type: ignore[arg-type]
    assert len((await store.lease(["desk"], 1))[0]) == 1
    await store.close()


def test_what_postgres_cannot_store_is_replaced(full: Path, place: Place) -> None:
    """Zero bytes, and bytes that are no text, become the sign for that; checksums agree."""
    execute(full, "UPDATE message SET content = 'a' || char(0) || 'b' WHERE id = 1")
    execute(full, "UPDATE message SET content = CAST(x'61FF62' AS TEXT) WHERE id = 2")
    where = place("postgres")
    moving.migrate(full, where, quiet)
    said = execute(where, "SELECT content FROM message ORDER BY id")
    assert said == [("a\ufffdb",), ("a\ufffdb",)]
    assert moving.migrate(full, where, quiet).was_done


@pytest.mark.parametrize("target", KINDS)
def test_what_was_moved_is_recognised(full: Path, place: Place, target: Kind) -> None:
    """Run again, it does nothing; run with something else, it refuses and does nothing."""
    where = copied(full, target, place)
    before = contents(where)
    done = moving.migrate(full, where, quiet)
    assert done == Copied(rows=sum(map(len, before.values())), tables=len(before), was_done=True)
    execute(full, "UPDATE chat SET title = 'another' WHERE id = 1")
    with pytest.raises(StoreError, match="holds something else already"):
        moving.migrate(full, where, quiet)
    assert contents(where) == before


@pytest.mark.parametrize("target", KINDS)
async def test_a_database_that_was_only_started_is_empty(
    full: Path, place: Place, target: Kind
) -> None:
    """Tables alone are in nobody's way."""
    where = place(target)
    await make(where)
    moving.migrate(full, where, quiet)
    assert contents(where) == contents(full)
    await make(where)


class Broken(Exception):  # noqa: N818 - no error of ours
    """Raised in the middle."""


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("label", ["copying message", "checking usage"])
def test_what_breaks_off_has_done_nothing(
    full: Path, place: Place, target: Kind, label: str
) -> None:
    """The target is as it was, and the next attempt completes."""
    where = place(target)

    def progress(done: str, _done: int, _total: int) -> None:
        if done == label:
            raise Broken

    with pytest.raises(Broken):
        moving.migrate(full, where, progress)
    if isinstance(where, Path):
        assert not list(where.parent.glob(f"{where.name}*[!k]"))
    else:
        assert execute(where, "SELECT to_regclass('chat')") == [(None,)]
    moving.migrate(full, where, quiet)
    assert contents(where) == contents(full)


def test_what_was_written_wrong_is_noticed(full: Path, place: Place) -> None:
    """A server that stores something else than it was given is not believed."""
    where = place("postgres")
    assert isinstance(where, str)
    execute(
        where,
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN NEW.content := 'spoilt'; RETURN NEW; END$$",
    )
    execute(
        where,
        "CREATE FUNCTION add() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$BEGIN IF to_regclass('message') IS NOT NULL AND NOT EXISTS"
        " (SELECT FROM pg_trigger WHERE tgname = 'spoils') THEN CREATE TRIGGER spoils"
        " BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION spoil(); END IF; END$$",
    )
    execute(where, "CREATE EVENT TRIGGER adds ON ddl_command_end EXECUTE FUNCTION add()")
    with pytest.raises(StoreError, match="table message is not what was read"):
        moving.migrate(full, where, quiet)
    assert execute(where, "SELECT to_regclass('chat')") == [(None,)]


def test_a_full_disk_or_a_refusal_is_said(full: Path, place: Place) -> None:
    """In a sentence without anything of what was to be stored."""
    where = place("postgres")
    assert isinstance(where, str)
    execute(where, "DROP ROLE IF EXISTS guest")
    execute(where, "CREATE ROLE guest LOGIN")
    execute(where, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    with pytest.raises(StoreError, match="refuses: permission denied for schema public"):
        moving.migrate(full, where.replace("//causerie:", "//guest:"), quiet)
    execute(full, "UPDATE inbox SET attempts = 70000")  # more than the column takes elsewhere
    with pytest.raises(StoreError, match=r"failed \(NumericValueOutOfRange, 22003\)"):
        moving.migrate(full, where, quiet)


@pytest.mark.parametrize("origin", KINDS)
@pytest.mark.parametrize("target", KINDS)
def test_a_backup_is_restored(full: Path, place: Place, origin: Kind, target: Kind) -> None:
    """Into either kind, from either kind, over what was there if that is wanted."""
    source, where = copied(full, origin, place), place(target)
    file = full.parent / "backup.db"
    moving.backup(source, file, quiet)
    assert file.stat().st_mode & 0o777 == 0o600
    assert not list(full.parent.glob("backup.db?*"))
    moving.restore(file, where, quiet)
    assert contents(where) == contents(file) == contents(full)
    execute(where, "UPDATE chat SET title = 'another'")
    with pytest.raises(StoreError, match="which --force deletes"):
        moving.restore(file, where, quiet)
    moving.restore(file, where, quiet, force=True)
    assert contents(where) == contents(full)
    with pytest.raises(StoreError, match="exists already"):
        moving.backup(source, file, quiet)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_backup_is_made_while_a_bot_writes(
    place: Place, tmp_path: Path, kind: Kind
) -> None:
    """It holds what was there at one moment, and the bot does not wait for it."""
    where = place(kind)
    store = await open_store(where)
    await put(store, *range(20))
    file = tmp_path / "backup.db"
    loop = asyncio.get_running_loop()

    def progress(_label: str, done: int, _total: int) -> None:
        if done == 0:
            number = 100 + len(execute(where, "SELECT 1 FROM inbox"))
            stored = store.put(incoming(number), "message")
            assert asyncio.run_coroutine_threadsafe(stored, loop).result(10)

    await asyncio.to_thread(moving.backup, where, file, progress)
    await store.close()
    assert len(contents(where)["inbox"]) > 20
    kept = contents(file)
    assert 20 <= len(kept["inbox"]) < len(contents(where)["inbox"])
    last = max(int(row["message"]) for row in kept["inbox"])
    assert [row["seen_at"] for row in kept["chat"]] == [last]


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


async def test_a_lease_that_has_not_expired_is_respected(full: Path, place: Place) -> None:
    """On PostgreSQL, where others may work; and two do not copy at once."""
    where = place("postgres")
    assert isinstance(where, str)
    store = await open_store(where)
    await put(store, 1, kind="command")
    assert (await store.lease(["desk"], 1))[0]
    await store.close()
    with pytest.raises(StoreError, match=r"free in (29|30|31) s"):
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


async def test_a_postgres_database_of_an_earlier_version_is_saved_as_it_is(
    full: Path, place: Place, tmp_path: Path
) -> None:
    """So that the version that wrote it can read the backup."""
    where = copied(full, "postgres", place)
    version = 1 + next(n for n, m in enumerate(MIGRATIONS) if "CREATE TABLE lead" in "".join(m))
    newer = [name for name in contents(where) if name not in {t.name for t in tables(version)}]
    for name in newer:
        execute(where, f"DROP TABLE {name}")
    execute(where, f"UPDATE version SET number = {version}")  # noqa: S608
    moving.backup(where, tmp_path / "backup.db", quiet)
    assert execute(tmp_path / "backup.db", "PRAGMA user_version") == [(version,)]
    assert contents(tmp_path / "backup.db") == contents(where)


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


def test_a_database_is_not_copied_into_itself(full: Path) -> None:
    """However it is spelled."""
    with pytest.raises(StoreError, match="the same database"):
        moving.migrate(full, full.parent / "." / ".." / full.parent.name / full.name, quiet)


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
