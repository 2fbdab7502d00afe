"""SQLite files to copy from and to."""

import fcntl
import os
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from core.errors import StoreError
from core.store.copying import Progress, Query, Values
from core.store.shape import NEWEST, SQLITE_SERIAL, Table, statements, tables
from core.store.sqlite import now
from core.store.sqlite_file import check_there, has_tables, lock_file, part_of

# What a file has whoever does not look after it; nothing of somebody's words is in them.
_UNTOLD = frozenset({"chore"})
# Indexes of a million messages fit: without it, that takes twice as long.
_CACHE_KB = 65_536
_PAGES = 2000  # of 4 kB, between two looks at how far a backup is


class SqliteSource:
    """A file that is read; see `core.store.copying.Source`.

    Args:
        path: Of the file.
        connection: To it, within a transaction that sees one moment.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self.version = _version(path, connection)

    def count(self, table: Table) -> int:
        """Return how many rows a table has."""
        return _number(self._connection, f"SELECT COUNT(*) FROM {table.name}")

    def rows(self, table: Table) -> Generator[Values]:
        """Yield the rows of a table, in no order."""
        with _explained(self._path, "read"):
            yield from self._connection.execute(table.select)

    def last_id(self, table: Table) -> int:
        """Return the largest id that a numbered table ever gave; 0 if none."""
        rows = self._connection.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)
        ).fetchall()
        return max((int(last) for (last,) in rows), default=0)

    def check(self) -> None:
        """See that the file is whole.

        Raises:
            StoreError: It is damaged.
        """
        _check(self._path, self._connection)


class SqliteTarget:
    """A new file that takes its place once it is complete; see `core.store.copying.Target`.

    Args:
        path: Where it is to be.
        part: Where it is until then.
        is_current: It is brought to the newest version in the end.
    """

    def __init__(self, path: Path, part: Path, *, is_current: bool = True) -> None:
        self._path = path
        self._part = part
        self._is_current = is_current
        self._connection: sqlite3.Connection | None = None

    def has_data(self) -> bool:
        """Say whether anything is kept in the file whose place it takes."""
        with self._present() as present:
            if present is None:
                return False
            kept = [t for t in tables(_version(self._path, present)) if t.name not in _UNTOLD]
            return any(present.execute(f"{table.select} LIMIT 1").fetchall() for table in kept)

    def has_mark(self, mark: str) -> bool:
        """Say whether that was filled from what has this mark."""
        sql = "SELECT 1 FROM chore WHERE name = ?"
        with self._present() as present:
            if present is None or _version(self._path, present) != NEWEST:
                return False
            return bool(present.execute(sql, (mark,)).fetchall())

    @contextmanager
    def _present(self) -> Iterator[sqlite3.Connection | None]:
        if not self._path.exists() or not self._path.stat().st_size:
            yield None
            return
        with _explained(self._path, "read"), closing(sqlite3.connect(self._path)) as present:
            yield present if has_tables(self._path, present) else None

    def begin(self, version: int) -> None:
        """Make all tables, empty and of this version."""
        self._connection = connection = _connect(self._part)
        # It counts only once it is complete and on the disk, so that nothing is to be undone.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        connection.execute("BEGIN")
        for statement in statements(SQLITE_SERIAL, until=version):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version}")
        for table in tables(version):
            connection.execute(f"DELETE FROM {table.name}")

    def sound(self, rows: Iterable[Values]) -> Iterator[Values]:
        """Yield rows as they are: all that another database held can be stored."""
        yield from rows

    def write(self, table: Table, rows: Iterator[Values]) -> None:
        """Store rows."""
        marks = ", ".join("?" * len(table.columns))
        columns = ", ".join(table.columns)
        self._open.executemany(
            f"INSERT INTO {table.name} ({columns}) VALUES ({marks})",
            rows,
        )

    def rows(self, table: Table) -> Generator[Values]:
        """Yield the rows of a table that were stored, in no order."""
        yield from self._open.execute(table.select)

    def set_last_id(self, table: Table, last: int) -> None:
        """Let a numbered table give no id twice."""
        self._open.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table.name,))
        self._open.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table.name, last)
        )

    def finish(self, mark: str) -> None:
        """Put it in its place."""
        connection = self._open
        if self._is_current:
            after = _number(connection, "PRAGMA user_version")
            for statement in statements(SQLITE_SERIAL, after=after):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {NEWEST}")
            connection.execute("INSERT INTO chore (name, at) VALUES (?, ?)", (mark, now()))
        connection.execute("COMMIT")
        self.close()
        _put_in_place(self._part, self._path)

    def close(self) -> None:
        """Let go of it."""
        if self._connection:
            self._connection.close()
            self._connection = None

    @property
    def _open(self) -> sqlite3.Connection:
        assert self._connection  # noqa: S101 - `begin` comes first
        return self._connection


@contextmanager
def sqlite_source(path: Path, *, is_locked: bool = False) -> Iterator[SqliteSource]:
    """Open a file to read, without changing it.

    Args:
        path: Of the file.
        is_locked: No bot may run on it meanwhile.

    Raises:
        StoreError: It cannot be read, is damaged, from a newer version, or in use.
    """
    with ExitStack() as stack:
        if is_locked:
            check_there(path)
            stack.enter_context(_explained(path, "lock"))
            stack.enter_context(_locked(path))
        connection = stack.enter_context(_reading(path))
        connection.execute("BEGIN")
        yield SqliteSource(path, connection)


@contextmanager
def sqlite_query(path: Path) -> Iterator[Query]:
    """Open a file for queries, while a bot may write to it.

    Raises:
        StoreError: It cannot be read.
    """
    with _reading(path) as connection:
        yield lambda sql, *values: connection.execute(sql, values).fetchall()


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    check_there(path)
    with _explained(path, "read"), closing(_connect(path, f"ro{_stillness(path)}")) as connection:
        if not has_tables(path, connection):
            raise StoreError(f"There is nothing in the database {path}.")
        yield connection


@contextmanager
def sqlite_target(path: Path) -> Iterator[SqliteTarget]:
    """Open a file that a bot is to run on.

    Raises:
        StoreError: It cannot be written, or a bot runs on it.
    """
    path = Path(os.path.realpath(path))  # whoever reaches it by a link goes on to do so
    with (
        _explained(path, "write"),
        _locked(path),
        _partial(path) as part,
        closing(SqliteTarget(path, part)) as target,
    ):
        yield target


@contextmanager
def sqlite_file(path: Path) -> Iterator[SqliteTarget]:
    """Open a new file that holds the tables as they are.

    Raises:
        StoreError: It cannot be written, or is there already.
    """
    with (
        _explained(path, "write"),
        _partial(path) as part,
        closing(SqliteTarget(path, part, is_current=False)) as target,
    ):
        yield target


def backup_file(path: Path, file: Path, progress: Progress) -> None:
    """Copy a file as it is at this moment, while a bot may write to it.

    Raises:
        StoreError: One of the two cannot be used.
    """
    with (
        _reading(path) as source,
        _explained(file, "write"),
        _partial(file) as part,
        closing(_connect(part)) as target,
    ):
        # Within a transaction, so that what the bot writes meanwhile does not begin it anew.
        source.execute("BEGIN")
        source.execute("SELECT 1 FROM sqlite_master").fetchall()
        source.backup(
            target,
            pages=_PAGES,
            progress=lambda _, left, total: progress("copying", total - left, total),
        )
        target.execute("PRAGMA journal_mode = DELETE")
        progress("checking", 0, 1)
        _check(file, target)
        progress("checking", 1, 1)
        target.close()
        _put_in_place(part, file)


def _check(path: Path, connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA integrity_check(1)").fetchall()
    if found != [("ok",)]:
        raise StoreError(f"The database {path} is damaged.")


@contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """Yield where to write what is to be at `path` once it is complete; for us alone to read.

    What was left there by a process that was killed is overwritten, and nothing is left behind.

    Raises:
        StoreError: Another process writes there.
    """
    part = part_of(path)
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o600), "rb+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = part.stat().st_ino == os.fstat(file.fileno()).st_ino
        except OSError:
            is_ours = False
        if not is_ours:
            raise StoreError(f"Another causerie is writing {path}.")
        file.truncate(0)
        os.fchmod(file.fileno(), 0o600)
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)


def _put_in_place(part: Path, path: Path) -> None:
    """Let a complete file take its place at once, whatever happens to the machine."""
    for suffix in ("-wal", "-shm"):  # of the file that it takes the place of
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    _sync(part)
    part.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    held = lock_file(path)
    try:
        yield
    finally:
        held.close()


@contextmanager
def _explained(path: Path, verb: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"Cannot {verb} the database {path}: {error}.") from error
    except OSError as error:
        raise StoreError(f"Cannot {verb} the database {path}: {error.strerror}.") from error


def _connect(path: Path, mode: str = "rw") -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5)
    connection.text_factory = _text
    return connection


def _stillness(path: Path) -> str:
    """Return how to open a file that nobody writes, where no log can be made beside it."""
    real = Path(os.path.realpath(path))
    has_log = real.with_name(f"{real.name}-wal").exists()
    return "" if has_log or os.access(real.parent, os.W_OK) else "&immutable=1"


def _text(data: bytes) -> str:
    """Return a text; what another program wrote there may be none."""
    return str(data, "utf-8", "replace")


def _version(path: Path, connection: sqlite3.Connection) -> int:
    version = _number(connection, "PRAGMA user_version")
    if version > NEWEST:
        raise StoreError(f"The database {path} is from a newer version of causerie; update first.")
    return version


def _number(connection: sqlite3.Connection, sql: str) -> int:
    [[number]] = connection.execute(sql).fetchall()
    value: Any = number
    return int(value)
