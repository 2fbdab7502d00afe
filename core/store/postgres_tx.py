"""Jobs on one connection, side by side: the same statement of each is sent with those of all.

A job is a plain function that wants to know at once what a statement came to. So each is run in a
greenlet, which stands still until the server has answered to all; a round trip of 64 jobs takes
little more of everybody's time than that of one.
"""

import contextvars
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from greenlet import getcurrent, greenlet

from core.store.postgres_wire import Result, Statement, Wire
from core.store.tx import Row, Signal, Tx


class ApartError(Exception):
    """Jobs that were run side by side have to be run one by one; nothing of them was kept."""


class Done(NamedTuple):
    """What a job came to, or the exception that it raised; and what it lets others know."""

    result: Any
    signals: Sequence[Signal]


class PostgresTx:
    """An open transaction, or a job's part in it; see `core.store.tx.Tx`.

    Args:
        now: Milliseconds since 1970.
        is_alone: No other job has part in it.

    Attributes:
        signals: What it lets others know.
        has_changed: Something would have to be undone.
        put_off: What is still to be sent.
    """

    def __init__(self, now: int, *, is_alone: bool) -> None:
        self.now = now
        self.signals: list[Signal] = []
        self.has_changed = False
        self.put_off: list[Statement] = []
        self._is_alone = is_alone
        self._caller = getcurrent()

    def run(self, sql: str, *values: object) -> int:
        """Execute a statement; return how many rows it changed."""
        return self._one(sql, values).size

    def do(self, sql: str, *values: object) -> None:
        """Execute a statement, together with what comes next."""
        self.put_off.append(Statement(sql, values))
        self.has_changed = True

    def each(
        self, sql: str, many: Sequence[Sequence[object]], *, locks: bool = False
    ) -> Sequence[Sequence[Row]]:
        """Return all rows of a statement for each of many lists of values, asked at once."""
        if not many:
            return []
        sql += " FOR UPDATE" * locks
        return [one.rows for one in self._execute([Statement(sql, values) for values in many])]

    def all(self, sql: str, *values: object) -> Sequence[Row]:
        """Return all rows of a query."""
        return self._one(sql, values).rows

    def one(self, sql: str, *values: object) -> Row | None:
        """Return the first row of a query, or None."""
        return next(iter(self._one(sql, values).rows), None)

    def lock(self, sql: str, *values: object, skip: bool = False) -> Sequence[Row]:
        """Return all rows of a query, locked."""
        return self.all(f"{sql} FOR UPDATE{' SKIP LOCKED' if skip else ''}", *values)

    def wipe(self) -> None:
        """Have the tables cleaned soon: what is deleted is overwritten when its room is needed."""
        self.do(
            "INSERT INTO chore (name, at) VALUES ('wiped', ?) ON CONFLICT (name) DO NOTHING",
            self.now,
        )

    def tell(self, signal: Signal) -> None:
        """Let whoever watches know."""
        self.signals.append(signal)

    def alone(self) -> None:
        """See that no other job has part in this transaction.

        Raises:
            ApartError: Others have; it is run again.
        """
        if not self._is_alone:
            raise ApartError

    def _one(self, sql: str, values: Sequence[object]) -> Result:
        return self._execute([Statement(sql, values)])[0]

    def _execute(self, statements: Sequence[Statement]) -> Sequence[Result]:
        before, self.put_off = self.put_off, []
        results: list[Result] = self._caller.switch([*before, *statements])
        found = results[len(before) :]
        self.has_changed |= any(
            one.size > 0 and not statement.sql.startswith("SELECT")
            for statement, one in zip(statements, found, strict=True)
        )
        return found


class _Running:
    """A job that has begun.

    Attributes:
        tx: Its transaction.
        asks: The statements whose results it waits for; none when it has ended.
        result: What it came to, or the exception that it raised.
    """

    def __init__(self, job: Callable[[Tx], Any], tx: PostgresTx) -> None:
        self.tx = tx
        self.result: Any = None
        self._job = job
        self._greenlet = greenlet(self._run)
        self._greenlet.gr_context = contextvars.copy_context()
        self.asks: Sequence[Statement] = self._greenlet.switch() or ()

    def go_on(self, found: Sequence[Result]) -> None:
        """Let it have what it asked for."""
        self.asks = self._greenlet.switch(found) or ()

    def give_up(self) -> None:
        """Let it end where it stands, if it has not ended."""
        if self.asks:
            self._greenlet.throw()

    def _run(self) -> None:
        try:
            self.result = self._job(self.tx)
        except BaseException as error:  # noqa: BLE001 - whoever asked for the job hears of it
            self.result = error


async def carry_out(wire: Wire, jobs: Sequence[Callable[[Tx], Any]], now: int) -> list[Done]:
    """Run jobs in one transaction; one that raised has changed nothing.

    Raises:
        ApartError: They have to be run one by one.
        psycopg.Error: The database failed, maybe at the commit.
    """
    is_alone = len(jobs) == 1
    running: list[_Running] = []
    try:
        running += [_Running(job, PostgresTx(now, is_alone=is_alone)) for job in jobs]
        asking = running
        while asking:
            if not is_alone and any(map(_is_spoilt, asking)):
                raise ApartError
            if asking := [one for one in asking if one.asks]:
                found = iter(await wire.execute([asked for one in asking for asked in one.asks]))
                for one in asking:
                    one.go_on([next(found) for _ in one.asks])
        if is_alone and isinstance(running[0].result, BaseException):
            await wire.rollback()
        else:
            await wire.commit([late for one in running for late in one.tx.put_off])
    finally:
        for one in running:
            one.give_up()
    return [Done(one.result, one.tx.signals) for one in running]


def _is_spoilt(one: _Running) -> bool:
    """Return whether the others have to be undone with what a job did."""
    return isinstance(one.result, ApartError) or (
        isinstance(one.result, BaseException) and one.tx.has_changed
    )
