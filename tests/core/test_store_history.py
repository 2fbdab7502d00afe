"""The contract of every store, part three: what is remembered, of chats, models and people."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.people import Known, Pairing
from core.protocols import Store
from core.store import open_store
from core.types import Chat, ChatState, Lease, Message, Outcome, Person, Turn, Usage
from tests.core.stand_ins import ANN, BOB, CHAT, GROUP, StandInClock, said
from tests.core.storing import put, take_turn, texts

SUMMED = Usage(purpose="summary", model="m", input=5, output=3)


async def remember(
    store: Store, clock: StandInClock, number: int, *history: Message, replaces: int | None = None
) -> Turn:
    """Store a turn that ends in `history`; return it."""
    await put(store, number)
    lease, turn = await take_turn(store, clock)
    await store.finish(lease, turn, Outcome(history=history, replaces=replaces))
    assert await store.next(lease) is None
    return turn


async def leased(store: Store, clock: StandInClock) -> tuple[Lease, Turn]:
    """Lease the chat with a new message; return its turn, too."""
    clock.move(0.001)
    await put(store, clock())
    return await take_turn(store, clock)


async def state_of(store: Store, clock: StandInClock) -> ChatState:
    """Return the chat's state, with the next turn."""
    lease, turn = await leased(store, clock)
    await store.release(lease, turn=turn)
    return turn.state


async def test_history_keeps_who_said_what(store: Store, clock: StandInClock) -> None:
    """Messages come back as they were told, with a running sum of their tokens."""
    first = (said("hi", name="Ann", tokens=7), said("hello", role="assistant", tokens=5))
    await remember(store, clock, 1, *first)
    turn = await remember(store, clock, 2, said("and?", tokens=3))
    found = await store.window(1, start=0)
    assert found == [
        replace(first[0], total=7),
        replace(first[1], total=12),
        replace(said("and?", tokens=3), total=15),
    ]
    assert turn.state == ChatState(total=12)
    assert await store.window(404, start=0) == []


async def test_an_answer_given_anew_replaces_the_first(store: Store, clock: StandInClock) -> None:
    """However often a turn is answered again, only the last answer is remembered."""
    await remember(store, clock, 1, said("q1"), said("a1", role="assistant"))
    turn = await remember(store, clock, 2, said("q2"), said("a2", role="assistant"))
    for number, answer in ((3, "b"), (4, "c")):
        before = await store.window(1, start=0, before=turn.id)
        assert [m.content for m in before] == ["q1", "a1"]
        fresh = (said("q2"), said(answer, role="assistant"))
        await remember(store, clock, number, *fresh, replaces=turn.id)
        found = [m.content for m in await store.window(1, start=0)]
        assert found == ["q1", "a1", "q2", answer]


async def test_answers_that_are_gone_take_no_room(store: Store, clock: StandInClock) -> None:
    """The running sum goes back with what is replaced, but not behind the start of memory."""
    await remember(store, clock, 1, said("q1", tokens=20))
    turn = await remember(store, clock, 2, said("q2", tokens=30))
    await remember(store, clock, 3, said("q2", tokens=5), replaces=turn.id)
    assert (await state_of(store, clock)).total == 25
    assert await store.compact(1, old=0, new=25, summary="all")
    turn = await remember(store, clock, 4, said("q3", tokens=7))
    await remember(store, clock, 5, said("q3", tokens=6), replaces=turn.id)
    state = await state_of(store, clock)
    assert (state.total, state.start) == (31, 25)
    assert [m.content for m in await store.window(1, start=25)] == ["q3"]


async def test_an_only_answer_can_be_replaced(store: Store, clock: StandInClock) -> None:
    """A history that is emptied on the way begins anew."""
    turn = await remember(store, clock, 1, said("q", tokens=9))
    await remember(store, clock, 2, said("q", tokens=4), replaces=turn.id)
    assert [m.total for m in await store.window(1, start=0)] == [4]


async def test_compaction_yields_to_an_answer_given_anew(
    store: Store, clock: StandInClock
) -> None:
    """What was replaced while it was summed up is not cut off from memory."""
    turn = await remember(store, clock, 1, said("q", tokens=9))
    await remember(store, clock, 2, said("q", tokens=12), replaces=turn.id)
    assert not await store.compact(1, old=0, new=9, summary="of the first")
    assert (await state_of(store, clock)).start == 0


async def test_the_last_turn_is_no_command(store: Store, clock: StandInClock) -> None:
    """The last finished message comes back whole: its texts, its transcripts, its person."""
    lease, turn = await leased(store, clock)
    assert await store.last_turn(lease) is None
    await store.release(lease, turn=turn)
    lease, turn = await take_turn(store, clock)
    await store.finish(lease, turn, Outcome(text="failed"))
    await put(store, 2, kind="command")
    work = await store.next(lease, sent=1)
    assert isinstance(work, Turn)
    assert work.kind == "command"
    await store.finish(lease, work, Outcome())
    last = await store.last_turn(lease)
    assert last
    assert (last.ids, texts(last), last.person) == (turn.ids, texts(turn), ANN)


async def test_forgetting_and_choosing(store: Store, clock: StandInClock) -> None:
    """A new start remembers nothing but keeps its choices, which can be taken back."""
    await remember(store, clock, 1, said("q", tokens=30))
    lease, turn = await leased(store, clock)
    await store.choose(lease, model="big")
    await store.choose(lease, persona="brief")
    assert await store.compact(lease.chat_id, old=0, new=30, summary="short")
    await store.release(lease, turn=turn)
    state = await state_of(store, clock)
    assert state == ChatState(model="big", persona="brief", total=30, start=30, summary="short")
    lease, turn = await leased(store, clock)
    await store.forget(lease)
    await store.choose(lease, model="")
    await store.finish(lease, turn, Outcome(history=(said("new", tokens=4),)))
    await store.release(lease)
    state = await state_of(store, clock)
    assert state == ChatState(persona="brief", total=34, start=30)
    window = await store.window(lease.chat_id, start=state.start)
    assert [m.content for m in window] == ["new"]


async def test_compaction_yields_to_a_new_start(store: Store, clock: StandInClock) -> None:
    """A summary is kept only if memory still starts where it started when it was begun."""
    for number in range(3):
        await remember(store, clock, number, said("q"))
    assert await store.compact(1, old=0, new=10, summary="one", usage=(SUMMED,))
    assert not await store.compact(1, old=0, new=20, summary="late", usage=(SUMMED,))
    assert await store.compact(1, old=10, new=20, summary="two")
    state = await state_of(store, clock)
    assert (state.start, state.summary) == (20, "two")


async def test_calibrations_are_kept(store: Store) -> None:
    """The latest factor of each model is kept, to a millionth."""
    assert await store.calibrations() == {}
    await store.calibrate("a", 1.25)
    await store.calibrate("b", 2.0)
    await store.calibrate("a", 1.234567)
    assert await store.calibrations() == {"a": 1.234567, "b": 2.0}


async def test_people_are_known_once_they_write(store: Store) -> None:
    """Everybody who wrote is listed by name, with the name of their last message."""
    assert await store.known(ANN.id) is None
    await put(store, 1, person=BOB)
    await put(store, 2)
    await put(store, 3, person=Person(id=ANN.id, name="Anna"), chat=GROUP)
    assert await store.known(ANN.id) == Known(id=ANN.id, name="Anna", status="")
    assert [known.name for known in await store.everybody()] == ["Anna", "Bob"]


async def test_a_pairing_code_holds_for_an_hour(store: Store, clock: StandInClock) -> None:
    """Within the hour the same code is shown, new only to its own turn; then comes another."""
    await put(store, 1)
    asked = await store.ask(ANN.id, turn=1)
    code, is_new = asked.code, asked.is_new
    assert is_new
    assert len(code) == 6
    clock.move(3599)
    assert await store.ask(ANN.id, turn=1) == Pairing(code=code, is_new=True, recent=1)
    assert await store.ask(ANN.id, turn=2) == Pairing(code=code, is_new=False, recent=1)
    clock.move(1)
    assert await store.decide(code, "approved") is None
    asked = await store.ask(ANN.id, turn=3)
    fresh, is_new = asked.code, asked.is_new
    assert is_new
    assert fresh != code


@pytest.mark.parametrize("status", ["approved", "denied"])
@pytest.mark.parametrize("by_code", [True, False])
async def test_an_owner_decides(store: Store, *, status: str, by_code: bool) -> None:
    """Somebody is let in or kept out by code, in any case of letters, or by id."""
    await put(store, 1)
    code = (await store.ask(ANN.id, turn=1)).code
    assert (await store.everybody())[0].status == "asked"
    decided = Known(id=ANN.id, name=ANN.name, status=status)
    assert await store.decide(code.lower() if by_code else ANN.id, status) == decided
    assert await store.known(ANN.id) == decided
    assert await store.decide("nobody", status) is None


async def test_a_turn_knows_what_was_decided(store: Store, clock: StandInClock) -> None:
    """Each time it is taken up, as things are then."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    assert turn.status == ""
    await store.release(lease, turn=turn)
    await store.decide(ANN.id, "denied")
    lease, turn = await take_turn(store, clock)
    assert turn.status == "denied"


async def test_a_decision_outlives_a_question_under_way(store: Store) -> None:
    """Whoever is let in while a code is being made for them stays let in."""
    await put(store, 1)
    await store.decide(ANN.id, "approved")
    await store.ask(ANN.id, turn=1)
    known = await store.known(ANN.id)
    assert known
    assert known.status == "approved"


sizes = st.lists(st.integers(1, 40), max_size=25)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sizes, st.integers(0, 600), st.none() | st.integers(0, 600), st.integers(0, 30))
def test_window_is_the_newest_that_fits(
    counts: list[int], start: int, tokens: int | None, others: int
) -> None:
    """A window is what one gets by walking back from the newest message, and no other chat's."""

    async def look(folder: str) -> list[Message]:
        clock = StandInClock()
        store = await open_store(Path(folder) / "a.db", clock=clock)
        try:
            other = Chat(platform="desk", ref="2", is_private=True)
            await put(store, 1, chat=CHAT)
            await put(store, 1, chat=other)
            clock.move(1)
            work, _ = await store.lease(["desk"], 2)
            for (lease, turn), some in zip(work, (counts, [others + 1]), strict=True):
                assert isinstance(turn, Turn)
                history = tuple(said(str(n), tokens=size) for n, size in enumerate(some))
                await store.finish(lease, turn, Outcome(history=history))
            return await store.window(work[0][0].chat_id, start=start, tokens=tokens)
        finally:
            await store.close()

    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(look(folder))
    room = sum(counts) if tokens is None else tokens
    expected: list[str] = []
    for number in reversed(range(len(counts))):
        room -= counts[number]
        if room < 0 or sum(counts[:number]) < start:
            break
        expected.insert(0, str(number))
    assert [message.content for message in found] == expected
