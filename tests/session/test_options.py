"""Tables of options, wherever a function takes one: a wrong type raises, a name that is not known is told once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.bridges.reference import reference
from llmspell_kernel.bridges.registry import installed_bridges
from llmspell_kernel.session.outcome import Failed

if TYPE_CHECKING:
    from llmspell_kernel.language.documentation import Option

    from .conftest import Notebook, Open

CALLS = {
    "async.map": ("async.map({}, print, {OPTION})", "limt = 2", "limit", "limit = 'x'"),
    "parallel.map": ("parallel.map({}, print, {OPTION})", "worker = 2", "workers", "workers = {}"),
    "parallel.run": ("parallel.run({}, {OPTION})", "chunks = 2", "chunk", "errors = 1"),
    "state.create": ("state.create('s', {OPTION})", "persistant = true", "persistent", "persistent = 'yes'"),
    "json.encode": ("json.encode({}, {OPTION})", "indnet = 2", "indent", "indent = {}"),
    "errors.new": ("errors.new('c', 'm', {OPTION})", "sugestion = 'x'", "suggestion", "retryable = 1"),
    "errors.retry": ("errors.retry(tostring, {OPTION})", "time = 2", "times", "backoff = 'x'"),
    "errors.circuit_breaker": (
        "errors.circuit_breaker(print, {OPTION})",
        "treshold = 2",
        "threshold",
        "reset = '1'",
    ),
    "testing.describe": ("testing.describe('x', type, {OPTION})", "skp = true", None, "skip = 1"),
    "testing.it": ("testing.it('x', io.write, {OPTION})", "time_out = 2", "timeout", "timeout = '1'"),
    "testing.run": ("testing.run({OPTION})", "raises = false", "raise", "raise = 0"),
    "log.configure": ("log.configure({OPTION})", "levels = 'info'", "level", "time = 1"),
    "observability.counter": ("observability.counter('c', {OPTION})", "units = 's'", "unit", "unit = 1"),
    "display.table": ("display.table({}, {OPTION})", "colums = {}", "columns", "columns = 'a'"),
    "plot.line": ("plot.line({1, 2}, {OPTION})", "titel = 'x'", "title", "title = {}"),
    "plot.hist": ("plot.hist({1, 2}, {OPTION})", "bin = 3", "bins", "width = '3'"),
    "spell.params": ("spell.params('p', {OPTION})", "requird = true", "required", "required = 'no'"),
    "spell.init": ("spell.init({OPTION})", "descripton = 'x'", "description", "params = 1"),
    "spell.run": ("spell.run('nothing', {}, {OPTION})", "timout = 2", "timeout", "timeout = 'x'"),
    "data.parse_csv": ("data.parse_csv('a', {OPTION})", "delimeter = ';'", "delimiter", "header = 1"),
    "data.to_csv": ("data.to_csv({}, {OPTION})", "column = {}", "columns", "quote = {}"),
    "data.parse_yaml": ("data.parse_yaml('a', {OPTION})", "every = true", None, "all = 1"),
    "data.to_yaml": ("data.to_yaml({}, {OPTION})", "flwo = true", "flow", "flow = 'x'"),
    "data.parse_xml": (
        "data.parse_xml('<a/>', {OPTION})",
        "whitspace = true",
        "whitespace",
        "whitespace = 0",
    ),
    "data.to_xml": ("data.to_xml({tag = 'a'}, {OPTION})", "ident = 2", "indent", "indent = 'x'"),
    "http.request": (
        "http.request({url = 'http://127.0.0.1/', OPTION})",
        "header = {}",
        "headers",
        "headers = 1",
    ),
    "memory.add": ("memory.add('x', {vectors = false, OPTION})", "metdata = {}", "metadata", "metadata = 5"),
    "memory.search": ("memory.search('x', {OPTION})", "limt = 1", "limit", "k = 'x'"),
    "memory.list": ("memory.list({OPTION})", "limt = 1", "limit", "limit = 'x'"),
    "memory.forget": ("memory.forget('x', {OPTION})", "colection = 'c'", "collection", "scope = {}"),
    "rag.context": ("rag.context('x', {OPTION})", "limt = 1", "limit", "k = 'x'"),
    "agent.collaborate": (
        "agent.collaborate({'a'}, 'x', {OPTION})",
        "share_contxt = true",
        "share_context",
        "share_context = 1",
    ),
    "agent.tool_chain": (
        "agent.tool_chain({}, 1, {OPTION})",
        "stop_on_errors = true",
        "stop_on_error",
        "stop_on_error = 1",
    ),
    "agent.conversation": (
        "agent.conversation({}, 'x', {OPTION})",
        "round = 1",
        "rounds",
        "rounds = 'x'",
    ),
    "auth.api_key": ("auth.api_key('K', {OPTION})", "haeder = 'x'", "header", "query = {}"),
    "auth.oauth2": (
        "auth.oauth2({token_url = 'u', client_id = 'i', secret = 's', OPTION})",
        "scopes = 'x'",
        "scope",
        "audience = {}",
    ),
    "agent.create": ("agent.create('a', {OPTION})", "sytem = 'x'", "system", "system = {}"),
    "tools.register": (
        "tools.register({name = 't', execute = print, OPTION})",
        "descripton = 'x'",
        "description",
        "parameters = 1",
    ),
    "add_step": (
        "workflow.sequential('w'):add_step({fn = print, OPTION})",
        "on_eror = 'x'",
        "on_error",
        "timeout = 'x'",
    ),
    "widgets.form": ("widgets.form({}, {OPTION})", "titel = 'x'", "title", "submit = 1"),
    "interact": ("interact(print, {}, {OPTION})", "manul = true", "manual", "manual = 1"),
}


async def test_an_option_that_is_not_known_is_told_once_with_the_nearest(open_notebook: Open) -> None:
    """In a variable too, which no look at the source finds."""
    cell = await open_notebook(diagnostics="false")
    for name, (call, wrong, near, _) in CALLS.items():
        await cell.run(f"for _ = 1, 2 do pcall(function() {call.replace('OPTION', wrong)} end) end")
        told = f"warning: '{name}' has no option '{wrong.partition(' ')[0]}'"
        assert cell.last.err.count(told) == 1, (name, cell.last.err)
        hint = f": did you mean '{near}'?\n" if near else " (it takes "
        assert told + hint in cell.last.err, cell.last.err


async def test_very_many_wrong_names_are_told_in_few_words(open_notebook: Open) -> None:
    """They flood neither the notebook nor the kernel."""
    cell = await open_notebook()
    await cell.value("many = {} for i = 1, 1e5 do many['k' .. i] = 1 end many[('x'):rep(1e6)] = 1")
    for call in ("json.encode({}, many)", "data.to_yaml({}, many)", "errors.new('c', 'm', many)"):
        await cell.value(f"for _ = 1, 5 do local _ = {call} end")
        assert len(cell.last.err) < 3000, call
    await cell.value("for i = 1, 1e5 do json.encode({}, {['other' .. i] = 1}) end")
    assert cell.last.err.count("has no option") <= 20
    await cell.value("for i = 1, 3000 do data.to_yaml({}, {['other' .. i] = 1}) end")
    assert cell.last.err.count("has no option") < 1000


async def test_an_option_of_a_wrong_type_raises(open_notebook: Open) -> None:
    cell = await open_notebook()
    for name, (call, _, _, wrong) in CALLS.items():
        outcome = await cell.run(call.replace("OPTION", wrong))
        assert isinstance(outcome, Failed), name
        key = wrong.partition(" ")[0]
        assert outcome.problem.evalue.startswith(f"bad option '{key}' to '{name}' ("), outcome.problem
        assert " expected, got " in outcome.problem.evalue, outcome.problem
        assert outcome.problem.place, name


@pytest.mark.parametrize("name", ["chat", "generate", "generate_message", "quick_prompt", "complete"])
async def test_a_question_is_refused_by_the_name_that_asked_it(notebook: Notebook, name: str) -> None:
    outcome = await notebook.run(f"llm.{name}('hi', {{temperature = 'hot'}})")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == f"bad option 'temperature' to 'llm.{name}' (number expected, got string)"


VALUES = {"string": "'x'", "number": "1", "integer": "1", "boolean": "true", "any": "1"}


def value_for(option: Option) -> str:
    """A value that the reference says the option may have."""
    kind = option.type.partition("|")[0]
    if kind.startswith('"'):
        return kind
    return "print" if kind.startswith("fun") else VALUES.get(kind, "{}")


async def test_every_option_of_the_reference_is_taken(open_notebook: Open) -> None:
    cell = await open_notebook()
    documented = {entry.name: entry for entry in reference(installed_bridges())}
    checked = 0
    for name, (call, *_) in CALLS.items():
        tables = [one.options for one in getattr(documented.get(name), "parameters", ()) if one.options]
        for option in tables[-1] if tables else ():
            await cell.run(call.replace("OPTION", f"{option.name} = {value_for(option)}"))
            assert "has no option" not in cell.last.err, (name, cell.last.err)
            checked += 1
    assert checked > 80
