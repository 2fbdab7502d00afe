"""Traces for OpenTelemetry, an optional extra; only `core.tracing` imports this.

All is set by OpenTelemetry's own environment variables. Batches are sent from a thread of their
own and dropped where nobody takes them: no answer waits for one.
"""

import asyncio
import contextlib
import importlib.metadata
import logging
import threading

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from core import tracing
from core.errors import SettingsError
from core.tracing import Values

log = logging.getLogger(__name__)

# For what is still to be sent when the program ends.
END_SECONDS = 2.0
# Steps that are calls of somebody else.
_CALLS = ("model", "summary")


def start() -> TracerProvider:
    """Trace all work from now on.

    Raises:
        SettingsError: A variable of OpenTelemetry's is set wrongly, in a way that it minds.
    """
    try:
        provider = _provider()
    except ValueError as error:
        raise SettingsError(f"OTEL_...: {error}") from error
    tracing.use(_Tracer(provider.get_tracer("causerie")))
    return provider


def _provider() -> TracerProvider:
    resource = Resource.create({"service.version": importlib.metadata.version("causerie")})
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "causerie"}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


async def end(provider: TracerProvider) -> None:
    """Send what is left, but wait no longer for it than a program may take to end."""
    tracing.use(None)
    loop, is_sent = asyncio.get_running_loop(), asyncio.Event()

    def shut_down() -> None:
        provider.shutdown()
        with contextlib.suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(is_sent.set)

    # Not in a thread whose end the program would wait for.
    threading.Thread(target=shut_down, daemon=True).start()
    try:
        async with asyncio.timeout(END_SECONDS):
            await is_sent.wait()
    except TimeoutError:
        log.warning("the last traces could not be sent")


class _Tracer:
    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def begin(self, name: str) -> "_Span":
        return _Span(self._tracer, name)


class _Span:
    """A span of the SDK; see `core.tracing.Span`."""

    def __init__(self, tracer: trace.Tracer, name: str, context: Context | None = None) -> None:
        kind = trace.SpanKind.CLIENT if name in _CALLS else trace.SpanKind.INTERNAL
        self._tracer = tracer
        self._span = tracer.start_span(name, context or Context(), kind)
        self.trace = trace.format_trace_id(self._span.get_span_context().trace_id)

    def child(self, name: str) -> "_Span":
        return _Span(self._tracer, name, trace.set_span_in_context(self._span, Context()))

    def note(self, values: Values, *, name: str = "") -> None:
        self._span.set_attributes(values)
        if name:
            self._span.update_name(name)

    def end(self, error: str = "") -> None:
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()
