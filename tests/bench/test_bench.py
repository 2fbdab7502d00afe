"""The benchmark measures what it says, on a scale that costs nothing."""

import asyncio

import pytest

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
