"""``%help`` and ``name?``: the reference, and the magics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmspell_kernel.errors import NotFound
from llmspell_kernel.kernel.magics.table import TABLE, Call, magic, shown
from llmspell_kernel.session.outcome import Outcome, Succeeded

if TYPE_CHECKING:
    from llmspell_kernel.session.session import Session


@magic("%help [name]", "explain a function, a module or a magic; without a name list the magics")
async def _help(session: Session, call: Call) -> Outcome:
    entry = TABLE.get(call.argument.lstrip("%"))
    if call.argument and not call.argument.startswith("%"):
        try:
            return await question(session, call.argument)
        except NotFound:
            if entry is None:
                raise
    entries = [entry] if entry is not None else list(TABLE.values())
    width = max(len(one.usage) for one in entries)
    lines = [f"{one.usage:<{width}}  {one.doc}" for one in entries]
    if entry is None:
        lines += ["", "help() lists the modules and functions"]
    return shown("\n".join(lines))


def is_question(text: str) -> bool:
    """Whether a line is a question that ends with ``?``."""
    return text.endswith("?") and "\n" not in text and not text.startswith("--") and len(text) > 1


async def question(session: Session, text: str) -> Outcome:
    """Explain the name that ``name?`` or ``%help name`` asks about; raises `NotFound`."""
    detail = 1 if "??" in text else 0
    name = text.strip("? \t\n")
    bundle = await session.inspect(name, len(name), detail)
    if bundle is None:
        bundle = await session.explain(name)  # it says what may have been meant
    return Succeeded(bundle, paged=True)
