"""Traces as a collector gets them: one for each turn, its steps below it, and no words."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import core
from core.errors import ModelError, SettingsError
from core.protocols import Store
from core.store import open_store
from core.tracing import ENDPOINTS, open_tracing
from core.types import Message, ModelEvent, Usage
from tests.core.house import OFFICE, OWNER, Gate, House
from tests.core.stand_ins import CHAT, StandInModel, talker
from tests.numbers import Change

STEPS = {"understand", "memory", "hold", "chat gpt-4o", "commit", "deliver"}


@dataclass
class Span:
    """A span as it was sent."""

    trace: str
    id: str
    parent: str
    name: str
    values: dict[str, Any]
    is_error: bool
    is_call: bool


@dataclass
class Collector:
    """A loopback OTLP receiver.

    Attributes:
        gate: Set while it does not answer.
    """

    spans: list[Span] = field(default_factory=list)
    resource: dict[str, Any] = field(default_factory=dict)
    gate: asyncio.Event | None = None
    url: str = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        data = await request.read()
        if self.gate:
            await self.gate.wait()
        for found in ExportTraceServiceRequest.FromString(data).resource_spans:
            self.resource = _values(found.resource.attributes)
            for scope in found.scope_spans:
                self.spans += map(_read, scope.spans)
        return web.Response(content_type="application/x-protobuf")

    def named(self, name: str) -> list[Span]:
        """Return the spans of a name."""
        return [span for span in self.spans if span.name == name]


def _values(attributes: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


def _read(span: Any) -> Span:
    return Span(
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        name=span.name,
        values=_values(span.attributes),
        is_error=span.status.code == 2,
        is_call=span.kind == 3,
    )


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    """A collector, and an environment that names it."""
    async with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        yield collector


@pytest.fixture
async def used(tmp_path: Path) -> AsyncIterator[Store]:
    """A store in which time passes."""
    opened = await open_store(tmp_path / "causerie.db")
    yield opened
    await opened.close()


async def test_a_turn_is_a_trace(used: Store, collector: Collector) -> None:
    """Its steps are the children of one root, which says what came of it."""
    async with AsyncExitStack() as stack:
        await open_tracing(stack)
        house = House(store=used)
        async with house.running():
            await house.ask("a secret word")
    [root] = collector.named("turn")
    below = [span for span in collector.spans if span is not root]
    assert {span.name for span in below} == STEPS
    assert {(span.trace, span.parent) for span in below} == {(root.trace, root.id)}
    assert not any(span.is_error for span in collector.spans)
    assert (root.values["causerie.chat"], root.values["causerie.turn"]) == (1, 1)
    assert root.values["causerie.outcome"] == "answered"
    assert collector.resource["service.name"] == "causerie"
    assert "secret" not in repr(collector.spans)


async def test_a_call_of_the_model_says_what_it_consumed(
    used: Store, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the names that OpenTelemetry has for it; the service can be given another name."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "talker")

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        yield Usage(purpose="chat", model=models[1], input=len(prompt), cached=1, output=7)
        raise ModelError("The model broke off.")

    async with AsyncExitStack() as stack:
        await open_tracing(stack)
        house = House(store=used, model=StandInModel(script))
        async with house.running():
            await house.ask("hi")
    [call] = collector.named("chat gpt-4o")
    assert call.is_call
    assert call.values == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.response.model": "other",
        "gen_ai.usage.input_tokens": 2,
        "gen_ai.usage.cache_read.input_tokens": 1,
        "gen_ai.usage.output_tokens": 7,
        "error.type": "ModelError",
    }
    assert collector.resource["service.name"] == "talker"


async def test_a_call_that_came_to_nothing(used: Store, collector: Collector) -> None:
    """It consumed nothing, and no model answered."""

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        if prompt and models:
            raise ModelError("The model cannot be reached.")
        yield Usage(purpose="chat", model="never")

    async with AsyncExitStack() as stack:
        await open_tracing(stack)
        house = House(store=used, model=StandInModel(script))
        async with house.running():
            await house.ask("hi")
    [call] = collector.named("chat gpt-4o")
    assert call.values["gen_ai.usage.input_tokens"] == 0
    assert "gen_ai.response.model" not in call.values


async def test_a_call_that_was_stopped(used: Store, collector: Collector) -> None:
    """It says what it will have consumed, as the ledger does; nothing is left open."""
    gate = Gate()
    async with AsyncExitStack() as stack:
        await open_tracing(stack)
        house = House(store=used, model=StandInModel(gate))
        async with house.running():
            await house.say("hi")
            await gate.until_reached()
            await house.ask("/stop")
    [call] = collector.named("chat gpt-4o")
    [root] = [span for span in collector.named("turn") if span.id == call.parent]
    assert root.values["causerie.outcome"] == "stopped"
    assert call.values["error.type"] == "CancelledError"
    assert call.values["gen_ai.usage.output_tokens"] == 1


async def test_what_goes_out_later_is_a_trace_of_its_own(
    used: Store, collector: Collector
) -> None:
    """So is what failed and is tried again; a note to the owner belongs to no turn."""
    async with AsyncExitStack() as stack:
        await open_tracing(stack)
        house = House(store=used, mode="pairing")
        house.bot.failures[CHAT.ref] = [RuntimeError("a bug")]
        async with house.running():
            await house.ask("/id", chat=OFFICE, person=OWNER)
            await house.say("hi")
            await house.bot.until(3)
    failed = [span for span in collector.named("turn") if span.is_error]
    assert [span.values["error.type"] for span in failed] == ["RuntimeError"]
    turns = sorted(span.values["causerie.turn"] for span in collector.named("outbox"))
    assert turns == [0, 2]


async def test_a_summary_is_in_the_trace_of_its_turn(used: Store, collector: Collector) -> None:
    """Though it is written once the turn is over, and timed by itself."""
    change = Change()
    async with AsyncExitStack() as stack:
        await open_tracing(stack)
        house = House(store=used, model=talker(150), context_tokens=1500)
        async with house.running():
            for number in range(8):
                await house.ask(f"m{number}")
    calls = [span for span in collector.spans if span.is_call]
    assert len(calls) > 8
    assert change("step_seconds_count", step="summary") == len(calls) - 8
    assert change("step_seconds_count", step="first_token") == 8
    assert {span.trace for span in calls} <= {span.trace for span in collector.named("turn")}


async def test_a_collector_that_does_not_answer_holds_nothing_up(
    used: Store, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    """Answers go on, and the end of the program does not wait for long."""
    collector.gate = asyncio.Event()
    async with AsyncExitStack() as stack:
        await open_tracing(stack)
        house = House(store=used)
        async with house.running():
            assert await house.ask("hi") == "You said: hi"
    assert "the last traces could not be sent" in caplog.text
    collector.gate.set()
    async with asyncio.timeout(10):
        while not collector.spans:  # noqa: ASYNC110 - a thread sends them
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", ["OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"])
async def test_what_opentelemetry_minds_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As any wrong setting is, where it does not fall back to its default."""
    monkeypatch.setenv(ENDPOINTS[0], "http://127.0.0.1:9/v1/traces")
    monkeypatch.setenv(name, "-1")
    async with AsyncExitStack() as stack:
        with pytest.raises(SettingsError, match=r"^OTEL_\.\.\.: "):
            await open_tracing(stack)


async def test_nothing_is_traced_unless_it_is_said_where_to(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And where the extra is not installed, a warning says so."""
    for name in ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "core.otel", raising=False)
    monkeypatch.delattr(core, "otel", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", cast("Any", None))
    async with AsyncExitStack() as stack:
        await open_tracing(stack)
    assert not caplog.text
    monkeypatch.setenv(ENDPOINTS[0], "http://127.0.0.1:9/v1/traces")
    async with AsyncExitStack() as stack:
        await open_tracing(stack)
    assert "nothing is traced: OpenTelemetry is not installed" in caplog.text
    assert ENDPOINTS[0] in caplog.text
