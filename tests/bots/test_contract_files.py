"""How every bot shows answers that carry files: one contract, on every platform."""

import pytest

from core.errors import DeliveryError, GoneError
from core.types import File
from tests.bots.contract_steps import asked, final, preview, reply_to, replying, sees
from tests.bots.stages import TROUBLES, Stage
from tests.pictures import png

PICTURE = File(name="usage.png", mime="image/png", data=png())
ARCHIVE = File(name="export.zip", mime="application/zip", data=bytes(range(256)) * 6000)
BOTH = {PICTURE.name: PICTURE.data, ARCHIVE.name: ARCHIVE.data}


def words(stage: Stage) -> list[str]:
    """Return what can be read, in order; a file is its name."""
    return " ".join(stage.shown).split()


async def test_files_arrive_below_the_text(stage: Stage) -> None:
    """Unchanged, once each, in order."""
    await final(stage, await replying(stage), "**Here**", PICTURE, ARCHIVE)
    assert words(stage) == ["Here", "usage.png", "export.zip"]
    assert stage.files == BOTH


async def test_files_follow_a_text_that_grew(stage: Stage) -> None:
    """A preview shows none of them."""
    reply = await replying(stage)
    async with preview(stage, reply):
        reply.grow("One")
        await sees(stage, "One")
    await final(stage, reply, "One two", PICTURE)
    assert words(stage) == ["One", "two", "usage.png"]


async def test_a_file_alone_is_an_answer(stage: Stage) -> None:
    """It needs no text, and nothing that grew before it stands."""
    await final(stage, await replying(stage), "", PICTURE, ARCHIVE)
    assert words(stage) == ["usage.png", "export.zip"]
    assert stage.files == BOTH


async def test_files_go_on_after_a_crash(stage: Stage) -> None:
    """Another process that knows what stands posts what is missing, and nothing again."""
    incoming = await asked(stage)
    reply = reply_to(incoming)
    await final(stage, reply, "Here")
    stage.strike("cut")
    with pytest.raises(DeliveryError):
        await final(stage, reply, "Here", PICTURE, ARCHIVE)
    posted = [message.ref for message in reply.posted]
    for attached, files in enumerate(((PICTURE,), (PICTURE, ARCHIVE), (PICTURE, ARCHIVE))):
        await stage.restart()
        again = reply_to(incoming, posted=posted, attached=attached)
        await final(stage, again, "Here", *files)
        assert again.attached == len(files)
        assert words(stage) == ["Here", *(file.name for file in files)]


async def test_a_file_whose_confirmation_was_lost(stage: Stage) -> None:
    """It may stand twice where the platform cannot tell it from another."""
    reply = await replying(stage)
    stage.strike("lost")
    with pytest.raises(DeliveryError):
        await final(stage, reply, "", PICTURE)
    await stage.serving.bot.deliver(reply)
    assert words(stage) == ["usage.png"] * (1 + stage.may_double)


async def test_trouble_with_a_file_is_the_callers_to_outlast(stage: Stage) -> None:
    """The text stands; the next call posts the file."""
    for trouble in TROUBLES:
        reply = await replying(stage)
        await final(stage, reply, "Here")
        stage.strike(trouble)
        with pytest.raises(DeliveryError, match="cannot be reached") as caught:
            await final(stage, reply, "Here", PICTURE)
        assert not isinstance(caught.value, GoneError)
        await stage.serving.bot.deliver(reply)
        assert words(stage)[-2:] == ["Here", "usage.png"]


async def test_a_file_for_a_chat_that_is_gone_is_given_up(stage: Stage) -> None:
    """It can never stand there."""
    reply = await replying(stage)
    stage.leave()
    with pytest.raises(GoneError):
        await final(stage, reply, "", PICTURE)
    assert stage.shown == []
