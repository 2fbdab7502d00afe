"""PostgreSQL."""

from core.store.sqlite import now
from core.store.tx import Clock, Database


async def open_postgres(url: str, *, clock: Clock = now) -> Database:
    """Open."""
    raise NotImplementedError(url, clock)
