"""A cell's place on iopub and stdin: what it writes, shows and asks goes to the request that started it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from llmspell_kernel.errors import SpellError

if TYPE_CHECKING:
    from llmspell_kernel.bridges.showing import Showing

_FLUSH_SECONDS = 0.05
_STDIN_POLL_SECONDS = 0.02

Send = Callable[[str, dict[str, Any]], None]


class IOPubSurface:
    """Sends a cell's output, text in batches: at most one stream message per interval and name."""

    def __init__(
        self,
        send: Send,
        ask: Callable[[str, bool], Any] | None,
        parent: dict[str, Any] | None = None,
        showing: Showing | None = None,
    ) -> None:
        """Prepare.

        Args:
            send: publishes one iopub message with the cell's parent header.
            ask: the stdin channel's question, None where the request does not allow it.
            parent: the request itself, for messages that others send on its behalf.
            showing: what the front end makes of displays that change.
        """
        self.showing = showing
        self.parent = parent
        self._send = send
        self._ask = ask
        self._name = ""
        self._text: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._clear_pending = False

    @property
    def interactive(self) -> bool:
        """Whether a person may answer questions."""
        return self._ask is not None

    def stream(self, name: str, text: str) -> None:
        """Write to ``stdout`` or ``stderr``."""
        if not text:
            return
        if name != self._name:
            self.flush()
            self._name = name
        self._text.append(text)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Send what is pending now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._text:
            text, self._text = "".join(self._text), []
            self._send("stream", {"name": self._name, "text": text})

    def display(
        self, bundle: dict[str, Any], metadata: dict[str, Any], display_id: str | None, update: bool
    ) -> None:
        """Show a MIME bundle, or update the one shown under `display_id`."""
        self.flush()
        transient = {"display_id": display_id} if display_id else {}
        kind = "update_display_data" if update else "display_data"
        self._send(kind, {"data": bundle, "metadata": metadata, "transient": transient})

    def clear(self, wait: bool) -> None:
        """Clear the cell's output; with `wait`, when the next output comes."""
        self.flush()
        self._send("clear_output", {"wait": wait})

    async def ask(self, prompt: str, password: bool) -> str:
        """Ask the person at the notebook."""
        self.flush()
        if self._ask is None:
            raise SpellError(
                "this front end does not take input here; give the value in the code, or run it interactively",
                code="no_input",
            )
        return await self._ask(prompt, password)


class SilentSurface:
    """Shows nothing and asks nobody: the messaging specification's ``silent``."""

    def stream(self, name: str, text: str) -> None:
        """Drop the text."""

    def display(
        self, bundle: dict[str, Any], metadata: dict[str, Any], display_id: str | None, update: bool
    ) -> None:
        """Drop the display."""

    def clear(self, wait: bool) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""

    async def ask(self, prompt: str, password: bool) -> str:
        """Refuse."""
        raise SpellError("a silent execution cannot ask for input", code="no_input")


STDIN_POLL_SECONDS = _STDIN_POLL_SECONDS
