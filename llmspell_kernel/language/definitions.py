"""What a text defines: its names, and the fields it assigns."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from llmspell_kernel.language.annotations import comment_above, read_doc
from llmspell_kernel.language.documentation import Documented, Option
from llmspell_kernel.language.syntax import Assignment, Function, Index, LocalStatement, Name, String
from llmspell_kernel.language.walk import walk

if TYPE_CHECKING:
    from llmspell_kernel.language.syntax import Chunk, Expression, Field, Local, Statement


@dataclass(eq=False)
class Definition:
    """A name or field that a text defines somewhere: what it is assigned, and by which statement."""

    name: str
    """Dotted; ``M:send`` for a method."""
    value: Expression | None
    result: int
    """Which result of `value` it takes, if that is a call."""
    statement: Statement | Field | Function
    start: int
    root: Local | None
    """The local variable that the name begins with; None for a global."""
    chunk: Chunk
    label: str
    """The cell, such as ``cell 3``."""

    @property
    def short_name(self) -> str:
        """The last part of the name."""
        return self.name.replace(":", ".").rpartition(".")[2]

    @property
    def line(self) -> int:
        """Its line in the cell, from 1."""
        return self.chunk.line(self.start)

    @cached_property
    def documented(self) -> Documented:
        """What the text says of it: the comment above and, for a function, its parameters."""
        return _document(self)

    @property
    def reaches_later_cells(self) -> bool:
        """Whether a later cell sees it: globals, and locals outside every function."""
        return self.root is None or self.root.depth == 0


@dataclass(eq=False)
class Summary:
    """The definitions of one text."""

    chunk: Chunk
    label: str
    definitions: list[Definition] = field(default_factory=list[Definition])
    """Names, in the order of the text."""
    fields: dict[str, list[Definition]] = field(default_factory=lambda: defaultdict(list[Definition]))
    """Fields by what they belong to: ``M`` has the definition of ``M.x``."""

    def everything(self) -> list[Definition]:
        """Names and fields, in the order of the text."""
        found = [*self.definitions, *(one for some in self.fields.values() for one in some)]
        return sorted(found, key=lambda definition: definition.start)


def summarize(chunk: Chunk, label: str) -> Summary:
    """Find the definitions of `chunk`; names without a dot that are local to a function are left out."""
    summary = Summary(chunk, label)
    for node in walk(chunk.block):
        if isinstance(node, LocalStatement):
            for local in node.locals:
                if local.depth == 0:
                    summary.definitions.append(
                        Definition(
                            local.name, local.value, local.result, node, local.start, local, chunk, label
                        )
                    )
        elif isinstance(node, Assignment):
            _assigned(summary, node)
    return summary


def _assigned(summary: Summary, statement: Assignment) -> None:
    for position, target in enumerate(statement.targets):
        values = statement.values
        last = len(values) - 1
        value = values[min(position, last)] if values else None
        result = max(0, position - last)
        base, root = dotted(target.base) if isinstance(target, Index) else ("", None)
        name, own_root = dotted(target)
        if not name:
            continue
        definition = Definition(
            name, value, result, statement, target.start, root or own_root, summary.chunk, summary.label
        )
        if base:
            summary.fields[base.replace(":", ".")].append(definition)
        elif own_root is None or isinstance(value, Function):
            # what a local is declared with tells more than what it becomes later
            summary.definitions.append(definition)


def dotted(node: Expression) -> tuple[str, Local | None]:
    """``a.b:c`` for a chain of names (else an empty string), and the local variable it begins with.

    ``self`` stands for what its method belongs to.
    """
    if isinstance(node, Name):
        local = node.local
        if (
            local is not None
            and local.function is not None
            and local.function.self_of is not None
            and node.text == "self"
        ):
            return dotted(local.function.self_of)
        return node.text, local
    if isinstance(node, Index) and isinstance(node.key, String):
        base, root = dotted(node.base)
        return (f"{base}{':' if node.method else '.'}{node.key.text}" if base else ""), root
    return "", None


def _document(definition: Definition) -> Documented:
    """What the text says of one of its definitions: the comment above and, for a function, its parameters."""
    doc = read_doc(comment_above(definition.chunk, definition.statement.start))
    value = definition.value
    if not isinstance(value, Function):
        is_function = bool(doc.parameters or doc.returns)  # one that was made elsewhere: `M.map = map`
        return Documented(
            definition.name,
            "function" if is_function else "type" if doc.class_name else "field",
            doc.text,
            doc.signature,
            tuple(doc.parameters.values()),
            tuple(doc.returns),
            doc.example,
            doc.since,
            doc.link,
            doc.type,
        )
    written = [local.name for local in value.parameters if local.kind == "parameter"]
    is_method = value.self_of is not None
    names = (written[1:] if is_method else written) + (["..."] if value.vararg else [])
    return Documented(
        definition.name,
        "method" if is_method else "function",
        doc.text,
        doc.signature,
        tuple(doc.parameters.get(name, Option(name, optional=name == "...")) for name in names),
        tuple(doc.returns),
        doc.example,
        doc.since,
        doc.link,
    )
