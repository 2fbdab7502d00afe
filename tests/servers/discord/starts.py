"""When sessions may begin: so many at once, and so many a day."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers.discord.server import DiscordServer

_DAY = 24 * 3600.0


class Starts:
    """Counts the sessions that begin.

    Attributes:
        used: How many have, of those of a day.
    """

    def __init__(self, owner: "DiscordServer") -> None:
        self._owner = owner
        self._identified_at: dict[int, float] = {}
        self.used = 0
        self._began_at = owner.clock.now()

    @property
    def left(self) -> int:
        """How many may begin before `reset_seconds` are over."""
        self._pass_day()
        return max(self._owner.limits.identifies - self.used, 0)

    @property
    def reset_seconds(self) -> float:
        """Seconds until as many may begin as ever."""
        self._pass_day()
        return self._began_at + _DAY - self._owner.clock.now() if self.used else 0.0

    def count(self) -> bool:
        """Count one that begins; False if it is one too many."""
        if not self.used:
            self._began_at = self._owner.clock.now()
        self._pass_day()
        self.used += 1
        return self.used <= self._owner.limits.identifies

    def is_too_soon(self, shard: int) -> bool:
        """Say whether another with the same key began just before; if not, this one does now."""
        limits, now = self._owner.limits, self._owner.clock.now()
        key = shard % limits.max_concurrency
        pause = limits.identify_seconds
        if pause is not None and now < self._identified_at.get(key, 0.0) + pause:
            return True
        self._identified_at[key] = now
        return False

    def _pass_day(self) -> None:
        if self.used and self._owner.clock.now() >= self._began_at + _DAY:
            self.used, self._began_at = 0, self._owner.clock.now()
