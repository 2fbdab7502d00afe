"""A database that an earlier version wrote is read by this one, with all that is in it."""

import sqlite3
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from core.money import Limit
from core.store import open_store
from core.store.schema import MIGRATIONS
from core.store.sums import month_of
from tests.core.stand_ins import ANN, CHAT, incoming

NOON = 1_700_000_000_000
LEDGER = 1 + next(n for n, m in enumerate(MIGRATIONS) if "CREATE TABLE usage_day" in "".join(m))
MONTHS = next(n for n, m in enumerate(MIGRATIONS) if "CREATE TABLE usage_month" in "".join(m))


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


async def test_sums_of_months_are_made_of_those_of_days(tmp_path: Path) -> None:
    """Every day until 2100 counts in its month, and is there by itself."""
    path = tmp_path / "causerie.db"
    earlier(path, MONTHS)
    days = range(date(1970, 1, 1).toordinal(), date(2100, 1, 1).toordinal())
    connection = sqlite3.connect(path)
    with connection:
        connection.executemany(
            "INSERT INTO usage_day VALUES (?, ?, 1, ?, 'chat', 1, 5, 4, 3, 2, ?, 1)",
            ((n, ANN.id, f"model {n % 2}", n % 7) for n in range(len(days))),
        )
    connection.close()
    await (await open_store(path)).close()
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT month, SUM(calls), SUM(cost) FROM usage_month GROUP BY 1")
    months = Counter(month_of(date.fromordinal(day)) for day in days)
    costs = Counter[int]()
    for number, day in enumerate(days):
        costs[month_of(date.fromordinal(day))] += number % 7
    assert found.fetchall() == [(month, months[month], costs[month]) for month in sorted(months)]
    by_day = connection.execute("SELECT day, calls, input, cost FROM usage_all ORDER BY day")
    assert by_day.fetchall() == [(n, 1, 5, n % 7) for n in range(len(days))]
    connection.close()
