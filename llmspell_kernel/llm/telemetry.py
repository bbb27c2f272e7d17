"""A span for every question to a model, by OpenTelemetry's conventions for generative AI (``gen_ai.*``).

They tell models, tokens and times, never what was said. Whoever installs an SDK in this process, or names a collector
in the environment, hears them; without either, nothing of this is loaded.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from llmspell_kernel.errors import SpellError
from llmspell_kernel.llm.protocol import Delta, Finished, Response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

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
