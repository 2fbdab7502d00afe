"""What becomes of the older part of a history: notes, asked for where they cost least."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from core import tokens
from core.errors import ContextLengthError, ModelError
from core.memory import ADDING, ANEW, EARLIER, Memory, weighed
from core.protocols import Store
from core.store import DatabaseStore
from core.store.tx import Tx
from core.types import ChatState, Cut, Delta, Message, ModelEvent
from core.usage import Spending
from core.windows import LEAST_PROMPT
from tests.core.house import House
from tests.core.stand_ins import (
    ANN,
    BOB,
    GROUP,
    StandInModel,
    is_summary,
    plain_usage,
    talker,
)
from tests.core.storing import ledger


@pytest.fixture
def clock() -> None:
    """Time passes in the store."""


def chats(model: StandInModel) -> list[Sequence[Message]]:
    """Return the prompts that asked for an answer."""
    return [prompt for prompt in model.prompts if not is_summary(prompt)]


def summaries(model: StandInModel) -> list[Sequence[Message]]:
    """Return the prompts that asked for notes."""
    return [prompt for prompt in model.prompts if is_summary(prompt)]


async def test_old_history_is_folded_into_a_summary(store: Store) -> None:
    """The model sums up what is old, and its usage is entered; the newest stays as it is."""
    house = House(store=store, model=talker(100, summary="Ann likes tea"), context_tokens=1024)
    async with house.running():
        for number in range(12):
            await house.talk(f"message {number}")
    last = chats(house.model)[-1]
    assert last[1].content.startswith(EARLIER + "Ann likes tea")
    assert last[2].role == "user"
    assert last[-1].content == "message 11"
    sums = summaries(house.model)
    assert sums[0][1].content == "message 0"
    assert sums[1][1].content == EARLIER + "Ann likes tea"
    assert len(await ledger(store, "summary")) == len(sums)
    seen = [message.content for prompt in (*sums, last) for message in prompt]
    assert all(seen.count(f"message {number}") == 1 for number in range(12))


async def test_notes_are_asked_for_below_the_last_prompt(store: Store) -> None:
    """All but the request for them is what the provider was sent before, and has in its cache."""
    house = House(store=store, model=talker(100), context_tokens=1024)
    async with house.running():
        for number in range(12):
            await house.talk(f"message {number}")
    prompts = [[(m.role, m.content) for m in prompt] for prompt in house.model.prompts]
    for number, prompt in enumerate(house.model.prompts):
        if is_summary(prompt):
            *known, request = prompts[number]
            assert any(known[:-1] == before[: len(known) - 1] for before in prompts[:number])
            assert known[-1][0] == "assistant"
            assert request[0] == "user"
            assert "words, nothing else" in request[1]


async def test_notes_are_added_until_they_fill_half_of_their_room(store: Store) -> None:
    """Then they are written anew; so an old fact is seldom copied, and may be kept for long."""
    model = talker(100, summary="tea " * 20)
    house = House(store=store, model=model, models=("gpt-4o",), context_tokens=1024)
    async with house.running():
        for number in range(30):
            await house.talk(f"message {number}")
    requests = [prompt[-1].content for prompt in summaries(house.model)]
    assert ADDING not in requests[0]
    assert ANEW not in requests[0]
    kinds = ["anew" if ANEW in r else "add" if ADDING in r else "first" for r in requests]
    # 20 tokens a stretch; the fourth makes it more than half of 128.
    assert kinds[:6] == ["first", "add", "add", "add", "anew", "add"]
    assert "at most 24 words" in requests[0]
    assert "at most 48 words" in requests[4]


@pytest.mark.parametrize("error", [ModelError("down"), ContextLengthError("long")])
async def test_without_a_model_excerpts_are_kept(store: Store, error: ModelError) -> None:
    """When the summary fails, beginnings of what people said take its place."""

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        if is_summary(prompt):
            raise error
        yield Delta(text="word " * 100)
        yield plain_usage(prompt, models, "")

    house = House(store=store, model=StandInModel(script), context_tokens=1024)
    async with house.running():
        for number in range(8):
            await house.talk(f"fact {number}")
    summary = chats(house.model)[-1][1].content
    assert summary.startswith(EARLIER + "- fact 0\n- fact 1")


async def test_what_a_provider_blocks_is_no_summary(store: Store) -> None:
    """Half of a summary would take the place of all that was known before."""

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        yield Delta(text="word " * 100)
        if is_summary(prompt):
            yield Cut(is_blocked=True)
        yield plain_usage(prompt, models, "")

    house = House(store=store, model=StandInModel(script), context_tokens=1024)
    async with house.running():
        for number in range(8):
            await house.talk(f"fact {number}")
    assert chats(house.model)[-1][1].content.startswith(EARLIER + "- fact 0\n- fact 1")


async def test_excerpts_tell_who_spoke(store: Store) -> None:
    """In a group, excerpts and summaries carry names."""

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        if is_summary(prompt):
            raise ModelError("down")
        yield Delta(text="word " * 100)
        yield plain_usage(prompt, models, "")

    house = House(store=store, model=StandInModel(script), context_tokens=1024)
    async with house.running():
        for number in range(8):
            await house.talk(f"fact {number}", chat=GROUP, person=(ANN, BOB)[number % 2])
    summary = chats(house.model)[-1][1].content
    assert summary.startswith(EARLIER + "- Ann: fact 0\n- Bob: fact 1")
    asking = summaries(house.model)[0]
    assert [(m.name, m.content) for m in asking[1:2]] == [("Ann", "fact 0")]


async def test_a_window_too_small_to_sum_up_in_is_excerpted(store: Store) -> None:
    """Where the request for a summary would not fit, the model is not asked for one."""
    house = House(store=store, model=talker(40), models=("x",), context_tokens=512)
    for _ in range(4):
        house.memory.tighten(["x"], predicted=512)
    assert LEAST_PROMPT <= house.memory.budget(["x"]).prompt < 130
    async with house.running():
        for number in range(6):
            await house.talk(f"fact {number}")
    assert len(house.model.prompts) == 6
    assert not await ledger(store, "summary")


async def test_folding_takes_in_what_came_meanwhile(store: Store) -> None:
    """A turn that ends while the summary is written is neither lost nor folded unseen."""
    house = House(store=store, model=talker(100))
    async with house.running():
        for number in range(8):
            await house.talk(f"message {number}")
    window = await store.window(1, start=0)
    before = ChatState(total=window[-1].total - 200)  # as it was when the last turn began
    memory = Memory(store, context_tokens=600)
    asked = await weighed(Message(role="user", content="q"))
    recalled = await memory.recall(1, before, persona="x", asked=asked, names=["gpt-4o"])
    await memory.compact(1, before, recalled=recalled, model=house.model, purse=house.purse())
    [prompt] = summaries(house.model)
    assert [m.role for m in prompt[1:3]] == ["user", "assistant"]
    assert prompt[1].content == "message 0"
    assert prompt[2].content.startswith("2: word")


async def test_with_nothing_old_nothing_is_folded(store: Store) -> None:
    """All of a short history stays, whatever its length was thought to be."""
    house = House(store=store)
    async with house.running():
        await house.talk("hi")
        state = ChatState(total=1_000_000)
        asked = await weighed(Message(role="user", content="q"))
        recalled = await house.memory.recall(
            1, state, persona="x", asked=asked, names=house.models
        )
        await house.memory.compact(
            1, state, recalled=recalled, model=house.model, purse=house.purse()
        )
    assert len(house.model.prompts) == 1


async def test_a_stretch_is_paid_for_once(store: Store) -> None:
    """A turn that began before a fold and ended after it does not ask for the notes again."""
    house = House(store=store, model=talker(100))
    async with house.running():
        for number in range(8):
            await house.talk(f"message {number}")
    memory = Memory(store, context_tokens=600)
    state = ChatState(total=(await store.window(1, start=0))[-1].total)
    asked = await weighed(Message(role="user", content="q"))
    recalled = await memory.recall(1, state, persona="x", asked=asked, names=["gpt-4o"])
    for _ in range(2):
        await memory.compact(1, state, recalled=recalled, model=house.model, purse=house.purse())
    assert len(summaries(house.model)) == len(await ledger(store, "summary")) == 1


async def test_notes_that_nobody_may_pay_for_are_excerpts(store: Store) -> None:
    """Where a spending limit does not allow the call, nothing is asked and nothing forgotten."""
    house = House(store=store, model=talker(100))
    async with house.running():
        for number in range(8):
            await house.talk(f"fact {number}")
    poor = Spending(store, caps={("chat", "day", "tokens"): 1})
    memory = Memory(store, context_tokens=1024)
    state = ChatState(total=(await store.window(1, start=0))[-1].total)
    asked = await weighed(Message(role="user", content="q"))
    recalled = await memory.recall(1, state, persona="x", asked=asked, names=["gpt-4o"])
    purse = poor.purse("summary 1", person=ANN.id, chat=1)
    await memory.compact(1, state, recalled=recalled, model=house.model, purse=purse)
    assert not summaries(house.model)
    again = House(store=store, first=20)
    async with again.running():
        await again.talk("and?")
    assert again.model.prompts[0][1].content.startswith(EARLIER + "- fact 0\n- fact 1")


async def test_a_long_text_is_there_for_the_next_question(store: Store) -> None:
    """What was just sent and answered is kept once, even where it fills most of the room."""
    house = House(store=store, model=talker(20), models=("gpt-4o",), context_tokens=1024)
    async with house.running():
        await house.talk("hi")
        await house.talk("word " * 700)
        await house.talk("and now?")
        await house.talk("and then?")
    *_, now, then = chats(house.model)
    assert len(now[-3].content) > 3_000
    assert len(now) == 5
    assert max(len(message.content) for message in then) < 1_000


async def test_notes_fit_below_the_longest_persona(store: Store) -> None:
    """In the smallest window that is summed up, there is room for a little of what is folded."""
    house = House(store=store, model=talker(30))
    async with house.running():
        for number in range(9):
            await house.talk(f"fact {number}")
    memory = Memory(store, context_tokens=512)
    state = ChatState(total=(await store.window(1, start=0))[-1].total, summary="tea " * 90)
    asked = await weighed(Message(role="user", content="q"))
    recalled = await memory.recall(1, state, persona="kind " * 999, asked=asked, names=["gpt-4o"])
    await memory.compact(1, state, recalled=recalled, model=house.model, purse=house.purse())
    [prompt] = summaries(house.model)
    assert tokens.prompt_tokens([replace(m, tokens=0) for m in prompt]) <= 512
    assert [m.role for m in prompt[:2]] == ["system", "system"]
    assert len(prompt) >= 4
    assert all(message.content for message in prompt)
    assert prompt[2].role == "user"


async def test_a_summary_of_nothing_is_none(store: Store) -> None:
    """A model that writes nothing does not make the chat forget."""
    house = House(store=store, model=talker(100, summary=" "), context_tokens=1024)
    async with house.running():
        for number in range(8):
            await house.talk(f"fact {number}")
    assert chats(house.model)[-1][1].content.startswith(EARLIER + "- fact 0\n- fact 1")


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        pytest.param([20] * 400, 23, id="more messages than there is room for"),
        pytest.param([60] * 100, 23, id="each of them a little too long"),
        pytest.param([2000, *[20] * 11], 6, id="one of them much too long"),
    ],
)
async def test_what_is_summed_up_fits(store: Store, sizes: list[int], shown: int) -> None:
    """Of a history far above the budget, the newest is told, the longest of it shortened."""
    house = House(store=store, model=talker(1))
    async with house.running():
        await house.talk("hi")
    assert isinstance(store, DatabaseStore)
    total = await store._run(_fill, sizes)
    memory = Memory(store, context_tokens=1024)
    state = ChatState(total=total)
    asked = await weighed(Message(role="user", content="q"))
    recalled = await memory.recall(1, state, persona="x", asked=asked, names=["gpt-4o"])
    await memory.compact(1, state, recalled=recalled, model=house.model, purse=house.purse())
    [prompt] = summaries(house.model)
    assert tokens.prompt_tokens([replace(m, tokens=0) for m in prompt]) <= recalled.budget.prompt
    assert len(prompt) - 2 >= shown
    assert all(message.content for message in prompt)
    assert prompt[1].role == "user"


def _fill(tx: Tx, sizes: list[int]) -> int:
    """Store messages of so many words; return the tokens of all the history."""
    total: int = tx.all("SELECT total FROM chat WHERE id = 1")[0]["total"]
    for number, size in enumerate(sizes):
        total += size + 4
        tx.run(
            "INSERT INTO message (chat_id, turn, role, name, content, tokens, total, created_at)"
            " VALUES (1, ?, ?, '', ?, ?, ?, 0)",
            number + 9,
            ("user", "assistant")[number % 2],
            " ".join(["word"] * size),
            size + 4,
            total,
        )
    tx.run("UPDATE chat SET total = ?", total)
    return int(total)


async def test_what_was_deleted_while_notes_were_written(store: DatabaseStore) -> None:
    """They are dropped, and the next message has others written."""
    model = talker(60)
    told = model.script
    assert told

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        if len(summaries(model)) == 1 and is_summary(prompt):
            await store._run(lambda tx: tx.run("UPDATE chat SET erased = erased + 1"))
        async for event in told(prompt, models):
            yield event

    model.script = script
    house = House(store=store, model=model, context_tokens=1024)
    async with house.running():
        for _ in range(20):
            await house.talk("word " * 20)
    assert len(summaries(model)) > 2
    assert chats(model)[-1][1].content.startswith(EARLIER + "the gist")
