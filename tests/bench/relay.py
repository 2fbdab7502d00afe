"""Speed of the whole path, beside two bare relays of a few lines (`tests.bench.floors`).

Run as `python -m tests.bench relay`. All three stand ready at once, each in a process of its
own and with loopback servers of its own, and are talked to in turns, so that whatever else the
machine does strikes all of them. In every chat somebody asks anew as soon as the answer stands.
"""

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from tests.bench.subject import COMMANDS, Subject
from tests.bench.talk import Answer

CHATS = (1, 10, 50, 200)
ROUNDS = 3
# Questions in each chat of a round.
QUESTIONS = {1: 5, 10: 4}
FEWEST_QUESTIONS = 3

OURS, DEFAULT, FAST = COMMANDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """How one subject fared with so many chats once; times in seconds.

    Attributes:
        rate: Answers a second.
        cpu: Of the bot, for an answer.
        load: Of one core, by the bot.
        servers: Of one core, by the loopback servers: near 1, they are what is measured.
        memory: Bytes.
    """

    rate: float
    cpu: float
    load: float
    servers: float
    memory: int
    answers: Sequence[Answer]


async def measure(subject: Subject, chats: int, questions: int) -> Round:
    """Let people in `chats` new chats talk to a subject.

    Raises:
        TimeoutError: An answer did not come.
    """
    people = subject.town.people(chats)
    cpu, servers, start = subject.cpu, time.process_time(), time.monotonic()
    answers = await subject.town.talk(people, questions)
    seconds = time.monotonic() - start
    cpu = subject.cpu - cpu
    return Round(
        rate=len(answers) / seconds,
        cpu=cpu / len(answers),
        load=cpu / seconds,
        servers=(time.process_time() - servers) / seconds,
        memory=subject.memory,
        answers=answers,
    )


@dataclass(frozen=True, slots=True)
class Rounds:
    """All rounds of one subject with so many chats; each figure is their median."""

    rounds: Sequence[Round]

    def of(self, figure: Callable[[Round], float]) -> float:
        """Return the median of a figure."""
        return statistics.median(map(figure, self.rounds))

    def ratio(self, other: "Rounds", figure: Callable[[Round], float]) -> float:
        """Return the median of what a figure is to another subject's in the same round."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return statistics.median(figure(mine) / figure(theirs) for mine, theirs in pairs)

    def milliseconds(self, delay: Callable[[Answer], float]) -> float:
        """Return the median of a delay over all answers, in milliseconds."""
        answers = [answer for one in self.rounds for answer in one.answers]
        return statistics.median(map(delay, answers)) * 1000


Table = dict[tuple[int, str], Rounds]


async def _bench(chats: Sequence[int], rounds: int) -> Table:
    found: dict[tuple[int, str], list[Round]] = {}
    async with AsyncExitStack() as stack:
        subjects = [await stack.enter_async_context(Subject(name)) for name in COMMANDS]
        for subject in subjects:  # connections are opened and caches filled
            await measure(subject, max(chats), 1)
        for number in chats:
            for _ in range(rounds):
                for subject in subjects:
                    questions = QUESTIONS.get(number, FEWEST_QUESTIONS)
                    one = await measure(subject, number, questions)
                    found.setdefault((number, subject.name), []).append(one)
                subjects.append(subjects.pop(0))
    return {key: Rounds(rounds) for key, rounds in found.items()}


def _row(chats: int, name: str, rounds: Rounds) -> str:
    return (
        f"{chats:5}  {name:13}  {rounds.of(lambda r: r.rate):8.1f}"
        f"  {rounds.of(lambda r: r.cpu) * 1000:6.1f}"
        f"  {rounds.of(lambda r: r.load):5.0%}  {rounds.of(lambda r: r.servers):7.0%}"
        f"  {rounds.milliseconds(lambda a: a.confirmed):9.0f}"
        f"  {rounds.milliseconds(lambda a: a.asked):5.0f}"
        f"  {rounds.milliseconds(lambda a: a.visible):7.0f}"
        f"  {rounds.milliseconds(lambda a: a.final):5.0f}"
        f"  {rounds.of(lambda r: r.memory) / 2**20:6.0f}\n"
    )


HEAD = """\
                      answers     CPU   load of a core    ------ added latency, ms ------     RSS
chats  bot            a second  ms/ans   bot  servers  confirmed  asked  visible  final      MB
"""
LEGEND = """
confirmed: asked by a person -> Telegram hears that the bot has it (ours: stored, fsynced)
asked:     asked by a person -> request at the model (ours: includes 20 ms for split messages)
visible:   first token -> first text in the chat;  final: last token -> whole text in the chat
"""


def _aims(table: Table, chats: Sequence[int]) -> Iterator[tuple[bool, float, str]]:
    most = max(chats)
    ours, default, fast = (table[most, name] for name in (OURS, DEFAULT, FAST))
    rate = ours.ratio(default, lambda r: r.rate)
    yield rate >= 4, rate, f"x the answers/s of the default floor at {most} chats (>= 4)"
    rate = ours.ratio(fast, lambda r: r.rate)
    yield rate >= 0.7, rate, f"x the answers/s of the fast floor at {most} chats (>= 0.7)"
    cpu = ours.ratio(default, lambda r: r.cpu)
    yield cpu <= 0.5, cpu, f"x the CPU per answer of the default floor at {most} chats (<= 0.5)"
    few = min(chats, key=lambda number: abs(number - 10))
    delay = table[few, OURS].milliseconds(lambda a: a.visible)
    yield delay <= 100, delay, f"ms from first token to first visible text at {few} chats (<= 100)"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench relay")
    parser.add_argument("--chats", type=int, nargs="+", default=CHATS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    table = asyncio.run(_bench(chosen.chats, chosen.rounds))
    out = sys.stdout.write
    out(HEAD)
    for (chats, name), rounds in sorted(table.items()):
        out(_row(chats, name, rounds))
    out(LEGEND)
    out(f"medians of {chosen.rounds} rounds, ratios within each; {os.cpu_count()} cores\n\n")
    for is_met, value, text in _aims(table, chosen.chats):
        out(f"{'met' if is_met else 'MISSED':6}  {value:7.2f}  {text}\n")


if __name__ == "__main__":
    main()
