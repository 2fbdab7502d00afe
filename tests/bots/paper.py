"""A platform of paper, on which replies are shown, and the steps to show them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bots import live
from core.errors import DeliveryError
from core.reply import Reply
from core.types import Chat, File
from tests.servers.bell import Bell

CHAT = Chat(platform="paper", ref="1", is_private=True)
FAST = live.Pace(draft=0.0, edit=0.0, refresh=60.0, typing_after=60.0)
WIDTH = 10


class Paper:
    """A platform of messages of ten characters; errors in `faults` strike the next calls."""

    def __init__(self, *, pace: live.Pace = FAST, has_drafts: bool = False) -> None:
        self.pace = pace
        self.has_drafts = has_drafts
        self.shown: dict[str, str] = {}
        self.drafted = ""
        self.calls: list[str] = []
        self.faults: list[DeliveryError | None] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._bell = Bell()

    def render(self, text: str, *, is_final: bool) -> list[str]:
        """Cut into pieces; the last shows a cursor while it grows."""
        parts = [text[at : at + WIDTH] for at in range(0, len(text), WIDTH)]
        return parts if is_final or not parts else [*parts[:-1], parts[-1] + "_"]

    async def _call(self, name: str) -> None:
        self.calls.append(name)
        self._bell.ring()
        await self.gate.wait()
        fault = self.faults.pop(0) if self.faults else None
        if fault:
            raise fault

    async def post(self, part: str, *, is_first: bool) -> str:
        """Post."""
        await self._call("first" if is_first else "post")
        ref = str(len(self.calls))
        self.shown[ref] = part
        self.drafted = ""
        return ref

    async def edit(self, ref: str, part: str) -> str:
        """Edit, or post anew what somebody has deleted."""
        await self._call(f"edit {ref}")
        ref = ref if ref in self.shown else f"{ref}b"
        self.shown[ref] = part
        return ref

    async def attach(self, file: File, *, is_first: bool) -> str:
        """Post a file, which looks like its name."""
        return await self.post(file.name, is_first=is_first)

    async def remove(self, ref: str) -> None:
        """Remove."""
        await self._call(f"remove {ref}")
        del self.shown[ref]

    async def draft(self, part: str) -> bool:
        """Draft."""
        if self.has_drafts:
            await self._call("draft")
            self.drafted = part
        return self.has_drafts

    async def type(self) -> None:
        """Type."""
        await self._call("type")

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds; calls change it."""
        await self._bell.until(condition, 10.0)


@asynccontextmanager
async def preview(reply: Reply, paper: Paper) -> AsyncIterator["asyncio.Task[None]"]:
    """Show the reply while it grows, close it, and see the preview end."""
    task = asyncio.create_task(live.show(reply, paper))
    try:
        yield task
        reply.close()
        async with asyncio.timeout(10):
            await task
    finally:
        task.cancel()


async def finish(reply: Reply, paper: Paper, text: str, *files: File) -> None:
    """Make `text` final, with files below it, and show it."""
    reply.settle(text, files=files)
    await live.show(reply, paper)


async def until_done(call: Callable[[], Awaitable[None]]) -> None:
    """Do as the relay does: call until nothing is raised."""
    for _ in range(20):
        try:
            return await call()
        except DeliveryError:
            continue
    raise AssertionError
