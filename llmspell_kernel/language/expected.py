"""What a documented call expects at a place that is still open: which parameter, which option keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmspell_kernel.language.syntax import Index, String

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmspell_kernel.language.documentation import Documented, Option
    from llmspell_kernel.language.syntax import Expression, Opening

    EntryOf = Callable[[Expression], Documented | None]
    """Tells the documentation of what an expression stands for; see `Inference.entry`."""

_CALLBACK = re.compile(r"fun\((.*)\)")


def enclosing_key(openings: list[Opening]) -> tuple[Opening | None, list[str]]:
    """The call whose options are being written, and the keys that lead there: ``f{a = {b = {`` has a, b."""
    keys: list[str] = []
    for opening in reversed(openings):
        if opening.kind == "call":
            return opening, keys[::-1]
        if opening.kind != "table":
            return None, []
        if isinstance(opening.key, String):
            keys.append(opening.key.text)
    return None, []


def keys_at(openings: list[Opening], entry_of: EntryOf) -> tuple[Option, ...]:
    """The keys that the innermost table takes, if a documented call says."""
    call, keys = enclosing_key(openings)
    if call is None:
        return ()
    parameter = _parameter(call, entry_of)
    options = _options(parameter, call, entry_of) if parameter else ()
    for key in keys:
        options = next((option.options for option in options if option.name == key), ())
    return options


def option_at(openings: list[Opening], entry_of: EntryOf) -> Option | None:
    """The parameter or option whose value is being written: ``f(|``, ``f{ model = |``, ``f{ tools = { |``."""
    if not openings or openings[-1].kind not in ("call", "table"):
        return None
    call, keys = enclosing_key(openings)
    if call is None:
        return None
    parameter = _parameter(call, entry_of)
    if not keys:
        return parameter if openings[-1].kind == "call" else None
    options = _options(parameter, call, entry_of) if parameter else ()
    found: Option | None = None
    for key in keys:
        found = next((option for option in options if option.name == key), None)
        options = found.options if found else ()
    return found


def _parameter(call: Opening, entry_of: EntryOf) -> Option | None:
    """The documented parameter that is being written in `call`."""
    if call.base is None:
        return None
    entry = entry_of(call.base)
    return None if entry is None else parameter_at(entry, call.base, call.position)


def parameter_at(entry: Documented, function: Expression, position: int) -> Option | None:
    """The parameter of argument number `position`, from 0, of a call of `function`.

    ``s:rep(3)`` gives its first argument to the second parameter of ``string.rep``.
    """
    called_as_method = isinstance(function, Index) and function.method
    if called_as_method and entry.kind != "method":
        position += 1
    if position < len(entry.parameters):
        return entry.parameters[position]
    last = entry.parameters[-1] if entry.parameters else None
    return last if last is not None and last.name == "..." else None


def _options(parameter: Option, call: Opening, entry_of: EntryOf) -> tuple[Option, ...]:
    """The options of a parameter; functions that take them in either of two places have them at one."""
    if parameter.options or call.base is None:
        return parameter.options
    entry = entry_of(call.base)
    if entry is None or len(call.items) > 1:
        return ()
    return next((other.options for other in entry.parameters if other.options), ())


def callback_parameter(option: Option, position: int) -> str:
    """The type of parameter `position`, from 0, of a function that `option` takes: ``fun(text: string)``."""
    found = _CALLBACK.search(option.type)
    parameters = found.group(1).split(",") if found else []
    return parameters[position].partition(":")[2].strip() if position < len(parameters) else ""
