"""``observability``: what Lua counts and times (``lib/observability.lua``), told to OpenTelemetry where that is set up.

It is set up if this process has an SDK already, or if ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set and the extra ``otel`` is
installed. The endpoint comes from the person's environment: a spell chooses what is told, never to whom.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, ClassVar, cast

from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.bridges.lua_modules import LuaModule
from llmspell_kernel.bridges.registry import Host

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Span, Tracer

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_NAME = "llmspell"
_MOST_OPEN = 10_000
_MOST_INSTRUMENTS = 1_000
_log = logging.getLogger("llmspell")


class ObservabilityBridge(LuaModule):
    """Counting and timing: metrics, spans, and what became of them."""

    module: ClassVar[str] = "observability"
    lua_part: ClassVar[str | None] = "lib.observability"
    lua_more: ClassVar[tuple[str, ...]] = ("lib.observability_instruments",)


class Guardrails(LuaModule):
    """Checks of texts, such as prompts and answers."""

    module: ClassVar[str] = "guardrails"
    lua_part: ClassVar[str | None] = "lib.guardrails"


class Telemetry(Bridge):
    """Internal: passes on to OpenTelemetry what Lua measures and traces."""

    module: ClassVar[str] = "telemetry"
    internal: ClassVar[bool] = True

    def __init__(self, host: Host) -> None:
        self._host = host
        self._tracer: Tracer | None = None
        self._meter: Meter | None = None
        self._spans: dict[int, Span] = {}
        self._instruments: dict[tuple[str, str], Any] = {}

    async def close(self) -> None:
        """End the spans that nobody ended."""
        for span in self._spans.values():
            span.end()
        self._spans.clear()

    @export()
    async def configured(self) -> Any:
        """Return whether there is anyone to tell."""
        if self._host.settings.vault.variable(_ENDPOINT):
            set_up()
        if not has_sdk():
            return False
        from opentelemetry import metrics, trace

        self._tracer, self._meter = trace.get_tracer(_NAME), metrics.get_meter(_NAME)
        return True

    @export()
    async def begin(
        self, number: int, parent: int, name: str, attributes: dict[str, Any], began: float
    ) -> None:
        """A span has begun, at the monotonic second `began`."""
        if self._tracer is None or len(self._spans) >= _MOST_OPEN:
            return
        from opentelemetry import trace

        above = self._spans.get(parent)
        context = trace.set_span_in_context(above) if above else None
        self._spans[number] = self._tracer.start_span(
            name, context, attributes=attributes, start_time=_nanoseconds(began)
        )

    @export()
    async def finish(
        self,
        number: int,
        attributes: dict[str, Any],
        events: list[Any],
        status: str,
        problem: str,
        ended: float,
    ) -> None:
        """A span has ended, at the monotonic second `ended`."""
        span = self._spans.pop(number, None)
        if span is None:
            return
        from opentelemetry.trace import StatusCode

        span.set_attributes(attributes)
        for event in cast("list[dict[str, Any]]", events):
            span.add_event(event["name"], event["attributes"] or {}, _nanoseconds(event["at"]))
        codes = {"ok": StatusCode.OK, "error": StatusCode.ERROR}
        if status in codes:
            span.set_status(codes[status], problem or None if status == "error" else None)
        span.end(_nanoseconds(ended))

    @export()
    async def measure(
        self, kind: str, name: str, value: float, attributes: dict[str, Any], unit: str, description: str
    ) -> None:
        """Something was measured."""
        instrument = self._instrument(kind, name, unit, description)
        if instrument is None:
            return
        tell = {"counter": "add", "gauge": "set", "histogram": "record"}[kind]
        getattr(instrument, tell)(value, attributes)

    def _instrument(self, kind: str, name: str, unit: str, description: str) -> Any:
        found = self._instruments.get((kind, name))
        if found is None and self._meter is not None and len(self._instruments) < _MOST_INSTRUMENTS:
            make = getattr(self._meter, f"create_{kind}")
            found = self._instruments[kind, name] = make(name, unit=unit, description=description)
        return found


def _nanoseconds(monotonic: float) -> int:
    """Return the time of day of a moment on the clock that both processes share."""
    return time.time_ns() - int((time.monotonic() - monotonic) * 1e9)


def has_sdk() -> bool:
    """Tell whether spans go anywhere in this process."""
    from opentelemetry import trace

    nowhere = trace.ProxyTracerProvider | trace.NoOpTracerProvider
    return not isinstance(trace.get_tracer_provider(), nowhere)


def set_up() -> None:
    """Send spans and metrics to the endpoint in the environment, once for this process."""
    if has_sdk():
        return
    try:
        from opentelemetry import metrics, trace
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning("%s is set, but the extra 'otel' is not installed: nothing is exported", _ENDPOINT)
        return
    resource = Resource.create({"service.name": _NAME})
    tracing = TracerProvider(resource=resource)
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracing)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=[reader]))
