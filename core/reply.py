"""An answer on its way to a person: a text that grows, then stands."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from core.types import Chat

Record = Callable[[int, str], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Posted:
    """A message of ours in a chat.

    Attributes:
        ref: The platform's id of it.
        shown: What it shows now, in whatever form the bot compares; None when unknown.
    """

    ref: str
    shown: object = None


class Reply:
    """What a bot delivers: first a growing preview, then the final text.

    The relay writes (`grow`, `close`, `settle`), the bot reads. Both calls of
    `Bot.deliver` for one answer get the same object, so that what the first has posted
    (`posted`) the second edits. After a crash, `posted` comes back from the store.
    """

    def __init__(
        self,
        *,
        chat: Chat,
        key: int,
        to: str | None = None,
        posted: tuple[str, ...] = (),
        record: Record | None = None,
    ) -> None:
        self.chat = chat
        self.key = key
        self.to = to
        self.text = ""
        self.is_final = False
        self.posted = [Posted(ref=ref) for ref in posted]
        self._record = record
        self._changed = asyncio.Event()
        self._closed = asyncio.Event()

    def grow(self, text: str) -> None:
        """Show `text`, the whole of it, in place of what stood before; never waits."""
        self.text = text
        self._changed.set()

    def close(self) -> None:
        """End the preview: nothing more will grow."""
        self._closed.set()
        self._changed.set()

    def settle(self, text: str) -> None:
        """Make `text` the final one."""
        self.text = text
        self.is_final = True
        self.close()

    async def snapshots(self) -> AsyncIterator[str]:
        """Yield the whole text whenever it has changed since the last yield.

        A slow reader misses what came in between, never the newest. Ends when the reply is
        closed, without yielding what is not yet final.
        """
        while True:
            await self._changed.wait()
            if self._closed.is_set():
                return
            self._changed.clear()
            yield self.text

    async def has_closed(self, *, within: float) -> bool:
        """Wait until the reply is closed, at most `within` seconds; say whether it is."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), within)
        return self._closed.is_set()

    async def record(self, ref: str, shown: object = None) -> None:
        """Remember that a message was posted as the next part, before anything else is done.

        Args:
            ref: The platform's id of it, so that a retry edits it instead of posting again.
            shown: What it shows, for comparison at the next edit.
        """
        self.posted.append(Posted(ref=ref, shown=shown))
        if self._record:
            await self._record(len(self.posted) - 1, ref)
