"""Calling tools for a model: arguments checked, failures told, many at once, ended together."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import msgspec

from llmspell_kernel.errors import (
    BudgetExceeded,
    Cancelled,
    EngineError,
    LimitExceeded,
    MissingGrant,
    SpellError,
)
from llmspell_kernel.llm.agents import Tool, ToolEnded, ToolRun, ToolStarted
from llmspell_kernel.llm.catalogue import nearest
from llmspell_kernel.llm.schema import Schema
from llmspell_kernel.llm.telemetry import failed, operation

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from llmspell_kernel.llm.protocol import ToolCall

_FOR_THE_PERSON = (MissingGrant, LimitExceeded, Cancelled, BudgetExceeded, EngineError)
"""What a model cannot put right by trying again, and must not be able to talk around."""


class Toolbox:
    """Tools by name, with their schemas ready.

    Args:
        tools: The tools.
        result_chars: Most characters of an answer that the model is shown.

    Raises:
        BadArgument: A tool's parameters are no JSON Schema.
    """

    def __init__(self, tools: Sequence[Tool], result_chars: int = 50_000) -> None:
        self.tools: Mapping[str, Tool] = {tool.name: tool for tool in tools}
        self._result_chars = result_chars
        self._schemas = {
            tool.name: Schema(tool.spec.parameters, f"the schema of the tool '{tool.name}'") for tool in tools
        }

    async def run_all(self, calls: Sequence[ToolCall]) -> AsyncGenerator[ToolStarted | ToolEnded, None]:
        """Run one answer's calls: side by side, but a tool that wants to be alone waits for its turn.

        However it ends, no call is left running.

        Raises:
            SpellError: A tool met something that only the person can put right.
        """
        for group in self._groups(calls):
            running = [asyncio.create_task(self.run(call)) for call in group]
            try:
                for call in group:
                    yield ToolStarted(call=call)
                for ended in asyncio.as_completed(running):
                    yield ToolEnded(run=await ended)
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)

    async def run(self, call: ToolCall) -> ToolRun:
        """Run one call; what fails is an answer as well."""
        with operation("execute_tool", call.name, tool__name=call.name, tool__call__id=call.id):
            done = await self._run(call)
            if done.error:
                failed("tool_error")
            return done

    async def _run(self, call: ToolCall) -> ToolRun:
        began = time.monotonic()
        problem = self._problem(call)
        if problem is not None:
            return ToolRun(call=call, output=f"Error: {problem}", error=problem)
        tool = self.tools[call.name]
        try:
            async with asyncio.timeout(tool.timeout):
                value = await tool.call(call.arguments)
        except _FOR_THE_PERSON:
            raise
        except TimeoutError:
            error = f"{call.name} did not finish within {tool.timeout:g} seconds"
        except Exception as failure:
            error = _told(failure)
        else:
            seconds = time.monotonic() - began
            return ToolRun(call=call, output=self._shown(value), value=value, seconds=seconds)
        return ToolRun(call=call, output=f"Error: {error}", error=error, seconds=time.monotonic() - began)

    def check(self, name: str, arguments: Any) -> list[str]:
        """What is wrong with a tool's arguments."""
        return self._schemas[name].problems(arguments)

    def _problem(self, call: ToolCall) -> str | None:
        """Why a call cannot be made, in words that help the model."""
        if call.name not in self.tools:
            alike = nearest(call.name, list(self.tools), 1)
            known = f"did you mean '{alike[0]}'?" if alike else f"there are: {', '.join(self.tools)}"
            return f"there is no tool '{call.name}'; {known}"
        if call.malformed is not None:
            return f"the arguments of {call.name} are not a JSON object: {call.malformed[:200]}"
        problems = self.check(call.name, call.arguments)
        if problems:
            return f"wrong arguments for {call.name}: " + "; ".join(problems)
        return None

    def _groups(self, calls: Sequence[ToolCall]) -> list[list[ToolCall]]:
        """The calls in order, neighbours that may run side by side together."""
        groups: list[list[ToolCall]] = []
        alone = True
        for call in calls:
            tool = self.tools.get(call.name)
            parallel = tool is None or tool.parallel
            if alone or not parallel:
                groups.append([call])
            else:
                groups[-1].append(call)
            alone = not parallel
        return groups

    def _shown(self, value: Any) -> str:
        text = value if isinstance(value, str) else _as_json(value)
        if len(text) <= self._result_chars:
            return text
        left_out = len(text) - self._result_chars
        return f"{text[: self._result_chars]}\n[{left_out:,} more characters are left out]"


def _as_json(value: Any) -> str:
    try:
        return json.dumps(msgspec.to_builtins(value, enc_hook=str), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return str(value)


def _told(failure: Exception) -> str:
    if isinstance(failure, SpellError):
        return f"{failure.message} ({failure.suggestion})" if failure.suggestion else failure.message
    return str(failure) or type(failure).__name__
