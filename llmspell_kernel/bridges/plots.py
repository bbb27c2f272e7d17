"""Charts: what JupyterLab draws itself, with a picture of it for exports and for other front ends."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import math
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, cast

from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.bridges.lua_modules import LuaModule
from llmspell_kernel.bridges.registry import Host, current_call
from llmspell_kernel.errors import BadArgument

_log = logging.getLogger("llmspell")
_MIME = "application/vnd.vegalite.v5+json"
_MISSING = "for a picture of it in exports: pip install 'llmspell-kernel[plot]'"
_LIMIT = 15.0
"""Seconds that drawing a picture may take."""
_OPTIONS: dict[str, Any] = {"vl_version": "5.21", "allowed_base_urls": []}
_DRAW = """
import json, sys
sys.path.append(sys.argv[1])
import vl_convert
try:
    drawn = {"svg": vl_convert.vegalite_to_svg(**json.load(sys.stdin))}
except ValueError as error:
    drawn = {"problem": str(error)}
json.dump(drawn, sys.stdout)
"""


class Plot(LuaModule):
    """Charts of tables: lines, bars, points, counts and fields of colour."""

    module: ClassVar[str] = "plot"
    lua_part: ClassVar[str | None] = "lib.plot"


class Plots(Bridge):
    """Internal: shows what `plot` describes."""

    module: ClassVar[str] = "plots"
    internal: ClassVar[bool] = True

    def __init__(self, host: Host) -> None:
        """Nothing of `host` is needed."""

    @export()
    async def show(self, spec: dict[str, Any], told: str, picture: bool, foreign: bool) -> None:
        """Show a Vega-Lite description, and a picture of it unless that is not wanted.

        What is `foreign` may grow without bounds while it is drawn; our own charts are small.
        """
        from llmspell_kernel.display.sanitize import passive_bundle

        spec = _plain(spec)
        bundle: dict[str, Any] = {_MIME: spec, "text/plain": told}
        if picture:
            svg, problem = await (_drawn_apart(spec) if foreign else asyncio.to_thread(_drawn, spec))
            if svg:
                bundle["image/svg+xml"] = svg
            else:
                bundle["text/plain"] = f"{told} ({problem})"
        current_call.get().surface.display(passive_bundle(bundle), {}, None, False)


def _plain(value: Any) -> Any:
    """Put keys in order, which Lua's tables do not have, so that the same chart is the same each time.

    What is no number to draw becomes a gap, for JSON has no name for it.

    Raises:
        BadArgument: something in it is not plain data.
    """
    if isinstance(value, dict):
        entries = {str(key): each for key, each in cast("dict[object, Any]", value).items()}
        return {key: _plain(entries[key]) for key in sorted(entries)}
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[Any]", value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise BadArgument(
        "a chart is made of numbers, text and tables; it cannot draw functions or binary strings"
    )


def _drawn(spec: dict[str, Any]) -> tuple[str, str]:
    """Draw a chart as SVG; returns it, or why there is none."""
    try:
        converter = importlib.import_module("vl_convert")
    except ImportError:
        return "", _MISSING
    try:
        return converter.vegalite_to_svg(spec, **_OPTIONS), ""
    except ValueError as error:
        return "", _no_chart(str(error))


async def _drawn_apart(spec: dict[str, Any]) -> tuple[str, str]:
    """Draw a chart in a process of its own: one that grows too big, or never ends, takes nothing with it."""
    found = find_spec("vl_convert")
    if found is None or not found.origin:
        return "", _MISSING
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", _DRAW, str(Path(found.origin).parents[1])),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=None if sys.platform == "win32" else {},
    )
    try:
        async with asyncio.timeout(_LIMIT):
            said, _ = await process.communicate(json.dumps({"vl_spec": spec} | _OPTIONS).encode())
    except TimeoutError:
        return "", f"no picture of it: drawing took more than {_LIMIT:g} seconds"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        return "", "no picture of it: it is too big to draw"
    drawn: dict[str, str] = json.loads(said)
    return (drawn["svg"], "") if "svg" in drawn else ("", _no_chart(drawn["problem"]))


def _no_chart(problem: str) -> str:
    _log.info("a chart could not be drawn: %s", problem)
    return f"not a chart: {' '.join(problem.split())[:200]}"
