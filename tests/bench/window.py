"""Cost of reading a chat's memory while its history grows from a thousand to a million.

Run as `python -m tests.bench window`. The history is written in bulk; it is read by the store's
own code, once with the steps of SQLite's machine counted, then through the open store, as the
relay does it.
"""

import asyncio
import itertools
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from core.store import history, open_store
from core.store.sqlite_tx import SqliteTx
from core.types import Chat, Incoming, Person
from tests.bench.subject import DISK

SIZES = (1_000, 10_000, 100_000, 1_000_000)
# Prompts of a short chat, of the default budget, of one that an owner has opened wide.
BUDGETS = (3_000, 12_000, 100_000)
TOKENS = 50  # of each message
CONTENT = "I wiped it with a dry cloth, and in the morning it was wet again. " * 3
READS = 50
CHAT = 1
MOST_RATIO = 1.1


def _rows(first: int, last: int) -> Iterator[tuple[object, ...]]:
    roles = itertools.cycle(("user", "assistant"))
    for number, role in zip(range(first, last), roles, strict=False):
        yield CHAT, number, role, "", CONTENT, TOKENS, (number + 1) * TOKENS, 0


def _fill(path: Path, first: int, last: int) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.executemany(
            "INSERT INTO message (chat_id, turn, role, name, content, tokens, total, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            _rows(first, last),
        )
        connection.execute("UPDATE chat SET total = ?", (last * TOKENS,))
    connection.close()


def _steps(path: Path, tokens: int) -> int:
    """Return the steps SQLite's virtual machine takes for one window."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    steps = itertools.count()
    connection.set_progress_handler(lambda: next(steps) and 0, 1)
    history.window(SqliteTx(connection, 0), CHAT, start=0, tokens=tokens, before=None)
    connection.close()
    return next(steps)


async def _milliseconds(path: Path, tokens: int) -> float:
    store = await open_store(path)
    times = []
    for _ in range(READS):
        start = time.perf_counter()
        messages = await store.window(CHAT, start=0, tokens=tokens)
        times.append(time.perf_counter() - start)
        if sum(message.tokens for message in messages) > tokens:
            raise RuntimeError("the window is larger than asked for")
    await store.close()
    return statistics.median(times) * 1000


async def _create(path: Path) -> None:
    store = await open_store(path)
    ann = Person(id="bench:1", name="Ann")
    chat = Chat(platform="bench", ref="1", is_private=True)
    first = Incoming(event="1", chat=chat, person=ann, text="Hello", message="1", sent_at=0)
    await store.put(first, "message")
    await store.close()


def _bench(path: Path) -> None:
    asyncio.run(_create(path))
    costs: dict[int, list[tuple[float, int]]] = {tokens: [] for tokens in BUDGETS}
    head = "".join(f"{f'{tokens:,} tokens':>28}" for tokens in BUDGETS)
    sys.stdout.write(f"{'messages':>10}{head}\n")
    for before, size in itertools.pairwise((0, *SIZES)):
        _fill(path, before, size)
        sys.stdout.write(f"{size:10,}")
        for tokens in BUDGETS:
            cost = asyncio.run(_milliseconds(path, tokens)), _steps(path, tokens)
            costs[tokens].append(cost)
            sys.stdout.write(f"{cost[0]:10.2f} ms{cost[1]:9,} steps")
        sys.stdout.write("\n")
    # The widest window holds more than the smallest history, so it has nothing to compare.
    first, last = ([costs[tokens][at] for tokens in BUDGETS[:-1]] for at in (0, -1))
    times, steps = (
        max(late[kind] / early[kind] for early, late in zip(first, last, strict=True))
        for kind in (0, 1)
    )
    verdict = "met" if steps <= MOST_RATIO else "MISSED"
    sys.stdout.write(
        f"{verdict:6}  {steps:.2f} x the steps and {times:.2f} x the time with"
        f" {SIZES[-1]:,} messages as with {SIZES[0]:,} (flat)\n"
    )


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=DISK) as folder:
        _bench(Path(folder) / "bench.db")


if __name__ == "__main__":
    main()
