"""What 200 turns cost, and what is still known after them, with our memory and with others.

Run as `python -m tests.bench economy`, with `--search` for policies that we could have instead.
The chats are made up, the same each time; every call counts, also those that write notes. Our
own memory is the real one, over a store on a disk; prices are those of the model table.
"""

import argparse
import asyncio
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.bench import ours
from tests.bench.billing import BREAKS, COLD, HALF, TARIFFS, TENTH, WRITTEN, Bill, Tariff, bill
from tests.bench.chatter import FACTS, MIXES, TURNS, Exchange, chat
from tests.bench.policies import (
    KEPT,
    LAST_TURNS,
    DropOldest,
    Folding,
    FullHistory,
    KeepLast,
    Peer,
    Run,
    Scribe,
    ShortSummary,
    carried,
    run,
)

BUDGETS = (4_096, 16_384, 131_072)
DEFAULT = 16_384
CHATS = 5
FIDELITIES = (0.5, 0.8, 0.95)

OURS, HALVED, EARLIER = "ours", "ours with half of the budget", "ours before this study"
DROP = "drop the oldest, turn by turn"
SHORT = "sum up at the limit, 700 char."
OTHERS: Mapping[str, Callable[..., Peer]] = {
    "full history": FullHistory,
    "keep the last 25 messages": KeepLast,
    DROP: DropOldest,
    SHORT: ShortSummary,
    EARLIER: Folding,
}
NAMES = (*OTHERS, OURS, HALVED)
AIMS = ((TENTH, 0.25), (HALF, 0.5))


Chat = Sequence[Exchange]


@dataclass(frozen=True, slots=True)
class Result:
    """What a policy did with some chats; each figure is their mean."""

    runs: Sequence[Run]

    def mean(self, figure: Callable[[Run], float]) -> float:
        """Return the mean of a figure."""
        return statistics.fmean(map(figure, self.runs))

    def bills(self, tariff: Tariff) -> "Bills":
        """Return what the chats cost."""
        return Bills([bill(run.calls, tariff) for run in self.runs])

    @property
    def known(self) -> float:
        """Facts in a prompt, mean of the last quarter of the turns."""
        return self.mean(lambda run: statistics.fmean(run.known[len(run.known) * 3 // 4 :]))

    @property
    def recent(self) -> float:
        """Share of the last turns that stands in a prompt whole, mean of all turns."""
        return self.mean(lambda run: statistics.fmean(run.recent))

    @property
    def folds(self) -> float:
        """How often notes were written."""
        return self.mean(lambda run: sum(call.is_summary for call in run.calls))


@dataclass(frozen=True, slots=True)
class Bills:
    """What some chats cost; each figure is their mean."""

    bills: Sequence[Bill]

    def mean(self, figure: Callable[[Bill], float]) -> float:
        """Return the mean of a figure."""
        return statistics.fmean(map(figure, self.bills))

    @property
    def cost(self) -> float:
        """Micro-dollars."""
        return self.mean(lambda b: b.cost)

    @property
    def prompts(self) -> float:
        """Micro-dollars without the replies, which cost the same with every policy."""
        return self.mean(lambda b: b.cost - b.replies)


Results = Mapping[str, Result]


def study(
    chats: Sequence[Chat], budget: int, names: Sequence[str] = NAMES, *, kept: float = KEPT
) -> dict[str, Result]:
    """Let policies have the same chats."""
    return {name: _hold(name, chats, budget, kept) for name in names}


def _hold(name: str, chats: Sequence[Chat], budget: int, kept: float) -> Result:
    if name in OTHERS:
        return hold(OTHERS[name], chats, budget, kept)
    tokens = budget if name == OURS else budget // 2
    return Result(
        [
            asyncio.run(ours.run(one, budget=tokens, notes=scribe(kept, seed)))
            for seed, one in enumerate(chats)
        ]
    )


def hold(
    policy: Callable[..., Peer], chats: Sequence[Chat], budget: int, kept: float = KEPT
) -> Result:
    """Let a policy have some chats."""
    return Result(
        [
            run(policy(budget=budget, notes=scribe(kept, seed)), one)
            for seed, one in enumerate(chats)
        ]
    )


def scribe(kept: float, seed: int) -> Scribe:
    """Return who writes notes in the chat of a seed."""
    return Scribe(kept=kept, carried=carried(kept), seed=seed)


HEAD = (
    f"{'':31} {'--- tokens, thousands ---':^26}  {'':5} {'x drop oldest':>14}"
    f"  {'facts of 20':>14} {'last 10':>8} {'largest':>8} {'fresh':>6}\n"
    f"{'':31} {'input':>8} {'cached':>7} {'output':>7}  {'cost, $':>8}"
    f" {'bill':>5} {'prompts':>8}  {'late':>5} {'end':>4} {'asked':>5}"
    f" {'turns':>6} {'prompt':>9} {'a turn':>6}\n"
)
LEGEND = f"""
cost:   of all calls, notes included; x drop oldest: the whole bill, and the bill without the
        replies, which cost the same with every policy
facts:  how many of the {len(FACTS)} told in turns 5 to 144 a prompt has: mean of turns 150 to 199,
        in the last prompt, and when the person asks for each of them
last:   of the last {LAST_TURNS} turns, how many stand in a prompt word for word
fresh:  tokens a turn that are not cached: what the first word waits for
notes:  by a stand-in that keeps a fact of the chat with a probability of {KEPT:.0%}, and of
        {carried(KEPT):.0%} when it writes notes anew; 8 % as long as what they sum up
"""


def _row(name: str, result: Result, tariff: Tariff, base: Bills) -> str:
    bills = result.bills(tariff)
    size = result.mean(lambda run: max(call.input for call in run.calls))
    return (
        f"{name:31} {bills.mean(lambda b: b.input) / 1000:8,.0f}"
        f" {bills.mean(lambda b: b.cached / b.input):7.0%}"
        f" {bills.mean(lambda b: b.output) / 1000:7.1f}  {bills.cost / 1e6:8.4f}"
        f" {bills.cost / base.cost:5.2f} {bills.prompts / base.prompts:8.2f}"
        f"  {result.known:5.1f} {result.mean(lambda run: run.known[-1]):4.1f}"
        f" {result.mean(lambda run: run.answered):5.1f} {result.recent:6.0%} {size:9,.0f}"
        f" {bills.mean(lambda b: b.fresh / TURNS):6,.0f}\n"
    )


def _table(results: Results, tariff: Tariff) -> Iterator[str]:
    price = tariff.price
    dollars = [f"{p / 1e6:g}" for p in (price.input, price.cached, price.written, price.output)]
    yield (
        f"\n{tariff.name}: {tariff.model}, $ {dollars[0]} in, {dollars[1]} cached,"
        f" {dollars[2]} written, {dollars[3]} out\n"
    )
    yield HEAD
    for name, result in results.items():
        yield _row(name, result, tariff, results[DROP].bills(tariff))


def aims(results: Results, name: str) -> Iterator[tuple[bool, float, str]]:
    """Yield whether each aim was met, what was measured, and what it is."""
    mine, drop = results[name], results[DROP]
    yield mine.known >= drop.known, mine.known, f"facts (>= {drop.known:.1f}, as drop the oldest)"
    for tariff, most in AIMS:
        bills, theirs = mine.bills(tariff), drop.bills(tariff)
        replies = theirs.mean(lambda b: b.replies) / theirs.cost
        for ratio, what in (
            (bills.cost / theirs.cost, f"whole bill ({replies:.2f} are replies)"),
            (bills.prompts / theirs.prompts, "bill without replies"),
        ):
            yield ratio <= most, ratio, f"x drop the oldest, {tariff.name}, {what} (<= {most:g})"


def _study(mix: str, budgets: Sequence[int], number: int) -> Iterator[str]:
    chats = [chat(mix, seed) for seed in range(number)]
    for budget in budgets:
        results = study(chats, budget)
        yield f"\n=== {mix} chat, budget of {budget:,} tokens, mean of {number} chats ===\n"
        for tariff in TARIFFS if budget == DEFAULT else (TENTH, HALF):
            yield from _table(results, tariff)
        if budget == DEFAULT:
            for name in (OURS, HALVED):
                yield f"\n{name}\n"
                for is_met, value, text in aims(results, name):
                    yield f"{'met' if is_met else 'MISSED':6}  {value:5.2f}  {text}\n"
            yield from _fidelities(chats, results[DROP])


def _fidelities(chats: Sequence[Chat], drop: Result) -> Iterator[str]:
    yield f"\n{'facts late, and x drop oldest':31}"
    yield "".join(f"{f'{kept:.0%} kept':>16}" for kept in FIDELITIES) + "\n"
    names = (SHORT, EARLIER, OURS)
    tables = [study(chats, DEFAULT, names, kept=kept) for kept in FIDELITIES]
    for name in (DROP, *names):
        yield f"{name:31}"
        for result in [table.get(name, drop) for table in tables]:
            ratio = result.bills(TENTH).cost / drop.bills(TENTH).cost
            yield f"{result.known:9.1f} {ratio:6.2f}"
        yield "\n"


Change = dict[str, Any]
BOTH: Change = {"adds": True, "reuses": True}
# Marks, high and low, by the share of the budget that notes may have.
MARKS = {
    8: (0.9, 0.4, 0.8, 0.3, 0.8, 0.2, 0.7, 0.3, 0.7, 0.2, 0.6, 0.3, 0.6, 0.2, 0.6, 0.1, 0.5, 0.1),
    4: (0.6, 0.2),
    16: (0.6, 0.2, 0.6, 0.1),
}


def _changes() -> Iterator[tuple[str, Change]]:
    yield "before: 0.8 / 0.4, 1/8", {}
    yield "notes are added", {"adds": True}
    yield "asked below the last prompt", {"reuses": True}
    yield "both", BOTH
    for share, marks in MARKS.items():
        for high, low in zip(marks[::2], marks[1::2], strict=True):
            change: Change = {"high": high, "low": low, "share": 1 / share}
            yield f"both, {high} / {low}, 1/{share}", BOTH | change


def _search(mix: str, budget: int, number: int) -> Iterator[str]:
    chats = [chat(mix, seed) for seed in range(number)]
    base = hold(DropOldest, chats, budget)
    yield f"\n=== {mix} chat, budget of {budget:,} tokens, mean of {number} chats ===\n"
    yield f"{'x drop the oldest':31} {'1/10':>6} {'1/2':>6} {'5/4':>6} {'breaks':>6} {'cold':>6}"
    yield f" {'facts':>6} {'last 10':>8} {'folds':>6}\n"
    for name, change in _changes():
        result = hold(partial(Folding, **change), chats, budget)
        yield f"{name:31}"
        for tariff in (TENTH, HALF, WRITTEN, BREAKS, COLD):
            yield f" {result.bills(tariff).cost / base.bills(tariff).cost:6.3f}"
        yield f" {result.known:6.1f} {result.recent:8.0%} {result.folds:6.1f}\n"


def main() -> None:
    """Study and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench economy")
    parser.add_argument("--mixes", nargs="+", choices=MIXES, default=list(MIXES))
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS)
    parser.add_argument("--chats", type=int, default=CHATS)
    parser.add_argument("--search", action="store_true", help="compare ways to fold instead")
    chosen = parser.parse_args()
    for mix in chosen.mixes:
        if chosen.search:
            lines: Iterator[str] = (
                line for b in chosen.budgets for line in _search(mix, b, chosen.chats)
            )
        else:
            lines = _study(mix, chosen.budgets, chosen.chats)
        for line in lines:
            sys.stdout.write(line)
            sys.stdout.flush()
    if not chosen.search:
        sys.stdout.write(LEGEND)


if __name__ == "__main__":
    main()
