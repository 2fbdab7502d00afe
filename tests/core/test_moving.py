"""Everything that is kept, copied: nothing is missing, and nothing is half done."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import StoreError
from core.store import moving, open_store
from core.store.copying import Copied
from core.store.schema import MIGRATIONS
from core.store.shape import FLEETING, tables
from core.types import Outcome
from tests.core.contents import contents, execute
from tests.core.places import KINDS, Kind, Place, copied, make, quiet
from tests.core.stand_ins import CHAT, incoming
from tests.core.storing import put


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


def test_a_link_stays_one(full: Path, tmp_path: Path) -> None:
    """What is restored takes the place of what it leads to, of which nothing is left."""
    disk, link = tmp_path / "disk", tmp_path / "link.db"
    disk.mkdir()
    asyncio.run(make(disk / "causerie.db"))
    execute(disk / "causerie.db", "INSERT INTO chore VALUES ('old', 0)")
    link.symlink_to(disk / "causerie.db")
    moving.restore(full, link, quiet, force=True)
    assert link.is_symlink()
    assert contents(disk / "causerie.db") == contents(full)


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
