"""Sees, in the background, that nothing stays longer than the owner wants to keep it."""

import asyncio
import logging

from core.errors import StoreError
from core.protocols import Store

log = logging.getLogger(__name__)

PAUSE_SECONDS = 3600.0


async def keep_tidy(store: Store, days: int | None, *, seconds: float = PAUSE_SECONDS) -> None:
    """Delete what is too old, in small slices, at once and then every hour, until cancelled.

    Args:
        store: What is kept.
        days: How long words are kept; None for as long as there is room.
        seconds: Between two rounds.
    """
    while True:
        try:
            rows = 0
            while count := await store.expire(days):
                rows += count
            await store.tidy()
        except StoreError as error:
            log.warning("cannot tidy up: %s", error)
        else:
            if rows:
                log.info("expired rows=%d days=%s", rows, days)
        await asyncio.sleep(seconds)
