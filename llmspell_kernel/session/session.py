"""One notebook's life: cells run, stopped, rolled back; no Jupyter and no Lua in sight."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import ChainMap
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from llmspell_kernel.bridges import installed
from llmspell_kernel.bridges.declaration import Handle
from llmspell_kernel.bridges.registry import AreaSurface, Registry, Surface, current_call
from llmspell_kernel.engine import values, wire
from llmspell_kernel.engine.client import EngineClient
from llmspell_kernel.engine.values import CallbackRef
from llmspell_kernel.errors import BadArgument, Cancelled, EngineDied, EngineError, SpellError
from llmspell_kernel.session import problems, programs, usage
from llmspell_kernel.session.assistance import Assistance
from llmspell_kernel.session.calls import BridgeCalls
from llmspell_kernel.session.checkpoints import Checkpoints, Noted
from llmspell_kernel.session.ids import Ids
from llmspell_kernel.session.launching import engine_options, lua_limits
from llmspell_kernel.session.models import lend_models, open_models
from llmspell_kernel.session.outcome import Failed, Interrupted, Outcome, RolledBack, Succeeded
from llmspell_kernel.session.outputs import Outputs
from llmspell_kernel.session.permissions import Permissions
from llmspell_kernel.session.programs import Nesting
from llmspell_kernel.session.references import References
from llmspell_kernel.session.reuse import Reuse
from llmspell_kernel.session.stopping import Stopping
from llmspell_kernel.session.template import Template
from llmspell_kernel.session.usage import Use

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence

    from llmspell_kernel.bridges.declaration import Bridge
    from llmspell_kernel.bridges.programs import Program
    from llmspell_kernel.config import Settings
    from llmspell_kernel.engine.process import Endpoint
    from llmspell_kernel.grants import Grants, Kind
    from llmspell_kernel.language.candidates import Completions
    from llmspell_kernel.language.completeness import Completeness
    from llmspell_kernel.language.diagnostics import Diagnostic
    from llmspell_kernel.language.live import Variables
    from llmspell_kernel.llm.models import Models
    from llmspell_kernel.session.checkpoints import Point, Undone

T = TypeVar("T")
TIGHTENED_LIVE = ("time", "grace", "output")
"""The limits that a cell may tighten: those that the session itself watches, not the engine."""
_LEARN_SECONDS = 0.5
"""That a program which has ended may take to say what it compiled."""


class Session:
    """One persistent Lua state and everything around it."""

    def __init__(self, settings: Settings, bridges: list[type[Bridge]] | None = None) -> None:
        """Prepare a session.

        Args:
            settings: its settings.
            bridges: what its spells may call; what is installed, if None.
        """
        self.settings = self._opened_with = settings
        found = installed.find() if bridges is None else installed.Installed(bridges, [])
        self._bridges = found.bridges
        self._client = EngineClient(self, engine_options(settings))
        self._template = Template(engine_options(settings))
        self._registry = Registry(self, self._bridges)
        self._untold = [*found.problems, *self._registry.problems] if bridges is None else []
        """What is wrong with bridges of other packages, until a cell can show it."""
        self._references = References(self._forget, settings)
        self._client.decoder = self._references.decoder
        self._warned: set[str] = set()
        self._outputs = Outputs(lambda: self.settings.limits.output)
        self._calls = BridgeCalls(
            self._registry, self._references, self._outputs.surface, self._send, self._warned
        )
        self.checkpoints = Checkpoints(
            self._client, settings, self._note, self._calls.forked, self._references.uncheckpointed
        )
        self.permissions = Permissions(
            settings.grants, asks=settings.asks, running=lambda: self._stopping.cell
        )
        self._models: Models | None = None
        self.sources: dict[str, str] = {}
        """Source of each cell that ran, by chunk name; of repeated names the last."""
        self._files: dict[str, str] = self._registry.sources()
        """Source of each file that cells loaded, and of the Lua of bridges, by chunk name."""
        self._texts = ChainMap(self.sources, self._files)
        self.memory_used = 0
        """Bytes that Lua held when the last cell ended."""
        self.used = Use()
        """What the last cell used."""
        self.programs = Reuse()
        """How often programs in fresh states ran what had been compiled before."""
        self._last_cell = 0
        self._cell_names: dict[int, str] = {}
        self._stopping = Stopping(self._client, lambda: self.settings.limits)
        self._going_back = False
        self._token = secrets.token_hex(4)
        self.nesting = Nesting()
        """How deep it is among programs that run each other."""
        self._outer: Session | None = None
        """The session whose program this is."""
        self._pay: Callable[[int], None] | None = None
        """Counts the instructions of this program as those of the cell that runs it."""
        self.ids = Ids(settings, self._registry, lambda: self.models, lambda: self.grants, self.query)
        self._help = Assistance(
            self._registry, self.sources, self._warned, self.query, lambda: self.running, self.ids
        )

    # ── life ─────────────────────────────────────────────────────────────────────────────────────

    async def start(self, endpoint: Endpoint | None = None) -> None:
        """Start the engine, or take over the one at `endpoint`; raises `EngineError`."""
        await self._client.start(endpoint)
        options = {
            "modules": self._registry.declarations(),
            "session_locals": self.settings.cells.session_locals,
            "limits": lua_limits(self.settings),
            "token": self._token,
        }
        self._client.send(wire.Configure(values.encode_raw(options)))
        if self.checkpoints.enabled:
            self._template.take(self._client)
        self.checkpoints.take(self.memory_used)

    async def reset(self) -> None:
        """Begin again with a fresh Lua state."""
        await self._let_go()
        await self._registry.reset()
        self.sources.clear()
        self._warned.clear()
        self.memory_used = 0
        try:
            await self._start_from(self._template)
        except EngineError:
            await self._template.close()
            await self._client.close()
            await self.start()

    async def _start_from(self, template: Template) -> None:
        """Start with a copy of the template; raises `EngineError`."""
        try:
            await self._client.branch(await template.copy())
        except EngineError:  # a copy that was there in advance may have been killed meanwhile
            await self._client.branch(await template.copy())
        await self._renew(random=True)
        self.checkpoints.take(self.memory_used)

    async def _renew(self, *, random: bool) -> None:
        """Tell an engine that was woken what must differ from the one that it is a copy of."""
        self._token = secrets.token_hex(4)
        seeds = [secrets.randbits(62), secrets.randbits(62)] if random else []
        with contextlib.suppress(EngineError):  # if it died, the next cell will notice
            await self._client.query("engine", "renewed", self._token, *seeds)

    @contextlib.asynccontextmanager
    async def fresh(self, seconds: float | None = None) -> AsyncGenerator[Session]:
        """Open a session with a fresh state, for a program that must not touch this one; it is used once.

        It has the settings and the grants of this one as they are now; what it gives up, or is given, stays its own. It
        takes no checkpoints. What it asks of models counts as this one's. Use it in an ``async with`` statement.

        Args:
            seconds: how long its cells may run, if that is shorter than the settings allow.

        Raises:
            EngineError: no engine could be had for it.
        """
        settings = msgspec.structs.replace(
            self.settings,
            checkpoints=msgspec.structs.replace(self.settings.checkpoints, enabled=False),
            cells=msgspec.structs.replace(self.settings.cells, diagnostics=False),
        )
        if seconds is not None and seconds < (settings.limits.time or seconds + 1):
            settings = msgspec.structs.replace(
                settings, limits=msgspec.structs.replace(settings.limits, time=seconds)
            )
        session = Session(settings, self._bridges)
        session._outer = self
        session.nesting = self.nesting.inner()
        session.permissions.grants = self.permissions.grants
        if (call := current_call.get(None)) is not None:
            session._last_cell = max(
                0, call.cell - 1
            )  # so that what its cell uses is booked on the one that calls
            session._pay = partial(self._client.charge, call.cell)
        try:
            if self.checkpoints.enabled:
                await session._start_from(self._template)
            else:
                await session.start()
            yield session
            await self._learn_from(session)
        finally:
            await _to_its_end(session.close())

    async def _learn_from(self, program: Session) -> None:
        """Keep what a program had to compile for the next one that is the same."""
        with contextlib.suppress(TimeoutError):  # something of it still runs
            async with asyncio.timeout(_LEARN_SECONDS):
                told = await program.query("engine", "learnt")
                if told:
                    self.programs += Reuse.told(told["reused"])
                    await self._template.teach(told["pieces"])

    async def reuse(self) -> Reuse:
        """How often cells, modules and loaded texts had been compiled before."""
        return Reuse.told(await self.query("engine", "reused"))

    async def _let_go(self) -> None:
        """Let go of what belongs to the state of now: calls, functions, objects, checkpoints."""
        await self._calls.cancel_all()
        await self._references.lost()
        self.checkpoints.drop()

    async def close(self) -> None:
        """End the engine, its copies and what the bridges hold."""
        self._help.live.forget()
        self._stopping.close()
        await self._let_go()
        await self._template.close()
        await self._client.close()
        await self._registry.close()
        if self._models is not None and self._outer is None:
            await self._models.aclose()

    @property
    def layers(self) -> Mapping[str, str]:
        """How the engine is confined: layer → ``active``, ``unavailable`` or ``failed``."""
        return self._client.layers

    @property
    def running(self) -> bool:
        """Whether a cell runs now, or the session is going back to a checkpoint."""
        return self._stopping.cell != 0 or self._going_back

    # ── cells ────────────────────────────────────────────────────────────────────────────────────

    async def execute(self, code: str, surface: Surface, name: str) -> Outcome:
        """Run one cell; its text goes to `surface` while it runs."""
        while self._untold:
            surface.stream("stderr", f"warning: {self._untold.pop(0)}\n")
        outcome = await self._run(code, surface, name, "cell")
        if self.settings.cells.diagnostics and isinstance(outcome, Succeeded):
            await self._help.warn(code, surface)  # a cell that failed tells its mistake itself
        return outcome

    async def evaluate(self, expression: str, surface: Surface) -> Outcome:
        """Evaluate `expression` beside the cells; nothing of it is kept."""
        return await self._run(expression, surface, "expression", "expression")

    async def _run(self, code: str, surface: Surface, name: str, mode: str) -> Outcome:
        self._stopping.expect()
        if (
            not self._client.alive or self._stopping.runaway
        ):  # which was killed just now, and not seen to end yet
            self._tell_revived(await self._revive(), surface)
        self._last_cell += 1
        cell = self._last_cell
        self._stopping.begin(cell)
        self._cell_names[cell] = name
        self._help.live.forget()
        if self._models is not None and self._models.recorder is not None:
            self._models.recorder.begin_cell()
        output = self._outputs.open_cell(
            cell, surface, partial(self._stopping.softly, wire.StopReason.OUTPUT)
        )
        self.checkpoints.begin_cell(name if mode == "cell" else "", self.memory_used)
        if mode == "cell":
            self.sources[name] = code
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            done = await self._client.execute(cell, name, code.encode("utf-8", "surrogatepass"), mode)
        except EngineDied as error:
            self.used = Use(loop.time() - began, self.memory_used, output.written, 0)
            return await self._roll_back(error)
        finally:
            self._stopping.end()
            output.finish()
            self._outputs.flush_areas()
        if (
            self._stopping.killed
        ):  # it had stopped just then: what it said is true of an engine that is no more
            return await self._roll_back(EngineDied("the engine process was killed"))
        self._help.live.settle()
        self.used = Use(loop.time() - began, done.memory, output.written, done.instructions)
        self.checkpoints.end_cell(self.used.seconds)
        loop.call_later(self.checkpoints.idle_delay, self._checkpoint)
        return self._outcome(done, surface)

    def _checkpoint(self) -> None:
        if self._client.alive and not self.running:
            self.checkpoints.take(self.memory_used)

    def _outcome(self, done: wire.Done, surface: Surface) -> Outcome:
        self.memory_used = done.memory
        if done.status == "ok":
            bundles = problems.drawn(bytes(done.value), self.handle_bundle)
            for bundle in bundles[:-1]:
                surface.display(bundle, {}, None, False)
            return Succeeded(bundles[-1] if bundles else None)
        failure = problems.failure_of(bytes(done.value))
        if done.status == "stopped" and done.stopped:
            reason = wire.StopReason(done.stopped)
            return Interrupted(problems.stopped(failure, reason, self.settings, self._texts))
        return Failed(problems.failed(failure, self.settings, self._texts, self._known_names))

    # ── going back ───────────────────────────────────────────────────────────────────────────────

    async def undo(self, cells: int = 1) -> Undone:
        """Take the session back before the last `cells` cells.

        Raises:
            SpellError: there is no checkpoint right before them, or a cell runs.
        """
        return await self._leave_for(self.checkpoints.before(cells))

    async def keep(self, name: str) -> None:
        """Keep a checkpoint of the session as it is, until it is let go by that name; raises `SpellError`."""
        self._refuse_running()
        self.checkpoints.take(self.memory_used)
        self.checkpoints.name(name)
        await self.checkpoints.named(name).copy

    async def restore(self, name: str) -> Undone:
        """Take the session back to the checkpoint of that name, which stays; raises `SpellError`."""
        return await self._leave_for(self.checkpoints.named(name))

    def acted(self, what: str) -> None:
        """Note what undo cannot take back; see `registry.Host.acted`."""
        self.checkpoints.acted(what)
        if self._outer is not None:
            self._outer.acted(what)

    async def _leave_for(self, point: Point) -> Undone:
        self._refuse_running()
        undone = await self._wake(point)
        if undone is None:
            await self.reset()
            raise EngineError(
                "the checkpoint could not be woken: the session begins again, without its variables"
            )
        return undone

    def _refuse_running(self) -> None:
        if self.running:
            raise SpellError("a cell is running: interrupt it first", code="busy")

    async def _roll_back(self, error: EngineDied) -> RolledBack:
        undone = await self._revive()
        if undone is None:
            return RolledBack(problems.lost(error, self._stopping.reason, self.settings))
        return RolledBack(problems.rolled_back(error, self._stopping.reason, self.settings, undone.cells))

    async def _revive(self) -> Undone | None:
        """Put an engine in the place of one that died; returns what that undid, None if everything."""
        points = self.checkpoints.points
        undone = await self._wake(points[-1]) if points else None
        if undone is None:
            await self.reset()
        return undone

    async def _wake(self, point: Point) -> Undone | None:
        """Make the session what it was at `point`, or at the one before if that is dead; None if all are."""
        self._going_back = True
        self._help.live.forget()
        try:
            while True:
                undone = self.checkpoints.leave_for(point)
                try:
                    await self._client.recover(
                        await point.copy, partial(self._went_back, point), calm=self._stopping.runaway
                    )
                except EngineError:
                    self.checkpoints.abandon(point)
                    if not self.checkpoints.points:
                        return None
                    point = self.checkpoints.points[-1]
                else:
                    break
            self._stopping.runaway = False
            await self._renew(random=False)
            return undone
        finally:
            self._going_back = False
            self._help.live.settle()

    def _note(self, number: int) -> Noted:
        return Noted(self._calls.checkpointed(number), dict(self.sources), frozenset(self._warned))

    def _went_back(self, point: Point, woken: wire.Ready) -> None:
        self.checkpoints.renew(point)
        noted: Noted = point.noted
        self._calls.rolled_back(point.number, noted.calls, woken.waiting)
        self.sources.clear()
        self.sources.update(noted.sources)
        self._warned.intersection_update(noted.warned)
        self.memory_used = point.memory

    def _tell_revived(self, undone: Undone | None, surface: Surface) -> None:
        """Say what was lost when the engine died between two cells."""
        if undone is None:
            surface.stream("stderr", "note: the engine ended between two cells; the session begins again\n")
        elif undone.cells:
            cells = problems.enumerated(undone.cells)
            surface.stream("stderr", f"note: the engine ended between two cells; undone with it: {cells}\n")

    def _send(self, frame: wire.Frame) -> None:
        self.checkpoints.mark_stale()
        self._client.send(frame)

    def _known_names(self, expression: str) -> list[str]:
        """Names under `expression` (empty: globals) that an error may suggest."""
        return self._help.names(expression)

    # ── help ─────────────────────────────────────────────────────────────────────────────────────

    def warm(self) -> None:
        """Load what the first cell and the first Tab will need, while the person reads."""
        problems.warm()
        self._help.warm()

    async def complete(self, code: str, offset: int, magics: Mapping[str, str]) -> Completions:
        """Complete at `offset` (code points)."""
        return await self._help.complete(code, offset, magics)

    async def inspect(self, code: str, offset: int, detail: int) -> dict[str, Any] | None:
        """Explain what is at `offset` (code points) as a MIME bundle; None if nothing is known."""
        return await self._help.inspect(code, offset, detail)

    async def explain(self, name: str, described: dict[str, Any] | None = None) -> dict[str, Any]:
        """What is known of a name as a MIME bundle, or of a value that introspect.lua described.

        Without either it is a list of everything there is. Raises `NotFound`.
        """
        return await self._help.explain(name, described)

    def is_complete(self, code: str) -> Completeness:
        """Tell whether `code` can run, needs more lines, or is wrong."""
        from llmspell_kernel.language.completeness import check

        return check(code)

    def diagnose(self, code: str) -> list[Diagnostic]:
        """Warnings for what is almost surely a mistake in `code`."""
        return self._help.diagnose(code)

    async def usage(self) -> tuple[dict[str, str], dict[str, float]]:
        """What the last cell used of each limit, by the limit's name: in words, and as numbers."""
        lua, handles = await self.query("limits", "used"), len(self._references.handles)
        return usage.told(self.used, self.settings, lua, handles), usage.counted(self.used, lua, handles)

    def tighten(self, limits: Mapping[str, str]) -> None:
        """Tighten limits that are watched here for this session; `untighten` takes it back.

        Raises:
            BadArgument: There is no such limit, it is watched elsewhere, or it would be looser.
        """
        settings = self.settings
        for name, text in limits.items():
            if name not in TIGHTENED_LIVE:
                known = ", ".join(TIGHTENED_LIVE)
                raise BadArgument(f"a cell can tighten {known}, not '{name[:60]}'")
            try:
                settings = settings.tightened(name, text)
            except ValueError as error:
                raise BadArgument(str(error)) from error
        self.settings = settings

    def untighten(self) -> None:
        """Take back what `tighten` did: the limits are those that the session was opened with."""
        self.settings = self._opened_with

    async def variables(self) -> Variables | None:
        """The variables that the cells have made, by name; None while a cell runs."""
        return await self._help.live.variables()

    # ── stopping ─────────────────────────────────────────────────────────────────────────────────

    def interrupt(self) -> None:
        """Stop the running cell, or what runs between cells: softly at first, by killing the engine the second time."""
        self._stopping.interrupt()

    # ── what bridges may ask (registry.Host) ─────────────────────────────────────────────────────

    @property
    def models(self) -> Models:
        """The session's language models; opened when they are first asked for."""
        if self._models is None and self._outer is not None:
            self._models = lend_models(self._outer.models, self.settings, self)
        elif self._models is None:
            self._models = open_models(self.settings, self, lambda cell: self._cell_names.get(cell, ""))
        return self._models

    @property
    def grants(self) -> Grants:
        """What the session may do right now."""
        return self.permissions.grants

    async def granted(self, check: Callable[[Grants], T], why: str = "") -> T:
        """Check the grants; see `registry.Host.granted`."""
        return await self.permissions.granted(check, why)

    def narrow(self, entries: Mapping[Kind, Sequence[str]]) -> None:
        """Give grants up; see `registry.Host.narrow`."""
        self.permissions.narrow(entries)

    async def require(self, kind: Kind, value: str, why: str = "") -> None:
        """Check a grant; see `registry.Host.require`."""
        await self.permissions.require(kind, value, why)

    async def invoke(self, callback: CallbackRef | int, *arguments: Any, cell: int = 0) -> list[Any]:
        """Call a Lua function that Lua passed out; returns its results."""
        if isinstance(callback, CallbackRef):
            if not callback.alive:
                raise Cancelled("this function is gone: the cell that made it was undone")
            callback = callback.id
        self.checkpoints.mark_stale()
        return await self._client.invoke(callback, self._references.encode(list(arguments)), cell)

    def notify(self, callback: CallbackRef, *arguments: Any) -> None:
        """Call a Lua function later; see `registry.Host.notify`."""
        if callback.alive:
            self.checkpoints.mark_stale()
            self._client.notify(callback.id, self._references.encode(list(arguments)))

    def open_area(self, surface: AreaSurface) -> int:
        """Give `surface` a number that `invoke` takes as a cell."""
        return self._outputs.open_area(surface)

    def close_area(self, number: int) -> None:
        """Forget an area."""
        self._outputs.close_area(number)

    def learned(self, chunk: str, source: str) -> None:
        """Note the source of a file; see `registry.Host.learned`."""
        self._files[chunk] = source

    def told(self, error: SpellError) -> tuple[str, str, list[str]]:
        """An error as a notebook shows it; see `registry.Host.told`."""
        described = error.details.get("failure")
        if described is None:
            return type(error).__name__, error.message, [f"{type(error).__name__}: {error.message}"]
        failure = problems.failure_in(described)
        problem = problems.failed(failure, self.settings, self._texts, self._known_names)
        return problem.ename, problem.evalue, problem.traceback

    def handle_bundle(self, type_name: str, number: int) -> dict[str, Any] | None:
        """The MIME bundle of a bridge object that Lua holds, None if it has none of its own."""
        found = self._references.handles.find(type_name, number)
        return found.mime_bundle() if isinstance(found, Handle) else None

    async def run_program(self, program: Program) -> Any:
        """Run a spell in a fresh state; see `registry.Host.run_program`."""
        output = self._outputs.output(current_call.get().cell)
        return await programs.run(program, self.nesting.turn(), self.fresh(program.seconds), output)

    async def ask_engine(self, module: str, function: str, *arguments: Any) -> Any:
        """Ask the engine's own Lua, between cells; raises `EngineError`."""
        return await self._client.query(module, function, *arguments)

    def _forget(self, callbacks: list[int]) -> None:
        if self._client.alive:
            self._client.send(wire.Forget(callbacks))

    async def query(self, module: str, function: str, *arguments: Any) -> Any:
        """Ask the engine's own Lua; None while a cell runs or when it fails."""
        if self._stopping.cell or not self._client.alive:
            return None
        try:
            return await self._client.query(module, function, *arguments)
        except EngineError:
            return None

    # ── what the engine tells (client.EngineListener) ────────────────────────────────────────────

    def on_output(self, frame: wire.Output) -> None:
        """Pass on what a cell wrote."""
        self.checkpoints.mark_stale()
        self._outputs.write(frame)

    def on_call(self, frame: wire.Call) -> None:
        """Serve a bridge call."""
        self.checkpoints.mark_stale()
        self._calls.serve(frame)

    def on_cancel(self, frame: wire.Cancel) -> None:
        """Cancel a bridge call."""
        self._calls.cancel(frame.call)

    def on_release(self, frame: wire.Release) -> None:
        """Let bridge objects go that Lua has collected."""
        self._references.handles.release(frame.handles)

    def on_stopping(self, frame: wire.Stopping) -> None:
        """A limit was reached that only the engine sees: it has the same grace as any other."""
        self._stopping.heard(frame)

    def on_spent(self, frame: wire.Spent) -> None:
        """What a program executes counts as what the cell executes that runs it."""
        if self._pay is not None:
            self._pay(frame.instructions)

    def on_died(self, error: EngineDied) -> None:
        """Between cells: the next one starts or wakes an engine."""


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await `work` even if this task is cancelled meanwhile, and be so then: half a clean-up leaves a process."""
    task = asyncio.create_task(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
    task.result()
    if cancelled:
        raise asyncio.CancelledError
