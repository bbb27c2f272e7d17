"""Where the output of callbacks goes: an Output widget, which shows it in a cell that has ended long ago."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from llmspell_kernel.bridges.showing import Showing
from llmspell_kernel.errors import SpellError

INTERVAL = 0.05
"""Seconds between two updates of the page."""
KEPT = 200_000
"""Characters of text that stay: the page gets all of an area again with each update."""
OUTPUTS = 200

Entry = dict[str, Any]


class WidgetArea:
    """Keeps a list of outputs (nbformat) and shows it through an Output widget, at most once an interval."""

    showing = Showing.IN_PLACE

    def __init__(self, model: Callable[[], Any]) -> None:
        """Prepare; `model` gives the Output widget and is called when there is something to show."""
        self._model = model
        self._entries: list[Entry] = []
        self._ids: list[str | None] = []
        self._timer: asyncio.TimerHandle | None = None
        self._clears = False

    def stream(self, name: str, text: str) -> None:
        """Write to ``stdout`` or ``stderr``."""
        if not text:
            return
        self._clear_if_due()
        last = self._entries[-1] if self._entries else None
        if last is not None and last.get("name") == name:
            text = last["text"] + text
            self._drop(-1)
        self._add({"output_type": "stream", "name": name, "text": text[-KEPT:]})

    def display(
        self, bundle: dict[str, Any], metadata: dict[str, Any], display_id: str | None, update: bool
    ) -> None:
        """Show a MIME bundle, or put it in the place of the one shown under `display_id`."""
        entry = {"output_type": "display_data", "data": bundle, "metadata": metadata}
        if not update:
            self._clear_if_due()
            self._add(entry, display_id)
        elif display_id in self._ids:
            self._entries[self._ids.index(display_id)] = entry
            self._show_soon()

    def error(self, ename: str, evalue: str, traceback: list[str]) -> None:
        """Show an error as a cell shows its own."""
        self._clear_if_due()
        self._add({"output_type": "error", "ename": ename, "evalue": evalue, "traceback": traceback})

    def clear(self, wait: bool) -> None:
        """Empty it; with `wait`, when the next output comes."""
        self._clears = True
        if not wait:
            self._clear_if_due()
            self._show_soon()

    async def ask(self, prompt: str, password: bool) -> str:
        """Refuse: no cell waits for an answer."""
        del prompt, password
        raise SpellError(
            "a callback cannot ask for a line; use a widget, such as widgets.Text", code="no_input"
        )

    def flush(self) -> None:
        """Show now what waits to be shown."""
        if self._timer is not None:
            self._timer.cancel()
            self._show()

    def _add(self, entry: Entry, display_id: str | None = None) -> None:
        self._entries.append(entry)
        self._ids.append(display_id)
        if len(self._entries) > OUTPUTS:
            self._drop(0)
        self._show_soon()

    def _drop(self, index: int) -> None:
        del self._entries[index]
        del self._ids[index]

    def _clear_if_due(self) -> None:
        if self._clears:
            self._clears = False
            self._entries.clear()
            self._ids.clear()

    def _show_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._show)

    def _show(self) -> None:
        self._timer = None
        self._model().outputs = tuple(self._entries)
