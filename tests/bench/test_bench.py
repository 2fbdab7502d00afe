"""The benchmark measures what it says, on a scale that costs nothing."""

import asyncio
from pathlib import Path

import pytest
from PIL import Image

from tests.bench.flame import HEAD, MARGIN, ROW, WIDTH, draw, tree
from tests.bench.profile import part_of, shared
from tests.bench.rounds import Round, measure
from tests.bench.subject import Subject
from tests.bench.talk import Town
from tests.bench.worlds import DiscordWorld, TelegramWorld


@pytest.mark.parametrize("world", [TelegramWorld, DiscordWorld])
async def test_every_question_is_answered(world: type[TelegramWorld | DiscordWorld]) -> None:
    """Each subject answers everybody, and no event comes before what it follows."""
    for found in await asyncio.gather(*(_measure(name, world) for name in world.commands)):
        assert len(found.answers) == 4
        assert found.memory > 0
        for answer in found.answers:
            assert min(answer.asked, answer.visible, answer.final) > 0
            assert answer.confirmed is None or answer.confirmed > 0


async def _measure(name: str, world: type[TelegramWorld | DiscordWorld]) -> Round:
    async with Subject(name, Town(world(), chunk_seconds=0.001)) as subject:
        return await measure(subject, chats=2, questions=2)


def test_time_is_put_down_to_the_nearest_package() -> None:
    """What the standard library does is its caller's; a loop that nobody called is asyncio's."""
    stacks = {
        "<module> (bots/__main__.py:9);run (asyncio/runners.py:1);stream (core/llm.py:3)"
        ";loads (json/__init__.py:4)": "core: the rest",
        "serve (bots/serving.py:5);BaseEventLoop.run_forever (asyncio/base_events.py:6)"
        ";select (selectors.py:7)": "asyncio's loop",
        "_worker (aiosqlite/core.py:3);job (core/store/queue.py:8)": "core: store",
        "send (httpx2/_client.py:3);<lambda> (<string>:1)": "httpx2",
        "_bootstrap (threading.py:1)": "Python itself",
    }
    assert {stack: part_of(stack) for stack in stacks} == stacks
    lines = [f"{stack} 5" for stack in stacks]
    assert shared(lines, 10.0) == dict.fromkeys(stacks.values(), 2.0)


def test_a_flame_is_as_wide_as_it_was_seen(tmp_path: Path) -> None:
    """Two calls of one function stand below it, side by side, in the colours of their packages."""
    above = "run (bots/__main__.py:3);Handle._run (asyncio/events.py:1);serve (bots/serving.py:5)"
    root = tree(
        [f"{above};loads (json/__init__.py:4) 3", f"{above};send (httpx2/_client.py:3) 1"], part_of
    )
    boxes = [(left, row, frame.name, frame.part) for left, row, frame in root.boxes(0, 0, 100)]
    assert boxes == [
        (0, 0, "serve", "bots"),
        (0, 1, "loads", "bots"),
        (300, 1, "send", "httpx2"),
    ]
    draw(root, tmp_path / "flame.png", "Where it goes")
    with Image.open(tmp_path / "flame.png") as image:
        below = [image.getpixel((x, HEAD + ROW + 2)) for x in (WIDTH // 2, WIDTH - 2 * MARGIN)]
        assert len({*below, (255, 255, 255)}) == 3
