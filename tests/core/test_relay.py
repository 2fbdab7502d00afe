"""The path from message to answer: each once, in order, whatever fails on the way."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from core.errors import DeliveryError, GoneError, StoreError
from core.protocols import Store
from core.relay import Pace
from core.store import open_store
from core.turns import MOST_ATTEMPTS
from core.types import MOST_FAILURES, Chat, Delta, Message, ModelEvent, Turn, Voice
from tests.core.house import OFFICE, OWNER, QUICK, Faulty, Gate, House, failing
from tests.core.stand_ins import (
    ANN,
    BOB,
    CHAT,
    GROUP,
    StandInBot,
    StandInModel,
    echo,
    is_summary,
)
from tests.core.talks import rows_of

NOTE = Voice(ref="note", seconds=2.0)


@pytest.fixture
def clock() -> None:
    """Time passes in the store."""


def faulty(store: Store) -> tuple[Faulty, Store]:
    """Return a store that can fail, twice: to set it up, and to be used."""
    found = Faulty(store)
    return found, cast("Store", found)


def failing_model(times: int) -> StandInModel:
    """Return a model with a bug: it fails `times` in a way nobody foresaw, then answers."""
    model = StandInModel()

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        if len(model.prompts) <= times:
            raise RuntimeError("a bug")
        async for event in echo(prompt, models):
            yield event

    model.script = script
    return model


async def test_every_message_is_answered_once_in_order(store: Store) -> None:
    """Sixty groups in which two people talk at once: no answer is lost, doubled or early."""
    house = House(store=store, most_chats=20)
    chats = [Chat(platform="desk", ref=str(-n), is_private=False) for n in range(1, 61)]
    async with house.running():
        for number in range(4):
            for chat in chats:
                await house.say(f"m{number}", chat=chat, person=(ANN, BOB)[number % 2])
        await house.bot.until(4 * len(chats))
    for chat in chats:
        assert house.bot.texts(chat) == [f"You said: m{n}" for n in range(4)]


async def test_an_answer_grows_and_then_stands(store: Store) -> None:
    """The preview grows under the message it answers, and the final text replaces it."""
    gate = Gate()
    house = House(store=store, bot=StandInBot(posts=True), model=StandInModel(gate))
    async with house.running():
        await house.say("hi")
        await house.bot.until_shown("half")
        gate.opened.set()
        await house.bot.until(1)
    assert house.bot.sent == [("1", "1", "half whole")]
    assert house.bot.places == [["preview 1"]]


async def test_a_redelivered_message_changes_nothing(store: Store) -> None:
    """The same event again is neither answered again nor stops anything."""
    house = House(store=store)
    message = house.message("/stop")
    async with house.running():
        await house.inbox.receive(message)
        await house.inbox.receive(message)
        await house.say("hi")
        assert await house.bot.until(2) == ["Stopped.", "You said: hi"]


async def test_intake_that_fails_is_told(store: Store) -> None:
    """When a message cannot be stored, its platform hears so and brings it again."""
    fault, used = faulty(store)
    fault.before["put"] = failing(1, StoreError("full"))
    house = House(store=used)
    message = house.message("hi")
    async with house.running():
        with pytest.raises(StoreError):
            await house.inbox.receive(message)
        await house.inbox.receive(message)
        assert await house.bot.until(1) == ["You said: hi"]


async def test_a_failed_turn_is_tried_again(store: Store) -> None:
    """What nobody foresaw costs an attempt, not the message; the next one waits its turn."""
    house = House(store=store, model=failing_model(4))
    async with house.running():
        await house.say("one")
        await house.put("/id", "command")
        texts = await house.bot.until(2)
    assert texts[0] == "You said: one"
    assert texts[1].startswith("You are `desk:1`")
    assert len(house.model.prompts) == 5


async def test_a_timeout_that_nobody_foresaw_is_no_stop(store: Store) -> None:
    """A turn that fails with a timeout is tried again like any other."""
    house = House(store=store)

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        if len(house.model.prompts) == 1:
            raise TimeoutError
        async for event in echo(prompt, models):
            yield event

    house.model.script = script
    async with house.running():
        assert await house.ask("hi") == "You said: hi"


async def test_after_five_failures_a_message_is_given_up(store: Store) -> None:
    """The person gets a sentence, the owner hears of it, and the chat goes on."""
    house = House(store=store, model=failing_model(5))
    async with house.running():
        await house.ask("/id", chat=OFFICE, person=OWNER)
        await house.say("poison")
        texts = await house.bot.until(3)
        assert await house.ask("hi") == "You said: hi"
    assert len(house.model.prompts) == 6
    assert house.bot.texts(CHAT)[0].startswith("I tried several times")
    assert any("I gave up on a message of Ann (`desk:1`)" in text for text in texts)
    assert house.bot.texts(OFFICE)[1].startswith("I gave up")


async def test_a_finish_that_fails_does_not_ask_again(store: Store) -> None:
    """What the model was paid for is committed as soon as the store lets us."""
    fault, used = faulty(store)
    fault.before["finish"] = failing(3, StoreError("busy"))
    fault.before["next"] = failing(2, StoreError("busy"))
    house = House(store=used)
    async with house.running():
        assert await house.ask("hi") == "You said: hi"
        assert await house.ask("ho") == "You said: ho"
    assert len(house.model.prompts) == 2


async def test_a_receipt_that_fails_is_kept_all_the_same(store: Store) -> None:
    """A posted message is remembered even when the store fails just then: no second one."""
    fault, used = faulty(store)
    fault.before["posted"] = failing(3, StoreError("busy"))
    gate = Gate()
    house = House(store=used, bot=StandInBot(posts=True), model=StandInModel(gate))
    async with house.running():
        await house.say("hi")
        await house.bot.until_shown("half")
        gate.opened.set()
        await house.bot.until(1)
    assert fault.calls.count("posted") == 4
    assert house.bot.places == [["preview 1"]]


async def test_a_store_that_cannot_lease_is_asked_again(store: Store) -> None:
    """Faults of the store while leasing or renewing delay, and end nothing."""
    fault, used = faulty(store)
    fault.before["lease"] = failing(2, StoreError("busy"))
    fault.before["renew"] = failing(2, StoreError("busy"))
    gate = Gate()
    house = House(store=used, model=StandInModel(gate), pace=Pace(heartbeat=0.01, store=0.01))
    async with house.running():
        await house.say("hi")
        await gate.until_reached()
        await fault.until("renew", 4)
        gate.opened.set()
        assert await house.bot.until(1) == ["half whole"]


async def test_a_flood_wait_delays_only_its_chat(store: Store) -> None:
    """A chat that must wait keeps its answer, and no other chat waits with it."""
    house = House(store=store)
    house.bot.failures[CHAT.ref] = [DeliveryError("slow down", 0.3), DeliveryError("again")]
    async with house.running():
        await house.say("hi")
        await house.say("ho", chat=GROUP)
        await house.bot.until(2)
    assert house.bot.texts() == ["You said: ho", "You said: hi"]
    assert len(house.model.prompts) == 2


async def test_a_file_that_cannot_be_fetched_now_is_no_failure(store: Store) -> None:
    """However often the platform asks for patience or is out of order, a recording is heard."""
    house = House(store=store)
    house.bot.fetch_failures = [DeliveryError("down") for _ in range(MOST_FAILURES + 1)]
    async with house.running():
        assert (await house.ask(voice=NOTE)).endswith("You said: good morning")
    [row] = await rows_of(store, "inbox")
    assert (row["attempts"], row["failures"]) == (MOST_FAILURES + 2, 0)


async def test_a_flood_wait_on_a_file_is_heeded(store: Store) -> None:
    """It is not fetched again before the platform said."""
    fault, used = faulty(store)
    ready: list[float] = []
    postponed = asyncio.Event()

    async def look() -> None:
        [row] = await rows_of(store, "chat")
        ready.append(row["ready_at"] / 1000)
        postponed.set()

    fault.after["postpone"] = look
    house = House(store=used)
    house.bot.fetch_failures = [DeliveryError("slow down", 35.0)]
    async with house.running():
        asked = time.time()
        await house.say(voice=NOTE)
        await asyncio.wait_for(postponed.wait(), 10)
    assert ready[0] == pytest.approx(asked + 35, abs=10)


async def test_a_file_that_can_never_be_fetched_is_given_up(store: Store) -> None:
    """After so many attempts as a message has in all, its chat goes on without it."""
    house = House(store=store, pace=replace(QUICK, backoff=0.00001))
    house.bot.fetch_failures = [DeliveryError("down") for _ in range(MOST_ATTEMPTS)]
    async with house.running():
        assert (await house.ask(voice=NOTE)).startswith("I tried several times")
        assert await house.ask("hi") == "You said: hi"


async def test_a_text_for_a_chat_that_is_gone_is_dropped(store: Store) -> None:
    """What can never be posted does not hold up what comes later."""
    house = House(store=store)
    house.bot.failures[CHAT.ref] = [GoneError("blocked")]
    async with house.running():
        await house.say("hi")
        await house.put("/id", "command")
        assert (await house.bot.until(1))[0].startswith("You are")


async def test_a_bug_in_delivery_does_not_cost_the_answer(store: Store) -> None:
    """A bot that fails in a way nobody foresaw is given the same text again."""
    house = House(store=store)
    house.bot.failures[CHAT.ref] = [RuntimeError("a bug"), StoreError("a fault")]
    async with house.running():
        assert await house.ask("hi") == "You said: hi"
    assert len(house.model.prompts) == 1


async def test_a_text_that_no_delivery_survives_holds_up_nothing(store: Store) -> None:
    """After five failures that nobody foresaw, the chat goes on without that text."""
    house = House(store=store)
    house.bot.failures[CHAT.ref] = [RuntimeError("a bug") for _ in range(5)]
    async with house.running():
        await house.say("hi")
        await house.put("/id", "command")
        assert (await house.bot.until(1))[0].startswith("You are")


async def test_notices_and_answers_are_told_apart(store: Store) -> None:
    """Keys of replies, from which bots derive ids, never collide."""
    house = House(store=store, mode="pairing")
    async with house.running():
        for _ in range(3):
            await house.ask("/id", chat=OFFICE, person=OWNER)
        await house.say("let me in")
        await house.bot.until(5)
    assert len(set(house.bot.keys)) == 5


async def test_ending_lets_answers_end(store: Store) -> None:
    """An answer under way is finished and sent before the relay ends; the next is not begun."""
    gate = Gate()
    house = House(store=store, model=StandInModel(gate))
    async with house.running():
        await house.say("one", chat=GROUP)
        await gate.until_reached()
        await house.say("two", chat=GROUP, person=BOB)
        asyncio.get_running_loop().call_later(0.02, gate.opened.set)
    assert house.bot.texts() == ["half whole"]
    again = House(store=store)
    async with again.running():
        assert await again.bot.until(1) == ["You said: two"]


async def test_ending_gives_up_what_lasts_too_long(tmp_path: Path) -> None:
    """What is not done in time is let go, not counted as an attempt, and done at next start."""
    path = tmp_path / "causerie.db"
    store = await open_store(path)
    gate = Gate()
    pace = Pace(heartbeat=0.05, drain=0.01)
    house = House(store=store, model=StandInModel(gate), pace=pace)
    async with house.running():
        await house.say("hi")
        await gate.until_reached()
    await store.close()
    store = await open_store(path)
    [(lease, turn)], _ = await store.lease(["desk"], 1)
    assert isinstance(turn, Turn)
    assert turn.attempts == 1
    await store.release(lease, turn=turn)
    again = House(store=store)
    async with again.running():
        assert await again.bot.until(1) == ["You said: hi"]
    await store.close()


async def test_ending_lets_go_what_was_just_leased(store: Store) -> None:
    """A lease that is being taken while the relay ends is given back, not counted."""
    fault, used = faulty(store)
    house = House(store=used)
    leased, ending = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        leased.set()
        await ending.wait()

    await house.put("/id", "command")
    fault.after["lease"] = hold
    task = asyncio.create_task(house.relay.run())
    await asyncio.wait_for(leased.wait(), 10)
    task.cancel()
    asyncio.get_running_loop().call_soon(ending.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    [(_, turn)], _ = await store.lease(["desk"], 1)
    assert isinstance(turn, Turn)
    assert turn.attempts == 1


async def test_a_summary_that_cannot_be_stored_costs_nothing_else(store: Store) -> None:
    """A fault of the store after an answer is logged; the chat goes on."""
    fault, used = faulty(store)
    fault.before["compact"] = failing(99, StoreError("busy"))

    async def script(_: Sequence[Message], __: Sequence[str]) -> AsyncIterator[ModelEvent]:
        yield Delta(text="word " * 400)

    house = House(store=used, model=StandInModel(script), context_tokens=1024)
    async with house.running():
        for number in range(4):
            assert (await house.ask(f"m{number}")).startswith("word")
        await fault.until("compact", 1)


async def test_ending_waits_for_what_is_learned(store: Store) -> None:
    """What follows an answer, such as a summary, is not cut off by ending just then."""
    gate = Gate()

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        if is_summary(prompt):
            async for event in gate(prompt, models):
                yield event
            return
        yield Delta(text="word " * 400)

    house = House(store=store, model=StandInModel(script), context_tokens=1024, pace=QUICK)
    async with house.running():
        for number in range(3):
            await house.ask(f"m{number}")
        await gate.until_reached()
        asyncio.get_running_loop().call_later(0.02, gate.opened.set)
    assert not house.relay._background
    again = House(store=store, context_tokens=1024, first=10)
    async with again.running():
        await again.ask("and?")
    assert any("half whole" in m.content for m in again.model.prompts[0])
