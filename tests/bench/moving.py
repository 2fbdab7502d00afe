"""Rows a second of `causerie migrate`, `backup` and `restore`, with a million messages.

Run as `python -m tests.bench moving`. A SQLite database is filled in bulk with as many messages
and half as many questions, saved, moved to a real PostgreSQL server, saved there, and moved back;
each step compares counts and checksums of every table.
"""

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from core.store import moving, open_store
from tests.bench.subject import DISK
from tests.servers.postgres import PostgresServer

MESSAGES = 1_000_000
CHATS = 1000
CONTENT = "I wiped it with a dry cloth, and in the morning it was wet again. " * 3


async def _make(path: Path) -> None:
    await (await open_store(path)).close()


def _fill(path: Path, messages: int) -> int:
    """Fill a database; return how many rows it has."""
    connection = sqlite3.connect(path)
    with connection:
        connection.executemany(
            "INSERT INTO chat (platform, ref, is_private, title) VALUES ('desk', ?, 1, 'Ann')",
            ((str(number),) for number in range(CHATS)),
        )
        connection.executemany(
            "INSERT INTO inbox (platform, event, chat_id, person, kind, message, body, ready_at,"
            " turn, done_at) VALUES ('desk', ?, ?, 'desk:1', 'message', ?, ?, 0, ?, 0)",
            (
                (f"bot:{n}", n % CHATS + 1, str(n), f'{{"text": "{CONTENT}"}}', n + 1)
                for n in range(messages // 2)
            ),
        )
        connection.executemany(
            "INSERT INTO message (chat_id, turn, role, name, content, tokens, total, created_at)"
            " VALUES (?, ?, 'user', '', ?, 50, ?, 0)",
            ((n % CHATS + 1, n // 2, CONTENT, n * 50) for n in range(messages)),
        )
    connection.close()
    return messages + messages // 2 + CHATS


def _quiet(_label: str, _done: int, _total: int) -> None:
    """Look away."""


def _measure(what: str, rows: int, step: Callable[[], object]) -> None:
    began = time.monotonic()
    step()
    seconds = time.monotonic() - began
    sys.stdout.write(f"{what:22} {seconds:7.1f} s  {rows / seconds:9,.0f} rows/s\n")
    sys.stdout.flush()


def main(messages: int) -> None:
    """Measure each step."""
    with tempfile.TemporaryDirectory(dir=DISK) as name, PostgresServer(is_durable=True) as server:
        folder = Path(name)
        first, second = folder / "a.db", folder / "b.db"
        asyncio.run(_make(first))
        rows = _fill(first, messages)
        url = server.url(server.create())
        sys.stdout.write(f"{rows:,} rows, {first.stat().st_size / 1e6:,.0f} MB\n")
        save, saved = folder / "save.db", folder / "saved.db"
        _measure("backup SQLite", rows, lambda: moving.backup(first, save, _quiet))
        _measure("SQLite to PostgreSQL", rows, lambda: moving.migrate(first, url, _quiet))
        _measure("backup PostgreSQL", rows, lambda: moving.backup(url, saved, _quiet))
        _measure("PostgreSQL to SQLite", rows, lambda: moving.migrate(url, second, _quiet))
        _measure("restore to SQLite", rows, lambda: moving.restore(save, folder / "c.db", _quiet))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES)
