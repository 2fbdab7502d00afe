"""Time that a test can move, and the ids that tell it."""

import time
from datetime import UTC, datetime

# Reference, "Snowflakes": milliseconds since the first second of 2015, then 22 further bits.
EPOCH_MILLISECONDS = 1_420_070_400_000
_LOW_BITS = 22


class Clock:
    """The server's clock: real time, plus what a test let pass at once."""

    def __init__(self) -> None:
        self._start = time.time() - time.monotonic()
        self._last = 0

    def now(self) -> float:
        """Return seconds since 1970; never goes back."""
        return self._start + time.monotonic()

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self._start += seconds

    def snowflake(self) -> int:
        """Return a new id, higher than every one before."""
        moment = int(self.now() * 1000) - EPOCH_MILLISECONDS << _LOW_BITS
        self._last = max(moment, self._last + 1)
        return self._last

    def snowflake_on(self, shard: int, count: int) -> int:
        """Return a new id of a guild that belongs to one of `count` shards."""
        number = self.snowflake()
        number += ((shard - (number >> _LOW_BITS)) % count) << _LOW_BITS
        self._last = number
        return number


def stamp(seconds: float) -> str:
    """Return a time as ISO 8601, as the API writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def born(snowflake: int) -> float:
    """Return when an id was given, in seconds since 1970."""
    return ((snowflake >> _LOW_BITS) + EPOCH_MILLISECONDS) / 1000
