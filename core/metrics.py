"""What is counted and timed, all of it in one place, for whoever scrapes it.

Labels are bounded by what an owner sets up (platforms, models) or by the code itself: never a
chat, a person, or anything somebody wrote.
"""

import asyncio
import functools
import itertools
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from core.kept import Depth
from core.types import Ending, Kind, Usage

StepName = Literal[
    "waiting",
    "prepare",
    "understand",
    "memory",
    "hold",
    "first_token",
    "model",
    "visible",
    "commit",
    "deliver",
    "total",
    "summary",
]
# Where something is tried again.
Where = Literal["turn", "outbox", "delivery", "store", "model", "speech"]

STEP_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)
STORE_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10)
MICRO = 1_000_000

# They would be a second series for every one of ours.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"causerie_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"causerie_{name}", text, labels, registry=REGISTRY)


INFO = _gauge("info", "1, with the version that runs", "version")
UPTIME = _gauge("uptime_seconds", "since the process started")
TASKS = _gauge("tasks", "asyncio tasks that have not ended")

RECEIVED = _counter("received_total", "messages stored", "platform", "kind")
TURNS = _counter("turns_total", "turns that ended", "platform", "kind", "outcome")
STEPS = Histogram(
    "causerie_step_seconds",
    "steps of a turn",
    ["step"],
    buckets=STEP_BUCKETS,
    registry=REGISTRY,
)
RETRIES = _counter("retries_total", "what is tried again after a failure", "where")
RATE_LIMITED = _counter("rate_limited_total", "calls that a platform answered by 429", "platform")
LEASES_LOST = _counter("leases_lost_total", "chats that another worker took over")
HELD_CHATS = _gauge("held_chats", "chats that this process answers now")

MODEL_CALLS = _counter("model_calls_total", "paid calls, as in the ledger", "model", "purpose")
MODEL_FAILURES = _counter("model_failures_total", "calls that failed", "model", "cause")
MODEL_DOWN = _gauge("model_down", "1 while a model is passed over, as its server is down", "model")
MODEL_LINE = _gauge("model_line", "answers that wait until fewer are being written")
TOKENS = _counter("tokens_total", "input (cached included), cached, output", "model", "direction")
COST = _counter("cost_usd_total", "dollars, where the price is known", "model", "purpose")
UNPRICED = _counter("unpriced_calls_total", "paid calls whose price is unknown", "model")
SPEECH = _counter("speech_seconds_total", "of recordings that were heard", "model")
HOLDS = _counter("holds_total", "amounts set aside before a call, or refused", "result")

STORE = Histogram(
    "causerie_store_seconds",
    "transactions, from asked for to durable",
    buckets=STORE_BUCKETS,
    registry=REGISTRY,
)
STORE_FAILURES = _counter("store_failures_total", "transactions that failed")
STORE_WAITING = _gauge("store_waiting", "transactions asked for and not done")
STORE_CONNECTIONS = _gauge("store_connections", "connections to the database that are open")

QUEUE = _gauge("queue_messages", "messages stored and not yet answered, in the whole database")
QUEUE_AGE = _gauge("queue_age_seconds", "the oldest of them has been due for so long")
OUTBOX = _gauge("outbox_messages", "texts that are still to go out, in the whole database")
DEAD = _gauge("dead_messages", "messages that were given up, in the whole database")
HOLDS_OPEN = _gauge("holds_open", "amounts set aside now, in the whole database")


@dataclass(slots=True)
class InStore:
    """Transactions that are asked for and not done; a plain number is counted up cheaply."""

    count: int = 0


IN_STORE = InStore()
STORE_WAITING.set_function(lambda: IN_STORE.count)
_began = time.monotonic()
UPTIME.set_function(lambda: time.monotonic() - _began)
_STEPS = {name: STEPS.labels(name) for name in get_args(StepName)}


def _count_tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # no loop runs here
        return 0


TASKS.set_function(_count_tasks)


@functools.cache
def _child(counter: Counter, *labels: str) -> Counter:
    return counter.labels(*labels)


def expect(platforms: Iterable[str]) -> None:
    """Let what is rare begin at 0: Prometheus sees no increase in what begins at 1.

    Args:
        platforms: Whose messages this process takes in or answers.
    """
    for where in get_args(Where):
        _child(RETRIES, where)
    for result in ("held", "refused"):
        _child(HOLDS, result)
    for platform in platforms:
        _child(RATE_LIMITED, platform)
        for kind, ending in itertools.product(get_args(Kind), get_args(Ending)):
            _child(TURNS, platform, kind, ending)


def count(counter: Counter, *labels: str, amount: float = 1) -> None:
    """Add to a counter, labels in their order."""
    _child(counter, *labels).inc(amount)


def observe(step: StepName, seconds: float) -> None:
    """Note how long a step took."""
    _STEPS[step].observe(seconds)


def retried(where: Where) -> None:
    """Note that something is tried again."""
    count(RETRIES, where)


def spent(calls: Iterable[Usage]) -> None:
    """Note paid calls, once they are entered into the ledger."""
    for call in calls:
        count(MODEL_CALLS, call.model, call.purpose)
        count(TOKENS, call.model, "input", amount=call.input)
        count(TOKENS, call.model, "cached", amount=call.cached)
        count(TOKENS, call.model, "output", amount=call.output)
        if call.seconds:
            count(SPEECH, call.model, amount=call.seconds)
        if call.cost is None:
            count(UNPRICED, call.model)
        else:
            count(COST, call.model, call.purpose, amount=call.cost / MICRO)


def show_depth(depth: Depth | None) -> None:
    """Show what waits in the store; None: it does not say."""
    QUEUE.set(depth.waiting if depth else float("nan"))
    QUEUE_AGE.set(depth.oldest_seconds if depth else float("nan"))
    OUTBOX.set(depth.outbox if depth else float("nan"))
    DEAD.set(depth.dead if depth else float("nan"))
    HOLDS_OPEN.set(depth.holds if depth else float("nan"))


def exposed() -> bytes:
    """Return everything in the format that Prometheus reads."""
    return prometheus_client.generate_latest(REGISTRY)
