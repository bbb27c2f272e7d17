"""The rules of the diagnostics, as a table; each is sure of what it says or silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from llmspell_kernel.language.expected import parameter_at
from llmspell_kernel.language.lexer import KEYWORDS
from llmspell_kernel.language.spelling import nearest
from llmspell_kernel.language.syntax import (
    Assignment,
    Call,
    Constant,
    Index,
    Loop,
    Name,
    String,
    Table,
)
from llmspell_kernel.language.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from llmspell_kernel.language.definitions import Summary
    from llmspell_kernel.language.documentation import Documented, Option, Reference
    from llmspell_kernel.language.inference import Inference, Target
    from llmspell_kernel.language.live import Names
    from llmspell_kernel.language.notebook import Notebook
    from llmspell_kernel.language.syntax import Chunk, Expression, Local
    from llmspell_kernel.language.walk import Node


class Found(NamedTuple):
    """What a rule found, and where."""

    start: int
    end: int
    message: str


@dataclass(frozen=True)
class Known:
    """The global names that exist; `certain` unless there were too many to list."""

    names: frozenset[str]
    certain: bool

    @classmethod
    def of(cls, summary: Summary, notebook: Notebook, reference: Reference, names: Names | None) -> Known:
        """Gather them from the cell, the cells before, the reference and the live state."""
        roots = {owner.partition(".")[0] for owner in reference.owners()}
        found = {*reference.members(""), *roots, *notebook.names, *(one.name for one in summary.definitions)}
        found.update(node.text for node in _assigned_globals(summary.chunk))
        if names is not None:
            found.update(row.name for row in names.rows)
        return cls(frozenset(found - {""}), names is None or not names.truncated)


def _assigned_globals(chunk: Chunk) -> Iterator[Name]:
    for node in walk(chunk.block):
        if isinstance(node, Assignment):
            yield from (
                target for target in node.targets if isinstance(target, Name) and target.local is None
            )


class Subject:
    """A cell under examination."""

    def __init__(self, chunk: Chunk, inference: Inference, known: Known) -> None:
        self.chunk = chunk
        self.inference = inference
        self.known = known
        self.nodes: list[Node] = list(walk(chunk.block))

    def calls(self) -> Iterator[Call]:
        """Every call of the cell."""
        return (node for node in self.nodes if isinstance(node, Call))

    def entry_of(self, function: Expression) -> Documented | None:
        """The reference's record of a function that is called, unless the cells replaced it."""
        target = self.inference.resolve(function)
        return target.entry if target.entry is not None and not target.functions else None


@dataclass(frozen=True)
class Rule:
    """A rule by name, what it warns of, and how it finds it."""

    name: str
    doc: str
    find: Callable[[Subject], Iterable[Found]]


# ── names ────────────────────────────────────────────────────────────────────────────────────────────

ELSEWHERE = {
    "None": "nil",
    "null": "nil",
    "NULL": "nil",
    "undefined": "nil",
    "True": "true",
    "TRUE": "true",
    "False": "false",
    "FALSE": "false",
    "this": "self",
    "elif": "elseif",
    "elsif": "elseif",
    "var": "local",
    "let": "local",
    "def": "function",
    "func": "function",
    "len": "#",
}
"""Words of other languages and what Lua has instead."""

OLDER_LUA = frozenset(
    (
        *(
            "unpack",
            "loadstring",
            "setfenv",
            "getfenv",
            "module",
            "bit32",
            "bit",
            "jit",
            "newproxy",
            "gcinfo",
        ),
        *("dofile", "loadfile", "warn", "debug", "package", "arg", "utf8", "table.getn", "table.setn"),
        *(
            "table.maxn",
            "table.foreach",
            "table.foreachi",
            "string.gfind",
            "string.dump",
            "math.pow",
            "math.mod",
        ),
        *("math.cosh", "math.sinh", "math.tanh", "math.log10", "math.frexp", "math.ldexp", "os.execute"),
        *("os.setlocale", "io.popen", "io.input", "io.output"),
    )
)
"""Names of other versions of Lua: real ones, so never a slip of the fingers."""


def undefined_globals(subject: Subject) -> Iterator[Found]:
    """A global that nobody defined and that is spelt almost like one that exists."""
    targets = {id(name) for name in _assigned_globals(subject.chunk)}
    known = subject.known
    if not known.certain:
        return
    for name in subject.chunk.globals:
        if name.text in known.names or name.text in OLDER_LUA or id(name) in targets:
            continue
        if name.text in ELSEWHERE:
            yield Found(
                name.start, name.end, f"'{name.text}' is not Lua: did you mean '{ELSEWHERE[name.text]}'?"
            )
            continue
        visible = {local.name for local in subject.chunk.locals if local.start < name.start}
        near = nearest(name.text, known.names | visible | KEYWORDS)
        if near is not None:
            yield Found(name.start, name.end, f"'{name.text}' is not defined: did you mean '{near}'?")


def unknown_members(subject: Subject) -> Iterator[Found]:
    """A field of a module or of a documented type that it does not have, spelt almost like one it has."""
    targets = {
        id(target) for node in subject.nodes if isinstance(node, Assignment) for target in node.targets
    }
    for node in subject.nodes:
        if not isinstance(node, Index) or not isinstance(node.key, String) or node.bracket:
            continue
        base = subject.inference.resolve(node.base)
        owner = _owner(base, node, subject.inference.reference)
        if owner is None:
            continue
        key, members = node.key.text, subject.inference.reference.members(owner)
        if (
            key in members
            or f"{owner}.{key}" in OLDER_LUA
            or _defined(subject.inference, base, key, id(node) in targets)
        ):
            continue
        near = nearest(key, members)
        if near is not None:
            done = "assigns a new field of" if id(node) in targets else "is no field of"
            yield Found(node.key.start, node.key.end, f"'{key}' {done} '{owner}': did you mean '{near}'?")


def _owner(base: Target, node: Index, reference: Reference) -> str | None:
    """The one documented thing that `base` is; None if the cells made it, or if it may be several."""
    if base.tables or base.functions or (base.definitions and not base.types):
        return None
    if base.owner:
        return base.owner
    documented = [type_ for type_ in base.types if reference.members(type_)]
    if len(documented) != 1 or len(base.types) != 1:
        return None
    # any table may have a field of its own, and strings answer to what the cells put into `string`
    return documented[0] if documented[0] != "string" or node.method else None


def _defined(inference: Inference, base: Target, key: str, is_target: bool) -> bool:
    """Whether some cell gives `base` such a field; the assignment in question does not count."""
    uses = sum(key in inference.fields_of(named) for named in base.names)
    return uses > 0 and not is_target


# ── calls ────────────────────────────────────────────────────────────────────────────────────────────


def wrong_arity(subject: Subject) -> Iterator[Found]:
    """A documented function that is called with fewer or more arguments than it takes."""
    for call in subject.calls():
        if not call.closed or any(
            isinstance(argument, Call) or _is_vararg(argument) for argument in call.arguments[-1:]
        ):
            continue
        entry = subject.entry_of(call.function)
        if entry is None or not entry.is_callable or not entry.parameters:
            continue
        with_colon = isinstance(call.function, Index) and call.function.method
        if entry.kind == "method" and not with_colon:
            continue
        given = len(call.arguments) + (1 if with_colon and entry.kind != "method" else 0)
        least, most = entry.arity
        if given < least or (most is not None and given > most):
            yield Found(call.function.start, call.end, _arity_message(entry, given, least, most))


def _is_vararg(node: Expression) -> bool:
    return isinstance(node, Constant) and node.kind == "..."


def _arity_message(entry: Documented, given: int, least: int, most: int | None) -> str:
    takes = str(least) if least == most else f"at least {least}" if most is None else f"{least} to {most}"
    plural = "" if takes in ("1", "at least 1") else "s"
    return f"'{entry.name}' takes {takes} argument{plural}, here it gets {given}: {entry.shown_signature}"


def unknown_options(subject: Subject) -> Iterator[Found]:
    """A key of an options table that the called function does not know."""
    for call in subject.calls():
        tables = [(position, node) for position, node in enumerate(call.arguments) if isinstance(node, Table)]
        entry = subject.entry_of(call.function) if tables else None
        if entry is None:
            continue
        for position, table in tables:
            parameter = parameter_at(entry, call.function, position)
            if parameter is not None:
                options = parameter.options or _only_options(entry, call)
                yield from _unknown_keys(table, options, entry)


def _only_options(entry: Documented, call: Call) -> tuple[Option, ...]:
    """The options of a function that takes them in place of its first argument too."""
    if len(call.arguments) > 1:
        return ()
    return next((parameter.options for parameter in entry.parameters if parameter.options), ())


def _unknown_keys(table: Table, options: tuple[Option, ...], entry: Documented) -> Iterator[Found]:
    known = {option.name: option for option in options}
    if not known:
        return
    for item in table.fields:
        if not isinstance(item.key, String):
            continue
        option = known.get(item.key.text)
        if option is not None:
            if isinstance(item.value, Table) and option.options:
                yield from _unknown_keys(item.value, option.options, entry)
            continue
        near = nearest(item.key.text, known)
        if near is not None or entry.closed:
            hint = f": did you mean '{near}'?" if near is not None else f" (it has {', '.join(known)})"
            yield Found(item.key.start, item.key.end, f"'{entry.name}' has no option '{item.key.text}'{hint}")


# ── loops and conditions ─────────────────────────────────────────────────────────────────────────────


def loop_variables_after(subject: Subject) -> Iterator[Found]:
    """A loop variable that is used after its loop, where it is gone."""
    loops = [node for node in subject.nodes if isinstance(node, Loop) and node.locals]
    for loop in loops:
        for local in loop.locals:
            yield from _outer_local_after(subject, loop, local)
            yield from _global_after(subject, loop, local)


def _outer_local_after(subject: Subject, loop: Loop, local: Local) -> Iterator[Found]:
    """The loop's variable hides a local that keeps its first, constant value and is read after the loop."""
    outer = [
        one
        for one in subject.chunk.locals
        if one.name == local.name
        and one.kind == "local"
        and one.start < loop.start
        and one.depth == local.depth
    ]
    if not outer or not _is_constant(outer[-1]):
        return
    assigned = {
        id(target)
        for node in subject.nodes
        if isinstance(node, Assignment)
        for target in node.targets
        if isinstance(target, Name)
    }
    references = outer[-1].references
    if any(id(name) in assigned for name in references):
        return
    after = [name for name in references if name.start > loop.end]
    if after:
        yield Found(
            after[0].start,
            after[0].end,
            f"'{local.name}' is not changed by the loop before: "
            f"'for {local.name}' makes a variable of its own, which is gone after 'end'",
        )


def _is_constant(local: Local) -> bool:
    return local.value is None or (
        isinstance(local.value, Constant) and local.value.kind in ("nil", "number", "false")
    )


def _global_after(subject: Subject, loop: Loop, local: Local) -> Iterator[Found]:
    """A global of the loop variable's name that nobody defined is read after the loop."""
    if local.name in subject.known.names | OLDER_LUA or not subject.known.certain or local.name == "_":
        return
    for name in subject.chunk.globals:
        if name.text == local.name and name.start > loop.end:
            yield Found(
                name.start,
                name.end,
                f"'{name.text}' is gone here: a loop variable lives only inside its loop, keep it in a local",
            )
            return


def foreign_syntax(subject: Subject) -> Iterator[Found]:
    """``=`` in a condition, and operators of other languages; only the first, for the cell does not run."""
    if not subject.chunk.problems:
        return
    problem = subject.chunk.problems[0]
    text = subject.chunk.text
    before = max(0, problem.start - 2)
    if problem.message.startswith("'=' assigns"):
        yield Found(problem.start, problem.end, "a condition compares with '=='; '=' assigns a value")
    for foreign, ours in FOREIGN_OPERATORS.items():
        at = text.find(foreign, before, problem.start + 2)
        if at >= 0:
            yield Found(at, at + len(foreign), f"Lua has no '{foreign}': write {ours}")
            return


FOREIGN_OPERATORS = {
    "!=": "'~='",
    "&&": "'and'",
    "||": "'or'",
    "+=": "'x = x + …'",
    "-=": "'x = x - …'",
    "*=": "'x = x * …'",
    "++": "'x = x + 1'",
    "!": "'not'",
}
"""Operators of other languages; the first that stands at the first syntax error is explained."""


RULES: tuple[Rule, ...] = (
    Rule("undefined-global", "a name that is not defined and looks like one that is", undefined_globals),
    Rule(
        "unknown-member",
        "a field that a module does not have and that looks like one it has",
        unknown_members,
    ),
    Rule("wrong-arity", "too few or too many arguments for a documented function", wrong_arity),
    Rule("unknown-option", "a key that a function's options do not have", unknown_options),
    Rule("loop-variable-after", "a loop variable used after its loop", loop_variables_after),
    Rule("foreign-syntax", "'=' in a condition, and operators of other languages", foreign_syntax),
)
