"""The reference of the standard library: complete, and true of real Lua."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.language import stdlib
from llmspell_kernel.language.documentation import Documented, Option, Reference
from llmspell_kernel.language.parser import parse

if TYPE_CHECKING:
    from llmspell_kernel.engine.state import LuaState

ENTRIES = {entry.name: entry for entry in stdlib.entries()}
LUA_HAS_AND_CELLS_DO_NOT = {
    *("dofile", "loadfile", "warn", "debug", "package", "string.dump", "io.input", "io.output"),
    *("io.popen", "os.execute", "os.setlocale"),
}
OURS = {"Display:update", "clear_output", "input", "help"}

LIST_NAMES = """
local found = {}
for name, value in next, _G do
  found[#found + 1] = name
  if type(value) == "table" and name ~= "_G" and name ~= "package" and name ~= "debug" then
    for member in next, value do found[#found + 1] = name .. "." .. member end
  end
end
return table.concat(found, " ")
"""


def test_every_function_that_cells_have_is_documented(state: LuaState) -> None:
    real = set(state.run(LIST_NAMES).decode().split())
    written = {name for name in ENTRIES if not name.startswith("file:")} - OURS
    assert written == real - LUA_HAS_AND_CELLS_DO_NOT


def test_every_entry_says_what_it_is() -> None:
    for entry in ENTRIES.values():
        assert entry.summary.endswith((".", ":")), entry.name
        for option in (*entry.parameters, *entry.returns):
            assert option.type, f"{entry.name}: {option.name}"
        if entry.kind == "field":
            assert entry.type, entry.name


def test_examples_are_lua() -> None:
    shown = [entry for entry in ENTRIES.values() if entry.example]
    assert len(shown) > 50
    for entry in shown:
        assert parse(entry.example).problems == [], entry.name


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if "--> " in entry.example])
def test_examples_print_what_they_say(state: LuaState, name: str) -> None:
    example = ENTRIES[name].example
    expected = [line.partition("--> ")[2] for line in example.splitlines() if "--> " in line]
    run = """
        local out = {}
        local function print(...)
          local parts = table.pack(...)
          for i = 1, parts.n do parts[i] = tostring(parts[i]) end
          out[#out + 1] = table.concat(parts, "  ")
        end
        assert(load(..., "=example", "t", setmetatable({print = print}, {__index = _G})))()
        return table.concat(out, "\\n")
    """
    assert state.run(run, example.encode()).decode().splitlines()[: len(expected)] == expected


def test_parameters_are_those_of_the_manual() -> None:
    assert ENTRIES["string.find"].shown_signature == (
        "string.find(s, pattern, init?, plain?) → integer?, integer?, string"
    )
    assert ENTRIES["table.insert"].shown_signature == "table.insert(list [, pos], value)"
    assert ENTRIES["collectgarbage"].parameters[0].values[0] == "collect"
    assert ENTRIES["math.pi"].shown_signature == "math.pi: number"
    assert ENTRIES["string"].kind == "module"
    assert ENTRIES["string.sub"].link == "https://www.lua.org/manual/5.4/manual.html#pdf-string.sub"


@pytest.mark.parametrize(
    ("name", "arity"),
    [("tostring", (1, 1)), ("string.sub", (2, 3)), ("print", (0, None)), ("math.max", (1, None))],
)
def test_arity_is_how_many_arguments_a_call_may_have(name: str, arity: tuple[int, int | None]) -> None:
    assert ENTRIES[name].arity == arity


def test_a_reference_finds_names_members_and_aliases() -> None:
    send = Documented("llm.Session:send", "method", parameters=(Option("text", "string"),))
    chat = Documented("agent.create", "function", "Makes an agent. It waits.")
    reference = Reference([send, chat])
    reference.add((), {"agents": "agent"})
    assert reference.get("llm.Session.send") is reference.get("llm.Session:send") is send
    assert reference.get("agents.create") is chat
    assert dict(reference.members("agents")) == {"create": chat}
    assert reference.members("nothing") == {}
    assert reference.nearest("agent.creat") is chat
    assert chat.summary == "Makes an agent."
    assert send.shown_signature == "llm.Session:send(text)"
