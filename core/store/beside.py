"""A database, opened for a transaction or two beside the processes that work on it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.store.optional import need_psycopg
from core.store.sqlite import visit_sqlite
from core.store.tx import Database


@asynccontextmanager
async def beside(where: Path | str) -> AsyncIterator[Database]:
    """Open a database as it is; nothing is created, brought to a newer version, or let go.

    Args:
        where: File of a SQLite database, or URL of a PostgreSQL one.

    Raises:
        SettingsError: What PostgreSQL takes is not installed.
        StoreError: It cannot be opened, holds nothing, or is from another version.
    """
    database = await _visit(where)
    try:
        yield database
    finally:
        await database.close()


async def _visit(where: Path | str) -> Database:
    if isinstance(where, Path):
        return await visit_sqlite(where)
    need_psycopg()
    from core.store.copy_postgres import check_postgres  # noqa: PLC0415 - an optional extra
    from core.store.postgres import PostgresDatabase  # noqa: PLC0415 - likewise

    await asyncio.to_thread(check_postgres, where)
    return PostgresDatabase(where, connections=1)
