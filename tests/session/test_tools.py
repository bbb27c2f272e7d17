"""`tools` from a cell: the registry, the checks, the tools that are built in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.session.outcome import Failed

if TYPE_CHECKING:
    from .conftest import Notebook

_PARAMETERS = "{type = 'object', properties = {n = {type = 'number'}}, required = {'n'}}"


@pytest.mark.parametrize(
    "code",
    [
        f"tools.register('double', 'Doubles', {_PARAMETERS}, function(a) return 2 * a.n end)",
        f"tools.register{{name = 'double', parameters = {_PARAMETERS}, execute = function(a) return 2 * a.n end}}",
        "tools.register('double', {parameters = {n = {type = 'number'}}, execute = function(a) return 2 * a.n end})",
        "tools.register('double', function(a) return 2 * a.n end)",
        "tools.define{name = 'double', handler = function(a) return 2 * a.n end}",
    ],
)
async def test_every_shape_of_registration(notebook: Notebook, code: str) -> None:
    await notebook.value(code + ";")
    assert await notebook.value("tools.execute('double', {n = 21})") == "42"
    assert (
        await notebook.value("tools.get('double').execute({n = 4}), tools.get_info('double').builtin")
        == "8\tfalse"
    )
    assert await notebook.value("tools.remove('double'), tools.get('double')") == "true\tnil"


async def test_arguments_are_checked(notebook: Notebook) -> None:
    code = f"tools.register('double', 'Doubles', {_PARAMETERS}, function(a) return 2 * a.n end);"
    await notebook.value(code)
    shown = str(await notebook.value("tools.execute('double', {n = 'x'})"))
    assert shown.startswith("nil")
    assert "wrong arguments for double: n:" in shown
    assert await notebook.value("tools.validate('double', {n = 1})") == "true"
    assert await notebook.value("(tools.validate('double', {}))") == "false"
    assert "no tool 'nothing'" in str(await notebook.value("tools.execute('nothing')"))


async def test_a_schema_that_is_none_raises(notebook: Notebook) -> None:
    code = "pcall(tools.register, 'bad', '', {type = 'nonsense'}, print)"
    assert "is not a JSON Schema" in str(await notebook.value(code))


async def test_execute_safe_never_raises(notebook: Notebook) -> None:
    await notebook.value("tools.register('broken', function() error('oh') end);")
    code = "local r = tools.execute_safe('broken') return r.success, r.error"
    assert "oh" in str(await notebook.value(code))
    code = "local m = tools.get_metrics('broken') return m.calls, m.errors, tools.get_history(1)[1].success"
    assert await notebook.value(code) == "1\t1\tfalse"


async def test_pipelines_and_compositions(notebook: Notebook) -> None:
    code = (
        "tools.pipeline({{tool = 'calculator', params = {expression = '6*7'}}, function(n) return n + 1 end})"
    )
    assert await notebook.value(code) == "43"
    assert await notebook.value("tools.compose('calculator', tostring){expression = '1+1'}") == '"2"'
    assert str(await notebook.value("tools.pipeline({'nothing', 'calculator'}, {})")).startswith("nil")


async def test_tools_run_side_by_side(notebook: Notebook) -> None:
    await notebook.value("tools.register('slow', function(a) async.sleep(0.2) return a.n end);")
    code = """
    local calls = {{tool = 'slow', params = {n = 1}}, {tool = 'slow', params = {n = 2}}, {tool = 'no'}}
    local r = tools.parallel_execute(calls)
    return r[1].result, r[2].result, r[3].success"""
    assert await notebook.value(code) == "1\t2\tfalse"


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        ("tools.calculator{expression = '2^10 + sqrt(16)'}", "1028.0"),
        ("tools.calculator('7 // 2')", "3"),
        ("tools.datetime_format{time = 0, format = '%Y-%m-%d'}", '"1970-01-01"'),
        ("tools.datetime_parse('1970-01-02')", "86400.0"),
        ("tools.json_parse('[1, 2]')[2]", "2"),
        ("#tools.json_stringify{value = {a = 1}}", "8"),
        ("#tools.datetime_now() > 18", "true"),
        ("tools.names()[1], tools.list()[1].name", '"calculator"\t"calculator"'),
    ],
)
async def test_built_in_tools(notebook: Notebook, call: str, shown: str) -> None:
    assert await notebook.value(call) == shown


@pytest.mark.parametrize("text", ["__import__('os')", "9^9^9^9", "1/0", "(-1)^0.5", "1 +", "'a' * 99", "x"])
async def test_the_calculator_only_calculates(notebook: Notebook, text: str) -> None:
    assert str(await notebook.value(f'local v, e = tools.calculator("{text}") return v, e.code')).startswith(
        'nil\t"bad_expression"'
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot calculate: there is nothing in it"),
        ("2 +", "cannot calculate: '2 +' is not arithmetic"),
        ("sqrt(-1)", "cannot calculate: sqrt(-1) has no value"),
        ("sqrt(1, 2)", "cannot calculate: sqrt does not take 2 numbers of this kind"),
        ("1e400", "cannot calculate: the number is too large"),
        ("exp(10000)", "cannot calculate: the number is too large"),
    ],
)
async def test_the_calculator_says_what_it_cannot(notebook: Notebook, text: str, said: str) -> None:
    assert await notebook.value(f'select(2, tools.calculator("{text}")).message') == f'"{said}"'


async def test_history_is_told_of_one_tool(notebook: Notebook) -> None:
    code = """
    tools.register('a', function() return 1 end) tools.register('b', function() return 2 end)
    for _, name in ipairs{'a', 'b', 'a'} do tools.execute(name) end
    return #tools.get_history('a'), #tools.get_history('a', 1), #tools.get_history(2), tools.get_history(1)[1].tool"""
    assert await notebook.value(code) == '2\t1\t2\t"a"'


@pytest.mark.parametrize(
    ("value", "said"), [("0/0", "not JSON compliant"), ("{print}", "JSON has no function")]
)
async def test_what_is_no_json_is_not_written(notebook: Notebook, value: str, said: str) -> None:
    outcome = await notebook.run(f"tools.json_stringify{{value = {value}}}")
    assert isinstance(outcome, Failed)
    assert said in outcome.problem.evalue
