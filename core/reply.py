"""An answer on its way to a person: a text that grows, then stands."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from core.types import Chat, File

Record = Callable[[int, str], Awaitable[None]]


class Clearance:
    """Says for how long it is sure that nobody else shows what this process shows.

    Args:
        seconds: After the last renewal.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._renewed_at = time.monotonic()
        self._renewed = asyncio.Event()

    def renew(self, at: float) -> None:
        """Be sure from a time on, on the monotonic clock; one before the last changes nothing."""
        self._renewed_at = max(at, self._renewed_at)
        self._renewed.set()

    async def wait(self) -> None:
        """Wait until it is sure. The clock decides: this process may have stood still."""
        while time.monotonic() - self._renewed_at >= self._seconds:
            self._renewed.clear()
            await self._renewed.wait()


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

    The relay writes (`grow`, `note`, `close`, `settle`), the bot reads. Both calls of
    `Bot.deliver` for one answer get the same object, so that what the first has posted
    (`posted`) the second edits. Files follow the final text, and are never edited. After a
    crash, `posted` and `attached` come back from the store.

    Args:
        chat: Where it goes.
        key: Its own number.
        to: The message it answers; None for none.
        posted: Ids of messages that already show it.
        attached: How many of its files are already in the chat.
        record: Keeps the id of a part: texts count from 0 up, files from -1 down.
        clearance: Whether it is sure that nobody else shows this; None if that is always so.
    """

    def __init__(
        self,
        *,
        chat: Chat,
        key: int,
        to: str | None = None,
        posted: tuple[str, ...] = (),
        attached: int = 0,
        record: Record | None = None,
        clearance: Clearance | None = None,
    ) -> None:
        self.chat = chat
        self.key = key
        self.to = to
        self.text = ""
        self.grown_at = 0.0
        self.files: tuple[File, ...] = ()
        self.is_note = False
        self.is_final = False
        self.posted = [Posted(ref=ref) for ref in posted]
        self.attached = attached
        self._record = record
        self._clearance = clearance
        self._changed = asyncio.Event()
        self._closed = asyncio.Event()

    def grow(self, text: str) -> None:
        """Show `text`, the whole of it, in place of what stood before; never waits."""
        if text and (self.is_note or not self.text):
            self.grown_at = time.monotonic()
        self._show(text, is_note=False)

    def note(self, text: str) -> None:
        """Show `text` likewise, though it is no part of the answer."""
        self._show(text, is_note=True)

    def _show(self, text: str, *, is_note: bool) -> None:
        self.text = text
        self.is_note = is_note
        self._changed.set()

    def close(self) -> None:
        """End the preview: nothing more will grow."""
        self._closed.set()
        self._changed.set()

    def settle(self, text: str, *, files: tuple[File, ...] = ()) -> None:
        """Make `text` the final one, and `files` what follows it."""
        self.text = text
        self.files = files
        self.is_final = True
        self.close()

    async def cleared(self) -> None:
        """Wait until it is sure that nobody else shows this; before each call of the platform."""
        if self._clearance:
            await self._clearance.wait()

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

    async def record_file(self, ref: str) -> None:
        """Remember that the next file was posted, so that no retry posts it again."""
        self.attached += 1
        if self._record:
            await self._record(-self.attached, ref)
