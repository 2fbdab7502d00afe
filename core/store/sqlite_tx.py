"""SQLite, in its thread: jobs that become one transaction, what a job sees, and what fails."""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from core.errors import StoreError
from core.store.sqlite_file import BUSY_MS
from core.store.tx import Signal, T, Tx

log = logging.getLogger(__name__)

HOUR_MS = 60 * 60 * 1000
# What is written anew in 0.7 s, on the disk of 2026-11: once an hour, it takes 0.02 % of the time.
HOURLY_BYTES = 100_000_000


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

    def do(self, sql: str, *values: object) -> None:
        """Execute a statement."""
        self._execute(sql, values)

    def each(
        self,
        sql: str,
        many: Sequence[Sequence[object]],
        *,
        locks: bool = False,  # noqa: ARG002
    ) -> Sequence[Sequence[sqlite3.Row]]:
        """Return all rows of a query for each of many lists of values."""
        return [self.all(sql, *values) for values in many]

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

    def alone(self) -> None:
        """Do nothing: jobs of a transaction run one after another."""

    def wipe(self) -> None:
        """Leave no trace of what this transaction deletes: at once in the log, soon in the file.

        While somebody reads what was there before, the log stays until a transaction after that.

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


def transact(
    connection: sqlite3.Connection,
    done: Callable[[], object],
    jobs: Sequence[Callable[[Tx], Any]],
    now: int,
    *,
    is_synced: bool = True,
    has_traces: bool = False,
) -> tuple[list[Any], list[Signal], bool]:
    """Run jobs as one transaction; one that raises undoes itself only.

    Args:
        connection: To the file.
        done: Called when only the disk is waited for.
        jobs: What is to be done.
        now: Milliseconds since 1970.
        is_synced: It waits for the disk; else a power cut may undo it, and nothing before it.
        has_traces: The log still holds what was wiped before.

    Returns:
        What each job came to, or the exception that it raised; what others are to know; and
        whether the log holds what was wiped.

    Raises:
        sqlite3.Error: Nothing of it was done.
    """
    if is_synced:
        return _transact(connection, done, jobs, now, has_traces)
    connection.execute("PRAGMA synchronous = NORMAL")
    try:
        return _transact(connection, done, jobs, now, has_traces)
    finally:
        connection.execute("PRAGMA synchronous = FULL")


def _transact(
    connection: sqlite3.Connection,
    done: Callable[[], object],
    jobs: Sequence[Callable[[Tx], Any]],
    now: int,
    has_traces: bool,  # noqa: FBT001 - as above
) -> tuple[list[Any], list[Signal], bool]:
    transactions = [SqliteTx(connection, now) for _ in jobs]
    connection.execute("BEGIN IMMEDIATE")
    try:
        results = _run_all(connection, transactions, jobs)
        done()
        connection.execute("COMMIT")
    except BaseException:  # whatever it was, no transaction may stay open
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    if has_traces or any(tx.wipes for tx in transactions):
        try:
            has_traces = not _empty_log(connection)
        except sqlite3.Error as error:  # what was committed is; `tidy` tries again
            log.warning("traces of what was deleted stay for now: %s", error)
            has_traces = False
    return results, [signal for tx in transactions for signal in tx.signals], has_traces


def look(
    connection: sqlite3.Connection, _: object, jobs: Sequence[Callable[[Tx], Any]], now: int
) -> list[Any]:
    """Run jobs that only look, and at the same; return what each came to, or what it raised."""
    connection.execute("BEGIN")
    try:
        return [_attempt(SqliteTx(connection, now), connection, job) for job in jobs]
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _empty_log(connection: sqlite3.Connection) -> bool:
    """Move what is committed into the file itself, and cut the log, which holds what it was.

    False while somebody reads what was there before: a backup takes its time, and nobody waits.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        [done] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    is_busy, *_ = done
    return not is_busy


def tidy(connection: sqlite3.Connection, now: int) -> bool:
    """Write the file anew if something was wiped and it is time; empty the log.

    False if that cannot be done yet.
    """
    chores = dict(connection.execute("SELECT name, at FROM chore").fetchall())
    [(size,)] = connection.execute(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    ).fetchall()
    pause = HOUR_MS * size // HOURLY_BYTES
    if "wiped" in chores and now >= chores.get("rewritten", 0) + pause:
        connection.execute("VACUUM")
        connection.execute("DELETE FROM chore")
        connection.execute("INSERT INTO chore (name, at) VALUES ('rewritten', ?)", (now,))
    # What was read to tidy up is not read again: 2 MB that an idle bot need not hold.
    connection.execute("PRAGMA shrink_memory")
    return _empty_log(connection)


def _run_all(
    connection: sqlite3.Connection,
    transactions: Sequence[SqliteTx],
    jobs: Sequence[Callable[[Tx], Any]],
) -> list[Any]:
    """Return what each job came to, or the exception that it raised.

    Hardly one does, and savepoints are four of ten statements: where one does, all is undone, and
    run again with a savepoint for each.
    """
    try:
        return [job(tx) for tx, job in zip(transactions, jobs, strict=True)]
    except BaseException:  # noqa: BLE001 - raised again below, for whoever asked for the job
        if connection.in_transaction:  # else SQLite has undone it already
            connection.execute("ROLLBACK")
    connection.execute("BEGIN IMMEDIATE")
    for tx in transactions:
        tx.signals.clear()
        tx.wipes = False
    return [_attempt(tx, connection, job) for tx, job in zip(transactions, jobs, strict=True)]


def _attempt(tx: SqliteTx, connection: sqlite3.Connection, job: Callable[[Tx], Any]) -> Any:  # noqa: ANN401
    connection.execute("SAVEPOINT job")
    try:
        result = job(tx)
    except BaseException as error:  # handed to whoever asked for the job, below
        if not connection.in_transaction:
            raise  # SQLite rolled the whole group back (disk full, I/O error)
        connection.execute("ROLLBACK TO job")
        tx.signals.clear()
        result = store_error(error) if isinstance(error, sqlite3.Error) else error
    connection.execute("RELEASE job")
    return result


def _sound(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def store_error(error: BaseException) -> StoreError:
    """Return what to raise in place of an error of SQLite, which is logged."""
    log.error("database failed: %s", error)
    if "full" in str(error):
        return StoreError("The disk is full: nothing new can be stored.")
    mapped = StoreError("The database failed; the log of the bot says why.")
    mapped.__cause__ = error
    return mapped
