"""When a session of the gateway may begin: Discord takes so many at once, and so many a day."""

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

log = logging.getLogger(__name__)

# discord.com/developers/docs/events/gateway, 2026-11: `max_concurrency` sessions may begin in 5 s,
# one for each `shard % max_concurrency`. A start that comes too soon is refused, and counts.
PAUSE_SECONDS = 5.0
# What leaves with such a pause may arrive with a shorter one.
MARGIN_SECONDS = 0.2
# What Discord said of the starts that are left is true for so long.
FRESH_SECONDS = 5.0
# Other processes begin sessions too, and may have used up what was left, or got more.
LONGEST_WAIT_SECONDS = 600.0
# After a refusal a start waits for a random part of so many pauses, twice as many each time.
MOST_PAUSES = 4
# This part of a day's sessions stays unused: with one too many, Discord resets the token.
SPARED = 0.01


class UsedUpError(Exception):
    """All sessions of a day have begun. Stays within `bots.discord`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What Discord says of its gateway.

    Attributes:
        url: Where it is; empty if it does not say.
        shards: How many it recommends.
        total, left: Sessions that may begin in a day, and in the rest of this one.
        reset_seconds: Until that day ends.
        at_once: Sessions that may begin in 5 seconds.
    """

    url: str = ""
    shards: int = 1
    total: int = 1
    left: int = 1
    reset_seconds: float = 0.0
    at_once: int = 1

    @property
    def free(self) -> int:
        """How many we begin of those that are left: what others begin is known late."""
        return self.left - int(self.total * SPARED)

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Self:
        """Return what `GET /gateway/bot` answered; what it does not say is harmless.

        Raises:
            TypeError, ValueError, AttributeError: It is not what the documentation says.
        """
        limit = found.get("session_start_limit") or {}
        return cls(
            url=str(found.get("url") or ""),
            shards=max(int(found.get("shards") or 1), 1),
            total=int(limit.get("total", 1)),
            left=int(limit.get("remaining", 1)),
            reset_seconds=int(limit.get("reset_after", 0)) / 1000,
            at_once=max(int(limit.get("max_concurrency") or 1), 1),
        )


@dataclass(slots=True)
class _Key:
    """Starts that exclude each other.

    Attributes:
        slot: When the next that asks for a place gets one, by `time.monotonic`.
        free_at: When Discord takes the next, likewise.
    """

    slot: float = 0.0
    free_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Starts:
    """Lets the sessions of one process begin, in order and no faster than Discord wants.

    Processes cannot see each other's: where two begin at once, Discord refuses one, which then
    waits for a random time.

    Args:
        ask: Asks Discord for its terms.
    """

    def __init__(self, ask: Callable[[], Awaitable[Terms]]) -> None:
        self._ask = ask
        self._asking = asyncio.Lock()
        self._terms = Terms()
        self._asked_at = -math.inf
        self._used = 0
        self._pending: dict[int, bool] = {}  # whether a place was kept for it
        self._is_told = False
        self._keys: dict[int, _Key] = {}

    @property
    def known(self) -> Terms:
        """What Discord said last."""
        return self._terms

    async def terms(self, *, is_fresh: bool = False) -> Terms:
        """Return what Discord says now, or said some seconds ago; raises what asking raises."""
        async with self._asking:
            if is_fresh or time.monotonic() - self._asked_at > FRESH_SECONDS:
                self._terms = await self._ask()
                self._asked_at, self._used = time.monotonic(), 0
        return self._terms

    async def wait(self, shard: int) -> None:
        """Wait until a shard may connect in order to begin a session, for however long."""
        await self.terms()
        while self._left(shard) <= 0:
            self._tell()
            await asyncio.sleep(min(self._terms.reset_seconds + 1, LONGEST_WAIT_SECONDS))
            await self.terms()
        self._is_told = False
        self._pending[shard] = True
        key, now = self._key(shard), time.monotonic()
        place = max(now, key.slot)
        key.slot = place + PAUSE_SECONDS + MARGIN_SECONDS
        await asyncio.sleep(place - now)

    def leave(self, shard: int) -> None:
        """Give up what was kept for a shard, if it was not used."""
        if self._pending.pop(shard, False):
            self._key(shard).slot -= PAUSE_SECONDS + MARGIN_SECONDS

    async def begin(self, shard: int, *, refusals: int) -> None:
        """Wait until a connected shard may begin a session; to be called at the last moment.

        Args:
            shard: Its number.
            refusals: How often Discord has refused it since it last let it begin one.

        Raises:
            UsedUpError: Nothing is left of the day's sessions; `wait` waits for the next.
        """
        if shard not in self._pending:
            await self.terms()
            if self._left(shard) <= 0:
                raise UsedUpError
        self._pending.setdefault(shard, False)
        if refusals:
            most = PAUSE_SECONDS * min(2 ** (refusals - 1), MOST_PAUSES)
            await asyncio.sleep(random.uniform(0, most))  # noqa: S311 - jitter
        key = self._key(shard)
        async with key.lock:
            await asyncio.sleep(key.free_at - time.monotonic())
            key.free_at = time.monotonic() + PAUSE_SECONDS + MARGIN_SECONDS
        self._pending.pop(shard, None)
        self._used += 1

    def _left(self, shard: int) -> int:
        """Return how many sessions may begin, besides those that others here are about to."""
        return self._terms.free - self._used - len(self._pending.keys() - {shard})

    def _key(self, shard: int) -> _Key:
        return self._keys.setdefault(shard % self._terms.at_once, _Key())

    def _tell(self) -> None:
        if self._is_told:
            return
        self._is_told = True
        log.warning(
            "discord allows no further connection for %.1f h: all %d of a day are used up; look "
            "above for why it connected so often",
            self._terms.reset_seconds / 3600,
            self._terms.total,
        )
