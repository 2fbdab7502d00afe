"""How many calls Discord takes now, as learnt from what it answers; nothing here waits."""

import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from core.errors import DeliveryError

PAUSED = "Discord asks for a pause."

# The documentation allows 50 calls a second, whatever they are (discord.com/developers/docs/
# topics/rate-limits, 2026-11).
PER_SECOND = 50
# Of these we use so much, as what leaves in one second may arrive in another.
_FINALS = 0.9
# And previews this: the rest is for final texts, so that no preview anywhere holds one up. Who
# sees nothing yet comes before who sees an answer grow, and a sign that the bot writes after both.
_PREVIEWS = 0.6
_OTHER_PREVIEWS = {"POST /channels/{}/messages": 0.8, "POST /channels/{}/typing": 0.4}
# Our share of the calls in a second is so much smaller after a 429 that says they are used up, but
# this at least, and so much larger each second. Eight busy processes then get a 429 4 times a
# second, without it 263 times (measured at the loopback server); 17 a second end in a ban.
_SHRINK, _LEAST, _GROWTH = 0.7, 4.0, 1.03
_GROWN_SECONDS = 600.0
# A timer may ring this early.
_TIMER_SECONDS = 0.001
# Answers under way will tell how things stand.
_SOON_SECONDS = 0.25
# Two answers of one window name its end within this of each other.
_SLACK_SECONDS = 0.5
# Whoever asks for a longer pause is asked again after it: one of years would be one for good.
LONGEST_SECONDS = 3600.0
# Buckets kept before idle ones are dropped.
_FEW = 256

# The same page: "channel_id, guild_id, webhook_id + webhook_token" count by themselves; and
# an interaction does, by how many parts of the path name it.
_MAJOR = {"channels": 1, "guilds": 1, "webhooks": 2, "interactions": 2}
# "Interaction endpoints are not bound to the bot's Global Rate Limit."
_BY_TOKEN = ("webhooks", "interactions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a call counts for.

    Attributes:
        name: Method and path without anything secret, such as `POST /channels/{}/messages`.
        major: The part of the path whose limits are its own; may hold a token.
        is_by_token: It is about an interaction: its token is in the path, it needs no other,
            and the limit over all does not count it.
    """

    name: str
    major: str
    is_by_token: bool

    @classmethod
    def of(cls, method: str, path: str) -> Self:
        """Return the route of a path below the API's root."""
        first, *rest = path.strip("/").split("/")
        count = _MAJOR.get(first, 0)
        shown = ["{}" if n < count or part.isdigit() else part for n, part in enumerate(rest)]
        return cls(
            name=f"{method} /{'/'.join([first, *shown])}",
            major="/".join(rest[:count]),
            is_by_token=first in _BY_TOKEN,
        )


@dataclass(slots=True)
class Bucket:
    """One limit: so many calls in a window that begins with the first of them.

    Attributes:
        limit: Calls in a window; None as long as no answer has said so.
        remaining: Calls left in the window that ends at `resets_at`.
        resets_at: By `time.monotonic`, as are all times here.
        blocked_until: A 429 asked for silence until then.
        in_flight: Calls that are not answered yet.
    """

    limit: int | None = None
    remaining: int = 0
    resets_at: float = 0.0
    blocked_until: float = 0.0
    in_flight: int = 0

    def wait(self, now: float, *, is_preview: bool) -> float:
        """Return the seconds until a call may go out; a preview leaves the last one."""
        if now < self.blocked_until:
            return self.blocked_until - now
        if self.limit is None:
            return _SOON_SECONDS if is_preview and self.in_flight else 0.0
        is_within = now < self.resets_at
        left = self.remaining if is_within else self.limit - self.in_flight
        spared = 1 if is_preview and self.limit > 1 else 0
        if left > spared:
            return 0.0
        return self.resets_at - now if is_within else _SOON_SECONDS

    def learn(self, now: float, *, limit: int, remaining: int, seconds: float) -> None:
        """Take in what an answer says of the window, `seconds` before its end."""
        resets_at = now + seconds
        if now < self.resets_at and resets_at < self.resets_at + _SLACK_SECONDS:
            self.remaining = min(self.remaining, remaining)
            self.resets_at = min(self.resets_at, resets_at)
        else:
            self.remaining = remaining - self.in_flight
            self.resets_at = resets_at
        self.limit = limit

    def block(self, until: float) -> None:
        """Let nothing out before `until`."""
        self.blocked_until = max(self.blocked_until, until)

    def is_idle(self, now: float) -> bool:
        """Say whether it can be forgotten."""
        return not self.in_flight and now >= max(self.resets_at, self.blocked_until)


class Limits:
    """All buckets of one bot, and the limit over all of them."""

    def __init__(self, per_second: int = PER_SECOND) -> None:
        self._per_second = per_second
        self._share, self._shared_at = float(per_second), 0.0
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._names: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._sent: deque[float] = deque()
        self._quiet_until = 0.0
        self._silent_until = 0.0
        self._many = _FEW

    def take(self, route: Route, *, is_preview: bool) -> Bucket:
        """Count a call that is about to go out; its answer is to be given to `answered`.

        Raises:
            DeliveryError: It may not go out now; says for how long.
        """
        now = time.monotonic()
        bucket = self._bucket(route, now)
        wait = max(
            self._wait_for_all(route, now, is_preview=is_preview),
            bucket.wait(now, is_preview=is_preview),
        )
        if wait > 0:
            raise DeliveryError(PAUSED, retry_after=wait + _TIMER_SECONDS)
        bucket.remaining -= 1
        bucket.in_flight += 1
        if not route.is_by_token:
            self._sent.append(now)
        return bucket

    def answered(self, route: Route, bucket: Bucket, headers: Mapping[str, str]) -> None:
        """Learn from the headers of an answer; empty if there was none."""
        bucket.in_flight -= 1
        name = headers.get("X-RateLimit-Bucket", "")
        if name:
            bucket = self._rename(route, bucket, name)
        try:
            limit = int(headers["X-RateLimit-Limit"])
            remaining = int(headers["X-RateLimit-Remaining"])
            seconds = min(LONGEST_SECONDS, float(headers["X-RateLimit-Reset-After"]))
        except (KeyError, ValueError):
            return
        bucket.learn(time.monotonic(), limit=limit, remaining=remaining, seconds=seconds)
        if name:
            self._sizes[name] = limit

    def block(self, route: Route, seconds: float) -> None:
        """Let nothing out of a route's bucket for so long."""
        now = time.monotonic()
        self._bucket(route, now).block(now + seconds)

    def take_other(self) -> float:
        """Count a call that the SDK makes; if it may not go out now, return the seconds to wait.

        Such calls read what was missed, and leave as much to answers as previews do.
        """
        now = time.monotonic()
        wait = self._wait_for_most(now, int(self._shared(now) * _PREVIEWS))
        if wait <= 0:
            self._sent.append(now)
            return 0.0
        return wait + _TIMER_SECONDS

    def share(self, seconds: float) -> None:
        """Pause for so long, and take less from now on: others use up the limit over all, too.

        Processes that work for the same bot do not see each other. What each takes shrinks at
        each such 429 and grows again with time, until they fit.
        """
        now = time.monotonic()
        if now >= self._quiet_until:  # other answers of the same second say nothing new
            self._share = max(self._shared(now) * _SHRINK, _LEAST)
            self._shared_at = now
        self.pause(seconds)

    def pause(self, seconds: float) -> None:
        """Let nothing out for so long but what the limit over all does not count."""
        self._quiet_until = max(self._quiet_until, time.monotonic() + seconds)

    def silence(self, seconds: float) -> None:
        """Let nothing at all out for so long."""
        self._silent_until = max(self._silent_until, time.monotonic() + seconds)

    def _wait_for_all(self, route: Route, now: float, *, is_preview: bool) -> float:
        if route.is_by_token:
            return self._silent_until - now
        return self._wait_for_most(now, self._most(route, now, is_preview=is_preview))

    def _wait_for_most(self, now: float, most: int) -> float:
        """Return the seconds until a call is not more than the last of so many in a second."""
        if now < (until := max(self._quiet_until, self._silent_until)):
            return until - now
        while self._sent and self._sent[0] <= now - 1.0:
            self._sent.popleft()
        over = len(self._sent) - most
        return self._sent[over] + 1.0 - now if over >= 0 else 0.0

    def _most(self, route: Route, now: float, *, is_preview: bool) -> int:
        """Return how many calls in a second, whatever they are, such a call may be the last of."""
        if not is_preview:
            return int(self._shared(now) * _FINALS)
        return int(self._shared(now) * _OTHER_PREVIEWS.get(route.name, _PREVIEWS))

    def _shared(self, now: float) -> float:
        """Return our share of the calls in a second."""
        grown = self._share * math.pow(_GROWTH, min(now - self._shared_at, _GROWN_SECONDS))
        return min(grown, self._per_second)

    def _bucket(self, route: Route, now: float) -> Bucket:
        name = self._names.get(route.name, route.name)
        found = self._buckets.get((name, route.major))
        if found is None:
            self._forget(now)
            found = self._buckets[name, route.major] = Bucket(limit=self._sizes.get(name))
        return found

    def _rename(self, route: Route, bucket: Bucket, name: str) -> Bucket:
        """Keep a bucket under the name Discord gives it, which several routes may share."""
        old = self._names.get(route.name, route.name)
        self._names[route.name] = name
        if old != name and self._buckets.get((old, route.major)) is bucket:
            del self._buckets[old, route.major]
        return self._buckets.setdefault((name, route.major), bucket)

    def _forget(self, now: float) -> None:
        if len(self._buckets) < self._many:
            return
        self._buckets = {key: b for key, b in self._buckets.items() if not b.is_idle(now)}
        self._many = max(_FEW, 2 * len(self._buckets))
