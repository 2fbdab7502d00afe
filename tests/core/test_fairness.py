"""One chat, one platform, one slow model: nobody else waits for it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from core.errors import DeliveryError
from core.protocols import Store
from core.relay import Pace
from core.store import open_store
from core.types import Chat, Message, ModelEvent
from tests.core.house import House
from tests.core.stand_ins import ANN, BOB, CHAT, GROUP, StandInBot, StandInModel, echo

OTHERS = [Chat(platform="desk", ref=str(number), is_private=True) for number in range(100, 150)]


@pytest.fixture
def clock() -> None:
    """Let time pass in `store`."""


async def flood(house: House, messages: int, chat: Chat = GROUP) -> None:
    """Let two people write in turns, so that every message is a turn of its own."""
    await asyncio.gather(
        *(house.put(f"m{n}", chat=chat, person=(ANN, BOB)[n % 2]) for n in range(messages))
    )


@pytest.mark.parametrize("most_chats", [1, 2, 500])
async def test_a_chat_with_a_thousand_messages_delays_nobody(
    store: Store, most_chats: int
) -> None:
    """It gives its place back after every turn while others may want it."""
    house = House(store=store, most_chats=most_chats)
    await flood(house, 1000)
    async with house.running():
        await house.bot.until(10)
        for number, chat in enumerate(OTHERS[:10]):
            before = len(house.bot.sent)
            await house.say(f"q{number}", chat=chat)
            while f"You said: q{number}" not in house.bot.texts():
                await house.bot.until(len(house.bot.sent) + 1)
            # Not one after the other: answers stand at once here, while a turn is being leased.
            assert len(house.bot.sent) - before < 100
        assert len(house.bot.texts(GROUP)) < 1000
    texts = house.bot.texts(GROUP)
    assert len(set(texts)) == len(texts)


async def test_a_model_call_that_is_stuck_delays_only_its_chat(store: Store) -> None:
    """Fifty others are answered meanwhile, and what waits behind it is answered after a /stop."""
    stuck = asyncio.Event()

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        if "stuck" in prompt[-1].content:
            stuck.set()
            await asyncio.Event().wait()
        async for event in echo(prompt, models):
            yield event

    house = House(store=store, model=StandInModel(script), most_chats=3)
    async with house.running():
        await house.say("stuck")
        await asyncio.wait_for(stuck.wait(), 10)
        await house.put("behind")
        for chat in OTHERS:
            await house.say("hi", chat=chat)
        await house.bot.until(len(OTHERS))
        assert not house.bot.texts(CHAT)
        await house.say("/stop")
        await house.say("after")
        await house.bot.until(len(OTHERS) + 2)
    assert house.bot.texts(CHAT) == ["Stopped.", "You said: after"]


async def test_a_platform_takes_turns_with_others(store: Store) -> None:
    """However much waits on one, the next place goes to another."""
    shop = StandInBot()
    house = House(store=store, most_chats=1, more={"shop": shop})
    for chat in OTHERS:
        await house.put("hi", chat=chat)
    await house.put("hello", chat=Chat(platform="shop", ref="1", is_private=True))
    async with house.running():
        await shop.until(1)
        assert len(house.bot.sent) < len(OTHERS) // 2


async def test_a_long_flood_wait_takes_no_place(store: Store) -> None:
    """A chat that may not be written to for a while gives its place back until then."""
    house = House(store=store, most_chats=1)
    house.bot.failures[CHAT.ref] = [DeliveryError("slow down", 1.1)]
    async with house.running():
        await house.say("hi")
        await house.say("ho", chat=GROUP)
        await house.bot.until(2)
    assert house.bot.texts() == ["You said: ho", "You said: hi"]
    assert len(house.model.prompts) == 2


async def test_a_platform_that_is_down_takes_no_places(tmp_path: Path) -> None:
    """Texts that cannot be posted wait in the store, and no failure is counted."""
    path = tmp_path / "causerie.db"
    store = await open_store(path)
    house = House(store=store, most_chats=2, pace=Pace(backoff=4.0, drain=0.01))
    for chat in OTHERS:
        house.bot.failures[chat.ref] = [DeliveryError("down")]
        await house.put("hi", chat=chat)
    async with house.running():
        await house.say("ho", chat=GROUP)
        await house.bot.until(1)
        async with asyncio.timeout(10):
            while any(house.bot.failures.values()):  # noqa: ASYNC110 - the stand-in is quiet
                await asyncio.sleep(0.001)
    await store.close()
    store = await open_store(path)
    again = House(store=store, first=1000)
    async with again.running():
        await again.bot.until(len(OTHERS))
    await store.close()
    assert not again.model.prompts
