"""How often people are answered: owners may say how many questions a minute."""

import pytest

from core.people import Pause
from core.protocols import Store
from core.store.sqlite import now
from core.types import Voice
from tests.core.house import OFFICE, OWNER, House
from tests.core.stand_ins import ANN, BOB, GROUP

NOTE = Voice(ref="note", seconds=2.0)


class Ahead:
    """A clock that goes, and can be put forward."""

    def __init__(self) -> None:
        self._ahead = 0

    def __call__(self) -> int:
        """Return the milliseconds since 1970."""
        return now() + self._ahead

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead += round(seconds * 1000)


@pytest.fixture
def clock() -> Ahead:
    """The clock of `store`."""
    return Ahead()


@pytest.fixture
def house(store: Store) -> House:
    """A house in which everybody may ask twice a minute."""
    return House(store=store, per_minute=2)


async def test_who_asks_too_much_is_told_once(house: House, clock: Ahead) -> None:
    """When they can go on; further questions cost nothing and get no answer; then they go on."""
    async with house.running():
        for _ in range(2):
            assert await house.ask("hi") == "You said: hi"
        clock.move(20)
        told = await house.ask("more")
        assert told == (
            "You ask faster than I may answer: 2 questions a minute. Please go on in 40 seconds; "
            "/retry will then answer the last one."
        )
        for _ in range(3):
            await house.say("and more")
            assert "faster" not in await house.ask("/help")
        clock.move(30)
        assert await house.ask("/id") != told
        clock.move(11)
        assert await house.ask("/retry") == "You said: and more"
        assert await house.ask("hi") == "You said: hi"
        assert "in 60 seconds" in await house.ask("hi")
    assert len(house.model.prompts) == 4


async def test_others_are_not_meant(house: House) -> None:
    """Each person has their own minute, in all chats together; owners have no end of it."""
    async with house.running():
        await house.ask("hi")
        await house.ask("hi", chat=GROUP)
        assert "faster" in await house.ask("hi")
        assert await house.ask("hi", chat=GROUP, person=BOB) == "You said: hi"
        for _ in range(5):
            assert await house.ask("hi", chat=OFFICE, person=OWNER) == "You said: hi"


async def test_what_is_answered_at_once_is_one_question(house: House) -> None:
    """However many messages it was written in."""
    for number in range(20):
        await house.put(f"m{number}")
    async with house.running():
        await house.bot.until(1)
        assert await house.ask("hi") == "You said: hi"
        assert "faster" in await house.ask("hi")


async def test_commands_that_ask_a_model_count(house: House) -> None:
    """The others are free, however often; a recording is not heard in vain."""
    async with house.running():
        await house.ask("/translate hola")
        for command in ("/id", "/help", "/stop", "/new", "/context"):
            assert "faster" not in await house.ask(command)
        await house.ask("/transcribe", voice=NOTE)
        for question in ("/retry", "/translate hola", "/transcribe"):
            count = len(house.bot.sent)
            await house.say(question, voice=NOTE if "transcribe" in question else None)
            await house.ask("/id")
            assert len(house.bot.sent) <= count + 2
        await house.say(voice=NOTE)
        await house.ask("/id")
    assert len(house.model.prompts) == 1
    assert len(house.transcriber.heard) == 1
    assert sum("faster" in text for text in house.bot.texts()) == 1


async def test_where_the_platform_waits_everybody_is_told(house: House) -> None:
    """An answer that must come says what is the matter, every time."""
    async with house.running():
        for _ in range(2):
            await house.ask("hi", is_alone=True)
        for _ in range(3):
            assert "faster" in await house.ask("hi", is_alone=True)


async def test_one_question_a_minute(store: Store, clock: Ahead) -> None:
    """The sentence is right for one, too."""
    house = House(store=store, per_minute=1)
    async with house.running():
        await house.ask("hi")
        clock.move(59)
        assert "1 question a minute. Please go on in 1 second;" in await house.ask("hi")


async def test_a_turn_that_is_tried_again_is_the_same_question(store: Store) -> None:
    """It neither counts twice nor is it left without its sentence."""
    await House(store=store).put("hi")
    for turn, is_late in ((1, False), (1, False), (2, True), (2, True)):
        found = await store.ration(ANN.id, turn=turn, most=1)
        assert found == (Pause(seconds=found.seconds, is_told=False) if found else None)
        assert bool(found) is is_late
    late = await store.ration(ANN.id, turn=3, most=1)
    assert late
    assert late.is_told
    assert 59 < late.seconds <= 60
    assert await store.ration(BOB.id, turn=4, most=1) is None


async def test_workers_count_together(store: Store) -> None:
    """The store counts, so that a further worker allows no more."""
    house = House(store=store, per_minute=2)
    async with house.running():
        await house.ask("hi")
    again = House(store=store, per_minute=2, first=100)
    async with again.running():
        assert await again.ask("hi") == "You said: hi"
        assert "faster" in await again.ask("hi")


async def test_a_stop_reaches_all_that_waits(store: Store) -> None:
    """However many messages lie between it and what is being answered."""
    house = House(store=store)
    for number in range(300):
        await house.put(f"m{number}", chat=GROUP, person=(ANN, BOB)[number % 2])
    await house.put("/stop", "stop", chat=GROUP)
    async with house.running():
        assert await house.bot.until(1) == ["Stopped."]
    assert not house.model.prompts
