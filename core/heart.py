"""Leases are renewed in time, however long a renewal takes."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from core.errors import StoreError
from core.reply import Clearance

log = logging.getLogger(__name__)

# A second one may succeed while the first waits for a connection that is dead.
MOST_UNDER_WAY = 2


async def beat(
    renew: Callable[[], Awaitable[None]], clearance: Clearance, *, every: float, again: float
) -> None:
    """Renew all leases until cancelled; what is shown waits while that fails for long.

    A renewal that takes longer than a beat is not given up: the store carries it out in any
    case, and what it found counts. Meanwhile another one is tried.

    Args:
        renew: Renews them; raises a StoreError when it could not.
        clearance: Is told of each success.
        every: Seconds between two renewals.
        again: Seconds until another is tried when one failed, or is late.
    """
    clearance.renew(time.monotonic())
    pause = every
    under_way: set[asyncio.Task[bool]] = set()
    try:
        while True:
            await asyncio.sleep(pause)
            if len(under_way) < MOST_UNDER_WAY:
                under_way.add(asyncio.create_task(_renewed(renew, clearance)))
            done, under_way = await asyncio.wait(
                under_way, timeout=every, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                log.warning("cannot renew leases: no answer yet")
            is_sure = any(task.result() for task in done)
            pause = every if is_sure else again
    finally:
        for task in under_way:
            task.cancel()


async def _renewed(renew: Callable[[], Awaitable[None]], clearance: Clearance) -> bool:
    began = time.monotonic()
    try:
        await renew()
    except StoreError as error:
        log.warning("cannot renew leases: %s", error)
        return False
    clearance.renew(began)
    return True
