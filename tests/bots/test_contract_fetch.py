"""How every bot hands out files: one contract, on every platform."""

import pytest

from core.errors import DeliveryError, FetchError
from core.types import Voice
from tests.bots.contract_steps import heard
from tests.bots.stages import LARGEST_FILE, TROUBLES, Stage

SOUND = bytes(range(256)) * 5000
TEXT = "Bonjour à tous\r\n".encode()


async def voice_of(stage: Stage, data: bytes, *, size: int | None = None) -> Voice:
    """Have a person send a recording; return it."""
    await stage.send_voice(data, size=size)
    message = await heard(stage)
    voice = message.voice or (message.quoted and message.quoted.voice)
    assert voice
    return voice


async def test_a_recording_comes_back_unchanged(stage: Stage) -> None:
    """Byte by byte, as often as it is wanted, under the size and type that it is said to have."""
    voice = await voice_of(stage, SOUND)
    assert (voice.size, voice.mime) == (len(SOUND), "audio/ogg")
    for _ in range(2):
        assert await stage.serving.bot.fetch(voice) == SOUND


async def test_a_text_file_comes_back_unchanged(stage: Stage) -> None:
    """Byte by byte, under its name."""
    await stage.send_document("notes.txt", TEXT)
    [document] = (await heard(stage)).documents
    assert (document.name, document.size) == ("notes.txt", len(TEXT))
    assert await stage.serving.bot.fetch(document) == TEXT


@pytest.mark.parametrize(
    ("length", "size"), [(1, LARGEST_FILE + 1), (LARGEST_FILE + 1, 1)], ids=["said", "found"]
)
async def test_what_is_too_large_is_not_fetched(stage: Stage, length: int, size: int) -> None:
    """Whether it says so or not."""
    voice = await voice_of(stage, bytes(length), size=size)
    with pytest.raises(FetchError, match="too large"):
        await stage.serving.bot.fetch(voice)


async def test_yesterdays_file_can_be_fetched(stage: Stage) -> None:
    """Platforms let links expire, but not what they lead to."""
    voice = await voice_of(stage, SOUND)
    stage.pass_day()
    assert await stage.serving.bot.fetch(voice) == SOUND


async def test_a_file_that_is_gone_cannot_be_fetched(stage: Stage) -> None:
    """And asking again does not help."""
    voice = await voice_of(stage, SOUND)
    stage.lose_files()
    with pytest.raises(FetchError):
        await stage.serving.bot.fetch(voice)


async def test_trouble_with_a_file_passes(stage: Stage) -> None:
    """It is there at the next attempt."""
    voice = await voice_of(stage, SOUND)
    for trouble in TROUBLES:
        fault = stage.strike_file(trouble, 2)  # aiohttp makes up for one cut connection
        with pytest.raises(DeliveryError):
            await stage.serving.bot.fetch(voice)
        fault.left = 0
        assert await stage.serving.bot.fetch(voice) == SOUND
