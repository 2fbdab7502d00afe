"""PostgreSQL: transactions side by side, shared by many processes."""

import asyncio
import contextlib
import functools
import logging
import random
import secrets
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Concatenate

import psycopg
from psycopg import errors

from core import metrics
from core.errors import StoreError
from core.store.groups import Groups, Job
from core.store.leading import lead
from core.store.postgres_connection import OPTIONS, Connection, migrate, plain, store_error
from core.store.postgres_news import CHANNEL, notify, told
from core.store.postgres_pool import Pool, monotonic
from core.store.postgres_tx import ApartError, carry_out
from core.store.postgres_wire import CHANGED
from core.store.tx import Clock, Key, P, Signal, T, Tx, Watchers

log = logging.getLogger(__name__)

# Of one process: about as many as there are kinds of jobs that are run side by side.
CONNECTIONS = 6
# Side by side: more take hardly less of everybody's time each, but let the first wait longer.
MOST_BESIDE = 64
# A group that waits for a row that somebody holds, say, does not keep others waiting for longer.
PATIENCE_SECONDS = 0.1
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


class PostgresDatabase:
    """A PostgreSQL database; see `core.store.tx.Database`.

    Transactions run side by side, each on a connection of its own, at READ COMMITTED: they lock
    the rows that they decide by. One that got into another's way, or whose connection was closed
    before it could commit, is run again.

    Jobs of the same kind, each about something else, are run in one transaction where many are
    asked for: that costs a third. If one of them has to be undone, all are, and run one by one.

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
        self._pool = Pool(url, connections)
        self._kinds: dict[object, Groups] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._watchers = Watchers()
        self._listening: asyncio.Task[None] | None = None
        self._name = secrets.token_hex(8)
        self._news: set[Signal] = set()
        self._telling: asyncio.Task[None] | None = None
        self._is_closing = False

    async def run(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `job(tx, ...)` in a transaction; see `core.store.tx.Database`."""
        return await self._see_to(self._alone(functools.partial(_call, job, args, kwargs)))

    async def run_beside(
        self,
        key: Key,
        job: Callable[Concatenate[Tx, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a job like `run`, beside those of its kind that are about something else."""
        groups = self._kinds.get(job)
        if groups is None:
            groups = Groups(self._work, most=MOST_BESIDE, patience=PATIENCE_SECONDS)
            self._kinds[job] = groups
        return await groups.add(functools.partial(_call, job, args, kwargs), key=key)

    async def run_unsynced(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a job like `run`: other processes would not know what the server had forgotten."""
        return await self.run(job, *args, **kwargs)

    async def read(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a job that only looks: a transaction of queries takes no locks, and no COMMIT."""
        return await self.run_beside((), job, *args, **kwargs)

    async def prepare(self) -> None:
        """Connect, so that others see that somebody is there; bring it to the newest schema.

        Raises:
            StoreError: It cannot be reached, or is from a newer version.
        """
        opened = asyncio.to_thread(self._pool.open, _migrate)
        self._pool.keep(await self._see_to(opened))

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
        await self._see_to(self._clean())

    def hang_up(self) -> None:
        """Cut all connections; no further one is opened."""
        self._pool.hang_up()

    async def close(self) -> None:
        """Finish what waits, unless the server stands still, then let go of all connections."""
        self._is_closing = True
        ending = {asyncio.create_task(groups.finish()) for groups in self._kinds.values()}
        ending |= self._tasks
        for task in filter(None, (self._listening, self._telling)):
            task.cancel()
            ending.add(task)
        if ending:
            await asyncio.wait(ending, timeout=CLOSE_SECONDS)
        self._pool.hang_up()
        while late := {task for task in ending | self._tasks if not task.done()}:
            await asyncio.wait(late)  # also for what was asked for meanwhile
        await self._pool.close_all()

    async def _clean(self) -> None:
        # On a connection of its own, in a thread: it takes its time.
        self._pool.close(await asyncio.to_thread(self._pool.open, _vacuum))

    async def _work(self, jobs: Sequence[Job]) -> Sequence[Any]:
        """Run jobs side by side if that can be done; return what each came to."""
        if len(jobs) > 1:
            with contextlib.suppress(ApartError):
                return await self._together([job.do for job in jobs])
        apart = (self._alone(job.do) for job in jobs)
        return await asyncio.gather(*apart, return_exceptions=True)

    async def _together(self, jobs: Sequence[Callable[[Tx], Any]]) -> Sequence[Any]:
        async with self._pool.wire() as wire:
            try:
                done = await carry_out(wire, jobs, self._now())
            except psycopg.Error as error:
                if wire.is_committing and wire.connection.closed:
                    raise store_error(error) from None  # it may have been done
                raise ApartError from None
        for one in done:
            self._announce(one.signals)
        return [one.result for one in done]

    async def _alone(self, job: Callable[[Tx], T]) -> T:
        """Run a job, again if it was undone by no fault of its own."""
        tries = 0
        while True:
            tries += 1
            async with self._pool.wire() as wire:
                try:
                    [done] = await carry_out(wire, [job], self._now())
                    break
                except _COLLISIONS as error:
                    if tries == MOST_TRIES:
                        raise store_error(error) from None
                except psycopg.Error as error:
                    # A connection that was closed while nobody used it; a commit may be done.
                    if not wire.connection.closed or wire.is_committing or tries > 1:
                        raise store_error(error) from None
            await asyncio.sleep(random.uniform(0, 0.01 * tries))  # noqa: S311 - spreads load
        if isinstance(done.result, BaseException):
            raise done.result
        self._announce(done.signals)
        result: T = done.result
        return result

    def _now(self) -> int:
        return self._clock() if self._clock else monotonic() + self._pool.skew

    async def _see_to(self, work: Coroutine[Any, Any, T]) -> T:
        """Have something done, and not undone if the caller is cancelled."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        """Keep a job no more that has ended; whoever asked for it may not wait any longer."""
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

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


def _migrate(connection: Connection) -> None:
    with connection.transaction():
        migrate(connection)


def _vacuum(connection: Connection) -> None:
    connection.execute(_TAKE_UP)
    if connection.execute("SELECT 1 FROM chore WHERE name = 'wiping'").fetchone():
        connection.execute("SET statement_timeout = 0")
        connection.execute(f"VACUUM {_WIPED}")
        connection.execute("DELETE FROM chore WHERE name = 'wiping'")


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
