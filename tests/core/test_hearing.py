"""Recordings are taken apart beside everything else, not before it."""

import asyncio
import threading

import pytest

from core import audio, hearing
from core.errors import SpeechError
from core.types import Voice
from tests import sound

VOICE = Voice(ref="file-1")


async def test_nothing_else_waits_for_recordings() -> None:
    """However many are examined, whatever needs a thread has one: a host's name, a long text."""
    raw = sound.voice_note(20)
    many = [
        asyncio.create_task(hearing.examined(raw, VOICE, longest=60))
        for _ in range(10 * hearing.THREADS)
    ]
    await asyncio.sleep(0)
    await asyncio.to_thread(len, raw)
    assert sum(one.done() for one in many) < 2 * hearing.THREADS
    for one in many:
        one.cancel()
    ended = await asyncio.gather(*many, return_exceptions=True)
    assert any(isinstance(one, asyncio.CancelledError) for one in ended)
    assert (await hearing.examined(raw, VOICE, longest=60)).seconds == pytest.approx(20, abs=0.1)


def test_what_nobody_wants_to_know_is_not_decoded() -> None:
    """Who is told so midway stops there: hours of sound do not hold up a process that ends."""
    is_over = threading.Event()
    is_over.set()
    with pytest.raises(SpeechError):
        audio.examine(sound.voice_note(2), longest=60, is_over=is_over)
