"""What calls cost that break, start over, or run beside others: ledger and budget have it all."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from core.llm import OpenAIChat
from core.models import Price
from core.money import Limit
from core.protocols import HoldAudio, Store
from core.relay import Pace
from core.types import Delta, Message, ModelEvent, Restart, Transcript, Usage, Voice
from tests.core.house import Gate, House
from tests.core.stand_ins import (
    ANN,
    GROUP,
    StandInModel,
    StandInTranscriber,
    is_summary,
    plain_usage,
    talker,
)
from tests.servers.openai import Break, OpenAIServer, Refuse

PLAIN = Price(input=1_000_000, cached=1_000_000, written=1_000_000, output=1_000_000)
MODELS = ("gpt-5.4-mini", "gpt-4o")
PRICES = dict.fromkeys(MODELS, PLAIN)
TOO_LONG = Refuse(
    status=400,
    body=b'{"error": {"code": "context_length_exceeded", "type": "invalid_request_error",'
    b' "message": "too long"}}',
)
NO_LIMIT = 10**12


@pytest.fixture
def clock() -> None:
    """Time passes in the store."""


async def budget(store: Store) -> tuple[int, int]:
    """Return what Ann has spent today in micro-dollars, and what is held for her."""
    limit = Limit(scope="user", subject=ANN.id, span="day", usd=NO_LIMIT)
    [level] = await store.levels([limit])
    return level.spent, level.held


async def ledger(store: Store) -> int:
    """Return what everything has cost."""
    found = await store.totals("all")
    return found[0].cost if found else 0


async def test_what_was_spent_counts_where_no_more_is_allowed(store: Store) -> None:
    """A broken call is paid, the next would exceed the limit: nobody gets a third for nothing."""

    async def stumble(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        yield Delta(text="half")
        yield Usage(purpose="chat", model=models[0], input=5_000, output=1_000)
        yield Restart()
        yield Delta(text="whole")
        yield plain_usage(prompt, models, "whole")

    house = House(
        store=store,
        models=MODELS,
        prices=PRICES,
        model=StandInModel(stumble),
        caps={("user", "day", "usd"): 9_000},
        context_tokens=4096,
    )
    async with house.running():
        texts = [await house.ask("hi") for _ in range(3)]
    assert "would exceed your limit" in texts[0]
    assert len(house.model.prompts) == 1
    assert await budget(store) == (6_000, 0)
    assert await ledger(store) == 6_000


async def test_a_call_that_broke_early_is_held_as_well(
    store: Store, openai_server: OpenAIServer, make_chat: Callable[..., OpenAIChat]
) -> None:
    """It was paid before its first word, so its repetition has to fit into the limit."""
    for _ in range(5):
        openai_server.fail(Break(how="reset", after=0))
    cap = 16_500
    house = House(
        store=store,
        model=make_chat(),  # type: ignore[arg-type]
        models=MODELS,
        prices=PRICES,
        caps={("user", "day", "tokens"): cap},
    )
    async with house.running():
        assert "would exceed your limit" in await house.ask("word " * 9000)
    assert len(openai_server.requests) == 1
    spent, held = await budget(store)
    assert 9_000 < spent == await ledger(store) < cap
    assert held == 0


async def test_what_a_fallback_found_too_long_was_paid_before(
    store: Store, openai_server: OpenAIServer, make_chat: Callable[..., OpenAIChat]
) -> None:
    """Three broken calls of one model, and a prompt that the next one finds too long."""
    for _ in range(3):
        openai_server.fail(Break(how="eof", after=3))
    openai_server.fail(TOO_LONG)
    house = House(
        store=store,
        model=make_chat(),  # type: ignore[arg-type]
        models=MODELS,
        prices=PRICES,
        caps={("user", "day", "tokens"): 10**6},
    )
    async with house.running():
        await house.talk("word " * 3000)
    assert [request.status for request in openai_server.requests[:5]].count(400) == 1
    spent, held = await budget(store)
    assert spent == await ledger(store)
    assert spent > sum(request.prompt_tokens for request in openai_server.requests) - 100
    assert held == 0


async def test_two_workers_sum_up_one_chat(store: Store) -> None:
    """One is slow, the other answers the next message: what both cost counts."""
    reached, going_on = asyncio.Event(), asyncio.Event()
    slow, quick = talker(60), talker(60)
    told = slow.script
    assert told

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        if is_summary(prompt):
            reached.set()
            await going_on.wait()
        async for event in told(prompt, models):
            yield event

    slow.script = script
    first = House(store=store, model=slow, models=MODELS, prices=PRICES, context_tokens=1024)
    second = House(
        store=store, model=quick, models=MODELS, prices=PRICES, context_tokens=1024, first=100
    )
    async with first.running():
        while not reached.is_set():
            await first.ask("word " * 20)
            await asyncio.sleep(0.05)
        first.relay._is_draining = True  # it takes nothing more
        first.relay._wake.set()
        async with second.running():
            await second.talk("word " * 20)
        going_on.set()
        while tasks := first.relay._background:
            await asyncio.wait(tasks)
    assert sum(map(is_summary, [*slow.prompts, *quick.prompts])) == 2
    spent, held = await budget(store)
    assert (spent, held) == (await ledger(store), 0)


async def test_recordings_count_against_a_limit_in_tokens(store: Store) -> None:
    """Where a model that hears bills tokens, a recording that may exceed the limit is refused."""

    class Ear(StandInTranscriber):
        async def transcribe(
            self, audio: bytes, voice: Voice, *, hold: HoldAudio, to_english: bool = False
        ) -> Transcript:
            assert not to_english
            pay = await hold(("ear",), voice.seconds or 0.0)
            self.heard.append(audio)
            pay(Usage(purpose="transcribe", model="ear", seconds=60.0, input=600, output=100))
            return Transcript(text="so")

    house = House(
        store=store,
        transcriber=Ear(),
        prices={"ear": PLAIN},
        caps={("user", "day", "tokens"): 3_000},
    )
    async with house.running():
        texts = [
            await house.ask("/transcribe", voice=Voice(ref=f"{n}", seconds=60.0)) for n in range(3)
        ]
    assert ["would exceed" in text for text in texts] == [False, True, True]
    assert len(house.transcriber.heard) == 1
    assert await budget(store) == (700, 0)


async def test_a_model_that_needs_more_tokens_than_we_count(store: Store) -> None:
    """What was learned of it is held, so that it does not exceed a limit by as much."""

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        yield Delta(text="ok")
        size = sum(message.tokens for message in prompt)
        yield Usage(purpose="chat", model=models[0], input=size * 3, output=1)

    cap = 20_000
    house = House(
        store=store,
        model=StandInModel(script),
        models=("mistral",),
        caps={("user", "day", "tokens"): cap},
        context_tokens=16_384,
    )
    await house.memory.learn(
        [Usage(purpose="chat", model="mistral", input=3000, output=1, predicted=1000)]
    )
    async with house.running():
        for _ in range(4):
            await house.ask("word " * 3000)
    found = await store.totals("all")
    assert 8_000 < found[0].input < cap


@pytest.mark.parametrize("is_forgotten", [False, True])
async def test_what_a_process_that_ends_has_spent_is_entered(
    store: Store, *, is_forgotten: bool
) -> None:
    """The next one asks again, which is paid, too; whoever had all deleted is not named."""
    gate = Gate()
    house = House(
        store=store,
        models=MODELS,
        prices=PRICES,
        model=StandInModel(gate),
        caps={("user", "day", "usd"): NO_LIMIT},
        pace=Pace(drain=0.01),
    )
    async with house.running():
        await house.say("hi")
        await gate.until_reached()
        if is_forgotten:
            await house.ask("/forget", chat=GROUP)
            assert "forgotten you" in await house.ask("/forget yes", chat=GROUP)
    [total] = await store.totals("all")
    assert total.calls == 1
    assert total.cost
    assert bool(await store.totals("all", person=ANN.id)) is not is_forgotten
    assert await budget(store) == (total.cost, 0)
    again = House(store=store, first=9)
    async with again.running():
        if not is_forgotten:
            assert await again.bot.until(1) == ["You said: hi"]
            assert (await store.totals("all"))[0].calls == 2
