"""``spell.run``: a spell of the notebook's folder, run as a program of its own. The rest is ``lib/spell.lua``."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

from llmspell_kernel.bridges.declaration import Bridge, export, table_type
from llmspell_kernel.bridges.given import Given
from llmspell_kernel.bridges.granted_files import read
from llmspell_kernel.bridges.programs import Program
from llmspell_kernel.engine.values import CallbackRef
from llmspell_kernel.errors import BadArgument, NotFound, SpellFailed
from llmspell_kernel.grants import KINDS
from llmspell_kernel.language.annotations import option

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llmspell_kernel.bridges.registry import Host
    from llmspell_kernel.grants import Kind

_LARGEST_SOURCE = 4 * 2**20
_OPTIONS = ("grants", "timeout")


class SpellBridge(Bridge):
    """What a notebook or script says of itself: its parameters, its results, how it ends; and running others."""

    module: ClassVar[str] = "spell"
    lua_part: ClassVar[str | None] = "lib.spell"
    types = (
        table_type(
            "spell.RunOptions",
            "How `spell.run` runs a spell.",
            option(
                "grants",
                "table<string, string[]>",
                "what it may do at most, of what this notebook may do now: the kinds of `grants.only`, each with "
                "its entries; `{}` for nothing at all of a kind",
                optional=True,
            ),
            option("timeout", "number", "seconds after which it is stopped", optional=True),
        ),
    )

    def __init__(self, host: Host) -> None:
        self._host = host

    @export(
        returns="result: any, err: Error?",
        example='assert(io.open("square.lua", "w")):write("return params.n ^ 2"):close()\n'
        'print(spell.run("square", { n = 7 })) --> 49.0',
    )
    async def run(
        self,
        path: Annotated[str, "SpellPath"],
        params: dict[Any, Any] | None = None,
        options: Annotated[dict[str, Any] | None, "spell.RunOptions"] = None,
    ) -> Any:
        """Run a spell as a program of its own, and return what it returns; if that is nothing, its `spell.outputs`.

        It has a fresh state and shares no variable with this notebook, nor with a second run. What it prints and
        shows appears here; it may do no more than this notebook may. A spell that fails, is stopped by a limit or ends
        with another exit code than 0 gives `nil, err`: `err.code` is that of the error in it (`spell_failed` if that
        has none, `exit` for an exit code), `err.exit_code` and `err.traceback` tell more.

        Args:
            path: a file of the notebook's folder, or a name: `greet` is `greet.lua`, `greet/main.lua`,
                `spells/greet.lua` or `spells/greet/main.lua`
            params: what it finds in its global `params`; plain data
            options: how to run it
        """
        given = Given("spell.run", options, _OPTIONS)
        seconds = given.number("timeout", 0.0)
        if seconds < 0:
            raise BadArgument(f"bad option 'timeout' to 'spell.run' (0 or more expected, got {seconds:g})")
        grants = _grants(given.table("grants"))
        params = params or {}
        _refuse_references(params, "params")
        name, source = await self._source(path)
        return await self._host.run_program(Program(name, source, params, seconds or None, grants))

    async def _source(self, path: str) -> tuple[str, str]:
        if not path:
            raise BadArgument("bad argument #1 to 'spell.run' (the path is empty)")
        tried: list[str] = []
        for candidate in _candidates(path):
            try:
                content = await read(self._host, candidate, "spell.run", _LARGEST_SOURCE)
            except NotFound:
                tried.append(candidate)
            else:
                return candidate, _decoded(candidate, content)
        looked = f" (looked for {', '.join(tried)})" if len(tried) > 1 else ""
        raise NotFound(f"there is no spell '{path[:200]}' in the notebook's folder{looked}")


def _candidates(path: str) -> Iterator[str]:
    if path.endswith(".lua"):
        yield path
    elif "/" in path:
        yield f"{path}.lua"
        yield f"{path.rstrip('/')}/main.lua"
    else:
        for stem in (path, f"spells/{path}"):
            yield f"{stem}.lua"
            yield f"{stem}/main.lua"


def _decoded(path: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpellFailed(
            f"{PurePosixPath(path).name} is not a text file (UTF-8)", code="not_text"
        ) from error


def _grants(given: Mapping[str, Any]) -> dict[Kind, Sequence[str]]:
    found: dict[Kind, Sequence[str]] = {}
    for kind, entries in given.items():
        if kind not in KINDS:
            raise BadArgument(
                f"bad option 'grants' to 'spell.run': no such kind of grant: '{str(kind)[:60]}'",
                suggestion=f"one of {', '.join(KINDS)}",
            )
        listed = cast("list[Any]", [] if entries == {} else entries)
        if not isinstance(entries, list | dict) or not all(isinstance(one, str) for one in listed):
            raise BadArgument(f"bad option 'grants' to 'spell.run': '{kind}' must be a list of strings")
        found[kind] = listed
    return found


def _refuse_references(value: object, path: str) -> None:
    """Raise `BadArgument` for what only means something in the state that made it; `path` names it."""
    if isinstance(value, dict):
        for key, one in cast("dict[Any, Any]", value).items():
            _refuse_references(one, f"{path}.{key}" if isinstance(key, str) else f"{path}[{key}]")
    elif isinstance(value, list):
        for index, one in enumerate(cast("list[Any]", value), 1):
            _refuse_references(one, f"{path}[{index}]")
    elif value is not None and not isinstance(value, bool | int | float | str | bytes):
        kind = "a function" if isinstance(value, CallbackRef) else "a bridge object"
        raise BadArgument(
            f"bad argument #2 to 'spell.run' ({path}: {kind} cannot go to another spell; pass plain data)"
        )
