"""The path of a message, top to bottom.

intake -> lease -> access -> understand -> command? -> memory -> answer -> finish -> deliver.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ParamSpec, TypeVar

from core import metrics
from core.errors import (
    CauserieError,
    DeliveryError,
    GoneError,
    LeaseLostError,
    StoreError,
)
from core.heart import beat
from core.held import Held
from core.protocols import Bot, Store
from core.reply import Clearance, Reply
from core.told import tell, working_on
from core.tracing import Step
from core.turns import Turns
from core.types import Lease, Outcome, Outgoing, Turn
from core.working import Working

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
Leased = tuple[Lease, Outgoing | Turn]

MOST_CHATS = 500  # answered at the same time by one process
# Leased in one transaction: of chats in which 50 messages wait, that many take 0.1 s (SQLite,
# 2026-11), and what people write is stored only after it.
MOST_LEASED = 50
# Between two looks for what is ready, at least: what becomes so meanwhile is leased together.
LOOK_SECONDS = 0.01
LONGEST_BACKOFF_SECONDS = 60.0
# A text that cannot be posted for longer gives its chat back until then.
PATIENT_SECONDS, BUSY_PATIENT_SECONDS = 10.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a relay waits, in seconds.

    Attributes:
        heartbeat: Between two renewals of all leases; a third of a lease.
        doubt: Without a renewal, before nothing more is shown: another may have taken over soon.
        late: A lease that took longer to get is renewed at once; what is left of one after doubt.
        backoff: After a first failure, at most; twice as long after each further one.
        store: Until a step of the store is tried again.
        drain: For work under way to end when the relay is to end.
    """

    heartbeat: float = 5.0
    doubt: float = 12.0
    late: float = 3.0
    backoff: float = 0.5
    store: float = 1.0
    drain: float = 3.0


PACE = Pace()
STOPPED = "Stopped."  # where a platform waits for an answer to just this message


class Relay:
    """Answers what was taken in, each message once, in order within a chat.

    Args:
        store: What survives a crash.
        turns: What to answer.
        bots: By name; only their chats are worked on.
        pace: How long it waits.
        most_chats: Answered at the same time.
    """

    def __init__(
        self,
        *,
        store: Store,
        turns: Turns,
        bots: Mapping[str, Bot],
        pace: Pace = PACE,
        most_chats: int = MOST_CHATS,
    ) -> None:
        self._store = store
        self._turns = turns
        self._bots = bots
        self._platforms = deque(bots)
        self._most_chats = most_chats
        self._pace = pace
        self._held: dict[tuple[str, str], Held] = {}
        self._wake = asyncio.Event()
        self._is_draining = False
        self._clearance = Clearance(pace.doubt)
        self.is_leasing = False
        self._background: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Answer what waits, until cancelled; then let go in good order, within seconds."""
        heart = asyncio.create_task(self._beat())
        watching = asyncio.create_task(self._store.watch(self._hear))
        leasing = asyncio.create_task(self._lease())
        try:
            # A lease that is just being taken has to be let go as well.
            await asyncio.shield(leasing)
        finally:
            self._is_draining = True
            self.is_leasing = False
            self._wake.set()
            await self._drain(leasing)
            heart.cancel()
            watching.cancel()

    def _hear(self, stopped: tuple[str, str] | None) -> None:
        if stopped is None:
            self._wake.set()
        elif held := self._held.get(stopped):
            held.stop_turn()

    async def _lease(self) -> None:
        while not self._is_draining:
            # Who stood still may hold chats that only look free: a renewal tells.
            await self._clearance.wait()
            looked = time.monotonic()
            await self._lease_ready()
            await asyncio.sleep(looked + LOOK_SECONDS - time.monotonic())

    async def _lease_ready(self) -> None:
        free = min(self._most_chats - len(self._held), MOST_LEASED)
        self._wake.clear()
        asked = time.monotonic()
        try:
            work, wait = await self._store.lease(tuple(self._platforms), free)
            self.is_leasing = True
        except StoreError as error:
            self.is_leasing = False
            log.warning("cannot lease: %s", error)
            work, wait = [], self._pace.store
        if work:
            self._platforms.rotate()  # so that none takes every place that becomes free
        for lease, first in await self._still_ours(work, asked):
            held = Held(lease=lease)
            held.take(first)
            self._held[held.place] = held
            held.task = asyncio.create_task(self._serve(held, first))
        metrics.HELD_CHATS.set(len(self._held))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), wait if free else None)

    async def _still_ours(self, work: Sequence[Leased], asked: float) -> Sequence[Leased]:
        """Return what is ours of what was leased, when that took so long that it may be lost soon.

        Renewals did not cover it meanwhile, but let us be sure for as long as if they had.
        """
        while work and time.monotonic() - asked > self._pace.late:
            asked = time.monotonic()
            lost = await self._insist(self._store.renew, [lease for lease, _ in work])
            work = [(lease, first) for lease, first in work if lease.chat_id not in lost]
            metrics.LEASES_LOST.inc(len(lost))
            log.warning("leased late, lost chats=%s", sorted(lost))
        return work

    async def _serve(self, held: Held, work: Outgoing | Turn | None) -> None:
        try:
            while work and not self._is_draining:
                with working_on(held.lease, work):
                    work = await self._do(held, work)
                held.take(work)
                if self._is_full:
                    break  # others may wait for a place
            if work:
                with contextlib.suppress(StoreError):
                    await self._store.release(held.lease, turn=held.turn)
        except asyncio.CancelledError:
            with contextlib.suppress(StoreError):
                await self._store.release(held.lease, turn=held.turn, spent=held.spent)
            raise
        except LeaseLostError:
            metrics.LEASES_LOST.inc()
            log.warning("lease lost chat=%d", held.lease.chat_id)
        except DeliveryError as error:
            log.info("file not fetched chat=%d: %s", held.lease.chat_id, error)
            await self._fetch_later(held, error.retry_after or 0.0)
        except CauserieError as error:
            log.warning("work failed chat=%d: %s", held.lease.chat_id, error)
            await self._retry_later(held)
        except Exception:
            log.exception("work failed chat=%d", held.lease.chat_id)
            await self._retry_later(held)
        finally:
            self._leave(held)

    def _leave(self, held: Held) -> None:
        """Work on a chat no more; whoever waits for a place may have it."""
        if self._is_full:
            self._wake.set()
        if self._held.get(held.place) is held:
            del self._held[held.place]
            metrics.HELD_CHATS.set(len(self._held))

    async def _fetch_later(self, held: Held, least: float) -> None:
        """Let a turn wait for its file; no failure of its own, so that only attempts bound it."""
        pause = max(least, self._backoff(held.turn.attempts if held.turn else 0))
        metrics.retried("turn")
        with contextlib.suppress(StoreError):
            await self._store.postpone(held.lease, pause)

    async def _retry_later(self, held: Held) -> None:
        failures = held.work.failures if held.work else 0
        metrics.retried("turn" if held.turn else "outbox")
        with contextlib.suppress(StoreError):
            await self._store.postpone(held.lease, self._backoff(failures + 1), failed=held.work)

    async def _do(self, held: Held, work: Outgoing | Turn) -> Outgoing | Turn | None:
        reply = self._reply(held.lease, work)
        began = time.monotonic()
        if isinstance(work, Turn):
            outgoing = await self._answer(held, work, reply)
        else:
            outgoing = work
        if outgoing is None:
            await self._take_back(reply)
            return await self._insist(self._store.next, held.lease)
        reply.settle(outgoing.text, files=outgoing.files)
        with Step("deliver"):
            seconds = await self._deliver(reply)
        if seconds:
            return await self._insist(self._store.postpone, held.lease, seconds)
        if isinstance(work, Turn):
            metrics.observe("total", work.waited + time.monotonic() - began)
        return await self._insist(self._store.next, held.lease, sent=outgoing.id)

    async def _take_back(self, reply: Reply) -> None:
        """See that nothing stands of a reply that came to nothing, a note, say."""
        if reply.posted:
            reply.settle("")
            with contextlib.suppress(DeliveryError):
                await self._bots[reply.chat.platform].deliver(reply)

    def _reply(self, lease: Lease, work: Outgoing | Turn) -> Reply:
        turn = work.id if isinstance(work, Turn) else work.turn
        key = -work.id if turn is None else turn
        return Reply(
            chat=lease.chat,
            key=key,
            to=work.messages[-1].message if isinstance(work, Turn) else work.to,
            posted=work.posted,
            attached=0 if isinstance(work, Turn) else work.attached,
            record=partial(self._record, key),
            clearance=self._clearance,
        )

    async def _record(self, key: int, part: int, ref: str) -> None:
        await self._insist(self._store.posted, key, part, ref)

    async def _answer(self, held: Held, turn: Turn, reply: Reply) -> Outgoing | None:
        if turn.attempts == 1:
            metrics.observe("waiting", turn.waited)
        log.debug("turn begins events=%s", [message.event for message in turn.messages])
        began = time.monotonic()
        working = held.working = self._turns.working(held.lease, turn, reply)
        bot = self._bots[held.lease.chat.platform]
        preview = asyncio.create_task(bot.deliver(reply))
        try:
            outcome = await self._work(held, working)
            held.working = None
            if not (outcome.text or outcome.files) and turn.messages[-1].is_alone:
                outcome = replace(outcome, text=STOPPED)
            reply.close()
            with Step("commit"):
                outgoing = await self._insist(self._store.finish, held.lease, turn, outcome)
            held.work = outgoing
            await preview
        finally:
            preview.cancel()
        tell(held.lease, turn, outcome, time.monotonic() - began)
        self._settle(working, outcome)
        return outgoing

    async def _work(self, held: Held, working: Working) -> Outcome:
        if held.is_stopped:
            return Outcome(ending="stopped")
        try:
            async with asyncio.timeout(None) as held.stop:
                return await self._turns.work(working)
        except TimeoutError:
            if not held.stop or not held.stop.expired():
                raise
            return replace(await working.outcome(), ending="stopped")
        finally:
            held.stop = None

    async def _insist(
        self, step: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Repeat a step of the store until it succeeds: what it commits is done and paid for."""
        while True:
            try:
                return await step(*args, **kwargs)
            except LeaseLostError:
                raise
            except StoreError as error:
                log.warning("cannot commit, trying again: %s", error)
                metrics.retried("store")
                await asyncio.sleep(self._pace.store)

    async def _deliver(self, reply: Reply) -> float:
        """Have a final text stand; return the seconds until that is to be tried again, else 0."""
        bot = self._bots[reply.chat.platform]
        attempt = 0
        while True:
            try:
                await bot.deliver(reply)
            except GoneError as error:
                log.warning("reply dropped key=%d: %s", reply.key, error)
            except DeliveryError as error:
                log.info("reply delayed key=%d: %s", reply.key, error)
                metrics.retried("delivery")
                pause = error.retry_after or self._backoff(attempt)
                if pause > (BUSY_PATIENT_SECONDS if self._is_full else PATIENT_SECONDS):
                    return error.retry_after or max(pause, PATIENT_SECONDS)
                await asyncio.sleep(pause)
                attempt += 1
                continue
            return 0.0

    @property
    def _is_full(self) -> bool:
        return len(self._held) >= self._most_chats

    def _backoff(self, attempt: int) -> float:
        longest = min(self._pace.backoff * 2 ** min(attempt, 10), LONGEST_BACKOFF_SECONDS)
        return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, guards nothing

    def _settle(self, working: Working, outcome: Outcome) -> None:
        async def settle() -> None:
            try:
                await self._turns.settle(working, outcome)
            except CauserieError as error:
                log.warning("cannot compact chat=%d: %s", working.lease.chat_id, error)

        task = asyncio.create_task(settle())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _beat(self) -> None:
        pace = self._pace
        again = min(pace.store, pace.heartbeat)
        await beat(self._renew, self._clearance, every=pace.heartbeat, again=again)

    async def _renew(self) -> None:
        tasks = {held.lease.chat_id: held.task for held in self._held.values() if held.task}
        lost = await self._store.renew([held.lease for held in self._held.values()])
        ended = [tasks[chat].cancel() for chat in lost & tasks.keys()]
        metrics.LEASES_LOST.inc(sum(ended))

    async def _drain(self, leasing: asyncio.Task[None]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._pace.drain):
                while tasks := self._under_way(leasing):
                    await asyncio.wait(tasks)
        late = self._under_way(leasing)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _under_way(self, leasing: asyncio.Task[None]) -> set[asyncio.Task[None]]:
        tasks = {held.task for held in self._held.values() if held.task}
        return {task for task in tasks | self._background | {leasing} if not task.done()}
