"""When to try a model again, in one place.

==============  =============================================  ==========================
cause           what came                                      then
==============  =============================================  ==========================
busy            429, Retry-After up to 20 s                    again after that time
busy            429, Retry-After above 20 s                    the next model
busy            429 without Retry-After                        again, backing off
broken          5xx, 408, 409, 425, an error within a stream   again, backing off
unreachable     no connection, reset                           again, backing off
unreachable     silence where an answer should have begun      the next model, or once more
unclear         no JSON, a stream that ends too early          again, backing off
empty           an answer without a word                       once more, then given up
parameter       a parameter the server does not take           again without it, at once
quota, model    no credit, no such model                       the next model
key, address    401, 403, nothing at that URL                  given up
length          the prompt is too long                         given up
refused         any other 4xx                                  the next model
blocked, full   a filter; no room left for an answer           given up
==============  =============================================  ==========================

A model is tried three times; an empty answer and such a silence, which takes minutes, count
double. What is given up, or leaves no further model, becomes an error for the person. A model
that is broken or unreachable for longer is passed over, and not tried again by the same call; see
`core.breaker`.
"""

import random

from core.provider import Cause, Failure

MAX_ATTEMPTS = 3
MAX_WAIT_SECONDS = 20.0
# Soon, since most of what fails is a connection that broke; then late enough for a server that
# restarts, or is busy for some seconds: the third attempt comes 6 to 9 s after the first.
BACKOFF_SECONDS = 1.5
BACKOFF_FACTOR = 5.0
MAX_BACKOFF_SECONDS = 8.0
HASTE = 4  # so much sooner, where a further model can be asked
# Of a wait, so that many chats do not return at the same moment, but none too soon.
LEAST_SHARE = 2 / 3

_GIVEN_UP: frozenset[Cause] = frozenset({"key", "address", "length", "empty", "blocked", "full"})


def pause(
    failure: Failure, attempt: int, *, backoff_seconds: float, is_last: bool
) -> float | None:
    """Return the seconds to wait before the next attempt at a model; None: do not try again.

    Args:
        failure: Of the last attempt.
        attempt: Its number, from 1.
        backoff_seconds: Longest wait after the first attempt; five times as long after the
            second. The wait is drawn at random from the last third below that.
        is_last: No further model can be asked.
    """
    if failure.is_silent and not is_last:
        return None
    counted = attempt + (failure.cause == "empty" or failure.is_silent)
    if not failure.is_transient or counted >= MAX_ATTEMPTS:
        return None
    if failure.retry_after is not None:
        return failure.retry_after if failure.retry_after <= MAX_WAIT_SECONDS else None
    first = backoff_seconds if is_last else backoff_seconds / HASTE
    longest = min(first * BACKOFF_FACTOR ** (attempt - 1), MAX_BACKOFF_SECONDS)
    return random.uniform(LEAST_SHARE * longest, longest)  # noqa: S311 - jitter, not cryptography


def is_given_up(failure: Failure) -> bool:
    """Whether a further model would fare no better."""
    return failure.cause in _GIVEN_UP
