"""Spending limits: what may be spent, what is held before a call, what it cost afterwards.

Money is in micro-dollars. Before any paid call its worst case is held, in one transaction,
under every limit that applies; when the call's own usage is committed, it takes the place of
what was held. So calls that run at the same time cannot overshoot a limit together.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from core import metrics, models
from core.errors import BudgetError
from core.models import Price
from core.money import Level, Limit, Scope, Span, Standing, Unit
from core.protocols import Pay, Store
from core.types import Usage

MICRO = 1_000_000
DIME = 100_000
THOUSAND = 1_000  # tokens of a prompt, to compare models by
# Our count of a prompt may be off by so much where a model's own vocabulary is not known.
MARGIN = 1.25
# Of speech, where a model bills tokens: 10 (OpenAI) to 32 (Gemini) that it hears, according to
# their guides to speech, 2026-11, and a few that it writes.
TOKENS_A_SECOND = 40

Prices = Callable[[str], Price | None]
Caps = Mapping[tuple[Scope, Span, Unit], int]

SPANS: tuple[Span, ...] = ("day", "month")
_WHOSE = {"user": "your limit", "chat": "the limit of this chat", "all": "my limit for everybody"}
_SPAN = {"day": "today", "month": "this month"}


def price_of(name: str) -> Price | None:
    """Return what a model costs, be it one that writes or one that hears; None if unknown."""
    return models.describe(name).price or models.describe_speech(name).price


class Spending:
    """Knows prices and limits, and gives out purses.

    Args:
        store: Where it is held and entered.
        caps: The owner's limits, in micro-dollars and tokens.
        savings: What to try where little is left: a shorter `memory`, a cheaper `model`.
        has_footer: Whether a line below each answer tells what it cost.
        prices: What a model costs; None when that is unknown.
    """

    def __init__(
        self,
        store: Store,
        *,
        caps: Caps,
        savings: Collection[str] = (),
        has_footer: bool = False,
        prices: Prices = price_of,
    ) -> None:
        self._store = store
        self.savings = frozenset(savings)
        self.has_footer = has_footer
        self.prices = prices
        self._caps = caps

    def purse(self, name: str, *, person: str, chat: int) -> "Purse":
        """Return what a piece of work may spend.

        Args:
            name: Of the work; what it held before under this name is let go.
            person: Whose work it is; empty for nobody's.
            chat: The chat's id in the store.
        """
        limits = tuple(
            self.limit(scope, s, span) for scope, s in _subjects(person, chat) for span in SPANS
        )
        return Purse(name=name, limits=limits, store=self._store, prices=self.prices)

    def cheapest(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the models cheaper than the first of a list, the cheapest first."""
        costs = {name: self._cost_of_turn(name) for name in names}
        first = costs[names[0]]
        cheaper = [
            n for n, c in costs.items() if first is not None and c is not None and c < first
        ]
        return tuple(sorted(cheaper, key=lambda name: costs[name] or 0))

    def _cost_of_turn(self, name: str) -> int | None:
        price = self.prices(name)
        return price.cost(input=THOUSAND, output=THOUSAND // 10) if price else None

    def limit(self, scope: Scope, subject: str, span: Span) -> Limit:
        """Return the limit of the settings."""
        return Limit(
            scope=scope,
            subject=subject,
            span=span,
            usd=self._caps.get((scope, span, "usd")),
            tokens=self._caps.get((scope, span, "tokens")),
        )


def _subjects(person: str, chat: int) -> list[tuple[Scope, str]]:
    subjects: list[tuple[Scope, str]] = [("chat", str(chat)), ("all", "")]
    return [("user", person), *subjects] if person else subjects


@dataclass(slots=True, kw_only=True)
class Purse:
    """What one piece of work may spend.

    Attributes:
        standing: How the limits stood when something was last held.
        warned: Limits that are nearly used up, for the person to be told.
        paid: Calls that are not in the ledger yet, beside those of an answer.
    """

    name: str
    limits: tuple[Limit, ...]
    store: Store
    prices: Prices
    standing: Standing = field(default_factory=Standing)
    warned: tuple[Level, ...] = ()
    paid: list[Usage] = field(default_factory=list)

    async def hold(
        self,
        names: Sequence[str],
        *,
        prompt: int,
        reply: int,
        spent: Sequence[Usage] = (),
    ) -> None:
        """Hold the worst case of a call of any of some models, on top of what was spent.

        Args:
            names: The models that may be asked.
            prompt: Its tokens, as we count them for these models.
            reply: Most tokens of it.
            spent: Earlier calls of the same work that are not settled yet.

        Raises:
            BudgetError: A limit does not allow it.
        """
        most = math.ceil(prompt * MARGIN)
        # The dearest prompt is one that the provider puts into its cache as a whole.
        worst = [
            self.cost(Usage(purpose="chat", model=n, input=most, written=most, output=reply))
            for n in names
        ]
        await self._hold(names, worst, most + reply, spent)

    async def hold_audio(self, names: Sequence[str], seconds: float) -> Pay:
        """Hold the worst case of hearing a recording; return what is to be told of each call.

        Raises:
            BudgetError: A limit does not allow it.
        """
        worst = [self.cost(Usage(purpose="transcribe", model=n, seconds=seconds)) for n in names]
        prices = [price for name in names if (price := self.prices(name))]
        is_in_tokens = any(price.input or price.output for price in prices)
        most = math.ceil(seconds * TOKENS_A_SECOND) if is_in_tokens else 0
        await self._hold(names, worst, most, ())
        return self.pay

    def pay(self, call: Usage) -> None:
        """Note a paid call, until what the work comes to is committed."""
        self.paid.append(self.priced(call))

    def take_paid(self) -> tuple[Usage, ...]:
        """Return the calls noted so far, which are about to be entered."""
        calls = tuple(self.paid)
        self.paid.clear()
        return calls

    async def _hold(
        self,
        names: Sequence[str],
        worst: Sequence[int | None],
        tokens: int,
        spent: Sequence[Usage],
    ) -> None:
        usd = max((cost or 0 for cost in worst), default=0)
        standing = await self.store.hold(
            self.name, self.limits, usd=usd, tokens=tokens, spent=(*self.paid, *spent)
        )
        self.standing = standing
        self.warned += standing.warned
        if standing.refused:
            metrics.count(metrics.HOLDS, "refused")
            raise BudgetError(exhausted(standing.refused))
        unpriced = [name for name, cost in zip(names, worst, strict=True) if cost is None]
        if unpriced and any(level.unit == "usd" for level in standing.levels):
            await self.store.release_hold(self.name)
            metrics.count(metrics.HOLDS, "refused")
            raise BudgetError(
                f"Nobody has told me what {unpriced[0]} costs, so I cannot keep to a limit in "
                "dollars. My owner can set its price, or a limit in tokens."
            )
        metrics.count(metrics.HOLDS, "held")

    def cost(self, call: Usage) -> int | None:
        """Return what a call costs, rounded up; None when its price is unknown."""
        price = self.prices(call.model)
        if price is None:
            return None
        return price.cost(
            input=call.input,
            cached=call.cached,
            written=call.written,
            output=call.output,
            seconds=call.seconds,
        )

    def left(self, calls: Sequence[Usage]) -> str:
        """Say what is left of the narrowest limit after some calls; empty if there is none."""
        spent = {"usd": sum(c.cost or 0 for c in calls), "tokens": sum(c.tokens for c in calls)}
        rest = [(max(0, level.left - spent[level.unit]), level) for level in self.standing.levels]
        if not rest:
            return ""
        amount_left, level = min(rest, key=lambda pair: pair[0] / max(pair[1].cap, 1))
        return f"{amount(amount_left, level.unit)} left {_SPAN[level.span]}"

    def priced(self, call: Usage) -> Usage:
        """Return a call with its cost."""
        return replace(call, cost=self.cost(call))


def dollars(amount: int) -> str:
    """Return an amount of micro-dollars for people: cents, and more digits of little ones."""
    digits = 2 if amount == 0 or amount >= DIME else 4
    return f"${amount / MICRO:,.{digits}f}"


def amount(value: int, unit: Unit) -> str:
    """Return an amount for people."""
    return dollars(value) if unit == "usd" else f"{value:,} tokens"


def resets(level: Level) -> str:
    """Return when a limit counts from zero again."""
    at = datetime.fromtimestamp(level.resets_at / 1000).astimezone()
    return "at midnight" if level.span == "day" else f"on {at.day} {at:%B}"


def exhausted(level: Level) -> str:
    """Return what to say when a limit does not allow a call."""
    share = (
        f"{amount(level.spent, level.unit)} of {amount(level.cap, level.unit)} spent"
        if level.spent < level.cap
        else f"{amount(level.cap, level.unit)} spent"
    )
    return (
        f"That would exceed {_WHOSE[level.scope]} for {_SPAN[level.span]}: {share}. "
        f"It resets {resets(level)}; my owner can raise it."
    )


def nearly(level: Level) -> str:
    """Return what to say when a limit is nearly used up."""
    share = 100 * level.spent // max(level.cap, 1)
    return (
        f"💰 *{share} % of {_WHOSE[level.scope]} for {_SPAN[level.span]} "
        f"({amount(level.cap, level.unit)}) is used; it resets {resets(level)}.*"
    )
