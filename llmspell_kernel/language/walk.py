"""Going through a syntax tree without recursion."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from llmspell_kernel.language.syntax import (
    Assignment,
    Binary,
    Block,
    Call,
    Expression,
    Expressions,
    Field,
    Function,
    If,
    Index,
    Local,
    LocalStatement,
    Loop,
    Return,
    Statement,
    Table,
    Unary,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Node: TypeAlias = Expression | Statement | Field | Block | Local


def walk(block: Block) -> Iterator[Node]:
    """Every node of `block`, outer ones first, in the order of the text."""
    stack: list[Node] = [block]
    while stack:
        node = stack.pop()
        yield node
        below = children(node)
        if below:
            stack.extend(reversed(below))


def children(node: Node) -> list[Node]:
    """What a node is made of, in the order of the text."""
    match node:
        case Block(statements=below):
            return list(below)
        case Call():
            return [node.function, *node.arguments]
        case Index():
            return [node.base, node.key]
        case Binary():
            return [node.left, node.right]
        case Unary():
            return [node.operand]
        case Function():
            return [node.body]
        case Table(fields=fields):
            return list(fields)
        case Field(key=key, value=value):
            return [value] if key is None else [key, value]
        case Assignment():
            return [*node.targets, *node.values]
        case LocalStatement(values=values) | Expressions(values=values) | Return(values=values):
            return list(values)
        case Loop():
            inside: list[Node] = [*node.expressions, node.body]
            return inside[::-1] if node.keyword == "repeat" else inside
        case If(arms=arms):
            return [part for condition, block in arms for part in (condition, block) if part is not None]
        case _:
            return []
