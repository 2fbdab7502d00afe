"""What calls of a model cost where its provider keeps the beginnings of prompts in a cache."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from core import models, tokens
from core.models import Price
from core.types import Message

# OpenAI's guide, developers.openai.com/api/docs/guides/prompt-caching, 2026-11. Of all models:
LEAST = 1_024
# Before GPT-5.6 any common beginning counts, in steps; it is kept 5 to 10 minutes unused.
STEP = 128
SECONDS = 300
# From GPT-5.6 on, a prompt is kept up to the end of its newest message of a person for 30
# minutes, written at a price, and read only if that whole part is repeated.
MARKED_SECONDS = 1_800

MINUTE, HOUR = 60, 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the model.

    Attributes:
        turn: In which turn, from 0.
        messages: Its prompt.
        output: Tokens of what the model wrote.
        is_summary: It wrote notes, not an answer.
    """

    turn: int
    messages: Sequence[Message]
    output: int
    is_summary: bool = False

    @property
    def input(self) -> int:
        """Tokens of the prompt."""
        return sum(message.tokens for message in self.messages) + tokens.PRIMER_TOKENS


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """How a call is billed, and when turns come.

    Attributes:
        name: Of the tariff, for people.
        model: Whose prices count.
        cached: What a cached token costs there, of one that is not.
        is_marked: The cache works as from GPT-5.6 on.
        clock: When a turn comes, in seconds.
    """

    name: str
    model: str
    cached: float
    is_marked: bool = False
    clock: Callable[[int], int] = lambda turn: turn * MINUTE

    @property
    def price(self) -> Price:
        """The model's, from the model table.

        Raises:
            ValueError: The table has none, or one of another kind.
        """
        price = models.describe(self.model).price
        if price is None or price.cached != price.input * self.cached:
            raise ValueError(f"{self.model} is not billed at {self.cached} for cached input")
        return price


def _with_breaks(turn: int) -> int:
    return turn * MINUTE + turn // 10 * 8 * HOUR


TENTH = Tariff(name="cached at 1/10", model="gpt-5.4-mini", cached=0.1)
HALF = Tariff(name="cached at 1/2", model="gpt-4o", cached=0.5)
WRITTEN = Tariff(
    name="cached at 1/10, written at 5/4", model="gpt-5.6-luna", cached=0.1, is_marked=True
)
BREAKS = Tariff(
    name="1/10, hours of silence every 10 turns",
    model="gpt-5.4-mini",
    cached=0.1,
    clock=_with_breaks,
)
COLD = Tariff(
    name="1/10, an hour of silence before each turn",
    model="gpt-5.4-mini",
    cached=0.1,
    clock=lambda turn: turn * HOUR,
)
TARIFFS = (TENTH, HALF, WRITTEN, BREAKS, COLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What calls came to, in tokens and micro-dollars.

    Attributes:
        cost: Of everything.
        replies: The part of it for the answers, which no policy can save.
        notes: The part of it for calls that wrote notes.
    """

    input: int
    cached: int
    output: int
    cost: int
    replies: int
    notes: int

    @property
    def fresh(self) -> int:
        """Tokens of prompts that were not cached, which a person waits for."""
        return self.input - self.cached


def bill(calls: Sequence[Call], tariff: Tariff) -> Bill:
    """Return what calls come to."""
    cache, price = _Cache(tariff), tariff.price
    cached, costs = 0, {True: 0, False: 0}
    for call in calls:
        known, written = cache.read(call, tariff.clock(call.turn))
        cached += known
        costs[call.is_summary] += price.cost(
            input=call.input, cached=known, written=written, output=call.output
        )
    return Bill(
        input=sum(call.input for call in calls),
        cached=cached,
        output=sum(call.output for call in calls),
        cost=sum(costs.values()),
        replies=price.cost(output=sum(call.output for call in calls if not call.is_summary)),
        notes=costs[True],
    )


@dataclass(slots=True)
class _Node:
    """A beginning of prompts, up to the end of a message."""

    used_at: float = -math.inf
    is_mark: bool = False
    after: dict[tuple[str, str, str], "_Node"] = field(default_factory=dict)


class _Cache:
    def __init__(self, tariff: Tariff) -> None:
        self._is_marked = tariff.is_marked
        self._seconds = MARKED_SECONDS if tariff.is_marked else SECONDS
        self._root = _Node()

    def read(self, call: Call, now: float) -> tuple[int, int]:
        """Return the tokens of a prompt that are cached, and those that are written."""
        known = self._marked(call, now) if self._is_marked else self._common(call, now)
        path = [node for _, node in self._path(call)]
        for node in path:
            node.used_at = now
        path[-1].is_mark = call.messages[-1].role == "user"
        cached = known if known >= LEAST else 0
        if not self._is_marked:
            return cached // STEP * STEP, 0
        return cached, call.input - cached if call.input >= LEAST else 0

    def _path(self, call: Call) -> Iterator[tuple[Message, _Node]]:
        node = self._root
        for message in call.messages:
            node = node.after.setdefault(_key(message), _Node())
            yield message, node

    def _marked(self, call: Call, now: float) -> int:
        total = best = 0
        for message, node in self._path(call):
            total += message.tokens
            if node.is_mark and self._is_fresh(node, now):
                best = total
        return best

    def _common(self, call: Call, now: float) -> int:
        total, before = 0, self._root
        for message, node in self._path(call):
            if not self._is_fresh(node, now):
                fresh = [key for key, n in before.after.items() if self._is_fresh(n, now)]
                return total + max((_shared(message, key) for key in fresh), default=0)
            total += message.tokens
            before = node
        return total

    def _is_fresh(self, node: _Node, now: float) -> bool:
        return now - node.used_at <= self._seconds


def _key(message: Message) -> tuple[str, str, str]:
    return message.role, message.name, message.content


def _shared(message: Message, other: tuple[str, str, str]) -> int:
    """Return how many tokens two messages begin with that are the same."""
    if _key(message)[:2] != other[:2]:
        return 0
    pairs = zip(message.content, other[2], strict=False)
    length = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    return tokens.framing(message) + tokens.count(message.content[:length])
