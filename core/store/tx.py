"""What transactions are written against: a database that runs plain functions of a `Tx`."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Clock = Callable[[], int]
# Platform and ref of a chat whose turn is to end; None: some chat may have become ready.
Signal = tuple[str, str] | None
Hear = Callable[[Signal], None]
# What a job is about, a chat's platform and ref, say; a job is about nothing else of its kind.
Key = tuple[str, ...]


class Row(Protocol):
    """A row of a result, by the names of its columns."""

    def __getitem__(self, name: str, /) -> Any:  # noqa: ANN401 - whatever a column holds
        """Return a column."""

    def keys(self) -> Iterable[str]:
        """Return the columns' names."""


class Tx(Protocol):
    """An open transaction, for plain functions that run off the event loop.

    Such a function has no effect but through this: where databases let transactions run side by
    side, one that got into another's way is undone and run again.

    Attributes:
        now: Milliseconds since 1970, the same throughout the transaction.
    """

    now: int

    def run(self, sql: str, *values: object) -> int:
        """Execute a statement; return how many rows it changed."""

    def do(self, sql: str, *values: object) -> None:
        """Execute a statement of which the function need not know what it came to.

        It is sent to a server with what comes next, which saves a round trip.
        """

    def all(self, sql: str, *values: object) -> Sequence[Row]:
        """Return all rows of a query."""

    def each(
        self, sql: str, many: Sequence[Sequence[object]], *, locks: bool = False
    ) -> Sequence[Sequence[Row]]:
        """Return all rows of a statement for each of many lists of values, asked at once.

        Args:
            sql: As for `lock` where it locks.
            many: For its placeholders.
            locks: Nobody else changes them until this ends.
        """

    def one(self, sql: str, *values: object) -> Row | None:
        """Return the first row of a query, or None."""

    def lock(self, sql: str, *values: object, skip: bool = False) -> Sequence[Row]:
        """Return all rows of a query, which nobody else changes until this ends.

        Args:
            sql: Of one table, or naming the one to lock behind `FOR UPDATE OF`.
            values: For its placeholders.
            skip: Leave out rows that another transaction has locked, rather than wait for it.
        """

    def wipe(self) -> None:
        """See that what this transaction deletes leaves no trace, as far as that can be done."""

    def tell(self, signal: Signal) -> None:
        """Let whoever watches, in every process, know once this is committed."""

    def alone(self) -> None:
        """See that no other job has part in this transaction; see `Database.run_beside`.

        To be called before a job changes what is not its own by more than one statement, or takes
        back what others may have seen.
        """


def marks(columns: int, rows: int) -> str:
    """Return placeholders for so many rows of so many columns each, as VALUES takes them."""
    row = f"({', '.join('?' * columns)})"
    return ", ".join([row] * rows)


def among(numbers: Sequence[int]) -> tuple[str, Sequence[int]]:
    """Return placeholders for some numbers, as `IN (...)` takes them, and the values for these.

    There are few lengths of it, since a statement is prepared for each: the last is repeated.
    """
    length = 1 << (len(numbers) - 1).bit_length()
    return ", ".join("?" * length), [*numbers, *[numbers[-1]] * (length - len(numbers))]


class Database(Protocol):
    """Runs transactions; every method raises StoreError when it fails."""

    async def run(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `job(tx, ...)` in a transaction, off the event loop; durable when this returns.

        A caller that is cancelled does not undo its job.
        """

    async def run_beside(
        self,
        key: Key,
        job: Callable[Concatenate[Tx, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a job like `run`, maybe in one transaction with others, statement by statement.

        Those are runs of the same function with other keys. So of all that has another key, it
        sees what is not committed yet, and no lock keeps it from changing. It may decide by rows
        that belong to its key; what is shared it changes by statements that stand for themselves.
        """

    async def run_unsynced(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a job like `run`, of which nothing has to outlast this process.

        Where no other process uses the database, a power cut may undo it.
        """

    async def read(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a job that only looks, at what is committed now; others need not wait for it."""

    async def tell(self, signal: Signal) -> None:
        """Let whoever watches, in every process, know; at once, outside of any transaction."""

    async def watch(self, hear: Hear) -> None:
        """Call `hear` with every signal, until cancelled."""

    def lead(self, name: str) -> contextlib.AbstractAsyncContextManager[asyncio.Event]:
        """Wait until no other process leads under a name, then lead; the event: it is lost."""

    async def tidy(self) -> None:
        """Let the files hold nothing that was wiped; to be called every hour."""

    def hang_up(self) -> None:
        """Wait no more for a server: what needs it fails from now on."""

    async def close(self) -> None:
        """Finish what waits, then let go."""


class Watchers:
    """Those in this process who hear signals."""

    def __init__(self) -> None:
        self._hears: list[Hear] = []

    def tell(self, signal: Signal) -> None:
        """Let everybody know; on the event loop."""
        for hear in self._hears:
            hear(signal)

    @contextlib.contextmanager
    def added(self, hear: Hear) -> Iterator[None]:
        """Let one more hear."""
        self._hears.append(hear)
        try:
            yield
        finally:
            self._hears.remove(hear)

    async def watch(self, hear: Hear) -> None:
        """Let one more hear until cancelled."""
        with self.added(hear):
            await asyncio.Event().wait()
