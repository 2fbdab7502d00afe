"""/stop: ends the answer of its chat at once, keeps what was written, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from core.errors import DeliveryError
from core.models import Price
from core.money import Limit
from core.protocols import Store
from core.types import Delta, Message, ModelEvent, Voice
from tests.core.house import OFFICE, OWNER, Faulty, Gate, House
from tests.core.stand_ins import (
    ANN,
    BOB,
    CHAT,
    GROUP,
    StandInModel,
    StandInTranscriber,
    echo,
)
from tests.core.talks import rows_of

NOTE = Voice(ref="note", seconds=2.0)


@pytest.fixture
def clock() -> None:
    """Time passes in the store."""


async def test_stop_keeps_what_was_written(store: Store) -> None:
    """The answer ends where it was, is remembered so, and is paid as far as it went."""
    gate = Gate()
    house = House(store=store, model=StandInModel(gate))
    async with house.running():
        await house.say("hi")
        await house.bot.until_shown("half")
        await house.say("/stop")
        assert await house.bot.until(2) == ["half", "Stopped."]
        house.model.script = echo
        assert await house.ask("go on") == "You said: go on"
    said = [(m.role, m.content) for m in house.model.prompts[-1]]
    assert said[1:] == [("user", "hi"), ("assistant", "half"), ("user", "go on")]


async def test_stop_before_the_first_word(store: Store) -> None:
    """An answer that has not begun leaves nothing in the chat or in the memory."""
    gate = Gate(before="")
    house = House(store=store, model=StandInModel(gate))
    async with house.running():
        await house.say("hi")
        await gate.until_reached()
        assert await house.ask("/stop") == "Stopped."
        house.model.script = echo
        assert await house.ask("ho") == "You said: ho"
    assert [m.content for m in house.model.prompts[-1]] == ["Be kind.", "ho"]


async def test_stop_while_a_recording_is_heard(store: Store) -> None:
    """A transcription is broken off, too, and the model is not asked."""
    ear = StandInTranscriber(gate=asyncio.Event())
    house = House(store=store, transcriber=ear)
    async with house.running():
        await house.say(voice=NOTE)
        async with asyncio.timeout(10):
            while not ear.heard:  # noqa: ASYNC110 - the stand-in has no event for it
                await asyncio.sleep(0)
        assert await house.ask("/stop") == "Stopped."
    assert house.model.prompts == []


async def test_what_was_heard_before_a_stop_is_paid(store: Store) -> None:
    """The parts of a recording that were heard are in the ledger, and count toward limits."""
    ear = StandInTranscriber(gate=asyncio.Event(), paid=2)
    minute = Price(input=0, cached=0, written=0, output=0, audio_minute=6_000)
    day = Limit(scope="user", subject=ANN.id, span="day", usd=1_000_000)
    house = House(store=store, transcriber=ear, prices={"ear": minute})
    async with house.running():
        await house.say(voice=NOTE)
        async with asyncio.timeout(10):
            while not ear.heard:  # noqa: ASYNC110 - the stand-in has no event for it
                await asyncio.sleep(0)
        assert await house.ask("/stop") == "Stopped."
    rows = await rows_of(store, "usage")
    assert [(row["purpose"], row["person"], row["cost"]) for row in rows] == [
        ("transcribe", ANN.id, 100),
        ("transcribe", ANN.id, 100),
    ]
    [level] = await store.levels([day])
    assert (level.spent, level.held) == (200, 0)


async def test_a_second_stop_does_no_harm(store: Store) -> None:
    """However often it is sent while an answer ends, intake goes on and each is answered."""
    reached, unwinding = asyncio.Event(), asyncio.Event()

    async def slow_to_end(_: Sequence[Message], __: Sequence[str]) -> AsyncIterator[ModelEvent]:
        yield Delta(text="half")
        reached.set()
        try:
            await asyncio.Event().wait()
        finally:
            await unwinding.wait()

    house = House(store=store, model=StandInModel(slow_to_end))
    async with house.running():
        await house.say("hi", chat=OFFICE, person=OWNER)
        await asyncio.wait_for(reached.wait(), 10)
        for _ in range(3):
            await house.say("/stop", chat=OFFICE, person=OWNER)
        unwinding.set()
        assert await house.bot.until(2) == ["half", "Stopped."]


async def test_stop_as_an_answer_begins(store: Store) -> None:
    """A /stop that comes between the lease of a chat and the first step of its work counts."""
    fault = Faulty(store)
    house = House(store=cast("Store", fault))
    message = house.message("/stop", chat=OFFICE, person=OWNER)
    stopping: list[asyncio.Task[None]] = []

    async def stop() -> None:
        fault.after.clear()
        await store.put(message, "stop")
        stopping.append(asyncio.create_task(house.inbox.receive(message)))

    async def is_new(*_: object) -> bool:
        return True

    await house.put("/id", "command", chat=OFFICE, person=OWNER)
    fault.after["lease"] = stop
    fault.__dict__["put"] = is_new  # it is stored already, and nothing is waited for
    async with house.running():
        assert await house.bot.until(1) == ["Stopped."]
    assert stopping[0].done()


@pytest.mark.parametrize("mode", ["closed", "pairing"])
async def test_a_stranger_s_stop_does_nothing(store: Store, mode: str) -> None:
    """In a group only those who may talk may stop; a stranger is told so afterwards."""
    gate = Gate()
    house = House(
        store=store,
        model=StandInModel(gate),
        mode=mode,  # type: ignore[arg-type]
        allowed=[ANN.id],
    )
    async with house.running():
        await house.say("hi", chat=GROUP)
        await gate.until_reached()
        await house.say("/stop", chat=GROUP, person=BOB)
        gate.opened.set()
        texts = await house.bot.until(2)
    assert texts[0] == "half whole"
    assert "Stopped." not in texts


async def test_stop_of_one_chat_leaves_others_alone(store: Store) -> None:
    """An answer in another chat goes on."""
    gate = Gate()
    house = House(store=store, model=StandInModel(gate))
    async with house.running():
        await house.say("hi", chat=GROUP)
        await gate.until_reached()
        assert await house.ask("/stop") == "Stopped."
        gate.opened.set()
        assert (await house.bot.until(2))[1] == "half whole"


async def test_stop_comes_too_late_for_a_text_on_its_way(store: Store) -> None:
    """An answer that is committed is delivered whole, and the next one is not stopped."""
    house = House(store=store)
    house.bot.failures[CHAT.ref] = [DeliveryError("slow down", 0.05)]
    fault = Faulty(store)
    house.relay._store = cast("Store", fault)
    async with house.running():
        await house.say("hi")
        await fault.until("finish", 1)
        await house.say("/stop")
        await house.say("ho")
        texts = await house.bot.until(3)
    assert texts == ["You said: hi", "Stopped.", "You said: ho"]


async def test_a_stop_that_waited_stops_what_stands_before_it(store: Store) -> None:
    """After a restart, questions with a /stop behind them are not asked; later ones are."""
    await House(store=store).put("one")
    waiting = House(store=store, first=2)
    await waiting.put("/retry", "command")
    await waiting.put("/new", "command")
    await waiting.put("/stop", "stop")
    await waiting.put("/stop", "stop")
    await waiting.put("two")
    house = House(store=store, first=10)
    async with house.running():
        texts = await house.bot.until(3)
    assert texts[0].startswith("A new start")
    assert texts[1:] == ["Stopped.", "You said: two"]
    assert len(house.model.prompts) == 1


async def test_a_waiting_stop_of_a_stranger_stops_nothing(store: Store) -> None:
    """Whose /stop counts is asked for each."""
    waiting = House(store=store)
    await waiting.put("one", chat=GROUP)
    await waiting.put("/stop", "stop", chat=GROUP, person=BOB)
    house = House(store=store, mode="closed", allowed=[ANN.id], first=10)
    async with house.running():
        texts = await house.bot.until(2)
    assert texts[0] == "You said: one"
    assert texts[1].startswith("I only talk to people")


async def test_stop_with_nothing_to_stop(store: Store) -> None:
    """A /stop is answered in any case."""
    house = House(store=store)
    async with house.running():
        assert await house.ask("/stop", chat=CHAT) == "Stopped."
        assert await house.ask("/stop", chat=OFFICE, person=OWNER) == "Stopped."
