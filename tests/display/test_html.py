"""HTML of values: grids, trees, vectors; everything from a value escaped, no scripts, bounded."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmspell_kernel.display.bundle import mime_bundle
from llmspell_kernel.display.snapshot import from_plain

VALUES = {
    "records": "return {{id = 1, name = 'A', score = 9.5}, {id = 2, name = 'B'}, {tags = {'x'}, score = 1}}",
    "long records": "local t = {} for i = 1, 500 do t[i] = {id = i} end return t",
    "wide records": "local t = {{}, {}} for i = 1, 60 do t[1]['c' .. i] = i t[2]['c' .. i] = i end return t",
    "matrix": "return {{1, 2.5}, {3, 4.25}, {5, 6}}",
    "map of records": "return {bob = {age = 2}, ann = {age = 1}, eve = {age = 3, boss = true}}",
    "map": "local t = {} for i = 1, 15 do t['key ' .. i] = i % 2 == 0 and i or 'v' .. i end return t",
    "tree": """return {
        name = 'run', on = true, at = 1.5, nested = {list = {1, 'two', {3}}, empty = {}},
        fn = function(a) end, text = string.rep('long ', 50), binary = '\\xff\\0',
        own = setmetatable({}, {__name = 'Thing'}),
      }""",
    "cycle": "local t = {name = 'root', child = {}} t.child.parent = t t.child.again = t.child return t",
    "vector": "local t = {} for i = 1, 100 do t[i] = (i - 50) / 2 end return t",
    "vectors": "local t = {} for i = 1, 3 do t[i] = {} for c = 1, 384 do t[i][c] = i / c end end return t",
    "short": "return {1, 'two', x = {y = true}}",
    "empty": "return {}",
    "own text": "return setmetatable({x = 1}, {__name = 'Point', __tostring = function() return 'P<1>' end})",
    "failed text": "return setmetatable({x = 1}, {__tostring = function() error('<boom>') end})",
    "several": "return 1, {2}, 'three', nil",
}


@pytest.mark.parametrize("name", VALUES)
def test_values_are_drawn(draw: Any, snapshot: Any, name: str) -> None:
    assert draw(VALUES[name]) == snapshot


def test_scalars_need_no_html(draw: Any) -> None:
    assert draw("return 'x'") == {"text/plain": '"x"'}
    assert draw("return 1, 2, nil") == {"text/plain": "1\t2\tnil"}


def test_floats_stand_with_their_points_below_each_other(draw: Any) -> None:
    markup = draw("return {{v = 1.5}, {v = 10.25}, {v = 1/3}}")["text/html"]
    assert re.findall(r"<td.*?</td>", markup) == [
        "<td>1.500000</td>",
        "<td>10.250000</td>",
        '<td title="0.33333333333333">0.333333</td>',
    ]


def test_a_grid_inside_a_grid_has_no_form(draw: Any) -> None:
    markup = draw(
        "local t = {} for i = 1, 4 do t[i] = {a = i, b = {{x = 1}, {x = 2}, {x = 3}, {x = 4}}} end return t"
    )
    assert markup["text/html"].count("<form") == 1


def test_a_style_sheet_has_only_what_the_output_uses() -> None:
    short = mime_bundle(from_plain({"a": 1}))["text/html"]
    assert ".ls-grid" not in short
    assert len(short) < 2500


ALLOWED_TAGS = set(
    re.findall(
        r"\w+",
        "div code small span pre ul li details summary table thead tbody tr th td form input svg path polyline",
    )
)
ALLOWED_ATTRIBUTES = set(
    re.findall(
        r"[\w-]+",
        "class style title type name checked aria-label colspan open method role width height"
        " viewbox fill d points stroke stroke-dasharray stroke-width stroke-linejoin opacity",
    )
)
ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</style></td></table><b>",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_of_a_value_becomes_markup(take: Any, check: Any, attack: str) -> None:
    lua = json.dumps(attack)
    shapes = [
        f"return {{{{[{lua}] = 1, b = {lua}}}, {{[{lua}] = {lua}, b = {{x = {lua}}}}}, {{b = true}}}}",
        f"return {{[{lua}] = {{[{lua}] = {lua}, f = load('return function() end', {lua})()}}}}",
        f"return setmetatable({{1}}, {{__name = {lua}, __tostring = function() return {lua} end}})",
        f"return setmetatable({{1}}, {{__name = {lua}, __tostring = function() error({lua}, 0) end}})",
        f"return {{string.rep({lua}, 500), {{string.rep({lua}, 500)}}}}",
        f"local t = {{}} for i = 1, 20 do t[i .. {lua}] = {lua} end return t",
        f"return {{[{lua}] = {{a = 1}}, x = {{a = {lua}}}}}",
    ]
    for shape in shapes:
        checker = check(mime_bundle(take(shape))["text/html"])
        assert checker.tags <= ALLOWED_TAGS
        assert checker.attributes <= ALLOWED_ATTRIBUTES


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=20)
data = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=6)
        | st.lists(st.dictionaries(st.sampled_from(["a", "b", "<c>"]), inner, min_size=1), max_size=6)
    ),
    max_leaves=30,
)


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data)
def test_any_data_is_drawn_as_sound_markup(check: Any, value: Any) -> None:
    bundle = mime_bundle(from_plain(value))
    assert isinstance(bundle["text/plain"], str)
    if "text/html" in bundle:
        checker = check(bundle["text/html"])
        assert checker.tags <= ALLOWED_TAGS


@pytest.mark.parametrize(
    "code",
    [
        "local t = {} for i = 1, 1e5 do t[i] = {id = i, text = string.rep('x', 1000)} end return t",
        """local function tree(depth)
             local t = {} for i = 1, 50 do t[i] = depth > 0 and tree(depth - 1) or 'x' end return t
           end
           return tree(2)""",
        "local t = {} for i = 1, 1e5 do t['key' .. i] = string.rep('<', 1000) end return t",
        "local t = {} for i = 1, 1e5 do t[i] = 'some text ' .. i end return t",
        "return string.rep('x', 1e7)",
    ],
)
def test_an_output_is_of_bounded_size(take: Any, code: str) -> None:
    bundle = mime_bundle(take(code))
    assert sum(map(len, bundle.values())) < 700_000
