"""What a statement costs this process on PostgreSQL: run by psycopg's cursor, and by our Wire.

Run as `python -m tests.bench statements`. Both run the same query, prepared, on one connection,
in turns.
"""

import argparse
import resource
import statistics
import sys
from collections.abc import Callable

from core.store.postgres_connection import Connection, connect
from core.store.postgres_wire import Wire
from tests.servers.postgres import PostgresServer

COUNT, ROUNDS = 2_000, 7
QUERY = "SELECT id, name, status FROM person WHERE id = {}"


def spent(step: Callable[[], object]) -> float:
    """Return the microseconds of CPU that a step takes."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(COUNT):
        step()
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used / COUNT * 1e6


def measure(connection: Connection, rounds: int) -> dict[str, list[float]]:
    """Return what each way took, by its name."""
    connection.execute("CREATE TABLE person (id TEXT PRIMARY KEY, name TEXT, status TEXT)")
    connection.execute("INSERT INTO person VALUES ('desk:1', 'Ann', 'approved')")
    wire = Wire(connection)
    ways: dict[str, Callable[[], object]] = {
        "cursor": lambda: connection.execute(QUERY.format("%s"), ["desk:1"]).fetchall(),
        "wire": lambda: wire.execute(QUERY.format("?"), ["desk:1"]),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, step in ways.items():
            found[name].append(spent(step))
    return {name: times[1:] for name, times in found.items()}  # the first prepares


def main(rounds: int) -> None:
    """Measure, and print the medians."""
    with PostgresServer() as server:
        connection, _ = connect(server.url(server.create()))
        with connection:
            found = measure(connection, rounds)
    medians = {name: statistics.median(times) for name, times in found.items()}
    for name, median in medians.items():
        sys.stdout.write(f"{name:>8}{median:8.1f} µs of CPU a statement\n")
    sys.stdout.write(f"   ratio{medians['cursor'] / medians['wire']:8.2f}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench statements")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    main(parser.parse_args().rounds)
