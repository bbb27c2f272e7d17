"""Spans for models, embeddings, agents and tools, by OpenTelemetry's conventions for generative AI (``gen_ai.*``).

They tell models, tokens and times, never what was said. Whoever installs an SDK in this process, or names a collector
in the environment, hears them; without either, nothing of this is loaded.
"""

from __future__ import annotations

import sys
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any

from llmspell_kernel.errors import SpellError
from llmspell_kernel.llm.protocol import Delta, Finished, Response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from opentelemetry.trace import Span

    from llmspell_kernel.llm.calls import Asked, Handler

_NAMES = {"temperature": "temperature", "top_p": "top_p", "max_tokens": "max_tokens", "seed": "seed"}


async def traced(asked: Asked, proceed: Handler) -> AsyncGenerator[Delta, None]:
    """The interceptor. A stream's span ends with the stream; what ends it early is no error."""
    from opentelemetry import trace

    span = trace.get_tracer("llmspell").start_span(
        f"chat {asked.request.model}".strip(), kind=trace.SpanKind.CLIENT, attributes=_asked(asked)
    )
    try:
        async with aclosing(proceed(asked)) as deltas:
            async for delta in deltas:
                if isinstance(delta, Finished):
                    _answered(span, delta.response)
                    span.update_name(f"chat {delta.response.model}")
                yield delta
    except Exception as error:
        span.set_attribute(
            "error.type", error.code if isinstance(error, SpellError) else type(error).__name__
        )
        span.set_status(trace.StatusCode.ERROR)
        raise
    finally:
        if asked.reading.choice is not None:
            span.set_attribute("gen_ai.provider.name", asked.reading.choice.provider)
        span.end()


@contextmanager
def operation(name: str, subject: str, **attributes: str | int) -> Generator[None]:
    """A span around a piece of work, such as ``execute_tool add``, under which those of its parts come.

    Args:
        name: The operation, as the conventions name it.
        subject: The model, tool or agent.
        attributes: What else is told, each under ``gen_ai.`` with dots for double underscores.
    """
    if "opentelemetry.sdk" not in sys.modules:
        yield
        return
    from opentelemetry import trace

    told = {f"gen_ai.{key.replace('__', '.')}": value for key, value in attributes.items()}
    tracer = trace.get_tracer("llmspell")
    told["gen_ai.operation.name"] = name
    with tracer.start_as_current_span(
        f"{name} {subject}".strip(), attributes=told, record_exception=False
    ) as span:
        try:
            yield
        except SpellError as error:
            span.set_attribute("error.type", error.code)
            raise


def failed(code: str) -> None:
    """Say of the span that is open, if there is one, that its work has failed."""
    if "opentelemetry.sdk" in sys.modules:
        from opentelemetry import trace

        span = trace.get_current_span()
        span.set_attribute("error.type", code)
        span.set_status(trace.StatusCode.ERROR)


def _asked(asked: Asked) -> dict[str, Any]:
    request = asked.request
    told: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": request.model}
    for name, told_as in _NAMES.items():
        if (value := getattr(request, name)) is not None:
            told[f"gen_ai.request.{told_as}"] = value
    if request.tools:
        told["gen_ai.tool.names"] = [tool.name for tool in request.tools]
    return told


def _answered(span: Span, response: Response) -> None:
    span.set_attributes(
        {
            "gen_ai.provider.name": response.provider,
            "gen_ai.response.model": response.model,
            "gen_ai.response.finish_reasons": [response.finish_reason],
            "gen_ai.usage.input_tokens": response.usage.prompt_tokens,
            "gen_ai.usage.output_tokens": response.usage.completion_tokens,
            "llmspell.recorded": response.recorded,
        }
    )
