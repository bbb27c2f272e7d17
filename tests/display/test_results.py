"""What bridges give, drawn: answers, errors, meters, search, transcripts, tests, workflows, changes, manifests."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell_kernel.display.diff import changes_bundle, diff_bundle
from llmspell_kernel.display.error_card import error_bundle
from llmspell_kernel.display.manifest import manifest_bundle
from llmspell_kernel.display.meters import meters_bundle, progress_bundle
from llmspell_kernel.display.parts import duration, money
from llmspell_kernel.display.response import response_bundle
from llmspell_kernel.display.search import search_bundle
from llmspell_kernel.display.suite import suite_bundle
from llmspell_kernel.display.transcript import transcript_bundle
from llmspell_kernel.display.usage import usage_bundle
from llmspell_kernel.display.workflow import definition_bundle, workflow_bundle

ATTACK = '"><script>alert(1)</script>'

RESPONSE = {
    "content": "The sky is **blue**.",
    "model": "small",
    "provider": "local",
    "reasoning": "Think of *light*.",
    "usage": {"prompt_tokens": 12, "completion_tokens": 1340, "cost": 0.00042},
    "seconds": 2.34,
    "finish_reason": "length",
    "tool_calls": [{"name": "calculator", "arguments": {"expression": "1+1"}}],
}
ERROR = {
    "message": "openai answered 429: too many requests",
    "code": "rate_limited",
    "provider": "openai",
    "suggestion": "wait 20 s",
    "retryable": True,
    "details": {"status": 429},
}
METERS = [
    {"label": "memory", "value": 412_000_000, "limit": 2**30, "unit": "bytes"},
    {"label": "time", "value": 55, "limit": 60, "unit": "seconds"},
    {"label": "calls", "value": 3, "limit": 100},
    {"label": "cost", "value": 0.12, "limit": None, "unit": "USD"},
]
SEARCH = {
    "query": "lua coroutines",
    "results": [
        {"text": "Lua offers coroutines.", "score": 0.873, "metadata": {"source": "pil.md", "page": 12}},
        {"text": "Bread is <b>baked</b>.", "score": 0.05},
    ],
}
RUN = {
    "agent": "researcher",
    "model": "small",
    "seconds": 8.2,
    "usage": {"prompt_tokens": 2300, "completion_tokens": 411, "cost": 0.012},
    "messages": [
        {"role": "user", "content": "What is 17 × 23?"},
        {
            "role": "assistant",
            "content": "I ask.",
            "tool_calls": [
                {"id": "1", "name": "calculator", "arguments": {"expression": "17*23"}, "seconds": 0.012},
                {
                    "id": "2",
                    "name": "web_fetch",
                    "arguments": {"url": "https://a.b/"},
                    "error": "host not granted",
                },
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "391"},
        {"role": "assistant", "content": "It is **391**."},
    ],
}
SUITE = {
    "seconds": 0.034,
    "tests": [
        {"group": "parser", "name": "reads numbers", "status": "passed", "seconds": 0.001},
        {"group": "parser", "name": "reads strings", "status": "failed", "message": "expected <a>\ngot b"},
        {"name": "needs a key", "status": "skipped"},
    ],
}
WORKFLOW = {
    "name": "report",
    "status": "running",
    "seconds": 12.4,
    "steps": [
        {"name": "collect", "type": "tool", "status": "completed", "seconds": 1.2},
        {
            "name": "analyse",
            "type": "parallel",
            "status": "running",
            "steps": [
                {"name": "sales", "type": "agent", "status": "running"},
                {"name": "churn", "type": "function", "status": "failed", "error": "boom", "attempts": 3},
            ],
        },
        {"name": "write", "type": "agent"},
    ],
}
MANIFEST = {
    "name": "summarise",
    "version": "1.2.0",
    "description": "Reads a page.",
    "parameters": {
        "url": {"type": "string", "description": "the page"},
        "length": {"type": "integer", "default": 200},
    },
    "grants": {"http": ["*.example.org"]},
}
BEFORE = {"user": {"name": "Ada", "age": 36}, "tags": ["a", "b"], "old": True}
AFTER = {"user": {"name": "Ada", "age": 37}, "tags": ["a", "c", "d"], "new key": {"x": 1}}

USAGE = {
    "calls": 5,
    "prompt_tokens": 3100,
    "completion_tokens": 420,
    "total_tokens": 3520,
    "cost": 0.031,
    "seconds": 7.5,
    "recorded": 2,
    "unpriced": 1,
    "budget": 0.5,
    "left": 0.469,
    "models": [
        {
            "model": "openai:big",
            "calls": 2,
            "prompt_tokens": 3000,
            "completion_tokens": 400,
            "total_tokens": 3400,
        },
        {
            "model": "local:small",
            "calls": 3,
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
        },
    ],
}
CHANGES = [
    {"path": "n", "kind": "changed", "old": 1, "new": 2},
    {"path": "old", "kind": "removed", "old": True},
    {"path": "tags", "kind": "added", "new": ["a"]},
]
DEFINED = {
    "name": "route",
    "type": "conditional",
    "steps": [
        {"name": "measure", "type": "function"},
        {
            "name": "both",
            "type": "workflow",
            "workflow": {"type": "parallel", "steps": [{"name": "a"}, {"name": "b"}]},
        },
    ],
    "branches": [
        {"name": "then", "steps": [{"name": "big", "type": "agent"}]},
        {"name": "else", "steps": [{"name": "small", "type": "tool"}]},
    ],
}
FOLLOWING = {
    **RUN,
    "messages": [
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "Ahoy."},
        *RUN["messages"],
    ],
}

DRAWN: dict[str, Any] = {
    "response": lambda: response_bundle(RESPONSE),
    "error": lambda: error_bundle(ERROR),
    "meters": lambda: meters_bundle(METERS),
    "progress": lambda: progress_bundle(37, 120, label="embedding", seconds=4.2),
    "progress of unknown length": lambda: progress_bundle(37, None, seconds=4.2),
    "search": lambda: search_bundle(SEARCH),
    "transcript": lambda: transcript_bundle(RUN),
    "response of a run with tools": lambda: response_bundle({**FOLLOWING, "content": "It is **391**."}),
    "response with tools that ended": lambda: response_bundle(
        {
            "content": "so far",
            "tool_calls": [{"name": "clock", "result": "noon"}, {"name": "x", "error": "gone"}],
        }
    ),
    "suite": lambda: suite_bundle(SUITE),
    "workflow": lambda: workflow_bundle(WORKFLOW),
    "workflow that is built": lambda: definition_bundle(DEFINED),
    "workflow that has run": lambda: definition_bundle({**DEFINED, "last": WORKFLOW}),
    "usage": lambda: usage_bundle(USAGE),
    "usage of one model": lambda: usage_bundle({**USAGE, "models": USAGE["models"][:1], "budget": None}),
    "no usage": lambda: usage_bundle({"calls": 0}),
    "manifest": lambda: manifest_bundle(MANIFEST),
    "diff": lambda: diff_bundle(BEFORE, AFTER),
    "changes": lambda: changes_bundle(CHANGES),
    "no diff": lambda: diff_bundle(BEFORE, BEFORE),
}


@pytest.mark.parametrize("name", DRAWN)
def test_results_are_drawn(name: str, check: Any, plain_style: Any, snapshot: Any) -> None:
    bundle = DRAWN[name]()
    check(bundle.get("text/html", ""))
    assert plain_style(bundle) == snapshot


def hostile(value: Any) -> Any:
    """The same shape with an attack in each text that has no meaning of its own."""
    if isinstance(value, dict):
        return {key: hostile(each) for key, each in value.items()}
    if isinstance(value, list):
        return [hostile(each) for each in value]
    return ATTACK if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("render", "data"),
    [
        (response_bundle, RESPONSE),
        (error_bundle, ERROR),
        (meters_bundle, METERS),
        (search_bundle, SEARCH),
        (transcript_bundle, RUN),
        (suite_bundle, SUITE),
        (workflow_bundle, WORKFLOW),
        (manifest_bundle, MANIFEST),
        (usage_bundle, USAGE),
        (changes_bundle, CHANGES),
        (definition_bundle, DEFINED),
        (lambda data: diff_bundle(data, {ATTACK: ATTACK}), BEFORE),
        (lambda data: progress_bundle(1, 2, label=data["x"]), {"x": ""}),
    ],
)
def test_texts_from_outside_never_become_markup(check: Any, render: Any, data: Any) -> None:
    bundle = render(hostile(data))
    assert "script" not in check(bundle["text/html"]).tags


@pytest.mark.parametrize(
    "render",
    [
        response_bundle,
        error_bundle,
        search_bundle,
        transcript_bundle,
        suite_bundle,
        workflow_bundle,
        manifest_bundle,
    ],
)
@pytest.mark.parametrize(
    "data",
    [{}, {"content": None}, {"results": [1]}, {"messages": "x"}, {"tests": 1}, {"steps": {}}, {"name": ""}],
)
def test_data_of_another_shape_is_left_to_the_standard_drawing(render: Any, data: Any) -> None:
    bundle = render(data)
    assert bundle is None or bundle["text/plain"]


def slower(value: Any) -> Any:
    """The same, but that everything took longer."""
    if isinstance(value, dict):
        return {key: each + 7 if key == "seconds" else slower(each) for key, each in value.items()}
    return [slower(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("render", "data"),
    [
        (response_bundle, RESPONSE),
        (transcript_bundle, RUN),
        (suite_bundle, SUITE),
        (workflow_bundle, WORKFLOW),
        (usage_bundle, USAGE),
    ],
)
def test_plain_text_is_the_same_whatever_time_it_took(render: Any, data: Any) -> None:
    quick, slow = render(data), render(slower(data))
    assert quick["text/plain"] == slow["text/plain"]
    assert quick["text/html"] != slow["text/html"]


def test_prices_are_not_typeset_as_formulas_and_answers_are() -> None:
    markup = DRAWN["response"]()["text/html"]
    assert '<div class="llmspell mathjax_ignore tex2jax_ignore">' in markup
    assert '<div class="ls-markdown mathjax_process tex2jax_process">' in markup


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00001, "<0.1 ms"),
        (0.0004, "0.4 ms"),
        (0.24, "240 ms"),
        (3.21, "3.2 s"),
        (125, "2 min 05 s"),
        (7320, "2 h 02 min"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("dollars", "text"), [(0, "$0.00"), (1234.5, "$1,234.50"), (0.00042, "$0.00042")])
def test_prices_show_the_digits_that_matter(dollars: float, text: str) -> None:
    assert money(dollars) == text
