"""The contract of every store, part two: whatever the order of events, nothing is lost."""

import asyncio
import itertools
import random
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from core.errors import LeaseLostError
from core.protocols import Store
from core.store import DatabaseStore, open_store
from core.types import Chat, Kind, Lease, Outcome, Outgoing, Turn
from tests.core.stand_ins import ANN, BOB, CHAT, GROUP, LONG, StandInClock, incoming

CHATS = (CHAT, GROUP)
KINDS: tuple[Kind, ...] = ("message", "message", "command", "stop")


@dataclass
class Worker:
    """Who took a lease, and the work it has."""

    lease: Lease
    work: Outgoing | Turn


@dataclass
class Book:
    """What should have happened, by chat: the model that the store is compared with."""

    put: dict[Chat, list[str]] = field(default_factory=lambda: defaultdict(list))
    done: dict[Chat, list[str]] = field(default_factory=lambda: defaultdict(list))
    wanted: dict[Chat, list[str]] = field(default_factory=lambda: defaultdict(list))
    sent: dict[Chat, list[str]] = field(default_factory=lambda: defaultdict(list))
    holder: dict[Chat, tuple[int, int]] = field(default_factory=dict)

    def open(self, chat: Chat) -> list[str]:
        """Return what waits in a chat, in order."""
        return self.put[chat][len(self.done[chat]) :]


class Interleavings(RuleBasedStateMachine):
    """Bots put, workers work, fail, come late; processes die; time passes."""

    workers = Bundle("workers")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = StandInClock()
        self.book = Book()
        self.numbers = itertools.count()
        self.attempts: dict[int, int] = defaultdict(int)

    @initialize()
    def open(self) -> None:
        """Begin with an empty store."""
        self.store: Store = self.runner.run(
            open_store(Path(self.folder.name) / "a.db", clock=self.clock)
        )

    @rule(
        chat=st.sampled_from(CHATS),
        person=st.sampled_from((ANN, BOB)),
        kind=st.sampled_from(KINDS),
        is_partial=st.booleans(),
    )
    def put(self, **chosen: object) -> None:
        """A message arrives, and again."""
        kind = chosen.pop("kind")
        message = incoming(next(self.numbers), **chosen)  # type: ignore[arg-type]
        for is_new in (True, False):
            assert self.runner.run(self.store.put(message, kind)) == is_new  # type: ignore[arg-type]
        self.book.put[message.chat].append(message.event)

    @rule(seconds=st.sampled_from((0.01, 0.1, 1.0, 31.0)))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.move(seconds)

    @rule(target=workers, limit=st.integers(1, 3))
    def lease(self, limit: int) -> object:
        """Workers take what is ready."""
        taken, _ = self.runner.run(self.store.lease(["desk"], limit))
        assert len(taken) <= limit
        for lease, work in taken:
            held = self.book.holder.get(lease.chat)
            assert held is None or held[1] <= self.clock(), "two workers in one chat"
            self._hold(lease)
            self._expect(lease, work)
        self._forget_freed({lease.chat for lease, _ in taken})
        return multiple(*(Worker(lease, work) for lease, work in taken))

    def _forget_freed(self, taken: set[Chat]) -> None:
        """A lease that is over ends when somebody looks, though there may be no work just yet."""
        query = "SELECT epoch FROM chat WHERE ref = ?"
        for chat, (epoch, until) in list(self.book.holder.items()):
            if chat in taken or until > self.clock():
                continue
            store = cast("DatabaseStore", self.store)
            row = self.runner.run(store._run(lambda tx, ref: tx.one(query, ref), chat.ref))
            assert row
            if row["epoch"] != epoch:
                del self.book.holder[chat]

    def _hold(self, lease: Lease) -> None:
        self.book.holder[lease.chat] = (lease.epoch, self.clock() + 30_000)

    def _is_held(self, worker: Worker) -> bool:
        held = self.book.holder.get(worker.lease.chat)
        return held is not None and held[0] == worker.lease.epoch

    def _expect(self, lease: Lease, work: Outgoing | Turn) -> None:
        """Work is the oldest there is: unsent text first, then the oldest messages."""
        chat = lease.chat
        unsent = self.book.wanted[chat][len(self.book.sent[chat]) :]
        if isinstance(work, Outgoing):
            assert work.text == unsent[0]
            return
        assert not unsent
        events = [message.event for message in work.messages]
        assert events == self.book.open(chat)[: len(events)]
        assert len({message.person for message in work.messages}) == 1
        assert len(events) == 1 or work.kind == "message"
        self.attempts[work.id] += 1
        assert work.attempts == self.attempts[work.id]

    @rule(target=workers, worker=consumes(workers), answers=st.booleans())
    def go_on(self, worker: Worker, *, answers: bool) -> object:
        """A worker does its work, and takes the next."""
        if self._is_held(worker):
            following = self._work(worker, answers=answers)
            return following or multiple()
        self._refuse(worker)
        return multiple()

    def _work(self, worker: Worker, *, answers: bool) -> Worker | None:
        chat, work, sent = worker.lease.chat, worker.work, None
        if isinstance(work, Turn):
            outcome = Outcome(text=f"answer {work.id}" if answers else "")
            outgoing = self.runner.run(self.store.finish(worker.lease, work, outcome))
            self.book.done[chat] += [message.event for message in work.messages]
            self.attempts.pop(work.id)
            if outgoing:
                assert outgoing.text == outcome.text
                self.book.wanted[chat].append(outgoing.text)
                return Worker(worker.lease, outgoing)
        else:
            sent = work.id
            self.book.sent[chat].append(work.text)
        following = self.runner.run(self.store.next(worker.lease, sent=sent))
        if following is None:
            del self.book.holder[chat]
            return None
        self._expect(worker.lease, following)
        return Worker(worker.lease, following)

    def _refuse(self, worker: Worker) -> None:
        """A late worker is refused."""
        steps = [self.store.next(worker.lease), self.store.release(worker.lease)]
        if isinstance(worker.work, Turn):
            steps.append(self.store.finish(worker.lease, worker.work, Outcome(text="late")))
        for step in steps:
            with pytest.raises(LeaseLostError):
                self.runner.run(step)

    @rule(worker=consumes(workers), seconds=st.sampled_from((None, 0.0, 2.0)))
    def fail(self, worker: Worker, seconds: float | None) -> None:
        """A worker gives up for now."""
        if not self._is_held(worker):
            return self._refuse(worker)
        turn = worker.work if isinstance(worker.work, Turn) else None
        if seconds is None:
            self.runner.run(self.store.release(worker.lease, turn=turn))
            if turn:
                self.attempts[turn.id] -= 1
        else:
            self.runner.run(self.store.postpone(worker.lease, seconds))
        del self.book.holder[worker.lease.chat]
        return None

    @rule(worker=workers)
    def renew(self, worker: Worker) -> None:
        """A heartbeat prolongs what is still held, and nothing else."""
        lost = self.runner.run(self.store.renew([worker.lease]))
        assert lost == (set() if self._is_held(worker) else {worker.lease.chat_id})
        if not lost:
            self._hold(worker.lease)

    @precondition(lambda self: self.book.put)
    @rule()
    def die(self) -> None:
        """The process ends without a word; the next one frees its leases."""
        self.runner.run(self.store.close())
        self.open()
        self.book.holder.clear()

    @invariant()
    def keeps_order(self) -> None:
        """What is done was done in the order it came in, each once."""
        for chat, done in self.book.done.items():
            assert done == self.book.put[chat][: len(done)]

    def teardown(self) -> None:
        """In the end all is answered and every answer sent, once."""
        try:
            self.clock.move(LONG)
            self._work_off()
            for chat in CHATS:
                assert self.book.done[chat] == self.book.put[chat]
                assert self.book.sent[chat] == self.book.wanted[chat]
        finally:
            self.runner.run(self.store.close())
            self.runner.close()
            self.folder.cleanup()

    def _work_off(self) -> None:
        taken, _ = self.runner.run(self.store.lease(["desk"], 9))
        for lease, work in taken:
            self._hold(lease)
            self._expect(lease, work)
            worker: Worker | None = Worker(lease, work)
            while worker:
                worker = self._work(worker, answers=True)


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class Race:
    """Intake and workers at once, in an order that dice decide."""

    def __init__(self, store: Store, clock: StandInClock) -> None:
        self.store = store
        self.clock = clock
        self.dice = random.Random(7)
        self.answered: dict[Chat, list[str]] = defaultdict(list)
        self.busy: set[Chat] = set()

    async def bring(self, chat: Chat, count: int) -> None:
        """Put messages."""
        for number in range(count):
            for _ in range(self.dice.randrange(6)):
                await asyncio.sleep(0)
            await self.store.put(incoming(number, chat=chat), self.dice.choice(KINDS))

    async def work(self, count: int) -> None:
        """Lease and serve until `count` messages are answered."""
        while sum(map(len, self.answered.values())) < count:
            taken, _ = await self.store.lease(["desk"], 2)
            await asyncio.gather(*(self._serve(lease, work) for lease, work in taken))
            self.clock.move(0.02)

    async def _serve(self, lease: Lease, work: Outgoing | Turn | None) -> None:
        while isinstance(work, Turn):
            assert lease.chat not in self.busy
            self.busy.add(lease.chat)
            await asyncio.sleep(0)
            if self.dice.random() < 0.2:
                self.busy.discard(lease.chat)
                return await self.store.release(lease, turn=work)
            await self.store.finish(lease, work, Outcome())
            self.answered[lease.chat] += [message.event for message in work.messages]
            # The lease may end with the next call: another worker may come before it returns.
            self.busy.discard(lease.chat)
            if self.dice.random() < 0.5:
                return await self.store.release(lease)
            work = await self.store.next(lease)
        return None


async def test_putting_and_working_at_once_loses_nothing(
    store: Store, clock: StandInClock
) -> None:
    """Intake races with workers that finish, fail and let go: each message once, in order."""
    race = Race(store, clock)
    chats = [Chat(platform="desk", ref=str(n), is_private=True) for n in range(5)]
    async with asyncio.timeout(30):
        await asyncio.gather(
            *(race.bring(chat, 30) for chat in chats), *(race.work(150) for _ in range(3))
        )
    for chat in chats:
        assert race.answered[chat] == [incoming(n, chat=chat).event for n in range(30)]
