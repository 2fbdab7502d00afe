"""Subjects that are talked to in turns, so that they can be compared; tables of how they fared."""

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from tests.bench.subject import Subject
from tests.bench.talk import Answer, Town

ROUNDS = 3
# Questions in each chat of a round.
QUESTIONS = {1: 5, 10: 4}
FEWEST_QUESTIONS = 3


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

    def milliseconds(self, delay: Callable[[Answer], float | None], *, nth: int = 10) -> float:
        """Return a delay over all answers, in milliseconds; nth of 20 are below it."""
        found = (delay(answer) for one in self.rounds for answer in one.answers)
        delays = [seconds for seconds in found if seconds is not None]
        return statistics.quantiles(delays, n=20, method="inclusive")[nth - 1] * 1000


Table = dict[tuple[int, str], Rounds]


async def compare(
    towns: Mapping[str, Town], *, chats: Sequence[int], rounds: int, warm_up: int = 1
) -> Table:
    """Let all subjects stand ready at once, and talk to them in turns.

    Args:
        towns: By the name of the command that serves them.
        chats: So many of them at a time.
        rounds: For each of those numbers.
        warm_up: Questions in each chat before anything counts.
    """
    found: dict[tuple[int, str], list[Round]] = {}
    async with AsyncExitStack() as stack:
        subjects = [
            await stack.enter_async_context(Subject(name, town)) for name, town in towns.items()
        ]
        for subject in subjects:  # connections are opened and caches filled
            await measure(subject, max(chats), warm_up)
        for number in chats:
            for _ in range(rounds):
                for subject in subjects:
                    questions = QUESTIONS.get(number, FEWEST_QUESTIONS)
                    one = await measure(subject, number, questions)
                    found.setdefault((number, subject.name), []).append(one)
                subjects.append(subjects.pop(0))
    return {key: Rounds(rounds) for key, rounds in found.items()}


@dataclass(frozen=True, slots=True)
class Column:
    """What a table shows of each subject: a heading, and how to spell the figure."""

    head: str
    spell: Callable[[Rounds], str]


def delay(head: str, of: Callable[[Answer], float | None], *, nth: int = 10) -> Column:
    """Return a column of milliseconds."""
    return Column(head, lambda rounds: f"{rounds.milliseconds(of, nth=nth):.0f}")


COSTS = (
    Column("answers/s", lambda rounds: f"{rounds.of(lambda r: r.rate):.1f}"),
    Column("CPU ms/answer", lambda rounds: f"{rounds.of(lambda r: r.cpu) * 1000:.1f}"),
    Column("core: bot", lambda rounds: f"{rounds.of(lambda r: r.load):.0%}"),
    Column("servers", lambda rounds: f"{rounds.of(lambda r: r.servers):.0%}"),
)
MEMORY = Column("RSS MB", lambda rounds: f"{rounds.of(lambda r: r.memory) / 2**20:.0f}")


def write_table(table: Table, columns: Sequence[Column]) -> None:
    """Print what was found, the fewest chats first."""
    out = sys.stdout.write
    out("  ".join(("chats", f"{'bot':13}", *(column.head for column in columns))) + "\n")
    for (chats, name), rounds in sorted(table.items()):
        cells = (f"{column.spell(rounds):>{len(column.head)}}" for column in columns)
        out("  ".join((f"{chats:5}", f"{name:13}", *cells)) + "\n")


def write_conditions(rounds: int) -> None:
    """Print how often and where it was measured."""
    load = os.getloadavg()[0]
    sys.stdout.write(
        f"medians of {rounds} rounds, ratios within each; {os.cpu_count()} cores, load average"
        f" {load:.1f}\n\n"
    )


def write_aim(value: float, text: str, *, is_met: bool) -> None:
    """Print whether an aim was met."""
    sys.stdout.write(f"{'met' if is_met else 'MISSED':6}  {value:7.2f}  {text}\n")
