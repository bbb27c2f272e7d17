"""`io` and `os` of granted folders and variables, from a cell."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Notebook, Open


@pytest.fixture
async def cell(open_notebook: Open, tmp_path: Path) -> Notebook:
    """A notebook that may write to `out` and read `in`, beside it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "text").write_bytes(b"first\nsecond\r\n\nlast")
    return await open_notebook(grant_files="read:in,write:out", grant_env="SHOWN", SHOWN="value", HIDDEN="no")


PROGRAM = r"""
local function says(expected, ...)
  local got = table.pack(...)
  for index = 1, got.n do got[index] = tostring(got[index]):gsub("\n", "~"):gsub("\r", "^") end
  got = table.concat(got, "|")
  if not got:find(expected, 1, true) then error("expected " .. expected .. ", got " .. got, 2) end
end

local f = io.open("in/text")
says("file|file (in/text)|nil|file", io.type(f), tostring(f), io.type(5), io.type(io.stdout))
says("first|second^~||la|st||nil|nil", f:read(), f:read("L"), f:read("l"), f:read(2), f:read("a"), f:read("a"),
  f:read("l"), f:read(0))
says("6|second^|14|12|d|20", f:seek("set", 6), f:read("l"), f:seek(), f:seek("cur", -2) and 12, "d", f:seek("end") + 1)
says("true|closed file|file (closed)", f:close(), io.type(f), tostring(f))
says("attempt to use a closed file", pcall(f.read, f))
says("invalid option 'x'", pcall(function() return io.open("in/text"):seek("x") end))
says("call read with a colon", pcall(f.read, 5))

local lines = {}
for line in io.lines("in/text") do lines[#lines + 1] = line end
says("4|last", #lines, lines[4])
for a, b in io.lines("in/text", 1, "l") do says("f|irst", a, b) break end
says("4", (select("#", io.lines("in/text"))))

local g = assert(io.open("out/new", "w"))
says("true", g:write("1 0x10 ", -2.5e1, " x", "\n") == g)
says("true|true", g:close(), io.open("out/new", "a"):write("more"):close())
local function new(mode) return assert(io.open("out/new", mode)) end
says("1|16|-25.0|nil", new():read("n", "n", "n", "n"))
local h = new()
says("1|16|-25.0| x~more", h:read("n", "n", "n", "a"))
h = new("r+")
h:read(2) h:write("9") h:seek("set")
says("1 9x10 -25.0 x", h:read("l"))
h = new("w+b")
h:write("abc") h:seek("set", 1)
says("bc", h:read("a"))
do local closing <close> = new() h = closing end
says("closed file", io.type(h))
says("true|closed file", io.close(new()), (function() local k = new() io.close(k) return io.type(k) end)())

local missing, err, number = io.open("in/nothing")
says("nil|not_found|in/nothing: no such file or folder|2", missing, err.code, tostring(err), number)
says("is_a_folder", select(2, io.open("in")).code)
says("sealed|sealed", select(2, io.open("config.toml")).code, select(2, os.remove("data")).code)
says("bad argument #2 to 'open' (invalid mode)", pcall(io.open, "in/text", "x"))
says("bad argument #1 to 'open' (string expected", pcall(io.open))
says("bad argument #1 to 'read' (invalid format)", pcall(function() return io.open("in/text"):read("x") end))
says("in/nothing: no such file or folder", pcall(function() for _ in io.lines("in/nothing") do break end end))
says("Bad file descriptor", select(2, io.open("in/text"):write("x")).message)
says("bad argument #1 to 'open' (a path is text in UTF-8)", pcall(io.open, "\xff"))
says("bad argument #2 to 'rename' (a path is text in UTF-8)", pcall(os.rename, "a", "\xff"))
says("bad argument #2 to 'lines' (invalid format)", pcall(io.lines, "in/text", "x"))
says("bad argument #2 to 'seek' (number has no integer representation)",
  pcall(function() return io.open("in/text"):seek("set", 1.5) end))
says("2", io.open("in/text"):seek("set", 2.0))
says("out/missing: no such file or folder", select(2, os.rename("out/missing", "out/other")).message)
says("out/none/x: no such file or folder", select(2, os.rename(os.tmpname(), "out/none/x")).message)

for _ = 1, 300 do assert(io.open("in/text")):close() end
local open = {}
repeat
  local more, err = io.open("in/text")
  open[#open + 1] = more
until not more and says("too_many_files|close those that are not needed: file:close()", err.code, err.suggestion) == nil
open[1]:close()
open[1] = assert(io.open("in/text"))
for _, one in ipairs(open) do one:close() end

says("true|true", os.rename("out/new", "out/newer"), os.remove("out/newer"))
says("not_found|2", select(2, os.remove("out/newer")).code, select(3, os.remove("out/newer")))
local name = os.tmpname()
local t <close> = io.open(name, "w")
t:write("x") t:flush()
says("x|true", io.open(name):read("a"), os.remove(name))
local own = io.tmpfile()
own:write("abc") own:seek("set")
says("abc", own:read("a"))

says("value|nil", os.getenv("SHOWN"), (os.getenv("NOT_THERE")))
says("nil", os.getenv("HIDDEN"))

local long = ("x"):rep(300000)
local l = io.open("out/long", "w")
l:write(long, "\n", long) l:close()
local total = 0
for line in io.lines("out/long") do total = total + #line end
says("600000", total)
"""


async def test_files_are_as_in_lua(cell: Notebook) -> None:
    await cell.value(PROGRAM)


async def test_a_variable_is_one_value_and_the_person_hears_what_a_grant_would_give(cell: Notebook) -> None:
    code = "return select('#', os.getenv('HIDDEN')), tonumber(os.getenv('HIDDEN')), tonumber(os.getenv('NOT_THERE'))"
    assert await cell.value(code) == "1\tnil\tnil"
    told = cell.last.err
    assert told.count("the environment variable HIDDEN is not granted") == 1
    assert "NOT_THERE" not in told
    await cell.value(code)
    assert cell.last.err == ""


@pytest.mark.parametrize(
    "code",
    [
        "io.open('in/text', 'w')",
        "io.open('in/text', 'a')",
        "io.open('../x')",
        "io.open('/etc/passwd')",
        "io.open('out/link')",
        "io.open('out/folder-link/passwd')",
        "io.lines('/etc/passwd')",
        "os.remove('in/text')",
        "os.rename('in/text', 'out/text')",
        "os.rename('out/l', 'in/l')",
    ],
)
async def test_what_is_not_granted_raises(cell: Notebook, tmp_path: Path, code: str) -> None:
    (tmp_path / "out" / "link").symlink_to("/etc/passwd")
    (tmp_path / "out" / "folder-link").symlink_to("/etc")
    shown = str(
        await cell.value(f"local ok, err = pcall(function() return {code} end) return ok, err.code or err")
    )
    assert shown == 'false\t"missing_grant"'
    assert (tmp_path / "in" / "text").exists()


async def test_what_was_written_is_there_when_the_cell_ends(cell: Notebook, tmp_path: Path) -> None:
    await cell.value("f = io.open('out/log', 'w'); f:write('one\\n');")
    assert (tmp_path / "out" / "log").read_text() == "one\n"
    await cell.run("f:write('two\\n'); error('oh')")
    assert (tmp_path / "out" / "log").read_text() == "one\ntwo\n"
    await cell.value("f = nil; collectgarbage(); collectgarbage();")


async def test_many_small_writes_are_few_calls(cell: Notebook, tmp_path: Path) -> None:
    await cell.value("local f <close> = io.open('out/n', 'w'); for i = 1, 20000 do f:write(i, '\\n') end")
    assert len((tmp_path / "out" / "n").read_text().split()) == 20000


async def test_files_that_nobody_closes_are_closed(cell: Notebook) -> None:
    code = """
    for i = 1, 400 do
      assert(io.open('in/text'))
      if i % 50 == 0 then collectgarbage() async.sleep(0.01) end
    end
    files = {}
    for i = 1, 300 do
      local file, err = io.open('in/text')
      if err then return err.code end
      files[i] = file
    end"""
    assert await cell.value(code) == '"too_many_files"'


async def test_a_full_disk_is_told(cell: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def full(fd: int, data: bytes) -> int:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data)

    monkeypatch.setattr(os, "write", full)
    code = "local done, err = io.open('out/new', 'w'):write('x'):flush() return done, err.code, tostring(err)"
    assert await cell.value(code) == 'nil\t"storage_full"\t"out/new: No space left on device"'
    await cell.value("f = io.open('out/new', 'w'); f:write('x');")
    assert "out/new: No space left on device" in cell.last.err
