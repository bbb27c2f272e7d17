"""A small world for the tables of cases: a reference, cells that ran, a live state that is real Lua."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

from llmspell_kernel.engine import values
from llmspell_kernel.engine.state import LuaState
from llmspell_kernel.language.documentation import Documented, Option
from llmspell_kernel.language.intelligence import Intelligence
from llmspell_kernel.language.live import Description, Fields, IdKind, KnownId, Names, Path, Snapshot, decode

if TYPE_CHECKING:
    from collections.abc import Sequence

TOOL = (Option("name", "string", "which tool", ids="tool"), Option("timeout", "number", "seconds"))
CHAT_OPTIONS = (
    Option("model", "string", "which model answers", ids="model"),
    Option("temperature", "number", "from 0 to 2", default="0.7"),
    Option("response_format", "string", "form of the answer", values=("text", "json")),
    Option("on_chunk", "fun(text: string)", "called with each piece"),
    Option("tools", "table[]", "tools that the model may call", options=TOOL),
)

MODULES = (
    Documented(
        "display",
        "module",
        "Shows values.",
        parameters=(Option("...", "any"),),
        returns=(Option("handle", "Display"),),
    ),
    Documented("llm", "module", "Asks language models. And more."),
    Documented(
        "llm.chat",
        "function",
        "Sends a prompt and waits for the answer.",
        parameters=(
            Option("prompt", "string|table", "what to ask"),
            Option("options", "table", "how to ask", optional=True, options=CHAT_OPTIONS),
        ),
        returns=(Option("", "llm.Response"), Option("err", "Error?")),
        example='local r = assert(llm.chat("Hi"))',
        grant="model",
    ),
    Documented("llm.models", "function", "Lists models.", returns=(Option("", "string[]"),)),
    Documented("llm.default_model", "field", "The model that answers.", type="string"),
    Documented("llm.chat_session", "function", "Opens a conversation.", returns=(Option("", "llm.Session"),)),
    Documented("llm.Response.content", "field", "The text of the answer.", type="string"),
    Documented("llm.Response.usage", "field", "What it cost.", type="llm.Usage"),
    Documented("llm.Usage.total_tokens", "field", "Tokens in all.", type="integer"),
    Documented("llm.Session:send", "method", "Sends a message.", parameters=(Option("text", "string"),)),
    Documented("llm.Session:clear", "method", "Forgets the conversation."),
    Documented("llm.Session.history", "field", "What was said.", type="table[]"),
    Documented("Error.message", "field", "What happened.", type="string"),
    Documented("tools", "module", "Calls tools."),
    Documented(
        "tools.execute",
        "function",
        "Runs a tool.",
        parameters=(Option("name", "string", ids="tool"), Option("arguments", "table", optional=True)),
    ),
    Documented("state", "module", "Values that stay."),
    Documented(
        "state.create",
        "function",
        "Opens a state.",
        parameters=(
            Option("name", "string", ids="state"),
            Option(
                "options",
                "table",
                optional=True,
                options=(Option("persistent", "boolean"), Option("defaults")),
            ),
        ),
        closed=True,
    ),
)

MAGICS = {
    "%time": "time a cell",
    "%timeit": "time it often",
    "%who": "list variables",
    "%whos": "with values",
}

CELLS = {
    "cell 1": """-- an account of money
local Account = {}
Account.__index = Account

--- Opens an account.
---@param owner string who owns it
---@param balance? number money to begin with
---@return Account account
function Account.new(owner, balance)
  return setmetatable({ owner = owner, balance = balance or 0 }, Account)
end

--- Puts money in.
---
--- Negative amounts are refused.
--- ```lua
--- account:deposit(10)
--- ```
---@param amount number
function Account:deposit(amount)
  self.balance = self.balance + amount
  self.last_deposit = amount
end

function Account:withdraw(amount)
  self.balance = self.balance - amount
end
""",
    "cell 2": """account = Account.new("ada")
cfg = { host = "localhost", ["content-type"] = "text", nested = { deep = { er = 1 } }, port = 8080 }
cfg.extra = true
local session = llm.chat_session("be brief")
greeting = "hello"
local counter, step = 0, 2
-- Counts up.
-- Not thread safe.
local function count() counter = counter + step return counter end
people = { { name = "ada", age = 36 }, { name = "grace", age = 85 } }
handlers = { on_open = function(self, url) return url end }
""",
}

LIVE = """
account.secret_live = 1
only_live = { alpha = 1, beta = function(x, y, ...) end, ["two words"] = 2, ["end"] = 3 }
camelCase, CamelCase = 1, 2
_hidden = true
local function evil() error("user code ran") end
trap = setmetatable({ visible = 1 }, { __index = evil, __pairs = evil, __len = evil, __tostring = evil,
  __eq = evil, __metatable = "locked" })
loop = setmetatable({ round = 1 }, {}) getmetatable(loop).__index = loop
derived = setmetatable({ own = 1 }, { __index = setmetatable({ inherited = 2 }, { __index = { far = 3 } }) })
bytes = { ["\\255"] = 1, ["quote\\"d"] = 2, ["new\\nline"] = 3 }
handle = setmetatable({}, { __name = "llm.Session", __index = evil })
numbers = { 10, 20, 30 }
co = coroutine.create(print)
chart = { { label = "x" } }
"""

_PRELUDE = """
local introspect, codec = require("introspect"), require("codec")
local env, baseline = {}, {}
for name, value in next, _G do env[name] = value end
for _, name in ipairs { "debug", "package", "dofile", "loadfile", "require", "warn" } do env[name] = nil end
for name, value in next, env do baseline[name] = value end
env._G = env
local made = { session = setmetatable({}, { __name = "llm.Session" }), counter = 7 }
local count = "local counter, step = 7, 2" .. string.rep("\\n", 8)
  .. "return function() return counter + step end"
made.count = load(count, "=cell 2")()
local context = {
  globals = env, baseline = baseline,
  find = function(name) return made[name] ~= nil, made[name] end,
  names = function() local list = {} for name in next, made do list[#list + 1] = name end return list end,
}
env.llm = { chat = print, chat_session = function() return made.session end }
for number = 1, 2 do
  -- without the word `local` their names are globals here, at the same places
  local text = string.gsub(select(number, ...), "%f[%w]local ", "")
  assert(load(text, "=cell " .. number, "t", env))()
end
env.count, env.counter, env.session = nil, nil, nil
assert(load(select(3, ...), "=cell 9", "t", env))()
return function(name, arguments)
  return codec.encode(introspect[name](context, table.unpack(codec.decode_list(arguments))))
end
"""


class RealLua:
    """The live state over a real Lua state, as the session has it over the engine."""

    def __init__(self, code: str = LIVE) -> None:
        self._lua = LuaState(Mock())
        sources = [CELLS["cell 1"].encode(), CELLS["cell 2"].encode(), code.encode()]
        self._answer = self._lua.run(_PRELUDE, *sources)
        self.asked: list[tuple[str, Any]] = []

    def ask(self, name: str, *arguments: Any) -> Any:
        self.asked.append((name, arguments))
        return values.decode(self._answer(name.encode(), values.encode(list(arguments))))

    async def fields(self, path: Path, prefix: str = "", limit: int = 2000) -> Fields | None:
        return decode(self.ask("fields", list(path), prefix, limit), Fields)

    async def names(self, prefix: str = "", limit: int = 2000) -> Names | None:
        return decode(self.ask("names", prefix, limit), Names)

    async def describe(self, path: Path) -> Description | None:
        return decode(self.ask("describe", list(path)), Description)

    async def ids(self, kind: IdKind, prefix: str = "") -> Sequence[KnownId] | None:
        known = {
            "model": ["smollm2", "gpt-5", "claude"],
            "tool": ["calculator", "web_fetch", 'odd"name'],
            "state": ["progress"],
            "module": ["helpers"],
            "file": ["notes.txt"],
        }
        return [KnownId(text) for text in known.get(kind, ())]

    def snapshot(self) -> Snapshot:
        names = decode(self.ask("snapshot"), Names)
        assert names is not None
        return Snapshot(names)


def intelligence() -> Intelligence:
    mind = Intelligence(MODULES, {"agents": "tools"})
    mind.follow(CELLS)
    return mind


def cut(marked: str) -> tuple[str, int]:
    """A text and the place where ``|`` stands in it; ``¦`` where the text has bars of its own."""
    mark = "¦" if "¦" in marked else "|"
    offset = marked.index(mark)
    return marked.replace(mark, "", 1), offset
