"""Recordings taken apart in a few threads of their own, so that nothing else waits for one.

In those that asyncio shares among all, a dozen long recordings kept everything else waiting that
needs a thread, names of hosts to be looked up among it, for 45 s (2 cores, 2026-11).
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from core.types import Voice

if TYPE_CHECKING:
    from core.audio import Recording

P = ParamSpec("P")
T = TypeVar("T")

# More than cores, so that a short recording gets its share of them beside long ones.
THREADS = 4

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="audio")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `work`, which keeps a processor busy, in one of the threads."""
    return await asyncio.wrap_future(_threads.submit(work, *args, **kwargs))


async def examined(audio: bytes, voice: Voice, *, longest: float) -> "Recording":
    """Examine a recording as `core.audio.examine` does.

    When cancelled, the thread is free again at once: an hour of sound takes one 13 s.

    Args:
        audio: The file.
        voice: What the platform says of it; one it calls too long is not looked at.
        longest: Seconds.

    Raises:
        SpeechError: It cannot be heard.
    """
    is_over = threading.Event()
    try:
        return await in_thread(_examine, audio, voice, longest, is_over)
    finally:
        is_over.set()


def _examine(audio: bytes, voice: Voice, longest: float, is_over: threading.Event) -> "Recording":
    from core.audio import check_length, examine  # noqa: PLC0415 - PyAV: 25 MB and 0.1 s

    check_length(voice.seconds or 0, longest)
    return examine(audio, longest=longest, is_over=is_over)
