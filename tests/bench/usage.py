"""Cost of `/usage` over a year of a million turns: one's own, a chat's, everybody's.

Run as `python -m tests.bench usage`. The ledger is written in bulk into a database of the version
before there were sums of months, so that bringing it to the newest one is measured, too; it is
read through the open store, as the command does it.
"""

import asyncio
import itertools
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from core.money import By
from core.protocols import Store
from core.store import open_store
from core.store.schema import MIGRATIONS
from tests.bench.subject import DISK

TURNS = 1_000_000
PEOPLE, CHATS, MODELS = 200, 60, 3
DAYS = 365
READS = 15
BYS: Sequence[By] = ("all", "model", "person", "chat", "month", "day")
# What `/usage year` asks for; here since the first of this month a year ago.
SHOWN: dict[str, Sequence[By]] = {
    "me": ("all", "model", "month"),
    "chat": ("all", "model", "person", "month"),
    "everyone": ("all", "model", "person", "chat", "month"),
}
MOST_MS = 100.0
BEFORE = next(
    (n for n, m in enumerate(MIGRATIONS) if "usage_month" in "".join(m)), len(MIGRATIONS)
)

# Most write in two chats, and mostly to one model; nobody writes at the same time every day.
FILL = """
    WITH RECURSIVE turn (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM turn WHERE n < {turns} - 1),
    dice AS MATERIALIZED (
        SELECT n, abs(random()) % {people} AS who, abs(random()) % 100 AS d FROM turn
    )
    INSERT INTO usage (chat_id, turn, person, purpose, model, input, cached, output, milliseconds,
        is_estimated, created_at, cost)
    SELECT 1 + (CASE WHEN d % 4 > 0 THEN who ELSE who * 7 + 3 END) % {chats}, n, 'bench:' || who,
        'chat', 'model-' || (CASE WHEN d < 85 THEN 0 ELSE 1 + d % ({models} - 1) END),
        2000, 1500, 200, 0, 0, {first} + n * {step}, 900
    FROM dice
"""
SUM_UP = """
    INSERT INTO usage_day
    SELECT created_at / 86400000, person, chat_id, model, purpose, COUNT(*), SUM(input),
        SUM(cached), SUM(output), SUM(milliseconds), SUM(cost), 0
    FROM usage GROUP BY 1, 2, 3, 4, 5
"""


def _fill(path: Path) -> int:
    """Write a ledger; return how many sums of days it has."""
    connection = sqlite3.connect(path)
    for statement in itertools.chain.from_iterable(MIGRATIONS[:BEFORE]):
        connection.execute(statement.replace("{serial}", "INTEGER PRIMARY KEY AUTOINCREMENT"))
    connection.execute(f"PRAGMA user_version = {BEFORE}")
    now = datetime.now(UTC)
    step = DAYS * 86_400_000 // TURNS
    first = round(now.timestamp() * 1000) - TURNS * step
    with connection:
        connection.executemany(
            "INSERT INTO chat (platform, ref, is_private, title) VALUES ('bench', ?, 0, ?)",
            ((str(n), f"Chat {n}") for n in range(CHATS)),
        )
        connection.executemany(
            "INSERT INTO person (id, name) VALUES (?, ?)",
            ((f"bench:{n}", f"Person {n}") for n in range(PEOPLE)),
        )
        sizes = {"turns": TURNS, "people": PEOPLE, "chats": CHATS, "models": MODELS}
        connection.execute(FILL.format(**sizes, first=first, step=step))
        connection.execute(SUM_UP)
    [(count,)] = connection.execute("SELECT COUNT(*) FROM usage_day").fetchall()
    connection.close()
    return int(count)


async def _milliseconds(store: Store, whose: str, bys: Sequence[By]) -> float:
    since = datetime.now().astimezone().date().replace(day=1)
    since = since.replace(year=since.year - 1)
    person = "bench:7" if whose == "me" else None
    chat = 7 if whose == "chat" else None
    times = []
    for _ in range(READS):
        start = time.perf_counter()
        for by in bys:
            if not await store.totals(by, since=since, person=person, chat=chat):
                raise RuntimeError("nothing was found")
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


async def _bench(path: Path) -> None:
    began = time.perf_counter()
    sums = _fill(path)
    filled = time.perf_counter()
    store = await open_store(path)
    opened = time.perf_counter()
    head = "".join(f"{f'by {by}':>14}" for by in BYS)
    sys.stdout.write(
        f"{TURNS:,} turns, {sums:,} sums of days: written in {filled - began:.1f} s, brought to"
        f" the newest version in {opened - filled:.1f} s\n"
        f"{'median of':10}{head}{'/usage year':>14}\n"
    )
    worst = 0.0
    for whose, shown in SHOWN.items():
        sys.stdout.write(f"{whose:10}")
        for bys in (*([by] for by in BYS), shown):
            taken = await _milliseconds(store, whose, bys)
            sys.stdout.write(f"{taken:11.1f} ms")
        worst = max(worst, taken)
        sys.stdout.write("\n")
    await store.close()
    verdict = "met" if worst <= MOST_MS else "MISSED"
    sys.stdout.write(f"{verdict:6}  {worst:.0f} ms for the slowest /usage (tens)\n")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=DISK) as folder:
        asyncio.run(_bench(Path(folder) / "bench.db"))


if __name__ == "__main__":
    main()
