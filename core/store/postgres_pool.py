"""Connections to PostgreSQL, as many as are asked for at the same time, up to a bound."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable

import psycopg

from core import metrics
from core.store.postgres_connection import (
    Connection,
    connect,
    cut,
    store_error,
    unreachable,
)
from core.store.postgres_wire import Wire


class Pool:
    """Connections of one process to one database.

    Args:
        url: Of the database.
        size: Most at the same time, besides those that are opened by name.

    Attributes:
        skew: Milliseconds by which the server's clock is ahead of this machine's monotonic one.
    """

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self._size = size
        self._places = asyncio.Semaphore(size)
        self._idle: list[Wire] = []
        self._open: set[Connection] = set()
        self._has_hung_up = threading.Event()
        self.skew = 0

    @contextlib.asynccontextmanager
    async def wire(self) -> AsyncIterator[Wire]:
        """Have a connection; what was begun on it is undone in the end, unless committed.

        Raises:
            StoreError: None can be opened.
        """
        async with self._places:
            wire = self._idle.pop() if self._idle else Wire(await asyncio.to_thread(self.open))
            try:
                yield wire
            finally:
                with contextlib.suppress(psycopg.Error):
                    await wire.rollback()
                if wire.connection.closed or wire.is_begun:
                    # What made the server close it may have closed the others, too.
                    self._drop(wire, *self._idle)
                    self._idle.clear()
                else:
                    self._idle.append(wire)

    def keep(self, connection: Connection) -> None:
        """Keep a connection that was opened for something else."""
        self._idle.append(Wire(connection))

    def open(self, ready: Callable[[Connection], None] | None = None) -> Connection:
        """Open a connection, in a thread, and let `ready` do something with it.

        Raises:
            StoreError: It cannot be opened, or that failed.
        """
        if self._has_hung_up.is_set():
            raise unreachable()
        connection, now = connect(self._url)
        self.skew = now - monotonic()
        self._open.add(connection)
        metrics.STORE_CONNECTIONS.inc()
        try:
            if self._has_hung_up.is_set():  # meanwhile
                cut(connection)
            if ready:
                ready(connection)
        except BaseException as error:
            self.close(connection)
            if isinstance(error, psycopg.Error):
                raise store_error(error) from None
            raise
        return connection

    def close(self, connection: Connection) -> None:
        """Close a connection."""
        connection.close()
        self._open.remove(connection)
        metrics.STORE_CONNECTIONS.dec()

    async def close_all(self) -> None:
        """Close all connections once nobody uses them; to be called after `hang_up`.

        One that is closed while somebody waits for it would let them wait for ever.
        """
        for _ in range(self._size):
            await self._places.acquire()
        self._idle.clear()
        for connection in [*self._open]:
            self.close(connection)
        for _ in range(self._size):
            self._places.release()

    def hang_up(self) -> None:
        """Cut all connections; no further one is opened."""
        self._has_hung_up.set()
        for connection in [*self._open]:
            cut(connection)

    def _drop(self, *wires: Wire) -> None:
        for wire in wires:
            self.close(wire.connection)


def monotonic() -> int:
    """Return this machine's monotonic clock, in milliseconds."""
    return time.monotonic_ns() // 1_000_000
