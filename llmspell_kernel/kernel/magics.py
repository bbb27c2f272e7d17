"""Magics: one table feeds running, help and completion."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from llmspell_kernel.errors import SpellError
from llmspell_kernel.session.outcome import Failed, Outcome, Succeeded

if TYPE_CHECKING:
    from llmspell_kernel.bridges.registry import Surface
    from llmspell_kernel.kernel.kernel import LLMSpellKernel


@dataclass(frozen=True)
class Call:
    """One magic as it was written."""

    name: str
    argument: str
    body: str | None
    """The rest of the cell for a cell magic (``%%name``), else None."""
    surface: Surface
    chunk: str


Handler = Callable[["Magics", Call], Awaitable[Outcome]]


@dataclass(frozen=True)
class Magic:
    """One entry of the table."""

    usage: str
    doc: str
    run: Handler


TABLE: dict[str, Magic] = {}


def magic(usage: str, doc: str) -> Callable[[Handler], Handler]:
    """Enter a handler into the table under the first word of `usage`."""

    def enter(handler: Handler) -> Handler:
        TABLE[usage.split()[0].lstrip("%")] = Magic(usage, doc, handler)
        return handler

    return enter


class Magics:
    """Runs the lines of a cell that begin with ``%``, and questions that end with ``?``."""

    def __init__(self, kernel: LLMSpellKernel) -> None:
        self.kernel = kernel
        self.session = kernel.spell_session

    @staticmethod
    def names() -> dict[str, str]:
        """Name and one-line documentation of each magic, for completion."""
        return {f"%{name}": entry.doc for name, entry in TABLE.items()}

    @staticmethod
    def concerns(code: str) -> bool:
        """Whether `code` begins with a magic or is a question."""
        text = code.strip()
        return text.startswith(("%", "?")) or _is_question(text)

    async def run(self, code: str, surface: Surface, chunk: str) -> Outcome:
        """Run a cell that `concerns` us: its magics one by one, then the Lua below them."""
        text = code.strip()
        if text.startswith("?") or _is_question(text):
            return await self.question(text, surface)
        if text.startswith("%%"):
            head, _, body = text.partition("\n")
            return await self._dispatch(head[2:], body, surface, chunk)
        outcome: Outcome = Succeeded()
        lines = code.split("\n")
        for index, line in enumerate(lines):
            if line.lstrip().startswith("%"):
                outcome = await self._dispatch(line.strip()[1:], None, surface, chunk)
                if not isinstance(outcome, Succeeded):
                    return outcome
                lines[index] = ""
            elif line.strip():
                break
        rest = "\n".join(lines)
        return await self.session.execute(rest, surface, chunk) if rest.strip() else outcome

    async def _dispatch(self, text: str, body: str | None, surface: Surface, chunk: str) -> Outcome:
        name, _, argument = text.partition(" ")
        entry = TABLE.get(name)
        if entry is None:
            near = get_close_matches(name, TABLE, 1)
            hint = f"did you mean %{near[0]}?" if near else "%lsmagic lists those there are"
            raise SpellError(f"there is no magic %{name}: {hint}", code="unknown_magic")
        return await entry.run(self, Call(name, argument.strip(), body, surface, chunk))

    async def question(self, text: str, surface: Surface) -> Outcome:
        """Explain the name that ``name?`` or ``%help name`` asks about."""
        detail = 1 if "??" in text else 0
        name = text.strip("? \t\n")
        bundle = await self.session.inspect(name, len(name), detail)
        if bundle is None:
            raise SpellError(f"nothing is known of '{name}'", code="not_found")
        return Succeeded(bundle, paged=True)


def _is_question(text: str) -> bool:
    return text.endswith("?") and "\n" not in text and not text.startswith("--") and len(text) > 1


def _shown(text: str) -> Succeeded:
    return Succeeded({"text/plain": text})


@magic("%help [name]", "explain a magic, or list them")
async def _help(magics: Magics, call: Call) -> Outcome:
    entry = TABLE.get(call.argument.lstrip("%"))
    if call.argument and entry is None:
        return await magics.question(call.argument, call.surface)
    shown = [entry] if entry is not None else list(TABLE.values())
    width = max(len(one.usage) for one in shown)
    return _shown("\n".join(f"{one.usage:<{width}}  {one.doc}" for one in shown))


@magic("%lsmagic", "list the names of the magics")
async def _lsmagic(magics: Magics, call: Call) -> Outcome:
    return _shown("  ".join(sorted(f"%{name}" for name in TABLE)))


@magic("%reset", "begin again with a fresh Lua state")
async def _reset(magics: Magics, call: Call) -> Outcome:
    await magics.session.reset()
    call.surface.stream("stdout", "a fresh Lua state; every variable is gone\n")
    return Succeeded()


@magic("%who", "list the names that this notebook defined")
async def _who(magics: Magics, call: Call) -> Outcome:
    from llmspell_kernel.language import variables

    return _shown(variables.names(await magics.session.variables()))


@magic("%whos", "list them with type, size and value")
async def _whos(magics: Magics, call: Call) -> Outcome:
    from llmspell_kernel.language import variables

    return Succeeded(variables.table(await magics.session.variables()))


@magic(
    "%check [code]",
    "warn of what is almost surely a mistake; %%check looks at the whole cell and does not run it",
)
async def _check(magics: Magics, call: Call) -> Outcome:
    codes = [call.body if call.body is not None else call.argument]
    if codes == [""]:
        codes = list(magics.session.sources.values())
    found = [one.shown for code in codes for one in magics.session.diagnose(code)]
    return _shown("\n".join(found) if found else "nothing to warn of")


@magic("%time code", "run code once and say how long it took; %%time times the whole cell")
async def _time(magics: Magics, call: Call) -> Outcome:
    started = time.perf_counter()
    outcome = await magics.session.execute(
        call.body if call.body is not None else call.argument, call.surface, call.chunk
    )
    call.surface.stream("stdout", f"wall time: {_duration(time.perf_counter() - started)}\n")
    return outcome


_TIMED_SECONDS = 0.8


@magic("%timeit code", "run code many times and say how long one run takes")
async def _timeit(magics: Magics, call: Call) -> Outcome:
    code = (call.body if call.body is not None else call.argument).strip()
    outcome, form = await _timed(magics, call, f"return {code}", 1), "return {}"
    if isinstance(outcome, Failed) and outcome.problem.ename == "LuaSyntaxError":
        outcome, form = await _timed(magics, call, code, 1), "{}"
    loops, best, total = 1, float("inf"), 0.0
    while isinstance(outcome, float):
        best, total = min(best, outcome / loops), total + outcome
        if total >= _TIMED_SECONDS:
            call.surface.stream(
                "stdout", f"{_duration(best)} per run (best of several times {loops:,} runs)\n"
            )
            return Succeeded()
        if outcome < _TIMED_SECONDS / 8:
            loops, best = loops * 10, float("inf")
        outcome = await _timed(magics, call, form.format(code), loops)
    assert not isinstance(outcome, int | float)
    return outcome


async def _timed(magics: Magics, call: Call, body: str, loops: int) -> float | Outcome:
    """Run `body` so many times; returns the CPU seconds that all runs took, or how it failed."""
    code = (
        f"local function timed() {body}\nend local begun = os.clock() "
        f"for _ = 1, {loops} do timed() end return string.format('%.9f', os.clock() - begun)"
    )
    outcome = await magics.session.evaluate(code, call.surface)
    if isinstance(outcome, Succeeded) and outcome.bundle:
        return float(str(outcome.bundle["text/plain"]).strip('"'))
    return outcome


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


@magic("%config [key]", "show the settings, and where each value came from")
async def _config(magics: Magics, call: Call) -> Outcome:
    rows = [row for row in magics.session.settings.explain() if call.argument in row[0]]
    if not rows:
        raise SpellError(
            f"there is no setting '{call.argument}'; %config lists them all", code="unknown_setting"
        )
    widths = [max(len(str(row[column])) for row in rows) for column in range(2)]
    return _shown("\n".join(f"{row[0]:<{widths[0]}}  {row[1]!s:<{widths[1]}}  {row[2]}" for row in rows))


@magic("%sandbox", "say how the engine is confined here")
async def _sandbox(magics: Magics, call: Call) -> Outcome:
    layers = magics.session.layers
    if not layers:
        return _shown(
            "the engine is not confined by the operating system here; Lua's own sandbox and limits hold"
        )
    width = max(map(len, layers))
    return _shown("\n".join(f"{name:<{width}}  {status}" for name, status in layers.items()))


@magic("%limits", "show what a cell may use, and what the last one did")
async def _limits(magics: Magics, call: Call) -> Outcome:
    rows = [row for row in magics.session.settings.explain() if row.key.startswith("limits.")]
    width = max(len(row.key) for row in rows)
    lines = [f"{row.key.removeprefix('limits.'):<{width}}  {row.value:<12}  {row.source}" for row in rows]
    return _shown("\n".join([*lines, f"Lua holds {magics.session.memory_used:,} bytes now"]))


def documentation() -> list[dict[str, Any]]:
    """The table as plain data, for the reference."""
    return [{"name": f"%{name}", "usage": entry.usage, "doc": entry.doc} for name, entry in TABLE.items()]
