"""The value converter, both ends: what crosses is exactly what was sent."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import enum
import math
import struct
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmspell_kernel.engine import values
from llmspell_kernel.engine.values import BooleanKey, CallbackRef, HandleRef
from llmspell_kernel.errors import ConversionError, ProtocolError

if TYPE_CHECKING:
    from tests.engine.conftest import LuaHarness

CODEC = "local codec = require('codec') "
INT64 = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from(
        [0, -1, -32, -33, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, -(2**63)]
    ),
    st.builds(
        lambda bits, off: max(-(2**63), min(2**63 - 1, 2**bits + off)), st.integers(0, 63), st.integers(-2, 2)
    ),
)
FLOATS = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1.0, 2.0**53, math.inf, -math.inf, math.nan]))
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
# not UTF-8, which would come back as text
BINARY = st.binary(max_size=300).map(lambda data: b"\xff" + data)
SCALARS = st.one_of(
    st.booleans(),
    INT64,
    FLOATS,
    TEXT,
    BINARY,
    st.builds(CallbackRef, INT64),
    st.builds(HandleRef, TEXT, INT64, TEXT),
)
# Lua has one number 1: a float key that is an integer becomes one
KEYS = st.one_of(
    INT64,
    st.floats(allow_nan=False).filter(lambda key: not key.is_integer() or abs(key) >= 2**63),
    TEXT,
    BINARY,
    st.builds(BooleanKey, st.booleans()),
)


def _is_list_to_lua(value: dict[Any, Any]) -> bool:
    return set(value) == set(range(1, len(value) + 1)) and bool(value)


TREES = st.recursive(
    st.one_of(SCALARS, st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=6),
        st.dictionaries(KEYS, inner, max_size=6).filter(lambda value: not _is_list_to_lua(value)),
    ),
    max_leaves=30,
)


def exact(value: Any) -> Any:
    """A form of `value` that is equal only to what has the same types, signs of zero and NaNs too."""
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else struct.pack(">d", value))
    if isinstance(value, list):
        return ["list", *map(exact, value)]
    if isinstance(value, dict):
        return {exact(key): exact(item) for key, item in value.items()}
    return (type(value).__name__, value)


HOOKS = """
  local ids, handles = {}, {}
  codec.to_function = function(id) local f = function() end ids[f] = id return f end
  codec.on_function = function(f) return ids[f] end
  codec.to_handle = function(kind, id)
    local handle = setmetatable({}, {__name = kind})
    handles[handle] = {kind, id}
    return handle
  end
  codec.on_handle = function(object)
    if handles[object] then return handles[object][1], handles[object][2] end
  end
"""


@pytest.fixture
def echo(lua: LuaHarness) -> LuaHarness:
    lua.run(CODEC + HOOKS)
    return lua


@given(TREES)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tree_survives_the_way_into_lua_and_back(echo: LuaHarness, tree: Any) -> None:
    packed = echo.run(CODEC + "local v = codec.decode((...)) return codec.encode(v)", values.encode(tree))
    assert exact(values.decode(packed)) == exact(tree)


@given(st.lists(TREES, max_size=5))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_argument_lists_keep_every_nil(echo: LuaHarness, arguments: list[Any]) -> None:
    source = CODEC + "local l = codec.decode_list((...)) return codec.encode_many(table.unpack(l, 1, l.n))"
    assert exact(values.decode_list(echo.run(source, values.encode(arguments)))) == exact(arguments)


def roundtrip(lua: LuaHarness, expression: str) -> Any:
    return values.decode(lua.run(CODEC + f"return codec.encode({expression})"))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("{}", {}),
        ("codec.array({})", []),
        ("{1, 2.0, '3'}", [1, 2.0, "3"]),
        ("{[1]='a', [2]='b', [3]='c'}", ["a", "b", "c"]),
        ("{1, nil, 3}", {1: 1, 3: 3}),
        ("{1, 2, x=3}", {1: 1, 2: 2, "x": 3}),
        ("{[0]='zero', [1]='one'}", {0: "zero", 1: "one"}),
        ("{[1.5]=1, [-1]=2, [math.huge]=3}", {1.5: 1, -1: 2, math.inf: 3}),
        ("{[true]='yes', [1]='one', [false]='no', [0]='zero'}",
         {BooleanKey(True): "yes", 1: "one", BooleanKey(False): "no", 0: "zero"}),
        ("{a=codec.null}", {"a": None}),
        ("{1, codec.null, 3}", [1, None, 3]),
        ("codec.null", None),
        ("nil", None),
        ("math.mininteger", -(2**63)),
        ("math.maxinteger", 2**63 - 1),
        ("1e300", 1e300),
        ("'caf\\u{e9}'", "café"),
        ("'\\xe9'", b"\xe9"),
        ("{['\\xff']=1}", {b"\xff": 1}),
        ("'\\xed\\xa0\\x80'", b"\xed\xa0\x80"),
        ("string.rep('x', 70000)", "x" * 70000),
        ("string.rep('\\xff', 70000)", b"\xff" * 70000),
        ("setmetatable({a=1}, {__index=error, __len=error, __pairs=error, __eq=error})", {"a": 1}),
    ],
)  # fmt: skip
def test_lua_values_arrive_as(lua: LuaHarness, expression: str, expected: Any) -> None:
    assert exact(roundtrip(lua, expression)) == exact(expected)


@given(st.sets(st.integers(1, 9)), TREES.filter(lambda tree: tree is not None))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_list_with_holes_is_a_map_and_one_without_is_a_list(
    echo: LuaHarness, places: set[int], tree: Any
) -> None:
    sent = dict.fromkeys(places, tree)
    packed = echo.run(CODEC + "local v = codec.decode((...)) return codec.encode(v)", values.encode(sent))
    whole = bool(places) and max(places) == len(places)
    assert exact(values.decode(packed)) == exact([tree] * len(places) if whole else sent)


STEPS = st.lists(
    st.one_of(st.integers(-5, 9), st.from_regex(r"\A[a-z][a-z0-9]{0,5}\Z"), st.just("a b")),
    min_size=1,
    max_size=12,
)


def _written(step: int | str) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f'["{step}"]' if " " in step else f".{step}"


@given(STEPS, st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cycle_anywhere_is_named_by_its_path(
    lua: LuaHarness, steps: list[int | str], data: st.DataObject
) -> None:
    back_to = data.draw(st.integers(0, len(steps) - 1))
    keys = ", ".join(str(step) if isinstance(step, int) else f"'{step}'" for step in steps)
    build = f"""
      local keys, tables = {{ {keys} }}, {{ [0] = {{}} }}
      for i = 1, #keys - 1 do tables[i] = {{}} tables[i - 1][keys[i]] = tables[i] end
      tables[#keys - 1][keys[#keys]] = tables[{back_to}]
      return tables[0]
    """
    path = "".join(map(_written, steps))
    reserved = {"and", "do", "end", "for", "if", "in", "nil", "not", "or", "then", "else", "true", "while"}
    if not reserved & {str(step) for step in steps}:
        assert problem(lua, build) == f"argument 2{path}: a cycle cannot cross"


def test_a_list_decoded_empty_stays_a_list(lua: LuaHarness) -> None:
    assert roundtrip(lua, "codec.decode((codec.encode(codec.array({}))))") == []


def test_a_table_that_is_used_twice_is_copied(lua: LuaHarness) -> None:
    assert roundtrip(lua, "(function() local t = {1} return {t, t} end)()") == [[1], [1]]


def problem(lua: LuaHarness, build: str) -> str:
    """What `encode_many` says about a second argument made by `build`."""
    source = CODEC + f"return select(2, pcall(codec.encode_many, 'first', (function() {build} end)()))"
    return lua.run(source).decode()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        ("local a = {} a.items = {1, 2, {owner = a}} return a",
         "argument 2.items[3].owner: a cycle cannot cross"),
        ("local t = {} local r = t for _ = 1, 40 do t.x = {} t = t.x end return r",
         "argument 2" + ".x" * 32 + ": tables nested more than 32 deep cannot cross"),
        ("return {['a b'] = coroutine.create(print)}", "argument 2[\"a b\"]: a coroutine cannot cross"),
        ("return {[7] = {io.stdout}}", "argument 2[7][1]: a userdata cannot cross"),
        ("return {list = {[{}] = 1}}", "argument 2.list: a key that is a table cannot cross"),
        ("return print", "argument 2: a function cannot cross here"),
        ("codec = require('codec') codec.user_limit = 1048576 return {s = string.rep('x', 2^20 + 1)}",
         "argument 2.s: the value is too large to cross"),
        ("codec = require('codec') codec.user_limit = 1048576 local s = string.rep('x', 1000) local t = {}"
         " for i = 1, 2000 do t[i] = s end return t",
         "argument 2[1049]: the value is too large to cross"),
    ],
)  # fmt: skip
def test_what_cannot_cross_is_named_by_its_path(lua: LuaHarness, build: str, message: str) -> None:
    assert problem(lua, build) == message


def test_a_short_value_that_would_grow_without_end_is_refused(lua: LuaHarness) -> None:
    text = problem(
        lua, "require('codec').limit = 2^22 // 1 local t = {1} for _ = 1, 30 do t = {t, t, t} end return t"
    )
    assert text.endswith("the value is too large to cross")


def test_after_a_refused_value_the_next_one_crosses(lua: LuaHarness) -> None:
    problem(lua, "return {io.stdout}")
    assert roundtrip(lua, "{1}") == [1]


def test_null_is_a_value_of_its_own(lua: LuaHarness) -> None:
    source = CODEC + "local t = codec.decode((...)) return tostring(t[1]), rawequal(t[1], codec.null), #t"
    assert lua.run(source, values.encode([None, None])) == (b"null", True, 2)


@given(st.binary(max_size=60))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_decode_or_are_refused(echo: LuaHarness, data: bytes) -> None:
    echo.run(CODEC + "return (pcall(codec.decode, (...)))", data)
    with contextlib.suppress(ProtocolError):
        values.decode(data)


@given(TREES, st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_truncated_values_are_refused(echo: LuaHarness, tree: Any, data: st.DataObject) -> None:
    packed = values.encode([tree])
    cut = packed[: data.draw(st.integers(0, len(packed) - 1))]
    assert echo.run(CODEC + "return (pcall(codec.decode, (...)))", cut) is False
    with pytest.raises(ProtocolError):
        values.decode(cut)


@pytest.mark.parametrize("header", [b"\xdd", b"\xdf", b"\xdb", b"\xc6", b"\xc9"])
def test_a_claimed_length_allocates_nothing(lua: LuaHarness, header: bytes) -> None:
    lua.run("require('codec')")
    before = lua.state.memory_used
    assert lua.run(CODEC + "return (pcall(codec.decode, (...)))", header + b"\xff\xff\xff\xff\x01") is False
    assert lua.state.memory_used - before < 10_000
    with pytest.raises(ProtocolError):
        values.decode(header + b"\xff\xff\xff\xff\x01")


def test_bytes_nested_without_end_are_refused(lua: LuaHarness) -> None:
    assert lua.run(CODEC + "return (pcall(codec.decode, (...)))", b"\x91" * 100_000) is False
    with pytest.raises(ProtocolError):
        values.decode(b"\x91" * 100_000)


# ── Python values that are not Lua's already ─────────────────────────────────────────────────────


class Colour(enum.Enum):
    RED = "red"


class Point(msgspec.Struct):
    x: int
    tags: tuple[str, ...] = ()
    held: Any = None


@dataclasses.dataclass
class Pair:
    left: Any
    right: Any


@pytest.mark.parametrize(
    ("value", "crossed"),
    [
        ((1, (2, 3)), [1, [2, 3]]),
        ({"p": Point(1, ("a",))}, {"p": {"x": 1, "tags": ["a"], "held": None}}),
        (Pair(Point(1), b"\xff"), {"left": {"x": 1, "tags": [], "held": None}, "right": b"\xff"}),
        (
            Pair(HandleRef("agent", 3), [CallbackRef(4)]),
            {"left": HandleRef("agent", 3), "right": [CallbackRef(4)]},
        ),
        ([Colour.RED, datetime.date(2026, 1, 2)], ["red", "2026-01-02"]),
        (datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "2026-01-02T00:00:00Z"),
        (bytearray(b"\xff"), b"\xff"),
        ({True: 1}, {BooleanKey(True): 1}),
        ({2.0: "two", 3: "three"}, {2: "two", 3: "three"}),
        ({1: "a", 2: "b"}, ["a", "b"]),
    ],
)
def test_python_values_arrive_in_lua_as(echo: LuaHarness, value: Any, crossed: Any) -> None:
    packed = echo.run(CODEC + "return codec.encode((codec.decode((...))))", values.encode(value))
    assert exact(values.decode(packed)) == exact(crossed)


def cyclic() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"items": [1, {"n": 2**63}]},
            "value.items[1].n: an integer of more than 64 bits cannot cross to Lua",
        ),
        ([-(2**63) - 1], "value[0]: an integer of more than 64 bits cannot cross to Lua"),
        ((1, 2**70), "value[1]: an integer of more than 64 bits cannot cross to Lua"),
        ({"a": object()}, "value.a: a object cannot cross to Lua"),
        ({"a": [len]}, "value.a[0]: a builtin_function_or_method cannot cross to Lua"),
        ({(1, 2): 3}, "value[(1, 2)]: (1, 2) cannot be a key in Lua"),
        ({None: 3}, "value[None]: None cannot be a key in Lua"),
        ({math.nan: 3}, "value[nan]: nan cannot be a key in Lua"),
        ({2**64: 3}, f"value[{2**64}]: {2**64} cannot be a key in Lua"),
        ({b"a": 1, "a": 2}, "value[b'a']: two keys would become one in Lua"),
        ({True: 1, BooleanKey(True): 2}, "value[True]: two keys would become one in Lua"),
        (cyclic(), "value" + "[0]" * 33 + ": a cycle, or more than 32 levels, cannot cross to Lua"),
    ],
)
def test_python_values_that_cannot_cross_are_named_by_their_path(value: Any, message: str) -> None:
    with pytest.raises(ConversionError) as caught:
        values.encode(value)
    assert caught.value.message == message


def test_half_a_surrogate_pair_cannot_cross() -> None:
    with pytest.raises(ConversionError, match="surrogate"):
        values.encode({"a": "\ud800"})
