"""One process of many does what only one may: it leads, for seconds at a time."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator

from core.errors import StoreError
from core.store.tx import Database, Tx

log = logging.getLogger(__name__)

# A leader that is gone, or cut off, leads for so long; another looks every RENEW_SECONDS.
LEAD_SECONDS = 5.0
RENEW_SECONDS = 1.0
LEAVE_SECONDS = 1.0


@contextlib.asynccontextmanager
async def lead(database: Database, name: str) -> AsyncIterator[asyncio.Event]:
    """Wait until nobody else leads under a name, then lead; see `core.store.tx.Database`."""
    who, lost = secrets.token_hex(8), asyncio.Event()
    until = await _win(database, name, who)
    renewing = asyncio.create_task(_renew(database, name, who, until=until, lost=lost))
    try:
        yield lost
    finally:
        renewing.cancel()
        await asyncio.wait({renewing})
        with contextlib.suppress(StoreError, TimeoutError):  # or else it expires
            async with asyncio.timeout(LEAVE_SECONDS):
                await database.run(_leave, name, who)


async def _win(database: Database, name: str, who: str) -> float:
    while True:
        began = asyncio.get_running_loop().time()
        try:
            if await database.run(_claim, name, who):
                return began + LEAD_SECONDS
        except StoreError as error:
            log.warning("cannot see who leads name=%s: %s", name, error)
        await asyncio.sleep(RENEW_SECONDS)


async def _renew(
    database: Database, name: str, who: str, *, until: float, lost: asyncio.Event
) -> None:
    """Stay the leader; set `lost` before another can be."""
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(until - RENEW_SECONDS):
                if not await database.run(_claim, name, who):
                    return lost.set()
            until = began + LEAD_SECONDS
        except TimeoutError:
            return lost.set()
        except StoreError as error:
            log.warning("cannot stay the leader name=%s: %s", name, error)


def _claim(tx: Tx, name: str, who: str) -> bool:
    """Lead, or stay the leader; False while somebody else does."""
    return bool(
        tx.run(
            "INSERT INTO lead (name, who, until) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET who = excluded.who, until = excluded.until"
            " WHERE lead.who = excluded.who OR lead.until < ?",
            name,
            who,
            tx.now + round(LEAD_SECONDS * 1000),
            tx.now,
        )
    )


def _leave(tx: Tx, name: str, who: str) -> None:
    tx.do("DELETE FROM lead WHERE name = ? AND who = ?", name, who)
