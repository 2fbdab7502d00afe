"""All that is kept, copied from one database into another and compared afterwards."""

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from core.errors import StoreError
from core.store.shape import Table, tables

Values = tuple[Any, ...]
# What is being done, how many rows of it are done, and how many there are.
Progress = Callable[[str, int, int], None]
# Returns all rows of a query, each time as they are by then.
Query = Callable[..., list[Values]]

TOLD_EVERY = 1000
_BITS = 128
_MARK = "copied "


class Source(Protocol):
    """A database that is read, all of it as it was at one moment.

    Attributes:
        version: Of its tables.
    """

    version: int

    def count(self, table: Table) -> int:
        """Return how many rows a table has."""

    def rows(self, table: Table) -> Generator[Values]:
        """Yield the rows of a table, in no order."""

    def last_id(self, table: Table) -> int:
        """Return the largest id that a numbered table ever gave; 0 if none."""


class Target(Protocol):
    """A database that is written, all of it or nothing: what is not finished is undone."""

    def has_data(self) -> bool:
        """Say whether anything is kept in it."""

    def has_mark(self, mark: str) -> bool:
        """Say whether it was filled from what has this mark."""

    def begin(self, version: int) -> None:
        """Make all tables anew, empty and of this version."""

    def sound(self, rows: Iterable[Values]) -> Iterator[Values]:
        """Yield rows as they can be stored."""

    def write(self, table: Table, rows: Iterator[Values]) -> None:
        """Store rows."""

    def rows(self, table: Table) -> Generator[Values]:
        """Yield the rows of a table that were stored, in no order."""

    def set_last_id(self, table: Table, last: int) -> None:
        """Let a numbered table give no id twice."""

    def finish(self, mark: str) -> None:
        """Make it last, so that a bot can go on with it."""


@dataclass(slots=True)
class Sum:
    """A checksum of rows, whatever their order.

    Attributes:
        count: How many there were.
        total: The sum of their hashes.
    """

    count: int = 0
    total: int = 0

    def add(self, row: Values) -> None:
        """Add a row."""
        text = repr(row).encode("utf-8", "backslashreplace")
        number = hashlib.blake2b(text, digest_size=_BITS // 8).digest()
        self.count += 1
        self.total = (self.total + int.from_bytes(number)) % 2**_BITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was copied.

    Attributes:
        rows: How many.
        tables: Of how many tables.
        was_done: It had been before, so that nothing was done.
    """

    rows: int
    tables: int
    was_done: bool = False


def copy(source: Source, target: Target, progress: Progress) -> Copied:
    """Copy everything into a target that is empty, or is to be; compare counts and checksums.

    Chats that a process held are free in the copy, once the lease that it had has expired.

    Raises:
        StoreError: A database failed, or what was written is not what was read. The target is as
            it was before.
    """
    found = tables(source.version)
    counts = [source.count(table) for table in found]
    target.begin(source.version)
    sums = []
    for table, count in zip(found, counts, strict=True):
        read = Sum()
        with closing(source.rows(table)) as rows:
            sound = target.sound(_kept(table, rows))
            target.write(table, _told(sound, read, progress, f"copying {table.name}", count))
        if table.is_numbered:
            target.set_last_id(table, source.last_id(table))
        sums.append(read)
    for table, read in zip(found, sums, strict=True):
        with closing(target.rows(table)) as rows:
            written = _summed(rows, progress, f"checking {table.name}", read.count)
        if written != read:
            raise StoreError(
                f"What was written of the table {table.name} is not what was read; nothing was "
                "kept of it."
            )
    target.finish(_mark(found, sums))
    return Copied(rows=sum(read.count for read in sums), tables=len(found))


def was_copied(source: Source, target: Target, progress: Progress) -> Copied | None:
    """Return what was copied if the target was filled from this very source, as it is now."""
    found = tables(source.version)
    sums = []
    for table in found:
        label, count = f"reading {table.name}", source.count(table)
        with closing(source.rows(table)) as rows:
            sums.append(_summed(target.sound(_kept(table, rows)), progress, label, count))
    if not target.has_mark(_mark(found, sums)):
        return None
    return Copied(rows=sum(read.count for read in sums), tables=len(found), was_done=True)


def _kept(table: Table, rows: Iterator[Values]) -> Iterator[Values]:
    """Yield rows as they are when nobody holds a chat; marks stay with what they were made for."""
    if table.name == "chat":
        return (_free(table, row) for row in rows)
    if table.name == "chore":
        name = table.index("name")
        return (row for row in rows if not row[name].startswith(_MARK))
    return rows


def _free(table: Table, row: Values) -> Values:
    is_leased, epoch = table.index("is_leased"), table.index("epoch")
    freed = list(row)
    if row[is_leased]:
        freed[is_leased] = 0
        freed[epoch] += 1
    return tuple(freed)


def _told(
    rows: Iterator[Values], read: Sum, progress: Progress, label: str, count: int
) -> Iterator[Values]:
    """Yield rows that are summed up, and tell how far it is."""
    progress(label, 0, count)
    for row in rows:
        read.add(row)
        if read.count % TOLD_EVERY == 0:
            progress(label, read.count, count)
        yield row
    progress(label, read.count, read.count)


def _summed(rows: Iterator[Values], progress: Progress, label: str, count: int) -> Sum:
    read = Sum()
    for _ in _told(rows, read, progress, label, count):
        pass
    return read


def _mark(found: Iterable[Table], sums: Iterable[Sum]) -> str:
    """Return what tells everything that is kept in a database from anything else."""
    parts = [(t.name, t.columns, s.count, s.total) for t, s in zip(found, sums, strict=True)]
    return _MARK + hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
