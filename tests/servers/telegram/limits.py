"""Flood limits."""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.servers.telegram.params import ApiError

Now = Callable[[], float]

# "Bots FAQ", my bot is hitting limits, 2026-11: avoid more than one message per second in a
# chat, no more than 20 messages per minute in a group, about 30 messages per second over all.
MESSAGES_PER_SECOND = 1.0
GROUP_MESSAGES = 20
OVERALL_PER_SECOND = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Flood limits; None switches one off.

    Attributes:
        private_per_second: Sustained rate of messages and edits in a private chat.
        private_burst: How many may come at once after a quiet time.
        group_per_minute: Messages and edits in a group within `group_window`.
        group_window: Seconds that "a minute" lasts; shorter in fast tests.
        overall_per_second: Messages and edits in all chats within a second.
        drafts_per_second: Sustained rate of drafts in a private chat, with the same burst.
    """

    private_per_second: float | None = None
    private_burst: int = 5
    group_per_minute: int | None = None
    group_window: float = 60.0
    overall_per_second: int | None = None
    drafts_per_second: float | None = None

    @classmethod
    def documented(cls) -> "Limits":
        """Return the limits of the Bots FAQ."""
        return cls(
            private_per_second=MESSAGES_PER_SECOND,
            group_per_minute=GROUP_MESSAGES,
            overall_per_second=OVERALL_PER_SECOND,
        )


@dataclass(slots=True)
class _Bucket:
    """A token bucket: `burst` at once, then `rate` a second."""

    rate: float
    burst: int
    level: float = field(init=False)
    at: float = field(init=False, default=-math.inf)

    def __post_init__(self) -> None:
        self.level = float(self.burst)

    def wait(self, now: float) -> float:
        self.level = min(self.burst, self.level + (now - self.at) * self.rate)
        self.at = now
        return 0.0 if self.level >= 1 else (1 - self.level) / self.rate

    def take(self, now: float) -> None:
        self.at = now
        self.level -= 1


@dataclass(slots=True)
class _Window:
    """At most `most` within `seconds`."""

    most: int
    seconds: float
    times: deque[float] = field(default_factory=deque)

    def wait(self, now: float) -> float:
        while self.times and self.times[0] <= now - self.seconds:
            self.times.popleft()
        return 0.0 if len(self.times) < self.most else self.times[0] + self.seconds - now

    def take(self, now: float) -> None:
        self.times.append(now)


_Gauge = _Bucket | _Window


class Pace:
    """Counts what the bot sends and refuses what is too much.

    A refused call does not count. One that comes before the time it was told to wait is
    over is refused again, and reported by `is_early`.
    """

    def __init__(self, limits: Limits, now: Now = time.monotonic) -> None:
        self.limits = limits
        self._now = now
        self._chats: dict[tuple[int, bool], _Gauge | None] = {}
        self._until: dict[int, float] = {}
        rate = limits.overall_per_second
        self._overall = None if rate is None else _Window(rate, 1.0)

    def told_to_wait(self, chat: int, seconds: float) -> None:
        """Remember that a 429 asked for patience in this chat."""
        self._until[chat] = max(self._until.get(chat, 0.0), self._now() + seconds)

    def early(self, chat: int) -> float:
        """Return by how many seconds a call comes before its retry_after was over, or 0."""
        until = self._until.get(chat)
        if until is None:
            return 0.0
        left = until - self._now()
        if left <= 0:
            del self._until[chat]
        return max(left, 0.0)

    def count(self, chat: int, *, is_private: bool, is_draft: bool = False) -> None:
        """Count a call.

        Raises:
            ApiError: 429, with whole seconds to wait.
        """
        now = self._now()
        key = chat, is_draft
        if key not in self._chats:
            self._chats[key] = self._gauge(is_private=is_private, is_draft=is_draft)
        gauges = [self._chats[key], None if is_draft else self._overall]
        used = [gauge for gauge in gauges if gauge is not None]
        wait = max((gauge.wait(now) for gauge in used), default=0.0)
        if wait > 0:
            seconds = math.ceil(wait)
            self.told_to_wait(chat, wait)
            raise too_many(seconds)
        for gauge in used:
            gauge.take(now)

    def _gauge(self, *, is_private: bool, is_draft: bool) -> _Gauge | None:
        limits = self.limits
        rate = limits.drafts_per_second if is_draft else limits.private_per_second
        if is_private or is_draft:
            return None if rate is None else _Bucket(rate, limits.private_burst)
        most = limits.group_per_minute
        return None if most is None else _Window(most, limits.group_window)


def too_many(seconds: int) -> ApiError:
    """Return the 429 that asks to wait."""
    text = f"Too Many Requests: retry after {seconds}"
    return ApiError(429, text, {"retry_after": seconds})
