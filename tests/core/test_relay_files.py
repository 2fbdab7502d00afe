"""Replies that carry files, from a turn's outcome to the chat."""

from typing import Any, cast

import pytest

from core.errors import DeliveryError
from core.protocols import Store
from core.relay import Relay
from core.turns import Turns
from core.types import File, Notice, Outcome
from tests.core.house import QUICK, House
from tests.core.stand_ins import ANN, GROUP

PICTURE = File(name="usage.png", mime="image/png", data=b"png")
ARCHIVE = File(name="export.zip", mime="application/zip", data=b"zip")


class Giving:
    """Turns that all end in the same."""

    def __init__(self, turns: Turns, outcome: Outcome) -> None:
        self._turns = turns
        self._outcome = outcome

    def __getattr__(self, name: str) -> Any:
        """Return what else turns do."""
        return getattr(self._turns, name)

    async def work(self, _: object) -> Outcome:
        """Return the outcome."""
        return self._outcome


def house_of(store: Store, outcome: Outcome, *, first: int = 1) -> House:
    """Return a house in which every turn ends in `outcome`."""
    house = House(store=store, first=first)
    turns = cast("Turns", Giving(house.turns, outcome))
    house.relay = Relay(store=store, turns=turns, bots={"desk": house.bot}, pace=QUICK)
    return house


@pytest.fixture
def clock() -> None:
    """Time passes in the store."""


async def test_files_are_delivered_with_the_text(store: Store) -> None:
    """A file that could not go out is tried again, and none goes out twice."""
    house = house_of(store, Outcome(text="Here", files=(PICTURE, ARCHIVE)))
    house.bot.file_failures = [DeliveryError("no"), None, DeliveryError("no")]
    async with house.running():
        assert await house.ask("/usage") == "Here"
    assert house.bot.files == [PICTURE, ARCHIVE]


async def test_a_file_alone_answers_who_waits_for_one(store: Store) -> None:
    """A platform that waits for an answer to just this message has one."""
    for outcome, text in ((Outcome(files=(PICTURE,)), ""), (Outcome(), "Stopped.")):
        house = house_of(store, outcome, first=len(text) + 1)
        async with house.running():
            assert await house.ask("/usage", is_alone=True) == text
        assert house.bot.files == list(outcome.files)


async def test_another_process_goes_on_with_the_files(store: Store) -> None:
    """What was attached when the work broke off is known to whoever takes it up."""
    house = house_of(store, Outcome(text="Here", files=(PICTURE, ARCHIVE)))
    house.bot.file_failures = [None, RuntimeError("a bug")]
    async with house.running():
        assert await house.ask("/usage") == "Here"
    assert house.bot.files == [PICTURE, ARCHIVE]


async def test_a_notice_brings_its_files_to_the_private_chat(store: Store) -> None:
    """What was asked for in a group is handed over where nobody else sees it."""
    notice = Notice(person=ANN.id, text="All I know", files=(ARCHIVE, PICTURE))
    house = house_of(store, Outcome(text="Sent to you.", notices=(notice,)))
    house.bot.file_failures = [None, RuntimeError("a bug")]
    async with house.running():
        await house.put("met before")
        await house.ask("/export", chat=GROUP)
        await house.bot.until(4)
    assert house.bot.files == [ARCHIVE, PICTURE] * 2
