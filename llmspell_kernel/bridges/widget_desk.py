"""The widgets of one session: which are on the page, where their callbacks write, and when they can go."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmspell_kernel.bridges import widget_models as models
from llmspell_kernel.bridges.widget_area import WidgetArea
from llmspell_kernel.errors import Cancelled, SpellError

if TYPE_CHECKING:
    from llmspell_kernel.bridges.registry import Host
    from llmspell_kernel.bridges.widget_models import Model
    from llmspell_kernel.engine.values import CallbackRef

_SWEEP_SECONDS = 0.5
_QUIET = frozenset({"Output", "HTML", "HTMLMath", "Label", "Image", "Video", "Audio"})
"""What nobody works, so that it needs no place for what callbacks write."""
_PENDING = 1000
"""Changes that wait for one callback; older ones are given up."""


@dataclass(eq=False)
class Shown:
    """A widget on the page, in a box that gets room for output below it when there is some."""

    root: Model
    box: Model
    area: WidgetArea
    number: int
    output: Model | None = None


@dataclass(eq=False)
class Event:
    """A callback that waits to be called."""

    arguments: Callable[[], tuple[Any, ...]]
    key: str = ""
    """What changed in the page, for which a later change stands in; empty if each event counts."""


@dataclass(eq=False)
class Listener:
    """One Lua function that listens to one widget: its events are run in order, one after the other."""

    desk: Desk
    model: Model
    callback: CallbackRef
    waiting: deque[Event] = field(default_factory=deque[Event])
    task: asyncio.Task[None] | None = None

    def hear(self, event: Event) -> None:
        """Call the function as soon as its last call has ended."""
        if event.key and self.waiting and self.waiting[-1].key == event.key:
            self.waiting.pop()
        self.waiting.append(event)
        if len(self.waiting) > _PENDING:
            self.waiting.popleft()
        if self.task is None:
            self.task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while self.waiting:
                await self.desk.call(self.model, self.callback, self.waiting.popleft().arguments())
        finally:
            self.task = None


class Desk:
    """Keeps the widgets that Lua made."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.made: dict[str, Model] = {}
        """What can be closed once nothing leads to it, by id."""
        self.held: dict[str, Model] = {}
        """What Lua holds."""
        self.links: list[tuple[Model, Model, Any]] = []
        """Two widgets and what keeps their fields alike."""
        self._shown: dict[str, Shown] = {}
        self._areas: dict[str, int] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def add(self, model: Model) -> None:
        """Take care of a widget."""
        self.made[model.model_id] = model
        for each in models.inner(model):
            self.made.setdefault(each.model_id, each)

    # ── the page ─────────────────────────────────────────────────────────────────────────────────

    def bundle(self, model: Model) -> dict[str, Any]:
        """Put a widget on the page."""
        if model.comm is None:
            return {"text/plain": f"{models.class_name(model)} (closed)"}
        shown = self._shown.get(model.model_id) or self._show(model)
        view = {"version_major": 2, "version_minor": 0, "model_id": shown.box.model_id}
        return {
            "text/plain": models.summary(model),
            "application/vnd.jupyter.widget-view+json": view,
        }

    def _show(self, model: Model) -> Shown:
        box = model if models.class_name(model) in _QUIET else models.load().VBox(children=(model,))
        area = WidgetArea(lambda: self._output(shown))
        shown = Shown(model, box, area, self._host.open_area(area))
        self._shown[model.model_id] = shown
        return shown

    def _output(self, shown: Shown) -> Any:
        if shown.output is None:
            shown.output = models.load().Output()
            if shown.box is not shown.root and shown.box.comm is not None:
                box: Any = shown.box
                box.children = (shown.root, shown.output)
        return shown.output

    def area_of(self, model: Model) -> Shown | None:
        """Where the callbacks of a widget write: below what is on the page and contains it, None if nothing is."""
        for shown in reversed(self._shown.values()):
            if model.model_id in _reached([shown.root]):
                return shown
        return None

    def cell_of(self, model: Model) -> int:
        """The number of the area that an Output widget is."""
        number = self._areas.get(model.model_id)
        if number is None:
            number = self._areas[model.model_id] = self._host.open_area(WidgetArea(lambda: model))
        return number

    # ── callbacks ────────────────────────────────────────────────────────────────────────────────

    async def call(self, model: Model, callback: CallbackRef, arguments: tuple[Any, ...]) -> None:
        """Call a Lua function; what it writes and raises is shown below the widget."""
        shown = self.area_of(model)
        try:
            await self._host.invoke(callback, *arguments, cell=shown.number if shown else 0)
        except Cancelled:
            return
        except SpellError as error:
            if shown is not None:
                shown.area.error(*self._host.told(error))

    # ── the end ──────────────────────────────────────────────────────────────────────────────────

    def close(self, model: Model) -> None:
        """Take a widget from the page, unless that is done."""
        if model.comm is None:
            return
        shown = self._shown.pop(model.model_id, None)
        if shown is not None:
            self._host.close_area(shown.number)
            for each in (shown.output, shown.box):
                if each is not None and each is not model:
                    each.close()
        identity = model.model_id
        self.made.pop(identity, None)
        self.held.pop(identity, None)
        self._host.close_area(self._areas.pop(identity, 0))
        model.close()

    def let_go(self, model: Model) -> None:
        """Lua holds it no longer; it is closed unless it is on the page or something that is leads to it."""
        if model.comm is not None:
            self.held.pop(model.model_id, None)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self.sweep)

    def sweep(self) -> None:
        """Close what nothing leads to."""
        self._sweep = None
        alive = _reached([*self.held.values(), *(shown.box for shown in self._shown.values())])
        for first, second, link in self.links:
            if {first.model_id, second.model_id} & alive:
                alive |= _reached([first, second, *([link] if models.is_model(link) else [])])
        self.links = [each for each in self.links if each[0].comm is not None and each[0].model_id in alive]
        for identity, model in list(self.made.items()):
            if model.comm is None:
                del self.made[identity]
            elif identity not in alive:
                self.close(model)

    def end(self) -> None:
        """The session ends: what is on the page stays there as it is, and is saved with the notebook."""
        if self._sweep is not None:
            self._sweep.cancel()


def _reached(roots: list[Model]) -> set[str]:
    reached: set[str] = set()
    waiting = [root for root in roots if root.comm is not None]
    while waiting:
        model = waiting.pop()
        if model.comm is None or model.model_id in reached:
            continue
        reached.add(model.model_id)
        waiting += models.inner(model)
    return reached
