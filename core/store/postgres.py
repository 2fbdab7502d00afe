"""PostgreSQL: as many connections as transactions run side by side, shared by many processes."""

import asyncio
import contextlib
import contextvars
import functools
import logging
import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate

import psycopg
from psycopg import errors

from core import metrics
from core.errors import StoreError
from core.store.leading import lead
from core.store.postgres_connection import (
    OPTIONS,
    Connection,
    connect,
    cut,
    migrate,
    plain,
    sound,
    store_error,
    unreachable,
)
from core.store.postgres_news import CHANNEL, notify, told
from core.store.postgres_wire import CHANGED, Result, Wire
from core.store.tx import Clock, P, Row, Signal, T, Tx, Watchers

log = logging.getLogger(__name__)

# Of one process. Each more takes some percent of CPU, to wait for the others; fewer would not do
# 250 turns a second with a server half a millisecond away.
CONNECTIONS = 6
RECONNECT_SECONDS = 1.0
GATHER_SECONDS = 0.01
CLOSE_SECONDS = 2.0  # for what waits to be finished
MOST_TRIES = 10
# What a transaction met that ran at the same time; it is undone, and may be run again.
_COLLISIONS = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.UniqueViolation,
    CHANGED,
)

# Tables that something is wiped from.
_WIPED = "inbox, outbox, outbox_file, message, chat, person, dead, receipt, admitted"
# What is wiped from here on is another chore; one that a process began and did not end stays.
_TAKE_UP = """
    WITH taken AS (DELETE FROM chore WHERE name = 'wiped' RETURNING at)
    INSERT INTO chore (name, at) SELECT 'wiping', at FROM taken ON CONFLICT (name) DO NOTHING
"""


class PostgresTx:
    """An open transaction; see `core.store.tx.Tx`.

    It begins with the first statement that is more than a query: until then each sees what was
    committed before it, as all do at READ COMMITTED.

    Attributes:
        signals: What it lets others know.
    """

    def __init__(self, wire: Wire, now: int) -> None:
        self._wire = wire
        self.now = now
        self.signals: list[Signal] = []

    def run(self, sql: str, *values: object) -> int:
        """Execute a statement; return how many rows it changed."""
        return self._execute(sql, values).size

    def all(self, sql: str, *values: object) -> Sequence[Row]:
        """Return all rows of a query."""
        return self._execute(sql, values).rows

    def one(self, sql: str, *values: object) -> Row | None:
        """Return the first row of a query, or None."""
        return next(iter(self._execute(sql, values).rows), None)

    def lock(self, sql: str, *values: object, skip: bool = False) -> Sequence[Row]:
        """Return all rows of a query, locked."""
        return self.all(f"{sql} FOR UPDATE{' SKIP LOCKED' if skip else ''}", *values)

    def wipe(self) -> None:
        """Have the tables cleaned soon: what is deleted is overwritten when its room is needed."""
        self.run(
            "INSERT INTO chore (name, at) VALUES ('wiped', ?) ON CONFLICT (name) DO NOTHING",
            self.now,
        )

    def tell(self, signal: Signal) -> None:
        """Let whoever watches know."""
        self.signals.append(signal)

    def _execute(self, sql: str, values: Sequence[object]) -> Result:
        if not self._wire.is_begun and not _is_query(sql):
            self._wire.begin()
        try:
            return self._wire.execute(sql, values)
        except (UnicodeEncodeError, psycopg.DataError):
            cleaned = [sound(value) for value in values]
            if cleaned == list(values):
                raise
        return self._wire.execute(sql, cleaned)


class PostgresDatabase:
    """A PostgreSQL database; see `core.store.tx.Database`.

    Transactions run side by side, each in a thread with a connection of its own, at READ
    COMMITTED: they lock the rows that they decide by. One that got into another's way, or whose
    connection was closed before it could commit, is run again.

    Args:
        url: Of the database.
        clock: Tells the milliseconds since 1970; None for the server's own.
        connections: Most at the same time, besides one that hears signals.
    """

    def __init__(
        self, url: str, *, clock: Clock | None = None, connections: int = CONNECTIONS
    ) -> None:
        self._url = url
        self._clock = clock
        self._skew = 0
        self._local = threading.local()
        self._open: set[Connection] = set()
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="postgres")
        self._watchers = Watchers()
        self._listening: asyncio.Task[None] | None = None
        self._name = secrets.token_hex(8)
        self._news: set[Signal] = set()
        self._telling: asyncio.Task[None] | None = None
        self._is_closing = False
        self._has_hung_up = threading.Event()

    async def run(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `job(tx, ...)` in a transaction; see `core.store.tx.Database`."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        bound: Callable[[Tx], T] = functools.partial(_call, job, args, kwargs)
        self._threads.submit(contextvars.copy_context().run, self._work, bound, answer)
        return await answer

    async def run_unsynced(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a job like `run`: other processes would not know what the server had forgotten."""
        return await self.run(job, *args, **kwargs)

    async def read(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a job that only looks: a transaction of queries takes no locks, and no COMMIT."""
        return await self.run(job, *args, **kwargs)

    async def prepare(self) -> None:
        """Connect, and bring the database to the newest schema.

        Raises:
            StoreError: It cannot be reached, or is from a newer version.
        """
        await asyncio.get_running_loop().run_in_executor(self._threads, self._migrate)

    async def tell(self, signal: Signal) -> None:
        """Let whoever watches know, here at once."""
        self._announce([signal])

    async def watch(self, hear: Callable[[Signal], None]) -> None:
        """Call `hear` with every signal, until cancelled."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        await self._watchers.watch(hear)

    def lead(self, name: str) -> contextlib.AbstractAsyncContextManager[asyncio.Event]:
        """Wait until no other process leads under a name, then lead."""
        return lead(self, name)

    async def tidy(self) -> None:
        """Have the server clean its tables if something was wiped."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._vacuum)

    def hang_up(self) -> None:
        """Cut all connections; no further one is opened."""
        self._has_hung_up.set()
        for connection in [*self._open]:
            cut(connection)

    async def close(self) -> None:
        """Finish what waits, unless the server stands still, then let go of all connections."""
        self._is_closing = True
        ending = {asyncio.create_task(asyncio.to_thread(self._threads.shutdown))}
        for task in filter(None, (self._listening, self._telling)):
            task.cancel()
            ending.add(task)
        _, late = await asyncio.wait(ending, timeout=CLOSE_SECONDS)
        if late:
            self.hang_up()
            await asyncio.wait(late)
        for connection in [*self._open]:
            self._let_go(connection)

    def _work(self, job: Callable[[Tx], T], answer: asyncio.Future[T]) -> None:
        """Run a job in a thread, and hand what it came to to the event loop, unless that ended."""
        signals: Sequence[Signal] = ()
        try:
            result, signals = self._transact(job)
            settle = functools.partial(answer.set_result, result)
        except BaseException as error:  # noqa: BLE001 - whoever asked for the job hears of it
            settle = functools.partial(answer.set_exception, error)
        with contextlib.suppress(RuntimeError):
            answer.get_loop().call_soon_threadsafe(self._settle, answer, settle, signals)

    def _settle(
        self,
        answer: asyncio.Future[Any],
        settle: Callable[[], None],
        signals: Sequence[Signal],
    ) -> None:
        if not answer.done():  # or whoever asked did not wait
            settle()
        if signals:
            self._announce(signals)

    def _transact(self, job: Callable[[Tx], T]) -> tuple[T, Sequence[Signal]]:
        """Run a job, again if it was undone by no fault of its own; return also its signals."""
        tries = 0
        while True:
            tries += 1
            wire = self._connected()
            tx = PostgresTx(wire, self._now())
            is_committing = False
            try:
                result = job(tx)
                is_committing = True
                wire.commit()
            except _COLLISIONS as error:
                wire.rollback()
                if tries == MOST_TRIES:
                    raise store_error(error) from None
                time.sleep(random.uniform(0, 0.01 * tries))  # noqa: S311 - spreads load
            except psycopg.Error as error:
                self._recover(wire)
                # A connection that was closed while nobody used it; a commit may have been done.
                if not wire.connection.closed or is_committing or tries > 1:
                    raise store_error(error) from None
            except BaseException:  # whatever the job raised, no transaction may stay open
                self._recover(wire)
                raise
            else:
                return result, tx.signals

    def _announce(self, signals: Sequence[Signal]) -> None:
        """Let those in this process know at once, and the others soon."""
        for signal in set(signals):
            self._watchers.tell(signal)
            self._news.add(signal)
        if self._telling is None and not self._is_closing:
            self._telling = asyncio.create_task(self._tell_others())

    async def _tell_others(self) -> None:
        """Tell what is new, many at once: a notification costs more than a small transaction.

        What is lost, the others find when they look by themselves.
        """
        while self._news:
            news, self._news = self._news, set()
            with contextlib.suppress(StoreError):
                await self.run(notify, self._name, news)
            await asyncio.sleep(GATHER_SECONDS)
        self._telling = None

    def _recover(self, wire: Wire) -> None:
        with contextlib.suppress(psycopg.Error):
            wire.rollback()
        if wire.connection.broken:
            wire.connection.close()

    def _now(self) -> int:
        return self._clock() if self._clock else _monotonic() + self._skew

    def _connected(self) -> Wire:
        """Return this thread's connection."""
        wire: Wire | None = getattr(self._local, "wire", None)
        if wire is None or wire.connection.closed:
            if wire:
                self._local.wire = None
                self._let_go(wire.connection)
            wire = self._local.wire = Wire(self._connect())
        return wire

    def _let_go(self, connection: Connection) -> None:
        connection.close()
        self._open.remove(connection)
        metrics.STORE_CONNECTIONS.dec()

    def _connect(self) -> Connection:
        if self._has_hung_up.is_set():
            raise unreachable()
        connection, now = connect(self._url)
        self._skew = now - _monotonic()
        self._open.add(connection)
        metrics.STORE_CONNECTIONS.inc()
        if self._has_hung_up.is_set():  # meanwhile
            cut(connection)
        return connection

    def _migrate(self) -> None:
        connection = self._connected().connection
        try:
            with connection.transaction():
                migrate(connection)
        except psycopg.Error as error:
            raise store_error(error) from None

    def _vacuum(self) -> None:
        # On a connection of its own: a VACUUM stands in no transaction, and takes its time.
        connection = self._connect()
        try:
            connection.execute(_TAKE_UP)
            if connection.execute("SELECT 1 FROM chore WHERE name = 'wiping'").fetchone():
                connection.execute("SET statement_timeout = 0")
                connection.execute(f"VACUUM {_WIPED}")
                connection.execute("DELETE FROM chore WHERE name = 'wiping'")
        except psycopg.Error as error:
            raise store_error(error) from None
        finally:
            self._let_go(connection)

    async def _listen(self) -> None:
        """Hear what other processes, and this one, tell; whatever happens to the connection."""
        while True:
            try:
                await self._hear()
            except psycopg.Error as error:
                log.warning("cannot hear from the database: %s", plain(error))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _hear(self) -> None:
        connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, **OPTIONS)
        with metrics.STORE_CONNECTIONS.track_inprogress():
            async with connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                self._watchers.tell(None)  # something may have been said meanwhile
                async for note in connection.notifies():
                    for signal in told(note.payload, listener=self._name):
                        self._watchers.tell(signal)


def _call(job: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any], tx: Tx) -> T:
    return job(tx, *args, **kwargs)


def _is_query(sql: str) -> bool:
    return sql.startswith("SELECT") and "FOR UPDATE" not in sql


def _monotonic() -> int:
    return time.monotonic_ns() // 1_000_000


async def open_postgres(url: str, *, clock: Clock | None = None) -> PostgresDatabase:
    """Open a database, bringing it to the newest schema.

    Args:
        url: As `postgresql://user:password@host:port/name`.
        clock: Tells the milliseconds since 1970; None for the server's own.

    Raises:
        StoreError: It cannot be reached, or is from a newer version.
    """
    database = PostgresDatabase(url, clock=clock)
    try:
        await database.prepare()
    except BaseException:  # a signal, too
        await database.close()
        raise
    return database
