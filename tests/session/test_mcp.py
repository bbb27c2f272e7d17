"""Tools of other programs: a real MCP server and one of our own that misbehaves, from a cell."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from llmspell_kernel.config import Places, Settings
from llmspell_kernel.session.outcome import Failed, Interrupted
from llmspell_kernel.session.session import Session

from .conftest import Notebook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVER = '''
import asyncio, os, sys
from pathlib import Path
from mcp.server import MCPServer

server = MCPServer("odd")
Path(__file__).with_suffix(".pid").write_text(str(os.getpid()))

@server.tool()
async def slow(seconds: float) -> str:
    """Takes its time."""
    try:
        await asyncio.sleep(seconds)
    except BaseException:
        Path(__file__).with_suffix(".cancelled").write_text("yes")
        raise
    return "done"

both = asyncio.Barrier(2)

@server.tool()
async def meet() -> str:
    """Answers two calls that are there at the same time."""
    async with asyncio.timeout(20):
        await both.wait()
    return "met"

@server.tool()
def environment() -> list[str]:
    """Tells the names of its variables."""
    return sorted(os.environ)

@server.tool()
def die() -> str:
    """Ends at once."""
    os._exit(3)

@server.tool()
def plain(n: int):
    """Answers without structure."""
    return f"{n} apples"

server.run()
'''


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def notebook(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Notebook]:
    folder = tmp_path_factory.mktemp("mcp")
    (folder / "odd.py").write_text(SERVER)
    (folder / "config.toml").write_text(
        textwrap.dedent(f"""
        [grants]
        mcp = ["time", "odd", "missing", "silent"]
        [mcp.time]
        command = "{sys.executable}"
        args = ["-m", "mcp_server_time"]
        [mcp.odd]
        command = "{sys.executable}"
        args = ["{folder / "odd.py"}"]
        env = {{ OWN_TOKEN = "token-of-the-odd-server" }}
        [mcp.missing]
        command = "no-such-program-anywhere"
        [mcp.silent]
        command = "{sys.executable}"
        args = ["-c", "import os, sys; sys.exit('cannot work with ' + os.environ['KEY'])"]
        env = {{ KEY = "hidden-value-of-the-key" }}
        [mcp.refused]
        command = "{sys.executable}"
        """)
    )
    places = Places(config=folder / "config.toml", data=folder / "data")
    environ = {**os.environ, "OPENAI_API_KEY": "sk-key-of-the-person", "LLMSPELL_RECORD": "off"}
    session = Session(Settings.load(folder, environ, places))
    await session.start()
    yield Notebook(session)
    await session.close()
    assert not _alive(folder), "a server outlived the session"


def _alive(folder: Path) -> bool:
    try:
        os.kill(int((folder / "odd.pid").read_text()), 0)
    except (ProcessLookupError, FileNotFoundError):
        return False
    return True


async def test_a_real_server_tells_the_time(notebook: Notebook) -> None:
    code = (
        "local t = tools.execute('time.get_current_time', {timezone = 'UTC'}) return t.timezone, #t.datetime"
    )
    shown = await notebook.value(code)
    assert shown == '"UTC"\t25'
    wanted = "{source_timezone = 'UTC', time = '12:00', target_timezone = 'Asia/Tokyo'}"
    code = f"mcp.call('time', 'convert_time', {wanted}).target.datetime"
    assert "T21:00:00" in str(await notebook.value(code))


async def test_its_tools_are_listed_described_and_checked(notebook: Notebook) -> None:
    code = """
    local names = table.concat(tools.names(), ' ')
    local info = tools.get_info('time.get_current_time')
    local ok, err = tools.validate('time.get_current_time', {timezone = 1})
    print(names:find('time.convert_time', 1, true) ~= nil, info.parameters.required[1], info.builtin, ok)
    return tostring(err)"""
    shown = str(await notebook.value(code))
    assert notebook.last.out == "true\ttimezone\tfalse\tfalse\n"
    assert "wrong arguments for time.get_current_time: timezone:" in shown
    assert "the MCP server 'missing' could not be started" in notebook.last.err


async def test_agents_are_given_its_tools(notebook: Notebook) -> None:
    code = "agent.create{tools = {'time.get_current_time', table.unpack(mcp.tools('odd'))}}:get_tools()"
    names = str(await notebook.value(f"table.concat({code}, ' ')"))
    assert "time.get_current_time" in names
    assert "odd.slow" in names


async def test_what_a_tool_or_server_does_not_know_is_told(notebook: Notebook) -> None:
    code = "local r, e = {} return r, e.code, tostring(e)"
    unknown_zone = await notebook.value(
        code.format("tools.execute('time.get_current_time', {timezone = 'Nowhere'})")
    )
    assert "tool_failed" in str(unknown_zone)
    assert "Nowhere" in str(unknown_zone)
    unknown_tool = await notebook.value(code.format("mcp.call('time', 'tell')"))
    assert "has no tool 'tell'" in str(unknown_tool)
    assert "not_found" in str(await notebook.value(code.format("mcp.call('nobody', 'x')")))
    assert "no tool 'nobody.x'" in str(await notebook.value(code.format("tools.execute('nobody.x')")))


async def test_a_server_that_does_not_start_says_why_and_hides_its_secrets(notebook: Notebook) -> None:
    code = "local r, e = {} return r, e.code, tostring(e), e.suggestion"
    missing = str(await notebook.value(code.format("mcp.call('missing', 'x')")))
    assert "there is no program 'no-such-program-anywhere'" in missing
    assert "[mcp.missing]" in missing
    silent = str(await notebook.value(code.format("mcp.tools('silent')")))
    assert "cannot work with [secret]" in silent
    assert "hidden-value" not in silent
    assert "run it by hand" in silent


async def test_a_server_that_is_not_granted_is_refused(notebook: Notebook) -> None:
    for call in ("mcp.call('refused', 'x')", "tools.execute('refused.x')"):
        outcome = await notebook.run(call)
        assert isinstance(outcome, Failed)
        assert "the MCP server refused is not granted" in outcome.problem.evalue


async def test_it_gets_its_own_variables_and_none_of_the_kernels_keys(notebook: Notebook) -> None:
    names = str(await notebook.value("table.concat(mcp.call('odd', 'environment'), ' ')"))
    assert "OWN_TOKEN" in names
    assert "OPENAI_API_KEY" not in names
    assert "LLMSPELL_RECORD" not in names


async def test_text_is_a_string(notebook: Notebook) -> None:
    assert await notebook.value("mcp.call('odd', 'plain', {n = 3})") == '"3 apples"'


async def test_calls_run_side_by_side_and_time_out(notebook: Notebook) -> None:
    await notebook.value("mcp.tools('odd');")
    code = """
    local one, two = async(mcp.call, 'odd', 'meet'), async(mcp.call, 'odd', 'meet')
    return one:await(), two:await()"""
    assert await notebook.value(code) == '"met"\t"met"'
    code = "local r, e = mcp.call('odd', 'slow', {seconds = 60}, {timeout = 0.2}) return r, e.code"
    assert await notebook.value(code) == 'nil\t"timeout"'


async def test_an_interrupt_cancels_the_call_on_the_server_too(notebook: Notebook) -> None:
    mark = notebook.session.settings.folder / "odd.cancelled"
    mark.unlink(missing_ok=True)
    await notebook.value("mcp.tools('odd');")
    cell = asyncio.ensure_future(notebook.run("mcp.call('odd', 'slow', {seconds = 60})"))
    await asyncio.sleep(0.3)
    notebook.session.interrupt()
    assert isinstance(await cell, Interrupted)
    assert await _until(mark.exists)


async def test_a_server_that_ended_is_started_again(notebook: Notebook) -> None:
    shown = await notebook.value("local r, e = mcp.call('odd', 'die') return r, e.code, e.retryable")
    assert shown == 'nil\t"mcp_ended"\ttrue'
    assert await notebook.value("mcp.call('odd', 'plain', {n = 1})") == '"1 apples"'


async def test_servers_are_listed_stopped_and_end_at_a_reset(notebook: Notebook) -> None:
    folder = notebook.session.settings.folder
    await notebook.value("mcp.tools('odd');")
    shown = str(await notebook.value("local s = mcp.servers()[2] return s.name, s.running, s.granted"))
    assert shown == '"odd"\ttrue\ttrue'
    assert await notebook.value("mcp.stop('odd'), mcp.stop('odd')") == "true\tfalse"
    assert not _alive(folder)
    await notebook.value("mcp.tools('odd');")
    assert _alive(folder)
    await notebook.session.reset()
    assert not _alive(folder)


async def _until(condition: Any) -> bool:
    for _ in range(100):
        if condition():
            return True
        await asyncio.sleep(0.05)
    return False
