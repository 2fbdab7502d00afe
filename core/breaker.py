"""Which models are not worth asking just now, because their server is down."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from core import metrics
from core.provider import Cause

log = logging.getLogger(__name__)

# The server is down or out of order. Any other refusal shows that it is not.
DOWN: frozenset[Cause] = frozenset({"broken", "unreachable"})
MOST_FAILURES = 3
# A server that restarts fails many calls at once, and answers those that are made again: one
# question's own attempts, which take up to 9 s, are not enough.
LEAST_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 300.0


@dataclass(slots=True)
class _Model:
    """How a model fares.

    Attributes:
        failures: In a row.
        since: When the first of them was.
        pause: Seconds between two trials; 0 while it counts as up.
        trial_at: When it is next asked to see whether it is up again.
    """

    failures: int = 0
    since: float = 0.0
    pause: float = 0.0
    trial_at: float = 0.0


class Breaker:
    """Passes over the models of one provider that are down, but for a trial now and then.

    A model is down after three failures in a row within no less than ten seconds. Then one call is
    let through after 15 s, and after twice as long each time, up to 5 min; a call that gets any
    answer makes it count as up again.

    Args:
        clock: Tells the seconds since any moment.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._models: dict[str, _Model] = {}

    def worth_asking(self, names: Sequence[str]) -> Iterator[tuple[str, bool]]:
        """Yield those of some models that are up, or due for a trial, which the caller makes.

        If there is none, all of them: each is worth one quick attempt, which the bool says.
        """
        is_hopeless = True
        for name in names:
            if not self.is_down(name) or self._is_due(name):
                is_hopeless = False
                yield name, False
        if is_hopeless:
            yield from ((name, True) for name in names)

    def is_down(self, name: str) -> bool:
        """Say whether a model counts as down."""
        return name in self._models and self._models[name].pause > 0

    def _is_due(self, name: str) -> bool:
        model, now = self._models[name], self._clock()
        if now < model.trial_at:
            return False
        # Claimed by whoever asks; one that comes to nothing needs not be given back.
        model.pause = min(2 * model.pause, LONGEST_PAUSE_SECONDS)
        model.trial_at = now + model.pause
        return True

    def note(self, name: str, cause: Cause | None) -> None:
        """Take note of how a call ended; None: with an answer."""
        if cause not in DOWN:
            model = self._models.pop(name, None)
            if model and model.pause:
                metrics.MODEL_DOWN.labels(name).set(0)
                log.info("model %s answers again", name)
            return
        now = self._clock()
        model = self._models.setdefault(name, _Model(since=now))
        model.failures += 1
        is_enough = model.failures >= MOST_FAILURES and now - model.since >= LEAST_SECONDS
        if is_enough and not model.pause:
            model.pause = FIRST_PAUSE_SECONDS
            model.trial_at = now + model.pause
            metrics.MODEL_DOWN.labels(name).set(1)
            log.warning(
                "model %s is down: %d calls in a row failed in %.0f s; it is passed over, but for "
                "a trial in %.0f s and then ever more rarely",
                name,
                model.failures,
                now - model.since,
                model.pause,
            )
