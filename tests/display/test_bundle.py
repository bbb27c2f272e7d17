"""MIME bundles: what a value says of itself, renderers by type, and their failures."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell_kernel.display import bundle as bundles
from llmspell_kernel.display.bundle import (
    as_mime_bundle,
    mime_bundle,
    mime_bundle_of,
    register,
    render_result,
    render_results,
)
from llmspell_kernel.display.snapshot import Handle, snapshot_of, to_plain


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "_renderers", dict(bundles._renderers))


def test_a_table_of_mime_types_is_a_bundle_and_binary_becomes_base64() -> None:
    assert as_mime_bundle({"image/png": b"\x89PNG", "text/html": "<b>", "text/plain": b"caf\xc3\xa9"}) == {
        "image/png": "iVBORw==",
        "text/html": "<b>",
        "text/plain": "café",
    }


def test_a_bundle_without_plain_text_gets_one() -> None:
    assert as_mime_bundle({"application/vnd.vega+json": {"a": 1}}) == {
        "application/vnd.vega+json": {"a": 1},
        "text/plain": "<application/vnd.vega+json>",
    }


@pytest.mark.parametrize("value", [{}, [], "text/html", {"a": 1}, {"text/html": "x", "b": 1}, {1: "x"}, None])
def test_anything_else_is_no_bundle(value: object) -> None:
    assert as_mime_bundle(value) is None


def test_what_is_no_bundle_is_shown_as_data() -> None:
    assert mime_bundle_of({"a": 1})["text/plain"] == "{a = 1}"


def test_a_value_draws_itself(draw: Any) -> None:
    assert draw("""
        return setmetatable({1}, {
          __html = function() return '<b>x</b>' end,
          __markdown = function() return '**x**' end,
        })
    """) == {"text/plain": "{1}", "text/html": "<b>x</b>", "text/markdown": "**x**"}


def test_a_value_gives_a_whole_bundle(draw: Any) -> None:
    assert draw("""
        return setmetatable({}, {__mime = function()
          return {['text/plain'] = 'own', ['application/json'] = {list = {1, 2}}, ['image/png'] = '\\x89'}
        end})
    """) == {"text/plain": "own", "application/json": {"list": [1, 2]}, "image/png": "iQ=="}


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ("{x = 1}", "__mime: the keys are not MIME types"),
        ("{['text/html'] = print}", "__mime: a function is not plain data"),
    ],
)
def test_a_bundle_that_cannot_be_used_is_told_under_the_text(draw: Any, result: str, problem: str) -> None:
    drawn = draw(f"return setmetatable({{1}}, {{__mime = function() return {result} end}})")
    assert drawn["text/plain"] == f"{{1}}\n-- {problem}"
    assert problem in drawn["text/html"]


def test_a_renderer_draws_values_of_its_type(draw: Any) -> None:
    register("Point", lambda node: {"text/markdown": f"point {to_plain(node)['x']}"})
    code = "return setmetatable({x = 1}, {__name = 'Point'})"
    assert draw(code) == {"text/plain": "Point {x = 1}", "text/markdown": "point 1"}


def test_a_renderer_draws_handles_of_its_type() -> None:
    register("agent", lambda node: {"text/markdown": "an agent"})
    assert mime_bundle(Handle(type="agent", id=3, text="agent: poet")) == {
        "text/plain": "agent: poet",
        "text/markdown": "an agent",
    }


def test_a_renderer_may_leave_a_value_alone(draw: Any) -> None:
    register("Point", lambda _: None)
    assert draw("return setmetatable({x = 1}, {__name = 'Point'})")["text/plain"] == "Point {x = 1}"


def test_a_renderer_that_fails_shows_its_error_under_the_value(draw: Any, snapshot: Any) -> None:
    def fails(_: object) -> None:
        raise RuntimeError("no <colour>")

    register("Point", fails)
    assert draw("return setmetatable({x = 1}, {__name = 'Point'})") == snapshot


def test_a_display_handle_shows_nothing_of_itself(draw: Any) -> None:
    assert draw("return setmetatable({}, {__name = 'display'})") == {}
    assert draw("return setmetatable({}, {__name = 'display'}), 2") == {"text/plain": "2"}


def test_several_values_on_lines_of_their_own_if_one_is_long(draw: Any) -> None:
    assert draw("return 1, 'a\\nb'")["text/plain"] == "1\n[[a\nb]]"


def test_several_values_keep_their_pictures(draw: Any, snapshot: Any) -> None:
    code = """
        return 1, setmetatable({}, {__html = function() return '<b>own</b>' end}), {a = 1},
          setmetatable({}, {__markdown = function() return '# own' end})
    """
    assert draw(code) == snapshot


def test_a_snapshot_that_came_as_plain_data_is_typed() -> None:
    plain = {"kind": "table", "length": 1, "items": [{"kind": "string", "data": b"\xff", "length": 1}]}
    assert render_result([snapshot_of(plain)])["text/plain"] == '{"\\xFF"}'


def test_our_own_types_are_drawn_as_what_they_are(draw: Any) -> None:
    answer = draw("return setmetatable({content = '*hi*', model = 'small'}, {__name = 'response'})")
    assert answer["text/plain"] == "*hi*\n\n— small"
    assert answer["text/markdown"] == "*hi*"
    error = draw("return nil, setmetatable({code = 'timeout', message = 'too slow'}, {__name = 'error'})")
    assert error["text/plain"] == "nil\terror (timeout): too slow"
    assert "No answer in time" in error["text/html"]


def test_a_type_of_the_same_name_and_another_shape_is_drawn_as_a_table(draw: Any) -> None:
    assert draw("return setmetatable({x = 1}, {__name = 'response'})")["text/plain"] == "response {x = 1}"
    assert draw("return setmetatable({1, 2}, {__name = 'error'})")["text/plain"] == "error {1, 2}"


def test_what_a_snapshot_cut_is_drawn_as_far_as_it_goes(draw: Any) -> None:
    code = "return setmetatable({content = string.rep('x', 1e6), tool = print}, {__name = 'response'})"
    assert "x…" in draw(code)["text/plain"]


def test_values_that_no_output_can_join_are_shown_one_by_one() -> None:
    def widget(type_name: str, number: int) -> dict[str, Any]:
        return {
            "text/plain": f"{type_name} {number}",
            "application/vnd.jupyter.widget-view+json": {"model_id": "x"},
        }

    values = [1, Handle(type="Widget", id=7), "two"]
    shown = render_results(values, handle_bundle=widget)
    assert [bundle["text/plain"] for bundle in shown] == ["1", "Widget 7", '"two"']
    assert [bundle["text/plain"] for bundle in render_results([1, "two"])] == ['1\t"two"']
    assert render_results([]) == []
