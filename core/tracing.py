"""Which piece of work something belongs to: for the log, for the times, and for traces.

Traces are off unless the environment says where they go; only `core.otel` knows how.
"""

import logging
import os
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from core import metrics
from core.metrics import StepName

log = logging.getLogger(__name__)

# opentelemetry.io/docs/specs/otel/protocol/exporter, 2026-11.
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

Value = str | int | float | bool
Values = Mapping[str, Value]


class Span(Protocol):
    """A part of a trace. It holds ids and numbers, never what somebody said.

    Attributes:
        trace: Id of the trace it is in.
    """

    trace: str

    def child(self, name: str) -> "Span":
        """Begin a part of this one."""

    def note(self, values: Values, *, name: str = "") -> None:
        """Add what is known of it, and maybe a better name."""

    def end(self, error: str = "") -> None:
        """End it; with the kind of the error that ended it, if one did."""


class Tracer(Protocol):
    """Where traces begin."""

    def begin(self, name: str) -> Span:
        """Begin a trace."""


@dataclass(slots=True)
class _Chosen:
    tracer: Tracer | None = None


_chosen = _Chosen()
_current: ContextVar["Work | None"] = ContextVar("work", default=None)


def use(tracer: Tracer | None) -> None:
    """Trace all work from now on; None: no more."""
    _chosen.tracer = tracer


async def open_tracing(stack: AsyncExitStack) -> None:
    """Trace all work if the environment says where to; `stack` ends that."""
    named = next(filter(os.environ.get, ENDPOINTS), "")
    if not named:
        return
    try:
        from core import otel  # noqa: PLC0415 - an optional extra
    except ImportError:
        log.warning(
            "%s is set, but nothing is traced: OpenTelemetry is not installed; "
            "`pip install 'causerie[otel]'` mends that",
            named,
        )
        return
    stack.push_async_callback(otel.end, otel.start())


class Work:
    """A piece of work on a chat, and the root of its trace.

    It stays the current one after its end, for what is said of how it ended: until this task
    begins another.

    Args:
        name: What kind of work it is.
        chat: The chat's id in the store.
        turn: The turn's; None for a text nobody asked for.
    """

    __slots__ = ("_name", "chat", "span", "turn")

    def __init__(self, name: str, *, chat: int, turn: int | None) -> None:
        self._name = name
        self.chat = chat
        self.turn = turn
        self.span: Span | None = None

    def __enter__(self) -> Self:
        if _chosen.tracer:
            self.span = _chosen.tracer.begin(self._name)
            self.span.note({"causerie.chat": self.chat, "causerie.turn": self.turn or 0})
        _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.span:
            self.span.end(kind.__name__ if kind else "")


def current() -> Work | None:
    """Return the work that whoever asks belongs to; None for none."""
    return _current.get()


def note(values: Values) -> None:
    """Add to the trace of the current work what is known of all of it."""
    work = _current.get()
    if work and work.span:
        work.span.note(values)


class Step:
    """A step of the current work: times it, also when it fails, and makes it a part of the trace.

    Args:
        name: Of the step.

    Attributes:
        span: Its part of the trace; None while nothing is traced.
    """

    __slots__ = ("_began", "_name", "span")

    def __init__(self, name: StepName) -> None:
        self._name = name
        self._began = 0.0
        self.span: Span | None = None

    def __enter__(self) -> Self:
        work = _current.get()
        if work and work.span:
            self.span = work.span.child(self._name)
        self._began = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        metrics.observe(self._name, time.monotonic() - self._began)
        if self.span:
            self.span.end(kind.__name__ if kind else "")
