"""Jobs that PostgreSQL runs side by side, in one transaction: each is as if it were alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence

import psycopg
import pytest

from core.errors import LeaseLostError, StoreError
from core.money import Limit, Standing
from core.store import DatabaseStore, open_store
from core.store.postgres import MOST_BESIDE, PostgresDatabase
from core.store.tx import Tx
from core.types import Chat, Lease, Outcome, Person, Turn, Usage
from tests.core.stand_ins import incoming, said
from tests.core.storing import put, read, ready, texts
from tests.servers.postgres import PostgresServer

LIMIT = Limit(scope="all", subject="", span="day", usd=100)


@pytest.fixture
async def stores(postgres_url: str) -> AsyncIterator[Sequence[DatabaseStore]]:
    """The stores of two processes."""
    opened = [await open_store(postgres_url) for _ in range(2)]
    yield opened
    for store in opened:
        await store.close()


def statistic(url: str, name: str) -> int:
    """Return what the server has counted of a database; of connections that are closed."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            f"SELECT {name} FROM pg_stat_database WHERE datname = current_database()"  # noqa: S608
        ).fetchall()
    return int(found[0][0])


def chats(count: int) -> list[Chat]:
    """Return so many private chats."""
    return [Chat(platform="desk", ref=f"{number:03}", is_private=True) for number in range(count)]


def learn(tx: Tx, model: str, value: int, seen: list[str] | None = None) -> None:
    """Store something, and fail on what is negative after that, on zero before."""
    if seen is not None:
        seen.append(model)
    tx.one("SELECT 1 AS one")
    if value == 0:
        raise LookupError(model)
    tx.run("INSERT INTO calibration (model, millionths) VALUES (?, ?)", model, value)
    if value < 0:
        raise LookupError(model)


async def learned(database: PostgresDatabase) -> list[str]:
    """Return what was stored."""
    rows = await database.run(read, "SELECT model FROM calibration ORDER BY model")
    return [row["model"] for row in rows]


async def take_turns(store: DatabaseStore, count: int) -> list[tuple[Lease, Turn]]:
    """Lease chats until there are so many; the clocks of two connections are not the same."""
    taken: list[tuple[Lease, Turn]] = []
    async with asyncio.timeout(10):
        while len(taken) < count:
            taken += [
                (lease, work) for lease, work in await ready(store) if isinstance(work, Turn)
            ]
    return taken


async def all_of(jobs: Iterable[Awaitable[object]]) -> list[object]:
    """Return what each came to, or raised."""
    return await asyncio.gather(*jobs, return_exceptions=True)


async def test_many_share_a_transaction(
    stores: Sequence[DatabaseStore], postgres_url: str
) -> None:
    """Four hundred people who write at once take a few commits."""
    store, _ = stores
    before = statistic(postgres_url, "xact_commit")
    stored = await all_of(
        store.put(incoming(1, "hi", chat=chat), "message") for chat in chats(400)
    )
    assert stored == [True] * 400
    await store.close()  # so that its connections tell what they did
    assert statistic(postgres_url, "xact_commit") - before < 400 / MOST_BESIDE + 50


async def test_about_the_same_one_comes_after_the_other(stores: Sequence[DatabaseStore]) -> None:
    """What somebody writes stays in its order, and is known when it comes again."""
    store, _ = stores
    [chat] = chats(1)
    numbers = [1, 2, 3, 3, 2, 4]
    stored = await all_of(store.put(incoming(n, f"m{n}", chat=chat), "message") for n in numbers)
    assert stored == [True, True, True, False, False, True]
    [(_, turn)] = await take_turns(store, 1)
    assert texts(turn) == ["m1", "m2", "m3", "m4"]


async def test_one_that_fails_undoes_itself_only(database: PostgresDatabase) -> None:
    """After it has changed something, too; the others are run again."""
    values = {"a": 1, "b": -1, "c": 1, "d": 0}
    came_to = await all_of(
        database.run_beside((model,), learn, model, value) for model, value in values.items()
    )
    assert [type(one) for one in came_to] == [type(None), LookupError, type(None), LookupError]
    assert await learned(database) == ["a", "c"]


async def test_one_that_fails_before_it_changes_anything_disturbs_nobody(
    database: PostgresDatabase,
) -> None:
    """A lost lease, say: no other is run again."""
    seen: list[str] = []
    await database.run_beside(("0",), learn, "0", 1, seen)
    await all_of(database.run_beside((model,), learn, model, int(model), seen) for model in "1023")
    assert sorted(seen) == ["0", "0", "1", "2", "3"]
    assert await learned(database) == ["0", "1", "2", "3"]


async def test_one_that_the_server_refuses_fails_alone(database: PostgresDatabase) -> None:
    """What is too large for a column, say."""
    values = {"a": 1, "b": 2**70, "c": 3}
    came_to = await all_of(
        database.run_beside((model,), learn, model, value) for model, value in values.items()
    )
    assert [type(one) for one in came_to] == [type(None), StoreError, type(None)]
    assert await learned(database) == ["a", "c"]


async def test_a_lost_lease_among_others(stores: Sequence[DatabaseStore]) -> None:
    """The turn of who was too late is not committed, those beside it are."""
    store, other = stores
    for chat in chats(8):
        await put(store, 1, chat=chat)
    leased = await take_turns(store, 8)
    lease, _ = leased[3]
    await store.release(lease)
    [(taken, _)] = await take_turns(other, 1)
    assert taken.chat == lease.chat
    outcome = Outcome(text="yes", history=(said("hi"),), usage=(_call(),))
    came_to = await all_of(store.finish(held, turn, outcome) for held, turn in leased)
    assert [isinstance(one, LeaseLostError) for one in came_to] == [n == 3 for n in range(8)]
    rows = await store._run(read, "SELECT DISTINCT chat_id FROM usage")
    assert len(rows) == 7
    assert lease.chat_id not in {row["chat_id"] for row in rows}


def _call() -> Usage:
    return Usage(purpose="chat", model="m", input=5, output=2, cost=7)


@pytest.mark.parametrize("amounts", [(150, 60, 40), (60, 150, 40), (60, 40, 150), (30, 101, 70)])
async def test_what_is_refused_is_in_nobodys_way(
    stores: Sequence[DatabaseStore], amounts: Sequence[int]
) -> None:
    """Who asks for more than a limit allows does not have others refused."""
    store, _ = stores
    await store.hold("first", [LIMIT], usd=0, tokens=0)
    held = await asyncio.gather(
        *(store.hold(f"{usd}", [LIMIT], usd=usd, tokens=0) for usd in amounts)
    )
    assert {usd for usd, one in zip(amounts, held, strict=True) if one.refused} == {max(amounts)}
    [level] = await store.levels([LIMIT])
    assert level.held == 100


async def test_a_limit_holds_however_many_ask(stores: Sequence[DatabaseStore]) -> None:
    """Of two processes, with limits of their own beside the one for all."""

    def limits(number: int) -> list[Limit]:
        return [
            Limit(scope="user", subject=f"desk:{number % 7}", span="day", usd=90),
            Limit(scope="chat", subject=f"{number}", span="day"),
            LIMIT,
        ]

    held: list[Standing] = await asyncio.gather(
        *(
            stores[number % 2].hold(f"{number}", limits(number), usd=10, tokens=1)
            for number in range(60)
        )
    )
    assert sum(one.refused is None for one in held) == 10
    [level] = await stores[0].levels([LIMIT])
    assert level.held == 100
    await asyncio.gather(*(stores[n % 2].release_hold(f"{n}") for n in range(60)))
    [level] = await stores[1].levels([LIMIT])
    assert level.held == 0


async def test_two_processes_do_not_block_one_another(
    postgres_url: str, stores: Sequence[DatabaseStore]
) -> None:
    """Both lock the same chats, people and limits, in groups; neither is undone for that."""
    many = chats(60)
    people = [Person(id=f"desk:{number}", name=f"P{number}") for number in range(3)]
    limits = {person.id: Limit(scope="user", subject=person.id, span="day") for person in people}

    async def write(store: DatabaseStore, first: int, order: Sequence[Chat]) -> None:
        for number in range(first, first + 3):
            await asyncio.gather(
                *(store.put(incoming(number, "hi", chat=chat), "message") for chat in order)
            )

    async def pay(store: DatabaseStore, name: str, order: Sequence[Person]) -> None:
        for number in range(20):
            await asyncio.gather(
                *(
                    store.hold(
                        f"{name} {number} {place}", [limits[person.id], LIMIT], usd=0, tokens=1
                    )
                    for place, person in enumerate(order)
                )
            )

    await asyncio.gather(
        write(stores[0], 1, many),
        write(stores[1], 11, [*reversed(many)]),
        pay(stores[0], "a", people),
        pay(stores[1], "b", [*reversed(people)]),
    )
    for store in stores:
        await store.close()
    assert statistic(postgres_url, "deadlocks") == 0


async def test_who_waits_for_a_row_keeps_nobody_waiting(
    postgres_url: str, stores: Sequence[DatabaseStore]
) -> None:
    """Somebody stands still and holds a chat: only those asked together with it wait."""
    store, _ = stores
    first, second, third = chats(3)
    for chat in (first, second, third):
        await put(store, 1, chat=chat)
    with psycopg.connect(postgres_url) as holding:
        holding.execute("SELECT * FROM chat WHERE ref = %s FOR UPDATE", [first.ref])
        stuck = [
            asyncio.create_task(store.put(incoming(2, "hi", chat=chat), "message"))
            for chat in (first, second)
        ]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            assert await store.put(incoming(2, "hi", chat=third), "message")
        assert not stuck[0].done()
    assert await asyncio.gather(*stuck) == [True, True]


async def test_connections_that_are_closed_lose_nothing(
    postgres_server: PostgresServer, stores: Sequence[DatabaseStore]
) -> None:
    """While nobody uses them, and in the midst of it."""
    store, _ = stores
    many = chats(100)
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'causerie' AND pid <> pg_backend_pid()"
    )
    for number in range(1, 6):
        writing = [asyncio.create_task(_put_until_stored(store, number, chat)) for chat in many]
        for _ in range(3):
            await asyncio.sleep(0.003)
            await asyncio.to_thread(postgres_server.admin, end)
        await asyncio.gather(*writing)
    rows = await store._run(read, "SELECT COUNT(*) AS n FROM inbox")
    assert rows[0]["n"] == 500


async def _put_until_stored(store: DatabaseStore, number: int, chat: Chat) -> None:
    while True:
        with contextlib.suppress(StoreError):
            await store.put(incoming(number, "hi", chat=chat), "message")
            return
        await asyncio.sleep(0.01)


async def test_a_commit_without_an_answer_is_told_to_all(
    database: PostgresDatabase, postgres_url: str
) -> None:
    """It may have been done, so that nobody runs it again but who asked."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'"
        )
        connection.execute(
            "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON calibration DEFERRABLE INITIALLY"
            " DEFERRED FOR EACH ROW WHEN (NEW.model = 'c') EXECUTE FUNCTION die()"
        )
    seen: list[str] = []
    came_to = await all_of(
        database.run_beside((model,), learn, model, 1, seen) for model in "abcd"
    )
    assert [type(one) for one in came_to] == [StoreError] * 4
    assert sorted(seen) == ["a", "b", "c", "d"]
    assert await learned(database) == []


async def test_what_nobody_waits_for_is_done_in_its_order(database: PostgresDatabase) -> None:
    """A statement whose result is not asked for comes before the next, and before the commit."""

    def replace(tx: Tx, model: str) -> int:
        tx.do("INSERT INTO calibration (model, millionths) VALUES (?, 1)", model)
        tx.do("UPDATE calibration SET millionths = 2 WHERE model = ?", model)
        [row] = tx.all("SELECT millionths FROM calibration WHERE model = ?", model)
        tx.do("UPDATE calibration SET millionths = 3 WHERE model = ?", model)
        return int(row["millionths"])

    assert await database.run(replace, "a") == 2
    assert await all_of(database.run_beside((m,), replace, m) for m in "bcd") == [2] * 3
    rows = await database.run(read, "SELECT millionths FROM calibration")
    assert [row["millionths"] for row in rows] == [3] * 4


async def test_a_last_statement_that_fails(database: PostgresDatabase) -> None:
    """Whoever asked for it is told, and nothing of it stays; the others' is kept."""

    def end_badly(tx: Tx, model: str, value: int) -> None:
        tx.run("INSERT INTO calibration (model, millionths) VALUES (?, 1)", model)
        tx.do("UPDATE calibration SET millionths = ? WHERE model = ?", value, model)

    with pytest.raises(StoreError):
        await database.run(end_badly, "a", 2**70)
    came_to = await all_of(
        database.run_beside((model,), end_badly, model, value)
        for model, value in {"b": 1, "c": 2**70, "d": 2}.items()
    )
    assert [type(one) for one in came_to] == [type(None), StoreError, type(None)]
    assert await learned(database) == ["b", "d"]


async def test_many_are_asked_for_at_once(database: PostgresDatabase) -> None:
    """Each list of values has its rows; for none, nothing is asked."""

    def ask(tx: Tx) -> list[list[int]]:
        found = tx.each("SELECT x FROM generate_series(1, ?) AS x", [(3,), (0,), (1,)])
        assert tx.each("SELECT 1 AS x WHERE 1 = ?", []) == []
        return [[row["x"] for row in rows] for rows in found]

    assert await database.run(ask) == [[1, 2, 3], [], [1]]


async def test_statements_that_fail_leave_nothing_prepared(database: PostgresDatabase) -> None:
    """However often it is tried, the server keeps no more than was prepared once."""

    def fail(tx: Tx) -> None:
        tx.run("INSERT INTO calibration (model, millionths) VALUES ('a', 1)")
        tx.run("UPDATE calibration SET millionths = 1 / CAST(? AS INTEGER)", 0)

    for _ in range(50):
        with pytest.raises(StoreError):
            await database.run(fail)
    count = "SELECT COUNT(*) AS n FROM pg_prepared_statements"
    [row] = await database.run(read, count)
    assert row["n"] < 10


async def test_a_column_that_is_added_while_a_transaction_is_open(
    database: PostgresDatabase, postgres_url: str
) -> None:
    """It is run again, with what is prepared anew."""
    await database.run_beside(("a",), learn, "a", 1)

    def change(tx: Tx, value: int) -> int:
        tx.run("INSERT INTO calibration (model, millionths) VALUES (?, 1)", str(value))
        rows = tx.all("UPDATE calibration SET millionths = ? RETURNING *", value)
        return len(rows[0].keys())  # type: ignore[arg-type]

    before = await database.run(change, 5)
    with psycopg.connect(postgres_url) as newer:
        newer.execute("ALTER TABLE calibration ADD COLUMN since BIGINT NOT NULL DEFAULT 7")
    assert await database.run(change, 6) == before + 1
    assert await database.run(change, 7) == before + 1


async def test_one_that_fails_before_it_asks_anything(database: PostgresDatabase) -> None:
    """What it would have changed is not kept either, or it is run alone if it wants to be."""

    def begin_badly(tx: Tx, model: str) -> None:
        tx.do("INSERT INTO calibration (model, millionths) VALUES (?, 1)", model)
        if model == "b":
            raise LookupError(model)
        if model == "c":
            tx.alone()

    came_to = await all_of(database.run_beside((m,), begin_badly, m) for m in "abcd")
    assert [type(one) for one in came_to] == [type(None), LookupError, type(None), type(None)]
    assert await learned(database) == ["a", "c", "d"]
