"""Checking what Lua passed against a method's annotations, in the words that Lua itself uses.

Annotations may be the types of plain values, ``CallbackRef``, a `Handle` class, ``Literal``, an enumeration (Lua gives
its values), a dataclass or ``TypedDict`` (Lua gives a table), unions of these, and lists, tuples and dicts of them,
whose items are checked too.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import types
import typing
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from llmspell_kernel.engine.values import CallbackRef, HandleRef
from llmspell_kernel.errors import BadArgument
from llmspell_kernel.language.annotations import option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llmspell_kernel.language.documentation import Option

_LUA_NAMES: dict[Any, str] = {
    str: "string",
    bytes: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "table",
    dict: "table",
    CallbackRef: "function",
    HandleRef: "object",
    type(None): "nil",
    Any: "any",
    object: "any",
}
_LISTS = frozenset(
    {list, tuple, collections.abc.Sequence, collections.abc.Collection, collections.abc.Iterable}
)
_MAPS = frozenset({dict, collections.abc.Mapping, collections.abc.MutableMapping})


class _Unfit(Exception):
    """A value that is not of its type; `path` leads to it from the argument."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path


# ── annotations ──────────────────────────────────────────────────────────────────────────────────


@cache
def _arms(annotation: Any) -> tuple[Any, ...]:
    """The annotation, or what a union is of."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return tuple(arm for part in typing.get_args(annotation) for arm in _arms(part))
    if typing.get_origin(annotation) in (typing.Annotated, typing.Required, typing.NotRequired):
        return _arms(typing.get_args(annotation)[0])
    return (annotation,)


@cache
def _base(arm: Any) -> Any:
    """The class that stands for an arm: ``list`` for ``Sequence[int]``, ``dict`` for a dataclass."""
    origin = typing.get_origin(arm) or arm
    if origin in _LISTS:
        return list
    return dict if origin in _MAPS or _fields(origin) is not None else origin


def _name_of(base: Any) -> str:
    return _LUA_NAMES.get(base) or getattr(base, "type_name", "table")


def _words(arm: Any) -> list[str]:
    """How the values that an arm takes are told: types, or the values themselves."""
    values = _choices(arm)
    if values is not None:
        return [f'"{value}"' if isinstance(value, str) else str(value).lower() for value in values]
    return [_name_of(_base(arm))]


@cache
def _choices(arm: Any) -> tuple[Any, ...] | None:
    if typing.get_origin(arm) is typing.Literal:
        return typing.get_args(arm)
    if isinstance(arm, type) and issubclass(arm, enum.Enum):
        return tuple(member.value for member in arm)
    return None


@cache
def _fields(base: Any) -> dict[str, tuple[Any, bool]] | None:
    """Type of each field of a dataclass or ``TypedDict``, and whether it has to be there; None for anything else."""
    if typing.is_typeddict(base):
        hints = typing.get_type_hints(base)
        return {name: (hint, name in base.__required_keys__) for name, hint in hints.items()}
    if not isinstance(base, type) or not dataclasses.is_dataclass(base):
        return None
    hints = typing.get_type_hints(base)
    missing = dataclasses.MISSING
    return {
        field.name: (hints[field.name], field.default is missing and field.default_factory is missing)
        for field in dataclasses.fields(base)
        if field.init
    }


def describe(annotation: Any) -> str:
    """Return the Lua types that `annotation` takes, such as ``string or table``."""
    names = dict.fromkeys(word for arm in _arms(annotation) if arm is not type(None) for word in _words(arm))
    return " or ".join(names)


def unusable(annotation: Any) -> str | None:
    """Return the name of what in an annotation no value from Lua can be; None if all is well."""
    for arm in _arms(annotation):
        base, choices = _base(arm), _choices(arm)
        parts: tuple[Any, ...] = ()
        if choices is None:
            fields = _fields(typing.get_origin(arm) or arm)
            if base not in _LUA_NAMES and not hasattr(base, "type_name"):
                return getattr(arm, "__name__", None) or str(arm)
            parts = tuple(hint for hint, _ in fields.values()) if fields else typing.get_args(arm)
        problem = next((found for part in parts if part is not ... and (found := unusable(part))), None)
        if problem is not None:
            return problem
    return None


def lua_type(value: Any) -> str:
    """Return the name of the Lua type that `value` came from."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return _name_of(cast("Any", type(value)))


# ── values ───────────────────────────────────────────────────────────────────────────────────────


def _fits(value: Any, base: Any) -> bool:
    if base in (Any, object):
        return True
    if base is bool or isinstance(value, bool):
        return base is bool and isinstance(value, bool)
    if base is float:
        return isinstance(value, int | float)
    if base is int:
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if base is str:
        return isinstance(value, (str, int | float))
    if base is bytes:
        return isinstance(value, bytes | str)
    if base is list:
        return isinstance(value, list) or value == {}
    if base is dict:
        return isinstance(value, dict) or value == []
    return isinstance(value, base)


def _convert(value: Any, base: Any) -> Any:
    if base is int and isinstance(value, float):
        return int(value)
    if base is float and not isinstance(value, bool):
        return float(value)
    if base is str and isinstance(value, int | float):
        return format_number(value)
    if base is bytes and isinstance(value, str):
        return value.encode()
    if base is list and value == {}:
        return []
    if base is dict and value == []:
        return {}
    return value


def format_number(value: float) -> str:
    """Return `value` as Lua's ``tostring`` shows it."""
    if isinstance(value, int):
        return str(value)
    shown = f"{value:.14g}"
    return shown if any(mark in shown for mark in ".eni") else shown + ".0"


def check(value: Any, annotation: Any) -> tuple[bool, Any]:
    """Return whether `value` fits `annotation`, and the value converted to the arm that takes it."""
    try:
        return True, _fitted(value, annotation)
    except _Unfit:
        return False, value


def _fitted(value: Any, annotation: Any) -> Any:
    """Return `value` converted to the arm of `annotation` that takes it; raises `_Unfit`."""
    arms = _arms(annotation)
    inner: _Unfit | None = None
    for fits in (_exact, _fits):
        for arm in arms:
            choices = _choices(arm)
            if choices is not None:
                chosen = [one for one in choices if type(one) is type(value) and one == value]
                if chosen:
                    return arm(chosen[0]) if isinstance(arm, type) else chosen[0]
            elif fits(value, _base(arm)):
                try:
                    return _inside(_convert(value, _base(arm)), arm)
                except _Unfit as problem:
                    inner = problem
    raise inner or _Unfit(_mismatch(annotation, value))


def _mismatch(annotation: Any, value: Any) -> str:
    """Tell that `annotation` does not take `value`."""
    expected = describe(annotation)
    if isinstance(value, str) and any(map(_choices, _arms(annotation))):
        return f'{expected} expected, got "{value[:40]}"'
    if isinstance(value, dict) and "table" in expected:  # both are tables
        return f"{expected.replace('table', 'list')} expected, got a table whose keys are not 1..n"
    if isinstance(value, list) and "table" in expected:
        return f"{expected.replace('table', 'table with names')} expected, got a list"
    return f"{expected} expected, got {_shown(value)}"


def _inside(value: Any, arm: Any) -> Any:
    """Return a list or table with its items converted; raises `_Unfit`, with the way to the item."""
    make = _maker(arm)
    return value if make is None else make(value)


@cache
def _maker(arm: Any) -> Callable[[Any], Any] | None:
    """What converts the items of a list or table; None where there is nothing to convert."""
    origin, parts = typing.get_origin(arm) or arm, typing.get_args(arm)
    fields = _fields(origin)
    if fields is not None:
        return lambda value: _record(value, origin, fields)
    if origin is tuple:
        return lambda value: _tuple(value, parts)
    if origin in _LISTS and parts and parts[0] is not Any:
        return lambda value: [_item(item, parts[0], f"[{index}]") for index, item in enumerate(value, 1)]
    if origin in _MAPS and parts and parts[1] is not Any:
        return lambda value: {key: _item(item, parts[1], f".{key}") for key, item in value.items()}
    return None


def _item(value: Any, annotation: Any, step: str) -> Any:
    try:
        return _fitted(value, annotation)
    except _Unfit as problem:
        raise _Unfit(problem.problem, step + problem.path) from None


def _record(value: dict[Any, Any], base: Any, fields: dict[str, tuple[Any, bool]]) -> Any:
    unknown = next((key for key in value if key not in fields), None)
    if unknown is not None:
        raise _Unfit(f"no such field: there are {', '.join(fields)}", f".{unknown}")
    missing = next((name for name, (_, required) in fields.items() if required and name not in value), None)
    if missing is not None:
        raise _Unfit(f"{describe(fields[missing][0])} expected, got nil", f".{missing}")
    return base(**{key: _item(item, fields[key][0], f".{key}") for key, item in value.items()})


def _tuple(value: list[Any], parts: tuple[Any, ...]) -> tuple[Any, ...]:
    if not parts:
        return tuple(value)
    if len(parts) == 2 and parts[1] is ...:
        parts = (parts[0],) * len(value)
    if len(parts) != len(value):
        raise _Unfit(f"a list of {len(parts)} expected, got {len(value)}")
    return tuple(
        _item(item, part, f"[{index}]")
        for index, (item, part) in enumerate(zip(value, parts, strict=True), 1)
    )


def _shown(value: Any) -> str:
    return "a string that is not UTF-8" if isinstance(value, bytes) else lua_type(value)


def _exact(value: Any, base: Any) -> bool:
    return base not in (Any, object) and type(value) is base


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter of an exported function, as Lua sees it."""

    name: str
    annotation: Any
    optional: bool
    variadic: bool
    default: Any = None
    """What is taken for nil."""
    doc: str = ""
    written_type: str = ""
    """Its type in LuaCATS notation, where that says more than the annotation."""

    @property
    def lua_type(self) -> str:
        """The Lua types that it takes, such as ``string or table``."""
        return describe(self.annotation)

    def documented(self) -> Option:
        """The record for completion, inspection and the reference."""
        written = self.written_type or self.lua_type.replace(" or ", "|")
        name = "..." if self.variadic else self.name
        return option(name, written, self.doc, optional=self.optional or self.variadic)


def bind(function: str, parameters: Iterable[Parameter], given: list[Any]) -> list[Any]:
    """Return `given` checked and converted for `parameters`.

    Raises:
        BadArgument: ``bad argument #1 to 'llm.chat' (string or table expected, got nil)``.
    """
    bound: list[Any] = []
    for index, parameter in enumerate(parameters):
        if parameter.variadic:
            more = enumerate(given[index:], index)
            bound.extend(_argument(function, number, parameter.annotation, value) for number, value in more)
            break
        missing = index >= len(given)
        value = None if missing else given[index]
        if value is None and parameter.optional:
            bound.append(parameter.default)
        elif missing and not check(None, parameter.annotation)[0]:
            raise _refused(function, index, f"{parameter.lua_type} expected, got no value")
        else:
            bound.append(_argument(function, index, parameter.annotation, value))
    return bound


def _argument(function: str, index: int, annotation: Any, value: Any) -> Any:
    try:
        return _fitted(value, annotation)
    except _Unfit as unfit:
        where = f"{unfit.path.removeprefix('.')}: " if unfit.path else ""
        raise _refused(function, index, where + unfit.problem) from None


def _refused(function: str, index: int, problem: str) -> BadArgument:
    return BadArgument(f"bad argument #{index + 1} to '{function}' ({problem})")
