"""Statements that are sent to PostgreSQL together: each has its own answer."""

import asyncio

import psycopg
import pytest

from core.errors import StoreError
from core.store.postgres import CONNECTIONS, PostgresDatabase
from core.store.tx import Tx
from tests.core.storing import read


async def test_what_cannot_be_sent_leaves_nothing_unanswered(
    database: PostgresDatabase, postgres_url: str
) -> None:
    """More values than a statement can have, say: what is prepared after it is known."""

    def count(tx: Tx, values: int) -> int:
        [row] = tx.all(
            f"SELECT COUNT(*) AS n WHERE 0 IN ({', '.join('?' * values)})", *[0] * values
        )
        return int(row["n"])

    await database.run(read, "SELECT 1 AS one")
    came_to = await asyncio.gather(
        *(database.read(count, values) for values in (1, 1, 2**16, 2)), return_exceptions=True
    )
    assert [one if one == 1 else type(one) for one in came_to] == [1, 1, StoreError, 1]
    for _ in range(2 * CONNECTIONS):
        with pytest.raises(StoreError):
            await database.run(read, "SELECT * FROM late")
    with psycopg.connect(postgres_url) as newer:
        newer.execute("CREATE TABLE late AS SELECT 1 AS n")
    for _ in range(2 * CONNECTIONS):
        assert await database.run(read, "SELECT * FROM late") == [{"n": 1}]


async def test_much_goes_both_ways_at_once(database: PostgresDatabase) -> None:
    """What is sent and what is answered are larger than what waits on the way."""

    def echo(tx: Tx, text: str) -> int:
        [row] = tx.all("SELECT CAST(? AS TEXT) AS same", text)
        return len(row["same"])

    sizes = [4_000_000 + number for number in range(4)]
    asked = (database.read(echo, "x" * size) for size in sizes)
    assert await asyncio.wait_for(asyncio.gather(*asked), 60) == sizes
