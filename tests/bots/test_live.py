"""How a growing reply is shown, on a stand-in for a platform."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots import live
from core.errors import DeliveryError, GoneError, StoreError
from core.reply import Reply
from core.types import File
from tests.bots.paper import CHAT, Paper, finish, preview, until_done

PICTURE = File(name="usage.png", mime="image/png", data=b"png")
ARCHIVE = File(name="export.zip", mime="application/zip", data=b"zip")


async def test_a_growing_text_is_one_message_that_is_edited() -> None:
    """The first text is posted at once, the next ones edit it, the final text stands."""
    reply, paper = Reply(chat=CHAT, key=1), Paper()
    async with preview(reply, paper):
        reply.grow("one")
        await paper.until(lambda: paper.shown == {"1": "one_"})
        reply.grow("one two")
        await paper.until(lambda: paper.shown == {"1": "one two_"})
    await finish(reply, paper, "one two 3")
    assert paper.calls == ["first", "edit 1", "edit 1"]
    assert paper.shown == {"1": "one two 3"}


async def test_a_long_text_goes_on_in_a_next_message() -> None:
    """What is full is left alone; each part but the last final one leaves a receipt."""
    receipts: list[tuple[int, str]] = []

    async def record(part: int, ref: str) -> None:
        receipts.append((part, ref))

    reply, paper = Reply(chat=CHAT, key=1, record=record), Paper()
    async with preview(reply, paper):
        reply.grow("a" * 12)
        await paper.until(lambda: len(paper.shown) == 2)
        reply.grow("a" * 13)
        await paper.until(lambda: "aaa_" in paper.shown.values())
    assert paper.calls == ["first", "post", "edit 2"]
    await finish(reply, paper, "a" * 31)
    assert paper.calls == ["first", "post", "edit 2", "edit 2", "post", "post"]
    assert list(paper.shown.values()) == ["a" * 10] * 3 + ["a"]
    assert receipts == [(0, "1"), (1, "2"), (2, "5")]


async def test_drafts_show_the_last_part_and_only_full_parts_are_posted() -> None:
    """Where there are drafts, one final message is posted and nothing is edited."""
    reply, paper = Reply(chat=CHAT, key=1), Paper(has_drafts=True)
    async with preview(reply, paper):
        reply.grow("one")
        await paper.until(lambda: paper.drafted == "one_")
        reply.grow("a" * 12)
        await paper.until(lambda: paper.drafted == "aa_")
    assert paper.calls == ["draft", "first", "draft"]
    await finish(reply, paper, "a" * 13)
    assert paper.calls == ["draft", "first", "draft", "post"]
    assert list(paper.shown.values()) == ["a" * 10, "aaa"]


async def test_a_draft_is_sent_again_before_it_fades() -> None:
    """When the model is silent, the draft stays visible."""
    pace = live.Pace(draft=0.0, edit=0.0, refresh=0.01)
    reply, paper = Reply(chat=CHAT, key=1), Paper(has_drafts=True, pace=pace)
    async with preview(reply, paper):
        reply.grow("one")
        await paper.until(lambda: paper.calls.count("draft") > 2)
        reply.grow("two!")
        await paper.until(lambda: paper.drafted == "two!_")


async def test_silence_is_announced_until_the_first_text() -> None:
    """The chat hears that the bot writes, again and again, until there is something to read."""
    pace = live.Pace(draft=0.0, edit=0.0, typing_after=0.01, typing_every=0.01)
    reply, paper = Reply(chat=CHAT, key=1), Paper(pace=pace)
    paper.faults = [DeliveryError("no")]
    async with preview(reply, paper):
        await paper.until(lambda: len(paper.calls) > 2)
        assert set(paper.calls) == {"type"}
        reply.grow("one")
        await paper.until(lambda: "first" in paper.calls)
        before = len(paper.calls)
        reply.grow("one two")
        await paper.until(lambda: "one two_" in paper.shown.values())
        assert "type" not in paper.calls[before:]


async def test_closing_ends_every_wait_at_once() -> None:
    """The final text is not held up by pacing."""
    pace = live.Pace(draft=60.0, edit=60.0)
    reply, paper = Reply(chat=CHAT, key=1), Paper(pace=pace)
    async with preview(reply, paper):
        reply.grow("one")
        await paper.until(lambda: paper.shown)
    await finish(reply, paper, "one.")
    assert paper.shown == {"1": "one."}


async def test_what_grew_all_at_once_is_shown_little_by_little() -> None:
    """A preview posts no faster than a final text, and does not hold that up by the rest."""
    pace = live.Pace(draft=60.0, edit=60.0, typing_after=60.0)
    reply, paper = Reply(chat=CHAT, key=1), Paper(pace=pace)
    async with preview(reply, paper):
        reply.grow("a" * 95)
        await paper.until(lambda: len(paper.shown) == live.AT_ONCE)
        for _ in range(20):
            await asyncio.sleep(0)
    assert len(paper.calls) == live.AT_ONCE
    paper.pace = live.Pace(draft=0.0, edit=0.0)
    await finish(reply, paper, "a" * 95)
    assert list(paper.shown.values()) == ["a" * 10] * 9 + ["a" * 5]


async def test_a_call_under_way_completes_first() -> None:
    """A preview's edit can never land on top of the final text."""
    reply, paper = Reply(chat=CHAT, key=1), Paper()
    paper.gate.clear()
    task = asyncio.create_task(live.show(reply, paper))
    reply.grow("one")
    await paper.until(lambda: paper.calls)
    reply.close()
    await asyncio.sleep(0)
    assert not task.done()
    paper.gate.set()
    await task
    assert paper.shown == {"1": "one_"}


async def test_what_is_shown_never_gets_shorter() -> None:
    """A model that starts over is not seen before it has caught up."""
    reply, paper = Reply(chat=CHAT, key=1), Paper()
    seen: list[str] = []
    async with preview(reply, paper):
        for text in ("one two", "X", "", "X Y", "X Y Z and"):
            reply.grow(text)
            for _ in range(20):
                await asyncio.sleep(0)
            seen += paper.shown.values()
    assert seen == ["one two_"] * 4 + ["X Y Z and_"]


async def test_a_failed_preview_shows_the_newest_text_later() -> None:
    """A pause the platform asks for delays the preview, and nothing is raised."""
    reply, paper = Reply(chat=CHAT, key=1), Paper()
    paper.faults = [DeliveryError("slow down", retry_after=0.01), DeliveryError("reset")]
    async with preview(reply, paper):
        reply.grow("one")
        await paper.until(lambda: paper.shown)
    assert paper.shown == {"3": "one_"}
    assert paper.calls == ["first", "first", "first"]


async def test_a_first_text_waits_no_longer_than_the_platform_asks() -> None:
    """The pace of edits is for what can be seen already."""
    reply, paper = Reply(chat=CHAT, key=1), Paper(pace=live.Pace(edit=60.0, typing_after=60.0))
    paper.faults = [DeliveryError("slow down", retry_after=0.01)]
    async with preview(reply, paper):
        reply.grow("one")
        await paper.until(lambda: paper.shown)
    assert paper.calls == ["first", "first"]


async def test_a_failing_store_does_not_end_the_preview() -> None:
    """A receipt that cannot be written is remembered in memory."""

    async def record(part: int, ref: str) -> None:
        raise StoreError(f"{part} {ref}")

    reply, paper = Reply(chat=CHAT, key=1, record=record), Paper()
    async with preview(reply, paper):
        reply.grow("one")
        await paper.until(lambda: paper.shown)
        reply.grow("one two")
        await paper.until(lambda: "one two_" in paper.shown.values())
    assert paper.calls == ["first", "edit 1"]


async def test_a_preview_in_a_chat_that_is_gone_ends_quietly() -> None:
    """Only the final text has to be heard of."""
    reply, paper = Reply(chat=CHAT, key=1), Paper()
    paper.faults = [GoneError("blocked")]
    async with preview(reply, paper) as task:
        reply.grow("one")
        await asyncio.wait({task}, timeout=10)
        assert task.done()
    assert paper.calls == ["first"]


async def test_a_retry_goes_on_where_the_last_attempt_ended() -> None:
    """What stands is not posted again; a longer pause is the caller's to plan."""
    reply, paper = Reply(chat=CHAT, key=1), Paper()
    paper.faults = [None, DeliveryError("slow down", retry_after=9.0)]
    with pytest.raises(DeliveryError) as caught:
        await finish(reply, paper, "a" * 15)
    assert caught.value.retry_after == 9.0
    await live.show(reply, paper)
    await live.show(reply, paper)
    assert paper.calls == ["first", "post", "post"]
    assert list(paper.shown.values()) == ["a" * 10, "a" * 5]


async def test_a_short_pause_is_waited_for() -> None:
    """A pause of a moment costs no retry, a second one in a row does."""
    reply, paper = Reply(chat=CHAT, key=1), Paper()
    paper.faults = [DeliveryError("a moment", retry_after=0.0)]
    await finish(reply, paper, "one")
    assert paper.shown == {"2": "one"}
    paper.faults = [DeliveryError("a moment", retry_after=0.0)] * 2
    with pytest.raises(DeliveryError):
        await finish(reply, paper, "two")


async def test_after_a_crash_posted_messages_are_edited() -> None:
    """Receipts of an earlier attempt are used before anything is posted; the rest is removed."""
    reply, paper = Reply(chat=CHAT, key=1, posted=("7", "8", "9")), Paper(has_drafts=True)
    paper.shown = {"7": "old", "8": "old", "9": "old"}
    async with preview(reply, paper):
        reply.grow("one")
        await paper.until(lambda: paper.shown["7"] == "one_")
    await finish(reply, paper, "a" * 12)
    assert paper.calls == ["edit 7", "edit 7", "edit 8", "remove 9"]
    assert paper.shown == {"7": "a" * 10, "8": "aa"}


async def test_a_message_somebody_deleted_is_posted_anew() -> None:
    """The new message is edited from then on."""
    reply, paper = Reply(chat=CHAT, key=1, posted=("7",)), Paper()
    async with preview(reply, paper):
        reply.grow("one")
        await paper.until(lambda: paper.shown)
    await finish(reply, paper, "two")
    assert paper.shown == {"7b": "two"}


@pytest.mark.parametrize(
    ("fault", "is_raised"),
    [(DeliveryError("too old"), False), (DeliveryError("slow down", retry_after=9.0), True)],
)
async def test_a_needless_message_is_removed_if_possible(
    fault: DeliveryError, *, is_raised: bool
) -> None:
    """Only a pause is worth another attempt at removing."""
    reply, paper = Reply(chat=CHAT, key=1, posted=("7", "8")), Paper()
    paper.shown = {"7": "old", "8": "old"}
    paper.faults = [None, fault]
    result = await asyncio.gather(finish(reply, paper, "one"), return_exceptions=True)
    assert [type(found) for found in result] == [DeliveryError if is_raised else type(None)]
    await live.show(reply, paper)
    assert paper.shown == ({"7": "one"} if is_raised else {"7": "one", "8": "old"})


async def test_an_empty_text_posts_nothing() -> None:
    """Nothing to say leaves nothing standing."""
    reply, paper = Reply(chat=CHAT, key=1, posted=("7",)), Paper()
    paper.shown = {"7": "old"}
    await finish(reply, paper, "")
    assert paper.shown == {}


async def test_files_follow_the_text_once() -> None:
    """Each is posted below the text; the next attempt goes on after the last that stands."""
    receipts: list[tuple[int, str]] = []

    async def record(part: int, ref: str) -> None:
        receipts.append((part, ref))

    reply, paper = Reply(chat=CHAT, key=1, record=record), Paper()
    paper.faults = [None, None, DeliveryError("a moment", retry_after=0.0), DeliveryError("no")]
    with pytest.raises(DeliveryError):
        await finish(reply, paper, "one", PICTURE, ARCHIVE)
    assert receipts == [(0, "1"), (-1, "2")]
    await live.show(reply, paper)
    await live.show(reply, paper)
    assert paper.calls == ["first", "post", "post", "post", "post"]
    assert list(paper.shown.values()) == ["one", "usage.png", "export.zip"]
    assert receipts == [(0, "1"), (-1, "2"), (-2, "5")]


async def test_what_was_attached_before_a_crash_is_left_alone() -> None:
    """Messages that the text does not need go, files stay, and the next file follows."""
    reply = Reply(chat=CHAT, key=1, posted=("7", "8"), attached=1)
    paper = Paper()
    paper.shown = {"7": "old", "8": "old", "9": "usage.png"}
    await finish(reply, paper, "one", PICTURE, ARCHIVE)
    assert paper.calls == ["edit 7", "remove 8", "post"]
    assert list(paper.shown.values()) == ["one", "usage.png", "export.zip"]


async def test_a_file_without_a_text_answers() -> None:
    """What is seen first of a reply is the answer to what was asked."""
    reply, paper = Reply(chat=CHAT, key=1), Paper()
    await finish(reply, paper, "", PICTURE, ARCHIVE)
    assert paper.calls == ["first", "post"]


def test_a_file_that_cannot_be_sent_is_missed_in_words() -> None:
    """The sentence names the file, what it weighs, and what it may weigh."""
    file = File(name="export.zip", mime="application/zip", data=bytes(10_000_001))
    said = live.too_large(file, 10_000_000)
    assert said == "Here `export.zip` is missing: it has 10.1 MB, and I can send at most 10 MB."


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.text("ab ", max_size=35), max_size=6),
    final=st.text("ab ", max_size=45),
    faults=st.lists(st.booleans(), max_size=12),
    posted=st.integers(0, 3),
    files=st.integers(0, 2),
    has_drafts=st.booleans(),
)
def test_whatever_happens_the_final_text_stands_once(
    texts: list[str],
    final: str,
    faults: list[bool],
    posted: int,
    *,
    files: int,
    has_drafts: bool,
) -> None:
    """Any growth, faults and receipts end in exactly the parts and files, in order."""

    async def run() -> None:
        refs = tuple(f"old{number}" for number in range(posted))
        reply, paper = Reply(chat=CHAT, key=1, posted=refs), Paper(has_drafts=has_drafts)
        paper.shown = dict.fromkeys(refs, "old")
        paper.faults = [DeliveryError("no", retry_after=9.0) if bad else None for bad in faults]
        task = asyncio.create_task(live.show(reply, paper))
        for text in texts:
            reply.grow(text)
            for _ in range(5):
                await asyncio.sleep(0)
        reply.close()
        await task
        reply.settle(final, files=(PICTURE, ARCHIVE)[:files])
        await until_done(lambda: live.show(reply, paper))
        names = [file.name for file in reply.files]
        assert list(paper.shown.values()) == [*paper.render(final, is_final=True), *names]

    asyncio.run(run())
