"""The bridges of one session: loading, declarations for the engine, and dispatch of calls."""

from __future__ import annotations

import asyncio
import inspect
import logging
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from llmspell_kernel.bridges import installed
from llmspell_kernel.bridges.declaration import Handle
from llmspell_kernel.errors import BadArgument, SpellError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llmspell_kernel.bridges.declaration import Bridge, Export
    from llmspell_kernel.bridges.programs import Program
    from llmspell_kernel.config import Settings
    from llmspell_kernel.engine.values import CallbackRef
    from llmspell_kernel.grants import Grants, Kind
    from llmspell_kernel.language.documentation import Documented
    from llmspell_kernel.llm.models import Models

T = TypeVar("T")

_log = logging.getLogger("llmspell")


class Surface(Protocol):
    """Where a bridge call shows things and asks: the cell that made the call."""

    def stream(self, name: str, text: str) -> None:
        """Write to the cell's stdout or stderr."""
        ...

    def display(
        self, bundle: dict[str, Any], metadata: dict[str, Any], display_id: str | None, update: bool
    ) -> None:
        """Show a MIME bundle, or update the one shown under `display_id`."""
        ...

    def clear(self, wait: bool) -> None:
        """Clear the cell's output; with `wait`, when the next output comes."""
        ...

    async def ask(self, prompt: str, password: bool) -> str:
        """Ask the person; raises `SpellError` where nobody can answer."""
        ...


class AreaSurface(Surface, Protocol):
    """A place beside the cells."""

    def flush(self) -> None:
        """Show now what waits to be shown."""
        ...


class Host(Protocol):
    """The session, as bridges see it."""

    @property
    def settings(self) -> Settings:
        """The session's settings."""
        ...

    @property
    def models(self) -> Models:
        """The session's language models."""
        ...

    @property
    def grants(self) -> Grants:
        """What the session may do right now, for listing; before doing anything, use `granted`."""
        ...

    async def granted(self, check: Callable[[Grants], T], why: str = "") -> T:
        """Return what `check` returns for the session's grants; it raises `MissingGrant` where one is missing.

        The person is then asked in the cell that made the call, and `check` is run again with what they allowed.
        Call it in the task of the bridge call: "once" holds until that call has ended.

        Args:
            check: One of the checks of `Grants`, such as ``lambda grants: grants.target(url)``.
            why: What the call is, such as ``http.get``: the person is told.

        Raises:
            MissingGrant: They refused, or there is nobody to ask.
        """
        ...

    async def require(self, kind: Kind, value: str, why: str = "") -> None:
        """As `granted`, for the kinds whose entries are names: ``env``, ``tools``, ``mcp``, ``providers``."""
        ...

    def narrow(self, entries: Mapping[Kind, Sequence[str]]) -> None:
        """From now on allow only what `entries` allow as well; raises `BadArgument`."""
        ...

    def acted(self, what: str) -> None:
        """Note that something happened outside of the session which undo cannot take back.

        Args:
            what: One short line without secrets, such as ``POST https://example.org/x``.
        """
        ...

    async def run_program(self, program: Program) -> Any:
        """Run a spell in a fresh state, for the bridge call of this task; returns what it returned or its outputs.

        Raises:
            SpellFailed: It raised, was stopped by a limit, or ended with an exit code.
            BadArgument: Too many run inside each other, or its grants are not well-formed.
        """
        ...

    async def explain(self, name: str, described: dict[str, Any] | None = None) -> dict[str, Any]:
        """What is known of a name as a MIME bundle, or of a value that introspect.lua described."""
        ...

    async def invoke(self, callback: CallbackRef | int, *arguments: Any, cell: int = 0) -> list[Any]:
        """Call a Lua function that Lua passed out; returns its results, raises `SpellError` if it raised.

        Lua holds the function for as long as the `CallbackRef` lives. What it writes goes to `cell`, which may be an
        area, or to the cell that passed it out.
        """
        ...

    def notify(self, callback: CallbackRef, *arguments: Any) -> None:
        """Call a Lua function and wait for nothing: what it raises is shown in the cell that passed it out.

        For what happens when no call of Lua's waits any more, such as a message that comes in.
        """
        ...

    def open_area(self, surface: AreaSurface) -> int:
        """Give `surface` a number that `invoke` takes as a cell."""
        ...

    def close_area(self, number: int) -> None:
        """Forget an area: what is still written there is dropped."""
        ...

    def learned(self, chunk: str, source: str) -> None:
        """Note the source of a file that Lua is about to run, for the lines of tracebacks."""
        ...

    def told(self, error: SpellError) -> tuple[str, str, list[str]]:
        """An error as a notebook shows it: its name, its message, and the lines of its traceback."""
        ...

    def handle_bundle(self, type_name: str, number: int) -> dict[str, Any] | None:
        """The MIME bundle of a bridge object that Lua holds, None if it has none of its own."""
        ...


_MOST_WARNINGS = 1000
"""Of a session: a spell that makes up wrong names for ever does not fill the kernel's memory."""


@dataclass(frozen=True)
class CallContext:
    """The call that is running in this asyncio task."""

    cell: int
    surface: Surface
    warned: set[str] = field(default_factory=set[str])
    """What the session has warned of already."""
    called: str = ""
    """The function that the bridge knows."""
    shown: str = ""
    """What the spell called instead; empty if that is the same."""

    def named(self, message: str) -> str:
        """A message about the function that was called, by the name that the spell knows."""
        return message.replace(f"'{self.called}'", f"'{self.shown}'") if self.shown else message

    def warn(self, message: str) -> None:
        """Show a warning in the cell, once in a session; after very many no more are shown."""
        message = self.named(message)
        if message not in self.warned and len(self.warned) < _MOST_WARNINGS:
            self.warned.add(message)
            self.surface.stream("stderr", f"warning: {message}\n")


current_call: ContextVar[CallContext] = ContextVar("current_call")


class Results(tuple[Any, ...]):
    """Several results of one call; a method that returns anything else has one result."""


def installed_bridges() -> list[type[Bridge]]:
    """Return every bridge class that an installed package offers; one that does not work is logged and left out."""
    return installed.find().bridges


class Registry:
    """The bridges of one session."""

    def __init__(self, host: Host, classes: list[type[Bridge]]) -> None:
        self._bridges: dict[str, Bridge] = {}
        self._exports: dict[str, dict[str, Export]] = {}
        self._classes: tuple[type[Bridge], ...] = ()
        self.problems: list[str] = []
        """Of each bridge that could not be made, why."""
        for cls in classes:
            factory = cast("Callable[[Host], Bridge]", cls)  # each subclass has this constructor
            try:
                self._bridges[cls.module] = factory(host)
            except Exception as error:
                _log.exception("the bridge '%s' cannot be made", cls.module)
                told = f"making it failed ({type(error).__name__}); the kernel's log has the details"
                self.problems.append(f"the module '{cls.module}' is left out: {told}")
                continue
            self._classes = (*self._classes, cls)
            self._exports[cls.module] = {export.name: export for export in cls.exports()}
            for handle in cls.handles:
                self._exports[handle.type_name] = {export.name: export for export in handle.exports()}

    def declarations(self) -> list[dict[str, Any]]:
        """What ``bridge.lua`` needs to make the module tables."""
        return [
            {
                "name": name,
                "aliases": list(bridge.aliases),
                "functions": [export.name for export in self._exports[name].values() if not export.internal],
                **({"lua": bridge.lua_part} if bridge.lua_part else {}),
                **(_own_lua(bridge) if bridge.lua_code else {}),
                **({"call": bridge.called_as} if bridge.called_as else {}),
                "types": [
                    {"name": t.type_name, "methods": list(self._exports[t.type_name])} for t in bridge.handles
                ],
            }
            for name, bridge in self._bridges.items()
            if not bridge.internal
        ]

    def sources(self) -> dict[str, str]:
        """The Lua that bridges bring, by chunk name."""
        return {f"{name}.lua": bridge.lua_text() for name, bridge in self._bridges.items() if bridge.lua_code}

    def exports(self) -> list[Export]:
        """Every declared function a spell may call."""
        return [
            export
            for name, bridge in self._bridges.items()
            if not bridge.internal
            for export in self._exports[name].values()
            if not export.internal
        ]

    def documentation(self) -> list[Documented]:
        """What the declarations and the modules' own Lua document, one record a name."""
        from llmspell_kernel.bridges.reference import reference

        return reference(self._classes)

    def aliases(self) -> dict[str, str]:
        """Other names of modules."""
        from llmspell_kernel.bridges.reference import aliases

        return aliases(self._classes)

    async def call(self, module: str, function: str, given: list[Any]) -> list[Any]:
        """Run one bridge call; returns its results.

        Raises:
            SpellError: what Lua is told, by raising or as ``nil, err``.
        """
        export = self._exports.get(module, {}).get(function)
        if export is None:
            raise BadArgument(f"there is no function '{module}.{function}'")
        if export.method:
            target, *given = given
            if not isinstance(target, Handle):
                raise BadArgument(f"this {module} is gone: the cell that made it was undone")
        else:
            target = self._bridges[module]
        method = getattr(target, export.attribute)
        try:
            result = await _called(method, export.bind(given))
        except (SpellError, GeneratorExit):
            raise
        except BaseException as error:  # what a bridge raises ends its call, never the kernel
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                raise
            _log.exception("%s failed inside", export.qualified)
            raise SpellError(
                f"{export.qualified} failed inside the kernel ({type(error).__name__}); its log has the details",
                code="internal",
            ) from error
        return list(result) if isinstance(result, Results) else [result]

    async def reset(self) -> None:
        """Tell every bridge that the Lua state is a fresh one."""
        for name, bridge in self._bridges.items():
            try:
                await bridge.reset()
            except Exception:
                _log.exception("resetting the bridge '%s' failed", name)

    async def close(self) -> None:
        """Close every bridge; a fault in one does not keep the others open."""
        for name, bridge in self._bridges.items():
            try:
                await bridge.close()
            except Exception:
                _log.exception("closing the bridge '%s' failed", name)


def _own_lua(bridge: Bridge) -> dict[str, Any]:
    from llmspell_kernel.bridges.lua_source import declared  # parses: loaded for bridges that need it

    return declared(type(bridge))


async def _called(method: Callable[..., Any], given: list[Any]) -> Any:
    """Call an exported method: a plain one may block, so it is called in a thread."""
    if inspect.iscoroutinefunction(method):
        return await method(*given)

    def call() -> Any:
        try:
            return method(*given)
        except StopIteration as error:  # no future can hold one
            raise RuntimeError("StopIteration") from error

    result = await asyncio.to_thread(call)
    return await result if inspect.isawaitable(result) else result


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
