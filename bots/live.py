"""A reply made visible: paced previews with the fewest posts and edits, then the final text."""

import asyncio
import contextlib
import functools
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from core import metrics
from core.errors import DeliveryError, GoneError, StoreError
from core.reply import Posted, Reply
from core.types import File

log = logging.getLogger(__name__)

# A pause this short is waited for on the spot; one that is longer is the caller's to plan.
SHORT_PAUSE = 1.0
# A chat that shows nothing yet is tried again when the platform says, but not sooner than this.
SOON = 0.1
# So many messages of an answer are posted at once, as platforms let them; others at the pace.
AT_ONCE = 3

P = TypeVar("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a preview may call the platform; all in seconds.

    Attributes:
        draft: From one draft to the next call.
        edit: From a post or an edit to the next call, for each of them.
        refresh: A draft is sent again after so long without a change, before it fades.
        typing_after: Silence before the chat is told that the bot writes.
        typing_every: From one such sign to the next.
        call: A call is given up after so long, unless something could stand twice by that.
        change: So is an edit: carried out later, it would undo the final text.
    """

    draft: float = 0.6
    edit: float = 1.0
    refresh: float = 20.0
    typing_after: float = 0.5
    typing_every: float = 4.5
    call: float = 5.0
    change: float = 10.0


class Screen(Protocol[P]):
    """Where one reply is shown: the calls of a platform, for one chat.

    Each part is one message of the platform; parts that are equal look the same. Every call
    raises DeliveryError or GoneError when it fails.
    """

    pace: Pace

    def render(self, text: str, *, is_final: bool) -> Sequence[P]:
        """Split and format Markdown; every prefix of an answer renders."""

    async def post(self, part: P, *, is_first: bool) -> str:
        """Post a message, the first as an answer to what was asked; return its id."""

    async def edit(self, ref: str, part: P) -> str:
        """Make a message show `part`; return its id, a new one if it had to be posted anew."""

    async def attach(self, file: File, *, is_first: bool) -> str:
        """Post a file, or a sentence if the platform does not take it; return its id."""

    async def remove(self, ref: str) -> None:
        """Delete a message."""

    async def draft(self, part: P) -> bool:
        """Show a message that is not posted yet; False where there is no such thing."""

    async def type(self) -> None:
        """Tell the chat that the bot writes."""


def missing(file: File, why: str) -> str:
    """Return the sentence, in Markdown, that stands in place of a file."""
    return f"Here `{file.name}` is missing: {why}."


def too_large(file: File, most: int) -> str:
    """Return the sentence in place of a file that has more than `most` bytes."""
    size = math.ceil(len(file.data) / 100_000) / 10
    return missing(file, f"it has {size} MB, and I can send at most {most // 1_000_000} MB")


async def show(reply: Reply, screen: Screen[P]) -> None:
    """Do for `reply` what `core.protocols.Bot.deliver` promises.

    Raises:
        DeliveryError: The final text does not stand yet. What was posted is in
            `reply.posted` and `reply.attached`, and the next call goes on from there.
        GoneError: It never will.
    """
    if reply.is_final:
        await _settle(reply, screen)
        return
    typing = asyncio.create_task(_type(screen))
    try:
        await _follow(reply, screen, typing)
    finally:
        typing.cancel()
        await asyncio.wait({typing})


async def _follow(reply: Reply, screen: Screen[P], typing: asyncio.Task[None]) -> None:
    """Show the reply as it grows, until it closes.

    What is shown never gets shorter: a model that starts over is shown again once it has
    caught up. Only a note gives way to whatever comes. The wait between two calls ends with the
    preview, so that the final text is never held up.
    """
    snapshots, length = reply.snapshots(), 0
    patience: float | None = None
    while True:
        text: str | None
        try:
            async with asyncio.timeout(patience):
                text = await anext(snapshots, None)
        except TimeoutError:
            snapshots, text = reply.snapshots(), reply.text
        if text is None:
            return
        patience = screen.pace.refresh
        if not text.strip() or len(text) < length:
            continue
        typing.cancel()
        is_note = reply.is_note
        try:
            pause = await _update(reply, screen, screen.render(text, is_final=False))
            if not (length or is_note):
                metrics.observe("visible", time.monotonic() - reply.grown_at)
            length = 0 if is_note else len(text)
        except GoneError:
            return
        except (DeliveryError, StoreError) as error:
            log.debug("preview pauses: %s", error)
            pause, patience = _pause_after(error, screen.pace, is_seen=length > 0), 0.0
        await reply.has_closed(within=pause)


def _pause_after(error: DeliveryError | StoreError, pace: Pace, *, is_seen: bool) -> float:
    """Return the seconds until a failed preview is tried again."""
    asked = error.retry_after if isinstance(error, DeliveryError) else None
    if asked is None or is_seen:
        return max(asked or 0.0, pace.edit)
    return max(asked, min(SOON, pace.edit))


async def _update(reply: Reply, screen: Screen[P], parts: Sequence[P]) -> float:
    """Bring what stands in the chat to `parts`; return the seconds to pause afterwards."""
    calls = 0
    for index, part in enumerate(parts):
        if calls >= AT_ONCE and await reply.has_closed(within=screen.pace.edit):
            break
        await reply.cleared()
        if index < len(reply.posted):
            calls += await _replace(reply.posted[index], screen, part)
        elif index < len(parts) - 1 or not await screen.draft(part):
            await reply.record(await screen.post(part, is_first=not index), part)
            calls += 1
    return max(min(calls, AT_ONCE) * screen.pace.edit, screen.pace.draft)


async def _replace(posted: Posted, screen: Screen[P], part: P) -> bool:
    """Edit a message unless it shows `part` already; say whether it was edited."""
    if posted.shown == part:
        return False
    posted.shown = None  # a failed edit may have been done all the same
    posted.ref = await screen.edit(posted.ref, part)
    posted.shown = part
    return True


async def _settle(reply: Reply, screen: Screen[P]) -> None:
    parts = screen.render(reply.text, is_final=True)
    calls = 0
    for index, part in enumerate(parts):
        if calls >= AT_ONCE:
            await asyncio.sleep(screen.pace.edit)
        await reply.cleared()
        if index < len(reply.posted):
            calls += await _soon(functools.partial(_replace, reply.posted[index], screen, part))
            continue
        calls += 1
        ref = await _soon(functools.partial(screen.post, part, is_first=not index))
        if index < len(parts) - 1 or reply.files:
            await reply.record(ref, part)
        else:  # the caller commits that the whole text stands, and needs no receipt for this
            reply.posted.append(Posted(ref=ref, shown=part))
    while len(reply.posted) > len(parts):
        await reply.cleared()
        await _soon(functools.partial(_remove, screen, reply.posted[-1].ref))
        reply.posted.pop()
    while reply.attached < len(reply.files):
        await reply.cleared()
        file, is_first = reply.files[reply.attached], not (reply.posted or reply.attached)
        attach = functools.partial(screen.attach, file, is_first=is_first)
        await reply.record_file(await _soon(attach))


async def _remove(screen: Screen[P], ref: str) -> None:
    """Delete a message that the final text does not need, if the platform lets us."""
    try:
        await screen.remove(ref)
    except DeliveryError as error:
        if error.retry_after is not None:
            raise
        log.debug("message %s stays: %s", ref, error)


async def _soon(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call, and once more after a pause if the platform asks for a short one."""
    try:
        return await call()
    except DeliveryError as error:
        if error.retry_after is None or error.retry_after > SHORT_PAUSE:
            raise
        await asyncio.sleep(error.retry_after)
    return await call()


async def _type(screen: Screen[P]) -> None:
    await asyncio.sleep(screen.pace.typing_after)
    while True:
        with contextlib.suppress(DeliveryError):
            await screen.type()
        await asyncio.sleep(screen.pace.typing_every)
