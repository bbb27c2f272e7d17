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

    @property
    def qualified(self) -> str:
        """``module.name``, as messages and the reference show it."""
        return f"{self.module}.{self.name}"

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
            kind="function",
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
    lua_part: typing.ClassVar[str | None] = None
    """The engine's own Lua module that holds the rest of the members, such as ``lib.json``."""
    call: typing.ClassVar[str | None] = None
    """The member that calling the module itself calls."""
    internal: typing.ClassVar[bool] = False
    """True for what only the engine's own Lua calls."""

    async def close(self) -> None:
        """Release what the bridge holds, at the end of the session."""

    @classmethod
    def exports(cls) -> tuple[Export, ...]:
        """Everything that the class exports, in order of definition."""
        return tuple(
            _export_of(cls.module, attribute, getattr(cls, attribute))
            for attribute in _attributes(cls)
            if hasattr(getattr(cls, attribute), _MARK)
        )


def _attributes(cls: type) -> list[str]:
    seen: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        seen.update(dict.fromkeys(vars(base)))
    return list(seen)


def _export_of(module: str, attribute: str, method: Any) -> Export:
    name, returns, example, grant = getattr(method, _MARK)
    hints = typing.get_type_hints(method)
    parameters = tuple(
        Parameter(
            p.name.rstrip("_"),
            hints.get(p.name, Any),
            p.default is not p.empty or _allows_none(hints.get(p.name)),
            p.kind is p.VAR_POSITIONAL,
        )
        for p in list(inspect.signature(method).parameters.values())[1:]
    )
    doc = inspect.cleandoc(method.__doc__ or "")
    return Export(module, name, doc, example, returns, parameters, grant, attribute)


def _allows_none(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType) and type(None) in typing.get_args(hint)
