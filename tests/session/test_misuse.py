"""Wrong arguments, to every function of the modules that need no model: what is raised is the user's to understand."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from llmspell_kernel.bridges.reference import reference
from llmspell_kernel.bridges.registry import installed_bridges
from llmspell_kernel.config import Places, Settings
from llmspell_kernel.session.outcome import Succeeded
from llmspell_kernel.session.session import Session

from .conftest import Notebook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmspell_kernel.language.documentation import Documented, Option

module_loop = pytest.mark.asyncio(loop_scope="module")

MODULES = [
    *(
        "async",
        "auth",
        "channel",
        "compat",
        "data",
        "errors",
        "events",
        "grants",
        "guardrails",
        "hooks",
        "http",
    ),
    *("json", "log", "observability", "parallel", "promise", "spell", "state", "storage", "testing", "utils"),
]
ENTRIES = reference([bridge for bridge in installed_bridges() if not bridge.internal])

OBJECTS = {
    "Breaker": "errors.circuit_breaker(function() end)",
    "Channel": "(function() local c = channel.make(2) c:send(1) return c end)()",
    "Counter": "observability.counter('misuse counter')",
    "Emitter": "events.new()",
    "Error": "errors.new('code', 'message')",
    "Expectation": "testing.expect(1)",
    "Gauge": "observability.gauge('misuse gauge')",
    "Guard": "guardrails.create{}",
    "Histogram": "observability.histogram('misuse histogram')",
    "Logger": "log.create('misuse')",
    "Mock": "testing.mock()",
    "Promise": "promise.resolve(1)",
    "Span": "observability.start_span('misuse')",
    "State": "state.create('misuse')",
    "Timer": "observability.histogram('misuse histogram'):start()",
    "http.Response": "http.response{ body = '{}' }",
}
"""How an object of each type is made."""

METHODS = {entry.owner for entry in ENTRIES if entry.kind == "method"}

VARIABLES = {"Error": "err", "Expectation": "expect", "http.Response": "response"}
"""What messages call an object where that is not its type in lower case."""

METHOD_OBJECTS = {
    "Expectation:to_be_nil": "testing.expect(nil)",
    "Expectation:to_be_true": "testing.expect(true)",
    "Expectation:to_be_false": "testing.expect(false)",
    "Expectation:to_be_falsy": "testing.expect(false)",
    "Expectation:to_be_a": "testing.expect(1).never",
    "Expectation:to_be_type": "testing.expect(1).never",
    "Expectation:to_be_close_to": "testing.expect(0.001)",
    "Expectation:to_throw": "testing.expect(function() error('x') end)",
    "Expectation:to_include": "testing.expect({ 1 })",
    "Expectation:to_contain": "testing.expect({ 1 })",
    "Expectation:to_have_key": "testing.expect({ 1 })",
    "Expectation:to_have_length": "testing.expect('x')",
    "Expectation:to_be_empty": "testing.expect('')",
    "Expectation:to_match": "testing.expect('x')",
    "Expectation:to_be_near": "testing.expect(0.001)",
    "Expectation:to_be_greater_than": "testing.expect(2)",
    "Expectation:to_be_less_than": "testing.expect(0)",
    "Expectation:to_raise": "testing.expect(function() error('x') end)",
    "Expectation:to_have_been_called": "testing.expect((function() local m = testing.mock() m() return m end)())",
    "Expectation:to_have_been_called_with": "testing.expect((function() local m = testing.mock() m() return m end)())",
}
"""Objects that a method needs to be right."""

RAISES = {f"testing.{name}" for name in ["before_each", "after_each", "before_all", "after_all", "failure"]}
"""What raises here whatever its arguments are: it belongs somewhere else."""

SLEEPERS = {"async.sleep", "utils.sleep"}
"""What may wait as long as it is told."""

DOTTED = {"Counter", "Gauge", "Histogram", "Logger", "Timer"}
"""Types whose methods may be called with a dot too."""

NAMES = {
    "compat.loadstring": "loadstring",
    "compat.unpack": "unpack",
    "compat.gfind": "string.gfind",
    **{f"compat.{name}": f"table.{name}" for name in ["getn", "maxn", "foreach", "foreachi"]},
    **{
        f"compat.{name}": f"math.{name}"
        for name in ["pow", "mod", "log10", "sinh", "cosh", "tanh", "ldexp", "frexp"]
    },
}
"""What messages call a function where that is not its name in the reference."""

RIGHT = {
    "async.cancel.what": "async(function() end)",
    "auth.oauth2.client": "{ token_url = 'https://example.org', client_id = 'x', secret = 'X' }",
    "channel.select....": "{ 'default' }",
    "async.select....": "{ 'default' }",
    "data.convert.from": "'json'",
    "data.convert.to": "'yaml'",
    "data.convert_format.from": "'json'",
    "data.convert_format.to": "'yaml'",
    "data.parse.format": "'json'",
    "data.stringify.format": "'json'",
    "data.to_xml.element": "{ tag = 'a' }",
    "data.merge....": "{}",
    "data.deep_merge....": "{}",
    "events.wait_for.seconds": "nil",
    "grants.drop.kind": "'mcp'",
    "grants.has.kind": "'mcp'",
    "grants.only.kind": "'mcp'",
    "hooks.remove.which": "'x'",
    "hooks.remove.kind": "'before'",
    "hooks.clear.kind": "nil",
    **{
        f"http.{name}.url": "'http://192.0.2.1/'"
        for name in ["get", "head", "delete", "post", "put", "patch"]
    },
    **{f"{place}.level": "'off'" for place in ["log.log", "log.set_level", "log.is_enabled"]},
    "Logger:set_level.level": "'off'",
    "Logger:is_enabled.level": "'off'",
    "observability.gauge.name": "'gauge'",
    "observability.histogram.name": "'histogram'",
    "observability.timer.name": "'histogram'",
    "observability.with_span....": "function() end",
    "Span:set_status.status": "'ok'",
    "http.request.options": "'http://192.0.2.1/'",
    "log.progress.what": "1",
    "testing.spy.t": "{ x = function() end }",
    "testing.spy.key": "'x'",
    "utils.join_path....": "'a'",
}
"""Arguments that are right where those made from their type are not."""

BY_TYPE = {
    "any": "1",
    "boolean": "true",
    "function": "function() end",
    "integer": "1",
    "number": "0.001",
    "string": "'x'",
    "Promise": "promise.resolve(1)",
    "Emitter": "events.new()",
    "State": "state.create('misuse')",
}

NUMBERS = {"-1", "0", "1e308", "nan", "inf", "maxinteger"}
STRINGS = {'""', '"x"', "huge string", "bytes"}
TABLES = {"{}", "hostile"}
EVERYTHING = (
    NUMBERS | STRINGS | TABLES | {"nil", "true", "none", "function", "coroutine", "promise", "channel"}
)
ACCEPTED = {
    "any": EVERYTHING,
    "boolean": {"true"},
    "false": set[str](),
    "integer": {"-1", "0", "maxinteger"},
    "number": NUMBERS,
    "string": STRINGS | NUMBERS,
    "table": TABLES,
    "function": {"function"},
    "Promise": {"promise"},
    "Channel": {"channel"},
}

BAD_ARGUMENT = re.compile(r"cell \d+:\d+: bad argument #(\d+) to '([\w.:]+)' \(.+\)", re.DOTALL)
COLON = re.compile(r"cell \d+:\d+: call (\w+) with a colon: [\w()]+:\1\(…\)")
OURS = re.compile(
    r"\((local|upvalue|field|global|method|constant) '|\[llmspell|llmspell_|\.lua:\d|\blib\.|\[C\]|NoneType|\bdict\b"
    r"|\bstr\b|Traceback|[Pp]ython|attempt to|stack"
)
LONGEST = 1000


@dataclass(frozen=True)
class Tried:
    """One call, and what came of it."""

    name: str
    index: int
    label: str
    how: str
    what: str

    def __str__(self) -> str:
        which = "self" if self.index == 0 else f"#{self.index}"
        return f"{self.name} {which} = {self.label}: {self.how} {self.what[:LONGEST]}"


def alternatives(written: str) -> list[str]:
    """The types of a union, each by its plain name."""
    depth, parts = 0, [""]
    for character in written:
        depth += (character in "({<") - (character in ")}>")
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [plain(part.strip()) for part in parts]


def plain(kind: str) -> str:
    if kind.startswith('"'):
        return "string"
    if kind.startswith("fun("):
        return "function"
    if kind in BY_TYPE or kind in ACCEPTED or kind in METHODS:
        return kind
    return "table"


def right(entry: Documented, parameter: Option) -> str:
    given = RIGHT.get(f"{entry.name}.{parameter.name}")
    return given or BY_TYPE.get(alternatives(parameter.type)[0], "{}")


def accepted(parameter: Option) -> set[str]:
    """The labels of the values that may be given for a parameter."""
    kinds = alternatives(parameter.type)
    if kinds == ["boolean"]:
        return EVERYTHING  # true or not
    labels = set[str]().union(*(ACCEPTED.get(kind, set()) for kind in kinds))
    return labels | ({"nil", "none"} if parameter.optional or parameter.name == "..." else set())


def parameters(entry: Documented) -> list[Option]:
    return [one for one in entry.parameters if one.name != "..." or one.type != "any"]


def called(expression: str) -> str:
    """A function that makes a call as a cell does: by its name, and not as a tail call."""
    return f"function(...) local results = table.pack({expression}) return table.unpack(results, 1, results.n) end"


def case(entry: Documented) -> str:
    """A function as misuse.lua takes it."""
    makers = ", ".join(f"function() return {right(entry, one)} end" for one in parameters(entry))
    how = f"call = {called(f'{entry.name}(...)')}"
    if entry.kind == "method":
        made, name = METHOD_OBJECTS.get(entry.name, OBJECTS[entry.owner]), entry.short_name
        how = f"call = {called(f'({made}):{name}(...)')}"
        if entry.owner not in DOTTED:
            how += f", bare = {called(f'({made}).{name}(...)')}"
    limit = "0.05" if entry.name in SLEEPERS else "nil"
    return f"{{ name = '{entry.name}', limit = {limit}, {how}, parameters = {{ {makers} }} }}"


OTHER_NAME = re.compile(r"The same as `[A-Z]\w*:(\w+)`\.")
"""What the reference says of a method that is another one."""


def named(entry: Documented) -> str:
    """The function's name as messages have it."""
    if entry.kind == "method":
        same = OTHER_NAME.fullmatch(entry.doc)
        name = same.group(1) if same else entry.short_name
        return f"{VARIABLES.get(entry.owner, entry.owner.lower())}:{name}"
    return NAMES.get(entry.name, entry.name)


RESULTS = {
    "number": {"integer", "float"},
    **{kind: {kind} for kind in ("boolean", "function", "integer", "nil", "string")},
}
"""The types of Lua's that stand for those of the reference; all others are tables."""


def returns_what_it_says(entry: Documented, tried: Tried) -> bool:
    """Whether right arguments gave what the reference tells."""
    if tried.how != "returned":
        return tried.how == "failed" or tried.how == "raised object" or tried.name in RAISES
    kinds = tried.what.split()
    for said, kind in zip_longest(entry.returns, kinds, fillvalue=None):
        if said is None:
            return kind == "nil" or any(one.name == "..." or one.type == "any" for one in entry.returns)
        expected = set(alternatives(said.type.removesuffix("?")))
        optional = "?" in said.type or "nil" in expected or said is not entry.returns[0]
        fitting = set[str]().union(*(RESULTS.get(one, {"table"}) for one in expected))
        if "any" not in expected and not (kind in fitting or (optional and kind in (None, "nil"))):
            return False
    return True


def fault(entry: Documented, tried: Tried) -> bool:
    """Whether a call did not end as it should."""
    if tried.how == "late":
        return tried.name not in SLEEPERS
    if tried.how != "returned" and (OURS.search(tried.what) or len(tried.what) > LONGEST):
        return True
    if tried.how == "raised" and not re.match(r"cell \d+:\d+: ", tried.what):
        return True
    if tried.index == -1:
        return not returns_what_it_says(entry, tried)
    if tried.index == 0:
        own = {"Channel": "channel", "Promise": "promise"}.get(entry.owner)
        return tried.label != own and not COLON.fullmatch(tried.what)
    parameter = parameters(entry)[tried.index - 1]
    if tried.label in accepted(parameter):
        return False
    said = BAD_ARGUMENT.fullmatch(tried.what)
    return tried.how != "raised" or said is None or said.groups() != (str(tried.index), named(entry))


OLDER = {
    "Debug": ("dump", "info", "timer"),
    "Event": ("publish", "receive", "subscribe", "unsubscribe"),
    "Hook": ("list", "register", "unregister"),
    "JSON": ("parse", "stringify"),
    "State": ("agent_get", "agent_set", "append", "clear_scope", "exists", "get", "increment", "set"),
    "Utils": ("json_encode", "trim"),
    "async": (
        "crypto.base64url_decode",
        "crypto.hash",
        "debounce",
        "is_array",
        "memoize",
        "throttle",
        "time.duration",
    ),
    "data": ("extract_structured", "from_json", "infer_schema", "transform"),
    "errors": ("chain", "finally", "get_stack_trace", "recover"),
    "events": ("aggregate", "filter", "namespace", "publish"),
    "hooks": ("batch_disable", "get_hook", "register_hook", "set_hook_priority"),
    "log": ("duration", "profile", "time"),
    "state": ("filter", "get", "has", "import", "merge", "set", "transform", "update", "validate"),
    "utils": ("debug_log", "json_decode", "mkdir"),
}
"""Names of older spells, which the reference does not tell of."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def notebook(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Notebook]:
    """A session that lasts for the whole module, with the harness in it."""
    folder = tmp_path_factory.mktemp("misuse")
    places = Places(config=folder / "config.toml", data=folder / "data")
    for name in ("x.lua", "1.lua"):
        folder.joinpath(name).write_text("return {}", "utf-8")
    session = Session(Settings.load(folder, {"LLMSPELL_GRANT_FILES": f"write:{folder}"}, places))
    await session.start()
    opened = Notebook(session)
    harness = Path(__file__).with_name("misuse.lua").read_text("utf-8")
    assert await opened.run(harness) == Succeeded()
    yield opened
    await session.close()


async def tried(notebook: Notebook, entries: list[Documented]) -> list[Tried]:
    return await all_tried(notebook, [case(entry) for entry in entries])


async def all_tried(notebook: Notebook, cases: list[str]) -> list[Tried]:
    code = "try_all({\n" + ",\n".join(cases) + "\n})"
    outcome = await asyncio.wait_for(notebook.run(code), 120)
    assert isinstance(outcome, Succeeded), outcome
    lines = notebook.last.out.splitlines()
    return [Tried(*json.loads(line[1:])) for line in lines if line.startswith("\1")]


@module_loop
@pytest.mark.parametrize("module", [*MODULES, *sorted(OBJECTS)])
async def test_wrong_arguments_are_refused_in_the_words_of_lua(module: str, notebook: Notebook) -> None:
    entries = {
        entry.name: entry
        for entry in ENTRIES
        if entry.is_callable and entry.owner == module and entry.name != "spell.exit"
    }
    made = await tried(notebook, list(entries.values()))
    assert {one.name for one in made} == set(entries)
    assert [str(one) for one in made if fault(entries[one.name], one)] == []


@module_loop
async def test_older_names_tell_nothing_of_what_is_inside_them(notebook: Notebook) -> None:
    cases = [
        f"{{ name = '{module}.{name}', call = {called(f'{module}.{name}(...)')}, "
        f"parameters = {{ function() return {first} end, function() return {first} end }} }}"
        for module, names in OLDER.items()
        for name in names
        for first in ("'x'", "{}", "function() end")
    ]
    made = await all_tried(notebook, cases)
    told = [
        one for one in made if one.how == "raised" and not one.what.startswith("cell 1:")
    ]  # from a hostile value
    inside = [
        one for one in told if OURS.search(re.sub(r"cannot work with these arguments: .*", "", one.what))
    ]
    assert [str(one) for one in inside] == []


REFUSED = {
    "async(5)": "bad argument #1 to 'async' (function expected, got number)",
    "json.parse(5)": "bad argument #1 to 'json.parse' (string expected, got number)",
    "json.stringify(print)": "'json.stringify': value: a function cannot be written as JSON",
    "promise.all(promise.resolve(1))": "bad argument #1 to 'promise.all' (table expected, got Promise)",
    "channel.make().receive()": "call receive with a colon: channel:receive(…)",
    "data.sort_by({ 1, 'a' }, function(x) return x end)": "bad argument #2 to 'data.sort_by' "
    "(it gives a number and a string, which cannot be compared)",
    "data.from_entries({ 1 })": "bad argument #1 to 'data.from_entries' "
    "(list of { key, value } expected, one is a number)",
    "data.to_yaml(coroutine.create(print))": "bad argument #1 to 'data.to_yaml' (a coroutine cannot cross)",
    "http.encode({ a = { b = 1 } })": "'http.encode': the parameter 'a' is neither a plain value nor a list of such",
    "http.response({ status = 'x' })": "bad option 'status' to 'http.response' (integer expected, got string)",
    "observability.histogram('h'):time(5)": "bad argument #1 to 'histogram:time' (function expected, got number)",
    "observability.counter('c').add({})": "bad argument #1 to 'counter:add' (number expected, got table)",
    "observability.gauge('g'):decrease('x')": "bad argument #1 to 'gauge:decrease' (number expected, got string)",
    "spell.run('')": "bad argument #1 to 'spell.run' (the path is empty)",
    "testing.expect('x'):to_match('(')": "bad argument #1 to 'expect:to_match' (unfinished capture)",
    "storage.read(('x'):rep(5000))": "a path has at most 4,096 characters, not 5,000",
}


@module_loop
@pytest.mark.parametrize("call", REFUSED)
async def test_what_would_have_no_meaning_is_refused(call: str, notebook: Notebook) -> None:
    told = await notebook.value(f"print(select(2, pcall(function() local r = {call} return r end)))")
    assert told is None
    assert notebook.last.out == f"cell {notebook.count}:1: {REFUSED[call]}\n"


@module_loop
async def test_what_can_be_called_is_as_good_as_a_function(notebook: Notebook) -> None:
    await notebook.value(
        "local m = testing.mock():returns(7) events.on('told', m) events.emit('told', 1) "
        "print(async(m):await(), promise.resolve(1):next(m):await(), data.map({ 1 }, m)[1], hooks.run('p', m), m.count)"
    )
    assert notebook.last.out == "7\t7\t7\t7\t5\n"


@module_loop
async def test_a_timer_of_a_thousand_years_does_not_end_the_engine(notebook: Notebook) -> None:
    await notebook.value(
        "far = { channel.after(math.huge), promise.sleep(1e308), events.wait_for('far', 1e30) };"
    )
    assert await notebook.value("#far") == "3"


HOSTILE_ERRORS = {
    "errors.catch(error, H)": "nil",
    "errors.from(H).message": "an error that cannot be shown",
    "errors.aggregate({ H }).message": "1 error: an error that cannot be shown",
    "select(2, promise.any({ async(error, H) }):await()).message": "all failed: an error that cannot be shown",
    "guardrails.check('x', { check = function() error(H) end }).ok": "false",
    "rawequal(select(2, pcall(observability.with_span, 's', function() error(H) end)), H)": "true",
    "(events.new():on('x', function() error(H) end):emit('x'))": "true",
}


@module_loop
@pytest.mark.parametrize("call", HOSTILE_ERRORS)
async def test_an_error_that_cannot_be_told_is_an_error_all_the_same(call: str, notebook: Notebook) -> None:
    await notebook.value("H = setmetatable({}, { __tostring = function() error('no') end })")
    await notebook.value(f"print(({call}))")
    assert notebook.last.out == f"{HOSTILE_ERRORS[call]}\n"
