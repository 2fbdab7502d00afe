"""The contract of every store: what is held, settled and limited, and the sums of the ledger."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core.money import Grant, Limit, Unit
from core.protocols import Store
from core.types import Outcome, Usage
from tests.core.stand_ins import ANN, StandInClock
from tests.core.storing import put, take_turn

DAY = Limit(scope="user", subject=ANN.id, span="day", usd=1_000)
MONTH = Limit(scope="user", subject=ANN.id, span="month", tokens=100)
ALL = Limit(scope="all", subject="", span="month", usd=5_000)
LIMITS = (DAY, MONTH, ALL)
HOUR = 3_600


def call(cost: int, tokens: int = 10) -> Usage:
    """Return a paid call."""
    return Usage(purpose="chat", model="m", input=tokens - 1, output=1, cost=cost)


@pytest.fixture
def cairo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where midnight is left out when summer time begins."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Africa/Cairo")
        time.tzset()
        yield
    time.tzset()


async def left(store: Store) -> dict[str, int]:
    """Return what is left of each limit."""
    return {f"{level.scope} {level.span}": level.left for level in await store.levels(LIMITS)}


async def test_what_is_held_counts_as_spent(store: Store, clock: StandInClock) -> None:
    """Under every limit that applies, until it is let go."""
    del clock
    assert await left(store) == {"user day": 1_000, "user month": 100, "all month": 5_000}
    assert not (await store.hold("a", LIMITS, usd=600, tokens=30)).refused
    assert await left(store) == {"user day": 400, "user month": 70, "all month": 4_400}
    await store.release_hold("a")
    await store.release_hold("a")
    assert await left(store) == {"user day": 1_000, "user month": 100, "all month": 5_000}


async def test_a_limit_that_does_not_allow_it_leaves_all_as_it_was(store: Store) -> None:
    """It is named, with what is left of it."""
    await store.hold("a", LIMITS, usd=600, tokens=30)
    refused = (await store.hold("b", LIMITS, usd=401, tokens=1)).refused
    assert refused
    assert (refused.scope, refused.span, refused.unit, refused.left) == ("user", "day", "usd", 400)
    refused = (await store.hold("b", LIMITS, usd=1, tokens=71)).refused
    assert refused
    assert (refused.span, refused.unit) == ("month", "tokens")
    assert await left(store) == {"user day": 400, "user month": 70, "all month": 4_400}
    assert not (await store.hold("b", LIMITS, usd=400, tokens=70)).refused


async def test_a_hold_that_is_made_again_replaces_the_first(store: Store) -> None:
    """A turn that crashed is tried again, and counts once."""
    for _ in range(3):
        assert not (await store.hold("a", LIMITS, usd=900, tokens=90)).refused
    assert await left(store) == {"user day": 100, "user month": 10, "all month": 4_100}


async def test_a_turn_settles_what_it_held(store: Store, clock: StandInClock) -> None:
    """What was spent takes the place of what was held, in the turn's own transaction."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    await store.hold(turn.hold, LIMITS, usd=900, tokens=90)
    await store.finish(lease, turn, Outcome(usage=(call(50), call(25, tokens=5))))
    assert await left(store) == {"user day": 925, "user month": 85, "all month": 4_925}


async def test_a_hold_expires(store: Store, clock: StandInClock) -> None:
    """Work that never came back counts no longer after an hour, but when it comes it is spent."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    await store.hold(turn.hold, LIMITS, usd=900, tokens=90)
    clock.move(HOUR)
    assert not (await store.hold("b", LIMITS, usd=900, tokens=90)).refused
    await store.release_hold("b")
    await store.finish(lease, turn, Outcome(usage=(call(50),)))
    assert await left(store) == {"user day": 950, "user month": 90, "all month": 4_950}


async def test_a_new_day_begins_at_nothing(store: Store, clock: StandInClock) -> None:
    """And the month goes on."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    await store.hold(turn.hold, LIMITS, usd=900, tokens=90)
    await store.finish(lease, turn, Outcome(usage=(call(700, tokens=70),)))
    [level] = await store.levels([DAY])
    clock.move((level.resets_at - clock()) / 1000)
    assert await left(store) == {"user day": 1_000, "user month": 30, "all month": 4_300}
    assert level.resets_at <= clock()


@pytest.mark.usefixtures("cairo")
async def test_a_day_whose_midnight_is_left_out_ends_with_it(
    store: Store, clock: StandInClock
) -> None:
    """Nobody is told that a limit resets at 23:00, when it does not."""
    evening = datetime(2026, 4, 23, 18, tzinfo=UTC).timestamp()
    clock.move(evening - clock() / 1000)
    [level] = await store.levels([DAY])
    assert level.resets_at == datetime(2026, 4, 23, 22, tzinfo=UTC).timestamp() * 1000


async def test_somebody_is_told_once_that_little_is_left(
    store: Store, clock: StandInClock
) -> None:
    """At four fifths, of each limit by itself."""
    told = []
    for number, cost in enumerate((700, 100, 10, 10), start=1):
        await put(store, number)
        lease, turn = await take_turn(store, clock)
        standing = await store.hold(turn.hold, LIMITS, usd=cost, tokens=1)
        told.append([(level.span, level.unit) for level in standing.warned])
        await store.finish(lease, turn, Outcome(usage=(call(cost, tokens=2),)))
        await store.next(lease)
    assert told == [[], [], [("day", "usd")], []]


@pytest.mark.parametrize(("unit", "amount"), [("usd", 2_000), ("tokens", 500)])
async def test_owners_set_and_grant(
    store: Store, clock: StandInClock, unit: Unit, amount: int
) -> None:
    """A limit of theirs counts in place of the settings'; a grant comes on top for the time."""
    limit = DAY if unit == "usd" else MONTH
    before = (await store.levels([limit]))[0].cap
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    granted = Outcome(text="so", grants=(Grant(limit=limit, unit=unit, amount=7),))
    for _ in range(2):  # the second, because nobody heard of the first
        await store.finish(lease, turn, granted)
    assert (await store.levels([limit]))[0].cap == before + 7
    await store.cap(limit, unit, amount)
    assert (await store.levels([limit]))[0].cap == amount + 7
    await store.cap(limit, unit, None)
    assert await store.levels([limit]) == []
    await store.uncap(limit, unit)
    assert (await store.levels([limit]))[0].cap == before + 7


async def test_a_reset_lets_what_was_spent_count_no_longer(
    store: Store, clock: StandInClock
) -> None:
    """In the one time of the one limit; grants stay, and so does what the ledger says."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    await store.hold(turn.hold, LIMITS, usd=900, tokens=90)
    granted = (Grant(limit=DAY, unit="usd", amount=50),)
    await store.finish(lease, turn, Outcome(usage=(call(900, tokens=90),), grants=granted))
    assert (await store.hold("a", LIMITS, usd=200, tokens=1)).refused
    await store.reset(DAY)
    assert await left(store) == {"user day": 1_050, "user month": 10, "all month": 4_100}
    assert not (await store.hold("a", LIMITS, usd=200, tokens=1)).refused
    await store.release_hold("a")
    await store.reset(MONTH)
    await store.reset(ALL)
    assert await left(store) == {"user day": 1_050, "user month": 100, "all month": 5_000}
    [total] = await store.totals("all")
    assert (total.cost, total.input + total.output) == (900, 90)


async def test_what_is_under_way_at_a_reset_counts_afterwards(
    store: Store, clock: StandInClock
) -> None:
    """It stays held, and what it comes to is spent in the new count."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    await store.hold(turn.hold, LIMITS, usd=900, tokens=90)
    await store.reset(DAY)
    assert (await left(store))["user day"] == 100
    await store.finish(lease, turn, Outcome(usage=(call(300),)))
    assert (await left(store))["user day"] == 700


async def test_after_a_reset_somebody_is_told_again(store: Store, clock: StandInClock) -> None:
    """When little is left of the new count."""
    told = []
    for number in (1, 2, 3, 4):
        await put(store, number)
        lease, turn = await take_turn(store, clock)
        told.append(len((await store.hold(turn.hold, LIMITS, usd=90, tokens=0)).warned))
        await store.finish(lease, turn, Outcome(usage=(call(900, tokens=2),)))
        await store.next(lease)
        if number % 2 == 0:
            await store.reset(DAY)
    assert told == [0, 1, 0, 1]


async def test_a_reset_races_with_calls(store: Store, clock: StandInClock) -> None:
    """Whatever comes first, what is held stays held and the cap is kept."""
    del clock
    for number in range(10):
        await store.hold(f"old {number}", LIMITS, usd=30, tokens=1)
    await asyncio.gather(
        *(store.hold(f"new {n}", LIMITS, usd=30, tokens=1) for n in range(10)),
        store.reset(DAY),
        *(store.release_hold(f"old {n}") for n in range(10)),
        store.reset(DAY),
    )
    assert (await left(store))["user day"] == 1_000 - 10 * 30


async def test_sums_lose_their_names_once(store: Store, clock: StandInClock) -> None:
    """Whoever else is at it at the same time, and whatever is entered meanwhile."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    models = tuple(replace(call(5), model=f"m{n}") for n in range(10))
    await store.finish(lease, turn, Outcome(usage=models))
    clock.move(3 * 24 * HOUR)
    entered = replace(call(7), model="m3")
    assert [await store.expire(1) for _ in range(2)] == [1, 10]  # the message, and the calls
    await asyncio.gather(*(store.totals("all") for _ in range(20)))  # all are connected
    await asyncio.gather(
        *(store.expire(1) for _ in range(8)),
        *(store.compact(1, old=0, new=0, summary="", usage=(entered,)) for _ in range(10)),
        *(store.expire(1) for _ in range(8)),
    )
    by_person = {total.id: total for total in await store.totals("person")}
    calls = {name: (total.calls, total.cost) for name, total in by_person.items()}
    assert calls == {"anonymous": (10, 50), "": (10, 70)}
    assert sum(total.cost for total in await store.totals("day")) == 120


async def test_many_at_once_never_overshoot(store: Store) -> None:
    """Of two hundred calls that want to hold at the same time, as many as fit are let."""
    results = await asyncio.gather(
        *(store.hold(f"turn {n}", LIMITS, usd=30, tokens=1) for n in range(200))
    )
    assert sum(not standing.refused for standing in results) == 1_000 // 30
    assert (await left(store))["user day"] == 1_000 % 30
