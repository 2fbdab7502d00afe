"""What a statement costs this process on PostgreSQL: run by psycopg's cursor, and by our Wire.

Run as `python -m tests.bench statements`. Both run the same query, prepared, on one connection,
in turns.
"""

import argparse
import asyncio
import resource
import statistics
import sys
from collections.abc import Awaitable, Callable

import psycopg

from core.store.postgres_connection import connect
from core.store.postgres_wire import Statement, Wire
from tests.servers.postgres import PostgresServer

COUNT, BESIDE, ROUNDS = 2_000, 20, 7
QUERY = "SELECT id, name, status FROM person WHERE id = {}"


async def spent(step: Callable[[], Awaitable[object]], statements: int) -> float:
    """Return the microseconds of CPU that each statement of a step takes."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(COUNT // statements):
        await step()
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used / COUNT * 1e6


async def measure(url: str, rounds: int) -> dict[str, list[float]]:
    """Return what each way took, by its name."""
    connection, _ = connect(url)
    connection.execute("CREATE TABLE person (id TEXT PRIMARY KEY, name TEXT, status TEXT)")
    connection.execute("INSERT INTO person VALUES ('desk:1', 'Ann', 'approved')")
    wire = Wire(connection)
    asked = [Statement(QUERY.format("?"), ["desk:1"])]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other:

        async def by_cursor() -> None:
            await (await other.execute(QUERY.format("%s"), ["desk:1"], prepare=True)).fetchall()

        async def by_pipeline() -> None:
            async with other.pipeline():
                sql = QUERY.format("%s")
                sent = [await other.execute(sql, ["desk:1"], prepare=True) for _ in range(BESIDE)]
                for cursor in sent:
                    await cursor.fetchall()

        ways: dict[str, tuple[Callable[[], Awaitable[object]], int]] = {
            "cursor": (by_cursor, 1),
            f"{BESIDE} cursors": (by_pipeline, BESIDE),
            "wire": (lambda: wire.execute(asked), 1),
            f"{BESIDE} at once": (lambda: wire.execute(asked * BESIDE), BESIDE),
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds + 1):
            for name, (step, statements) in ways.items():
                found[name].append(await spent(step, statements))
    connection.close()
    return {name: times[1:] for name, times in found.items()}  # the first prepares


def main(rounds: int) -> None:
    """Measure, and print the medians."""
    with PostgresServer() as server:
        found = asyncio.run(measure(server.url(server.create()), rounds))
    medians = {name: statistics.median(times) for name, times in found.items()}
    for name, median in medians.items():
        ratio = medians["cursor"] / median
        sys.stdout.write(f"{name:>12}{median:8.1f} µs of CPU a statement, 1/{ratio:.1f}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench statements")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    main(parser.parse_args().rounds)
