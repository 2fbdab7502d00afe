"""Statements on a connection, prepared once each and run by libpq itself.

psycopg's cursors do the same with twice the work of this process for each (86 and 47 µs of CPU,
`python -m tests.bench statements`, 2026-11), and a turn takes some thirty.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import psycopg
from psycopg import errors, pq
from psycopg.adapt import Transformer

from core.store.postgres_connection import Connection

TEXT, BINARY = pq.Format.TEXT, pq.Format.BINARY
# What values are sent as; that of a text, or of nothing, is for the server to find out.
_OIDS = {int: 20, float: 701, bytes: 17, str: 0, type(None): 0}  # int8, float8, bytea
MOST_PREPARED = 300  # of them a handful of each length of a list
_DONE = {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}

# A newer process added a column to a table: what is prepared does not know it.
CHANGED = errors.FeatureNotSupported

_Key = tuple[str, tuple[type, ...]]


class Result(NamedTuple):
    """What a statement came to: its rows, and how many it returned or changed."""

    rows: list[dict[str, Any]]
    size: int


class Wire:
    """A connection of one thread; see `core.store.postgres_connection.connect`.

    Attributes:
        connection: As psycopg knows it.
        is_begun: A transaction is open.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.is_begun = False
        self._pg = connection.pgconn
        self._transformer = Transformer(connection)
        self._names = itertools.count()
        self._prepared: dict[_Key, bytes] = {}
        self._columns: dict[_Key, tuple[str, ...]] = {}

    def begin(self) -> None:
        """Begin a transaction."""
        self._sound(self._pg.exec_(b"BEGIN"))
        self.is_begun = True

    def commit(self) -> None:
        """Commit what was begun; nothing where nothing was."""
        if self.is_begun:
            self._sound(self._pg.exec_(b"COMMIT"))
            self.is_begun = False

    def rollback(self) -> None:
        """Undo what was begun."""
        self.is_begun = False
        self.connection.rollback()

    def execute(self, sql: str, values: Sequence[object]) -> Result:
        """Run a statement with `?` for its values: numbers, texts, bytes, or nothing.

        Raises:
            UnicodeEncodeError: A text has half of a surrogate pair.
            psycopg.Error: It has a zero byte; or whatever the server says.
        """
        key = sql, tuple(map(type, values))
        name = self._prepared.get(key) or self._prepare(key)
        formats = [BINARY if kind is bytes else TEXT for kind in key[1]]
        dumped = cast("list[bytes]", [*map(_dumped, values)])  # None is taken, too
        found = self._sound(self._pg.exec_prepared(name, dumped, formats))
        if not found.nfields:
            return Result([], found.command_tuples or 0)
        return Result(self._rows(key, found), found.ntuples)

    def _prepare(self, key: _Key) -> bytes:
        sql, kinds = key
        if len(self._prepared) == MOST_PREPARED:
            self._sound(self._pg.exec_(b"DEALLOCATE ALL"))
            self._forget()
        name = f"causerie_{next(self._names)}".encode()
        oids = [_OIDS[kind] for kind in kinds]
        self._sound(self._pg.prepare(name, _numbered(sql).encode(), oids))
        self._prepared[key] = name
        return name

    def _forget(self) -> None:
        self._prepared.clear()
        self._columns.clear()

    def _rows(self, key: _Key, found: pq.abc.PGresult) -> list[dict[str, Any]]:
        names = self._columns.get(key)
        if names is None:
            raw = [found.fname(number) or b"" for number in range(found.nfields)]
            names = self._columns[key] = tuple(name.decode() for name in raw)
        self._transformer.set_pgresult(found)
        return self._transformer.load_rows(
            0, found.ntuples, lambda row: dict(zip(names, row, strict=True))
        )

    def _sound(self, found: pq.abc.PGresult) -> pq.abc.PGresult:
        """Return a result that is no error.

        Raises:
            psycopg.Error: It is.
        """
        if found.status in _DONE:
            return found
        if self._pg.status == pq.ConnStatus.BAD:
            raise psycopg.OperationalError(found.get_error_message())
        error = errors.error_from_result(found)
        if isinstance(error, CHANGED):
            self._forget()
        raise error


def _dumped(value: Any) -> bytes | None:  # noqa: ANN401 - whatever a column takes
    if isinstance(value, str):
        data = value.encode()
        if 0 in data:
            raise psycopg.DataError("PostgreSQL stores no zero byte")
        return data
    return value if value is None or isinstance(value, bytes) else str(value).encode()


def _numbered(sql: str) -> str:
    first, *rest = sql.split("?")
    return first + "".join(f"${number}{text}" for number, text in zip(itertools.count(1), rest))
