"""``widgets``: ipywidgets from Lua. The objects live here; Lua holds handles."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, ClassVar, cast

from llmspell_kernel.bridges import widget_models as models
from llmspell_kernel.bridges.declaration import Bridge, Handle, export
from llmspell_kernel.bridges.registry import Host, current_call
from llmspell_kernel.bridges.widget_classes import documented
from llmspell_kernel.bridges.widget_desk import Desk, Event, Listener
from llmspell_kernel.engine.values import CallbackRef
from llmspell_kernel.errors import BadArgument
from llmspell_kernel.language.documentation import Documented


class Widget(Handle):
    """A control in the page. Its traits are fields: `slider.value`, `slider.max = 20`."""

    type_name: ClassVar[str] = "Widget"

    def __init__(self, model: Any, desk: Desk, bridge: WidgetsBridge) -> None:
        self.model = model
        self._desk = desk
        self._bridge = bridge
        self._listeners: list[tuple[CallbackRef, Any, str]] = []

    @property
    def label(self) -> str:
        """Its class."""
        return models.class_name(self.model)

    def mime_bundle(self) -> dict[str, Any] | None:
        """Put it on the page."""
        return self._desk.bundle(self.model)

    async def close(self) -> None:
        """Lua holds it no longer."""
        self._bridge.forget(self)
        self._desk.let_go(self.model)

    @export(
        name="get", returns="value: any", example="print(widgets.IntSlider{ value = 3 }:get('value')) --> 3"
    )
    async def read(self, name: str) -> Any:
        """Reads a trait; `widget.name` does the same."""
        return models.read(self.model, name, self._bridge.to_lua)

    @export(name="set", example="widgets.IntSlider{ value = 3 }:set('value', 4)")
    async def write(self, name: str, value: Any) -> None:
        """Sets a trait; `widget.name = value` does the same."""
        models.write(self.model, name, value, self._bridge.to_model)

    @export(
        example="widgets.IntSlider{ max = 10 }:observe(function(change) print(change.old, change.new) end)"
    )
    async def observe(self, callback: CallbackRef, name: str = "value") -> None:
        """Calls a function with `{name, old, new, owner}` whenever the trait `name` changes, in the page or in Lua.

        What it prints and raises is shown below the widget. Changes from the page that come while it still works on
        the last one are joined.
        """
        if name not in self.model.traits():
            raise BadArgument(f"{self.label} has no field '{name}'")
        listener = Listener(self._desk, self.model, callback)

        def changed(change: Any) -> None:
            key = name if models.is_from_page(self.model) else ""
            old = change["old"]
            listener.hear(Event(partial(self._change, name, old, change["new"]), key))

        self.model.observe(changed, name)
        self._listeners.append((callback, changed, name))

    def _change(self, name: str, old: object, new: object) -> tuple[Any, ...]:
        to_lua = self._bridge.to_lua
        change = {"name": name, "old": models.shown(old, to_lua), "new": models.shown(new, to_lua)}
        return ({**change, "owner": self},)

    @export(
        example="local slider, tell = widgets.IntSlider(), function(change) print(change.new) end\n"
        "slider:observe(tell)\nslider:unobserve(tell)"
    )
    async def unobserve(self, callback: CallbackRef, name: str = "value") -> None:
        """Calls the function no longer when the trait `name` changes."""
        for entry in self._listeners[:]:
            if entry[0].id == callback.id and entry[2] == name:
                self.model.unobserve(entry[1], name)
                self._listeners.remove(entry)

    @export(example='widgets.Button("Go"):on_click(function() print("clicked") end)')
    async def on_click(self, callback: CallbackRef) -> None:
        """Calls a function with the button each time it is clicked."""
        if not hasattr(self.model, "on_click"):
            raise BadArgument(f"a {self.label} cannot be clicked; observe its value")
        listener = Listener(self._desk, self.model, callback)

        def clicked(_: Any) -> None:
            listener.hear(Event(lambda: (self,)))

        self.model.on_click(clicked)

    @export(example="widgets.Text('Ada'):on_submit(function(field) print(field.value) end)")
    async def on_submit(self, callback: CallbackRef) -> None:
        """Calls a function with the text field when the person presses Enter in it."""
        listener = Listener(self._desk, self.model, callback)

        def heard(_: Any, content: Any, _buffers: Any) -> None:
            if isinstance(content, dict) and cast("dict[str, Any]", content).get("event") == "submit":
                listener.hear(Event(lambda: (self,)))

        self.model.on_msg(heard)

    @export(example="widgets.Button('Go'):click()")
    async def click(self) -> None:
        """Clicks a button, as the person would."""
        if not hasattr(self.model, "click"):
            raise BadArgument(f"a {self.label} cannot be clicked")
        self.model.click()

    @export(example="widgets.Button('Go'):add_class('wide')")
    async def add_class(self, name: str) -> None:
        """Gives it a CSS class."""
        self.model.add_class(name)

    @export(example="widgets.Button('Go'):remove_class('wide')")
    async def remove_class(self, name: str) -> None:
        """Takes a CSS class from it."""
        self.model.remove_class(name)

    @export(example="widgets.Text('Ada'):focus()")
    async def focus(self) -> None:
        """Puts the cursor into it."""
        self.model.focus()

    @export(name="close", example='widgets.Button("Go"):close()')
    async def shut(self) -> None:
        """Takes it from the page and ends it."""
        self._desk.close(self.model)

    @export(returns="traits: table", example="print(widgets.IntSlider{ value = 3 }:traits().value) --> 3")
    async def traits(self) -> dict[str, Any]:
        """All that can be read and set, with its values now."""
        names = [key for key in self.model.keys if not key.startswith("_")]
        return {key: models.shown(getattr(self.model, key), self._bridge.to_lua) for key in sorted(names)}


class WidgetsBridge(Bridge):
    """Sliders, buttons, fields and all other core widgets of ipywidgets, by name.

    `widgets.IntSlider{ min = 0, max = 10 }` makes one; as a cell's value, or by `display`, it is on the page.
    """

    module: ClassVar[str] = "widgets"
    lua_part: ClassVar[str | None] = "lib.widgets"
    handles: ClassVar[tuple[type[Handle], ...]] = (Widget,)
    types: ClassVar[tuple[Documented, ...]] = tuple(documented())

    def __init__(self, host: Host) -> None:
        self._desk = Desk(host)
        self._handles: dict[str, Widget] = {}

    @export(returns="widget: Widget", example='widgets.create("IntSlider", { max = 10 })')
    async def create(self, class_name: str, options: Any = None) -> Widget:
        """Makes a widget by the name of its class; `widgets.IntSlider{ max = 10 }` does the same."""
        await asyncio.to_thread(models.load)
        model = models.make(class_name, options, self.to_model)
        self._desk.add(model)
        return self.handle(model)

    @export(internal=True)
    async def join(self, kind: str, source: Any, target: Any) -> None:
        """`link`, `dlink`, `jslink` and `jsdlink`; each side is a list of a widget and a trait's name."""
        first, second = self._side(kind, source), self._side(kind, target)
        try:
            link = getattr(models.load(), kind)(first, second)
        except Exception as error:
            raise BadArgument(f"widgets.{kind}: {error}") from error
        if models.is_model(link):
            self._desk.add(link)
        self._desk.links.append((first[0], second[0], link))

    def _side(self, kind: str, side: Any) -> tuple[Any, str]:
        if not (isinstance(side, list) and len(cast("list[Any]", side)) == 2):
            raise BadArgument(f"widgets.{kind} takes two tables {{widget, name}}")
        widget, name = cast("list[Any]", side)
        if not isinstance(widget, Widget) or name not in widget.model.traits():
            raise BadArgument(f"widgets.{kind} takes two tables {{widget, name of a field}}")
        return widget.model, name

    @export(returns="values: table", internal=True)
    async def values(self, of: list[Any]) -> list[Any]:
        """The values of a list of widgets."""
        return [models.read(each.model, "value", self.to_lua) for each in self._models(of)]

    @export(internal=True)
    async def enable(self, of: list[Any], enabled: bool) -> None:
        """Let a person work widgets, or not."""
        for each in self._models(of):
            each.model.disabled = not enabled

    def _models(self, of: list[Any]) -> list[Widget]:
        return [each for each in of if isinstance(each, Widget)]

    @export(returns="cell: integer", internal=True)
    async def area(self, output: Any) -> int:
        """The number that output into an Output widget bears."""
        if not isinstance(output, Widget) or output.label != "Output":
            raise BadArgument("an Output widget expected")
        return self._desk.cell_of(output.model)

    @export(returns="can: boolean", internal=True)
    async def can_ask(self) -> bool:
        """Whether a person can answer in the cell that runs."""
        surface: Any = current_call.get().surface
        return bool(getattr(surface, "interactive", True))

    def handle(self, model: Any) -> Widget:
        """What Lua holds of a widget: always the same object."""
        known = self._handles.get(model.model_id)
        if known is None:
            known = self._handles[model.model_id] = Widget(model, self._desk, self)
            self._desk.held[model.model_id] = model
        return known

    def forget(self, handle: Widget) -> None:
        """Lua holds `handle` no longer."""
        for identity in [key for key, known in self._handles.items() if known is handle]:
            del self._handles[identity]

    def to_lua(self, value: object) -> object:
        """A widget among the values of traits as Lua holds it; what else is no plain value becomes text."""
        return self.handle(value) if models.is_model(value) else str(value)

    def to_model(self, value: object) -> object:
        """The other way; anything else stays what it is."""
        return value.model if isinstance(value, Widget) else value

    async def close(self) -> None:
        """End with the session."""
        self._desk.end()
