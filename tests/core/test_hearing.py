"""Recordings are taken apart beside everything else, not before it."""

import asyncio
import threading
from dataclasses import replace

import pytest

from core import audio, hearing
from core.errors import SpeechError
from core.protocols import Store
from core.types import Voice
from core.understand import MOST_HEARD
from tests import sound
from tests.core.house import House
from tests.core.stand_ins import CHAT, StandInTranscriber

VOICE = Voice(ref="file-1")


@pytest.fixture
def clock() -> None:
    """Time passes in the store."""


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


async def test_only_so_many_recordings_are_in_memory(store: Store) -> None:
    """However many chats send one, few are fetched and heard at a time; texts do not wait."""
    many = MOST_HEARD + 4
    ear = StandInTranscriber(["hm"] * many, gate=asyncio.Event())
    house = House(store=store, transcriber=ear)
    async with house.running(), asyncio.timeout(20):
        for number in range(many):
            await house.say(voice=VOICE, chat=replace(CHAT, ref=f"voice {number}"))
        while len(ear.heard) < MOST_HEARD:  # noqa: ASYNC110 - it has no event for it
            await asyncio.sleep(0.01)
        await house.ask("and me?")
        assert len(ear.heard) == MOST_HEARD
        assert ear.gate
        ear.gate.set()
        await house.bot.until(many + 1)
