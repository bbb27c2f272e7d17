"""How what grows is shown: in place where the front end can, once where nobody looks, else as text.

Not every client knows ``update_display_data``: nbval compares what a display showed first, and consoles show that
alone. A client that runs notebooks must get what a person's notebook has in the end.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from llmspell_kernel.errors import SpellError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell_kernel.bridges.registry import Surface
    from llmspell_kernel.llm.models import Models
    from llmspell_kernel.llm.protocol import Delta, Request, Response


class Showing(Enum):
    """What a front end makes of displays that change."""

    IN_PLACE = "in place"
    ONCE = "once"
    TEXT = "text"

    @classmethod
    def of(cls, surface: Surface) -> Showing | None:
        """What `surface` says of itself; None for one that only keeps what it gets."""
        return getattr(surface, "showing", None)

    @classmethod
    def for_request(cls, metadata: Mapping[str, Any], allow_stdin: bool) -> Showing:
        """What the client of an ``execute_request`` can do: notebooks say which cell it is, batch runs ask nobody."""
        if metadata.get("cellId"):
            return cls.IN_PLACE
        return cls.TEXT if allow_stdin else cls.ONCE


async def shown_answer(models: Models, request: Request, provider: str, surface: Surface) -> Response:
    """Ask, and show the answer: as it grows, or when it is whole; of one that breaks off, what had come."""
    from llmspell_kernel.bridges.llm_messages import plain_usage
    from llmspell_kernel.display.stream import StreamedText
    from llmspell_kernel.llm.protocol import TextDelta

    display_id = uuid4().hex

    def show(bundle: dict[str, Any], *, update: bool) -> None:
        surface.display(bundle, {}, display_id, update)

    text = StreamedText(show, grows=Showing.of(surface) is Showing.IN_PLACE)

    async def hear(delta: Delta) -> bool:
        if isinstance(delta, TextDelta):
            text.push(delta.text)
        return False

    try:
        response = await models.listen(request, hear, provider=provider)
    except asyncio.CancelledError:
        text.stop("interrupted")
        raise
    except SpellError:
        text.stop("broken off")
        raise
    text.finish(
        {
            "content": response.content,
            "model": response.model,
            "provider": response.provider,
            "finish_reason": response.finish_reason,
            "usage": plain_usage(response.usage),
        }
    )
    return response
