"""What databases hold, table by table, as their own catalogues name the tables."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

Contents = dict[str, list[dict[str, Any]]]
# Of no interest elsewhere: the version of the tables, what leads for seconds, the last ids given.
_OWN = frozenset({"version", "lead", "sqlite_sequence"})


def contents(where: Path | str) -> Contents:
    """Return all rows of all tables, sorted; but for the mark that copying leaves."""
    found = dict(_sqlite(where) if isinstance(where, Path) else _postgres(where))
    found["chore"] = [row for row in found["chore"] if not row["name"].startswith("copied ")]
    return {name: sorted(rows, key=repr) for name, rows in found.items() if name not in _OWN}


def _sqlite(path: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (name,) in names.fetchall():
            rows = connection.execute(f"SELECT * FROM {name}")  # noqa: S608
            yield name, [dict(row) for row in rows]


def _postgres(url: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        for row in names.fetchall():
            name = row["table_name"]
            yield name, connection.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608


def execute(where: Path | str, sql: str, *values: object) -> list[Any]:
    """Execute a statement in a database that nobody else uses; return its rows, if it has any."""
    if isinstance(where, Path):
        with closing(sqlite3.connect(where, isolation_level=None)) as connection:
            return connection.execute(sql, values).fetchall()
    with psycopg.connect(where, autocommit=True) as postgres:
        done = postgres.execute(sql.replace("?", "%s"), values or None)
        return done.fetchall() if done.description else []


def fill_every_column(path: Path) -> None:
    """Enter two rows into every table of a SQLite file, with another value in every column."""
    number = 0
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM chore")
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (name,) in names.fetchall():
            if name in _OWN:
                continue
            referring = {row[3] for row in connection.execute(f"PRAGMA foreign_key_list({name})")}
            columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
            for row in (1, 2):
                values: list[object] = []
                for _, column, kind, *_ in columns:
                    number += 1
                    values.append(_value(kind, number))
                    if column in referring or (column == "id" and kind == "INTEGER"):
                        values[-1] = row
                    elif column == "is_leased":
                        values[-1] = 0
                marks = ", ".join("?" * len(values))
                connection.execute(f"INSERT INTO {name} VALUES ({marks})", values)  # noqa: S608


def _value(kind: str, number: int) -> object:
    return {"TEXT": f"text {number} é\N{ROCKET}", "BYTEA": bytes([0, number % 256])}.get(
        kind, number
    )
