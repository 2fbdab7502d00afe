"""The contract of every store: what was given up can be listed, tried again, and deleted."""

import pytest

from core.protocols import Store
from core.store import DatabaseStore, dead
from core.types import MOST_FAILURES, Lease, Notice, Outcome, Outgoing, Turn
from tests.core.stand_ins import ANN, CHAT, GROUP, StandInClock
from tests.core.storing import expect_turn, put, read, ready, take, take_turn, texts
from tests.core.talks import Talks, dump, is_outgoing, rows_of

SORRY = "I could not answer this"


@pytest.fixture
def talks(store: Store, clock: StandInClock) -> Talks:
    """A store in which people talk."""
    return Talks(store, clock)


async def listed(store: Store) -> list[dead.Dead]:
    """Return what was given up."""
    assert isinstance(store, DatabaseStore)
    return await store._run(dead.dead)


async def retry(store: Store, *ids: str) -> set[str]:
    """Have it tried again; all if no id is given."""
    assert isinstance(store, DatabaseStore)
    return await store._run(dead.retry, ids or None)


async def drop(store: Store, *ids: str) -> set[str]:
    """Delete it; all if no id is given."""
    assert isinstance(store, DatabaseStore)
    return await store._run(dead.drop, ids or None)


async def bury(talks: Talks, *said: str) -> Turn:
    """Give up what somebody said in a row, after a few attempts."""
    for text in said:
        await talks.store.put(talks.message(text, CHAT, ANN), "message")
    lease, turn = await take_turn(talks.store, talks.clock)
    for _ in range(MOST_FAILURES):
        await talks.store.postpone(lease, 0, failed=turn)
        lease, turn = await take_turn(talks.store, talks.clock)
    await talks.finish(lease, turn, Outcome(text=SORRY, buried="5 attempts failed"))
    return turn


async def leave_unsent(talks: Talks, text: str) -> Outgoing:
    """Let an answer fail to go out until it is left behind."""
    lease, turn = await talks.turn(text)
    outcome = Outcome(text=f"re: {text}")
    outgoing = await talks.store.finish(lease, turn, outcome)
    assert outgoing
    await talks.store.posted(turn.id, 0, "post")
    await fail(talks.store, lease, outgoing)
    return outgoing


async def fail(store: Store, lease: Lease, outgoing: Outgoing) -> None:
    """Fail to send a text as often as it is tried."""
    for _ in range(MOST_FAILURES):
        await store.postpone(lease, 0, failed=outgoing)
        for found, _ in await ready(store):
            lease = found


async def test_what_was_given_up_is_listed_without_words(store: Store, talks: Talks) -> None:
    """The oldest first, a turn once; with where, how often and why."""
    turn = await bury(talks, "poison", "more poison")
    talks.clock.move(1)
    outgoing = await leave_unsent(talks, "hi")
    message, text = await listed(store)
    assert (message.id, message.kind, message.attempts) == (f"m{turn.id}", "message", 5)
    assert (text.id, text.kind, text.attempts) == (f"t{outgoing.id}", "text", 5)
    assert {message.chat, text.chat} == {"desk:1"}
    assert message.at < text.at
    assert message.reason == "5 attempts failed"
    assert "poison" not in repr((message, text))


async def test_a_message_is_asked_anew(store: Store, talks: Talks) -> None:
    """All of its turn, with nothing counted against it, in place of the apology; once."""
    turn = await bury(talks, "one", "two")
    assert await retry(store, f"m{turn.id}") == {f"m{turn.id}"}
    assert await retry(store, f"m{turn.id}") == set()
    assert await listed(store) == []
    assert await rows_of(store, "outbox") == await rows_of(store, "receipt") == []
    lease, again = await take_turn(store, talks.clock)
    assert texts(again) == ["one", "two"]
    assert [m.event for m in again.messages] == [m.event for m in turn.messages]
    assert (again.failures, again.posted) == (0, ())
    await talks.end(lease, again, "one two")
    assert await talks.remembered(CHAT) == ["one two", "re: one two"]
    assert await ready(store) == []
    assert not await store.put(turn.messages[0], "message")  # its event is still known


async def test_it_is_asked_behind_what_waits_and_apart_from_it(store: Store, talks: Talks) -> None:
    """What may be poison takes nothing with it, and turns are remembered in their order."""
    await bury(talks, "poison")
    await put(store, 50)
    await retry(store)
    lease, first = await take_turn(store, talks.clock)
    assert texts(first) == ["m50"]
    await talks.store.finish(lease, first, Outcome())
    second = await expect_turn(store, lease)
    assert texts(second) == ["poison"]
    await talks.end(lease, second, "poison")
    await put(store, 51)
    lease, _ = await take_turn(store, talks.clock)
    last = await store.last_turn(lease)
    assert last
    assert texts(last) == ["poison"]


async def test_a_chat_that_is_held_goes_on_with_it(store: Store, talks: Talks) -> None:
    """Whoever holds it finds it next; nobody else gets the chat."""
    await bury(talks, "poison")
    lease, turn = await talks.turn("later")
    await retry(store)
    assert await ready(store) == []
    await store.finish(lease, turn, Outcome())
    assert texts(await expect_turn(store, lease)) == ["poison"]


async def test_a_transcript_is_not_paid_twice(store: Store, talks: Talks) -> None:
    """What was heard before it was given up is still known."""
    lease, turn = await talks.turn("voice")
    await talks.hear(lease, turn, "Ann was heard")
    await talks.finish(lease, turn, Outcome(text=SORRY, buried="poison"))
    await retry(store)
    _, again = await take_turn(store, talks.clock)
    assert again.transcripts == {0: "Ann was heard"}


async def test_a_text_goes_out_first(store: Store, talks: Talks) -> None:
    """With what of it stands in the chat already, ahead of the next question."""
    outgoing = await leave_unsent(talks, "hi")
    await put(store, 50)
    assert await retry(store, f"t{outgoing.id}", "t404", "m1") == {f"t{outgoing.id}"}
    lease, work = await take(store, talks.clock)
    text = is_outgoing(work)
    assert (text.id, text.failures, text.posted) == (outgoing.id, 0, ("post",))
    following = await store.next(lease, sent=text.id)
    assert isinstance(following, Turn)
    assert await listed(store) == []


async def test_what_is_dropped_leaves_no_trace(store: Store, talks: Talks) -> None:
    """Words, answers and what is remembered go; that it came stays known. Others stay."""
    await talks.tell("Ann stays")
    turn = await bury(talks, "Ann is lost")
    outgoing = await leave_unsent(talks, "Ann spoke")
    lease, goes_on = await talks.turn("Ann goes on")
    notice = Notice(person=ANN.id, text="Ann is told")
    await store.finish(lease, goes_on, Outcome(notices=(notice,)))
    await fail(store, lease, is_outgoing(await store.next(lease)))
    names = {one.id for one in await listed(store)}
    assert len(names) == 3
    assert await drop(store, f"m{turn.id}", "m404") == {f"m{turn.id}"}
    found = await dump(store)
    assert "Ann is lost" not in found
    assert SORRY not in found
    assert "Ann spoke" in found
    assert await drop(store) == names - {f"m{turn.id}"}
    found = await dump(store)
    for words in ("Ann spoke", "Ann is told"):
        assert words not in found
    assert "Ann stays" in found
    assert not await store.put(turn.messages[0], "message")
    assert await rows_of(store, f"outbox WHERE id = {outgoing.id}") == []
    assert await rows_of(store, "receipt WHERE ref = 'post'") == []
    assert "wiped" in {row["name"] for row in await rows_of(store, "chore")}
    assert await drop(store) == await retry(store) == set()


async def test_other_chats_are_left_alone(store: Store, talks: Talks) -> None:
    """Nothing of a chat changes in which nothing was given up."""
    await talks.tell("hello", chat=GROUP)
    before = await rows_of(store, f"chat WHERE id = {await talks.chat_id(GROUP)}")
    await bury(talks, "poison")
    await retry(store)
    assert await rows_of(store, f"chat WHERE id = {await talks.chat_id(GROUP)}") == before
    assert isinstance(store, DatabaseStore)
    [row] = await store._run(read, "SELECT COUNT(*) AS number FROM inbox WHERE done_at IS NULL")
    assert row["number"] == 1
