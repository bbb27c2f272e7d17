"""spell.run: other spells as programs of their own, inside the bounds of the one that runs them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from llm.scripted_server import ScriptedServer, text

from llmspell_kernel.session.outcome import Failed, Interrupted, Succeeded

if TYPE_CHECKING:
    from .conftest import Notebook, Open

SPELLS = {
    "greet.lua": "spell.init({params = {who = {type = 'string', required = true}}})\n"
    "print('greeting ' .. params.who)\nreturn {text = 'Hello ' .. spell.params('who'), n = 1, f = 1.0}\n",
    "spells/named.lua": "spell.output('first'); spell.output(2, 'second')\nlocal unseen = 1",
    "spells/folder/main.lua": "return spell.info().name",
    "bad.lua": "local function inner(x)\n  return x.y.z\nend\nreturn inner({}) .. ''\n",
    "coded.lua": "error(errors.new('no_room', 'the room is full'))",
    "syntax.lua": "return return",
    "exits.lua": "spell.output(1) spell.exit(params.code, 'ending') error('never')",
    "loop.lua": "while true do end",
    "waits.lua": "storage.write('began', 'x') async.sleep(60)",
    "hungry.lua": "local t = {} while true do t[#t + 1] = ('x'):rep(1 << 20) end",
    "itself.lua": "local r, err = spell.run('itself', {depth = (params.depth or 0) + 1})\n"
    "return r or {depth = params.depth or 0, err = tostring(err)}\n",
    "globals.lua": "seen = tostring(mine) mine = 'changed' string.mine = 1 return seen",
    "gives_function.lua": "return {deep = {print}}",
    "grants.lua": "return {grants.has('files', 'write:.'), grants.has('files', 'read:.'), grants.has('env', 'HOME')}",
    "floods.lua": "for i = 1, 100 do print(('x'):rep(1000)) end",
    "shebang.lua": "#!/usr/bin/env llmspell\nerror('line two')",
    "asks.lua": "return llm.chat('hello')",
    "binary.lua": "\udcff",
}


@pytest.fixture
async def cell(open_notebook: Open, tmp_path: Path) -> Notebook:
    for name, source in SPELLS.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(source.encode("utf-8", "surrogateescape"))
    return await open_notebook(grant_files="write:.", grant_env="HOME", output_limit="50000")


async def shown(cell: Notebook, code: str) -> str:
    await cell.value(code)
    return cell.last.out


async def test_a_spell_gets_parameters_and_gives_what_it_returns_or_its_outputs(cell: Notebook) -> None:
    code = "local r = spell.run('greet.lua', {who = 'Ada'}) print(r.text, math.type(r.n), math.type(r.f))"
    assert await shown(cell, code) == "greeting Ada\nHello Ada\tinteger\tfloat\n"
    code = "local r = assert(spell.run('named')) print(r[1], r.second, next(r, next(r, (next(r)))))"
    assert await shown(cell, code) == "first\t2\tnil\n"
    assert [bundle["text/plain"] for bundle, _, _ in cell.last.shown] == ['"first"', "2"]
    assert await shown(cell, "print(spell.run('folder'))") == "folder\n"


async def test_a_spell_shares_no_variable_with_who_runs_it(cell: Notebook) -> None:
    code = "mine = 'mine' print(spell.run('globals.lua'), spell.run('globals.lua'), mine, seen, string.mine)"
    assert await shown(cell, code) == "nil\tnil\tmine\tnil\tnil\n"


async def test_a_failure_is_a_result_that_tells_where(cell: Notebook) -> None:
    code = "local r, err = spell.run('bad.lua') print(r, err, err.code, err.exit_code) print(err.traceback)"
    first, *traceback = (await shown(cell, code)).splitlines()
    assert first == "nil\tbad.lua:2: attempt to index a nil value (field 'y')\tspell_failed\t1"
    assert any("return x.y.z" in line for line in traceback)
    assert any(line.startswith("  bad.lua:4 in main chunk") for line in traceback)
    assert "\x1b" not in "".join(traceback)
    code = "local _, err = spell.run('coded.lua') print(err.code, err)"
    assert await shown(cell, code) == "no_room\tcoded.lua:1: the room is full\n"
    code = "local _, err = spell.run('syntax.lua') print(err)"
    assert (await shown(cell, code)).startswith("syntax.lua:1: ")
    assert "shebang.lua:2: line two" in await shown(cell, "print(spell.run('shebang.lua'))")
    outcome = await cell.run("assert(spell.run('bad.lua'))")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == "bad.lua:2: attempt to index a nil value (field 'y')"


async def test_an_exit_ends_the_spell_and_not_the_cell(cell: Notebook) -> None:
    code = "local r, err = spell.run('exits.lua', {code = 3}) print(r, err, err.code, err.exit_code)"
    assert await shown(cell, code) == "nil\texits.lua ended with the exit code 3\texit\t3\n"
    assert cell.last.err == "ending\n"
    assert await shown(cell, "print(spell.run('exits.lua', {code = 0})[1])") == "ending\n1\n"


async def test_its_limits_end_the_spell_and_not_the_session(open_notebook: Open, cell: Notebook) -> None:
    code = "x = 1 local r, err = spell.run('loop.lua', {}, {timeout = 0.3}) print(r, err.code)"
    assert await shown(cell, code) == "nil\ttime_limit\n"
    small = await open_notebook(grant_files="write:.", memory_limit="160MB")
    assert await shown(small, "local r, err = spell.run('hungry.lua') print(r, err)") == (
        "nil\thungry.lua: not enough memory: memory limit reached (160 MB)\n"
    )
    assert await shown(cell, "print(x)") == "1\n"


async def test_what_it_writes_counts_as_the_cells(cell: Notebook) -> None:
    await cell.value("spell.run('floods.lua')")
    assert len(cell.last.out) == 50000
    assert "output limit" in cell.last.err


def processes() -> int:
    """How many children this process has."""
    return sum(len(path.read_text().split()) for path in Path("/proc/self/task").glob("*/children"))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts processes in /proc")
async def test_an_interrupt_of_the_cell_ends_the_spell(cell: Notebook) -> None:
    assert await shown(cell, "print(spell.run('folder'))") == "folder\n"
    before = processes()
    for name in ("waits", "loop"):
        task = asyncio.create_task(cell.run(f"spell.run('{name}.lua')"))
        await asyncio.sleep(0.4)
        cell.session.interrupt()
        assert isinstance(await asyncio.wait_for(task, 20), Interrupted)
    deadline = time.monotonic() + 10
    while processes() > before + 2 and time.monotonic() < deadline:  # two cells: as many checkpoints
        await asyncio.sleep(0.05)
    assert processes() <= before + 2
    assert await shown(cell, "print(spell.run('folder'))") == "folder\n"


async def test_it_may_do_what_the_cell_may_do_now_and_less_if_told(cell: Notebook) -> None:
    code = "local function may(o) return table.concat(list(spell.run('grants.lua', {}, o)), ' ') end "
    code = "function list(t) for i, v in ipairs(t) do t[i] = tostring(v) end return t end " + code
    code += "print(may()) print(may({grants = {files = {'read:.'}}})) print(may({grants = {env = {}}})) print(may())"
    assert await shown(cell, code) == "true true true\nfalse true true\ntrue true false\ntrue true true\n"
    await cell.value("grants.drop('env')")
    assert await shown(cell, "print(may and 1, table.concat(list(spell.run('grants.lua')), ' '))") == (
        "1\ttrue true false\n"
    )


async def test_a_spell_that_runs_itself_ends_soon(cell: Notebook) -> None:
    code = "local r = spell.run('itself') print(r.depth, r.err)"
    assert await shown(cell, code) == (
        "2\titself.lua:1: spell.run: more than 4 spells inside each other; does one run itself?\n"
    )


async def test_a_spell_that_returns_nil_and_an_error_has_failed(cell: Notebook, tmp_path: Path) -> None:
    (tmp_path / "refused.lua").write_text("return nil, errors.new('closed', 'the shop is closed')")
    code = "local r, err = spell.run('refused.lua') print(r, err.code, err)"
    assert await shown(cell, code) == "nil\tclosed\trefused.lua: the shop is closed\n"


async def test_many_run_at_once_and_wait_for_their_turn(cell: Notebook) -> None:
    code = """
    local who = {}
    for i = 1, 9 do who[i] = 'n' .. i end
    local results = async.map(who, function(w) return spell.run('greet', {who = w}).text end)
    print(#results, results[9])
    """
    assert (await shown(cell, code)).splitlines()[-1] == "9\tHello n9"


async def test_its_questions_to_models_are_booked_on_the_cell(open_notebook: Open, cell: Notebook) -> None:
    with ScriptedServer() as server:
        server.script(text("good day"))
        asking = await open_notebook(grant_files="read:.", OPENAI_BASE_URL=server.base_url)
        await asking.value("x = 1")
        assert (await shown(asking, "print(spell.run('asks'))")).endswith("good day\n")
        assert [used.label for used in asking.session.models.ledger.calls] == ["cell 2"]
        assert (await shown(asking, "print(spell.run('asks'))")).endswith("good day\n")  # not closed with it
        code = "local r, err = spell.run('asks', {}, {grants = {providers = {}}}) print(r, err.code)"
        assert await shown(asking, code) == "nil\tmissing_grant\n"
        assert [asked.method for asked in server.requests] == ["GET", "POST", "POST"]


async def test_mistakes_are_told(cell: Notebook) -> None:
    mistakes = {
        "spell.run()": "bad argument #1 to 'spell.run' (string expected, got no value)",
        "spell.run('greet', 'Ada')": "bad argument #2 to 'spell.run' (table expected, got string)",
        "spell.run('greet', {who = {print}})": "params.who[1]: a function cannot go to another spell",
        "spell.run('greet', {}, {grants = {file = {}}})": "no such kind of grant: 'file'",
        "spell.run('greet', {}, {grants = {files = 'read:.'}})": "'files' must be a list of strings",
        "spell.run('greet', {}, {timeout = -1})": "bad option 'timeout'",
        "assert(spell.run('nothing'))": "there is no spell 'nothing' in the notebook's folder (looked for nothing.lua",
        "assert(spell.run('gives_function.lua'))": "gives_function.lua cannot be passed on",
        "assert(spell.run('greet'))": "the parameter 'who' is missing",
        "assert(spell.run('binary.lua'))": "is not a text file",
        "spell.run('../greet')": "not granted",
    }
    for code, message in mistakes.items():
        outcome = await cell.run(code)
        assert isinstance(outcome, Failed), code
        assert message in outcome.problem.evalue, (code, outcome.problem.evalue)
    assert isinstance(await cell.run("spell.run('greet', {who = 'Ada'}, {timout = 3})"), Succeeded)
    assert "did you mean 'timeout'?" in cell.last.err
