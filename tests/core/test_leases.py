"""Who holds a chat: leases that are renewed, doubted and lost."""

import asyncio
import time
from collections.abc import Mapping
from typing import cast

import pytest

from core.errors import LeaseLostError, StoreError
from core.protocols import Store
from core.relay import Pace
from core.reply import Clearance
from core.store import queue
from core.store.tx import Tx
from core.types import Chat, Lease, Outcome, Outgoing, Turn
from tests.core.house import Faulty, Gate, House, failing
from tests.core.stand_ins import (
    CHAT,
    GROUP,
    StandInModel,
    incoming,
)


@pytest.fixture
def clock() -> None:
    """Time passes in the store."""


def faulty(store: Store) -> tuple[Faulty, Store]:
    """Return a store that can fail, twice: to set it up, and to be used."""
    found = Faulty(store)
    return found, cast("Store", found)


async def test_in_doubt_about_its_leases_it_shows_nothing(store: Store) -> None:
    """While leases cannot be renewed, another process may show the answer: this one waits."""
    fault, used = faulty(store)
    cut = asyncio.Event()

    async def renew(*_: object) -> None:
        if cut.is_set():
            raise StoreError("cut off")

    fault.before["renew"] = renew
    gate = Gate()
    pace = Pace(heartbeat=0.01, doubt=0.02, store=0.01)
    house = House(store=used, model=StandInModel(gate), pace=pace)
    async with house.running():
        await house.say("hi")
        await gate.until_reached()
        cut.set()
        await fault.until("renew", fault.calls.count("renew") + 3)
        unsent = Outgoing(id=9, turn=None, chat=CHAT, to=None, text="later")
        reply = house.relay._reply(Lease(chat_id=1, chat=CHAT, epoch=1), unsent)
        waiting = asyncio.create_task(reply.cleared())
        await fault.until("renew", fault.calls.count("renew") + 3)
        assert not waiting.done()
        cut.clear()
        await asyncio.wait_for(waiting, 10)
        gate.opened.set()
        assert await house.bot.until(1) == ["half whole"]


async def test_in_doubt_about_its_leases_it_takes_no_chat(store: Store) -> None:
    """A chat that it holds and could not renew in time is not taken up again beside itself."""
    fault, used = faulty(store)
    cut = asyncio.Event()

    async def renew() -> None:
        if cut.is_set():
            raise StoreError("cut off")

    fault.before["renew"] = renew
    gate = Gate()
    pace = Pace(heartbeat=0.01, doubt=0.02, store=0.01)
    house = House(store=used, model=StandInModel(gate), pace=pace)
    async with house.running():
        await house.say("hi")
        await gate.until_reached()
        cut.set()
        await fault.until("renew", fault.calls.count("renew") + 3)
        await store._run(lambda tx: tx.run("UPDATE chat SET ready_at = 0"))  # type: ignore[attr-defined]
        leased = fault.calls.count("lease")
        house.relay._wake.set()
        await fault.until("renew", fault.calls.count("renew") + 3)
        assert fault.calls.count("lease") == leased
        cut.clear()
        await fault.until("lease", leased + 1)
        gate.opened.set()
        assert await house.bot.until(1) == ["half whole"]
    assert len(house.model.prompts) == 1


async def test_leases_are_renewed_while_work_lasts(store: Store) -> None:
    """A long answer keeps its chat."""
    fault, used = faulty(store)
    gate = Gate()
    house = House(store=used, model=StandInModel(gate), pace=Pace(heartbeat=0.01))
    async with house.running():
        await house.say("hi")
        await gate.until_reached()
        await fault.until("renew", fault.calls.count("renew") + 3)
        gate.opened.set()
        assert await house.bot.until(1) == ["half whole"]


async def take_over(store: Store) -> tuple[Lease, Turn]:
    """Be another worker, who takes the chat; at one stroke, or a renewal comes in between."""

    def take(tx: Tx) -> list[tuple[Lease, Outgoing | Turn]]:
        tx.run("UPDATE chat SET ready_at = 0")
        return queue.lease(tx, ["desk"], 1)[0]

    [(lease, turn)] = await store._run(take)  # type: ignore[attr-defined]
    assert isinstance(turn, Turn)
    return lease, turn


async def test_a_worker_that_lost_its_chat_stops(store: Store) -> None:
    """When another worker took the chat, the late one writes nothing and ends."""
    gate = Gate()
    fault, used = faulty(store)
    taken, lost = asyncio.Event(), asyncio.Event()

    async def lose() -> None:
        if gate.reached.is_set() and not taken.is_set():
            taken.set()
            lease, turn = await take_over(store)
            await store.release(lease, turn=turn)
            lost.set()

    fault.before["renew"] = lose
    house = House(store=used, model=StandInModel(gate), pace=Pace(heartbeat=0.01))
    async with house.running():
        await house.say("hi")
        await asyncio.wait_for(lost.wait(), 10)
        house.relay._wake.set()
        gate.opened.set()
        await house.bot.until(1)
        assert await house.ask("ho") == "half whole"
    assert house.bot.texts() == ["half whole", "half whole"]


async def answer_all(store: Store, answers: Mapping[Chat, str]) -> None:
    """Have a text wait in each of some chats, which nobody holds."""
    for chat in answers:
        await store.put(incoming(1, "hi", chat=chat), "question")
    held: list[tuple[Lease, Outgoing | Turn]] = []
    async with asyncio.timeout(10):
        while len(held) < len(answers):  # what came just now is due a moment later
            held += (await store.lease(["desk"], len(answers)))[0]
            await asyncio.sleep(0.005)
    for lease, turn in held:
        assert isinstance(turn, Turn)
        await store.finish(lease, turn, Outcome(text=answers[turn.messages[0].chat]))
    for lease, _ in held:
        await store.release(lease)


async def test_a_lease_that_is_late_is_doubted(store: Store) -> None:
    """What was lost before its worker heard of it is left to the other; the rest is sent.

    However sure the worker is otherwise: the renewals meanwhile were of other chats.
    """
    await answer_all(store, {CHAT: "yours", GROUP: "mine"})
    fault, used = faulty(store)
    pace = Pace(heartbeat=0.05, late=0.1, store=0.01)
    is_late = asyncio.Event()

    async def stall() -> None:
        if is_late.is_set():
            return
        is_late.set()
        began = time.monotonic()
        await store._run(  # type: ignore[attr-defined]
            lambda tx: tx.run("UPDATE chat SET ready_at = 0 WHERE ref = ?", CHAT.ref)
        )
        [(lease, outgoing)], _ = await store.lease(["desk"], 2)
        assert isinstance(outgoing, Outgoing)
        await store.next(lease, sent=outgoing.id)
        while time.monotonic() - began <= pace.late:
            await fault.until("renew", fault.calls.count("renew") + 1)

    fault.after["lease"] = stall
    house = House(store=used, pace=pace, first=2)
    async with house.running():
        assert await house.bot.until(1) == ["mine"]
        await house.ask("well?")
    assert house.bot.texts() == ["mine", "You said: well?"]


async def test_a_renewal_that_is_late_counts(store: Store) -> None:
    """Who hears late that the chat is lost stops, though another renewal was tried meanwhile."""
    gate = Gate()
    first, tried, late, never = (asyncio.Event() for _ in range(4))
    fault, used = faulty(store)

    async def wait() -> None:
        if not gate.reached.is_set():
            return
        if first.is_set():
            tried.set()
            await never.wait()
        first.set()
        await late.wait()

    fault.before["renew"] = wait
    house = House(store=used, model=StandInModel(gate), pace=Pace(heartbeat=0.01, store=0.01))
    async with house.running():
        await house.say("hi")
        await asyncio.wait_for(tried.wait(), 10)
        lease, turn = await take_over(store)
        late.set()
        await fault.until("release", 1)
        await store.release(lease, turn=turn)
        gate.opened.set()
        assert await house.bot.until(1) == ["half whole"]
    assert len(house.model.prompts) == 2


async def test_who_is_sure_stays_sure() -> None:
    """A renewal that began before another and ends after it takes nothing back."""
    clearance = Clearance(60)
    now = time.monotonic()
    clearance.renew(now)
    clearance.renew(now - 3600)
    await asyncio.wait_for(clearance.wait(), 10)


@pytest.mark.parametrize("step", ["finish", "next"])
async def test_a_lease_lost_at_the_end_is_respected(store: Store, step: str) -> None:
    """Who is told so by the store itself gives up quietly; the other one's work counts."""
    fault, used = faulty(store)
    fault.before[step] = failing(1, LeaseLostError("late"))
    house = House(store=used)
    async with house.running():
        await house.say("hi")
        await fault.until(step, 1)
    assert len(house.model.prompts) == 1
    assert len(house.bot.sent) == (0 if step == "finish" else 1)
