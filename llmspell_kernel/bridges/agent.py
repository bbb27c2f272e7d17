"""``agent``: models that use tools. Agents themselves are Lua tables, so that they follow undo and recovery."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, ClassVar, cast

import msgspec

from llmspell_kernel.bridges.agent_hooks import HookedModels
from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.bridges.llm_files import attach
from llmspell_kernel.bridges.llm_messages import plain_message, plain_usage
from llmspell_kernel.bridges.llm_options import request_of
from llmspell_kernel.bridges.registry import Host
from llmspell_kernel.engine.values import CallbackRef, HandleRef
from llmspell_kernel.errors import WorldError
from llmspell_kernel.llm.agent_loop import agent_events
from llmspell_kernel.llm.agents import (
    Answered,
    Asker,
    Ended,
    Event,
    Limits,
    Result,
    Said,
    Tool,
    ToolEnded,
    ToolRun,
    ToolStarted,
)
from llmspell_kernel.llm.protocol import Request, Response, TextDelta, ToolSpec, Usage
from llmspell_kernel.llm.telemetry import operation


class AgentBridge(Bridge):
    """Agents: a model, what it is told, and the tools that it may use."""

    module: ClassVar[str] = "agent"
    aliases: ClassVar[tuple[str, ...]] = ("agents",)
    lua_part: ClassVar[str | None] = "lib.agent"
    lua_more: ClassVar[tuple[str, ...]] = ("lib.agent_object", "lib.agent_teams")

    def __init__(self, host: Host) -> None:
        """Nothing of `host` is needed."""


class AgentRuns(Bridge):
    """Internal: runs the loop for an agent that Lua describes."""

    module: ClassVar[str] = "agent_runs"
    internal: ClassVar[bool] = True

    def __init__(self, host: Host) -> None:
        self._host = host
        self._hooked: dict[int, HookedModels] = {}

    @export()
    async def step(self, run: int, number: int, asked: dict[str, Any]) -> Any:
        """Ask the model question `number` of a run, as the hooks have left it."""
        return await self._hooked[run].step(number, asked)

    @export()
    async def run(
        self,
        question: dict[str, Any],
        tools: list[Any],
        limits: dict[str, Any],
        hear: CallbackRef | None = None,
        stream: bool = False,
        ask: CallbackRef | None = None,
        name: str = "",
    ) -> Any:
        """Run to the answer; the tools' functions belong to this run alone and are let go at its end.

        `hear` is told each step, ``text`` (with `stream`), ``answer``, ``tool_call`` and ``tool_result``, and ends
        the run by answering true: what had been said by then is the answer. `ask` runs the hooks around each
        question to the model; it gets the number of the run and of the question, which `step` takes.
        """
        described = cast("list[dict[str, Any]]", tools)
        request, provider, extras = request_of("agent.run", question, None)
        request = await attach(self._host, "agent.run", request, extras)
        run = _Run()
        models: Asker = self._host.models
        if ask is not None:
            models = self._hooked[id(run)] = HookedModels(models, self._host, ask, id(run))
        events = self._events(models, request, described, limits, provider, stream)
        try:
            with operation("invoke_agent", name, agent__name=name):
                return await self._follow(run, events, hear)
        finally:
            self._hooked.pop(id(run), None)

    def _events(
        self,
        models: Asker,
        request: Request,
        tools: list[dict[str, Any]],
        limits: dict[str, Any],
        provider: str,
        stream: bool,
    ) -> AsyncGenerator[Event, None]:
        return agent_events(
            models,
            request,
            [self._tool(tool) for tool in tools],
            provider=provider,
            limits=Limits(**limits),
            stream=stream,
        )

    async def _follow(
        self, run: _Run, events: AsyncGenerator[Event, None], hear: CallbackRef | None
    ) -> dict[str, Any]:
        async with aclosing(events):
            async for event in events:
                run.follow(event)
                if isinstance(event, Ended):
                    return run.plain(event.result)
                if hear is not None and await self._tell(hear, event):
                    break
        return run.stopped()

    async def _tell(self, hear: CallbackRef, event: Event) -> bool:
        """Tell Lua of a step; returns whether it wants no more of it."""
        told = _told(event)
        return told is not None and any(await self._host.invoke(hear, *told))

    def _tool(self, described: dict[str, Any]) -> Tool:
        execute: CallbackRef = described["execute"]

        async def call(arguments: dict[str, Any]) -> Any:
            results = await self._host.invoke(execute.id, arguments)
            if len(results) > 1 and results[0] is None and results[1] is not None:
                raise WorldError(str(results[1]), code="tool_error")
            return _readable(results[0]) if results else None

        spec = ToolSpec(
            name=described["name"],
            description=str(described.get("description") or ""),
            parameters=described["parameters"],
        )
        timeout = described.get("timeout")
        return Tool(
            spec,
            call,
            parallel=described.get("parallel") is not False,
            timeout=float(timeout) if isinstance(timeout, int | float) else None,
        )


def _readable(value: Any) -> Any:
    """What a tool gave, in words where it is no data: a model is told of it as JSON."""
    match value:
        case CallbackRef():
            return "(a function)"
        case HandleRef():
            return value.label or f"({value.type})"
        case bytes():
            return value.decode(errors="replace")
        case dict():
            # Lua's tables have no order: what a model is told must be the same in every session.
            pairs = sorted(cast("dict[Any, Any]", value).items(), key=lambda pair: _place(pair[0]))
            return {key: _readable(item) for key, item in pairs}
        case list():
            return [_readable(item) for item in cast("list[Any]", value)]
        case _:
            return value


def _place(key: Any) -> tuple[bool, float, str]:
    """Where a key stands among others: numbers first."""
    number = isinstance(key, int | float)
    return (not number, key if number else 0, str(key))


class _Run:
    """What a run has come to so far."""

    def __init__(self) -> None:
        self._response: Response | None = None
        self._text = ""
        self._iterations = 0
        self._tool_runs: list[ToolRun] = []
        self._usage = Usage()

    def follow(self, event: Event) -> None:
        """Take note of a step."""
        match event:
            case Said(delta=TextDelta(text=text)):
                self._text += text
            case Answered(response=response):
                self._response, self._iterations = response, event.iteration
                self._usage += response.usage
                self._text = ""
            case ToolEnded(run=run):
                self._tool_runs.append(run)
            case _:
                pass

    def plain(self, result: Result) -> dict[str, Any]:
        """A result as Lua gets it."""
        return self._fields(result.usage) | {
            "text": result.text,
            **({} if result.value is None else {"value": result.value}),
            "ending": result.ending,
            "messages": [plain_message(m) for m in result.messages if m.role != "system"],
            "tool_calls": [_plain_run(run) for run in result.tool_runs],
        }

    def stopped(self) -> dict[str, Any]:
        """What a run that was ended on the way has come to."""
        said = self._text or (self._response.content if self._response is not None else "")
        return self._fields(self._usage) | {
            "text": said,
            "ending": "stopped",
            "tool_calls": [_plain_run(run) for run in self._tool_runs],
        }

    def _fields(self, usage: Usage) -> dict[str, Any]:
        return {
            "model": self._response.model if self._response is not None else "",
            "provider": self._response.provider if self._response is not None else "",
            "iterations": self._iterations,
            "usage": plain_usage(usage),
        }


def _told(event: Event) -> tuple[Any, ...] | None:
    match event:
        case Said(delta=TextDelta(text=text)) if text:
            return ("text", text)
        case Answered(response=response):
            calls = [msgspec.to_builtins(call) for call in response.tool_calls]
            return ("answer", {"content": response.content, "tool_calls": calls})
        case ToolStarted(call=call):
            return ("tool_call", {"id": call.id, "name": call.name, "arguments": call.arguments})
        case ToolEnded(run=run):
            return ("tool_result", _plain_run(run) | {"id": run.call.id, "seconds": run.seconds})
        case _:
            return None


def _plain_run(run: ToolRun) -> dict[str, Any]:
    return {
        "name": run.call.name,
        "arguments": msgspec.to_builtins(run.call.arguments),
        "result": run.output,
        **({"error": run.error} if run.error else {}),
    }
