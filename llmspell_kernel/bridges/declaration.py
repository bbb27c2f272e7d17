"""How a bridge declares itself: one `export` gives the Lua name, argument checks, completion and reference."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from llmspell_kernel.bridges import arguments
from llmspell_kernel.language.documentation import Documented, Option

_MARK = "__llmspell_export__"

Method = TypeVar("Method", bound=Callable[..., Awaitable[Any]])


@dataclass(frozen=True)
class Parameter:
    """One parameter of an exported function, as Lua sees it."""

    name: str
    annotation: Any
    optional: bool
    variadic: bool
    default: Any = None
    """What is taken for nil."""

    @property
    def lua_type(self) -> str:
        """The Lua types that it takes, such as ``string or table``."""
        return arguments.describe(self.annotation)


@dataclass(frozen=True)
class Export:
    """One function of a module."""

    module: str
    name: str
    doc: str
    example: str
    returns: str
    parameters: tuple[Parameter, ...]
    grant: str | None
    attribute: str = field(repr=False)
    method: bool = False
    """Whether it is a method of the type `module`."""

    @property
    def qualified(self) -> str:
        """``module.name`` or ``Type:name``, as messages and the reference show it."""
        return f"{self.module}{':' if self.method else '.'}{self.name}"

    @property
    def signature(self) -> str:
        """Such as ``llm.chat(prompt: string or table, options?: table) -> string``."""
        shown = [
            "..." if p.variadic else f"{p.name}{'?' if p.optional else ''}: {p.lua_type}"
            for p in self.parameters
        ]
        return f"{self.qualified}({', '.join(shown)})" + (f" -> {self.returns}" if self.returns else "")

    def documented(self) -> Documented:
        """The record for completion, inspection and the reference."""
        return Documented(
            name=self.qualified,
            kind="method" if self.method else "function",
            doc=self.doc,
            parameters=tuple(
                Option("..." if p.variadic else p.name, p.lua_type.replace(" or ", "|"), optional=p.optional)
                for p in self.parameters
            ),
            returns=(Option("", self.returns),) if self.returns else (),
            example=self.example,
            grant=self.grant or "",
        )

    def bind(self, given: list[Any]) -> list[Any]:
        """Check and convert the arguments that Lua gave; raises `BadArgument` in Lua's own words."""
        return arguments.bind(self.qualified, self.parameters, given)


def export(
    name: str | None = None, *, returns: str = "", example: str = "", grant: str | None = None
) -> Callable[[Method], Method]:
    """Declare an async method as a function of its bridge's Lua module.

    The method's annotations say which Lua values are taken, its docstring is the reference.

    Args:
        name: its name in Lua; the method's own if None.
        returns: what Lua gets, in LuaCATS notation.
        example: a line of Lua that runs.
        grant: the grant it needs, for the reference; the method itself asks for it.
    """

    def mark(method: Method) -> Method:
        setattr(method, _MARK, (name or method.__name__, returns, example, grant))
        return method

    return mark


class Bridge:
    """Base of the modules that Lua reaches by calls to the kernel process.

    A subclass sets `module`, and exports async methods that take and return plain Python values.
    """

    module: typing.ClassVar[str]
    """Name of the Lua global, and for ``require``."""
    aliases: typing.ClassVar[tuple[str, ...]] = ()
    handles: typing.ClassVar[tuple[type[Handle], ...]] = ()
    """What its functions return that Lua holds by reference."""
    lua_part: typing.ClassVar[str | None] = None
    """The engine's own Lua module that holds the rest of the members, such as ``lib.json``."""
    called_as: typing.ClassVar[str | None] = None
    """The member that calling the module itself calls."""
    internal: typing.ClassVar[bool] = False
    """True for what only the engine's own Lua calls."""

    async def close(self) -> None:
        """Release what the bridge holds, at the end of the session."""

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

    async def close(self) -> None:
        """Release what it holds: Lua no longer knows it, or the session ends."""

    @classmethod
    def exports(cls) -> tuple[Export, ...]:
        """Its methods, in order of definition."""
        return _exports_of(cls, cls.type_name, method=True)


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
    name, returns, example, grant = getattr(function, _MARK)
    hints = typing.get_type_hints(function)
    parameters = tuple(
        Parameter(
            p.name.rstrip("_"),
            hints.get(p.name, Any),
            p.default is not p.empty or _allows_none(hints.get(p.name)),
            p.kind is p.VAR_POSITIONAL,
            None if p.default is p.empty else p.default,
        )
        for p in list(inspect.signature(function).parameters.values())[1:]
    )
    doc = inspect.cleandoc(function.__doc__ or "")
    return Export(owner, name, doc, example, returns, parameters, grant, attribute, method)


def _allows_none(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType) and type(None) in typing.get_args(hint)
