"""What only SQLite is asked: group commit, faults of the disk, one process, a private file."""

import asyncio
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import LeaseLostError, StoreError
from core.store import DatabaseStore, open_store
from core.store.sqlite import SqliteDatabase, open_sqlite
from core.store.sqlite_tx import SqliteTx, transact
from core.store.tx import Signal, Tx
from core.types import Chat, Outcome, Turn, Usage
from tests.core.house import House
from tests.core.stand_ins import StandInClock, incoming, said
from tests.core.storing import put, read, ready, take_turn


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database file that does not exist yet."""
    return tmp_path / "deep" / "causerie.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    """An open database."""
    opened = await open_sqlite(path)
    yield opened
    await opened.close()


def calibrate(tx: Tx, model: str, value: int) -> None:
    """Write a row, or fail where the value is no number above 0."""
    tx.run("INSERT INTO calibration (model, millionths) VALUES (?, ?)", model, value)
    if value < 0:
        raise LeaseLostError("negative")


def models(tx: Tx) -> list[str]:
    """Return what was written."""
    return [row["model"] for row in tx.all("SELECT model FROM calibration ORDER BY model")]


def of(store: DatabaseStore) -> SqliteDatabase:
    """Return the database behind a store."""
    database = store._database
    assert isinstance(database, SqliteDatabase)
    return database


async def test_what_waits_together_is_committed_together(database: SqliteDatabase) -> None:
    """A hundred jobs that wait for the same commit cost two commits, not a hundred."""
    found: list[str] = []
    await database._connection.set_trace_callback(found.append)
    await asyncio.gather(*(database.run(calibrate, f"{n:02}", n) for n in range(100)))
    assert found.count("COMMIT") <= 2
    assert len(await database.run(models)) == 100


async def test_a_failing_job_undoes_only_itself(database: SqliteDatabase) -> None:
    """Of a group, the jobs that raise leave nothing; the others are kept."""
    results = await asyncio.gather(
        database.run(calibrate, "a", 1),
        database.run(calibrate, "b", -1),
        database.run(calibrate, "a", 2),
        database.run(calibrate, "c", 3),
        return_exceptions=True,
    )
    assert results[0] is None
    assert isinstance(results[1], LeaseLostError)
    assert isinstance(results[2], StoreError)
    assert isinstance(results[2].__cause__, sqlite3.IntegrityError)
    assert results[3] is None
    assert await database.run(models) == ["a", "c"]


async def test_what_others_of_a_group_tell_is_told(database: SqliteDatabase) -> None:
    """Once each; what one that raises had told is not."""
    heard: list[Signal] = []
    watching = asyncio.create_task(database.watch(heard.append))
    await asyncio.sleep(0)

    def tell(tx: Tx, ref: str, value: int) -> None:
        tx.tell(("desk", ref))
        calibrate(tx, ref, value)

    jobs = [database.run(tell, "a", 1), database.run(tell, "b", -1), database.run(tell, "c", 1)]
    await asyncio.gather(*jobs, return_exceptions=True)
    watching.cancel()
    assert heard == [("desk", "a"), ("desk", "c")]


async def test_the_event_loop_goes_on_while_the_database_is_slow(
    database: SqliteDatabase,
) -> None:
    """It stands still for a moment only."""
    went_on = threading.Event()

    def wait(_: Tx) -> bool:
        return went_on.wait(10)

    waiting = asyncio.create_task(database.run(wait))
    await asyncio.sleep(0.001)
    went_on.set()
    assert await waiting


async def test_the_event_loop_goes_on_while_the_disk_is_waited_for() -> None:
    """What is left is the COMMIT, which takes as long as the disk does."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE calibration (model, millionths)")
        open_when_done: list[bool] = []
        transact(
            connection,
            lambda: open_when_done.append(connection.in_transaction),
            [lambda tx: calibrate(tx, "a", 1)],
            0,
        )
        assert open_when_done == [True]
        assert connection.execute("SELECT model FROM calibration").fetchall() == [("a",)]


async def test_only_what_has_to_outlast_the_process_waits_for_the_disk(
    database: SqliteDatabase,
) -> None:
    """A lease alone does not; together with anything else it does, and then all does again."""
    full, normal = 2, 1  # SQLite's documentation, "PRAGMA synchronous"

    def level(tx: Tx) -> int:
        [row] = tx.all("PRAGMA synchronous")
        return int(row["synchronous"])

    def fail(tx: Tx) -> None:
        raise LeaseLostError(str(level(tx)))

    assert await database.run_unsynced(level) == normal
    both = database.run(level), database.run_unsynced(level)
    assert {*await asyncio.gather(*both)} == {full}
    with pytest.raises(LeaseLostError, match=str(normal)):
        await database.run_unsynced(fail)
    assert await database.run(level) == full


async def test_a_query_that_fails_is_told(database: SqliteDatabase) -> None:
    """In a sentence of ours; the log says why."""
    with pytest.raises(StoreError, match="the log of the bot says why"):
        await database.run(read, "SELECT * FROM nowhere")


async def test_a_commit_that_fails_fails_its_whole_group(database: SqliteDatabase) -> None:
    """Nobody is told that a job is durable when the commit did not happen."""

    def defer(tx: Tx) -> None:
        tx.run("PRAGMA defer_foreign_keys = ON")
        tx.run("INSERT INTO dead VALUES (1, 404, '', '', 0)")  # fails at COMMIT: no such chat

    results = await asyncio.gather(
        database.run(calibrate, "a", 1), database.run(defer), return_exceptions=True
    )
    assert [type(result) for result in results] == [StoreError, StoreError]
    await database.run(calibrate, "b", 1)
    assert await database.run(models) == ["b"]


async def test_a_cancelled_caller_does_not_undo_its_job(database: SqliteDatabase) -> None:
    """Who stops waiting neither stops the job nor disturbs the others of its group."""
    waiting = asyncio.create_task(database.run(calibrate, "a", 1))
    other = asyncio.create_task(database.run(calibrate, "b", 1))
    await asyncio.sleep(0)
    waiting.cancel()
    await other
    assert waiting.cancelled()
    assert await database.run(models) == ["a", "b"]


async def test_a_full_disk_is_told_and_survived(path: Path) -> None:
    """What does not fit is refused in plain words and leaves nothing; room heals it."""
    store = await open_store(path)
    database = of(store)
    pages = await database.run(read, "PRAGMA page_count")
    await database.run(read, f"PRAGMA max_page_count = {pages[0]['page_count']}")
    with pytest.raises(StoreError, match="disk is full"):
        await store.put(incoming(1, "x" * 100_000), "message")
    results = await asyncio.gather(
        store.put(incoming(1, "x" * 100_000), "message"), store.known("x"), return_exceptions=True
    )
    assert isinstance(results[0], StoreError)
    await database.run(read, "PRAGMA max_page_count = 100000")
    assert await store.put(incoming(1, "x" * 100_000), "message")
    await store.close()


async def test_finish_is_atomic(store: DatabaseStore, clock: StandInClock) -> None:
    """A turn whose end cannot be stored as a whole leaves no part of it, and can end later."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    broken = Outcome(text="hi", history=(said("q"), said("a", tokens=0)))
    with pytest.raises(StoreError):
        await store.finish(lease, turn, broken)
    assert await store.window(lease.chat_id, start=0) == []
    whole = Outcome(text="hi", history=(said("q"), said("a")))
    assert await store.finish(lease, turn, whole)
    assert len(await store.window(lease.chat_id, start=0)) == 2


async def test_what_was_given_up_is_kept_for_the_owner(
    store: DatabaseStore, clock: StandInClock
) -> None:
    """Every message of a buried turn lies in the table of the dead, with the reason."""
    await put(store, 1, 2)
    lease, turn = await take_turn(store, clock)
    await store.finish(lease, turn, Outcome(text="sorry", buried="poison"))
    rows = await store._run(read, "SELECT * FROM dead ORDER BY inbox_id")
    assert [(row["inbox_id"], row["reason"]) for row in rows] == [
        (turn.ids[0], "poison"),
        (turn.ids[1], "poison"),
    ]


async def test_usage_is_entered_once(store: DatabaseStore, clock: StandInClock) -> None:
    """Every paid call stands in the ledger with its chat, turn and person."""
    call = Usage(purpose="chat", model="m", input=5, output=3, seconds=1.5)
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    await store.finish(lease, turn, Outcome(usage=(call, call)))
    await store.compact(lease.chat_id, old=7, new=9, summary="lost", usage=(call,))
    rows = await store._run(read, "SELECT * FROM usage ORDER BY id")
    assert [(row["turn"], row["person"], row["output"]) for row in rows] == [
        (turn.id, "desk:1", 3),
        (turn.id, "desk:1", 3),
        (None, "", 3),
    ]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_the_window_costs_what_it_returns(store: DatabaseStore) -> None:
    """3,000 tokens cost the same out of 200,000 messages as out of 2,000: counted in opcodes."""

    def fill(tx: Tx, chat: int, count: int) -> None:
        assert isinstance(tx, SqliteTx)
        tx._connection.executemany(
            "INSERT INTO message (chat_id, turn, role, name, content, tokens, total, created_at)"
            " VALUES (?, 1, 'user', '', 'hello', 30, ?, 0)",
            ((chat, 30 * (number + 1)) for number in range(count)),
        )
        tx.run("UPDATE chat SET total = ? WHERE id = ?", 30 * count, chat)

    async def opcodes(chat: int) -> int:
        connection = of(store)._connection
        counted = 0

        def step() -> int:
            nonlocal counted
            counted += 1
            return 0

        await connection.set_progress_handler(step, 10)
        assert len(await store.window(chat, start=0, tokens=3_000)) == 100
        await connection.set_progress_handler(lambda: 0, 0)
        return counted

    for number in (1, 2):
        chat = Chat(platform="desk", ref=str(number), is_private=True)
        await put(store, number, chat=chat)
    await store._run(fill, 1, 2_000)
    await store._run(fill, 2, 200_000)
    small, large = await opcodes(1), await opcodes(2)
    assert large <= small * 1.1 + 1


async def test_the_file_is_private(path: Path) -> None:
    """Nobody else on the machine can read what people wrote."""
    store = await open_store(path)
    await put(store, 1)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    await store.close()
    assert modes == {f"causerie.db{end}": 0o600 for end in ("", "-wal", "-shm", ".lock")}


async def test_everything_is_there_again_after_reopening(path: Path) -> None:
    """What was put is durable, leases of the last process are free, attempts still count."""
    clock = StandInClock()
    store = await open_store(path, clock=clock)
    await put(store, 1)
    await take_turn(store, clock)
    await store.close()
    store = await open_store(path, clock=clock)
    [(_, turn)] = await ready(store)
    assert isinstance(turn, Turn)
    assert turn.attempts == 2
    await store.close()


async def test_closing_finishes_what_waits(path: Path) -> None:
    """A job that was asked for before the end is kept; one that comes later is refused."""
    store = await open_store(path)
    waiting = asyncio.create_task(store.put(incoming(1), "message"))
    await asyncio.sleep(0)
    await store.close()
    assert await waiting
    with pytest.raises(StoreError):
        await store.put(incoming(2), "message")
    store = await open_store(path)
    assert not await store.put(incoming(1), "message")
    await store.close()


async def test_what_a_disk_loses_is_not_promised(path: Path) -> None:
    """Every commit is synced: the settings that durability rests on are in force."""
    database = await open_sqlite(path)
    for name, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
        rows = await database.run(read, f"PRAGMA {name}")
        assert rows[0][name] == value
    await database.close()


async def test_deaths_of_the_process_weigh_less_than_failures(tmp_path: Path) -> None:
    """A message in whose course the process died ten times is answered all the same."""
    path, clock = tmp_path / "causerie.db", StandInClock()
    for _ in range(10):
        dying = await open_store(path, clock=clock)
        await dying.put(incoming(1, "hi"), "message")
        await take_turn(dying, clock)
        await dying.close()
    store = await open_store(path)
    house = House(store=store)
    async with house.running():
        assert await house.bot.until(1) == ["You said: hi"]
    await store.close()
