"""What the tables look like at any version, as the migrations themselves make them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from core.store.schema import MIGRATIONS

NEWEST = len(MIGRATIONS)
SQLITE_SERIAL = "INTEGER PRIMARY KEY AUTOINCREMENT"
OLDER = "The database is from an older version of causerie; start causerie once to update it."
# Who leads, for seconds, is of no interest anywhere else.
FLEETING = frozenset({"lead"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of what is kept.

    Attributes:
        columns: In their order.
        is_numbered: Its `id` comes from the database, which gives none twice.
    """

    name: str
    columns: tuple[str, ...]
    is_numbered: bool

    @property
    def select(self) -> str:
        """The query for all of its rows, in no order."""
        return f"SELECT {', '.join(self.columns)} FROM {self.name}"

    def index(self, column: str) -> int:
        """Return where in a row a column stands."""
        return self.columns.index(column)


def statements(serial: str, *, after: int = 0, until: int = NEWEST) -> Iterator[str]:
    """Yield what brings the tables from one version to another.

    Args:
        serial: How a database declares a number of its own making that is the key.
        after: The version they have; 0 for none.
        until: The version they are to have.
    """
    for migration in MIGRATIONS[after:until]:
        for statement in migration:
            yield statement.replace("{serial}", serial)


def tables(version: int = NEWEST) -> tuple[Table, ...]:
    """Return all tables but the fleeting ones, each behind those that it refers to."""
    with closing(sqlite3.connect(":memory:")) as scratch:
        for statement in statements(SQLITE_SERIAL, until=version):
            scratch.execute(statement)
        found = scratch.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
            " AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY rowid"
        ).fetchall()
        return tuple(
            Table(
                name=name,
                columns=tuple(
                    column
                    for (column,) in scratch.execute(
                        "SELECT name FROM pragma_table_info(?) ORDER BY cid", (name,)
                    )
                ),
                is_numbered="AUTOINCREMENT" in sql,
            )
            for name, sql in found
            if name not in FLEETING
        )
