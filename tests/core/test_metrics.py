"""What is counted of turns: each once, by what came of it, and nobody by name."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from core import metrics
from core.errors import DeliveryError, LeaseLostError, ModelError, StoreError
from core.kept import Depth
from core.models import Price
from core.protocols import Store
from core.store import open_store
from core.types import Delta, Message, ModelEvent, Outcome, Restart, Usage, Voice
from tests.core.house import Faulty, Gate, House, failing
from tests.core.places import Kind, Place
from tests.core.stand_ins import ANN, BOB, CHAT, GROUP, StandInClock, StandInModel
from tests.core.storing import put, take_turn
from tests.core.test_relay import failing_model
from tests.numbers import Change, now

PRICE = Price(input=10_000_000, cached=1_000_000, written=10_000_000, output=30_000_000)
EAR = Price(input=0, cached=0, written=0, output=0, audio_minute=6_000)
STEPS = ("waiting", "prepare", "understand", "memory", "hold", "first_token", "model", "commit")


@pytest.fixture
async def used(tmp_path: Path) -> AsyncIterator[Store]:
    """A store in which time passes."""
    opened = await open_store(tmp_path / "causerie.db")
    yield opened
    await opened.close()


async def broken(prompt: Sequence[Message], models: Sequence[str]) -> AsyncIterator[ModelEvent]:
    """Say a word, then fail."""
    del prompt, models
    yield Delta(text="Well")
    raise ModelError("The model broke off.")


async def test_a_turn_is_counted_and_every_step_timed(used: Store) -> None:
    """Once each, with its tokens and what they cost."""
    change = Change()
    house = House(store=used, prices={"gpt-4o": PRICE})
    async with house.running():
        await house.ask("hi there")
    assert change("received_total", platform="desk", kind="message") == 1
    assert change("turns_total", platform="desk", kind="message", outcome="answered") == 1
    steps = {
        step: change("step_seconds_count", step=step) for step in (*STEPS, "deliver", "total")
    }
    assert steps == dict.fromkeys(steps, 1)
    assert change("step_seconds_count", step="summary") == 0
    assert change("model_calls_total", model="gpt-4o", purpose="chat") == 1
    read, said = (change("tokens_total", model="gpt-4o", direction=d) for d in ("input", "output"))
    assert read > said > 0
    assert change("cost_usd_total", model="gpt-4o") == pytest.approx((10 * read + 30 * said) / 1e6)
    assert change("unpriced_calls_total") == 0
    assert change("holds_total", result="held") == 1
    assert change("store_seconds_count") >= 5
    assert now()("held_chats") == now()("store_waiting") == 0


async def test_what_is_heard_is_counted(used: Store) -> None:
    """In seconds; a call of unknown price is counted as such, and costs nothing."""
    change = Change()
    house = House(store=used, prices={"ear": EAR})
    async with house.running():
        await house.ask(voice=Voice(ref="note", seconds=30.0))
    assert change("speech_seconds_total", model="ear") == 30
    assert change("cost_usd_total", model="ear", purpose="transcribe") == pytest.approx(0.003)
    assert change("unpriced_calls_total", model="gpt-4o") == 1
    assert change("holds_total", result="held") == 2


async def test_every_turn_has_one_outcome(used: Store) -> None:
    """Answered, refused, failed or ignored; a broken answer is a failed one."""
    change = Change()
    house = House(store=used)
    async with house.running():
        await house.ask("hi")
        await house.ask("/settings", chat=GROUP)
        await house.ask(unreadable="a picture")
        await house.say("/nothing", chat=GROUP)
        house.model.script = broken
        await house.ask("hi")
    outcomes = ("answered", "refused", "failed", "ignored")
    counted = [change("turns_total", platform="desk", outcome=name) for name in outcomes]
    assert counted == [1, 2, 1, 1]


@pytest.mark.parametrize(
    "prices", [{"gpt-4o": PRICE, "other": PRICE}, {}], ids=["dear", "unpriced"]
)
async def test_a_limit_refuses(used: Store, prices: dict[str, Price]) -> None:
    """Both the hold and the turn are counted as refused."""
    change = Change()
    house = House(store=used, prices=prices, caps={("user", "day", "usd"): 100})
    async with house.running():
        await house.ask("hi")
    assert change("turns_total", outcome="refused") == 1
    assert change("holds_total", result="refused") == 1
    assert change("holds_total", result="held") == 0


async def test_a_limit_in_the_middle_of_an_answer_refuses(used: Store) -> None:
    """A second attempt that is too dear ends it."""

    async def again(prompt: Sequence[Message], models: Sequence[str]) -> AsyncIterator[ModelEvent]:
        del prompt, models
        yield Usage(purpose="chat", model="gpt-4o", input=10**9)
        yield Restart()

    change = Change()
    prices = {"gpt-4o": PRICE, "other": PRICE}
    house = House(
        store=used, model=StandInModel(again), prices=prices, caps={("user", "day", "usd"): 10**9}
    )
    async with house.running():
        await house.ask("hi")
    assert change("turns_total", outcome="refused") == 1


@pytest.mark.parametrize("is_begun", [True, False])
async def test_a_stopped_turn_is_counted_as_such(used: Store, *, is_begun: bool) -> None:
    """Whether its answer had begun or waited for its turn."""
    change = Change()
    gate = Gate()
    house = House(store=used, model=StandInModel(gate))
    if is_begun:
        async with house.running():
            await house.say("hi")
            await gate.until_reached()
            await house.say("/stop")
            await house.bot.until(2)
    else:
        await house.put("hi")
        await house.put("/stop", "stop")
        async with house.running():
            await house.bot.until(1)
    assert change("turns_total", kind="message", outcome="stopped") == 1
    assert change("turns_total", kind="stop", outcome="answered") == 1


async def test_what_fails_is_counted_where_it_is_tried_again(used: Store) -> None:
    """A turn, a commit, a delivery; in the end the turn is buried."""
    change = Change()
    fault = Faulty(used)
    fault.before["finish"] = failing(1, StoreError("full"))
    house = House(store=cast("Store", fault), model=failing_model(5))
    house.bot.failures[CHAT.ref] = [DeliveryError("not now"), DeliveryError("not now")]
    async with house.running():
        await house.ask("poison")
    retries = [change("retries_total", where=w) for w in ("turn", "store", "delivery", "outbox")]
    assert retries == [5, 1, 2, 0]
    assert change("turns_total", outcome="buried") == 1
    assert change("step_seconds_count", step="waiting") == 1
    assert (await used.depth()).dead == 1


async def test_a_text_that_cannot_be_sent_is_tried_again(used: Store) -> None:
    """By what nobody foresaw."""
    change = Change()
    house = House(store=used)
    house.bot.failures[CHAT.ref] = [RuntimeError("a bug")]
    async with house.running():
        await house.ask("hi")
    assert change("retries_total", where="outbox") == 1


async def test_lost_leases_are_counted(used: Store) -> None:
    """Be it the store that says so, or the heartbeat."""
    change = Change()
    fault = Faulty(used)
    fault.before["finish"] = failing(1, LeaseLostError("late"))
    house = House(store=cast("Store", fault))
    async with house.running():
        await house.say("hi")
        await fault.until("finish", 1)
    assert change("leases_lost_total") == 1
    assert change("store_failures_total") == 0


async def test_a_lease_that_another_worker_took_is_counted(tmp_path: Path) -> None:
    """The heartbeat finds out in the middle of an answer."""
    change, clock, gate = Change(), StandInClock(), Gate()
    opened = await open_store(tmp_path / "causerie.db", clock=clock)
    house = House(store=opened, model=StandInModel(gate))
    await house.put("hi")
    clock.move(1)
    async with house.running():
        await gate.until_reached()
        clock.move()
        [(_, turn)], _ = await opened.lease(["desk"], 1)
        async with asyncio.timeout(10):
            while not change("leases_lost_total"):  # noqa: ASYNC110 - a counter rings no bell
                await asyncio.sleep(0.01)
    assert turn
    assert change("leases_lost_total") == 1
    await opened.close()


async def test_transactions_that_fail_are_counted(tmp_path: Path) -> None:
    """Their caller is told as before."""
    change = Change()
    opened = await open_store(tmp_path / "causerie.db")
    await opened.close()
    with pytest.raises(StoreError):
        await opened.depth()
    assert change("store_failures_total") == 1
    assert now()("store_waiting") == 0


async def test_tasks_are_counted() -> None:
    """Until they have ended."""
    change = Change()
    waiting = asyncio.create_task(asyncio.Event().wait())
    assert change("tasks") == 1
    waiting.cancel()
    await asyncio.wait({waiting})
    assert change("tasks") == 0


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_connections_are_counted(place: Place, kind: Kind) -> None:
    """Those to the database, until it is closed."""
    change = Change()
    opened = await open_store(place(kind))
    await opened.depth()
    await opened.tidy()
    assert change("store_connections") in ({2} if kind == "sqlite" else {1, 2})
    await opened.close()
    assert change("store_connections") == 0


def test_where_no_loop_runs_there_are_no_tasks() -> None:
    """Whoever asks there is told so."""
    assert now()("tasks") == 0


async def test_nobody_is_named(used: Store) -> None:
    """Labels hold no id of a person or chat, and no words."""
    house = House(store=used, prices={"gpt-4o": PRICE})
    async with house.running():
        await house.ask("a secret word")
        await house.ask("/model nonsense")
    found = {value for sample in now().samples for value in sample.labels.values()}
    assert not any(ANN.id in value or "secret" in value or "nonsense" in value for value in found)


async def test_what_waits_is_counted(store: Store, clock: StandInClock) -> None:
    """Messages, and for how long the oldest has been due; texts; holds; what was given up."""
    nothing = Depth(waiting=0, oldest_seconds=0, outbox=0, dead=0, holds=0)
    assert await store.depth() == nothing
    await put(store, 1)
    assert (await store.depth()).oldest_seconds == 0
    lease, turn = await take_turn(store, clock)
    await put(store, 2, 3, person=BOB)
    clock.move(2.5)
    found = await store.depth()
    assert (found.waiting, found.oldest_seconds) == (3, 2.5)
    await store.hold("turn 1", (), usd=1, tokens=1)
    assert (await store.depth()).holds == 1
    await store.finish(lease, turn, Outcome(text="sorry", buried="too often"))
    assert await store.depth() == Depth(waiting=2, oldest_seconds=2.5, outbox=1, dead=1, holds=0)


async def test_a_turn_says_how_long_it_waited(store: Store, clock: StandInClock) -> None:
    """Since it was due."""
    await put(store, 1)
    _, turn = await take_turn(store, clock, seconds=3)
    assert turn.waited == 3


def test_what_the_store_does_not_say_is_no_number() -> None:
    """Rather than what it said long ago."""
    metrics.show_depth(Depth(waiting=1, oldest_seconds=2.5, outbox=3, dead=4, holds=5))
    names = ("queue_messages", "queue_age_seconds", "outbox_messages", "dead_messages")
    assert [now()(name) for name in (*names, "holds_open")] == [1, 2.5, 3, 4, 5]
    metrics.show_depth(None)
    assert not any(map(now().is_known, names))
