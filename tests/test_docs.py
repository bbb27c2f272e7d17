"""`llmspell docs`: the reference in the terminal, as Markdown, and as definitions for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.bridges.reference import reference
from llmspell_kernel.bridges.registry import installed_bridges
from llmspell_kernel.cli import main
from llmspell_kernel.language.definitions import summarize
from llmspell_kernel.language.documentation import Documented, Option, Reference
from llmspell_kernel.language.luacats import definitions
from llmspell_kernel.language.parser import parse

if TYPE_CHECKING:
    from pathlib import Path


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["docs", *arguments]) == 0
    return capsys.readouterr().out


def test_without_a_name_everything_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    listed = shown(capsys)
    names = [line.split()[0] for line in listed.splitlines() if line.startswith("  ")]
    assert {bridge.module for bridge in installed_bridges() if not bridge.internal} <= set(names)
    assert {"string", "print", "help"} <= set(names)


def test_a_function_is_shown_with_its_options_once_and_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "llm.chat").splitlines()
    assert lines[0] == "llm.chat(prompt, options?) → string|llm.Response"
    assert sum(line.split()[:1] == ["temperature?"] for line in lines) == 1
    assert lines[-2:] == ["Example:", '  llm.chat("Say hello.")']


def test_a_module_is_shown_with_all_its_members(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "promise", "--format", "markdown")
    assert text.startswith("# promise\n")
    assert "\n## promise.all\n\n```lua\npromise.all(list) → Promise\n```\n" in text
    assert "\n## Promise:await\n" in shown(capsys, "Promise", "--format", "markdown")


def test_the_whole_reference_is_one_markdown_text(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "--format", "markdown")
    headings = [line for line in text.splitlines() if line.startswith(("# ", "## "))]
    assert {"# llm", "## llm.chat", "# Promise", "# llm.Options", "# string", "## string.rep"} <= set(
        headings
    )
    assert len(headings) == len(set(headings))


def test_an_unknown_name_is_an_error_that_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docs", "llm.caht"]) == 1
    assert (
        capsys.readouterr().err == "llmspell docs: nothing is known of 'llm.caht'\ndid you mean llm.chat?\n"
    )


def test_the_definitions_for_editors_are_lua_that_defines_every_function(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "llmspell.lua"
    assert f"wrote {file}" in shown(capsys, "--luacats", str(file))
    text = file.read_text("utf-8")
    assert text.startswith("---@meta llmspell\n")
    chunk = parse(text)
    assert chunk.problems == []
    defined = {one.name.replace(":", ".") for one in summarize(chunk, "").everything()}
    functions = [one for one in reference(installed_bridges()) if one.is_callable]
    assert {f"{one.owner.replace('.', '_')}.{one.short_name}".lstrip(".") for one in functions} <= defined
    assert {"agents", "core", "help", "display"} <= defined


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docs", "--luacats", str(tmp_path / "no" / "file.lua")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_definitions_tell_types_fields_and_other_names() -> None:
    known = Reference(
        (
            Documented("boat", "module", "Boats."),
            Documented(
                "boat.sail",
                "function",
                "Sails.\nFar.",
                parameters=(Option("end", "string", "where  to"), Option("speed", "number", optional=True)),
                returns=(Option("miles", "number"),),
                example="boat.sail('x')",
            ),
            Documented("boat.repeat", "function", "Again."),
            Documented("boat.name", "field", "Its name.", type="string"),
            Documented("boat.Rope", "type", "A rope.", parameters=(Option("length", "number"),), closed=True),
            Documented("boat.Rope:cut", "method", "Cuts."),
        )
    )
    assert definitions(known, {"ship": "boat"}).split("\n\n") == [
        "---@meta llmspell\n"
        "-- What spells can call, for editors. Made by `llmspell docs --luacats`; nothing here runs.",
        "---A rope.\n---@class (exact) boat.Rope\n---@field length number\nlocal boat_Rope = {}",
        "---Cuts.\nfunction boat_Rope:cut() end",
        "---Boats.\n---@class boat\n---@field name string Its name.\nboat = {}",
        "---Sails.\n---Far.\n---```lua\n---boat.sail('x')\n---```\n---@param end_ string where to\n"
        "---@param speed? number\n---@return number miles\nfunction boat.sail(end_, speed) end",
        '---Again.\nboat["repeat"] = function() end',
        "---The same as `boat`.\nship = boat\n",
    ]
