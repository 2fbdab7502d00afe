"""The ledger as rows, for spreadsheets; read beside a program that runs."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from core.store.copy_sqlite import sqlite_query
from core.store.copying import Query, Values
from core.store.optional import need_psycopg

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
PAGE = 1000
# owasp.org/www-community/attacks/CSV_Injection, 2026-11.
_FORMULA = ("=", "+", "-", "@")
_CALLS = (
    "SELECT usage.id, usage.created_at, usage.person, COALESCE(person.name, ''),"
    " platform || ':' || ref, purpose, usage.model, input, cached, output, milliseconds, cost,"
    " is_estimated FROM usage"
    " JOIN chat ON chat.id = chat_id LEFT JOIN person ON person.id = usage.person"
    " WHERE usage.id > ? ORDER BY usage.id LIMIT ?"
)


def rows(where: Path | str) -> Iterator[Values]:
    """Yield every paid call, the oldest first, in the order of COLUMNS.

    Dollars are exact to the micro-dollar, and empty where the price was not known. Texts, which
    people may have chosen, hold only signs that can be shown, and begin with `'` where a
    spreadsheet would take them for a formula. It is read in
    pages: whoever takes their time with what this yields keeps no bot from cleaning up.

    Args:
        where: File of a SQLite database, or URL of a PostgreSQL one.

    Raises:
        SettingsError: What PostgreSQL takes is not installed.
        StoreError: It is not there, or cannot be read.
    """
    with _query(where) as query:
        last = 0
        while page := query(_CALLS, last, PAGE):
            yield from map(_row, page)
            last = page[-1][0]


def _query(where: Path | str) -> AbstractContextManager[Query]:
    if isinstance(where, Path):
        return sqlite_query(where)
    need_psycopg()
    from core.store.copy_postgres import postgres_query  # noqa: PLC0415 - an optional extra

    return postgres_query(where)


def _row(call: Values) -> Values:
    _, at, *words, milliseconds, cost, is_estimated = call
    time = datetime.fromtimestamp(at / 1000).astimezone().isoformat(timespec="seconds")
    usd = "" if cost is None else f"{cost / 1_000_000:.6f}"
    return (time, *map(_cell, words), milliseconds / 1000, usd, is_estimated)


def _cell(word: object) -> object:
    if not isinstance(word, str):
        return word
    text = "".join(sign for sign in word if sign.isprintable())
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
