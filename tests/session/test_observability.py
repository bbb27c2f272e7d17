"""`observability` and `guardrails` from a cell, and what reaches OpenTelemetry."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from llmspell_kernel.bridges import observability
from llmspell_kernel.session.outcome import Succeeded

if TYPE_CHECKING:
    from .conftest import Notebook

METRICS = r"""
local o = observability
local c = o.metrics.counter("c", { unit = "1" })
c:add() c:add(2, { model = "a" }) c.increment(3, { model = "a" })
assert(c:get() == 6 and c:get({ model = "a" }) == 5 and tostring(c) == "counter: c")
assert(o.counter("c"):get() == 6)
assert(not pcall(c.add, c, -1) and not pcall(c.add, c, "x") and not pcall(o.gauge, "c") and not pcall(o.counter))
local g = o.gauge("g")
g:set(5) g:increase(2) g:decrease(4)
assert(g:get() == 3)
local h = o.histogram("h")
for n = 1, 100 do h:record(n) end
local s = h:stats()
assert(s.count == 100 and s.sum == 5050 and s.mean == 50.5 and s.p50 == 50 and s.p95 == 95 and s.min == 1)
assert(h:time(function(...) return select("#", ...) end, nil, nil) == 2 and h:stats().count == 101)
assert(select(2, pcall(h.time, h, error, "oh")) == "oh")
assert(h.start().stop() >= 0)
local rows = o.measures()
assert(#rows == 4 and rows[1].name == "c" and rows[2].attributes == "model=a" and rows[2].value == 5)
o.reset()
assert(#o.measures() == 0 and c:get() == 0)
"""

SPANS = r"""
local o = observability
local value = o.with_span("outer", { n = 1 }, function(span)
  span:set_attribute("list", { 1 }):set_attribute("flag", true):add_event("began", { at = 1 })
  local job = async(function() return o.with_span("in a task", function() return 7 end) end)
  local inner <close> = o.start_span("inner")
  return async.await(job)
end)
assert(value == 7)
local ok, err = pcall(o.with_span, "broken", function() error("oh", 0) end)
assert(not ok and err == "oh")
assert(o.trace(function(a, b) return b, a end, "swap")(1, 2) == 2)
local spans = o.spans()
local names = data.map(spans, function(s) return ("%d %s %s"):format(s.depth, s.name, s.status) end)
assert(table.concat(names, ", ") ==
  "0 outer unset, 1 inner unset, 1 in a task unset, 0 broken error, 0 swap unset", table.concat(names, ", "))
assert(spans[1].attributes.flag and spans[1].attributes.n == 1 and spans[1].events[1].attributes.at == 1)
assert(spans[4].problem == "oh" and spans[2].parent == spans[1].id)
local late = o.start_span("late")
assert(late:finish() == late:finish() and tostring(late) == "span: late")
assert(not pcall(late.finish, 5) and not pcall(late.set_status, late, "fine"))
assert(#o.report().spans == 6)
"""

GUARDS = r"""
local function rules(text, given)
  return table.concat(data.map(guardrails.check(text, given).violations, "rule"), " ")
end
assert(rules("héllo", { max_length = 5, min_length = 5 }) == "")
assert(rules("hello!", { max_length = 5 }) == "max_length" and rules("", { min_length = 1 }) == "min_length")
local ok, refusal = pcall(rules, "", { max_length = -1 })
assert(not ok and refusal:find("bad rule 'max_length' (0 or more expected, got -1)", 1, true))
assert(rules("my PassWord", { banned = { "password" }, required = { "please" } }) == "banned required")
assert(rules("ada@example.org", { personal = true }) == "personal" and rules("a@b @ c@", { personal = true }) == "")
assert(rules("card 4111 1111-1111 1111", { personal = true }) == "personal")
assert(rules("number 4111 1111 1111 1112", { personal = true }) == "")
assert(rules("sk-abcdefghijklmnopqrst", { personal = true }) == "personal")
assert(rules("sk-ab", { personal = true }) == "")
assert(rules("x", { check = function(text) return text ~= "x", "no x" end }) == "check")
assert(rules("x", { check = error }) == "check")
local guard = guardrails.create{ banned = { "Rome" } }
assert(guard:redact("rome, a.b+c@d-e.org; 4111111111111111 and ROME")
  == "[…], [email]; [card] and […]", guard:redact("rome, a.b+c@d-e.org; 4111111111111111 and ROME"))
local ask = guard:wrap(function(text) return text == "where?" and "in Rome" or "hm", 5 end)
assert(ask("why?") == "hm" and select(2, ask("why?")) == 5)
assert(select(2, ask("where?")).message == "the answer was refused: 'Rome' is not allowed")
assert(select(2, ask("Rome?")).details.violations[1].position == 1)
assert(not pcall(guardrails.create, { nonsense = 1 }) and not pcall(guardrails.create, { banned = "x" }))
local began = os.clock()
guardrails.check(("a"):rep(1000000) .. "@", { personal = true, banned = { "zz" } })
assert(os.clock() - began < 5)
"""


@pytest.mark.parametrize("program", [METRICS, SPANS, GUARDS], ids=["metrics", "spans", "guardrails"])
async def test_what_is_counted_timed_and_checked(notebook: Notebook, program: str) -> None:
    await notebook.value(program)


async def test_a_report_is_shown_as_tables(notebook: Notebook) -> None:
    await notebook.value(
        "observability.counter('calls'):add(2) observability.with_span('work', function() end)"
    )
    outcome = await notebook.run("observability.report()")
    assert isinstance(outcome, Succeeded)
    assert outcome.bundle
    assert "calls" in outcome.bundle["text/plain"]
    assert "<table" in outcome.bundle["text/html"]


async def test_what_is_measured_and_traced_reaches_opentelemetry(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracing, measuring = TracerProvider(), MeterProvider(metric_readers=[reader])
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(observability, "has_sdk", lambda: True)
    monkeypatch.setattr(trace, "get_tracer", tracing.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", measuring.get_meter)
    await notebook.value("""
    observability.counter('calls', {unit = '1'}):add(2, {model = 'small'})
    observability.gauge('queue'):set(3)
    observability.histogram('seconds'):record(0.5)
    pcall(observability.with_span, 'outer', {n = 1}, function(span)
      span:add_event('half', {at = 2})
      observability.with_span('inner', function() async.sleep(0.05) end)
      error('oh', 0)
    end)
    unended = observability.start_span('unended');""")
    inner, outer = exporter.get_finished_spans()
    assert (inner.name, outer.name) == ("inner", "outer")
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id
    assert inner.end_time - inner.start_time >= 40_000_000
    assert dict(outer.attributes) == {"n": 1}
    assert [event.name for event in outer.events] == ["half", "exception"]
    assert (outer.status.status_code.name, outer.status.description) == ("ERROR", "oh")
    found = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    points = {metric.name: metric.data.data_points[0] for metric in found}
    assert points["calls"].value == 2
    assert dict(points["calls"].attributes) == {"model": "small"}
    assert points["queue"].value == 3
    assert points["seconds"].sum == 0.5
    await notebook.session.close()
    assert exporter.get_finished_spans()[-1].name == "unended"
    measuring.shutdown()
    tracing.shutdown()


def test_an_endpoint_without_the_sdk_is_logged_and_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    observability.set_up()
    assert "the extra 'otel' is not installed" in caplog.text
    assert not observability.has_sdk()
