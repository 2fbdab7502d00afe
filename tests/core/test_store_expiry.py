"""The contract of every store: what is too old goes, a few rows at a time."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.money import Limit, Scope, Span
from core.protocols import Store
from core.store import open_store
from core.types import MOST_FAILURES, Message, Notice, Outcome, Outgoing, Turn
from tests.core.stand_ins import ANN, BOB, GROUP, StandInClock, incoming, said
from tests.core.storing import CEE, ready, take, take_turn
from tests.core.talks import BOBS, COST, Talks, dump, rows_of

DAY = 24 * 60 * 60.0
MONTH = 30
PEOPLE = (ANN, BOB, CEE)


@pytest.fixture
def talks(store: Store, clock: StandInClock) -> Talks:
    """A store in which people talk."""
    return Talks(store, clock)


async def expire(store: Store, days: int | None = MONTH) -> list[int]:
    """Delete all that is too old; return how large each slice was."""
    slices = []
    while count := await store.expire(days):
        slices.append(count)
        assert count <= 200
    return slices


async def test_what_is_old_goes(store: Store, talks: Talks) -> None:
    """Of everybody, in every table; what is younger stays, and sums stay."""
    await talks.fill()
    await talks.tell("/translate Ann in private")
    await talks.tell("I am Ann", chat=BOBS, person=BOB)
    lease, turn = await talks.turn("Ann is lost")
    notice = Notice(person=BOB.id, text="Ann is lost")
    await talks.finish(lease, turn, Outcome(buried="poison", notices=(notice,)))
    lease, work = await take(store, talks.clock)
    assert isinstance(work, Outgoing)
    await store.next(lease, sent=work.id)
    before = await store.totals("model")
    talks.clock.move(20 * DAY)
    assert await expire(store) == []
    await talks.tell("Bob is young", chat=GROUP, person=BOB)
    talks.clock.move(20 * DAY)
    assert len(await expire(store)) > 0
    found = await dump(store)
    for gone in ("in private", "in group", "said something", "lost"):
        assert gone not in found
    assert found.count("Bob is young") == 4
    assert await talks.remembered(GROUP) == ["Bob is young", "re: Bob is young"]
    assert await expire(store) == []
    [after] = await store.totals("model")
    assert (after.calls, after.cost) == (before[0].calls + 1, before[0].cost + COST)


async def test_old_costs_lose_their_names(store: Store, talks: Talks) -> None:
    """Those of private chats no longer name the chat, those of groups do; sums stay."""
    await talks.fill()
    talks.clock.move(20 * DAY)
    await talks.tell("again")
    talks.clock.move(20 * DAY)
    total = await store.totals("all")
    await expire(store)
    people = {t.id: t.calls for t in await store.totals("person")}
    assert people == {"anonymous": 12, ANN.id: 1}
    chats = {t.name: t.calls for t in await store.totals("chat")}
    assert chats == {"Family": 6, "anonymous": 6, "desk:1": 1}
    assert await store.totals("all") == total
    assert len(await rows_of(store, "usage WHERE person = 'anonymous'")) == 12


async def test_a_slice_is_small(store: Store, talks: Talks) -> None:
    """However much there is, no transaction takes more than two hundred rows."""
    for number in range(50):
        await store.put(incoming(number, f"m{number}"), "question")
    lease, work = await take(store, talks.clock)
    for _ in range(50):
        assert isinstance(work, Turn)
        history = (said("q"), said("a", role="assistant"))
        await store.finish(lease, work, Outcome(history=history))
        following = await store.next(lease)
        if following:
            work = following
    talks.clock.move(40 * DAY)
    assert await expire(store) == [40, 10]
    assert await rows_of(store, "message") == []


async def test_what_waits_is_kept(store: Store, talks: Talks) -> None:
    """A message that was not answered, a text that was not sent: the bot was away."""
    await store.put(incoming(1, "waits"), "message")
    talks.clock.move(40 * DAY)
    assert await expire(store) == []
    lease, turn = await take_turn(store, talks.clock)
    await store.finish(lease, turn, Outcome(text="late"))
    await store.postpone(lease, 0)
    assert await expire(store) == []


async def test_a_text_that_never_went_out_goes(store: Store, talks: Talks) -> None:
    """One that failed too often is kept as long as others; off the record, not at all."""
    for text, is_off_record in (("kept", False), ("secret", True)):
        lease, turn = await talks.turn(text)
        await store.choose(lease, is_off_record=is_off_record)
        await store.finish(lease, turn, Outcome(text=text))
        await store.release(lease)
        for _ in range(MOST_FAILURES):
            [(lease, work)] = await ready(store)
            await store.postpone(lease, 0, failed=work)
        assert await ready(store) == []
    assert "secret" in await dump(store)
    assert await expire(store, None) == [1]
    assert "secret" not in await dump(store)
    assert "kept" in await dump(store)
    talks.clock.move(40 * DAY)
    await expire(store)
    assert "kept" not in await dump(store)


async def test_a_summary_stays_as_long_as_it_is_renewed(store: Store, talks: Talks) -> None:
    """What was written within the time stays, what was not goes."""
    await talks.fill()
    group = await talks.chat_id(GROUP)
    talks.clock.move(20 * DAY)
    [chat] = await rows_of(store, f"chat WHERE id = {group}")
    await store.compact(group, old=20, new=40, summary="renewed", erased=chat["erased"])
    talks.clock.move(20 * DAY)
    await expire(store)
    [chat] = await rows_of(store, f"chat WHERE id = {group}")
    assert chat["summary"] == "renewed"
    talks.clock.move(20 * DAY)
    await expire(store)
    [chat] = await rows_of(store, f"chat WHERE id = {group}")
    assert chat["summary"] == ""


async def test_what_is_being_summed_up_while_it_goes_is_not_kept(
    store: Store, talks: Talks
) -> None:
    """A summary that was begun before is of what is too old by now."""
    await talks.fill()
    group = await talks.chat_id(GROUP)
    [before] = await rows_of(store, f"chat WHERE id = {group}")
    talks.clock.move(20 * DAY)
    await talks.tell("young", chat=GROUP, person=BOB)
    talks.clock.move(20 * DAY)
    await expire(store)
    old, new, erased = before["start"], before["total"] + 10, before["erased"]
    assert not await store.compact(group, old=old, new=new, summary="old", erased=erased)


SUBJECTS: tuple[tuple[Scope, str], ...] = (("user", ANN.id), ("chat", "1"), ("all", ""))


@pytest.mark.parametrize(("days", "left"), [(1, 1), (MONTH, 2), (None, 3), (999, 3)])
async def test_budgets_of_long_ago_go(
    store: Store, talks: Talks, days: int | None, left: int
) -> None:
    """Days and months that are over count nowhere: none is kept long, even if all else is."""
    spans: tuple[Span, ...] = ("day", "month")
    limits = [
        Limit(scope=scope, subject=subject, span=span)
        for scope, subject in SUBJECTS
        for span in spans
    ]
    for _ in range(4):  # from the middle of a month to that of the fifth
        await store.levels(limits)
        talks.clock.move(30.5 * DAY)
    await store.hold("x", limits, usd=700, tokens=1)
    assert sum(await expire(store, days)) == (5 - left) * len(limits)
    rows = await rows_of(store, "budget ORDER BY period")
    months = sorted({row["period"] for row in rows if len(row["period"]) == len("2026-11")})
    assert months == ["2024-01", "2024-02", "2024-03"][-left:]
    assert [row["held_usd"] for row in rows if row["period"] >= months[-1]] == [700] * len(limits)
    assert await expire(store, days) == []


@settings(max_examples=40, deadline=None)
@given(
    turns=st.lists(
        st.tuples(st.sampled_from(PEOPLE), st.integers(1, 40), st.integers(1, 40), st.booleans()),
        min_size=1,
        max_size=12,
    ),
    gone=st.sampled_from(PEOPLE),
    budgets=st.lists(st.one_of(st.none(), st.integers(0, 400)), min_size=1, max_size=4),
    start=st.integers(0, 200),
)
def test_forgetting_one_changes_nothing_for_others(
    turns: Sequence[tuple[object, int, int, bool]],
    gone: object,
    budgets: Sequence[int | None],
    start: int,
) -> None:
    """Any window shows the same of what others said and were told, and goes on as before."""

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            clock = StandInClock()
            store = await open_store(Path(folder) / "a.db", clock=clock)
            talks = Talks(store, clock)
            group = await _talk(talks, turns)
            before = [await store.window(group, start=start, tokens=b) for b in budgets]
            await talks.forget(chat=GROUP, person=gone)  # type: ignore[arg-type]
            name = gone.name  # type: ignore[attr-defined]
            for budget, shown in zip(budgets, before, strict=True):
                after = await store.window(group, start=start, tokens=budget)
                assert after == [m for m in shown if not m.content.startswith(name)]
            await talks.tell("on", chat=GROUP, person=CEE)
            whole = await store.window(group, start=0)
            assert [m.content for m in whole[-2:]] == ["on", "re: on"]
            ends = [0, *(m.total for m in whole)]
            assert all(m.total - m.tokens >= end for m, end in zip(whole, ends, strict=False))
            await store.close()

    asyncio.run(run())


async def _talk(talks: Talks, turns: Sequence[tuple[object, int, int, bool]]) -> int:
    """Let people talk in a group, some of them trying their last question again."""
    for number, (person, asked, answer, again) in enumerate(turns):
        lease, turn = await talks.turn("x", chat=GROUP, person=person)  # type: ignore[arg-type]
        name = turn.person.name
        history = (
            Message(role="user", content=f"{name} {number}", tokens=asked),
            Message(role="assistant", content=f"{name} is told {number}", tokens=answer),
        )
        await talks.finish(lease, turn, Outcome(history=history))
        if again:
            lease, retry = await talks.turn("/retry", chat=GROUP, person=person)  # type: ignore[arg-type]
            await talks.finish(lease, retry, Outcome(history=history, replaces=turn.id))
    return await talks.chat_id(GROUP)
