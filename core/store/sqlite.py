"""SQLite: a thread that writes, with one fsync for all that waits together, and one that reads."""

import asyncio
import contextlib
import contextvars
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Concatenate

import aiosqlite

from core import metrics
from core.errors import StoreError
from core.store.sqlite_file import (
    check_there,
    data_version,
    lock_file,
    prepare,
    prepare_reading,
    prepare_visit,
)
from core.store.tx import Clock, Hear, P, Signal, T, Tx, Watchers

log = logging.getLogger(__name__)

_Job = tuple[asyncio.Future[Any], Callable[[Tx], Any]]

HOUR_MS = 60 * 60 * 1000
# What is written anew in 0.7 s, on the disk of 2026-11: once an hour, it takes 0.02 % of the time.
HOURLY_BYTES = 100_000_000
# Until it is seen that an owner's command wrote to the file; a look takes 0.04 ms.
LOOK_SECONDS = 1.0


def now() -> int:
    """Return the milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class SqliteTx:
    """An open transaction; see `core.store.tx.Tx`.

    Attributes:
        wipes: It deletes words that nobody shall find in the files afterwards.
        signals: What it lets others know.
    """

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        self._connection = connection
        self.now = now
        self.wipes = False
        self.signals: list[Signal] = []

    def run(self, sql: str, *values: object) -> int:
        """Execute a statement; return how many rows it changed."""
        return self._execute(sql, values).rowcount

    def all(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        return self._read(sql, values, sqlite3.Cursor.fetchall)

    def one(self, sql: str, *values: object) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        row: sqlite3.Row | None = self._read(sql, values, sqlite3.Cursor.fetchone)
        return row

    def lock(self, sql: str, *values: object, skip: bool = False) -> list[sqlite3.Row]:  # noqa: ARG002
        """Return all rows of a query; there is one transaction at a time."""
        return self.all(sql, *values)

    def tell(self, signal: Signal) -> None:
        """Let whoever watches know."""
        self.signals.append(signal)

    def wipe(self) -> None:
        """Leave no trace of what this transaction deletes: at once in the log, soon in the file.

        SQLite zeroes what is deleted (`secure_delete`), but may leave a copy of a row behind
        where it splits a page (up to 1 in 250 where rows grow, as measured in 2026-11), until
        the whole file is written anew; see `SqliteDatabase.tidy`.
        """
        self.wipes = True
        self.run(
            "INSERT INTO chore (name, at) VALUES ('wiped', ?) ON CONFLICT (name) DO NOTHING",
            self.now,
        )

    def _read(self, sql: str, values: Sequence[object], fetch: Callable[[sqlite3.Cursor], T]) -> T:
        try:
            return fetch(self._execute(sql, values))
        except sqlite3.OperationalError as error:
            # Bytes that are no UTF-8, on a damaged disk: the error quotes them, and would keep
            # every row of the query from being read. What is not a query may not run twice.
            if "decode" not in str(error) or not sql.startswith("SELECT"):
                raise
        self._connection.text_factory = lambda text: text.decode("utf-8", "replace")
        try:
            return fetch(self._execute(sql, values))
        finally:
            self._connection.text_factory = str

    def _execute(self, sql: str, values: Sequence[object]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, values)
        except UnicodeEncodeError:  # a lone surrogate, which no UTF-8 can carry
            return self._connection.execute(sql, [_sound(value) for value in values])


class SqliteDatabase:
    """A SQLite file that commits in groups; see `core.store.tx.Database`.

    Whatever is asked for while a commit is under way becomes the next transaction, each job
    in a savepoint of its own: a job that raises undoes itself only, a COMMIT that fails fails
    the whole group. A job is durable when `run` returns (WAL, synchronous=FULL).

    Args:
        connection: What writes.
        reading: What only reads, beside that; None to have one do both.
        lock: Closed in the end; it keeps other processes out.
        clock: Tells the milliseconds since 1970.
    """

    def __init__(
        self,
        connection: aiosqlite.Connection,
        reading: aiosqlite.Connection | None = None,
        lock: BinaryIO | None = None,
        *,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._reading = reading
        self._lock = lock
        self._clock = clock
        self._watchers = Watchers()
        self._waiting: list[_Job] = []
        self._committing: asyncio.Task[None] | None = None

    async def run(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `job(tx, ...)` in a transaction, off the event loop.

        A caller that is cancelled does not undo its job.

        Raises:
            StoreError: The database failed; nothing of the job was kept.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((future, lambda tx: job(tx, *args, **kwargs)))
        if self._committing is None:
            # It goes on for others than this caller, so that it is nobody's work in the log.
            self._committing = asyncio.create_task(
                self._commit_waiting(), context=contextvars.Context()
            )
        return await future

    async def read(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a job that only looks, beside what is written.

        Raises:
            StoreError: The database failed.
        """
        if self._reading is None:
            return await self.run(job, *args, **kwargs)
        look: Callable[[Tx], T] = lambda tx: job(tx, *args, **kwargs)  # noqa: E731
        try:
            return await _in_thread(self._reading, _look, look, self._clock())
        except (sqlite3.Error, ValueError) as error:
            raise _store_error(error) from error

    async def _commit_waiting(self) -> None:
        while self._waiting:
            jobs, self._waiting = self._waiting, []
            signals: list[Signal] = []
            try:
                results, signals = await _in_thread(
                    self._connection, _transact, [job for _, job in jobs], self._clock()
                )
            except (sqlite3.Error, ValueError) as error:
                results = [_store_error(error)] * len(jobs)
            for (future, _), result in zip(jobs, results, strict=True):
                if future.done():
                    continue
                if isinstance(result, BaseException):
                    future.set_exception(result)
                else:
                    future.set_result(result)
            for signal in signals:
                self._watchers.tell(signal)
        self._committing = None

    async def tell(self, signal: Signal) -> None:
        """Let whoever watches know."""
        self._watchers.tell(signal)

    async def watch(self, hear: Hear) -> None:
        """Call `hear` with every signal, and when a command wrote to the file, until cancelled."""
        with self._watchers.added(hear):
            seen = await self._version()
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                version = await self._version()
                if version != seen:
                    hear(None)
                seen = version

    async def _version(self) -> int:
        """Return what changes when another process has committed something."""
        try:
            return await _in_thread(self._connection, data_version)
        except (sqlite3.Error, ValueError) as error:
            log.warning("cannot see whether the file was written to: %s", error)
            return -1

    @contextlib.asynccontextmanager
    async def lead(self, _: str) -> AsyncIterator[asyncio.Event]:
        """Lead at once: the file belongs to this process."""
        yield asyncio.Event()

    async def tidy(self) -> None:
        """Let the files hold nothing that was wiped; to be called every hour.

        The larger the file, the more rarely it is written anew: once an hour for every 100 MB.

        Raises:
            StoreError: The database failed; there may be no room for a second file.
        """
        try:
            await _in_thread(self._connection, _tidy, self._clock())
        except (sqlite3.Error, ValueError) as error:
            raise _store_error(error) from error

    async def close(self) -> None:
        """Finish what waits, then close the file."""
        if self._committing:
            await self._committing
        for connection in filter(None, (self._reading, self._connection)):
            await _disconnect(connection)
        if self._lock:
            self._lock.close()


async def _in_thread(connection: aiosqlite.Connection, work: Callable[..., T], *args: object) -> T:
    # aiosqlite has no public way to run a function in its thread: its version is pinned to the
    # series whose private one is known to work, and every test of the store runs through here.
    execute: Callable[..., Awaitable[T]] = connection._execute  # noqa: SLF001
    return await execute(work, connection._conn, *args)  # noqa: SLF001


def _transact(
    connection: sqlite3.Connection, jobs: Sequence[Callable[[Tx], Any]], now: int
) -> tuple[list[Any], list[Signal]]:
    transactions = [SqliteTx(connection, now) for _ in jobs]
    connection.execute("BEGIN IMMEDIATE")
    try:
        results = [
            _attempt(tx, connection, job) for tx, job in zip(transactions, jobs, strict=True)
        ]
        connection.execute("COMMIT")
    except BaseException:  # whatever it was, no transaction may stay open
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    if any(tx.wipes for tx in transactions):
        try:
            _empty_log(connection)
        except sqlite3.Error as error:  # what was committed is; `tidy` tries again
            log.warning("traces of what was deleted stay for now: %s", error)
    return results, [signal for tx in transactions for signal in tx.signals]


def _look(connection: sqlite3.Connection, job: Callable[[Tx], T], now: int) -> T:
    connection.execute("BEGIN")
    try:
        return job(SqliteTx(connection, now))
    finally:
        connection.execute("ROLLBACK")


def _empty_log(connection: sqlite3.Connection) -> None:
    """Move what is committed into the file itself, and cut the log, which holds what it was."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _tidy(connection: sqlite3.Connection, now: int) -> None:
    chores = dict(connection.execute("SELECT name, at FROM chore").fetchall())
    [(size,)] = connection.execute(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    ).fetchall()
    pause = HOUR_MS * size // HOURLY_BYTES
    if "wiped" in chores and now >= chores.get("rewritten", 0) + pause:
        connection.execute("VACUUM")
        connection.execute("DELETE FROM chore")
        connection.execute("INSERT INTO chore (name, at) VALUES ('rewritten', ?)", (now,))
    _empty_log(connection)


def _attempt(tx: SqliteTx, connection: sqlite3.Connection, job: Callable[[Tx], Any]) -> Any:  # noqa: ANN401
    connection.execute("SAVEPOINT job")
    try:
        result = job(tx)
    except BaseException as error:  # handed to whoever asked for the job, below
        if not connection.in_transaction:
            raise  # SQLite rolled the whole group back (disk full, I/O error)
        connection.execute("ROLLBACK TO job")
        tx.signals.clear()
        result = _store_error(error) if isinstance(error, sqlite3.Error) else error
    connection.execute("RELEASE job")
    return result


def _sound(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _store_error(error: BaseException) -> StoreError:
    log.error("database failed: %s", error)
    if "full" in str(error):
        return StoreError("The disk is full: nothing new can be stored.")
    mapped = StoreError("The database failed; the log of the bot says why.")
    mapped.__cause__ = error
    return mapped


async def open_sqlite(path: Path, *, clock: Clock = now) -> SqliteDatabase:
    """Open the file, creating it and bringing it to the newest schema where needed.

    The file belongs to one process at a time.

    Args:
        path: Of the file.
        clock: Tells the milliseconds since 1970.

    Raises:
        StoreError: It cannot be opened, is damaged, from a newer version, or in use.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Tried here first: aiosqlite's thread outlives an attempt of its own that fails.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        lock = lock_file(path)
    except OSError as error:
        raise StoreError(f"Cannot open the database {path}: {error.strerror}.") from error
    writing = None
    try:
        writing = await _connect(path, prepare)
        reading = await _connect(path, prepare_reading)
    except StoreError:
        if writing:
            await _disconnect(writing)
        lock.close()
        raise
    return SqliteDatabase(writing, reading, lock, clock=clock)


async def visit_sqlite(path: Path) -> SqliteDatabase:
    """Open a file for a transaction or two, beside the process that it belongs to.

    That waits while one of them lasts, and hears within a second what was changed.

    Args:
        path: Of the file.

    Raises:
        StoreError: It is not there, is damaged, or from another version.
    """
    check_there(path)
    return SqliteDatabase(await _connect(path, prepare_visit), clock=now)


async def _connect(
    path: Path, ready: Callable[[sqlite3.Connection], None]
) -> aiosqlite.Connection:
    connection = aiosqlite.connect(path, isolation_level=None)
    try:
        await connection
        await _in_thread(connection, ready)
    except (sqlite3.Error, StoreError) as error:
        await connection.close()
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"Cannot open the database {path}: {error}.") from error
    metrics.STORE_CONNECTIONS.inc()
    return connection


async def _disconnect(connection: aiosqlite.Connection) -> None:
    await connection.close()
    metrics.STORE_CONNECTIONS.dec()
