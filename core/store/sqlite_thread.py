"""The thread of a connection to SQLite, and the event loop beside it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import aiosqlite

from core.store.tx import T

# For which the event loop stands still, at most, so that a thread has the interpreter to itself.
STILL_SECONDS = 0.01


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
