"""A SQLite file: whose it is, how it is written, and what its tables look like."""

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import BinaryIO

from core.errors import StoreError
from core.store.shape import NEWEST, OLDER, SQLITE_SERIAL, statements

BUSY_MS = 5000  # for another process to end a transaction; it takes milliseconds


def check_there(path: Path) -> None:
    """See that there is a file.

    Raises:
        StoreError: There is none, or its folder is closed to us.
    """
    try:
        is_there = path.is_file()
    except OSError as error:
        raise StoreError(f"Cannot read the database {path}: {error.strerror}.") from error
    if not is_there:
        raise StoreError(f"There is no database {path}.")


def part_of(path: Path) -> Path:
    """Return where a copy is written that is to take a file's place once it is complete."""
    return path.with_name(f"{path.name}.part")


def lock_file(path: Path) -> BinaryIO:
    """Keep other processes from running on a file, until what this returns is closed.

    Raises:
        StoreError: One does.
        OSError: There is nowhere to say so, or the file system knows no locks.
    """
    real = Path(os.path.realpath(path))  # the same by whatever link it is reached
    lock = os.fdopen(os.open(f"{real}.lock", os.O_RDWR | os.O_CREAT, 0o600), "wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Left by a copy that was killed, it would hold words that nobody deletes.
        part_of(real).unlink(missing_ok=True)
    except BlockingIOError as error:
        lock.close()
        raise StoreError(f"Another causerie is running on {path}; end it first.") from error
    except OSError:
        lock.close()
        raise
    return lock


def has_tables(path: Path, connection: sqlite3.Connection) -> bool:
    """Say whether any tables are in a file.

    Raises:
        StoreError: They are another program's.
    """
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    names = {row[0] for row in rows}
    if names and not {"chat", "inbox"} <= names:
        raise StoreError(f"{path} is no database of causerie.")
    return bool(names)


def prepare(connection: sqlite3.Connection) -> None:
    """Make a file ready for the process that it belongs to, with tables of the newest version.

    Raises:
        StoreError: They are from a newer one.
    """
    for statement in statements(SQLITE_SERIAL, after=_configure(connection)):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {NEWEST}")
    connection.execute("COMMIT")


def prepare_visit(connection: sqlite3.Connection) -> None:
    """Make a file ready for another process, with the tables that it has.

    Raises:
        StoreError: They are not of our version.
    """
    if _configure(connection) < NEWEST:
        raise StoreError(OLDER)
    connection.execute("COMMIT")


def prepare_reading(connection: sqlite3.Connection) -> None:
    """Make a connection ready that only looks at a file, whose tables are ready."""
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute("PRAGMA query_only = ON")


def _configure(connection: sqlite3.Connection) -> int:
    """Set how the file is written; return the version of its tables.

    Raises:
        StoreError: They are from a newer one.
    """
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > NEWEST:
        raise StoreError("The database is from a newer version of causerie; update first.")
    return int(version)


def data_version(connection: sqlite3.Connection) -> int:
    """Return what changes when another process has committed something."""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(version)
