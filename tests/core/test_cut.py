"""Answers that are not all that was said, and memory that keeps at least the last of them."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from core.store import open_store
from core.types import Cut, Delta, Message, ModelEvent
from tests.core.house import House
from tests.core.stand_ins import StandInModel, saying


@pytest.mark.parametrize(
    ("cut", "note"),
    [
        (Cut(), '✂️ *This answer reached its length limit; write "go on" for the rest.*'),
        (Cut(is_blocked=True), "✂️ *The model's provider blocked the rest of this answer.*"),
    ],
)
async def test_a_cut_answer_says_so(tmp_path: Path, cut: Cut, note: str) -> None:
    """Below the words, outside of their code; what is remembered are the words alone."""

    async def script(_: Sequence[Message], __: Sequence[str]) -> AsyncIterator[ModelEvent]:
        yield Delta(text="Look:\n```py\nx = 1")
        yield cut

    store = await open_store(tmp_path / "causerie.db")
    house = House(store=store, model=StandInModel(script))
    async with house.running():
        assert await house.ask("hi") == f"Look:\n```py\nx = 1\n```\n\n{note}"
        house.model.script = saying("ok")
        await house.ask("go on")
    await store.close()
    assert house.model.prompts[-1][-2].content == "Look:\n```py\nx = 1"


async def test_what_proves_to_be_thought_is_neither_sent_nor_remembered(tmp_path: Path) -> None:
    """A model may tell only by their end that its first words were no answer."""

    async def script(_: Sequence[Message], __: Sequence[str]) -> AsyncIterator[ModelEvent]:
        yield Delta(text="They greet me.")
        yield Delta(text="Good ", is_anew=True)
        yield Delta(text="evening.")

    store = await open_store(tmp_path / "causerie.db")
    house = House(store=store, model=StandInModel(script))
    async with house.running():
        assert await house.ask("hi") == "Good evening."
        await house.ask("next")
    await store.close()
    assert house.model.prompts[-1][-2].content == "Good evening."


async def test_the_last_exchange_stays_word_for_word(tmp_path: Path) -> None:
    """Folding keeps what was said last, though it alone is more than folding aims at."""
    store = await open_store(tmp_path / "causerie.db")
    house = House(store=store, model=StandInModel(saying("word " * 200)), context_tokens=1024)
    async with house.running():
        await house.ask("one " * 100)
        await house.ask("two " * 100)
    later = House(store=store, model=house.model, context_tokens=1024, first=9)
    async with later.running():
        await later.ask("three")
    await store.close()
    [prompt] = [prompt for prompt in house.model.prompts if prompt[-1].content == "three"]
    said = [message.content.split()[0] for message in prompt]
    assert said[-3:] == ["two", "word", "three"]
