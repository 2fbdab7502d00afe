"""The benchmark measures what it says, on a scale that costs nothing."""

import asyncio

from tests.bench.relay import Round, measure
from tests.bench.subject import COMMANDS, Subject
from tests.bench.talk import Town


async def test_every_question_is_answered() -> None:
    """Each subject answers everybody, and no event comes before what it follows."""
    for found in await asyncio.gather(*map(_measure, COMMANDS)):
        assert len(found.answers) == 4
        assert found.memory > 0
        for answer in found.answers:
            assert min(answer.confirmed, answer.asked, answer.visible, answer.final) > 0


async def _measure(name: str) -> Round:
    async with Subject(name, town=Town(chunk_seconds=0.001)) as subject:
        return await measure(subject, chats=2, questions=2)
