"""What an expression stands for, as far as the text and the documentation tell without running it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from llmspell_kernel.language import expected
from llmspell_kernel.language.definitions import Definition
from llmspell_kernel.language.stdlib import TYPE_ALIASES
from llmspell_kernel.language.syntax import (
    Binary,
    Call,
    Constant,
    Function,
    If,
    Index,
    Loop,
    Name,
    Return,
    String,
    Table,
    Unary,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell_kernel.language.definitions import Summary
    from llmspell_kernel.language.documentation import Documented, Reference
    from llmspell_kernel.language.live import Path
    from llmspell_kernel.language.notebook import Notebook
    from llmspell_kernel.language.syntax import Block, Chunk, Expression, Local

MAX_DEPTH = 8
"""How many definitions are followed from one to the next."""

_NUMBER_OPERATORS = frozenset(("+", "-", "*", "/", "//", "%", "^", "&", "|", "~", "<<", ">>"))


class Named(NamedTuple):
    """A dotted name that fields may be assigned to.

    `root` is the local variable that it begins with; None for a global, or a local of earlier cells.
    """

    name: str
    root: Local | None


@dataclass
class Target:
    """What an expression may stand for; every part is a hint of its own."""

    path: Path | None = None
    """Where it is in the live state."""
    aliases: list[Path] = field(default_factory=list["Path"])
    """Where else it may be in the live state."""
    names: list[Named] = field(default_factory=list[Named])
    tables: list[Table] = field(default_factory=list[Table])
    types: list[str] = field(default_factory=list[str])
    """Types that the documentation knows members of, or Lua's own."""
    entry: Documented | None = None
    """Its record in the reference."""
    owner: str = ""
    """The module whose documented members it has."""
    functions: list[Function] = field(default_factory=list[Function])
    definitions: list[Definition] = field(default_factory=list[Definition])
    parents: list[Target] = field(default_factory=list["Target"])
    """What an ``__index`` in its metatable leads to."""

    def take(self, other: Target) -> None:
        """Add the hints of `other`."""
        self.aliases += other.aliases if other.path is None else [other.path, *other.aliases]
        self.names += [name for name in other.names if name not in self.names]
        self.tables += [table for table in other.tables if table not in self.tables]
        self.types += [type_ for type_ in other.types if type_ not in self.types]
        self.functions += [function for function in other.functions if function not in self.functions]
        self.definitions += [found for found in other.definitions if found not in self.definitions]
        self.parents += other.parents
        self.entry = self.entry or other.entry
        self.owner = self.owner or other.owner


def split_types(type_: str) -> list[str]:
    """The alternatives of a type in LuaCATS notation, without nil: ``"a"|string?`` is one, ``string``."""
    found: list[str] = []
    for part in type_.split("|") if "fun(" not in type_ else [type_]:
        name = part.strip().rstrip("?")
        name = "string" if name.startswith(('"', "'")) else name
        name = TYPE_ALIASES.get(name, name)
        if name not in ("", "nil", "any", *found):
            found.append(name)
    return found


class Inference:
    """Resolves expressions of one cell, given the cells before it and the reference."""

    def __init__(self, before: Chunk, cell: Summary, notebook: Notebook, reference: Reference) -> None:
        self.before = before
        self.cell = cell
        self._own = {id(local) for local in (*before.locals, *cell.chunk.locals)}
        self.notebook = notebook
        self.reference = reference

    def entry(self, node: Expression) -> Documented | None:
        """The documentation of what `node` stands for."""
        return self.resolve(node).entry

    def resolve(self, node: Expression, depth: int = 0) -> Target:
        """What `node` stands for."""
        if depth > MAX_DEPTH:
            return Target()
        match node:
            case Name():
                return self._local(node.local, depth) if node.local else self.global_name(node.text, depth)
            case Index(base=base, key=String(text=key)):
                return self.member(self.resolve(base, depth + 1), key, depth)
            case Index(base=base, key=Constant(kind="number", text=index)):
                return self.element(
                    self.resolve(base, depth + 1),
                    depth,
                    int(index) if index.isdecimal() and len(index) < 10 else 1,
                )
            case Call():
                return self.call(node, 0, depth)
            case Table():
                return Target(tables=[node])
            case Function():
                return Target(functions=[node])
            case String():
                return Target(types=["string"])
            case Constant(kind="number"):
                return Target(types=["number"])
            case Constant(kind="true" | "false"):
                return Target(types=["boolean"])
            case Binary():
                return self._binary(node, depth)
            case Unary(operator="(", operand=inner):
                return self.resolve(inner, depth)
            case Unary(operator=operator):
                return Target(types=["boolean" if operator == "not" else "number"])
            case _:
                return Target()

    def _binary(self, node: Binary, depth: int) -> Target:
        if node.operator == "..":
            return Target(types=["string"])
        if node.operator in _NUMBER_OPERATORS:
            return Target(types=["number"])
        if node.operator not in ("and", "or"):
            return Target(types=["boolean"])
        found = self.resolve(node.right, depth + 1)
        if node.operator == "or":
            left = self.resolve(node.left, depth + 1)
            left.take(found)
            return left
        return found

    # ── names ────────────────────────────────────────────────────────────────────────────────────

    def global_name(self, name: str, depth: int = 0) -> Target:
        """What a global or a session local is, by what the cells and the reference say."""
        found = Target(path=(name,), names=[Named(name, None)])
        definition = self._last(self.cell.definitions, name) or self.notebook.names.get(name)
        if definition is not None and depth <= MAX_DEPTH:
            self._take_definition(found, definition, depth)
        elif name in ("_G", "_ENV"):
            found.path = ("_G",)
        if not found.tables and not found.functions and not found.types:
            found.entry = found.entry or self.reference.get(name)
            if self.reference.members(name):
                found.owner = found.owner or name
            if found.entry:
                found.types += split_types(found.entry.type)
        return found

    @staticmethod
    def _last(definitions: list[Definition], name: str) -> Definition | None:
        return next(
            (found for found in reversed(definitions) if found.name == name and found.root is None), None
        )

    def _take_definition(self, target: Target, definition: Definition, depth: int) -> None:
        target.definitions.append(definition)
        if definition.value is not None:
            target.take(self.result(definition.value, definition.result, depth + 1))
        self._take_written(target, definition.documented.type, depth)

    def _local(self, local: Local, depth: int) -> Target:
        found = Target(names=[Named(local.name, local if local.depth or self._is_own(local) else None)])
        if local.function is not None:
            self._parameter(found, local, depth)
        elif local.kind == "loop":
            self._loop_variable(found, local, depth)
        elif local.value is not None:
            found.take(self.result(local.value, local.result, depth + 1))
        if local.depth == 0 and local.kind != "loop":
            found.path = (local.name,)
        definition = self.definition_of(local)
        if definition is not None:
            found.definitions.insert(0, definition)
            self._take_written(found, definition.documented.type, depth)
        return found

    def definition_of(self, local: Local) -> Definition | None:
        """Where this cell defines a local that is outside every function."""
        if not self._is_own(local):
            return None
        return next((one for one in self.cell.definitions if one.start == local.start), None)

    def _is_own(self, local: Local) -> bool:
        """Whether `local` is of this cell, not of one that ran before."""
        return id(local) in self._own

    def _parameter(self, found: Target, local: Local, depth: int) -> None:
        function = local.function
        assert function is not None
        if local.name == "self" and function.self_of is not None:
            found.take(self.resolve(function.self_of, depth + 1))
            return
        found.types += split_types(self._callback_type(function, local))
        definition = next(
            (
                one
                for one in self.cell.everything()
                if one.value is not None and one.value.start == function.start
            ),
            None,
        )
        if definition is not None:
            written = next((p for p in definition.documented.parameters if p.name == local.name), None)
            if written is not None:
                self._take_written(found, written.type, depth)

    def _callback_type(self, function: Function, local: Local) -> str:
        """The type of a parameter of a function that is written where a documented call takes one."""
        openings = self.before.openings
        for position, opening in enumerate(openings):
            if opening.kind == "function" and opening.item_start == function.start:
                option = expected.option_at(openings[:position], self.entry)
                return expected.callback_parameter(option, function.parameters.index(local)) if option else ""
        return ""

    def _loop_variable(self, found: Target, local: Local, depth: int) -> None:
        value = local.value
        if isinstance(value, Call) and isinstance(value.function, Name) and value.arguments:
            if value.function.text in ("ipairs", "pairs") and local.result == 1:
                found.take(self.element(self.resolve(value.arguments[0], depth + 1), depth))
        elif isinstance(value, Call):
            found.take(self.result(value, local.result, depth + 1))
        elif isinstance(value, Constant):
            found.types.append("number")

    # ── members ──────────────────────────────────────────────────────────────────────────────────

    def member(self, base: Target, key: str, depth: int = 0) -> Target:
        """What field `key` of `base` stands for."""
        found = Target()
        if depth > MAX_DEPTH:
            return found
        if base.path is not None:
            found.path = (key,) if base.path == ("_G",) else (*base.path, key)
        found.aliases = [(*path, key) for path in base.aliases[:4]]
        for table in base.tables:
            for item in table.fields:
                if isinstance(item.key, String) and item.key.text == key:
                    found.take(self.resolve(item.value, depth + 1))
        for named in base.names:
            definition = self.fields_of(named).get(key)
            if definition is not None:
                self._take_definition(found, definition, depth)
            found.names.append(Named(f"{named.name}.{key}", named.root))
        self._take_entry(found, base, key)
        if not (found.tables or found.functions or found.types or found.entry):
            for parent in base.parents:
                found.take(self.member(parent, key, depth + 1))
        return found

    def _take_entry(self, found: Target, base: Target, key: str) -> None:
        if found.functions or found.tables:
            return
        for owner in (base.owner, *base.types):
            entry = self.reference.get(f"{owner}.{key}") if owner else None
            if entry is not None:
                found.entry = entry
                found.types += split_types(entry.type)
                if self.reference.members(entry.name):
                    found.owner = entry.name
                return

    def fields_of(self, named: Named) -> Mapping[str, Definition]:
        """The fields that texts assign to a name: this cell's win over those of cells before it."""
        root = named.root
        if root is not None and not self._is_own(root):
            return self.notebook.fields_of_local(root, named.name)
        found: dict[str, Definition] = {}
        if root is None or root.depth == 0:
            found.update(self.notebook.fields(named.name))
        start = None if root is None else root.start
        for definition in self.cell.fields.get(named.name, ()):
            if (None if definition.root is None else definition.root.start) == start:
                found[definition.short_name] = definition
        return found

    def element(self, base: Target, depth: int = 0, index: int = 1) -> Target:
        """What the items of a list stand for: the texts tell of the first alone."""
        found = Target(path=None if base.path is None else (*base.path, index))
        for table in base.tables:
            first = next((item.value for item in table.fields if item.key is None), None)
            if first is not None:
                found.take(self.resolve(first, depth + 1))
        for type_ in base.types:
            if type_.endswith("[]"):
                found.types += split_types(type_[:-2])
        return found

    # ── calls ────────────────────────────────────────────────────────────────────────────────────

    def result(self, node: Expression, result: int, depth: int = 0) -> Target:
        """What result number `result` (from 0) of an expression stands for."""
        if isinstance(node, Call):
            return self.call(node, result, depth)
        return self.resolve(node, depth) if result == 0 else Target()

    def call(self, node: Call, result: int, depth: int = 0) -> Target:
        """What a call gives."""
        if depth > MAX_DEPTH:
            return Target()
        special = self._special_call(node, result, depth)
        if special is not None:
            return special
        function = self.resolve(node.function, depth + 1)
        found = Target()
        if function.entry is not None and result < len(function.entry.returns):
            found.types += split_types(function.entry.returns[result].type)
        for definition in function.definitions:
            returns = definition.documented.returns
            if result < len(returns):
                self._take_written(found, returns[result].type, depth)
        for body in function.functions:
            for value in returned(body.body, result):
                found.take(self.result(*value, depth + 1))
        return found

    def _take_written(self, found: Target, written: str, depth: int) -> None:
        """Types that a cell's comment names: documented ones, and tables that the cells use as classes."""
        for type_ in split_types(written):
            if type_ in self.notebook.names or any(one.name == type_ for one in self.cell.definitions):
                found.parents.append(self.global_name(type_, depth + 1))
            elif type_ not in found.types:
                found.types.append(type_)

    def _special_call(self, node: Call, result: int, depth: int) -> Target | None:
        """Calls of base functions that hand on what they are given."""
        name, arguments = node.function, node.arguments
        if not isinstance(name, Name) or name.local is not None or not arguments:
            return None
        match name.text:
            case "require" if isinstance(arguments[0], String) and result == 0:
                return self._required(arguments[0].text)
            case "setmetatable" if result == 0:
                return self._with_metatable(arguments, depth)
            case "assert" | "rawset" if result < len(arguments):
                return self.result(arguments[0], result, depth + 1)
            case "pcall" if result > 0 and len(arguments) >= 1:
                call = Call(arguments[0], arguments[1:], node.start, node.end, node.open, node.closed)
                return self.call(call, result - 1, depth + 1)
            case _:
                return None

    def _required(self, module: str) -> Target:
        found = Target(path=(module,), entry=self.reference.get(module))
        if self.reference.members(module):
            found.owner = module
        return found

    def _with_metatable(self, arguments: list[Expression], depth: int) -> Target:
        found = self.resolve(arguments[0], depth + 1)
        if len(arguments) > 1:
            metatable = self.resolve(arguments[1], depth + 1)
            index = self.member(metatable, "__index", depth + 1)
            found.parents.append(index)
        return found


def returned(block: Block, result: int) -> list[tuple[Expression, int]]:
    """The expressions that a function body returns as result number `result`, at the ends of its blocks."""
    found: list[tuple[Expression, int]] = []
    for statement in block.statements:
        match statement:
            case Return(values=values) if values:
                last = len(values) - 1
                found.append((values[min(result, last)], max(0, result - last)))
            case If(arms=arms):
                for _, arm in arms:
                    found += returned(arm, result)
            case Loop(body=body):
                found += returned(body, result)
            case _:
                pass
    return found[:4]
