"""ipywidgets as the bridges see it: the one place that knows its classes and how its values look in Lua.

The library is loaded when the first widget is made; it takes a quarter of a second.
"""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Protocol, cast

from llmspell_kernel.engine.values import CallbackRef
from llmspell_kernel.errors import BadArgument

_DATES: dict[str, Callable[[str], object]] = {
    "Date": datetime.date.fromisoformat,
    "Datetime": datetime.datetime.fromisoformat,
    "NaiveDatetime": datetime.datetime.fromisoformat,
    "Time": datetime.time.fromisoformat,
}
_WORDS = (
    ("the NoneType None|None", "nil"),
    ("the bool True", "true"),
    ("the bool False", "false"),
    ("an int", "an integer"),
    ("a float", "a number"),
    ("(the|a) (tuple|list)", r"\1 list"),
    ("(the|a) dict", r"\1 table"),
    ("the str", "the string"),
    ("the (int|float)", "the number"),
)
"""Python's words in the library's messages, and Lua's."""
_LONGEST = 300
"""Characters of such a message."""
_TEXTS = ("Button", "ToggleButton", "Checkbox", "Valid")
"""What a single string describes; of all others it is the value."""


class Model(Protocol):
    """An ``ipywidgets.Widget``."""

    model_id: str
    comm: Any
    keys: list[str]
    _property_lock: Mapping[str, object]

    def traits(self) -> dict[str, Any]: ...  # noqa: D102

    def trait_values(self) -> dict[str, Any]: ...  # noqa: D102

    def observe(self, handler: Callable[[Any], None], names: object) -> None: ...  # noqa: D102

    def unobserve(self, handler: Callable[[Any], None], names: object) -> None: ...  # noqa: D102

    def on_msg(self, callback: Callable[..., None]) -> None: ...  # noqa: D102

    def send(self, content: object) -> None: ...  # noqa: D102

    def close(self) -> None: ...  # noqa: D102


def load() -> Any:
    """The library; the first call takes a while."""
    return import_module("ipywidgets")


def take_control(control: Any, message: dict[str, Any]) -> None:
    """Answer a page that asks for the state of all widgets; without the library loaded there are none."""
    if "ipywidgets" in sys.modules:
        load().Widget.handle_control_comm_opened(control, message)
        return

    def answer(message: dict[str, Any]) -> None:
        if message["content"]["data"].get("method") == "request_states":
            control.send({"method": "update_states", "states": {}, "buffer_paths": []})

    control.on_msg(answer)


def make(name: str, options: object, to_model: Callable[[object], object]) -> Model:
    """Make a widget of the class `name`.

    Args:
        name: Such as ``IntSlider``.
        options: Traits by name; a list of children, or a string that describes it or is its value.
        to_model: Gives the model for a widget that Lua passed.

    Raises:
        BadArgument: There is no such class or trait, or a value does not fit.
    """
    cls = _class_of(name)
    given = _named(name, cls, options)
    known = {
        *cast("list[str]", cls.class_trait_names()),
        *(["options"] if hasattr(cls, "_options_full") else []),
    }
    traits = cls.class_traits()
    values: dict[str, object] = {}
    for key, value in given.items():
        if key not in known:
            raise BadArgument(f"{name} has no option '{key}'{_nearest(key, known)}")
        values[key] = _taken(key, value, traits.get(key), to_model)
    try:
        return cast("Model", cls(**values))
    except Exception as error:  # traitlets and each class have errors of their own
        raise BadArgument(f"{name}: {_said(error)}") from error


def _class_of(name: str) -> Any:
    library = load()
    cls = getattr(library, name, None)
    if not (isinstance(cls, type) and issubclass(cls, library.Widget)):
        names = [each for each in dir(library) if isinstance(getattr(library, each), type)]
        raise BadArgument(f"there is no widget '{name}'{_nearest(name, names)}")
    return cls


def _named(name: str, cls: Any, options: object) -> dict[str, object]:
    traits = cls.class_traits()
    if isinstance(options, str | bytes):
        return {"description" if name in _TEXTS or "value" not in traits else "value": options}
    if isinstance(options, Mapping):
        given = cast("Mapping[object, object]", options)
        items = [given[key] for key in given if isinstance(key, int)]
        named = {str(key): value for key, value in given.items() if not isinstance(key, int)}
    elif options is None or isinstance(options, list | tuple):
        items, named = list(cast("Iterable[object]", options or ())), {}
    else:
        return {"value" if "value" in traits else "description": options}
    if items:
        named.setdefault("children" if "children" in traits else "value", items)
    return named


def _nearest(name: str, names: Iterable[str]) -> str:
    visible = sorted(each for each in names if not each.startswith("_"))
    found = get_close_matches(name, visible, 1, 0.5)
    return f"; did you mean '{found[0]}'?" if found else ""


def _said(error: Exception) -> str:
    """What an error of the library says, with Lua's names of types; of a long one how it begins."""
    said = " ".join(str(error).split())
    for python, lua in _WORDS:
        said = re.sub(rf"\b{python}\b", lua, said)
    return said if len(said) <= _LONGEST else said[:_LONGEST] + "..."


def read(model: Model, name: str, to_lua: Callable[[object], object]) -> object:
    """Read a trait as Lua has it; raises `BadArgument` if there is none of that name."""
    traits = model.traits()
    if name.startswith("_") or (name not in traits and not hasattr(type(model), name)):
        raise BadArgument(f"{class_name(model)} has no field '{name}'{_nearest(name, traits)}")
    return shown(getattr(model, name), to_lua)


def write(model: Model, name: str, value: object, to_model: Callable[[object], object]) -> None:
    """Set a trait; raises `BadArgument` if there is none of that name, or the value does not fit."""
    traits = model.traits()
    if name.startswith("_") or name not in {*traits, "options"}:
        raise BadArgument(f"{class_name(model)} has no field '{name}'{_nearest(name, traits)}")
    try:
        setattr(model, name, _taken(name, value, traits.get(name), to_model))
    except BadArgument:
        raise
    except Exception as error:
        raise BadArgument(f"{class_name(model)}: {_said(error)}") from error


def _taken(name: str, value: object, trait: Any, to_model: Callable[[object], object]) -> object:
    """A value of Lua's as the trait `name` wants it."""
    kind = type(trait).__name__
    if name == "options":
        return _choices(value)
    if isinstance(value, str) and kind in _DATES:
        try:
            return _DATES[kind](value)
        except ValueError as error:
            such = "12:30" if kind == "Time" else "2024-12-31"
            raise BadArgument(f"'{name}' is a {kind.lower()} such as {such}, not '{value[:60]}'") from error
    if isinstance(value, str) and "Memory" in kind:
        return value.encode()
    if value == {} and hasattr(trait, "klass") and issubclass(trait.klass, list | tuple):
        return []
    return _models(value, to_model)


def _models(value: object, to_model: Callable[[object], object]) -> object:
    if isinstance(value, CallbackRef):
        raise BadArgument("a function cannot be a value of a widget; observe it instead")
    if isinstance(value, Mapping):
        return {key: _models(each, to_model) for key, each in cast("Mapping[Any, object]", value).items()}
    if isinstance(value, list):
        return [_models(each, to_model) for each in cast("list[object]", value)]
    return to_model(value)


def _choices(value: object) -> object:
    """Choices: a list of values, of pairs of a label and a value, or a table of values by label, sorted."""
    if isinstance(value, Mapping):
        return sorted((str(key), each) for key, each in cast("Mapping[object, object]", value).items())
    choices = cast("list[Any]", value) if isinstance(value, list) else []
    return [tuple(cast("list[Any]", each)) if isinstance(each, list) else each for each in choices]


def shown(value: object, to_lua: Callable[[object], object]) -> object:
    """A value of a trait as Lua has it."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, memoryview):
        return value.tobytes()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Mapping):
        entries = cast("Mapping[Any, object]", value).items()
        return {key: shown(each, to_lua) for key, each in entries}
    if isinstance(value, Sequence):
        return [shown(each, to_lua) for each in cast("Sequence[object]", value)]
    return to_lua(value)


def is_model(value: object) -> bool:
    """Whether `value` is a widget."""
    return isinstance(value, load().Widget)


def class_name(model: Model) -> str:
    """The name that Lua made it by."""
    return type(model).__name__


def is_from_page(model: Model) -> bool:
    """Whether what changes just now came from the page."""
    return bool(model._property_lock)  # pyright: ignore[reportPrivateUsage] its own code knows it by nothing else


def inner(model: Model) -> list[Model]:
    """The widgets that `model` holds: children, layout, style and others."""
    held: list[Any] = []
    for value in model.trait_values().values():
        held += cast("Sequence[Any]", value) if isinstance(value, tuple | list) else (value,)
    return [each for each in held if is_model(each)]


def summary(model: Model) -> str:
    """One line: the class and the fields that a person set, as Lua writes them."""
    from llmspell_kernel.display.snapshot import from_plain
    from llmspell_kernel.display.text import render_text

    children = getattr(model, "children", None)
    if children is not None:
        return f"{class_name(model)}{{{', '.join(class_name(child) for child in children)}}}"
    defaults = model.traits()
    fields: list[str] = []
    for key in ("description", "value", "min", "max"):
        value = getattr(model, key, None)
        if key not in defaults or value is None or value == "" or isinstance(value, bytes | memoryview):
            continue
        plain = shown(value, str)
        text = " ".join(render_text(from_plain(plain)).split())
        fields.append(f"{key}={text if len(text) <= 80 else text[:79] + '…'}")
    return f"{class_name(model)}{{{', '.join(fields)}}}"
