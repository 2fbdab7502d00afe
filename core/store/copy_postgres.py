"""PostgreSQL databases to copy from and to."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any, cast

import psycopg
from psycopg import errors
from psycopg.rows import dict_row, tuple_row

from core.errors import StoreError
from core.store.copying import Query, Values
from core.store.postgres_connection import (
    MIGRATING,
    OPTIONS,
    SERIAL,
    Connection,
    check_encoding,
    migrate,
    sound,
    why_unreachable,
)
from core.store.shape import NEWEST, OLDER, Table, statements, tables

_UNTOLD = frozenset({"chore"})
_BATCH = 5000
# Longer than the server takes to notice that whoever copied before was killed.
_LOCK_MS = 3000
# A connection that is closed is gone within milliseconds; until then it is asked so often.
_LOOKS = 10
_OTHERS = (
    "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()"
    f" AND application_name = '{OPTIONS['application_name']}'"
)
# Not the name that a bot has: it does not run.
_OPTIONS = OPTIONS | {"application_name": "causerie beside"}
# SQLSTATE, PostgreSQL 16, appendix A: a connection that broke, a server that was shut down.
_BROKEN = ("08", "57P")
_PATIENCE = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0"
_READ = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


class PostgresSource:
    """A database that is read; see `core.store.copying.Source`.

    Args:
        connection: To it, within a transaction that sees one moment.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        version = _version(connection)
        if version is None:
            raise StoreError("There is nothing in the database.")
        self.version = version

    def count(self, table: Table) -> int:
        """Return how many rows a table has."""
        return _number(self._connection, f"SELECT COUNT(*) FROM {table.name}")

    def rows(self, table: Table) -> Generator[Values]:
        """Yield the rows of a table, in no order."""
        with explained():
            yield from _rows(self._connection, table)

    def last_id(self, table: Table) -> int:
        """Return the largest id that a numbered table ever gave; 0 if none."""
        sequence = _sequence(self._connection, table)
        return _number(
            self._connection,
            f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}",
        )


class PostgresTarget:
    """A database that is filled in one transaction; see `core.store.copying.Target`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._version = _version(connection)

    def has_data(self) -> bool:
        """Say whether anything is kept in it."""
        kept = [t for t in tables(self._version or 0) if t.name not in _UNTOLD]
        return any(_all(self._connection, f"{table.select} LIMIT 1") for table in kept)

    def has_mark(self, mark: str) -> bool:
        """Say whether it was filled from what has this mark."""
        sql = "SELECT 1 FROM chore WHERE name = %s"
        return self._version == NEWEST and bool(_all(self._connection, sql, mark))

    def begin(self, version: int) -> None:
        """Make all tables anew, empty and of this version."""
        for name in _present(self._connection):
            _do(self._connection, f"DROP TABLE {name} CASCADE")
        for statement in statements(SERIAL, until=version):
            _do(self._connection, statement)
        _do(self._connection, "CREATE TABLE version (number BIGINT NOT NULL)")
        _do(self._connection, f"INSERT INTO version (number) VALUES ({version})")
        for table in tables(version):
            _do(self._connection, f"DELETE FROM {table.name}")

    def sound(self, rows: Iterable[Values]) -> Iterator[Values]:
        """Yield rows as they can be stored: a text holds no zero byte."""
        for row in rows:
            if any(isinstance(value, str) and "\0" in value for value in row):
                yield tuple(map(sound, row))
            else:
                yield row

    def write(self, table: Table, rows: Iterator[Values]) -> None:
        """Store rows."""
        columns = ", ".join(table.columns)
        statement = cast("Any", f"COPY {table.name} ({columns}) FROM STDIN")
        with self._connection.cursor().copy(statement) as copying:
            for row in rows:
                copying.write_row(row)

    def rows(self, table: Table) -> Generator[Values]:
        """Yield the rows of a table that were stored, in no order."""
        return _rows(self._connection, table)

    def set_last_id(self, table: Table, last: int) -> None:
        """Let a numbered table give no id twice."""
        sequence = _sequence(self._connection, table)
        _all(
            self._connection,
            "SELECT setval(%s::regclass, %s, %s)",
            sequence,
            max(last, 1),
            last > 0,
        )

    def finish(self, mark: str) -> None:
        """Make it last, at the newest version, and let the server see how large it is."""
        connection = self._connection
        migrate(connection)
        _all(
            connection,
            "INSERT INTO chore (name, at) VALUES (%s, EXTRACT(EPOCH FROM now()) * 1000)"
            " RETURNING at",
            mark,
        )
        connection.commit()
        connection.autocommit = True
        for table in tables():
            _do(connection, f"ANALYZE {table.name}")


@contextmanager
def postgres_source(url: str, *, is_locked: bool = False) -> Iterator[PostgresSource]:
    """Open a database to read as it is at this moment.

    Args:
        url: Of the database.
        is_locked: No bot may run on it meanwhile.

    Raises:
        StoreError: It cannot be read, is from a newer version, or in use.
    """
    with explained(), closing(connect(url)) as connection:
        if is_locked:
            _lock(connection)
            _check_idle(connection)
            connection.commit()  # what counts is what is there now that nobody changes it
        _do(connection, _READ)
        yield PostgresSource(connection)


@contextmanager
def postgres_target(url: str) -> Iterator[PostgresTarget]:
    """Open a database that a bot is to run on.

    Raises:
        StoreError: It cannot be written, or a bot runs on it.
    """
    with explained(), closing(connect(url)) as connection:
        check_encoding(connection)
        _lock(connection)
        target = PostgresTarget(connection)
        _check_idle(connection)
        yield target


def check_postgres(url: str) -> None:
    """See that a database is there, with tables of our version.

    Raises:
        StoreError: It is not, or has not.
    """
    with explained(), closing(connect(url)) as connection:
        if PostgresSource(connection).version < NEWEST:
            raise StoreError(OLDER)


@contextmanager
def postgres_query(url: str) -> Iterator[Query]:
    """Open a database for queries, while bots may write to it.

    Raises:
        StoreError: It cannot be read.
    """
    with explained(), closing(connect(url)) as connection:
        PostgresSource(connection)  # it is there
        connection.commit()
        connection.autocommit = True
        cursor = connection.cursor(row_factory=tuple_row)
        yield lambda sql, *values: cursor.execute(sql.replace("?", "%s"), values).fetchall()


def connect(url: str) -> Connection:
    """Connect, with patience for long queries.

    Raises:
        StoreError: That is not possible; says why, without a password.
    """
    try:
        connection = psycopg.connect(url, row_factory=dict_row, **_OPTIONS)
        connection.execute(_PATIENCE)
        connection.commit()
    except psycopg.Error as error:
        raise StoreError(f"The database {why_unreachable(error)}") from None
    return connection


def _lock(connection: Connection) -> None:
    """See that no process begins to use the database; it waits for this one to end.

    Raises:
        StoreError: One is just beginning, or another one copies.
    """
    try:
        _do(connection, f"SET lock_timeout = {_LOCK_MS}")
        _all(connection, "SELECT pg_advisory_lock(%s)", MIGRATING)
        _do(connection, "SET lock_timeout = 0")
    except errors.LockNotAvailable:
        raise StoreError(
            "Another causerie is just starting on the database, or copying it."
        ) from None


def _check_idle(connection: Connection) -> None:
    """See that no process uses the database.

    Raises:
        StoreError: One leads, or answers in a chat, or did so seconds ago; or is connected.
    """
    present = _present(connection)
    latest = []
    for table, sql in (
        ("lead", "SELECT MAX(until) AS at FROM lead"),
        ("chat", "SELECT MAX(ready_at) AS at FROM chat WHERE is_leased = 1"),
    ):
        if table in present:
            latest.append(_all(connection, sql)[0]["at"] or 0)
    now = _number(
        connection, "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    )
    if latest and max(latest) > now:
        raise StoreError(
            "A causerie runs on the database; end all of them first. What one that was killed had "
            f"in hand is free in {(max(latest) - now) // 1000 + 1} s."
        )

    for _ in range(_LOOKS):
        if not _number(connection, _OTHERS):
            return
        _all(connection, "SELECT pg_sleep(0.1), pg_stat_clear_snapshot()")
    raise StoreError("A causerie runs on the database; end all of them first.")


def _present(connection: Connection) -> set[str]:
    """Return which of our tables are there, and `version`."""
    names = ["version", "lead", *(table.name for table in tables())]
    rows = _all(
        connection,
        "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL",
        names,
    )
    return {row["name"] for row in rows}


def _version(connection: Connection) -> int | None:
    """Return the version of the tables; None where there are none.

    Raises:
        StoreError: It is newer than ours, or the tables are another program's.
    """
    present = _present(connection)
    if not present:
        return None
    if not {"version", "chat", "inbox"} <= present:
        raise StoreError("The database holds tables of another program; use one of its own.")
    version = _number(connection, "SELECT number FROM version")
    if version > NEWEST:
        raise StoreError("The database is from a newer version of causerie; update first.")
    return version


def _sequence(connection: Connection, table: Table) -> str:
    [row] = _all(connection, "SELECT pg_get_serial_sequence(%s, 'id') AS name", table.name)
    return str(row["name"])


def _rows(connection: Connection, table: Table) -> Generator[Values]:
    with connection.cursor("copying", row_factory=tuple_row) as cursor:
        cursor.itersize = _BATCH
        yield from cursor.execute(cast("Any", table.select))


def _all(connection: Connection, sql: str, *values: object) -> list[dict[str, Any]]:
    return connection.execute(cast("Any", sql), values or None).fetchall()


def _do(connection: Connection, sql: str) -> None:
    connection.execute(cast("Any", sql))


def _number(connection: Connection, sql: str) -> int:
    [row] = _all(connection, sql)
    [value] = row.values()
    return int(value)


@contextmanager
def explained() -> Iterator[None]:
    """Turn the server's errors into ours, without what was to be stored: they may quote it."""
    try:
        yield
    except (errors.DiskFull, errors.InsufficientPrivilege) as error:
        text = error.diag.message_primary or type(error).__name__
        raise StoreError(f"The database refuses: {text}.") from None
    except psycopg.Error as error:
        if (error.sqlstate or "08").startswith(_BROKEN):
            raise StoreError("The connection to the database broke; run it again.") from None
        code = f"{type(error).__name__}, {error.sqlstate}"
        raise StoreError(f"The database failed ({code}); nothing was kept.") from None
