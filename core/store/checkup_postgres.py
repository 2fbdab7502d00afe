"""Whether a PostgreSQL database is in order."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from core.errors import StoreError
from core.finding import Finding, fault, ok, warning
from core.store.checkup import about_version
from core.store.copy_postgres import connect, explained
from core.store.postgres_connection import ENCODING, Connection
from core.store.shape import NEWEST
from core.surroundings import about_clock

# The oldest that PostgreSQL's developers look after, or did until 2025-11:
# postgresql.org/support/versioning, 2026-11.
OLDEST = 13
# A reply takes some 20 round trips; more than this each is felt.
SLOW_SECONDS = 0.1
_SETTINGS = """
    SELECT CAST(current_setting('server_version_num') AS INTEGER) / 10000 AS version,
        pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'
            AS is_read_only,
        current_setting('server_encoding') AS encoding,
        COALESCE(has_schema_privilege(current_schema(), 'CREATE'), FALSE) AS may_create,
        to_regclass('version') IS NOT NULL AND to_regclass('inbox') IS NOT NULL AS has_tables
"""
_VERSION = "SELECT COALESCE(MAX(number), 0) AS number FROM version"
_NOW = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION) AS now"
_ROUNDS = 3


def about_postgres(
    url: str, *, slow_seconds: float = SLOW_SECONDS, oldest: int = OLDEST
) -> list[Finding]:
    """Ask the server how it is set up; this takes a connection for some milliseconds.

    Args:
        url: Of the database.
        slow_seconds: A round trip that takes longer is worth a warning.
        oldest: Version of a server that is new enough.
    """
    try:
        with explained(), closing(connect(url)) as connection:
            connection.autocommit = True
            return [*_about_server(connection, slow_seconds, oldest), _about_tables(connection)]
    except StoreError as error:
        fix = "set DATABASE_URL to a PostgreSQL server that runs and lets this user in"
        return [fault(str(error).removesuffix("."), fix=fix)]


def _about_server(connection: Connection, slow_seconds: float, oldest: int) -> Iterator[Finding]:
    seconds, ahead = min(_round_trip(connection) for _ in range(_ROUNDS))
    version = _row(connection, _SETTINGS)["version"]
    text = f"PostgreSQL {version} answers within {seconds * 1000:.1f} ms"
    if version < oldest:
        yield warning(f"{text}, but is too old", fix=f"update it to {oldest} or newer")
    elif seconds > slow_seconds:
        fix = "run causerie near its database: each answer takes some 20 round trips"
        yield warning(f"{text}, which is slow", fix=fix)
    else:
        yield ok(text)
    yield about_clock(ahead, "the database")


def _round_trip(connection: Connection) -> tuple[float, float]:
    """Return what a query takes, and how far this machine's clock is ahead, in seconds."""
    began, before = time.time(), time.monotonic()
    now = _row(connection, _NOW)["now"]
    seconds = time.monotonic() - before
    return seconds, began + seconds / 2 - now


def _about_tables(connection: Connection) -> Finding:
    found = _row(connection, _SETTINGS)
    if found["is_read_only"]:
        fix = "name the primary server in DATABASE_URL, not one that follows it"
        return fault("the database can only be read", fix=fix)
    if found["encoding"] != ENCODING:
        fix = f"CREATE DATABASE name ENCODING '{ENCODING}' LOCALE 'C' TEMPLATE template0"
        text = f"the database has the encoding {found['encoding']}, which spoils what people write"
        return fault(text, fix=f"name one in DATABASE_URL that was made by: {fix}")
    version = _row(connection, _VERSION)["number"] if found["has_tables"] else 0
    if version < NEWEST and not found["may_create"]:
        fix = "as its owner, run: GRANT CREATE ON SCHEMA public TO the user of DATABASE_URL"
        return fault("this user may not create tables in the database", fix=fix)
    if not version:
        return ok("the database is empty; the first start fills it")
    return about_version("the database", version)


def _row(connection: Connection, sql: Any) -> dict[str, Any]:  # noqa: ANN401 - as in postgres.py
    row = connection.execute(sql).fetchone()
    assert row is not None  # noqa: S101 - none of these queries can have none
    return row
