"""What the model is shown: never too much, the same beginning as long as it can be."""

import asyncio
import itertools
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from core import models, tokens
from core.errors import ContextLengthError
from core.memory import Memory, weighed
from core.protocols import Store
from core.store import open_store
from core.store.tx import Tx
from core.turns import MOST_PROMPTS
from core.types import ChatState, Delta, Message, ModelEvent, Usage
from core.windows import LEAST_PROMPT
from tests.core.house import House
from tests.core.stand_ins import StandInModel, echo, is_summary, saying, talker
from tests.core.storing import ledger


@pytest.fixture
def clock() -> None:
    """Time passes in the store."""


def chats(model: StandInModel) -> list[Sequence[Message]]:
    """Return the prompts that asked for an answer."""
    return [prompt for prompt in model.prompts if not is_summary(prompt)]


words = st.one_of(
    st.text(max_size=200),
    st.integers(0, 3000).map(lambda n: "word " * n),
    st.integers(0, 1500).map(lambda n: "漢字" * n),
    st.integers(0, 300).map(lambda n: "😀🏽‍" * n),
)
names = st.sampled_from(("", "Ann", "Dr. 漢字 漢字", "A" * 16))


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    persona=words,
    summary=words,
    asked=words,
    name=names,
    sizes=st.lists(st.integers(5, 3000), max_size=12),
    start=st.integers(0, 4000),
    asking=st.lists(
        st.sampled_from(("gpt-4o", "gpt-4", "gpt-3.5-turbo", "llama", "tiny")), min_size=1
    ),
    context=st.none() | st.integers(512, 20_000),
    reply=st.none() | st.integers(16, 10_000),
    factor=st.floats(0.7, 4.0),
    tightened=st.integers(0, 8),
)
def test_a_prompt_never_exceeds_its_budget(  # noqa: PLR0913 - it is about all of them
    *,
    persona: str,
    summary: str,
    asked: str,
    name: str,
    sizes: list[int],
    start: int,
    asking: list[str],
    context: int | None,
    reply: int | None,
    factor: float,
    tightened: int,
) -> None:
    """Whatever there is to show, and to whom, prompt and reply stay within the window."""

    async def compose(folder: str) -> None:
        store = await open_store(Path(folder) / "a.db")
        try:
            await store._run(_fill, sizes)
            memory = Memory(
                store, context_tokens=context, reply_tokens=reply, factors={"tiny": factor}
            )
            for _ in range(tightened):
                memory.tighten(asking, predicted=20_000)
            recalled = await memory.recall(
                1,
                ChatState(total=sum(sizes), start=min(start, sum(sizes)), summary=summary),
                persona=persona,
                asked=await weighed(Message(role="user", content=asked, name=name)),
                names=asking,
            )
        finally:
            await store.close()
        prompt = recalled.prompt
        assert recalled.budget.prompt >= LEAST_PROMPT - 1
        assert prompt.predicted <= recalled.budget.prompt
        assert prompt.predicted >= tokens.prompt_tokens(
            [Message(role=m.role, content=m.content, name=m.name) for m in prompt.messages[:3]]
        )
        assert prompt.limit >= min(16, reply or 16)
        assert prompt.messages[-1] == recalled.asked
        assert [m.role for m in prompt.messages[1:3]].count("system") <= 1

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compose(folder))


def _fill(tx: Tx, sizes: list[int]) -> None:
    tx.run("INSERT INTO chat (platform, ref, is_private, title) VALUES ('desk', '1', 1, '')")
    total = 0
    for number, size in enumerate(sizes):
        total += size
        tx.run(
            "INSERT INTO message (chat_id, turn, role, name, content, tokens, total, created_at)"
            " VALUES (1, ?, ?, '', 'hm', ?, ?, 0)",
            number,
            ("user", "assistant")[number % 2],
            size,
            total,
        )
    tx.run("UPDATE chat SET total = ? WHERE id = 1", total)


@given(
    st.sampled_from(("gpt-4o", "gpt-4", "gpt-4o-2024-05-13", "unheard-of")),
    st.none() | st.integers(512, 300_000),
    st.none() | st.integers(16, 300_000),
)
def test_prompt_and_reply_fit_the_window(
    name: str, context: int | None, reply: int | None
) -> None:
    """Both together never exceed what a model is known to take."""
    memory = Memory(StoreOfNothing, context_tokens=context, reply_tokens=reply)  # type: ignore[arg-type]
    budget = memory.budget([name])
    known = models.describe(name)
    assume(known.is_known or context is None)
    assert budget.prompt + budget.reply <= known.context
    assert budget.reply <= known.output


class StoreOfNothing:
    """A budget needs no store."""


def test_a_small_window_is_shared() -> None:
    """A model of 4,096 tokens, named so by the owner, gets three quarters for its prompt."""
    memory = Memory(StoreOfNothing, context_tokens=4096)  # type: ignore[arg-type]
    budget = memory.budget(["some-model"])
    assert budget.reply == 1024
    assert budget.prompt * tokens.Calibration.UNKNOWN <= 3072


async def test_the_beginning_of_a_prompt_stays(store: Store) -> None:
    """While nothing is folded, each prompt begins with the whole one before; then rarely not."""
    house = House(store=store, model=talker(60), models=["gpt-4o"], context_tokens=2048)
    async with house.running():
        for number in range(40):
            await house.ask(f"message {number} " + "blah " * 20)
    prompts = [[(m.role, m.content) for m in prompt] for prompt in chats(house.model)]
    kept = [now[: len(before)] == before for before, now in itertools.pairwise(prompts)]
    # A turn adds 5 % of the window; every eighth one fills it from two to four fifths.
    assert kept.count(False) <= 6
    assert all(kept[:12])
    assert any(not same for same in kept)
    assert all(tokens.prompt_tokens(prompt) <= 2048 for prompt in house.model.prompts)


async def test_a_prompt_too_long_after_all_is_shortened(store: Store) -> None:
    """When the server counts more than we do, the person sees an answer, not an error."""

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        if tokens.prompt_tokens(prompt) > 600:
            raise ContextLengthError("This chat has become too long")
        async for event in echo(prompt[-1:], models):
            yield event

    house = House(store=store, model=talker(100), context_tokens=1024)
    async with house.running():
        for number in range(3):
            await house.talk(f"message {number}")
        house.model.script = script
        assert await house.talk("and?") == "You said: and?"
        asked = len(chats(house.model))
        assert await house.talk("now?") == "You said: now?"
        assert len(chats(house.model)) == asked + 1
    assert len(await ledger(store, "chat")) == 5


async def test_a_window_that_was_too_small_once_is_tried_again(store: Store) -> None:
    """What was given up because of an error comes back with answers that came."""
    house = House(store=store, model=talker(40), context_tokens=4096)
    full = house.memory.budget(house.models).prompt
    house.memory.tighten(house.models, predicted=1000)
    assert house.memory.budget(house.models).prompt == 700
    async with house.running():
        for number in range(20):
            await house.ask(f"message {number}")
    assert 800 < house.memory.budget(house.models).prompt < full


async def test_a_window_that_holds_no_long_reply(store: Store) -> None:
    """Where prompt and reply together are too long, the reply is shortened as well."""
    limits: list[int] = []

    class Small(StandInModel):
        async def stream(
            self, prompt: Sequence[Message], *, models: Sequence[str], limit: int
        ) -> AsyncGenerator[ModelEvent]:
            limits.append(limit)
            if tokens.prompt_tokens(prompt) + limit > 900:
                raise ContextLengthError("This chat has become too long")
            async for event in super().stream(prompt, models=models, limit=limit):
                yield event

    house = House(store=store, model=Small())
    async with house.running():
        assert await house.ask("hi") == "You said: hi"
        asked = len(limits)
        assert await house.ask("ho") == "You said: ho"
    assert limits[0] > 900 > limits[-1] > 600
    assert len(limits) == asked + 1


async def test_a_server_that_refuses_every_length_is_given_up(store: Store) -> None:
    """After a few attempts the person is told; nobody else's prompts become shorter by it."""

    async def script(_: Sequence[Message], __: Sequence[str]) -> AsyncIterator[ModelEvent]:
        if house.memory:
            raise ContextLengthError("This chat has become too long")
        yield Delta(text="")

    house = House(store=store, model=StandInModel(script))
    before = house.memory.budget(house.models)
    async with house.running():
        for _ in range(3):
            assert await house.ask("hi") == "This chat has become too long"
        assert len(house.model.prompts) <= 3 * MOST_PROMPTS
        assert house.memory.budget(house.models) == before
        house.model.script = saying("better")
        assert await house.ask("hi") == "better"


async def test_a_message_too_long_is_shortened_visibly(store: Store) -> None:
    """The middle of it is left out, the person is told how much, and the answer comes."""
    house = House(store=store, model=StandInModel(saying("hm")), context_tokens=1024)
    async with house.running():
        text = await house.ask("start " + "blah " * 5000 + " end")
        again = await house.ask("short")
    assert text.startswith("✂️ *Your message was too long: about 4,")
    assert text.endswith("\n\nhm")
    assert again == "hm"
    asked = house.model.prompts[0][-1].content
    assert asked.startswith("start blah")
    assert asked.endswith(" end")
    assert "tokens left out" in asked
    assert tokens.prompt_tokens(house.model.prompts[0]) <= 1024


async def test_what_models_report_is_learned(store: Store) -> None:
    """Reports of a model whose tokens differ are kept in the store, and used."""

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        yield Delta(text="ok")
        count = tokens.prompt_tokens(prompt)
        yield Usage(purpose="chat", model=models[0], input=count * 2, output=1)

    house = House(store=store, model=StandInModel(script), models=("x",))
    before = house.memory.budget(["x"]).prompt
    async with house.running():
        for _ in range(3):
            await house.ask("blah " * 400)
    assert await store.calibrations() == {"x": pytest.approx(2.0, abs=0.01)}
    assert house.memory.budget(["x"]).prompt < before
    later = Memory(store, factors=await store.calibrations())
    assert later.budget(["x"]) == house.memory.budget(["x"])
