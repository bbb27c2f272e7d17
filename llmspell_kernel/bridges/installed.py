"""Finding the bridges that installed packages offer, and telling their authors what is wrong with one."""

from __future__ import annotations

import inspect
import logging
import re
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple

from llmspell_kernel.bridges import arguments
from llmspell_kernel.bridges.declaration import Bridge, Export, Handle

ENTRY_POINTS = "llmspell.bridges"

_log = logging.getLogger("llmspell")
_OURS = "llmspell_kernel."
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        "and break do else elseif end false for function goto if in local nil not or repeat return then true "
        "until while",
    )
)
_GLOBALS = frozenset(
    re.findall(
        r"\w+",
        "_G _VERSION assert collectgarbage coroutine debug dofile error getmetatable io ipairs load loadfile "
        "loadstring math next os package pairs pcall print rawequal rawget rawlen rawset require select "
        "setmetatable string table tonumber tostring type unpack utf8 warn xpcall",
    )
)
"""Of Lua's own: a module may not take their place."""


class Installed(NamedTuple):
    """What is installed: the bridges that work, and of each that was left out why."""

    bridges: list[type[Bridge]]
    problems: list[str]


def find() -> Installed:
    """Load every bridge that a package offers as an entry point; our own first, which no other may replace."""
    found = Installed([], [])
    taken: dict[str, str] = {}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda one: (not _is_ours(one), one.name)):
        try:
            loaded: Any = point.load()
        except (Exception, SystemExit) as error:
            problem = f"it does not load: {type(error).__name__}: {_text(error)}"
            _log.exception("the bridge '%s' (%s) does not load", point.name, point.value)
        else:
            problem = None if _is_ours(point) else problem_of(loaded) or _clash(loaded, taken)
            if problem is None:
                found.bridges.append(loaded)
                taken.update(dict.fromkeys(_names(loaded), point.value))
                continue
            _log.error("the bridge '%s' (%s) is left out: %s", point.name, point.value, problem)
        found.problems.append(f"the module '{point.name}' ({point.value}) is left out: {problem}")
    return found


def problem_of(bridge: Any) -> str | None:
    """What keeps a class from being a bridge, in words for its author; None if nothing does."""
    if not isinstance(bridge, type) or not issubclass(bridge, Bridge):
        return "it is no subclass of Bridge"
    name: Any = getattr(bridge, "module", None)
    if not isinstance(name, str) or not _NAME.match(name):
        return "its `module` has to be a name in Lua"
    for alias in (name, *bridge.aliases):
        if alias in _KEYWORDS | _GLOBALS:
            return f"'{alias}' is Lua's own"
    handles: tuple[Any, ...] = bridge.handles
    for handle in handles:
        if (
            not isinstance(handle, type)
            or not issubclass(handle, Handle)
            or not _NAME.match(getattr(handle, "type_name", ""))
        ):
            return f"{handle!r:.60} in its `handles` has to be a Handle with a `type_name`"
    problem = next((found for owner in (bridge, *bridge.handles) if (found := _in_exports(owner))), None)
    if problem is None and not bridge.exports() and not bridge.lua_part and not bridge.lua_code:
        return "it exports nothing: @export() stands above each method that Lua may call"
    return problem


def _in_exports(owner: type[Bridge | Handle]) -> str | None:
    try:
        return next((found for export in owner.exports() if (found := _in_export(owner, export))), None)
    except Exception as error:
        return f"the annotations of {owner.__name__} cannot be read: {type(error).__name__}: {_text(error)}"


def _in_export(owner: type[Bridge | Handle], export: Export) -> str | None:
    function: Any = getattr(owner, export.attribute)
    if not _NAME.match(export.name) or export.name in _KEYWORDS:
        return f"'{export.name}' is no name in Lua"
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        return f"{export.qualified} is a generator: it has to return a list, or a Handle with a method for the next"
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD):
            return f"{export.qualified} takes '{parameter.name}' by name only, which Lua cannot give"
    for parameter in export.parameters:
        unusable = arguments.unusable(parameter.annotation)
        if unusable is not None:
            hint = ": functions are CallbackRef" if "Callable" in unusable else ""
            return (
                f"no value of Lua's is what {export.qualified} takes as '{parameter.name}', {unusable}{hint}"
            )
    return None


def _clash(bridge: type[Bridge], taken: dict[str, str]) -> str | None:
    return next(
        (f"'{name}' is there already, from {taken[name]}" for name in _names(bridge) if name in taken), None
    )


def _names(bridge: type[Bridge]) -> list[str]:
    return [bridge.module, *bridge.aliases, *(handle.type_name for handle in bridge.handles)]


def _is_ours(point: EntryPoint) -> bool:
    return point.value.startswith(_OURS)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(it cannot be told)"
