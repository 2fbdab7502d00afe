"""Waiting for a condition without polling."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Bell:
    """Rung at every change; who waits looks again whether the condition holds."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        """Let everybody who waits look again."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until(self, condition: Callable[[], T], seconds: float) -> T:
        """Return the value of `condition` as soon as it is true.

        Raises:
            TimeoutError: It was not, within `seconds`.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds):
            while not (value := condition()):
                future = loop.create_future()
                self._waiting.append(future)
                await future
        return value
