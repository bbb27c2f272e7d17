"""The loop of an agent: ask, call the tools that were asked for, ask again, until there is an answer.

It knows no provider and no Lua: models are asked through `Models`, tools are async callables.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec

from llmspell_kernel.errors import BudgetExceeded, Timeout
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
)
from llmspell_kernel.llm.protocol import Finished, Message, Request, Response, Usage
from llmspell_kernel.llm.schema import Schema, read_json
from llmspell_kernel.llm.structured import structured
from llmspell_kernel.llm.tokens import estimate_request
from llmspell_kernel.llm.tool_runs import Toolbox

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

_NO_MORE_TOOLS = "You cannot call tools any more. Answer now with what you know."


async def run_agent(models: Asker, request: Request, tools: Sequence[Tool] = (), **options: Any) -> Result:
    """Run to the end; the options are those of `agent_events`."""
    async with aclosing(agent_events(models, request, tools, **options)) as events:
        async for event in events:
            if isinstance(event, Ended):
                return event.result
    raise AssertionError("a run without an end")


async def agent_events(
    models: Asker,
    request: Request,
    tools: Sequence[Tool] = (),
    *,
    provider: str = "",
    limits: Limits | None = None,
    stream: bool = False,
) -> AsyncGenerator[Event, None]:
    """Run, telling every step; the last event is `Ended`.

    Cancelled or closed at any step, a tool in the middle of its work included, it leaves nothing running.

    Args: models: Asked for answers. request: The conversation so far and the options. With a schema, the
        result has a value that follows it. tools: What the model may call. provider: As for
        `Models.complete`. limits: What may be used up. stream: Whether to tell the pieces of answers too.

    Raises:
        BudgetExceeded: Tokens or money ran out.
        Timeout: Time ran out.
        BadArgument: The schema, or a tool's, is none.
        SpellError: As for `Models.complete` and `Toolbox.run_all`.
    """
    run = _Run(models, request, tools, provider, limits or Limits())
    async with aclosing(run.events(stream)) as events:
        while True:
            # The clock runs only while the agent works, never while whoever listens does.
            clock = asyncio.timeout_at(run.deadline)
            try:
                async with clock:
                    event = await anext(events, None)
            except TimeoutError as error:
                if not clock.expired():
                    raise
                raise run.out_of_time() from error
            if event is None:
                return
            yield event


class _Run:
    """One run: what has been said, done and used so far."""

    def __init__(
        self, models: Asker, request: Request, tools: Sequence[Tool], provider: str, limits: Limits
    ) -> None:
        self._models = models
        self._request = request
        self._provider = provider
        self._limits = limits
        self._toolbox = Toolbox(tools, limits.result_chars)
        self._schema = Schema(request.schema) if request.schema is not None else None
        self._messages = list(request.messages)
        self._tool_runs: list[ToolRun] = []
        self._usage = Usage()
        self._iterations = 0
        now = asyncio.get_running_loop().time()
        self.deadline = None if limits.seconds is None else now + limits.seconds

    async def events(self, stream: bool) -> AsyncGenerator[Event, None]:
        """The loop."""
        while True:
            # Of the last question that is allowed, an answer has to come, if there is anything to answer
            # with.
            last = self._iterations + 1 >= self._limits.iterations and bool(self._tool_runs)
            response: Response | None = None
            async with aclosing(self._ask(stream, last)) as steps:
                async for step in steps:
                    yield step
                    response = step.response if isinstance(step, Answered) else None
            assert response is not None
            if not response.tool_calls or last:
                break
            async with aclosing(self._call_tools(response)) as runs:
                async for run in runs:
                    yield run
            if self._iterations >= self._limits.iterations:
                break
        yield Ended(result=await self._result(response))

    async def _ask(self, stream: bool, last: bool) -> AsyncGenerator[Said | Answered, None]:
        """One question to the model; the last one allowed is asked without tools, and says so."""
        request = self._next_request(last)
        if not stream:
            response = await self._models.complete(
                request, provider=self._provider, budget=self._money_left()
            )
            yield self._answered(response, last)
            return
        deltas = self._models.stream(request, provider=self._provider, budget=self._money_left())
        async with aclosing(deltas):
            async for delta in deltas:
                if isinstance(delta, Finished):
                    yield self._answered(delta.response, last)
                else:
                    yield Said(delta=delta)

    def _answered(self, response: Response, last: bool) -> Answered:
        self._iterations += 1
        self._usage += response.usage
        message = response.message
        if last:
            # Nobody will answer these calls, and no provider takes a conversation with unanswered ones.
            message = msgspec.structs.replace(message, tool_calls=())
        self._messages.append(message)
        return Answered(iteration=self._iterations, response=response)

    def _next_request(self, last: bool) -> Request:
        messages = tuple(self._messages)
        if last:
            messages = (*messages, Message(role="system", content=_NO_MORE_TOOLS))
        tools = tuple(tool.spec for tool in self._toolbox.tools.values())
        request = msgspec.structs.replace(
            self._request,
            messages=messages,
            tools=tools,
            tool_choice="none" if last else self._tool_choice(),
            # Where tools are, the schema waits until the work is done: few servers obey both at once.
            schema=None if tools else self._request.schema,
        )
        return self._within_tokens(request)

    def _tool_choice(self) -> str:
        """What the request says, for its first answer only: a tool that *must* be called is never done."""
        return self._request.tool_choice if self._iterations == 0 else "auto"

    async def _call_tools(self, response: Response) -> AsyncGenerator[Event, None]:
        # By the call itself: models give the same id twice, or none.
        runs: dict[int, ToolRun] = {}
        async with aclosing(self._toolbox.run_all(response.tool_calls)) as steps:
            async for step in steps:
                if isinstance(step, ToolEnded):
                    runs[id(step.run.call)] = step.run
                yield step
        for call in response.tool_calls:
            run = runs[id(call)]
            self._tool_runs.append(run)
            self._messages.append(
                Message(role="tool", content=run.output, tool_call_id=call.id, name=call.name)
            )

    async def _result(self, response: Response) -> Result:
        text, value = response.content, None
        if self._schema is not None:
            text, value = await self._as_value(self._schema, response)
        return Result(
            text=text,
            value=value,
            ending="iterations" if response.tool_calls else "answered",
            messages=tuple(self._messages),
            tool_runs=tuple(self._tool_runs),
            iterations=self._iterations,
            usage=self._usage,
        )

    async def _as_value(self, schema: Schema, response: Response) -> tuple[str, Any]:
        """The answer as a value, asked for once more if it does not follow the schema already."""
        try:
            value = read_json(response.content)
            problems = schema.problems(value)
        except ValueError as error:
            value, problems = None, [str(error)]
        if not problems:
            return response.content, value
        order = "Give that answer as JSON that follows the schema. So far: " + "; ".join(problems)
        messages = (*self._messages, Message(role="user", content=order))
        request = msgspec.structs.replace(self._request, messages=messages, tools=())
        answer = await structured(self._ask_for_value, self._within_tokens(request))
        self._messages.append(answer.response.message)
        return answer.response.content, answer.value

    async def _ask_for_value(self, request: Request) -> Response:
        response = await self._models.complete(request, provider=self._provider, budget=self._money_left())
        self._usage += response.usage
        return response

    # ── limits ───────────────────────────────────────────────────────────────────────────────────

    def _within_tokens(self, request: Request) -> Request:
        """The request, its answer no longer than what is left.

        Raises:
            BudgetExceeded: Nothing is left.
        """
        if self._limits.tokens is None:
            return request
        left = self._limits.tokens - self._usage.total_tokens - estimate_request(request)
        if left <= 0:
            raise self._exceeded(f"{self._limits.tokens:,} tokens", "tokens")
        return msgspec.structs.replace(request, max_tokens=min(left, request.max_tokens or left))

    def _money_left(self) -> float | None:
        if self._limits.cost is None:
            return None
        left = self._limits.cost - (self._usage.cost or 0.0)
        if left <= 0:
            raise self._exceeded(f"${self._limits.cost:g}", "cost")
        return left

    def _exceeded(self, what: str, limit: str) -> BudgetExceeded:
        return BudgetExceeded(
            f"the agent has used up its {what} without coming to an answer",
            suggestion=f"allow more with its limit `{limit}`, or ask for less",
            details=self._so_far(),
        )

    def out_of_time(self) -> Timeout:
        """The error for a run that took too long."""
        return Timeout(
            f"the agent did not come to an answer within {self._limits.seconds:g} seconds",
            suggestion="allow more with its limit `seconds`, or ask for less",
            details=self._so_far(),
        )

    def _so_far(self) -> dict[str, object]:
        return {
            "iterations": self._iterations,
            "tool_calls": len(self._tool_runs),
            "tokens": self._usage.total_tokens,
        }
