"""Record and replay: a notebook that runs again the same, without keys and without network.

============ ===================================================================
``off``      ask, keep nothing
``record``   ask, and keep every answer in place of what was kept before
``auto``     answer from the cassette where it can; else ask, and keep the answer
``replay``   answer from the cassette only; a question it does not hold is an error
============ ===================================================================

A question is known by a hash of what was asked, as the spell asked it: a notebook that names no model is
answered from the cassette whatever model would answer here.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from contextlib import aclosing
from difflib import SequenceMatcher, unified_diff
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from llmspell_kernel.errors import SpellError
from llmspell_kernel.llm.calls import stopped
from llmspell_kernel.llm.cassette import Cassette, Entry, to_yaml
from llmspell_kernel.llm.protocol import Delta, Embeddings, Finished
from llmspell_kernel.llm.recorded import play, question_of, read_embeddings, write_embeddings, written

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from llmspell_kernel.llm.calls import Asked, Handler

Mode = Literal["off", "auto", "record", "replay"]

_LOOKS_SECRET = re.compile(
    r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bAIza[A-Za-z0-9_-]{30,}|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"
    r"|(?<=Bearer )[A-Za-z0-9._~+/-]{16,}"
)
_MOST_DIFF_LINES = 40


class Recorder:
    """Records and replays.

    Args:
        mode: What to do.
        cassette: Where answers are kept.
        redact: Takes known secrets out of a text.
        default: The model that the configuration names, as ``provider:model``; empty if it names none.
    """

    def __init__(
        self,
        mode: Mode,
        cassette: Cassette,
        *,
        redact: Callable[[str], str] = lambda text: text,
        default: str = "",
    ) -> None:
        self.mode = mode
        self.cassette = cassette
        self._redact = redact
        self._default = default
        self._turns: Counter[str] = Counter()

    def begin_cell(self) -> None:
        """A cell begins: the first question of its kind is the first one recorded again."""
        self._turns.clear()

    async def around(self, asked: Asked, proceed: Handler) -> AsyncGenerator[Delta, None]:
        """The interceptor for chat."""
        if self.mode == "off":
            async with aclosing(proceed(asked)) as deltas:
                async for delta in deltas:
                    yield delta
            return
        question = self._clean(question_of(asked))
        named = bool(asked.request.model or asked.provider)
        key, turn, entry = await self._look_up("chat", question, named=named)
        if entry is not None:
            for delta in play(entry.answered, stream=asked.stream):
                yield delta
            return
        seen: list[Delta] = []
        try:
            async with aclosing(proceed(asked)) as deltas:
                async for delta in deltas:
                    seen.append(delta)
                    if isinstance(delta, Finished):
                        # Before it is passed on: the reader may stop reading there.
                        answer = self._clean(written(seen))
                        await self._keep(key, turn, "chat", question, answer, named=named)
                    yield delta
        except GeneratorExit:
            if asked.reading.enough:
                answer = self._clean(written([*seen, Finished(response=stopped(asked, seen))]))
                await self._keep(key, turn, "chat", question, answer, named=named)
            raise

    async def embed(
        self, texts: Sequence[str], model: str, ask: Callable[[], Awaitable[Embeddings]]
    ) -> Embeddings:
        """Vectors, recorded as any answer."""
        if self.mode == "off":
            return await ask()
        question = self._clean({"model": model, "texts": list(texts)})
        key, turn, entry = await self._look_up("embed", question, named=bool(model))
        if entry is not None:
            return read_embeddings(entry.answered)
        answer = await ask()
        await self._keep(key, turn, "embed", question, write_embeddings(answer), named=bool(model))
        return answer

    async def value(self, kind: str, asked: Any, make: Callable[[], Awaitable[Any]]) -> Any:
        """Any other answer that is made of plain values, such as a tool's."""
        if self.mode == "off":
            return await make()
        question = self._clean(asked)
        key, turn, entry = await self._look_up(kind, question, named=True)
        if entry is not None:
            return entry.answered
        answer = await make()
        await self._keep(key, turn, kind, question, self._clean(answer), named=True)
        return answer

    # ── looking up and keeping ───────────────────────────────────────────────────────────────────

    async def _look_up(self, kind: str, question: Any, *, named: bool) -> tuple[str, int, Entry | None]:
        """The question's key, the how-manieth of its kind it is, and the entry that answers it."""
        key = _key(kind, question)
        turn = self._turns[key]
        self._turns[key] += 1
        if self.mode == "record":
            return key, turn, None
        known = await self.cassette.find(key)
        if self.mode == "replay":
            if not known:
                raise await self._not_recorded(kind, question)
            return key, turn, known[min(turn, len(known) - 1)]
        if turn >= len(known) or not (named or known[turn].default == self._default):
            return key, turn, None
        return key, turn, known[turn]

    async def _keep(self, key: str, turn: int, kind: str, question: Any, answer: Any, *, named: bool) -> None:
        default = "" if named else self._default
        entry = Entry(key=key, kind=kind, default=default, asked=question, answered=answer)
        await self.cassette.keep(entry, turn)

    async def _not_recorded(self, kind: str, question: Any) -> SpellError:
        recorded = [entry for entry in await self.cassette.entries() if entry.kind == kind]
        name = self.cassette.path.name
        if not recorded:
            message = f"{name} holds no recorded {kind} answers"
        else:
            message = f"{name} holds no answer to this; the nearest recorded question differs:\n"
            message += _nearest_diff(question, recorded)
        return SpellError(
            message,
            code="not_recorded",
            suggestion="ask as it was recorded, or run the notebook once with record = auto",
            details={"cassette": str(self.cassette.path)},
        )

    def _clean(self, value: Any) -> Any:
        """A plain value with every secret in its texts replaced."""
        if isinstance(value, str):
            return _LOOKS_SECRET.sub("[secret]", self._redact(value))
        if isinstance(value, dict):
            return {key: self._clean(item) for key, item in cast("dict[Any, Any]", value).items()}
        if isinstance(value, list | tuple):
            return [self._clean(item) for item in cast("list[Any]", value)]
        return value


def _key(kind: str, question: Any) -> str:
    return hashlib.sha256(msgspec.json.encode([kind, question], order="sorted")).hexdigest()[:16]


def _nearest_diff(question: Any, recorded: Sequence[Entry]) -> str:
    new = to_yaml(question).splitlines()
    olds = [to_yaml(entry.asked).splitlines() for entry in recorded]
    old = max(olds, key=lambda lines: SequenceMatcher(None, lines, new, autojunk=False).ratio())
    lines = list(unified_diff(old, new, "recorded", "asked", lineterm="", n=2))
    more = [f"… {len(lines) - _MOST_DIFF_LINES} more lines"] if len(lines) > _MOST_DIFF_LINES else []
    return "\n".join([*lines[:_MOST_DIFF_LINES], *more])
