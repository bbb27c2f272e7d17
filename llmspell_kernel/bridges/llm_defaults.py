"""The provider and model that a spell has set for the rest of its session."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from llmspell_kernel.llm.calls import Asked, Handler
    from llmspell_kernel.llm.protocol import Delta, Request


@dataclass
class Defaults:
    """Names for the questions that name neither provider nor model; empty as long as none are set."""

    provider: str = ""
    model: str = ""

    def fill(self, request: Request, provider: str) -> tuple[Request, str]:
        """Return a question with the names that it leaves out."""
        if request.model or provider:
            return request, provider
        return msgspec.structs.replace(request, model=self.model), self.provider

    async def around(self, asked: Asked, proceed: Handler) -> AsyncGenerator[Delta, None]:
        """The interceptor for every question."""
        request, provider = self.fill(asked.request, asked.provider)
        async with aclosing(proceed(replace(asked, request=request, provider=provider))) as deltas:
            async for delta in deltas:
                yield delta
