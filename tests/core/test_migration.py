"""A database that an earlier version wrote is read by this one, with all that is in it."""

import itertools
import sqlite3
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from core.money import Limit
from core.store import open_store
from core.store.postgres_connection import SERIAL
from core.store.schema import MIGRATIONS
from tests.core.stand_ins import ANN, CHAT, incoming

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

NOON = 1_700_000_000_000
LEDGER = 1 + next(n for n, m in enumerate(MIGRATIONS) if "CREATE TABLE usage_day" in "".join(m))
MONTHS = next(n for n, m in enumerate(MIGRATIONS) if "CREATE TABLE usage_month" in "".join(m))
DAYS = (date(2100, 1, 1) - date(1970, 1, 1)).days
SUMS = "VALUES (?, ?, 1, ?, 'chat', 1, 5, 4, 3, 2, ?, 1)"


def earlier(path: Path, version: int) -> None:
    """Write a database as version `version` did, with a turn and what it cost in it."""
    connection = sqlite3.connect(path)
    for statements in MIGRATIONS[:version]:
        for statement in statements:
            serial = "INTEGER PRIMARY KEY AUTOINCREMENT"
            connection.execute(statement.replace("{serial}", serial))
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute(
        "INSERT INTO chat (platform, ref, is_private, title, total) VALUES ('desk', ?, 1, '', 7)",
        (CHAT.ref,),
    )
    connection.execute(
        "INSERT INTO message (chat_id, turn, role, name, content, tokens, total, created_at)"
        " VALUES (1, 1, 'user', '', 'before', 7, 7, 0)"
    )
    for model in ("a", "a", "b"):
        connection.execute(
            "INSERT INTO usage (chat_id, turn, person, purpose, model, input, cached, output,"
            " milliseconds, is_estimated, created_at)"
            " VALUES (1, 1, ?, 'chat', ?, 10, 4, 5, 0, 0, ?)",
            (ANN.id, model, NOON),
        )
    connection.execute("INSERT INTO person (id, name) VALUES (?, 'Ann')", (ANN.id,))
    connection.commit()
    connection.close()


@pytest.mark.parametrize("version", range(1, LEDGER))
async def test_an_earlier_database_goes_on(tmp_path: Path, version: int) -> None:
    """History, people and the ledger are there; what was paid before has no known price."""
    path = tmp_path / "causerie.db"
    earlier(path, version)
    store = await open_store(path)
    try:
        said = [m.content for m in await store.window(1, start=0)]
        assert said == ["before"]
        rows = await store.totals("model", person=ANN.id)
        assert [
            (r.id, r.calls, r.input, r.cached, r.output, r.cost, r.unpriced) for r in rows
        ] == [
            ("a", 2, 20, 8, 10, 0, 2),
            ("b", 1, 10, 4, 5, 0, 1),
        ]
        assert [r.name for r in await store.totals("person")] == ["Ann"]
        assert [r.id for r in await store.totals("day", chat=1)] == ["2023-11-14"]
        assert await store.totals("all", since=date(2024, 1, 1)) == []
        assert await store.put(incoming(1, "hi"), "message")
        limit = Limit(scope="user", subject=ANN.id, span="day", usd=10)
        assert (await store.levels([limit]))[0].left == 10
    finally:
        await store.close()


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """A database as it was before there were sums of months, with one of each day until 2100."""
    if request.param == "sqlite":
        path = tmp_path / "causerie.db"
        earlier(path, MONTHS)
        connection = sqlite3.connect(path)
        with connection:
            sums = ((n, ANN.id, f"model {n % 2}", n % 7) for n in range(DAYS))
            connection.executemany(f"INSERT INTO usage_day {SUMS}", sums)
        connection.close()
        return path
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.url(server.create())
    with psycopg.connect(url) as database:
        for statement in itertools.chain.from_iterable(MIGRATIONS[:MONTHS]):
            database.execute(statement.replace("{serial}", SERIAL))
        database.execute("CREATE TABLE version AS SELECT CAST(%s AS BIGINT) AS number", [MONTHS])
        database.execute("INSERT INTO chat (platform, ref, is_private, title) VALUES ('','',1,'')")
        database.execute(
            "INSERT INTO usage_day SELECT n, %s, 1, 'model ' || mod(n, 2), 'chat', 1, 5, 4, 3, 2,"
            " mod(n, 7), 1 FROM generate_series(0, %s) AS days (n)",
            [ANN.id, DAYS - 1],
        )
    return url


async def test_sums_of_months_are_made_of_those_of_days(where: Path | str) -> None:
    """Every day counts in its month."""
    store = await open_store(where)
    found = await store.totals("month", person=ANN.id)
    await store.close()
    calls, costs = Counter[str](), Counter[str]()
    for number in range(DAYS):
        month = f"{date(1970, 1, 1) + timedelta(days=number):%Y-%m}"
        calls[month] += 1
        costs[month] += number % 7
    assert [(row.id, row.calls, row.cost) for row in found] == [
        (month, calls[month], costs[month]) for month in sorted(calls)
    ]
    assert (found[1].input, found[1].cached, found[1].output) == (28 * 5, 28 * 4, 28 * 3)
