"""A chat model that is asked so many things at once; what comes later waits in line."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Sequence

from core import metrics
from core.protocols import ChatModel
from core.types import Message, ModelEvent, Waiting

# Who waits longer is told how many are ahead, as often; the more rarely the more there are, so
# that a long line does not use up what a platform allows in all.
LONG_SECONDS = 3.0
SECONDS_A_PLACE = 0.25


class Line:
    """Lets in so many at once; who comes later waits, first come, first served.

    Args:
        most: At the same time.
    """

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: deque[asyncio.Future[None]] = deque()

    def enter(self) -> "asyncio.Future[None]":
        """Return a place in line, done when it is let in; to be left in any case."""
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._let_in()
        return place

    def leave(self, place: "asyncio.Future[None]") -> None:
        """Give up a place, whether it was let in or not."""
        if place in self._waiting:
            self._waiting.remove(place)
        else:
            self._free += 1
        self._let_in()

    def ahead(self, place: "asyncio.Future[None]") -> int:
        """Return how many will be let in before a place that waits."""
        return self._waiting.index(place)

    def _let_in(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            self._waiting.popleft().set_result(None)
        metrics.MODEL_LINE.set(len(self._waiting))


class LinedModel:
    """A chat model behind a line; see `core.protocols.ChatModel`.

    An answer keeps its place until it is complete, further attempts and fallbacks included.

    Args:
        model: Who answers.
        most: Answers that it writes at the same time.
        long_seconds: After which who waits is told, and then as often.
    """

    def __init__(self, model: ChatModel, *, most: int, long_seconds: float = LONG_SECONDS) -> None:
        self._model = model
        self._line = Line(most)
        self._long_seconds = long_seconds
        self.close = model.close

    async def stream(
        self, prompt: Sequence[Message], *, models: Sequence[str], limit: int
    ) -> AsyncGenerator[ModelEvent]:
        """Yield what the model does; before it, a Waiting whenever there is something to tell.

        Raises:
            ContextLengthError: The prompt was too long.
            ModelError: No model answered.
        """
        place = self._line.enter()
        try:
            async with contextlib.aclosing(self._wait(place)) as moves:
                async for move in moves:
                    yield move
            answer = self._model.stream(prompt, models=models, limit=limit)
            async with contextlib.aclosing(answer) as events:
                async for event in events:
                    yield event
        finally:
            self._line.leave(place)

    async def _wait(self, place: "asyncio.Future[None]") -> AsyncGenerator[Waiting]:
        if place.done():
            return
        told, ahead = -1, self._line.ahead(place)
        yield Waiting(ahead=ahead)
        while not place.done():
            pause = max(self._long_seconds, SECONDS_A_PLACE * ahead)
            await asyncio.wait({place}, timeout=pause)
            if not place.done() and (ahead := self._line.ahead(place)) != told:
                told = ahead
                yield Waiting(ahead=ahead, is_long=True)
        yield Waiting(ahead=None)
