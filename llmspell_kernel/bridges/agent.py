"""``agent``: models that use tools. Agents themselves are Lua tables, so that they follow undo and recovery."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import msgspec

from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.bridges.llm_options import request_of
from llmspell_kernel.bridges.registry import Host
from llmspell_kernel.engine.values import CallbackRef
from llmspell_kernel.llm.agent_loop import run_agent
from llmspell_kernel.llm.agents import Limits, Result, Tool
from llmspell_kernel.llm.protocol import ToolSpec


class AgentBridge(Bridge):
    """Agents: a model, what it is told, and the tools that it may use."""

    module: ClassVar[str] = "agent"
    aliases: ClassVar[tuple[str, ...]] = ("agents",)
    lua_part: ClassVar[str | None] = "lib.agent"

    def __init__(self, host: Host) -> None:
        """Nothing of `host` is needed."""


class AgentRuns(Bridge):
    """Internal: runs the loop for an agent that Lua describes."""

    module: ClassVar[str] = "agent_runs"
    internal: ClassVar[bool] = True

    def __init__(self, host: Host) -> None:
        self._host = host

    @export()
    async def run(self, question: dict[str, Any], tools: list[Any], limits: dict[str, Any]) -> Any:
        """Run to the answer; the tools' functions belong to this run alone and are let go at its end."""
        described = cast("list[dict[str, Any]]", tools)
        request, provider, _ = request_of("agent.run", question, None)
        result = await run_agent(
            self._host.models,
            request,
            [self._tool(tool) for tool in described],
            provider=provider,
            limits=Limits(**limits),
        )
        return _plain(result)

    def _tool(self, described: dict[str, Any]) -> Tool:
        execute: CallbackRef = described["execute"]

        async def call(arguments: dict[str, Any]) -> Any:
            results = await self._host.invoke(execute.id, arguments)
            if len(results) > 1 and results[0] is None and results[1] is not None:
                return f"Error: {results[1]}"
            return results[0] if results else None

        spec = ToolSpec(
            name=described["name"],
            description=str(described.get("description") or ""),
            parameters=described["parameters"],
        )
        return Tool(spec, call)


def _plain(result: Result) -> dict[str, Any]:
    """A result as Lua gets it: ``text, value, ending, iterations, tool_calls, usage``."""
    usage = result.usage
    return {
        "text": result.text,
        **({} if result.value is None else {"value": result.value}),
        "ending": result.ending,
        "iterations": result.iterations,
        "tool_calls": [
            {
                "name": run.call.name,
                "arguments": msgspec.to_builtins(run.call.arguments),
                "result": run.output,
                **({"error": run.error} if run.error else {}),
            }
            for run in result.tool_runs
        ],
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        },
    }
