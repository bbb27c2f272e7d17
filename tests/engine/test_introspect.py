"""introspect.lua: what the live state tells of itself, without running user code and within bounds."""

from __future__ import annotations

import time
from typing import Any

import pytest

from llmspell_kernel.engine import values

PRELUDE = """
local introspect, codec = require("introspect"), require("codec")
local env, locals, baseline = {}, {}, {}
for _, name in ipairs{"print", "string", "setmetatable", "error", "coroutine", "pairs", "rawset"} do
  env[name] = _G[name]
end
env._G = env
env.session = function(name, value) locals[name] = { value } end
for name, value in next, env do baseline[name] = value end
local context = {
  globals = env,
  baseline = baseline,
  members = { llm = function() return { chat = print, models = print } end },
  find = function(name) if locals[name] then return true, locals[name][1] end return false, nil end,
  names = function() local list = {} for name in next, locals do list[#list + 1] = name end return list end,
}
local code, name, arguments = ...
assert(load(code, "=cell 1", "t", env))()
return codec.encode(introspect[name](context, table.unpack(codec.decode_list(arguments))))
"""


class Introspection:
    def __init__(self, lua: Any) -> None:
        self._lua = lua

    def __call__(self, code: str | bytes, name: str, *arguments: Any) -> Any:
        source = code.encode() if isinstance(code, str) else code
        return values.decode(self._lua.run(PRELUDE, source, name.encode(), values.encode(list(arguments))))


@pytest.fixture
def ask(lua: Any) -> Introspection:
    return Introspection(lua)


def names_of(answer: dict[str, Any]) -> set[str]:
    return {row[0] for row in answer.get("rows") or []}


def test_fields_come_with_type_and_a_short_detail(ask: Introspection) -> None:
    answer = ask(
        "cfg = { host = 'h', port = 8080, tls = true, list = {}, open = function(self, a, ...) end }",
        "fields",
        ["cfg"],
    )
    assert answer["type"] == "table"
    assert sorted(answer["rows"]) == [
        ["host", "string", '"h"'],
        ["list", "table", ""],
        ["open", "function", "(self, a, ...)"],
        ["port", "number", "8080"],
        ["tls", "boolean", "true"],
    ]


def test_fields_follow_tables_behind_index_and_the_nearer_wins(ask: Introspection) -> None:
    code = """
    local Base = { name = 1, greet = function(self) end }
    local Derived = setmetatable({ name = "near" }, { __index = Base })
    object = setmetatable({ own = 1 }, { __index = Derived })
    """
    answer = ask(code, "fields", ["object"])
    assert names_of(answer) == {"own", "name", "greet"}
    assert ["name", "string", '"near"'] in answer["rows"]
    assert answer["dynamic"] is False


def test_methods_of_strings_are_those_of_the_string_metatable(ask: Introspection) -> None:
    answer = ask("s = 'abc'", "fields", ["s"], "re")
    assert names_of(answer) == {"rep", "reverse"}


def test_paths_go_through_fields_lists_and_chains(ask: Introspection) -> None:
    code = "t = { items = { { deep = { x = 1 } } } } setmetatable(t, { __index = { more = { y = 2 } } })"
    assert names_of(ask(code, "fields", ["t", "items", 1, "deep"])) == {"x"}
    assert names_of(ask(code, "fields", ["t", "more"])) == {"y"}
    assert ask(code, "fields", ["t", "none"]) is None
    assert ask(code, "fields", ["t", "items", 1, "deep", "x", "y"]) is None


def test_session_locals_hide_globals(ask: Introspection) -> None:
    code = "x = { far = 1 } session('x', { near = 1 })"
    assert names_of(ask(code, "fields", ["x"])) == {"near"}
    assert ask(code, "describe", ["x"])["scope"] == "local"


def test_a_prefix_is_compared_without_regard_to_case(ask: Introspection) -> None:
    assert names_of(ask("t = { Alpha = 1, alps = 2, beta = 3 }", "fields", ["t"], "AL")) == {"Alpha", "alps"}


def test_a_module_that_nobody_touched_is_filled_to_be_listed(ask: Introspection) -> None:
    code = "llm = setmetatable({}, { __name = 'module llm', __index = function() error('touched') end })"
    answer = ask(code, "fields", ["llm"])
    assert names_of(answer) == {"chat", "models"}
    assert answer["type_name"] == "module llm"


HOSTILE = """
local function evil() error("user code ran") end
local all = { __index = evil, __newindex = evil, __len = evil, __pairs = evil, __tostring = evil, __eq = evil,
  __call = evil, __concat = evil, __close = evil, __lt = evil, __metatable = "locked", __name = 42 }
trap = setmetatable({ seen = 1, [1] = "first" }, all)
loop = {} setmetatable(loop, { __index = loop })
a, b = {}, {} setmetatable(a, { __index = b }) setmetatable(b, { __index = a })
keys = { ["a key"] = 1, ["\\255\\254"] = 2, [1.5] = 3, [true] = 4, [print] = 5, [{}] = 6 }
named = setmetatable({}, { __name = "\\255bad" })
chain = {} for i = 1, 100 do chain = setmetatable({ ["level" .. i] = i }, { __index = chain }) end
"""


def test_hostile_tables_are_listed_and_their_code_never_runs(ask: Introspection) -> None:
    assert names_of(ask(HOSTILE, "fields", ["trap"])) == {"seen"}
    assert ask(HOSTILE, "fields", ["trap"])["dynamic"] is True
    assert ask(HOSTILE, "fields", ["trap", "other"]) is None
    described = ask(HOSTILE, "describe", ["trap"])
    assert described["preview"] == '{"first", seen = 1}'
    assert "__index" in described["metatable"]["names"]
    assert ask(HOSTILE, "variables") is not None
    assert ask(HOSTILE, "snapshot") is not None


def test_cycles_and_long_chains_end(ask: Introspection) -> None:
    assert ask(HOSTILE, "fields", ["loop"])["type"] == "table"
    assert ask(HOSTILE, "fields", ["loop", "nothing"]) is None
    assert ask(HOSTILE, "fields", ["a"])["type"] == "table"
    assert len(ask(HOSTILE, "fields", ["chain"])["rows"]) == 20


def test_names_that_are_not_text_are_left_out(ask: Introspection) -> None:
    assert names_of(ask(HOSTILE, "fields", ["keys"])) == {"a key"}
    assert "type_name" not in ask(HOSTILE, "fields", ["named"])


def test_a_function_tells_where_it_was_made_and_what_it_holds(ask: Introspection) -> None:
    code = "local n, t = 3, { 1 }\n\nfunction add(x, y, ...)\n  return x + y + n + #t\nend"
    assert ask(code, "describe", ["add"]) == {
        "type": "function",
        "scope": "global",
        "preview": "function <cell 1:3>",
        "parameters": "(x, y, ...)",
        "builtin": False,
        "chunk": "cell 1",
        "line": 3,
        "last_line": 5,
        "upvalues": [["n", "number", "3"], ["t", "table", "{1}"]],
    }
    assert ask("", "describe", ["print"])["builtin"] is True


def test_a_table_tells_its_size_fields_and_metatable(ask: Introspection) -> None:
    described = ask(
        "t = setmetatable({ 1, 2, 3, x = 'y' }, { __name = 'Thing', __add = print })", "describe", ["t"]
    )
    assert described["size"] == 4
    assert described["length"] == 3
    assert described["counted"] is True
    assert described["type_name"] == "Thing"
    assert described["metatable"] == {"names": ["__add", "__name"]}
    assert described["preview"] == 'Thing {1, 2, 3, x = "y"}'


@pytest.mark.parametrize(
    ("code", "preview"),
    [
        ("x = 12", "12"),
        ("x = 1.5", "1.5"),
        ("x = 'a\\nb'", '"a\\nb"'),
        ("x = '\\255'", '"\\xFF"'),
        ("x = coroutine.create(print)", "coroutine (suspended)"),
        ("x = false", "false"),
        ("x = { y = { z = 1 } }", "{y = {…}}"),
        ("x = { ['a b'] = 1 }", '{["a b"] = 1}'),
    ],
)
def test_previews_are_one_short_line(ask: Introspection, code: str, preview: str) -> None:
    assert ask(code, "describe", ["x"])["preview"] == preview


def test_variables_are_what_the_cells_made(ask: Introspection) -> None:
    found = ask(
        "n = 1 words = { 'a', 'b' } text = 'abc' function f(a) end session('kept', true) print = nil",
        "variables",
    )
    listed = [(v["name"], v["type"], v["scope"], v.get("size"), v["preview"]) for v in found["variables"]]
    assert listed == [
        ("f", "function", "global", None, "function <cell 1:1>"),
        ("kept", "boolean", "local", None, "true"),
        ("n", "number", "global", None, "1"),
        ("text", "string", "global", 3, '"abc"'),
        ("words", "table", "global", 2, '{"a", "b"}'),
    ]


def test_a_snapshot_has_names_and_the_fields_of_the_cells_own_tables(ask: Introspection) -> None:
    rows = {row[0]: row for row in ask("cfg = { host = 1 } session('me', { x = 1 })", "snapshot")["rows"]}
    assert rows["cfg"][3] == [["host", "number", "1"]]
    assert rows["me"][3] == [["x", "number", "1"]]
    assert len(rows["string"]) == 3


MANY = "for i = 1, 100000 do rawset(_G, 'g' .. i, i) end big = {} for i = 1, 300000 do big['k' .. i] = i end"


def test_answers_stay_bounded_and_quick_with_very_many_names(lua: Any) -> None:
    timed = PRELUDE.replace(
        "return codec.encode(introspect[name](context, table.unpack(codec.decode_list(arguments))))",
        """
        local function timed(f, ...)
          local begun = os.clock()
          local answer = f(context, ...)
          return #(answer.rows or answer.variables), os.clock() - begun
        end
        local a, ta = timed(introspect.names, "")
        local b, tb = timed(introspect.fields, { "big" }, "k9")
        local c, tc = timed(introspect.snapshot)
        local d, td = timed(introspect.variables)
        return a, b, c, d, ta + tb + tc + td
        """,
    )
    *counts, seconds = lua.run(timed, MANY.encode(), b"", b"")
    assert all(count <= 2000 for count in counts)
    assert seconds < 1.0  # about 0.06 alone on a core


def test_many_large_tables_are_counted_within_one_bound(ask: Introspection) -> None:
    code = "for i = 1, 200 do local t = {} for j = 1, 5000 do t[j] = j end rawset(_G, 't' .. i, t) end"
    begun = time.monotonic()
    found = ask(code, "variables")["variables"]
    assert len(found) == 200
    assert sum(variable["size"] for variable in found) == 100_000
    assert time.monotonic() - begun < 5
