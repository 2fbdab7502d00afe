"""What only PostgreSQL is asked: collisions, restarts, signals between processes, leading."""

import asyncio

import psycopg
import pytest

from core.errors import StoreError
from core.money import Limit
from core.store import DatabaseStore, leading, open_store
from core.store.postgres import CONNECTIONS, MOST_TRIES, PostgresDatabase, open_postgres
from core.store.postgres_wire import MOST_PREPARED
from core.store.schema import MIGRATIONS
from core.store.tx import Signal, Tx
from core.types import Outcome, Transcript, Usage
from tests.core.stand_ins import CHAT, StandInClock, incoming, said
from tests.core.storing import put, read, take_turn
from tests.servers.postgres import PostgresServer

MANY = MOST_PREPARED + 50
WAITING = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted"


def learn(tx: Tx, model: str, value: int) -> None:
    """Store something."""
    tx.run("INSERT INTO calibration (model, millionths) VALUES (?, ?)", model, value)


def learned(tx: Tx) -> list[str]:
    """Return what was stored."""
    return [row["model"] for row in tx.all("SELECT model FROM calibration ORDER BY model")]


async def test_transactions_that_block_one_another_are_run_again(
    database: PostgresDatabase,
) -> None:
    """Two that lock the same rows in turn both come to their end, once."""
    await database.run(learn, "a", 0)
    await database.run(learn, "b", 0)

    def raise_both(tx: Tx, first: str, second: str) -> None:
        for model in (first, second):
            tx.run("UPDATE calibration SET millionths = millionths + 1 WHERE model = ?", model)
            tx.all("SELECT pg_sleep(0.05)")

    await asyncio.gather(*(database.run(raise_both, *pair) for pair in (("a", "b"), ("b", "a"))))
    rows = await database.run(read, "SELECT millionths FROM calibration")
    assert [row["millionths"] for row in rows] == [2, 2]


async def test_a_column_that_is_added_meanwhile(
    database: PostgresDatabase, postgres_url: str
) -> None:
    """A newer process may change a table while this one goes on."""
    await database.run(learn, "a", 1)
    everything = "SELECT * FROM calibration"
    for _ in range(CONNECTIONS):
        await database.run(read, everything)
    with psycopg.connect(postgres_url) as newer:
        newer.execute("ALTER TABLE calibration ADD COLUMN since BIGINT NOT NULL DEFAULT 7")
    for _ in range(CONNECTIONS):
        [row] = await database.run(read, everything)
        assert (row["model"], row["since"]) == ("a", 7)


async def test_what_is_prepared_is_bounded(database: PostgresDatabase) -> None:
    """A connection goes on with more statements than it keeps."""

    def ask(tx: Tx) -> list[int]:
        asked = [tx.all(f"SELECT {number} AS n, ? AS m", number) for number in range(MANY)]
        kept = tx.all("SELECT COUNT(*) AS n FROM pg_prepared_statements")
        assert kept[0]["n"] <= MOST_PREPARED
        return [row["n"] for rows in asked for row in rows if row["n"] == row["m"]]

    assert await database.run(ask) == list(range(MANY))


async def test_what_collides_for_ever_is_an_error(
    database: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """It is given up after some attempts, and what it would have stored is not in the log."""
    await database.run(learn, "a secret", 0)
    tries = []

    def collide(tx: Tx) -> None:
        tries.append(1)
        learn(tx, "a secret", 1)

    with pytest.raises(StoreError) as caught:
        await database.run(collide)
    assert len(tries) == MOST_TRIES
    assert caught.value.__cause__ is None
    assert "secret" not in caplog.text + str(caught.value)


async def test_a_failing_job_leaves_nothing(database: PostgresDatabase) -> None:
    """What it did before it failed is undone, whatever it raised."""

    def fail(tx: Tx) -> None:
        learn(tx, "a", 1)
        raise LookupError

    with pytest.raises(LookupError):
        await database.run(fail)
    with pytest.raises(StoreError, match="log of the bot"):
        await database.run(read, "SELECT nothing FROM nowhere")
    assert await database.run(learned) == []


async def test_a_restart_is_survived(
    postgres_server: PostgresServer, database: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """While the server is away there is a clear error; then it goes on, with all that was."""
    await database.run(learn, "before", 1)
    postgres_server.restart()
    await database.run(learn, "after", 1)
    postgres_server.stop()
    with pytest.raises(StoreError, match="cannot be reached"):
        await database.run(learn, "during", 1)
    postgres_server.start()
    assert await database.run(learned) == ["after", "before"]
    assert "refused" in caplog.text
    assert "in-no-log" not in caplog.text


async def test_a_server_that_is_not_there_is_told_at_once() -> None:
    """Opening fails with a sentence that can be shown."""
    with pytest.raises(StoreError, match="cannot be reached"):
        await open_store("postgresql://nobody@127.0.0.1:1/nothing")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p w@h/x",
        "postgresql://h/x?user=u&password=secret%zzpw99",
        "postgresql://u:first1234@second5678 x@h/x",
        "postgresql://u:first1234@second5678@127.0.0.1:1/x",
        "postgresql://u:p w@[host/x",
        "postgresql://127.0.0.1/x?port=p%20w",
    ],
)
async def test_a_url_that_cannot_be_read_is_not_quoted(
    caplog: pytest.LogCaptureFixture, url: str
) -> None:
    """What is wrong with it may be a part of the password, so that only its kind is said."""
    with pytest.raises(StoreError) as caught:
        await open_store(url)
    said = caplog.text + str(caught.value)
    assert "cannot connect: the database" in said
    assert not any(part in said for part in ("p w", "zzpw99", "first1234", "second5678"))


async def test_a_newer_database_is_not_touched(postgres_url: str) -> None:
    """Its tables may mean something else."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("UPDATE version SET number = %s", [len(MIGRATIONS) + 1])
    with pytest.raises(StoreError, match="newer version"):
        await open_store(postgres_url)


async def test_many_processes_may_open_it_first(postgres_server: PostgresServer) -> None:
    """The tables are made once."""
    name = postgres_server.create()
    url = postgres_server.url(name)
    opened = await asyncio.gather(*(open_store(url) for _ in range(4)))
    for store in opened:
        await store.close()
    postgres_server.drop(name)


async def test_what_no_text_can_hold_is_replaced(database: PostgresDatabase) -> None:
    """A zero byte and half of a surrogate pair cost a sign each, not the message."""
    await database.run(learn, "a\0b\ud83dc", 1)
    assert await database.run(learned) == ["a\ufffdb\ufffdc"]


def shout(tx: Tx, payload: str) -> None:
    """Notify as a stranger may."""
    tx.all("SELECT pg_notify('causerie', ?)", payload)


async def test_signals_reach_every_process(
    postgres_server: PostgresServer, database: PostgresDatabase, other: PostgresDatabase
) -> None:
    """Of a chat that becomes ready, of one that is to stop; also after a restart."""
    heard: asyncio.Queue[Signal] = asyncio.Queue()
    watching = asyncio.create_task(other.watch(heard.put_nowait))
    assert await asyncio.wait_for(heard.get(), 10) is None  # what was missed before
    await database.tell(("desk", "1"))
    assert await asyncio.wait_for(heard.get(), 10) == ("desk", "1")
    await DatabaseStore(database).put(incoming(1, "hi", chat=CHAT), "message")
    assert await asyncio.wait_for(heard.get(), 10) is None
    for foreign in ("", "5", '["", [5]]', '["", 5]'):
        await database.run(shout, foreign)
    await database.tell(("desk", "2"))
    assert await asyncio.wait_for(heard.get(), 10) == ("desk", "2")
    postgres_server.restart()
    assert await asyncio.wait_for(heard.get(), 10) is None
    watching.cancel()
    await asyncio.wait({watching})


async def test_another_leads_when_the_leader_is_gone(
    database: PostgresDatabase, other: PostgresDatabase
) -> None:
    """One at a time under a name; whoever leaves is followed at once, other names are free."""
    order = []

    async def follow() -> None:
        async with other.lead("desk"):
            order.append("other")

    async with database.lead("desk") as lost, database.lead("phone"):
        following = asyncio.create_task(follow())
        await asyncio.sleep(0)
        order.append("first")
        assert not lost.is_set()
    await asyncio.wait_for(following, 10)
    assert order == ["first", "other"]


async def test_a_leader_that_is_cut_off_knows_it(
    postgres_server: PostgresServer,
    database: PostgresDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It stops before another can lead."""
    monkeypatch.setattr(leading, "LEAD_SECONDS", 0.5)
    monkeypatch.setattr(leading, "RENEW_SECONDS", 0.05)
    async with database.lead("desk") as lost:
        postgres_server.stop()
        await asyncio.wait_for(lost.wait(), 10)
        postgres_server.start()


async def test_a_leader_that_was_followed_knows_it(
    database: PostgresDatabase, other: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have stood still for longer than it led."""
    monkeypatch.setattr(leading, "RENEW_SECONDS", 0.05)
    async with database.lead("desk") as lost:
        await other.run(read, "UPDATE lead SET who = 'another' RETURNING name")
        await asyncio.wait_for(lost.wait(), 10)


async def test_waiting_to_lead_outlasts_a_restart(
    postgres_server: PostgresServer,
    database: PostgresDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that is away is asked again."""
    monkeypatch.setattr(leading, "RENEW_SECONDS", 0.05)
    postgres_server.stop()

    async def lead() -> None:
        async with database.lead("desk"):
            pass

    leading_soon = asyncio.create_task(lead())
    await asyncio.sleep(0)
    await asyncio.to_thread(postgres_server.start)
    await asyncio.wait_for(leading_soon, 10)


async def test_wiped_tables_are_cleaned(
    postgres_server: PostgresServer, database: PostgresDatabase
) -> None:
    """Once, after something was deleted for good; a server that is away is told."""
    await database.run(lambda tx: tx.wipe())
    await database.tidy()
    assert not await database.run(read, "SELECT * FROM chore")
    await database.tidy()
    postgres_server.stop()
    with pytest.raises(StoreError):
        await database.tidy()
    postgres_server.start()


async def test_tables_that_cannot_be_cleaned_cost_nothing_else(
    database: PostgresDatabase,
) -> None:
    """It is tried again later, and transactions stay what they are."""
    await database.run(lambda tx: tx.wipe())
    await database.run(lambda tx: tx.run("ALTER TABLE person RENAME TO people"))
    with pytest.raises(StoreError):
        await database.tidy()
    await database.run(lambda tx: tx.run("ALTER TABLE people RENAME TO person"))

    def fail(tx: Tx) -> None:
        learn(tx, "a", 1)
        raise LookupError

    for _ in range(20):  # on whichever connection
        with pytest.raises(LookupError):
            await database.run(fail)
    assert await database.run(learned) == []
    await database.tidy()
    assert not await database.run(read, "SELECT * FROM chore")


async def test_what_a_killed_process_did_not_clean_is_cleaned(database: PostgresDatabase) -> None:
    """It had taken up what was wiped, and was to say so at its end."""
    await database.run(
        lambda tx: tx.run("INSERT INTO chore (name, at) VALUES ('wiping', ?)", tx.now)
    )
    await database.run(lambda tx: tx.wipe())
    await database.tidy()
    assert not await database.run(read, "SELECT * FROM chore")


def sleep(tx: Tx, seconds: float) -> None:
    """Take some time."""
    tx.all("SELECT pg_sleep(?)", seconds)


async def test_what_is_asked_for_at_the_end_fails_at_once(postgres_url: str) -> None:
    """While it is closed, and after that; nobody waits for a connection that is gone."""
    database = await open_postgres(postgres_url)

    async def sleep_twice() -> None:
        await database.run(sleep, 0.2)
        await database.run(sleep, 60)

    sleeping = asyncio.create_task(sleep_twice())
    await asyncio.sleep(0.05)
    await database.close()
    with pytest.raises(StoreError, match="cannot be reached"):
        await asyncio.wait_for(sleeping, 5)
    with pytest.raises(StoreError, match="cannot be reached"):
        await database.run(learned)


async def test_the_end_does_not_wait_for_tables_that_are_cleaned(postgres_url: str) -> None:
    """Whoever had them cleaned is told, and the next one does it."""
    database = await open_postgres(postgres_url)
    await database.run(lambda tx: tx.wipe())
    with psycopg.connect(postgres_url) as holding:
        holding.execute("LOCK TABLE chat IN SHARE ROW EXCLUSIVE MODE")
        cleaning = asyncio.create_task(database.tidy())
        await asyncio.sleep(0.1)
        await asyncio.wait_for(database.close(), 5)
        with pytest.raises(StoreError, match="cannot be reached"):
            await cleaning


async def test_a_database_that_spoils_words_is_refused(postgres_server: PostgresServer) -> None:
    """What is written in another encoding comes back as something else."""
    postgres_server.admin("CREATE DATABASE odd ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(StoreError, match="has the encoding LATIN1; create one with UTF8"):
        await open_postgres(postgres_server.url("odd"))
    postgres_server.drop("odd")


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
async def test_a_commit_of_which_nobody_heard_counts_once(
    store: DatabaseStore, clock: StandInClock
) -> None:
    """A turn that is finished again is entered once, and its answer is the same."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    usage = (Usage(purpose="chat", model="m", input=5, output=2, cost=7),)
    heard = Transcript(text="hm", usage=usage)
    await store.heard(lease, turn, 0, heard)
    await store.heard(lease, turn, 0, heard)
    outcome = Outcome(text="yes", usage=usage)
    first = await store.finish(lease, turn, outcome)
    assert await store.finish(lease, turn, outcome) == first
    rows = await store._run(read, "SELECT COUNT(*) AS calls FROM usage")
    assert rows[0]["calls"] == 2


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
async def test_a_summary_locks_its_chat_first(store: DatabaseStore, clock: StandInClock) -> None:
    """While a turn ends in that chat, no hold and no budget is locked by what waits for it."""
    await put(store, 1)
    await store.finish(*await take_turn(store, clock), Outcome(history=(said("hi"),)))
    limit = Limit(scope="all", subject="", span="day", usd=9)
    await store.hold("summary 1", [limit], usd=5, tokens=5)
    loop, is_locked = asyncio.get_running_loop(), asyncio.Event()
    until_it_waits = f"SELECT pg_sleep(0.01), ({WAITING}) AS waiting"

    def end_a_turn(tx: Tx) -> list[int]:
        tx.lock("SELECT id FROM chat WHERE id = 1")
        loop.call_soon_threadsafe(is_locked.set)
        for _ in range(1000):
            if tx.all(until_it_waits)[0]["waiting"]:
                break
        free = [tx.lock(f"SELECT * FROM {name}", skip=True) for name in ("budget", "hold")]  # noqa: S608
        return [len(rows) for rows in free]

    ending = asyncio.create_task(store._run(end_a_turn))
    await is_locked.wait()
    assert await store.compact(1, old=0, new=10, summary="all", hold="summary 1")
    assert await ending == [1, 1]
