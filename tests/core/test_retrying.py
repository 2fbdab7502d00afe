"""A question that is answered again with /retry: what is known of it by then, and who pays."""

import pytest

from core.errors import ModelError
from core.models import Price
from core.protocols import Store
from core.types import Voice
from tests.core.house import House
from tests.core.stand_ins import ANN, BOB, GROUP, StandInClock, StandInTranscriber
from tests.core.talks import Talks, dump, rows_of

NOTE = Voice(ref="note", seconds=60.0)
EAR = Price(input=0, cached=0, written=0, output=0, audio_minute=6_000)


@pytest.fixture
def clock() -> None:
    """Time passes in the store."""


async def test_a_recording_is_heard_and_paid_once(store: Store) -> None:
    """What could not be heard at first is kept once it was, and paid by whoever asked."""
    ear = StandInTranscriber([ModelError("Speech is down."), "good morning", "again"])
    house = House(store=store, transcriber=ear, prices={"ear": EAR})
    async with house.running():
        assert await house.ask(voice=NOTE) == "Speech is down."
        for _ in range(2):
            assert (await house.ask("/retry")).endswith("You said: good morning")
    assert len(ear.heard) == 2
    [call] = await rows_of(store, "usage WHERE purpose = 'transcribe'")
    assert (call["person"], call["turn"], call["cost"]) == (ANN.id, 1, 6_000)


class TestOfThePast:
    """Where a test moves the time."""

    @pytest.fixture
    def clock(self) -> StandInClock:
        """The clock of the store."""
        return StandInClock()

    async def test_what_is_forgotten_meanwhile_is_not_kept(
        self, store: Store, clock: StandInClock
    ) -> None:
        """What was heard of it stands nowhere, and its cost has no name."""
        talks = Talks(store, clock)
        await talks.tell("hello")
        await talks.tell("", chat=GROUP, voice=NOTE)
        lease, _ = await talks.turn("/retry", chat=GROUP, person=BOB)
        last = await store.last_turn(lease)
        assert last
        await talks.forget()
        await talks.hear(lease, last, "secret")
        assert "secret" not in await dump(store)
        [*_, call] = await rows_of(store, "usage ORDER BY id")
        assert (call["person"], call["turn"], call["chat_id"]) == ("anonymous", None, 2)
