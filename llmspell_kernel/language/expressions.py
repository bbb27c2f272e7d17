"""Expressions, parsed by precedence climbing; what is missing becomes `Missing`, never an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmspell_kernel.language.lexer import is_closed, string_value
from llmspell_kernel.language.reader import Reader
from llmspell_kernel.language.syntax import (
    Binary,
    Block,
    Call,
    Constant,
    Field,
    Function,
    Index,
    Local,
    Missing,
    Opening,
    String,
    Table,
    Unary,
)

if TYPE_CHECKING:
    from llmspell_kernel.language.lexer import Token
    from llmspell_kernel.language.syntax import Expression

# (left, right) priority as in Lua's lparser.c: right-associative where right is lower.
PRIORITY = {
    "or": (1, 1),
    "and": (2, 2),
    **dict.fromkeys(("<", ">", "<=", ">=", "~=", "=="), (3, 3)),
    "|": (4, 4),
    "~": (5, 5),
    "&": (6, 6),
    "<<": (7, 7),
    ">>": (7, 7),
    "..": (9, 8),
    "+": (10, 10),
    "-": (10, 10),
    **dict.fromkeys(("*", "/", "//", "%"), (11, 11)),
    "^": (14, 13),
}
UNARY_PRIORITY = 12
UNARY = frozenset(("not", "-", "#", "~"))
CONSTANTS = frozenset(("nil", "true", "false", "number", "..."))
STARTS_EXPRESSION = UNARY | CONSTANTS | {"string", "{", "function", "name", "("}


class ExpressionParser(Reader):
    """Parses expressions; function bodies need the statements of the class below."""

    def block(self) -> Block:
        """Parse statements up to what ends a block."""
        raise NotImplementedError

    def expression_list(self) -> list[Expression]:
        """Parse expressions separated by commas, at least one."""
        values = [self.expression()]
        while self.accept(","):
            values.append(self.expression())
        return values

    def expression(self, limit: int = 0) -> Expression:
        """Parse an expression whose operators bind tighter than `limit`."""
        if self.too_deep():
            return Missing(self.last_end, self.last_end)
        self.depth += 1
        token = self.token
        if token.kind in UNARY:
            self.advance()
            operand = self.expression(UNARY_PRIORITY)
            left: Expression = Unary(token.kind, operand, token.start, operand.end)
        else:
            left = self.simple()
        left = self.operators(left, limit)
        self.depth -= 1
        return left

    def operators(self, left: Expression, limit: int) -> Expression:
        """Parse the binary operators after `left` that bind tighter than `limit`."""
        while True:
            operator = self.kind
            priority = PRIORITY.get(operator)
            if priority is None or priority[0] <= limit:
                return left
            self.advance()
            # A chain of `..` is read as if it grouped to the left: no one here minds, and it may be long.
            right = self.expression(9 if operator == ".." else priority[1])
            left = Binary(operator, left, right, left.start, right.end)

    def simple(self) -> Expression:
        """Parse an expression without operators."""
        token = self.token
        kind = token.kind
        if kind in ("name", "("):
            return self.suffixed()
        if kind in CONSTANTS:
            self.advance()
            return Constant(kind, token.text, token.start, token.end)
        if kind == "string":
            return self.string()
        if kind == "{":
            return self.table()
        if kind == "function":
            self.advance()
            return self.function(token)
        if kind == "other":
            self.advance()
            return Missing(token.start, token.end)
        return self.missing(f"an expression expected near {self.near()}")

    def string(self) -> String:
        """Parse a string literal."""
        token = self.advance()
        node = String(string_value(token.text), token.start, token.end, is_closed(token.text))
        if token.end == len(self.text):
            self.at_end = node
            if not node.closed:
                self.reach_end()
        return node

    def suffixed(self) -> Expression:
        """Parse a name or parentheses and the indexes and calls after it."""
        token = self.advance()
        if token.kind == "name":
            node: Expression = self.name(token)
        else:
            inner = self.expression()
            self.expect(")", token)
            node = Unary("(", inner, token.start, self.last_end)
        while True:
            kind = self.kind
            if kind in (".", ":"):
                node = self.method_call(self.member(node))
            elif kind == "[":
                node = self.bracket(node)
            elif kind in ("(", "string", "{"):
                node = self.call(node)
            else:
                return node

    def member(self, base: Expression) -> Index:
        """Parse ``.name`` or ``:name`` after `base`."""
        method = self.advance().kind == ":"
        token = self.expect_name()
        key = String(token.text, token.start, token.end, closed=True) if token else None
        node = Index(base, key or Missing(self.last_end, self.last_end), base.start, self.last_end, method)
        if self.kind == "eof" and (key is None or key.end == len(self.text)):
            self.at_end = node
        return node

    def bracket(self, base: Expression) -> Index:
        """Parse ``[key]`` after `base`."""
        opened = self.advance()
        self.openings.append(Opening("index", base, [], self.token.start))
        key = self.expression()
        self.expect("]", opened)
        self.openings.pop()
        return Index(base, key, base.start, self.last_end, bracket=True)

    def method_call(self, node: Index) -> Index:
        """Record that a method is named and not called."""
        if node.method and self.kind not in ("(", "string", "{"):
            self.problem(f"function arguments expected near {self.near()}")
        return node

    def call(self, function: Expression) -> Call:
        """Parse the arguments of a call."""
        token = self.token
        if token.kind != "(":
            opening = Opening("call", function, [], token.start)
            self.openings.append(opening)
            argument = self.string() if token.kind == "string" else self.table()
            self.openings.pop()
            return Call(function, [argument], function.start, argument.end, token.start, argument.closed)
        self.advance()
        arguments: list[Expression] = []
        opening = Opening("call", function, arguments, self.token.start)
        self.openings.append(opening)
        while self.kind != ")":
            self.open_item(opening)
            arguments.append(self.expression())
            if not self.accept(","):
                break
            if self.kind == ")":
                self.missing(f"an expression expected near {self.near()}")
        closed = self.expect(")", token)
        self.openings.pop()
        return Call(function, arguments, function.start, self.last_end, token.end, closed)

    def table(self) -> Table:
        """Parse a table constructor."""
        opened = self.advance()
        fields: list[Field] = []
        opening = Opening("table", None, fields, self.token.start)
        self.openings.append(opening)
        while self.kind in STARTS_EXPRESSION or self.kind == "[":
            fields.append(self.field(opening))
            if not (self.accept(",") or self.accept(";")):
                break
            self.open_item(opening)
        closed = self.expect("}", opened)
        self.openings.pop()
        return Table(fields, opened.start, self.last_end, closed)

    def field(self, opening: Opening) -> Field:
        """Parse one item of a table constructor."""
        start = self.token.start
        key: Expression | None = None
        if self.kind == "[":
            opened = self.advance()
            key = self.expression()
            self.expect("]", opened)
            self.expect("=")
        elif self.kind == "name" and self.tokens[self.index + 1].kind == "=":
            token = self.advance()
            self.advance()
            key = String(token.text, token.start, token.end, closed=True)
        opening.key = key
        value = self.expression()
        return Field(key, value, start, value.end)

    def function(self, opened: Token, self_of: Expression | None = None) -> Function:
        """Parse parameters and body, after the word ``function`` (and its name)."""
        node = Function(
            [], False, Block([], self.last_end, self.last_end), opened.start, self.last_end, self_of
        )
        self.functions.append(node)
        self.openings.append(Opening("function", None, [], opened.start))
        mark = self.open_scope()
        if self_of is not None:
            self._parameter(node, opened._replace(kind="name", text="self"))
        parenthesis = self.token
        if self.expect("(") and self.kind != ")":
            self._parameters(node)
        if parenthesis.kind == "(":
            self.expect(")", parenthesis)
        node.body = self.block()
        self.expect("end", opened)
        self.close_scope(mark)
        self.functions.pop()
        self.openings.pop()
        node.end = self.last_end
        return node

    def _parameters(self, node: Function) -> None:
        while True:
            if self.accept("..."):
                node.vararg = True
                return
            token = self.expect_name()
            if token is None:
                return
            self._parameter(node, token)
            if not self.accept(","):
                return

    def _parameter(self, node: Function, token: Token) -> None:
        local: Local = self.new_local(token, "parameter")
        local.function = node
        node.parameters.append(local)
        self.declare(local)
