"""The contract of every store, part six: rows that cannot be read hold nothing else up."""

import io
import json
import logging
import zipfile
from pathlib import Path

import pytest

from core.export import pack
from core.money import Limit
from core.protocols import Store
from core.store import DatabaseStore, open_store
from core.store.queue import UNREADABLE
from core.store.tx import Tx
from core.types import Outcome, Outgoing, Turn
from tests import leaks
from tests.core.house import House
from tests.core.stand_ins import ANN, BOB, CHAT, GROUP, StandInClock, incoming, said
from tests.core.storing import expect_turn, put, ready, take, take_turn, texts
from tests.core.talks import rows_of

SECRET = "my word is geheimnis"
# Cut off; of a version that knows more; no message at all; nothing.
BODIES = ('{"event": "' + SECRET, '{"text": {"rich": "' + SECRET + '"}}', "null", "")
LIMIT = Limit(scope="user", subject=ANN.id, span="day", usd=100)


def write(tx: Tx, sql: str, *values: object) -> int:
    """Change rows."""
    return tx.run(sql, *values)


async def damage(store: Store, number: int, body: str = BODIES[0]) -> None:
    """Let the body of message `number` be something else."""
    assert isinstance(store, DatabaseStore)
    leaks.note(SECRET)
    sql = "UPDATE inbox SET body = ? WHERE message = ?"
    assert await store._run(write, sql, body, str(number))


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines that tell the owner of an error."""
    return [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.ERROR]


@pytest.mark.parametrize("body", BODIES)
async def test_a_message_that_cannot_be_read_is_buried(
    store: Store, clock: StandInClock, caplog: pytest.LogCaptureFixture, body: str
) -> None:
    """Its chat goes on, others never wait; who wrote it is told, the owner as well, by ids."""
    await put(store, 1, 2, 3)
    await damage(store, 2, body)
    clock.move(0.01)
    await put(store, 4, chat=GROUP, person=BOB)
    clock.move(0.02)
    (lease, work), (_, other) = await ready(store)
    assert isinstance(other, Turn)
    assert texts(other) == ["m4"]
    assert isinstance(work, Outgoing)
    assert (work.text, work.to) == (UNREADABLE, "2")
    following = await store.next(lease, sent=work.id)
    assert isinstance(following, Turn)
    assert texts(following) == ["m1", "m3"]
    await store.finish(lease, following, Outcome())
    assert await store.next(lease) is None
    [dead] = await rows_of(store, "dead")
    assert (dead["reason"], dead["body"]) == ("it could not be read", body)
    told = f"chat={lease.chat_id} inbox={dead['inbox_id']}"
    assert errors(caplog) == [f"message cannot be read and was buried {told}"]


async def test_one_that_comes_up_later_is_buried_as_well(
    store: Store, clock: StandInClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Between two turns; a /stop that cannot be read stops nothing."""
    await put(store, 1, kind="question")
    lease, turn = await take_turn(store, clock)
    await put(store, 2, 3, kind="question")
    await put(store, 4, kind="stop")
    await damage(store, 2)
    await damage(store, 4)
    await store.finish(lease, turn, Outcome())
    done = []
    work = await store.next(lease)
    while isinstance(work, Outgoing):
        assert work.text == UNREADABLE
        done.append(work.to)
        work = await store.next(lease, sent=work.id)
    assert isinstance(work, Turn)
    assert (texts(work), work.stops, work.attempts) == (["m3"], (), 1)
    assert sorted(str(to) for to in done) == ["2", "4"]
    assert len(errors(caplog)) == 2


async def test_nothing_of_it_is_kept_in_private(store: Store, clock: StandInClock) -> None:
    """Where nothing is kept of what is said, the damaged words are deleted, too."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    await store.choose(lease, is_off_record=True)
    await store.finish(lease, turn, Outcome())
    await put(store, 2)
    await damage(store, 2)
    work = await store.next(lease)
    assert isinstance(work, Outgoing)
    assert (work.text, work.to) == (UNREADABLE, "2")
    assert await store.next(lease, sent=work.id) is None
    assert await rows_of(store, "dead") == []
    assert await rows_of(store, "outbox") == []
    assert {row["body"] for row in await rows_of(store, "inbox WHERE message = ''")} == {""}


async def test_an_edit_mends_it(store: Store, clock: StandInClock) -> None:
    """What stands in its place can be read again; the event stays known."""
    await put(store, 1)
    await damage(store, 1)
    assert await store.amend(incoming(1, "mended"), "message")
    assert not await store.put(incoming(1, "again"), "message")
    _, turn = await take_turn(store, clock)
    assert texts(turn) == ["mended"]


async def test_it_can_be_withdrawn_and_moved(store: Store, clock: StandInClock) -> None:
    """Neither needs to read it."""
    await put(store, 1, 2)
    await damage(store, 1)
    await damage(store, 2)
    assert await store.withdraw(CHAT, "1")
    assert await store.move(incoming(2, "moved"))
    _, turn = await take_turn(store, clock)
    assert texts(turn) == ["moved"]


async def test_a_last_turn_that_cannot_be_read_is_none(store: Store, clock: StandInClock) -> None:
    """What can be read of it is returned."""
    await put(store, 1, 2)
    lease, turn = await take_turn(store, clock)
    await store.finish(lease, turn, Outcome())
    await put(store, 3, kind="command")
    await expect_turn(store, lease)
    await damage(store, 2)
    last = await store.last_turn(lease)
    assert last
    assert texts(last) == ["m1"]
    await damage(store, 1)
    assert await store.last_turn(lease) is None


async def test_an_export_holds_it_as_it_is(store: Store, clock: StandInClock) -> None:
    """Nobody is kept from what is stored about them by a row that is damaged."""
    await put(store, 1, 2)
    lease, turn = await take_turn(store, clock)
    await store.finish(lease, turn, Outcome())
    await put(store, 3)
    await damage(store, 1)
    await damage(store, 3)
    with zipfile.ZipFile(io.BytesIO(pack(await store.stored(ANN.id)))) as archive:
        [chat] = json.loads(archive.read("data.json"))["chats"]
        page = archive.read("chats.md").decode()
    assert [message["text"] for message in chat["messages"]] == [BODIES[0], "m2", BODIES[0]]
    assert page.count(SECRET) == 2


async def test_a_hold_that_cannot_be_read_holds_nobody_up(
    store: Store, clock: StandInClock
) -> None:
    """What it held stays held until the day is over: no limit is exceeded by it."""
    assert isinstance(store, DatabaseStore)
    for name in ("a", "b"):
        await store.hold(name, [LIMIT], usd=40, tokens=0)
    await store._run(write, "UPDATE hold SET budgets = '[['")
    await store.release_hold("a")
    clock.move(3_600)
    assert (await store.hold("c", [LIMIT], usd=30, tokens=0)).refused
    assert not (await store.hold("c", [LIMIT], usd=20, tokens=0)).refused
    await store.release_hold("c")
    [level] = await store.levels([LIMIT])
    clock.move((level.resets_at - clock()) / 1000)
    assert not (await store.hold("c", [LIMIT], usd=100, tokens=0)).refused


async def test_the_relay_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, clock: StandInClock
) -> None:
    """A damaged message between two others: they are answered, and so is another chat."""
    del clock
    store = await open_store(tmp_path / "causerie.db")
    house = House(store=store)
    await house.put("apples", "question")
    await house.put("pears", "question")
    await house.put("plums", "question")
    await house.put("elsewhere", "question", chat=GROUP, person=BOB)
    await damage(store, 2)
    async with house.running():
        await house.bot.until(4)
        assert await house.ask("and on") == "You said: and on"
    await store.close()
    assert house.bot.texts(CHAT) == [
        "You said: apples",
        UNREADABLE,
        "You said: plums",
        "You said: and on",
    ]
    assert house.bot.texts(GROUP) == ["You said: elsewhere"]
    assert len(errors(caplog)) == 1


async def test_bytes_that_are_no_text_are_replaced(tmp_path: Path, clock: StandInClock) -> None:
    """SQLite takes any bytes; whoever meets them reads the rest, and no error quotes them."""
    store = await open_store(tmp_path / "causerie.db", clock=clock)
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    outcome = Outcome(text=SECRET, history=(said(SECRET),))
    outgoing = await store.finish(lease, turn, outcome)
    await store._run(write, "UPDATE outbox SET text = CAST(X'68FF69' AS TEXT)")
    await store._run(write, "UPDATE message SET content = CAST(X'68FF69' AS TEXT)")
    await store._run(write, "UPDATE person SET name = CAST(X'41FF' AS TEXT)")
    await store.postpone(lease, 0)
    lease, work = await take(store, clock)
    assert isinstance(work, Outgoing)
    assert (work.text, outgoing and outgoing.text) == ("h\ufffdi", SECRET)
    [message] = await store.window(lease.chat_id, start=0)
    assert message.content == "h\ufffdi"
    known = await store.known(ANN.id)
    assert known
    assert known.name == "A\ufffd"
    await store.close()
