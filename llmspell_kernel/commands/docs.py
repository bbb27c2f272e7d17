"""``llmspell docs``: the reference in the terminal, as Markdown, and for editors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llmspell_kernel.commands.command import Command
from llmspell_kernel.errors import NotFound, WorldError

if TYPE_CHECKING:
    import argparse

    from llmspell_kernel.bridges.declaration import Bridge
    from llmspell_kernel.language.documentation import Reference


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        nargs="?",
        default="",
        help="a module, function or type, such as llm or llm.chat; all if left out",
    )
    parser.add_argument(
        "--format",
        choices=("text", "markdown"),
        default="text",
        help="plain text for reading here, or Markdown (without a name: the whole reference)",
    )
    parser.add_argument(
        "--luacats",
        metavar="FILE",
        help="write a definition file for editors with LuaLS, such as VS Code, in place of showing anything",
    )


def _run(arguments: argparse.Namespace) -> int:
    from llmspell_kernel.bridges.reference import aliases
    from llmspell_kernel.bridges.registry import installed_bridges

    bridges = installed_bridges()
    reference = _reference(bridges)
    if arguments.luacats:
        _write(Path(arguments.luacats), reference, aliases(bridges))
    else:
        sys.stdout.write(_shown(reference, arguments.name, arguments.format).rstrip() + "\n")
    return 0


def _reference(bridges: list[type[Bridge]]) -> Reference:
    from llmspell_kernel.bridges.reference import aliases, reference
    from llmspell_kernel.language.intelligence import Intelligence

    return Intelligence(reference(bridges), aliases(bridges)).reference


def _shown(reference: Reference, name: str, form: str) -> str:
    from llmspell_kernel.language import manual

    if not name:
        return manual.overview(reference)["text/plain"] if form == "text" else manual.markdown(reference)
    page = manual.page(reference, name, form)
    if page is None:
        near = reference.nearest(name)
        raise NotFound(
            f"nothing is known of '{name}'",
            suggestion=f"did you mean {near.name}?" if near is not None else None,
        )
    return page


def _write(path: Path, reference: Reference, aliases: dict[str, str]) -> None:
    from llmspell_kernel.language.luacats import definitions

    try:
        path.write_text(definitions(reference, aliases), "utf-8")
    except OSError as error:
        raise WorldError(f"{path} cannot be written: {error.strerror}") from error
    print(f"wrote {path}; in VS Code, add its folder to the setting Lua.workspace.library")


DOCS = Command("docs", "show the reference of everything that spells can call", _run, _configure)
