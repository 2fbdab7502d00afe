"""What must survive a crash: `open_store` gives the Store that a URL names."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Concatenate

from core import metrics
from core.errors import LeaseLostError, StoreError
from core.kept import Depth, Kept, Stored
from core.money import By, Level, Limit, Standing, Total, Unit
from core.people import Admitted, Known, Pairing, Pause
from core.protocols import Calls
from core.store import depth as depths
from core.store import expiry, history, inbox, people, privacy, queue, spending, totals, turns
from core.store.optional import need_psycopg
from core.store.sqlite import now, open_sqlite
from core.store.tx import Clock, Database, Key, P, T, Tx
from core.types import (
    Chat,
    Incoming,
    Kind,
    Lease,
    Message,
    Outcome,
    Outgoing,
    Seen,
    Transcript,
    Turn,
    Usage,
)

__all__ = ["DatabaseStore", "open_store"]

log = logging.getLogger(__name__)


async def open_store(where: Path | str, *, clock: Clock | None = None) -> "DatabaseStore":
    """Open the database, creating it or bringing it to the newest schema where needed.

    A SQLite file belongs to one process, so that the leases which a crash left in it are free. A
    PostgreSQL database is shared; there, leases expire.

    Args:
        where: File of a SQLite database, or URL of a PostgreSQL one.
        clock: Tells the milliseconds since 1970; None for the database's own.

    Raises:
        SettingsError: What PostgreSQL takes is not installed.
        StoreError: It cannot be opened, is damaged, from a newer version, or in use.
    """
    if isinstance(where, str):
        need_psycopg()
        from core.store.postgres import open_postgres  # noqa: PLC0415 - an optional extra

        return DatabaseStore(await open_postgres(where, clock=clock))
    database = await open_sqlite(where, clock=clock or now)
    try:
        await database.run(queue.release_all)
    except BaseException:  # a signal, too
        await database.close()
        raise
    return DatabaseStore(database)


class DatabaseStore:
    """The Store over a database that runs transactions; see `core.protocols.Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._has_failed = False  # to store something, and not been seen to succeed since
        self._tell = database.tell
        self.watch = database.watch
        self.lead = database.lead
        self.tidy = database.tidy
        self.hang_up = database.hang_up
        self.close = database.close

    async def _run(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with self._noted(), _measured():
            return await self._database.run(job, *args, **kwargs)

    async def _run_beside(
        self,
        key: Key,
        job: Callable[Concatenate[Tx, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        with self._noted(), _measured():
            return await self._database.run_beside(key, job, *args, **kwargs)

    async def _run_unsynced(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with self._noted(), _measured():
            return await self._database.run_unsynced(job, *args, **kwargs)

    async def _read(
        self, job: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with _measured():
            return await self._database.read(job, *args, **kwargs)

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except LeaseLostError:
            raise
        except StoreError:
            self._has_failed = True
            raise

    async def put(self, incoming: Incoming, kind: Kind) -> bool:
        return await self._run_beside(_place(incoming.chat), inbox.put, incoming, kind)

    async def amend(self, incoming: Incoming, kind: Kind) -> bool:
        return await self._run(inbox.amend, incoming, kind)

    async def withdraw(self, chat: Chat, message: str) -> bool:
        return await self._run(inbox.withdraw, chat, message)

    async def move(self, incoming: Incoming) -> bool:
        return await self._run(inbox.move, incoming)

    async def rename(self, chat: Chat, ref: str) -> bool:
        return await self._run(inbox.rename, chat, ref)

    async def seen(self, platform: str) -> list[Seen]:
        return await self._read(inbox.seen, platform)

    async def stop(self, chat: Chat) -> None:
        await self._tell((chat.platform, chat.ref))

    async def lease(
        self, platforms: Sequence[str], limit: int
    ) -> tuple[list[tuple[Lease, Outgoing | Turn]], float]:
        taken, seconds, buried = await self._run_unsynced(queue.lease, platforms, limit)
        _tell(buried)
        return taken, seconds

    async def renew(self, leases: Sequence[Lease]) -> set[int]:
        return await self._run_unsynced(queue.renew, leases)

    async def next(self, lease: Lease, *, sent: int | None = None) -> Outgoing | Turn | None:
        work, buried = await self._run_beside(_place(lease.chat), queue.advance, lease, sent)
        _tell(buried)
        return work

    async def release(self, lease: Lease, *, turn: Turn | None = None, spent: Calls = ()) -> None:
        await self._run(turns.break_off, lease, turn, spent)

    async def postpone(
        self, lease: Lease, seconds: float, *, failed: Turn | Outgoing | None = None
    ) -> None:
        await self._run(queue.postpone, lease, round(seconds * 1000), failed)

    async def finish(self, lease: Lease, turn: Turn, outcome: Outcome) -> Outgoing | None:
        if turns.is_its_own(outcome):
            place = _place(lease.chat)
            outgoing = await self._run_beside(place, turns.finish, lease, turn, outcome)
        else:
            outgoing = await self._run(turns.finish, lease, turn, outcome)
        metrics.spent(outcome.usage)
        return outgoing

    async def heard(
        self, lease: Lease, turn: Turn, index: int, transcript: Transcript, *, hold: str = ""
    ) -> None:
        await self._run(turns.heard, lease, turn, index, transcript=transcript, hold=hold)
        metrics.spent(transcript.usage)

    async def posted(self, reply: int, part: int, ref: str) -> None:
        await self._run_beside((str(reply), str(part)), turns.posted, reply, part, ref)

    async def window(
        self, chat: int, *, start: int, tokens: int | None = None, before: int | None = None
    ) -> list[Message]:
        return await self._read(history.window, chat, start=start, tokens=tokens, before=before)

    async def compact(
        self,
        chat: int,
        *,
        old: int,
        new: int,
        summary: str,
        usage: tuple[Usage, ...] = (),
        hold: str = "",
        erased: int = 0,
    ) -> bool:
        is_kept = await self._run(
            history.compact,
            chat,
            old=old,
            new=new,
            summary=summary,
            usage=usage,
            hold=hold,
            erased=erased,
        )
        metrics.spent(usage)
        return is_kept

    async def forget(self, lease: Lease) -> None:
        await self._run(history.forget, lease)

    async def choose(
        self,
        lease: Lease,
        *,
        model: str | None = None,
        persona: str | None = None,
        is_off_record: bool | None = None,
    ) -> None:
        await self._run(
            history.choose, lease, model=model, persona=persona, is_off_record=is_off_record
        )

    async def last_turn(self, lease: Lease) -> Turn | None:
        return await self._run(history.last_turn, lease)

    async def calibrations(self) -> dict[str, float]:
        return await self._read(history.calibrations)

    async def calibrate(self, model: str, factor: float) -> None:
        await self._run(history.calibrate, model, factor)

    async def kept(self, lease: Lease, turn: Turn) -> Kept:
        return await self._run(privacy.kept, lease, turn)

    async def may_forget(self, lease: Lease, turn: Turn) -> bool:
        return await self._run(privacy.may_forget, lease, turn)

    async def stored(self, person: str) -> Stored:
        return await self._read(privacy.stored, person)

    async def expire(self, days: int | None) -> int:
        return await self._run(expiry.expire, days)

    async def known(self, person: str) -> Known | None:
        return await self._read(people.known, person)

    async def ask(self, person: str, *, turn: int) -> Pairing:
        return await self._run(people.ask, person, turn)

    async def ration(self, person: str, *, turn: int, most: int) -> Pause | None:
        return await self._run(people.ration, person, turn, most)

    async def decide(self, who: str, status: str) -> Known | None:
        return await self._run(people.decide, who, status)

    async def everybody(self) -> list[Known]:
        return await self._read(people.everybody)

    async def admits(self, place: str, ids: Collection[str]) -> bool:
        return await self._read(people.admits, place, ids)

    async def admit(self, place: str, admitted: Admitted) -> None:
        await self._run(people.admit, place, admitted)

    async def dismiss(self, place: str, admitted: str) -> bool:
        return await self._run(people.dismiss, place, admitted)

    async def admitted(self, place: str) -> list[Admitted]:
        return await self._read(people.in_place, place)

    async def hold(
        self, name: str, limits: Sequence[Limit], *, usd: int, tokens: int, spent: Calls = ()
    ) -> Standing:
        return await self._run_beside(
            (name,), spending.hold, name, limits, usd=usd, tokens=tokens, spent=spent
        )

    async def release_hold(self, name: str) -> None:
        await self._run(spending.release, name)

    async def levels(self, limits: Sequence[Limit]) -> list[Level]:
        return await self._run(spending.levels, limits)

    async def cap(self, limit: Limit, unit: Unit, amount: int | None) -> None:
        await self._run(spending.cap, limit, unit, amount)

    async def uncap(self, limit: Limit, unit: Unit) -> None:
        await self._run(spending.uncap, limit, unit)

    async def reset(self, limit: Limit) -> None:
        await self._run(spending.reset, limit)

    async def totals(
        self,
        by: By,
        *,
        since: date | None = None,
        person: str | None = None,
        chat: int | None = None,
    ) -> list[Total]:
        return await self._read(totals.totals, by, since, person, chat)

    async def depth(self) -> Depth:
        found = await self._read(depths.depth)
        if self._has_failed:
            with contextlib.suppress(StoreError):
                await self._run(depths.probe)
                self._has_failed = False
        return dataclasses.replace(found, is_writable=not self._has_failed)


@contextlib.contextmanager
def _measured() -> Iterator[None]:
    metrics.IN_STORE.count += 1
    began = time.monotonic()
    try:
        yield
    except LeaseLostError:
        raise
    except StoreError:
        metrics.STORE_FAILURES.inc()
        raise
    finally:
        metrics.IN_STORE.count -= 1
        metrics.STORE.observe(time.monotonic() - began)


def _place(chat: Chat) -> Key:
    return chat.platform, chat.ref


def _tell(buried: Iterable[queue.Buried]) -> None:
    for chat, message in buried:
        log.error("message cannot be read and was buried chat=%d inbox=%d", chat, message)
