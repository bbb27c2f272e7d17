"""Charts: what JupyterLab draws itself, with a picture of it for exports and for other front ends."""

from __future__ import annotations

import asyncio
import importlib
import logging
from typing import Any, ClassVar, cast

from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.bridges.lua_modules import LuaModule
from llmspell_kernel.bridges.registry import Host, current_call

_log = logging.getLogger("llmspell")
_MIME = "application/vnd.vegalite.v5+json"


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
    async def show(self, spec: dict[str, Any], told: str, picture: bool) -> None:
        """Show a Vega-Lite description, and a picture of it unless that is not wanted."""
        from llmspell_kernel.display.sanitize import passive_bundle

        spec = _sorted(spec)
        bundle: dict[str, Any] = {_MIME: spec, "text/plain": told}
        if picture:
            svg, problem = await asyncio.to_thread(_drawn, spec)
            if svg:
                bundle["image/svg+xml"] = svg
            elif problem:
                bundle["text/plain"] = f"{told} ({problem})"
        current_call.get().surface.display(passive_bundle(bundle), {}, None, False)


def _sorted(value: Any) -> Any:
    """Put keys in order, which Lua's tables do not have: the same chart is the same each time."""
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value)
        return {key: _sorted(entries[key]) for key in sorted(entries)}
    if isinstance(value, list):
        return [_sorted(each) for each in cast("list[Any]", value)]
    return value


def _drawn(spec: dict[str, Any]) -> tuple[str, str]:
    """Draw a chart as SVG; returns it, or why there is none."""
    try:
        converter = importlib.import_module("vl_convert")
    except ImportError:
        return "", "for a picture of it in exports: pip install 'llmspell-kernel[plot]'"
    try:
        return converter.vegalite_to_svg(spec, vl_version="5.21", allowed_base_urls=[]), ""
    except ValueError as error:
        _log.info("a chart could not be drawn: %s", error)
        return "", f"not a chart: {str(error).splitlines()[0][:200]}"
