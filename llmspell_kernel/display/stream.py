"""An answer that grows in place while it comes, at a pace the eye and the front end can follow."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Protocol

from llmspell_kernel.display.markdown import closed, markdown_html
from llmspell_kernel.display.parts import foot
from llmspell_kernel.display.response import response_bundle
from llmspell_kernel.display.style import add_part, page

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERVAL = 0.1
"""Seconds between updates at least."""
_END = "\n</div>"
_SHARE = 10
"""An update waits this many times as long as the last one took to draw, so that drawing takes a tenth."""

add_part(
    "ls-caret",
    """
.llmspell .ls-caret::after { content: "▍"; color: var(--ls-accent); animation: ls-caret 1s steps(2) infinite; }
@keyframes ls-caret { to { opacity: 0; } }
""",
)


class Show(Protocol):
    """Shows a bundle, the first time as a new display, later in its place."""

    def __call__(self, bundle: dict[str, Any], *, update: bool) -> None:
        """Show it now."""
        ...


class StreamedText:
    """Collects deltas and shows the text so far: at once, then when due, and in the end whole.

    Needs a running asyncio loop, which wakes it for deltas that came while it was waiting.
    """

    def __init__(self, show: Show, *, interval: float = INTERVAL, grows: bool = True) -> None:
        """Prepare to show through `show`, at most every `interval` seconds; only the end if it does not grow."""
        self._show = show
        self._grows = grows
        self._interval = interval
        self._deltas: list[str] = []
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_shown = False
        self._is_finished = False

    @property
    def text(self) -> str:
        """All that came so far."""
        if len(self._deltas) > 1:
            self._deltas = ["".join(self._deltas)]
        return self._deltas[0] if self._deltas else ""

    def push(self, delta: str) -> None:
        """Add what came; it is shown within the interval."""
        if not delta or self._is_finished:
            return
        self._deltas.append(delta)
        if self._timer is not None or not self._grows:
            return
        wait = self._due - time.monotonic()
        if wait <= 0:
            self._draw()
        else:
            self._timer = asyncio.get_running_loop().call_later(wait, self._draw)

    def finish(self, response: Mapping[str, Any]) -> None:
        """Show the whole answer with its figures; its own content counts, not what was pushed."""
        bundle = response_bundle({**response, "content": response.get("content") or self.text})
        self._end(bundle)

    def stop(self, why: str) -> None:
        """Leave what came in its place, and say why there is no more."""
        if not self.text:
            self._end(None)
            return
        markup = f"{markdown_html(closed(self.text))}{foot([why])}"
        self._end(
            {"text/plain": f"{self.text}\n\n— {why}", "text/markdown": self.text, "text/html": page(markup)}
        )

    def _end(self, bundle: dict[str, Any] | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._is_finished = True
        if bundle is not None:
            self._show(bundle, update=self._is_shown)
            self._is_shown = True

    def _draw(self) -> None:
        self._timer = None
        start = time.monotonic()
        self._show(growing_bundle(self.text), update=self._is_shown)
        self._is_shown = True
        now = time.monotonic()
        self._due = now + max(self._interval, _SHARE * (now - start))


def growing_bundle(text: str) -> dict[str, Any]:
    """Draw an answer that is still coming."""
    markup = markdown_html(closed(text))
    end = markup.rfind("</p>") if markup.endswith(f"</p>{_END}") else len(markup)
    markup = f'{markup[:end]}<span class="ls-caret"></span>{markup[end:]}'
    return {"text/plain": text, "text/markdown": text, "text/html": page(markup)}
