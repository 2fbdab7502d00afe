"""Limits as people meet them: refused, warned, answered more cheaply; and what is shown."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import date

import pytest

from core.commands.spending import bars
from core.models import Price
from core.money import Limit, Total
from core.protocols import Store
from core.types import Delta, Message, ModelEvent, Restart, Usage, Voice
from core.usage import Caps, dollars
from tests.core.house import OFFICE, OWNER, House
from tests.core.stand_ins import ANN, BOB, CHAT, GROUP, StandInModel, plain_usage, saying

DEAR = Price(input=10_000_000, cached=1_000_000, written=10_000_000, output=30_000_000)
CHEAP = Price(input=100_000, cached=10_000, written=100_000, output=300_000)
EAR = Price(input=0, cached=0, written=0, output=0, audio_minute=6_000)
PRICES = {"gpt-4o": DEAR, "other": CHEAP, "ear": EAR}
EVERYBODY = Limit(scope="all", subject="", span="day")


@pytest.fixture
def clock() -> None:
    """Time passes in the store."""


async def spent(store: Store) -> int:
    """Return what everything has cost."""
    found = await store.totals("all")
    return found[0].cost if found else 0


async def held(store: Store) -> int:
    """Return what is held for anybody."""
    limit = Limit(scope="all", subject="", span="day", usd=10**12)
    [level] = await store.levels([limit])
    return level.held


async def test_what_a_limit_does_not_allow_is_refused(store: Store) -> None:
    """Before anything is paid; the sentence says which limit, how much, and until when."""
    house = House(store=store, prices=PRICES, caps={("user", "day", "usd"): 100})
    async with house.running():
        text = await house.ask("hi")
    assert text == (
        "That would exceed your limit for today: $0.0000 of $0.0001 spent. It resets at "
        "midnight; my owner can raise it."
    ).replace("$0.0000", "$0.00")
    assert house.model.prompts == []
    assert await held(store) == 0


async def test_what_is_spent_is_what_the_ledger_says(store: Store) -> None:
    """Each call at its own price, rounded up, and nothing stays held."""
    house = House(store=store, prices=PRICES, caps={("user", "day", "usd"): 10_000_000})
    async with house.running():
        for number in range(3):
            await house.ask(f"m{number}")
        await house.ask(voice=Voice(ref="note", seconds=30.0))
    usage = [plain_usage(p, ("gpt-4o",), p[-1].content) for p in house.model.prompts]
    expected = sum(-(-(u.input * 10 + u.output * 30) // 1) for u in usage) + 3_000
    assert await spent(store) == expected
    assert await held(store) == 0
    [level] = await store.levels([Limit(scope="user", subject=ANN.id, span="day", usd=1)])
    assert level.spent == expected


async def test_an_unknown_price_and_a_limit_in_dollars(store: Store) -> None:
    """Nobody knows what it would cost, so it is refused; a limit in tokens is no hindrance."""
    house = House(store=store, caps={("chat", "month", "usd"): 10_000_000})
    async with house.running():
        assert "Nobody has told me what gpt-4o costs" in await house.ask("hi")
    assert await held(store) == 0
    house = House(store=store, caps={("chat", "month", "tokens"): 10_000}, first=10)
    async with house.running():
        assert await house.ask("hi") == "You said: hi"
        assert "1 of 1 calls whose price is unknown" in await house.ask("/usage")


async def test_where_little_is_left_memory_is_shorter(store: Store) -> None:
    """If the owner allows it; the answer says so."""
    house = House(
        store=store, prices=PRICES, caps={("user", "day", "usd"): 20_000}, savings=("memory",)
    )
    async with house.running():
        text = await house.ask("hi")
    assert text.startswith("You said: hi\n\n💰 *Little is left of a spending limit")
    assert len(house.model.prompts) == 1


async def test_where_little_is_left_a_cheaper_model_answers(store: Store) -> None:
    """If the owner allows it; the cheapest first."""
    house = House(
        store=store, prices=PRICES, caps={("user", "day", "usd"): 20_000}, savings=("model",)
    )
    async with house.running():
        text = await house.ask("hi")
    assert "so a cheaper model answered" in text
    [by_model] = await store.totals("model")
    assert by_model.id == "other"


async def test_somebody_is_told_once_that_little_is_left(store: Store) -> None:
    """Below the first answer after four fifths are used."""
    house = House(store=store, caps={("user", "day", "tokens"): 9_000}, context_tokens=512)
    limit = Limit(scope="user", subject=ANN.id, span="day")
    async with house.running():
        assert "💰" not in await house.ask("hi")
        await store.hold("x", [limit], usd=0, tokens=0)
        await store.compact(
            1,
            old=0,
            new=0,
            summary="",
            usage=(Usage(purpose="chat", model="m", input=4_000),),
            hold="x",
        )
        answers = [await house.ask("ho") for _ in range(2)]
    assert ["💰" in text for text in answers] in ([True, False], [False, False])


async def test_a_call_that_starts_over_is_held_again(store: Store) -> None:
    """What the first attempt cost counts beside the second; if that is too much, it ends."""

    async def stumble(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        yield Delta(text="half")
        yield Usage(purpose="chat", model=models[0], input=5_000, output=1_000)
        yield Restart()
        yield Delta(text="whole")
        yield plain_usage(prompt, models, "whole")

    caps: Caps = {("user", "day", "usd"): 100_000}
    house = House(store=store, prices=PRICES, model=StandInModel(stumble), caps=caps)
    async with house.running():
        text = await house.ask("hi")
    assert text.startswith("⚠️ That would exceed your limit")
    assert await spent(store) == 80_000


async def test_a_stopped_answer_is_paid_as_far_as_it_went(store: Store) -> None:
    """What was received counts, and the rest is let go."""
    gate = asyncio.Event()

    async def slow(prompt: Sequence[Message], models: Sequence[str]) -> AsyncIterator[ModelEvent]:
        yield Delta(text="one two three")
        await gate.wait()
        yield plain_usage(prompt, models, "")

    house = House(
        store=store,
        prices=PRICES,
        model=StandInModel(slow),
        caps={("user", "day", "usd"): 10_000_000},
    )
    async with house.running():
        await house.say("hi")
        await house.bot.until_shown("one two three")
        assert await held(store) > 0
        await house.say("/stop")
        await house.bot.until(2)
    assert 0 < await spent(store) < 10_000
    assert await held(store) == 0


async def test_usage_is_shown(store: Store) -> None:
    """One's own, the chat's, and everybody's to owners, with what is left."""
    house = House(store=store, prices=PRICES, caps={("user", "day", "tokens"): 50_000})
    async with house.running():
        assert (await house.ask("/usage")).startswith(
            "**You, this month**: nothing was spent\n\nLeft:\n\n- 50,000 tokens of 50,000 "
        )
        assert "nothing was" in await house.ask("/usage all everyone", chat=OFFICE, person=OWNER)
        await house.ask("hi")
        await house.ask("ho", chat=GROUP, person=BOB)
        text = await house.ask("/usage day")
        assert text.startswith("**You, today**: $0.00")
        assert "By model:\n\n- gpt\\-4o" in text or "- gpt-4o" in text
        assert "tokens a day for you; resets at midnight" in text
        assert "**This chat, in all**" in await house.ask("/usage all chat", chat=GROUP)
        assert "for my owner only" in await house.ask("/usage month everyone")
        text = await house.ask("/usage year everyone", chat=OFFICE, person=OWNER)
        assert "By person:" in text
        assert "- Ann: " in text
        assert "- Bob" in text


def test_a_bar_for_every_day_or_month() -> None:
    """Also where two days have the same number, and for those on which nothing was used."""

    def total(key: str, *, unpriced: int = 0) -> Total:
        sums = {"calls": 2, "input": 10, "cached": 4, "output": 1, "seconds": 0.0, "cost": 7}
        return Total(id=key, name=key, unpriced=unpriced, **sums)  # type: ignore[arg-type]

    first, last = date(2026, 1, 30), date(2026, 3, 1)
    found = bars([total("2026-01-30"), total("2026-02-28")], first, last, is_long=False)
    assert [bar.label for bar in found] == ["30", "31", *(str(n) for n in range(1, 29)), "1"]
    assert [bar.cost for bar in found if bar.input] == [7, 7]
    sums = [total("2026-01", unpriced=1), total("2026-03", unpriced=2)]
    found = bars(sums, first, last, is_long=True)
    assert [(bar.label, bar.cost, bar.is_partial, bar.cached) for bar in found] == [
        ("Jan 26", 7, True, 4),
        ("Feb 26", 0, False, 0),
        ("Mar 26", None, False, 4),
    ]


async def test_owners_set_limits(store: Store) -> None:
    """For a person, a chat or everybody; for a day or a month; and grant more."""
    house = House(store=store, prices=PRICES)
    async with house.running():
        await house.ask("hi")

        async def order(text: str) -> str:
            return await house.ask(text, chat=OFFICE, person=OWNER)

        assert await order(f"/limit {ANN.id} $0.0001") == (
            "`desk:1`: at most $0.0001 a day from now on."
        )
        assert "exceed your limit for today" in await house.ask("ho")
        assert "is left now" in await order(f"/grant {ANN.id} 5 usd")
        assert await house.ask("ho") == "You said: ho"
        assert await order("/limit Everyone\n10  tokens month") == (
            "Everyone together: at most 10 tokens a month from now on."
        )
        assert "my limit for everybody for this month" in await house.ask("hu")
        assert await order("/limit everyone none month") == (
            "Everyone together: no limit for a month any more."
        )
        assert await house.ask("hu") == "You said: hu"
        assert "the limits of the settings count again" in await order("/limit everyone default")
        assert "there is no such limit" in await order("/grant chat 5 tokens")
        assert (await order("/limit")).startswith("Say whom it is about")
        assert (await order(f"/limit {ANN.id}")).startswith("Say how much")
        assert (await order("/limit desk:404 5")).startswith("Say whom it is about")
        assert "for my owner only" in await house.ask("/limit everyone none")


async def test_owners_reset_what_was_spent(store: Store) -> None:
    """Of a day or a month, whatever the limit; what was spent is shown as before."""
    caps: Caps = {("user", "day", "tokens"): 9_000, ("user", "month", "usd"): 10_000_000}
    house = House(store=store, prices=PRICES, caps=caps, context_tokens=512)
    limit = Limit(scope="user", subject=ANN.id, span="day")
    usage = (Usage(purpose="chat", model="gpt-4o", input=8_999, cost=1_000_000),)
    async with house.running():
        await house.ask("/help")
        await store.hold("x", [limit, replace(limit, span="month")], usd=0, tokens=0)
        await store.compact(1, old=0, new=0, summary="", usage=usage, hold="x")
        assert "exceed your limit for today" in await house.ask("hi")

        async def order(text: str) -> str:
            return await house.ask(text, chat=OFFICE, person=OWNER)

        assert (await order(f"/grant {ANN.id} reset")).startswith(
            "`desk:1`: what was spent today counts no longer. Left:\n\n"
            "- 9,000 tokens of 9,000 tokens a day; resets at midnight\n"
            "- $9.00 of $10.00 a month; resets on 1 "
        )
        assert await house.ask("hi") == "You said: hi"
        assert "- $10.00 of $10.00 a month" in await order(f"/grant {ANN.id} Reset month")
        assert await spent(store) > 1_000_000
        assert await order("/grant everyone reset") == (
            "Everyone together: what was spent today counts no longer."
        )
        assert "for my owner only" in await house.ask("/grant everyone reset")


async def test_a_footer_tells_the_cost(store: Store) -> None:
    """If the owner wants it: tokens, cost, and what is left of the narrowest limit."""
    house = House(store=store, prices=PRICES, caps={("user", "day", "usd"): 10_000_000})
    house.spending.has_footer = True
    async with house.running():
        text = await house.ask("hi")
    assert text.startswith("You said: hi\n\n*")
    assert " tokens · $0.0" in text
    assert text.endswith(" left today*")


async def test_context_tells_the_price(store: Store) -> None:
    """From a cached prompt with no reply to a fresh one with the longest."""
    house = House(store=store, prices=PRICES)
    async with house.running():
        assert "The next message costs $0.0" in await house.ask("/context")
    house = House(store=store, first=10)
    async with house.running():
        assert "What `gpt-4o` costs is unknown." in await house.ask("/context")


async def test_two_hundred_at_once_never_overshoot(store: Store) -> None:
    """Whatever is asked at the same time, what is spent and held stays below the limit."""
    cap = 2_000_000
    house = House(store=store, prices=PRICES, caps={("all", "day", "usd"): cap})
    async with house.running():
        for number in range(200):
            await house.say(
                f"q{number}",
                chat=type(CHAT)(platform="desk", ref=f"room {number}", is_private=True),
            )
        texts = await house.bot.until(200)
    answered = sum(text.startswith("You said") for text in texts)
    assert answered > 0
    assert all("my limit for everybody" in t for t in texts if not t.startswith("You said"))
    assert 0 < await spent(store) <= cap
    assert await held(store) == 0


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "$0.00"),
        (1, "$0.0000"),
        (12_345, "$0.0123"),
        (100_000, "$0.10"),
        (1_234_567_890, "$1,234.57"),
    ],
)
def test_amounts_for_people(amount: int, shown: str) -> None:
    """Cents, and more digits of small amounts."""
    assert dollars(amount) == shown


async def test_a_footer_without_limits(store: Store) -> None:
    """There is nothing left to tell, and without a price no cost."""
    house = House(store=store)
    house.spending.has_footer = True
    async with house.running():
        text = await house.ask("hi")
    assert text.endswith(" tokens*")
    assert "$" not in text


async def test_the_cheapest_model_with_a_short_memory_comes_last(store: Store) -> None:
    """Of all ways that the owner allows, the first that can be held is taken."""
    house = House(
        store=store,
        prices=PRICES,
        caps={("user", "day", "usd"): 300},
        savings=("memory", "model"),
        models=("gpt-4o", "gpt-4.1"),
    )
    house.prices["gpt-4.1"] = CHEAP  # type: ignore[index]
    async with house.running():
        text = await house.ask("hi")
    assert "so a cheaper model answered" in text or "exceed your limit" in text


async def test_many_rows_are_cut(store: Store) -> None:
    """Ten are listed, the rest is counted; what was heard and cached is told."""
    house = House(store=store, prices=PRICES)
    async with house.running():
        await house.ask(voice=Voice(ref="note", seconds=90.0))
        for number in range(12):
            person = type(ANN)(id=f"desk:7{number}", name=f"P{number}")
            await house.ask("hi", person=person, chat=GROUP)
        text = await house.ask("/usage all everyone", chat=OFFICE, person=OWNER)
    assert "- and 3 more" in text
    assert "1.5 minutes heard" in text


async def test_a_summary_that_a_limit_does_not_allow_is_made_of_excerpts(store: Store) -> None:
    """Memory is folded all the same, and costs nothing."""
    house = House(
        store=store,
        prices=PRICES,
        context_tokens=512,
        caps={("chat", "day", "usd"): 60_000},
        model=StandInModel(saying("word " * 60)),
    )
    async with house.running():
        for number in range(9):
            await house.ask(f"m{number}")
        for _ in range(100):
            if await held(store) == 0:
                break
            await asyncio.sleep(0.01)
    assert await held(store) == 0
