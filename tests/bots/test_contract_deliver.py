"""How every bot shows answers: one contract, on every platform."""

import asyncio
from collections.abc import Sequence

import pytest

from core.errors import DeliveryError, GoneError
from tests.bots.contract_steps import asked, final, preview, reply_to, replying, sees
from tests.bots.stages import TROUBLES, Stage, until

# Words that differ, in paragraphs and code, none of which fits into a message of any platform.
_PROSE = " ".join(f"word{number}" for number in range(360))
_CODE = "\n".join(f"row{number} = {number}" for number in range(280))
LONG = f"{_PROSE}\n\n```python\n{_CODE}\n```\n\n{_PROSE.replace('word', 'end')}"
LONG_WORDS = LONG.replace("```python", "").replace("```", "").split()


def words(texts: Sequence[str]) -> list[str]:
    """Return what can be read, in order."""
    return " ".join(texts).split()


async def test_a_growing_answer_ends_as_its_final_text(stage: Stage) -> None:
    """People see it grow; what stands in the end is the final text, formatted, once."""
    reply = await replying(stage)
    async with preview(stage, reply):
        for text in ("One", "One **two**", "One **two** three"):
            reply.grow(text)
            await sees(stage, text.replace("*", ""))
    await final(stage, reply, "One **two** three `four`.")
    assert stage.shown == ["One two three four."]


async def test_a_final_text_needs_no_preview(stage: Stage) -> None:
    """It stands when the call returns."""
    await final(stage, await replying(stage), "Hello.")
    assert stage.shown == ["Hello."]


async def test_a_long_answer_arrives_whole(stage: Stage) -> None:
    """In order, in messages that the platform takes, with its code as code in each of them."""
    reply = await replying(stage)
    async with preview(stage, reply):
        for end in (len(LONG) // 3, 2 * len(LONG) // 3):
            reply.grow(LONG[:end])
            await sees(stage, LONG[:end].split()[-2])
    await final(stage, reply, LONG)
    assert len(LONG) > 8000
    assert words(stage.shown) == LONG_WORDS
    assert "```" not in "".join(stage.shown)


async def test_an_empty_text_shows_nothing(stage: Stage) -> None:
    """Neither while it grows nor when it ends before the first word."""
    reply = await replying(stage)
    async with preview(stage, reply):
        for text in ("", " \n"):
            reply.grow(text)
            await asyncio.sleep(0)
    assert stage.shown == []
    await final(stage, reply, "One")
    assert stage.shown == ["One"]


async def test_a_note_gives_way_to_the_answer(stage: Stage) -> None:
    """However short the answer's beginning is; nothing of the note is left."""
    reply = await replying(stage)
    async with preview(stage, reply):
        for ahead in ("10 ahead of you", "9 ahead of you"):
            reply.note(f"Waiting for the model: {ahead}")
            await sees(stage, ahead)
        reply.grow("Hello")
        await sees(stage, "Hello")
        assert "ahead" not in "".join(stage.shown)
    await final(stage, reply, "Hello.")
    assert stage.shown == ["Hello."]


async def test_nothing_is_left_of_a_reply_that_came_to_nothing(stage: Stage) -> None:
    """An empty final text takes back what was shown."""
    reply = await replying(stage)
    async with preview(stage, reply):
        reply.note("Waiting for the model: you are next")
        await sees(stage, "you are next")
    if reply.posted:  # else it fades by itself
        await final(stage, reply, "")
        assert stage.standing == []


async def test_an_answer_that_starts_over_ends_as_its_final_text(stage: Stage) -> None:
    """Nothing of the first attempt is left."""
    reply = await replying(stage)
    async with preview(stage, reply):
        reply.grow("One two three")
        await sees(stage, "three")
        reply.grow("Four")
        await asyncio.sleep(0)
        reply.grow("Four five six seven")
        await sees(stage, "seven")
    await final(stage, reply, "Eight")
    assert stage.shown == ["Eight"]


async def test_a_short_final_text_leaves_nothing_of_a_long_preview(stage: Stage) -> None:
    """What a shorter text does not need is deleted, but for what fades by itself."""
    reply = await replying(stage)
    async with preview(stage, reply):
        reply.grow(LONG)
        await sees(stage, LONG_WORDS[-1])
    await final(stage, reply, "Short.")
    assert stage.standing == ["Short."]


async def test_nothing_an_answer_says_is_obeyed(stage: Stage) -> None:
    """Tags are text, and what is no link or mention stays as it was written."""
    text = "<b>Hi</b> <script>x</script> 1 < 2 & 3 [x](javascript:x) _y @everyone"
    await final(stage, await replying(stage), text)
    [shown] = stage.shown
    assert "<b>Hi</b> <script>x</script> 1 < 2 & 3" in shown
    assert shown.endswith("_y @everyone")


async def test_an_answer_notifies_nobody(stage: Stage) -> None:
    """Whomever it names, while it grows and in the end."""
    reply, text = await replying(stage), f"Ask {stage.mentions}!"
    async with preview(stage, reply):
        reply.grow(text)
        await sees(stage, "Ask")
    await final(stage, reply, f"{text} Now!")
    assert stage.pinged == set()


async def test_what_stands_is_edited_after_a_crash(stage: Stage) -> None:
    """Another process that knows what was posted posts nothing again."""
    incoming = await asked(stage)
    reply = reply_to(incoming)
    async with preview(stage, reply):
        reply.grow(LONG)
        await sees(stage, LONG_WORDS[-1])
    await final(stage, reply, LONG)
    posted = [message.ref for message in reply.posted]
    await stage.restart()
    again = reply_to(incoming, posted=posted)
    await final(stage, again, LONG.replace("word", "new"))
    assert [message.ref for message in again.posted] == posted
    assert words(stage.shown) == [word.replace("word", "new") for word in LONG_WORDS]
    await final(stage, reply_to(incoming, posted=posted), "Short.")
    assert stage.shown == ["Short."]


async def test_a_confirmation_that_was_lost_doubles_no_edit(stage: Stage) -> None:
    """A first message may stand twice where the platform cannot tell it from another."""
    reply = await replying(stage)
    stage.strike("lost")
    with pytest.raises(DeliveryError):
        await final(stage, reply, "One")
    await stage.serving.bot.deliver(reply)
    assert stage.shown == ["One"] * (1 + stage.may_double)
    stage.strike("lost")
    with pytest.raises(DeliveryError):
        await final(stage, reply, "Two")
    await stage.serving.bot.deliver(reply)
    assert stage.shown[-1] == "Two"
    assert len(stage.shown) == 1 + stage.may_double


async def test_trouble_is_the_callers_to_outlast(stage: Stage) -> None:
    """The next call shows the final text."""
    reply = await replying(stage)
    for trouble in TROUBLES:
        stage.strike(trouble)
        with pytest.raises(DeliveryError, match="cannot be reached") as caught:
            await final(stage, reply, f"After {trouble}")
        assert not isinstance(caught.value, GoneError)
        await stage.serving.bot.deliver(reply)
        assert stage.shown == [f"After {trouble}"]


async def test_a_flood_wait_is_the_callers_to_plan(stage: Stage) -> None:
    """The pause is named; once it is over, the text is shown."""
    reply = await replying(stage)
    stage.strike("flood")
    with pytest.raises(DeliveryError) as caught:
        await final(stage, reply, "One")
    assert caught.value.retry_after
    await asyncio.sleep(caught.value.retry_after)
    await stage.serving.bot.deliver(reply)
    assert stage.shown == ["One"]


async def test_a_preview_that_fails_costs_only_itself(stage: Stage) -> None:
    """Whatever goes wrong with all of its calls, nothing is raised, and the final text stands."""
    incoming = await asked(stage)
    for key, trouble in enumerate((*TROUBLES, "refused")):
        reply = reply_to(incoming, key=key)
        fault = stage.strike(trouble, 1000)
        async with preview(stage, reply):
            reply.grow("One")
            await until(lambda: fault.used)  # noqa: B023
            reply.grow("One two")
            fault.left = 0
        await final(stage, reply, "One two three")
        assert stage.shown == ["One two three"]
        await final(stage, reply, "")


async def test_a_hanging_preview_hardly_holds_up_the_final_text(stage: Stage) -> None:
    """A call for a preview is given up in time, and leaves nothing behind."""
    reply = await replying(stage)
    async with preview(stage, reply):
        reply.grow("One")
        await sees(stage, "One")
        fault = stage.strike("held")
        reply.grow("One two")
        await until(lambda: fault.used)
    await final(stage, reply, "One two three")
    assert stage.shown == ["One two three"]


async def test_a_chat_that_is_gone_is_given_up(stage: Stage) -> None:
    """The preview ends by itself without a word; the final text can never stand."""
    reply = await replying(stage)
    stage.leave()
    task = asyncio.create_task(stage.serving.bot.deliver(reply))
    reply.grow("One")
    async with asyncio.timeout(10):
        await task
    with pytest.raises(GoneError):
        await final(stage, reply, "One")
    assert stage.shown == []


async def test_what_people_delete_stands_again_in_the_end(stage: Stage) -> None:
    """An answer that was deleted while it grew is posted anew, once."""
    reply = await replying(stage)
    async with preview(stage, reply):
        reply.grow("One")
        await sees(stage, "One")
    stage.wipe()
    await final(stage, reply, "One two")
    await stage.serving.bot.deliver(reply)
    [shown] = stage.shown
    assert shown.endswith("One two")  # a line above it may say for whom it is


async def test_a_question_that_was_deleted_is_answered(stage: Stage) -> None:
    """An answer does not depend on what it replies to."""
    reply = await replying(stage)
    stage.delete_quietly()
    async with preview(stage, reply):
        reply.grow("One")
        await sees(stage, "One")
    await final(stage, reply, "One two")
    assert stage.shown == ["One two"]
