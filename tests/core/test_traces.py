"""What the files of SQLite still hold of what was deleted: nothing."""

import asyncio
import logging
import random
import sqlite3
import string
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import StoreError
from core.retention import keep_tidy
from core.store import DatabaseStore, open_store
from core.store.sqlite import SqliteDatabase
from core.store.sqlite_file import BUSY_MS
from core.store.tx import Tx
from core.types import Outcome, Voice
from tests.core.stand_ins import ANN, BOB, GROUP, StandInClock
from tests.core.talks import Talks, rows_of, traces

MARK = "Quetzalcoatlus"
HOUR, DAY = 3_600.0, 86_400.0


@pytest.fixture
async def store(tmp_path: Path, clock: StandInClock) -> AsyncIterator[DatabaseStore]:
    """A store in a folder of its own, which is found tidied up."""
    opened = await open_store(tmp_path / "causerie.db", clock=clock)
    await opened.tidy()
    clock.move(HOUR)
    yield opened
    await opened.close()


@pytest.fixture
def talks(store: DatabaseStore, clock: StandInClock) -> Talks:
    """Somebody who talks in it."""
    return Talks(store, clock)


def words(dice: random.Random) -> str:
    """Return words of any length, of which one is the mark."""
    length = min(int(dice.paretovariate(0.7) * 20), 9_000)
    return f"{MARK} {''.join(dice.choices(string.ascii_lowercase, k=length))}"


def fill(tx: Tx, chat: int) -> None:
    """Let Ann say the mark, and Bob other things, so often that pages are split in every way."""
    dice = random.Random(4)
    for number in range(100, 1_600):
        person = dice.choice((ANN, BOB))
        text = words(dice) if person == ANN else words(dice)[len(MARK) :]
        tx.run(
            "INSERT INTO inbox (platform, event, chat_id, person, kind, body, ready_at)"
            " VALUES ('desk', ?, ?, ?, 'message', ?, 0)",
            f"{dice.random()}",
            chat,
            person.id,
            text,
        )
        tx.run(
            "UPDATE inbox SET transcript = ? WHERE person = ?"
            " AND id = (SELECT MAX(id) FROM inbox) - ?",
            text[:3_000],
            person.id,
            dice.randrange(50),
        )
        tx.run(
            "INSERT INTO message (chat_id, turn, role, name, content, tokens, total, created_at)"
            " SELECT ?, MAX(id), 'user', '', ?, 1, ?, 0 FROM inbox",
            chat,
            text,
            number,
        )
    tx.run("UPDATE inbox SET done_at = ?, turn = id WHERE done_at IS NULL", tx.now)


async def test_who_is_forgotten_leaves_no_trace(
    store: DatabaseStore, talks: Talks, tmp_path: Path
) -> None:
    """Not in the log, from that moment on; not in the file, once it is tidied up."""
    await talks.tell("hello", chat=GROUP)
    await store._run(fill, 1)
    assert traces(tmp_path, MARK)
    await talks.forget(chat=GROUP)
    assert traces(tmp_path, MARK).keys() == {"causerie.db"}  # where SQLite has split a page
    await store.tidy()
    assert traces(tmp_path, MARK) == {}
    assert len(await rows_of(store, "message")) > 700  # Bob's


async def test_what_expires_leaves_no_trace(
    store: DatabaseStore, talks: Talks, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The background task deletes and tidies up, and logs how much it was."""
    caplog.set_level(logging.INFO)
    await talks.tell("hello", chat=GROUP)
    await store._run(fill, 1)
    talks.clock.move(40 * DAY)
    tidying = asyncio.create_task(keep_tidy(store, 30))
    async with asyncio.timeout(10):
        while "expired" not in caplog.text:  # noqa: ASYNC110 - a log wakes nobody
            await asyncio.sleep(0.01)
    tidying.cancel()
    assert traces(tmp_path, MARK) == {}
    [line] = [record.getMessage() for record in caplog.records if "expired" in record.msg]
    assert line.endswith("days=30")


async def test_what_is_off_the_record_leaves_no_trace(
    store: DatabaseStore, talks: Talks, tmp_path: Path
) -> None:
    """Nor does what it was answered with."""
    lease, turn = await talks.turn("/private on")
    await store.choose(lease, is_off_record=True)
    await talks.finish(lease, turn, Outcome(text="on"))
    dice = random.Random(1)
    for _ in range(10):
        lease, turn = await talks.turn(words(dice), voice=Voice(ref=MARK))
        await talks.hear(lease, turn, words(dice))
        await talks.finish(lease, turn, Outcome(text=words(dice)))
        assert traces(tmp_path, MARK).keys() <= {"causerie.db"}
    await store.tidy()
    assert traces(tmp_path, MARK) == {}


async def test_the_file_is_written_anew_when_it_is_worth_it(
    store: DatabaseStore, talks: Talks
) -> None:
    """Only if something was deleted, and not again before it has paid for itself."""

    async def chores() -> set[str]:
        return {row["name"] for row in await rows_of(store, "chore")}

    await talks.tell("hello")
    assert await chores() == {"rewritten"}
    for _ in range(2):
        await talks.forget()
        assert await chores() == {"rewritten", "wiped"}
        await store.tidy()
    assert await chores() == {"rewritten", "wiped"}
    talks.clock.move(HOUR)
    await store.tidy()
    assert await chores() == {"rewritten"}


async def test_nobody_waits_for_a_reader(
    store: DatabaseStore, talks: Talks, tmp_path: Path
) -> None:
    """While a backup is made, what is wiped stays in the log; it goes with what is next stored."""
    await talks.tell(MARK)
    with closing(sqlite3.connect(tmp_path / "causerie.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT 1 FROM chat").fetchall()
        async with asyncio.timeout(BUSY_MS / 1000):  # which each would wait
            await talks.forget()
            await store.tidy()
        assert "causerie.db-wal" in traces(tmp_path, MARK)
    await talks.tell("another")
    assert traces(tmp_path, MARK) == {}


async def test_a_log_that_cannot_be_cut_is_cut_later(
    store: DatabaseStore, talks: Talks, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was committed is committed; the owner is warned, and the next round tries again."""
    await talks.tell(MARK)
    await refuse(store, "wal_checkpoint")
    await talks.forget()
    assert "traces of what was deleted stay for now" in caplog.text
    with pytest.raises(StoreError):
        await store.tidy()
    tidying = asyncio.create_task(keep_tidy(store, None, seconds=0.01))
    async with asyncio.timeout(10):
        while caplog.text.count("cannot tidy up") < 2:  # noqa: ASYNC110 - a log wakes nobody
            await asyncio.sleep(0.01)
        await refuse(store, "")
        while traces(tmp_path, MARK):  # noqa: ASYNC110 - files wake nobody
            await asyncio.sleep(0.01)
    tidying.cancel()


async def refuse(store: DatabaseStore, pragma: str) -> None:
    """Let SQLite refuse one of its commands, or none."""

    def permit(_: int, name: str | None, *__: object) -> int:
        return sqlite3.SQLITE_DENY if pragma and name == pragma else sqlite3.SQLITE_OK

    database = store._database
    assert isinstance(database, SqliteDatabase)
    await database._connection.set_authorizer(permit)
