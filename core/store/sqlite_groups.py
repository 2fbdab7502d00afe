"""Jobs of one connection, in groups, each at once in the connection's thread."""

import asyncio
import contextvars
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import aiosqlite

from core.store.sqlite_tx import store_error
from core.store.tx import T, Tx

# For which the event loop stands still, at most, so that a thread has the interpreter to itself.
STILL_SECONDS = 0.01


class Job(NamedTuple):
    """What is to be done in a transaction, and where its result is waited for."""

    done: asyncio.Future[Any]
    do: Callable[[Tx], Any]
    is_synced: bool


class Groups:
    """Jobs in groups: what is asked for while one is under way becomes the next.

    Args:
        work: Does what a group asks for; it returns what each job came to, or the exception that
            it raised.
    """

    def __init__(self, work: Callable[[Sequence[Job]], Awaitable[Sequence[Any]]]) -> None:
        self._work = work
        self._waiting: list[Job] = []
        self._working: asyncio.Task[None] | None = None

    async def add(self, do: Callable[[Tx], T], *, is_synced: bool = False) -> T:
        """Have a job done, and return what it comes to; one that is cancelled is done, too.

        Raises:
            StoreError: The database failed; nothing of the job was kept.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(Job(done, do, is_synced))
        if self._working is None:
            # It goes on for others than this caller, so that it is nobody's work in the log.
            self._working = asyncio.create_task(self._work_off(), context=contextvars.Context())
        return await done

    async def finish(self) -> None:
        """Wait until nothing waits."""
        if self._working:
            await self._working

    async def _work_off(self) -> None:
        while self._waiting:
            jobs, self._waiting = self._waiting, []
            try:
                results = await self._work(jobs)
            except (sqlite3.Error, ValueError) as error:
                results = [store_error(error)] * len(jobs)
            for job, result in zip(jobs, results, strict=True):
                if job.done.done():
                    continue
                if isinstance(result, BaseException):
                    job.done.set_exception(result)
                else:
                    job.done.set_result(result)
        self._working = None


async def while_still(
    connection: aiosqlite.Connection, work: Callable[..., T], *args: object
) -> T:
    """Run `work(connection, done, *args)` in its thread, and let the event loop stand still.

    It goes on when `done` is called, the work ends, or STILL_SECONDS are over. Of two threads that
    both want the interpreter, each gets it for some microseconds in turn; to hand it over and back
    with every statement takes longer than most statements.
    """
    done = threading.Event()

    def working(*args: object) -> T:
        try:
            return work(*args)
        finally:
            done.set()

    running = asyncio.ensure_future(in_thread(connection, working, done.set, *args))
    asyncio.get_running_loop().call_soon(done.wait, STILL_SECONDS)  # once the thread has begun
    return await running


async def in_thread(connection: aiosqlite.Connection, work: Callable[..., T], *args: object) -> T:
    """Run `work(connection, *args)` in its thread."""
    # aiosqlite has no public way to run a function in its thread: its version is pinned to the
    # series whose private one is known to work, and every test of the store runs through here.
    execute: Callable[..., Awaitable[T]] = connection._execute  # noqa: SLF001
    return await execute(work, connection._conn, *args)  # noqa: SLF001
