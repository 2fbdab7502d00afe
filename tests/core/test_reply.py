"""A text that grows, then stands."""

import asyncio

from core.reply import Reply
from tests.core.stand_ins import CHAT


async def test_a_reader_sees_the_newest_text() -> None:
    """A slow reader misses what came in between, never the newest, and ends at the close."""
    reply = Reply(chat=CHAT, key=1)
    reply.grow("a")
    reply.grow("ab")
    seen = []
    async for text in reply.snapshots():
        seen.append(text)
        if text == "ab":
            reply.grow("abc")
        else:
            reply.grow("abcd")
            reply.settle("end")
    assert seen == ["ab", "abc"]
    assert (reply.text, reply.is_final) == ("end", True)


async def test_closing_ends_the_preview() -> None:
    """A closed reply shows nothing more, and is not final by that."""
    reply = Reply(chat=CHAT, key=1)
    reply.grow("a")
    reply.close()
    assert [text async for text in reply.snapshots()] == []
    assert not reply.is_final


async def test_waiting_for_the_close() -> None:
    """A bot that paces itself learns at once when there is nothing more to pace."""
    reply = Reply(chat=CHAT, key=1)
    assert not await reply.has_closed(within=0.001)
    asyncio.get_running_loop().call_soon(reply.close)
    assert await reply.has_closed(within=10)
    assert await reply.has_closed(within=0)


async def test_posted_parts_are_recorded_in_order() -> None:
    """Parts of earlier attempts count; what cannot be recorded is at least remembered."""
    recorded: list[tuple[int, str]] = []

    async def record(part: int, ref: str) -> None:
        recorded.append((part, ref))

    reply = Reply(chat=CHAT, key=1, posted=("x",), record=record)
    await reply.record("y", shown="text")
    assert recorded == [(1, "y")]
    assert [(posted.ref, posted.shown) for posted in reply.posted] == [("x", None), ("y", "text")]
    notice = Reply(chat=CHAT, key=-1)
    await notice.record("z")
    assert notice.posted[0].ref == "z"
