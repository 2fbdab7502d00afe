"""A model that answers so many at once: others wait in line, see where, and lose nothing by it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import cast

import pytest

from core.brain import open_brain
from core.line import Line, LinedModel
from core.protocols import Store
from core.relay import Pace
from core.settings import Settings, load
from core.types import Chat, Delta, Message, ModelEvent, Waiting
from tests import numbers
from tests.core.house import Faulty, House
from tests.core.stand_ins import ANN, StandInBot, StandInModel, echo, plain_usage
from tests.servers.openai import OpenAIServer

CHATS = [Chat(platform="desk", ref=str(number), is_private=True) for number in range(1, 6)]


@pytest.fixture
def clock() -> None:
    """Let time pass in `store`."""


class Turnstile:
    """A script of the model that lets one call after the other end."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self._open = asyncio.Semaphore(0)

    async def __call__(
        self, prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        """Yield an answer once it may."""
        self.order.append(prompt[-1].content)
        await self._open.acquire()
        async for event in echo(prompt, models):
            yield event

    def let(self, calls: int = 1) -> None:
        """Let so many calls end."""
        for _ in range(calls):
            self._open.release()


def lined(model: StandInModel, *, most: int = 1, long_seconds: float = 0.005) -> StandInModel:
    """Return a model behind a line."""
    return cast("StandInModel", LinedModel(model, most=most, long_seconds=long_seconds))


async def queue_up(house: House, turnstile: Turnstile, count: int) -> None:
    """Bring in a question in so many chats, one after the other, the first of which is asked."""
    for number, chat in enumerate(CHATS[:count]):
        await house.say(f"q{number}", chat=chat)
        if number:
            ahead = f"{number - 1} ahead of you" if number > 1 else "you are next"
            await house.bot.until_shown(f"⏳ *Waiting for the model: {ahead}*")
        else:
            async with asyncio.timeout(10):
                while not turnstile.order:  # noqa: ASYNC110 - the stand-in rings no bell
                    await asyncio.sleep(0.001)


async def test_who_waits_sees_where_until_the_answer_begins(store: Store) -> None:
    """First come, first served; the final text holds nothing of the note."""
    turnstile = Turnstile()
    house = House(store=store, bot=StandInBot(posts=True), model=lined(StandInModel(turnstile)))
    async with house.running():
        await queue_up(house, turnstile, 4)
        assert (turnstile.order, numbers.now()("model_line")) == (["q0"], 3)
        house.bot.shown.clear()
        turnstile.let()
        await house.bot.until(1)
        await house.bot.until_shown("⏳ *Waiting for the model: 1 ahead of you*")
        turnstile.let(3)
        await house.bot.until(4)
    assert numbers.now()("model_line") == 0
    assert turnstile.order == ["q0", "q1", "q2", "q3"]
    assert sorted(house.bot.texts()) == [f"You said: q{number}" for number in range(4)]
    assert not house.bot.taken_back


async def test_a_short_wait_is_not_worth_a_word(store: Store) -> None:
    """Nothing is said of it before three seconds."""
    house = House(store=store, model=lined(StandInModel(), most=2, long_seconds=60))
    async with house.running():
        for chat in CHATS:
            await house.say("hi", chat=chat)
        await house.bot.until(len(CHATS))
    assert not any("⏳" in text for text in house.bot.shown)


async def test_no_more_than_so_many_at_once(store: Store) -> None:
    """The model never writes more answers than it may, and is never idle while one waits."""
    turnstile = Turnstile()
    house = House(store=store, model=lined(StandInModel(turnstile), most=3))
    async with house.running():
        for chat in CHATS:
            await house.say("hi", chat=chat)
        for done in range(len(CHATS)):
            await house.bot.until(done)
            wanted = min(done + 3, len(CHATS))
            async with asyncio.timeout(10):
                while len(turnstile.order) < wanted:  # noqa: ASYNC110 - no bell
                    await asyncio.sleep(0.001)
            assert len(turnstile.order) == wanted
            turnstile.let()
        await house.bot.until(len(CHATS))


async def test_stop_ends_waiting(store: Store) -> None:
    """Who stops leaves the line, nothing of the note is left, and nothing was spent."""
    turnstile = Turnstile()
    house = House(store=store, bot=StandInBot(posts=True), model=lined(StandInModel(turnstile)))
    async with house.running():
        await queue_up(house, turnstile, 3)
        assert (await house.ask("/stop", chat=CHATS[1])) == "Stopped."
        await house.bot.until_shown("⏳ *Waiting for the model: you are next*")
        turnstile.let(2)
        await house.bot.until(3)
    assert turnstile.order == ["q0", "q2"]
    assert len(house.bot.taken_back) == 1
    assert sum(total.calls for total in await store.totals("person", person=ANN.id)) == 2


async def test_waiting_outlasts_a_lease(store: Store) -> None:
    """The chat is kept, however long it waits."""
    turnstile = Turnstile()
    fault = Faulty(store)
    house = House(store=cast("Store", fault), model=lined(StandInModel(turnstile)))
    async with house.running():
        await queue_up(house, turnstile, 2)
        await fault.until("renew", fault.calls.count("renew") + 3)
        turnstile.let(2)
        await house.bot.until(2)
    assert fault.calls.count("lease") >= 2
    assert sorted(house.bot.texts()) == ["You said: q0", "You said: q1"]


async def test_what_waits_when_a_worker_ends_is_answered_later(store: Store) -> None:
    """Like anything that was broken off; a further wait is told in the same place."""
    turnstile = Turnstile()
    pace = Pace(heartbeat=0.05, drain=0.01)
    bot = StandInBot(posts=True)
    house = House(store=store, bot=bot, model=lined(StandInModel(turnstile)), pace=pace)
    async with house.running():
        await queue_up(house, turnstile, 2)
    again = House(store=store, bot=bot, first=50)
    async with again.running():
        assert sorted(await bot.until(2)) == ["You said: q0", "You said: q1"]
    assert bot.places[bot.texts().index("You said: q1")] != []


async def test_a_place_is_given_up_however_it_ends() -> None:
    """A failure, a limit met on the way or a reader that leaves keeps nobody waiting."""

    async def broken(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        yield Delta(text="half")
        yield plain_usage(prompt, models, "half")
        raise RuntimeError("a bug")

    model = lined(StandInModel(broken))
    for _ in range(2):
        with pytest.raises(RuntimeError):
            async for _ in model.stream(_prompt(), models=["m"], limit=9):
                pass
    left = model.stream(_prompt(), models=["m"], limit=9)
    assert isinstance(await anext(left), Delta)
    waiting = model.stream(_prompt(), models=["m"], limit=9)
    assert await anext(waiting) == Waiting(ahead=0)
    await left.aclose()
    assert await anext(waiting) == Waiting(ahead=None)
    await waiting.aclose()
    await model.close()


async def test_a_place_that_was_just_let_in_is_given_up() -> None:
    """Who leaves at the very moment their turn comes passes it on."""
    line = Line(1)
    first, second, third = line.enter(), line.enter(), line.enter()
    assert (line.ahead(second), line.ahead(third)) == (0, 1)
    line.leave(first)
    assert second.done()
    line.leave(second)
    assert third.done()


def _prompt() -> list[Message]:
    return [Message(role="user", content="hi")]


async def test_owners_say_how_many_at_once(openai_server: OpenAIServer) -> None:
    """MODEL_CONCURRENCY bounds the calls that the model server gets from this process."""
    openai_server.chunk_delay = 0.002
    chosen = load(
        Settings,
        openai_base_url=openai_server.url,
        openai_api_key=openai_server.key,
        model_concurrency=2,
    )
    async with AsyncExitStack() as stack:
        brain = await open_brain(chosen, stack, lambda *_: None)

        async def ask() -> None:
            async for _ in brain.model.stream(_prompt(), models=brain.models, limit=9):
                pass

        await asyncio.gather(*(ask() for _ in range(6)))
    assert len(openai_server.requests) == 6
    assert openai_server.peak == 2
