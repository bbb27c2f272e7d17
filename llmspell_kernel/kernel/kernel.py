"""The Jupyter kernel: requests in, replies and broadcasts out; the work is the session's."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import signal
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

import zmq
from jupyter_client.session import DELIM

from llmspell_kernel import __version__
from llmspell_kernel.errors import SpellError
from llmspell_kernel.kernel import replies
from llmspell_kernel.kernel.comms import Comms
from llmspell_kernel.kernel.foundation import BaseKernel, Message
from llmspell_kernel.kernel.launch import EarlyEngine, early_engine
from llmspell_kernel.kernel.surface import STDIN_POLL_SECONDS, IOPubSurface, SilentSurface
from llmspell_kernel.session.outcome import Outcome, Succeeded

if TYPE_CHECKING:
    from concurrent.futures import Future

    from llmspell_kernel.kernel.history import History
    from llmspell_kernel.kernel.magics import Magics
    from llmspell_kernel.session.session import Session

_ASKED_WITHIN_SECONDS = 0.3
"""How long the session waits for the first request, so that the answer to it does not wait for the session."""
_WARM_AFTER_SECONDS = 0.3

Handler = Callable[[Any, list[bytes], Message], Awaitable[None]]


class LLMSpellKernel(BaseKernel):
    """One notebook's kernel.

    Its event loop never blocks: a cell runs in the engine process, so that everything but the next cell is answered
    while it runs. Requests to execute wait for each other; all others do not.
    """

    implementation = "llmspell"
    implementation_version = __version__
    language_info: ClassVar[dict[str, object]] = {
        "name": "lua",
        "version": "5.4",
        "mimetype": "text/x-lua",
        "file_extension": ".lua",
        "pygments_lexer": "lua",
        "codemirror_mode": "lua",
        "nbconvert_exporter": "script",
    }
    help_links: ClassVar[list[dict[str, str]]] = [
        {"text": "Lua 5.4 reference manual", "url": "https://www.lua.org/manual/5.4/"},
    ]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        early = cast("EarlyEngine | None", getattr(kwargs.get("parent"), "engine", None)) or early_engine()
        self._early = early
        self._session: Session | None = None
        self._asked = asyncio.Event()
        self._started: asyncio.Task[None] | None = None
        self._waiting = False
        """Whether a cell waits for the session to be there."""
        self._stopped_early = False
        self._arrived = 0
        self._number = 0
        self._abort_up_to = 0
        for handlers in (self.shell_handlers, self.control_handlers):
            for kind, handler in list(handlers.items()):
                handlers[kind] = partial(self._guarded, kind, handler)
        self._comms = Comms(self)

    @property
    def spell_session(self) -> Session:
        """The session, made when it is first needed: its modules are half of what the kernel imports."""
        if self._session is None:
            from llmspell_kernel.session.session import Session

            self._session = Session(self._early.settings)
        return self._session

    @cached_property
    def history(self) -> History:
        """The cells of this session and of those before."""
        from llmspell_kernel.kernel.history import History

        kept = self._early.settings.history
        return History(kept.file if kept.enabled else None)

    @cached_property
    def _magics(self) -> Magics:
        from llmspell_kernel.kernel.magics import Magics

        return Magics(self.spell_session)

    @property
    def banner(self) -> str:
        """What a console shows at its start."""
        lines = [f"LLMSpell Lua {__version__} · Lua 5.4 · %help lists the magics, name? explains a name"]
        return "\n".join([*lines, *self._early.problems])

    @property
    def kernel_info(self) -> dict[str, Any]:
        """The kernel_info_reply; states only features that work."""
        return {
            "protocol_version": "5.5",
            "implementation": self.implementation,
            "implementation_version": self.implementation_version,
            "language_info": self.language_info,
            "banner": self.banner,
            "help_links": self.help_links,
            "supported_features": [],
        }

    # ── life ─────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin to serve; the session starts once the first request is answered."""
        self.iopub_socket.attach()
        super().start()
        self.io_loop.add_callback(self._begin)

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError):  # Windows has no such loop
            loop.add_signal_handler(signal.SIGINT, self._interrupt)
        self._started = loop.create_task(self._start_session())
        with contextlib.suppress(SpellError):  # the first cell tells it
            await self._started
        gc.freeze()
        gc.enable()
        await asyncio.sleep(_WARM_AFTER_SECONDS)
        await asyncio.to_thread(self.spell_session.warm)

    async def _start_session(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._asked.wait(), _ASKED_WITHIN_SECONDS)
        await self.spell_session.start(self._early.endpoint)

    def _interrupt(self) -> None:
        if self._waiting:
            self._stopped_early = True
        elif self._session is not None:
            self._session.interrupt()

    async def _ready(self) -> None:
        self._asked.set()
        if self._started is not None and not self._started.done():
            with contextlib.suppress(SpellError):
                await asyncio.shield(self._started)

    def pre_handler_hook(self) -> None:
        """Keep our SIGINT policy: the base class would let it raise in the loop."""

    def post_handler_hook(self) -> None:
        """See `pre_handler_hook`."""

    async def do_shutdown(self, restart: bool) -> dict[str, Any]:
        """End the engine, its checkpoints and what the bridges hold. Called on the control thread."""
        closing: Future[None] = asyncio.run_coroutine_threadsafe(self._close(), self.io_loop.asyncio_loop)
        with contextlib.suppress(Exception):
            await asyncio.wait_for(asyncio.wrap_future(closing), 5)
        return {"status": "ok", "restart": restart}

    async def _close(self) -> None:
        if "history" in vars(self):
            self.history.close()
        if self._session is not None:
            await self._session.close()
        elif self._early.endpoint is not None:
            self._early.endpoint.close()

    # ── dispatch ─────────────────────────────────────────────────────────────────────────────────

    async def shell_main(self, subshell_id: str | None, msg: list[Any]) -> None:
        """Take one shell message: executions wait for each other, everything else is answered at once."""
        if self._message_type(msg) != "execute_request":
            await self._in_own_context(msg)
            self._asked.set()
            return
        self._arrived += 1
        number = self._arrived
        async with self._main_asyncio_lock:
            if number <= self._abort_up_to:
                self._aborting = True
            try:
                await self._in_own_context(msg)
            finally:
                self._aborting = False

    async def _in_own_context(self, msg: list[Any]) -> None:
        """Dispatch where the parent header is this message's, whatever is answered meanwhile."""
        await asyncio.get_running_loop().create_task(self.dispatch_shell(msg), context=copy_context())

    def _message_type(self, msg: list[Any]) -> str:
        """Peek at the type; whether the message is genuine is checked when it is dispatched."""
        frames = [bytes(frame) for frame in msg[:4]]
        try:
            header = msg[frames.index(DELIM) + 2]
            return cast("dict[str, str]", json.loads(bytes(header)))["msg_type"]
        except (ValueError, LookupError, TypeError):
            return ""

    async def _guarded(
        self, kind: str, handler: Handler, stream: Any, ident: list[bytes], parent: Message
    ) -> None:
        """Answer a request whose handler failed, so that no client waits for ever."""
        try:
            await handler(stream, ident, parent)
        except Exception:
            self.log.exception("the handler of %s failed", kind)
            reply = kind.removesuffix("_request") + "_reply"
            content = replies.internal_error(kind)
            if kind == "execute_request":
                content["execution_count"] = self.execution_count
            self.session.send(stream, reply, content, parent, ident=ident)

    # ── execute ──────────────────────────────────────────────────────────────────────────────────

    async def execute_request(self, stream: Any, ident: list[bytes], parent: Message) -> None:
        """Run a cell (messaging specification, "Execute")."""
        content = parent["content"]
        code = cast("str", content["code"])
        silent = bool(content.get("silent", False))
        store = bool(content.get("store_history", not silent)) and not silent
        if store:
            self.execution_count += 1
        count = self.execution_count
        surface = self._surface(parent, ident, silent, bool(content.get("allow_stdin", False)))
        if not silent:
            self._publish_execute_input(code, parent, count)
        self._waiting, self._stopped_early = True, False
        await self._ready()
        self._waiting = False
        self._comms.cell = parent
        if self._stopped_early:
            outcome = replies.interrupted()
        else:
            outcome = await self._run(code, surface, self._named(store))
        self._comms.cell = None
        reply = self._conclude(outcome, surface, parent, count, silent)
        reply["execution_count"] = count
        if reply["status"] == "ok":
            expressions = cast("dict[str, str]", content.get("user_expressions") or {})
            reply["user_expressions"] = {key: await self._evaluate(text) for key, text in expressions.items()}
            reply["payload"] = replies.payload(outcome, code)
        if store:
            # once the reply is out
            asyncio.get_running_loop().call_soon(self.history.store, count, code, replies.plain_text(outcome))
        surface.flush()
        self._comms.flush()
        self.session.send(stream, "execute_reply", reply, parent, ident=ident)
        if reply["status"] == "error" and not silent and content.get("stop_on_error", True):
            await self._abort_waiting()

    def _named(self, store: bool) -> str:
        """What messages call the cell: by its number, or where the front end shows none by counting on from the last.

        So that cells which nbval runs are called as when a person ran them.
        """
        self._number = self.execution_count if store else self._number + 1
        return f"cell {self._number}"

    async def _run(self, code: str, surface: IOPubSurface | SilentSurface, name: str) -> Outcome:
        try:
            if self._magics.concerns(code):
                return await self._magics.run(code, surface, name)
            return await self.spell_session.execute(code, surface, name)
        except SpellError as error:
            return replies.failed(error)

    def _conclude(
        self,
        outcome: Outcome,
        surface: IOPubSurface | SilentSurface,
        parent: Message,
        count: int,
        silent: bool,
    ) -> dict[str, Any]:
        """Broadcast how the cell ended; returns its reply."""
        surface.flush()
        if isinstance(outcome, Succeeded):
            if outcome.bundle and not silent and not outcome.paged:
                shown = {"execution_count": count, "data": outcome.bundle, "metadata": outcome.metadata}
                self._publish(parent, "execute_result", shown)
            return {"status": "ok"}
        problem = replies.problem_content(outcome.problem)
        if not silent:
            self._publish(parent, "error", problem)
        return {"status": "error", **problem}

    async def _evaluate(self, expression: str) -> dict[str, Any]:
        try:
            outcome = await self.spell_session.evaluate(expression, SilentSurface())
        except SpellError as error:
            outcome = replies.failed(error)
        if isinstance(outcome, Succeeded):
            return {"status": "ok", "data": outcome.bundle or {}, "metadata": outcome.metadata}
        return {"status": "error", **replies.problem_content(outcome.problem)}

    async def _abort_waiting(self) -> None:
        """Abort the executions that were queued behind a cell that failed."""
        self.shell_stream.flush()
        if self.stop_on_error_timeout:
            await asyncio.sleep(self.stop_on_error_timeout)
        for _ in range(2):  # what the flush read starts in the next rounds of the loop
            await asyncio.sleep(0)
        self._abort_up_to = self._arrived

    def _surface(
        self, parent: Message, ident: list[bytes], silent: bool, allow_stdin: bool
    ) -> IOPubSurface | SilentSurface:
        if silent:
            return SilentSurface()
        from llmspell_kernel.bridges.showing import Showing

        ask = partial(self._ask, ident, parent) if allow_stdin else None
        showing = Showing.for_request(parent.get("metadata") or {}, allow_stdin)
        return IOPubSurface(partial(self._publish, parent), ask, parent, showing)

    def _publish(self, parent: Message, kind: str, content: dict[str, Any]) -> None:
        self.session.send(self.iopub_socket, kind, content, parent, ident=self._topic(kind))

    async def _ask(self, ident: list[bytes], parent: Message, prompt: str, password: bool) -> str:
        with contextlib.suppress(zmq.Again):
            while True:  # answers to questions that were interrupted
                self.stdin_socket.recv_multipart(zmq.NOBLOCK)
        self.session.send(
            self.stdin_socket, "input_request", {"prompt": prompt, "password": password}, parent, ident=ident
        )
        while True:
            if self.stdin_socket.poll(0):
                break
            await asyncio.sleep(STDIN_POLL_SECONDS)
        _, reply = self.session.recv(self.stdin_socket)
        return cast("str", reply["content"]["value"]) if reply else ""

    # ── everything else ──────────────────────────────────────────────────────────────────────────

    async def interrupt_request(self, stream: Any, ident: list[bytes], parent: Message) -> None:
        """Stop the running cell. Runs on the control thread."""
        self.io_loop.add_callback(self._interrupt)
        self.session.send(stream, "interrupt_reply", {"status": "ok"}, parent, ident=ident)

    async def do_complete(self, code: str, cursor_pos: int) -> dict[str, Any]:
        """Complete at `cursor_pos` (code points)."""
        await self._ready()
        found = await self.spell_session.complete(code, cursor_pos, self._magics.names())
        return replies.completions(found)

    async def do_inspect(
        self, code: str, cursor_pos: int, detail_level: int = 0, omit_sections: Any = ()
    ) -> dict[str, Any]:
        """Explain what is at `cursor_pos` (code points)."""
        await self._ready()
        bundle = await self.spell_session.inspect(code, cursor_pos, detail_level)
        return {"status": "ok", "found": bundle is not None, "data": bundle or {}, "metadata": {}}

    async def do_is_complete(self, code: str) -> dict[str, Any]:
        """Tell a console whether `code` can run."""
        if self._magics.concerns(code):
            return {"status": "complete"}
        return replies.completeness(self.spell_session.is_complete(code))

    async def do_history(
        self, hist_access_type: str, output: bool, raw: bool, **wanted: Any
    ) -> dict[str, Any]:
        """Look up earlier cells (messaging specification, "History")."""
        return {"status": "ok", "history": self.history.find(hist_access_type, output, **wanted)}
