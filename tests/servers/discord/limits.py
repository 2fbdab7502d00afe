"""Rate limits: buckets per route and channel, and one over all."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import md5
from typing import Literal

from tests.servers.discord.errors import ApiError, Json

Now = Callable[[], float]
Key = tuple[str, str]
Scope = Literal["user", "shared", "global"]

# Rate limits, "Global rate limit", 2026-11.
OVERALL_PER_SECOND = 50
# Rate limits, "Invalid request limit", 2026-11: statuses 401, 403 and 429.
INVALID_STATUSES = frozenset({401, 403, 429})
# The key of what holds for every call.
EVERYWHERE = ("*", "")
# Message resource, "Create message": "the maximum request size ... 25 MiB"; a file 10 MiB
# (Reference, "Uploading files", 2026-11).
MOST_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many calls in so many seconds, counted from the first."""

    calls: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the server lets a bot do; None switches a limit off.

    The documentation names no numbers for single routes ("should not be hard coded"); these
    are the ones bots report.

    Attributes:
        create: Messages into one channel.
        edit: Edits in one channel.
        delete: Deletions in one channel.
        typing: Typing signs in one channel.
        read: Reading messages of one channel.
        webhook: Answers by one interaction's token.
        other: Every other route.
        overall: Calls within a second, except those about interactions.
        invalid: Calls refused with 401, 403 or 429, before an address is banned.
        upload_bytes: Most bytes of one file.
        ack_seconds: Time to acknowledge an interaction.
        token_seconds: Life of an interaction's token.
        resume_seconds: How long a session without a connection can be resumed.
        identifies: Sessions a day; more reset the token.
        identify_seconds: From one new session to the next of the same key; None for no limit.
        max_concurrency: How many keys there are: a shard's is its number modulo this.
        guilds_per_shard: More for one session, and it is refused.
        shard_multiple: The number of shards is to be a multiple of it, as for large bots.
        command_creates: Application commands created a day.
    """

    create: Rate | None = Rate(calls=5, seconds=5.0)
    edit: Rate | None = Rate(calls=5, seconds=5.0)
    delete: Rate | None = Rate(calls=5, seconds=1.0)
    typing: Rate | None = Rate(calls=5, seconds=5.0)
    read: Rate | None = Rate(calls=5, seconds=1.0)
    webhook: Rate | None = Rate(calls=5, seconds=2.0)
    other: Rate | None = Rate(calls=10, seconds=1.0)
    overall: int | None = OVERALL_PER_SECOND
    invalid: Rate | None = Rate(calls=10_000, seconds=600.0)
    upload_bytes: int = MOST_BYTES
    ack_seconds: float = 3.0
    token_seconds: float = 900.0
    resume_seconds: float = 120.0
    identifies: int = 1000
    identify_seconds: float | None = None
    max_concurrency: int = 1
    guilds_per_shard: int = 2500
    shard_multiple: int = 1
    command_creates: int = 200

    @classmethod
    def unlimited(cls) -> "Limits":
        """Return limits without any rate, for benches; responses carry no bucket then."""
        rates = ("create", "edit", "delete", "typing", "read", "webhook", "other", "overall")
        return cls(**dict.fromkeys(rates))  # type: ignore[arg-type]

    def rate(self, bucket: str) -> Rate | None:
        """Return the rate of a bucket by its name."""
        found: Rate | None = getattr(self, bucket)
        return found


@dataclass(slots=True)
class _Window:
    rate: Rate
    opened: float = -math.inf
    used: int = 0

    def left(self, now: float) -> float:
        """Return the seconds until it opens anew, opening it if that time has come."""
        if now >= self.opened + self.rate.seconds:
            self.opened, self.used = now, 0
        return self.opened + self.rate.seconds - now


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What the limits say of a call; `wait` is 0 if it may go on.

    Attributes:
        early: By how many seconds it came before an earlier 429 let it.
        headers: For the response.
    """

    wait: float = 0.0
    early: float = 0.0
    scope: Scope = "user"
    headers: dict[str, str] = field(default_factory=dict)


class Pace:
    """Counts calls and refuses what is too much; a refused call does not count."""

    def __init__(self, limits: Limits, now: Now) -> None:
        self.limits = limits
        self._now = now
        self._windows: dict[Key, _Window] = {}
        self._until: dict[Key, float] = {}
        overall = limits.overall
        self._overall = _Window(Rate(calls=overall, seconds=1.0)) if overall else None
        self._invalid = _Window(limits.invalid) if limits.invalid else None

    def told_to_wait(self, key: Key, seconds: float) -> None:
        """Remember that a 429 asked for patience there."""
        self._until[key] = max(self._until.get(key, 0.0), self._now() + seconds)

    def count(self, bucket: str, key: Key, *, is_global: bool) -> Verdict:
        """Count a call.

        Args:
            bucket: Name of the limit in Limits.
            key: What counts together: what for, and where.
            is_global: It counts for the limit over all.
        """
        now = self._now()
        verdict = Verdict(early=self._early(key, now, is_global=is_global))
        if is_global and self._overall:
            left = self._overall.left(now)
            if self._overall.used >= self._overall.rate.calls:
                verdict.wait, verdict.scope = left, "global"
                self.told_to_wait(EVERYWHERE, left)
                return verdict
        rate = self.limits.rate(bucket)
        if rate:
            self._count_in(self._window(key, rate), verdict, key, now)
        if not verdict.wait and is_global and self._overall:
            self._overall.used += 1
        return verdict

    def _window(self, key: Key, rate: Rate) -> _Window:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(rate)
        return window

    def _count_in(self, window: _Window, verdict: Verdict, key: Key, now: float) -> None:
        left = window.left(now)
        if window.used >= window.rate.calls:
            verdict.wait = left
            self.told_to_wait(key, left)
        else:
            window.used += 1
        verdict.headers = {
            "X-RateLimit-Limit": str(window.rate.calls),
            "X-RateLimit-Remaining": str(window.rate.calls - window.used),
            "X-RateLimit-Reset": f"{now + left:.3f}",
            "X-RateLimit-Reset-After": f"{_up(left):.3f}",
            "X-RateLimit-Bucket": _hash(key[0]),
        }

    def _early(self, key: Key, now: float, *, is_global: bool) -> float:
        early = 0.0
        for place in (key, EVERYWHERE) if is_global else (key,):
            until = self._until.get(place)
            if until is None:
                continue
            if until <= now:
                del self._until[place]
            early = max(early, until - now)
        return early

    def count_invalid(self, status: int, scope: str) -> None:
        """Count a refusal towards the ban of the address."""
        if self._invalid and status in INVALID_STATUSES and scope != "shared":
            self._invalid.left(self._now())
            self._invalid.used += 1

    @property
    def is_banned(self) -> bool:
        """Whether the address has made too many invalid calls."""
        if self._invalid is None or self._invalid.used < self._invalid.rate.calls:
            return False
        self._invalid.left(self._now())
        return self._invalid.used >= self._invalid.rate.calls


@functools.cache
def _hash(bucket: str) -> str:
    return md5(bucket.encode(), usedforsecurity=False).hexdigest()


def _up(seconds: float) -> float:
    """Round up to milliseconds, so that who waits so long has waited long enough."""
    return math.ceil(seconds * 1000) / 1000


class TooMany(ApiError):  # noqa: N818 - named after its status
    """The 429 that asks to wait.

    Attributes:
        headers: For the response.
    """

    def __init__(
        self, seconds: float, *, scope: Scope = "user", headers: dict[str, str] | None = None
    ) -> None:
        text = "You are being rate limited."
        if scope == "shared":
            text = "The resource is being rate limited."
        super().__init__(429, 0, text)
        self.seconds = _up(seconds)
        self.scope = scope
        self.headers = (headers or {}) | {
            "Retry-After": str(math.ceil(self.seconds)),
            "X-RateLimit-Scope": scope,
        }
        if scope == "global":
            self.headers["X-RateLimit-Global"] = "true"

    def json(self) -> Json:
        """Return the body; most limits have no code."""
        return {
            "message": self.message,
            "retry_after": self.seconds,
            "global": self.scope == "global",
        }
