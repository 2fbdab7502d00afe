"""The ledger as rows, for spreadsheets; read beside a program that runs."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from core.errors import StoreError

COLUMNS = (
    "at",
    "person",
    "name",
    "chat",
    "purpose",
    "model",
    "input",
    "cached",
    "output",
    "seconds",
    "usd",
    "is_estimated",
)


def rows(path: Path) -> Iterator[tuple[object, ...]]:
    """Yield every paid call, the oldest first, in the order of COLUMNS.

    Dollars are exact to the micro-dollar, and empty where the price was not known.

    Raises:
        StoreError: The file is not there, or cannot be read.
    """
    if not path.exists():
        raise StoreError(f"There is no database {path} yet.")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as found:
            for at, *words, cost, is_estimated in found.execute(
                "SELECT usage.created_at, usage.person, COALESCE(person.name, ''),"
                " platform || ':' || ref, purpose, usage.model, input, cached, output,"
                " milliseconds / 1000.0, cost, is_estimated FROM usage"
                " JOIN chat ON chat.id = chat_id LEFT JOIN person ON person.id = usage.person"
                " ORDER BY usage.id"
            ):
                time = datetime.fromtimestamp(at / 1000).astimezone()
                usd = "" if cost is None else f"{cost / 1_000_000:.6f}"
                yield (time.isoformat(timespec="seconds"), *words, usd, is_estimated)
    except sqlite3.Error as error:
        raise StoreError(f"Cannot read the database {path}: {error}.") from error
