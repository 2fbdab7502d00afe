"""What the bot contract is played on: a person, a place, and a bot of ours that listens there."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Literal, NoReturn, Protocol

import pytest

from bots.live import Pace
from core.protocols import Bot
from tests.bots.inbox import Inbox

# A preview gives a call up after half a second; nothing else takes any time.
PACE = Pace(draft=0.0, edit=0.0, refresh=60.0, typing_after=60.0, call=0.5, change=1.0)
LARGEST_FILE = 2 << 20

# What happens to a call: its connection is cut, before or after it was carried out; the server
# fails, or what stands before it does; the server refuses it for good, asks for a pause longer
# than is waited for on the spot, or carries it out and does not answer.
Trouble = Literal["cut", "lost", "down", "gateway", "refused", "flood", "held"]
# What passes by itself.
TROUBLES: tuple[Trouble, ...] = ("cut", "down", "gateway")


class Fault(Protocol):
    """What goes wrong at the next `left` calls; `used` counts those it has met."""

    left: int
    used: int


class Stage(Protocol):
    """A person, a place, and a bot that listens; where there is no such thing, a test is skipped.

    Attributes:
        serving: The bot.
        person: The name of who talks to it.
        is_private: Nobody else sees what is said.
        may_double: A first message whose confirmation was lost may stand twice.
    """

    serving: "Serving"
    person: str
    is_private: bool
    may_double: bool

    async def restart(self) -> None:
        """End the bot and start another, which remembers nothing."""

    # What people do, each seen by the bot.

    async def say(self, text: str) -> None:
        """Say something to the bot."""

    async def command(self, name: str, /, **arguments: str) -> None:
        """Give the bot a command."""

    async def send_voice(self, data: bytes, *, size: int | None = None) -> None:
        """Send a recording; `size` if it claims to hold something else."""

    async def send_document(self, name: str, data: bytes, /) -> None:
        """Send a text file."""

    def miss(self, text: str, /) -> None:
        """Say something while no bot listens, to be heard later."""

    def edit(self, text: str, /) -> None:
        """Change what was said last."""

    def delete(self) -> None:
        """Delete what was said last, of which the bot is told."""

    def delete_quietly(self) -> None:
        """Delete what was said last, whether the bot is told or not."""

    def wipe(self) -> None:
        """Delete what the bot wrote."""

    def leave(self) -> None:
        """Make it impossible for the bot to write here ever again."""

    # What people see.

    @property
    def standing(self) -> list[str]:
        """What the bot's messages show, oldest first; the name of a file without a text."""

    @property
    def shown(self) -> list[str]:
        """The same, and behind them what it is writing."""

    @property
    def files(self) -> dict[str, bytes]:
        """The files that the bot's messages carry, by name."""

    @property
    def pinged(self) -> set[Any]:
        """Whom the bot's messages have notified."""

    @property
    def mentions(self) -> str:
        """A text that would notify somebody."""

    # What goes wrong.

    def strike(self, trouble: Trouble, times: int = 1, /) -> Fault:
        """Let something happen to the next calls about this place."""

    def strike_file(self, trouble: Trouble, times: int, /) -> Fault:
        """Let something happen to the next downloads."""

    def pass_day(self) -> None:
        """Let every link to a file expire."""

    def lose_files(self) -> None:
        """Let every file vanish."""


class Serving:
    """A bot that listens.

    Args:
        opening: Opens a bot.
        is_ready: A bot with such an inbox hears what is said from now on.
        has_worker: Another bot, which never listens, answers: what it knows is what was taken in.
    """

    def __init__(
        self,
        opening: Callable[[], AbstractAsyncContextManager[Bot]],
        *,
        is_ready: Callable[[Inbox], object],
        has_worker: bool = False,
    ) -> None:
        self.inbox = Inbox()
        self._opening = opening
        self._is_ready = is_ready
        self._has_worker = has_worker
        self._opened = AsyncExitStack()
        self._task: asyncio.Task[None] | None = None
        self._bot: Bot | None = None

    @property
    def bot(self) -> Bot:
        """The bot that answers, as long as it is there."""
        assert self._bot
        return self._bot

    async def begin(self, inbox: Inbox | None = None) -> None:
        """Start a bot, with an inbox of its own."""
        self.inbox = inbox or Inbox()
        listener = self._bot = await self._opened.enter_async_context(self._opening())
        if self._has_worker:
            self._bot = await self._opened.enter_async_context(self._opening())
        task = self._task = asyncio.create_task(listener.listen(self.inbox))
        await until(lambda: task.done() or self._is_ready(self.inbox))

    async def end(self) -> None:
        """Stop it, as the end of the program does; it ends at once."""
        if not self._task:
            return
        task, self._task = self._task, None
        task.cancel()
        await asyncio.wait({task}, timeout=2)
        assert task.cancelled(), "listening does not end"
        await self._opened.aclose()

    async def restart(self) -> None:
        """Stop it and start another."""
        await self.end()
        await self.begin()

    async def crash(self) -> BaseException | None:
        """Wait until it ends by itself; return why."""
        assert self._task
        task, self._task = self._task, None
        try:
            await asyncio.wait({task}, timeout=10)
            return task.exception() if task.done() else None
        finally:
            task.cancel()
            await self._opened.aclose()


def lacking(reason: str) -> NoReturn:
    """Skip a test of what a platform does not have."""
    pytest.skip(reason)


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, ten seconds at most."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - neither an inbox nor a terminal rings a bell
            await asyncio.sleep(0.002)
