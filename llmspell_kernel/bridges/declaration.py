"""How a bridge declares itself: one `export` gives the Lua name, argument checks, completion and reference."""

from __future__ import annotations

import inspect
import re
import textwrap
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from llmspell_kernel.bridges import arguments
from llmspell_kernel.language.annotations import option, split_list
from llmspell_kernel.language.documentation import Documented, Option

_MARK = "__llmspell_export__"
_SECTION = re.compile(r"\n+(?:Args|Raises):\n(?:[ ]{4}.*(?:\n|\Z)|\n(?=[ ]{4}))+")
_ARGUMENT = re.compile(r"^(\w+): (.*(?:\n[ ]+.*)*)", re.MULTILINE)

Method = TypeVar("Method", bound=Callable[..., Any])


@dataclass(frozen=True)
class Export:
    """One function of a module."""

    module: str
    name: str
    doc: str
    example: str
    returns: str
    parameters: tuple[arguments.Parameter, ...]
    grant: str | None
    attribute: str = field(repr=False)
    method: bool = False
    """Whether it is a method of the type `module`."""
    internal: bool = False
    """Whether only the engine's own Lua calls it."""

    @property
    def qualified(self) -> str:
        """``module.name`` or ``Type:name``, as messages and the reference show it."""
        return f"{self.module}{':' if self.method else '.'}{self.name}"

    def documented(self) -> Documented:
        """The record for completion, inspection and the reference."""
        return Documented(
            name=self.qualified,
            kind="method" if self.method else "function",
            doc=self.doc,
            parameters=tuple(parameter.documented() for parameter in self.parameters),
            returns=_results(self.returns),
            example=self.example,
            grant=self.grant or "",
        )

    def bind(self, given: list[Any]) -> list[Any]:
        """Check and convert the arguments that Lua gave; raises `BadArgument` in Lua's own words."""
        return arguments.bind(self.qualified, self.parameters, given)


def export(
    name: str | None = None,
    *,
    returns: str = "",
    example: str = "",
    grant: str | None = None,
    internal: bool = False,
) -> Callable[[Method], Method]:
    """Declare a method as a function of its bridge's Lua module.

    An ``async def`` runs on the kernel's own loop: what blocks there holds up the whole notebook. A plain ``def`` may
    block; it is called in a thread of its own.

    The method's annotations say which Lua values are taken, its docstring is the reference, with an ``Args:`` section
    about the parameters. A parameter's type may be told more exactly, in LuaCATS notation, by a string:
    ``Annotated[dict[str, Any], "llm.Options"]`` (a type of `Bridge.types`, whose fields are then its options),
    ``Annotated[str, "ModelName"]`` (an id: see `language.annotations.ID_TYPES`), ``Annotated[str, '"asc"|"desc"']``.

    Args:
        name: its name in Lua; the method's own if None.
        returns: what Lua gets, in LuaCATS notation: ``string``, or with names ``tokens: integer, cost: number?``.
        example: a line of Lua that runs.
        grant: the grant it needs, for the reference; the method itself asks for it.
        internal: whether it is no member of the module in Lua: only the engine's own Lua calls it.
    """

    def mark(method: Method) -> Method:
        setattr(method, _MARK, (name or method.__name__, returns, example, grant, internal))
        return method

    return mark


def table_type(name: str, doc: str, *fields: Option, extends: str = "") -> Documented:
    """Describe a table that functions take or return, for `Bridge.types`.

    Args:
        name: its name in annotations, such as ``llm.Options``.
        doc: what it is.
        fields: its fields; make them with `language.annotations.option`.
        extends: the name of a type whose fields it has too.
    """
    return Documented(name, "type", doc, parameters=fields, type=extends)


class Bridge:
    """Base of the modules that Lua reaches by calls to the kernel process.

    A subclass sets `module`, and exports methods that take and return plain Python values.
    """

    module: typing.ClassVar[str]
    """Name of the Lua global, and for ``require``."""
    aliases: typing.ClassVar[tuple[str, ...]] = ()
    handles: typing.ClassVar[tuple[type[Handle], ...]] = ()
    """What its functions return that Lua holds by reference."""
    types: typing.ClassVar[tuple[Documented, ...]] = ()
    """Tables that its functions take or return, made by `table_type`."""
    lua_part: typing.ClassVar[str | None] = None
    """The engine's own Lua module that holds the rest of the members, such as ``lib.json``."""
    lua_more: typing.ClassVar[tuple[str, ...]] = ()
    """Further files of that module, which it loads itself; named here for the reference."""
    lua_code: typing.ClassVar[str | None] = None
    """Lua that makes further members: a chunk that is given the table of the exported functions and returns a table.

    It runs where cells do and may do no more. Comments in LuaCATS notation above its functions are the reference, and
    what their ``---@param`` lines say is checked.
    """
    elsewhere: typing.ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Where cells find members of it too: library, or an empty text for globals, and the members' names."""
    called_as: typing.ClassVar[str | None] = None
    """The member that calling the module itself calls."""
    internal: typing.ClassVar[bool] = False
    """True for what only the engine's own Lua calls."""

    async def reset(self) -> None:
        """Let go of what only the Lua state that is gone used, such as processes."""

    async def close(self) -> None:
        """Release what the bridge holds, at the end of the session."""

    @classmethod
    def lua_text(cls) -> str:
        """`lua_code` as it is run and shown: without the indentation of the class that it stands in."""
        return textwrap.dedent(cls.lua_code or "")

    @classmethod
    def exports(cls) -> tuple[Export, ...]:
        """Everything that the class exports, in order of definition."""
        return _exports_of(cls, cls.module)


class Handle:
    """Base of the objects that Lua holds by reference: what they export are methods there.

    A bridge returns one, alone or inside other values, and gets the same object back as an argument. It lives until
    Lua has collected it, whatever else becomes of the call that returned it.
    """

    type_name: typing.ClassVar[str]
    """What Lua calls the type, such as ``Agent``."""

    @property
    def label(self) -> str:
        """What ``tostring`` shows after the type; its number if empty."""
        return ""

    def mime_bundle(self) -> dict[str, Any] | None:
        """Draw it for the notebook; None leaves it to its type and label."""
        return None

    async def close(self) -> None:
        """Release what it holds: Lua no longer knows it, or the session ends."""

    @classmethod
    def exports(cls) -> tuple[Export, ...]:
        """Its methods, in order of definition."""
        return _exports_of(cls, cls.type_name, method=True)


@cache
def _exports_of(cls: type, owner: str, *, method: bool = False) -> tuple[Export, ...]:
    return tuple(
        _export_of(owner, attribute, getattr(cls, attribute), method)
        for attribute in _attributes(cls)
        if hasattr(getattr(cls, attribute), _MARK)
    )


def _attributes(cls: type) -> list[str]:
    seen: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        seen.update(dict.fromkeys(vars(base)))
    return list(seen)


def _export_of(owner: str, attribute: str, function: Any, method: bool) -> Export:
    name, returns, example, grant, internal = getattr(function, _MARK)
    hints = typing.get_type_hints(function, include_extras=True)
    whole = inspect.cleandoc(function.__doc__ or "")
    about = _arguments(whole)
    doc = _SECTION.sub("\n\n", whole + "\n").strip().replace("``", "`")
    parameters = tuple(
        _parameter(p, hints.get(p.name, Any), about.get(p.name, ""))
        for p in list(inspect.signature(function).parameters.values())[1:]
    )
    return Export(owner, name, doc, example, returns, parameters, grant, attribute, method, internal)


def _parameter(parameter: inspect.Parameter, hint: Any, doc: str) -> arguments.Parameter:
    written = ""
    if typing.get_origin(hint) is typing.Annotated:
        hint, *notes = typing.get_args(hint)
        written = next((note for note in notes if isinstance(note, str)), "")
    has_default = parameter.default is not parameter.empty
    return arguments.Parameter(
        parameter.name.rstrip("_"),
        hint,
        has_default or _allows_none(hint),
        parameter.kind is parameter.VAR_POSITIONAL,
        parameter.default if has_default else None,
        doc,
        written,
    )


def _arguments(doc: str) -> dict[str, str]:
    """What the ``Args:`` section of a docstring says of each parameter."""
    section = next(
        (found.group() for found in _SECTION.finditer(doc + "\n") if "Args:\n" in found.group()), ""
    )
    lines = textwrap.dedent(section.partition("Args:\n")[2])
    return {name: " ".join(text.split()).replace("``", "`") for name, text in _ARGUMENT.findall(lines)}


def _results(written: str) -> tuple[Option, ...]:
    """Read ``tokens: integer, cost: number?``."""
    found: list[Option] = []
    for part in split_list(written):
        name, colon, type_ = part.partition(": ")
        named = bool(colon) and name.isidentifier()
        found.append(option(name if named else "", (type_ if named else part).replace(" | ", "|")))
    return tuple(found)


def _allows_none(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType) and type(None) in typing.get_args(hint)
