"""SQLite: one connection that writes, with one fsync for all that waits, and one that reads."""

import asyncio
import contextlib
import functools
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Concatenate

import aiosqlite

from core import metrics
from core.errors import StoreError
from core.store.groups import Groups, Job
from core.store.sqlite_file import (
    check_there,
    data_version,
    has_tables,
    lock_file,
    prepare,
    prepare_reading,
    prepare_visit,
)
from core.store.sqlite_thread import in_thread, while_still
from core.store.sqlite_tx import look, store_error, tidy, transact
from core.store.tx import Clock, Hear, Key, P, Signal, T, Tx, Watchers

log = logging.getLogger(__name__)

# Until it is seen that an owner's command wrote to the file; a look takes 0.04 ms.
LOOK_SECONDS = 1.0


def now() -> int:
    """Return the milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class SqliteDatabase:
    """A SQLite file that commits in groups; see `core.store.tx.Database`.

    Whatever is asked for while a commit is under way becomes the next transaction: a job that
    raises undoes itself only, a COMMIT that fails fails the whole group. A job is durable when
    `run` returns (WAL, synchronous=FULL).

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
        self._writes = Groups(self._commit)
        self._reads = Groups(functools.partial(self._look, reading)) if reading else self._writes
        self._has_traces = False  # in the log, of what was wiped while somebody read it

    async def run(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `job(tx, ...)` in a transaction, off the event loop.

        A caller that is cancelled does not undo its job.

        Raises:
            StoreError: The database failed; nothing of the job was kept.
        """
        return await self._writes.add(lambda tx: job(tx, *args, **kwargs), is_synced=True)

    async def run_beside(
        self,
        key: Key,  # noqa: ARG002 - here, one runs after another
        job: Callable[Concatenate[Tx, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a job like `run`."""
        return await self.run(job, *args, **kwargs)

    async def run_unsynced(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a job like `run`, without waiting for the disk if it is alone.

        Raises:
            StoreError: The database failed; nothing of the job was kept.
        """
        return await self._writes.add(lambda tx: job(tx, *args, **kwargs))

    async def read(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a job that only looks, beside what is written.

        Raises:
            StoreError: The database failed.
        """
        return await self._reads.add(lambda tx: job(tx, *args, **kwargs))

    async def _commit(self, jobs: Sequence[Job]) -> Sequence[Any]:
        work = functools.partial(
            transact,
            is_synced=any(job.is_synced for job in jobs),
            has_traces=self._has_traces,
        )
        asked = [job.do for job in jobs]
        with _explained():
            results, signals, self._has_traces = await while_still(
                self._connection, work, asked, self._clock()
            )
        for signal in signals:
            self._watchers.tell(signal)
        return results

    async def _look(self, reading: aiosqlite.Connection, jobs: Sequence[Job]) -> Sequence[Any]:
        with _explained():
            return await while_still(reading, look, [job.do for job in jobs], self._clock())

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
            return await in_thread(self._connection, data_version)
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
        with _explained():
            self._has_traces = not await in_thread(self._connection, tidy, self._clock())

    def hang_up(self) -> None:
        """Do nothing: no server is waited for."""

    async def close(self) -> None:
        """Finish what waits, then close the file."""
        for groups in (self._reads, self._writes):
            await groups.finish()
        for connection in filter(None, (self._reading, self._connection)):
            await _disconnect(connection)
        if self._lock:
            self._lock.close()


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, ValueError) as error:  # also of a connection that is closed
        raise store_error(error) from error


async def open_sqlite(path: Path, *, clock: Clock = now) -> SqliteDatabase:
    """Open the file, creating it and bringing it to the newest schema where needed.

    The file belongs to one process at a time.

    Args:
        path: Of the file.
        clock: Tells the milliseconds since 1970.

    Raises:
        StoreError: It cannot be opened, is damaged, another program's, from a newer version, or in
            use.
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
    except BaseException:  # a signal, too: nobody else could open the file
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
        await in_thread(connection, functools.partial(has_tables, path))
        await in_thread(connection, ready)
    except sqlite3.Error as error:
        await connection.close()
        raise StoreError(f"Cannot open the database {path}: {error}.") from error
    except BaseException:  # a signal, too: the thread would outlive it
        await connection.close()
        raise
    metrics.STORE_CONNECTIONS.inc()
    return connection


async def _disconnect(connection: aiosqlite.Connection) -> None:
    await connection.close()
    metrics.STORE_CONNECTIONS.dec()
