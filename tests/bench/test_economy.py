"""The study of what a chat costs bills as providers do, and measures the memory we have."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from core import memory, tokens, windows
from tests.bench import ours
from tests.bench.billing import COLD, HALF, TENTH, WRITTEN, Call, bill
from tests.bench.chatter import FACTS, chat
from tests.bench.economy import DROP, HALVED, NAMES, OURS, aims, scribe, study
from tests.bench.policies import KEPT, Folding, run, weighed


def calls(*sizes: int) -> list[Call]:
    """Return calls that each begin with the whole prompt before, so many tokens in all."""
    gaps = [size - before for before, size in pairwise((tokens.PRIMER_TOKENS, *sizes))]
    told = [replace(weighed("user", f"say {n}"), tokens=gap) for n, gap in enumerate(gaps)]
    return [Call(turn=n, messages=told[: n + 1], output=100) for n in range(len(sizes))]


def test_a_repeated_beginning_is_billed_as_cached() -> None:
    """From 1,024 tokens on, in steps of 128, until it was not used for five minutes."""
    found = calls(1_000, 2_000, 3_000)
    assert bill(found[:2], TENTH).cached == 0
    assert bill(found, TENTH).cached == 1_920
    assert bill(found, COLD).cached == 0
    assert bill(found, TENTH).cost == 0.75 * (6_000 - 1_920) + 0.075 * 1_920 + 4.5 * 300
    assert bill(found, TENTH).replies == 4.5 * 300


def test_a_changed_message_ends_what_is_cached() -> None:
    """What two messages begin with counts before GPT-5.6; then only whole prompts do."""
    long = weighed("system", "word " * 3_000)
    longer = weighed("system", "word " * 3_000 + "more")
    asked = weighed("user", "hm")
    found = [Call(turn=0, messages=(m, asked), output=1) for m in (long, longer, long)]
    assert bill(found[:2], TENTH).cached == 3_000 // 128 * 128
    assert bill(found[:2], WRITTEN).cached == 0
    assert bill(found, WRITTEN).cached == long.tokens + asked.tokens


def test_prices_are_those_of_the_table() -> None:
    """A model that is not billed as the study says is not used for it."""
    assert HALF.price.cached * 2 == HALF.price.input
    with pytest.raises(ValueError, match="gpt-4o is not billed"):
        _ = replace(HALF, cached=0.1).price


def test_our_memory_does_what_the_search_takes_it_for() -> None:
    """The policy that the search varies costs and knows what the real memory does."""
    told = chat("brief", 0, turns=80)
    policy = Folding(
        budget=6_144,
        notes=scribe(KEPT, 0),
        high=memory.HIGH,
        low=memory.LOW,
        share=1 / windows.SUMMARY_SHARE,
        adds=True,
        reuses=True,
    )
    pretended = run(policy, told)
    real = asyncio.run(ours.run(told, budget=6_144, notes=scribe(KEPT, 0)))
    assert sum(call.is_summary for call in real.calls) >= 3
    assert bill(real.calls, TENTH).cost == pytest.approx(
        bill(pretended.calls, TENTH).cost, rel=0.03
    )
    assert real.known == pytest.approx(pretended.known, abs=2)


def test_every_policy_is_studied() -> None:
    """Each has the whole chat within its budget, and the aims can be told from it."""
    results = study([chat("brief", 0, turns=30)], 4_096)
    assert list(results) == list(NAMES)
    for name, result in results.items():
        [found] = result.runs
        assert len(found.known) == 30
        assert max(found.known) <= len(FACTS)
        most = max(call.input for call in found.calls)
        assert most <= {"full history": 10**6, HALVED: 2_048}.get(name, 4_096)
    assert results[OURS].known >= results[DROP].known
    assert len(list(aims(results, OURS))) == 5
