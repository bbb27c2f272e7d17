"""What the engine's own Lua asks of the notebook: input, displays, clearing, help."""

from __future__ import annotations

from typing import Any, ClassVar

from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.bridges.given import warn_of_unknown
from llmspell_kernel.bridges.progress_bars import Bars
from llmspell_kernel.bridges.registry import Host, current_call


class HostBridge(Bridge):
    """Internal: `io.read`, `input`, `display`, `clear_output` and `help` end here."""

    module: ClassVar[str] = "host"
    internal: ClassVar[bool] = True

    def __init__(self, host: Host) -> None:
        self._host = host
        self._bars = Bars()

    @export()
    async def input(self, prompt: str, password: bool) -> str:
        """Ask the person at the notebook for a line."""
        return await current_call.get().surface.ask(prompt, password)

    @export()
    async def display(self, kind: str, shown: Any, display_id: str, update: bool) -> None:
        """Show a snapshot or a MIME bundle (`kind`) in the cell, under `display_id`."""
        from llmspell_kernel.display.bundle import mime_bundle_of, render_result, snapshot_of

        if kind == "snapshot":
            data = render_result([snapshot_of(shown)], handle_bundle=self._host.handle_bundle)
        else:
            data = mime_bundle_of(shown)
        current_call.get().surface.display(data, {}, display_id, update)

    @export()
    async def progress(
        self,
        done: float,
        total: Any,
        label: str,
        seconds: Any,
        display_id: str,
        update: bool,
        finished: bool,
    ) -> None:
        """Show how far a loop is; what it shows in the end has no times in it, so that it is the same each time."""
        from llmspell_kernel.display.meters import progress_bundle

        data = progress_bundle(
            done, total or None, label=label, seconds=seconds or None, is_finished=finished
        )
        call = current_call.get()
        self._bars.show(call.surface, call.cell, data, display_id, update, finished)

    @export()
    async def help(self, name: str, described: dict[str, Any] | None = None) -> None:
        """Show what is known of a name, or of a value that was described by introspect.lua."""
        bundle = await self._host.explain(name, described)
        current_call.get().surface.display(bundle, {}, None, False)

    @export()
    async def unknown_options(
        self, function: str, keys: list[Any], known: list[Any], slips_only: bool = False
    ) -> None:
        """Warn that `function` of the engine's own library does not take `keys`; see `warn_of_unknown`."""
        warn_of_unknown(function, keys, known, slips_only=slips_only)

    @export()
    async def clear(self, wait: bool) -> None:
        """Clear the cell's output."""
        current_call.get().surface.clear(wait)
