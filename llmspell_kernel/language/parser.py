"""Parses Lua as it is being typed.

A recursive-descent parser after Lua's own compiler, which keeps the structure of
unfinished text: blocks that are still open stay blocks, with their locals in scope.
(tree-sitter-lua flattens an unclosed function or loop into one error node, and offers no scopes.)
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from llmspell_kernel.language.expressions import STARTS_EXPRESSION, ExpressionParser
from llmspell_kernel.language.syntax import (
    Assignment,
    Block,
    Call,
    Chunk,
    Expressions,
    If,
    Index,
    Jump,
    Local,
    LocalStatement,
    Loop,
    Missing,
    Name,
    Return,
)

if TYPE_CHECKING:
    from llmspell_kernel.language.lexer import Token
    from llmspell_kernel.language.syntax import Expression, Statement

_BLOCK_ENDS = frozenset(("end", "else", "elseif", "until", "eof"))


@lru_cache(maxsize=32)
def parse(text: str) -> Chunk:
    """Parse `text` (a cell without its magics); never raises. The answer is shared: do not change it."""
    start = 0
    if text.startswith("#"):
        start = text.find("\n") + 1 or len(text)
    return Parser(text, start).chunk()


class Parser(ExpressionParser):
    """Parses statements."""

    def chunk(self) -> Chunk:
        """Parse the whole text."""
        block = self.block()
        while self.kind != "eof":
            self.problem(
                f"unexpected '{self.advance().text}': no block is open here", self.tokens[self.index - 1]
            )
            block.statements += self.block().statements
        block.end = len(self.text)
        return Chunk(
            self.text,
            block,
            self.tokens,
            self.comments,
            sorted(self.problems, key=lambda problem: problem.start),
            self.visible_at_end or {},
            self.functions_at_end,
            self.locals,
            self.globals,
            self.at_end,
            self.openings_at_end,
        )

    def block(self) -> Block:
        """Parse statements up to ``end``, ``else``, ``elseif``, ``until`` or the end of the text."""
        start = self.last_end
        statements: list[Statement] = []
        self.depth += 1
        while self.kind not in _BLOCK_ENDS and not self.too_deep():
            statement = self.statement()
            if statement is not None:
                statements.append(statement)
                if isinstance(statement, Return) and self.kind not in _BLOCK_ENDS:
                    self.problem(
                        f"'return' must be the last statement of its block, not before {self.near()}"
                    )
        self.depth -= 1
        if self.kind == "eof":
            self.reach_end()
        return Block(statements, start, self.last_end)

    def statement(self) -> Statement | None:
        """Parse one statement; None if there was nothing but a semicolon or a stray token."""
        token = self.token
        match token.kind:
            case "local":
                return self.local(self.advance())
            case "function":
                if self.tokens[self.index + 1].kind == "(":
                    return self.expressions()
                return self.function_statement(self.advance())
            case "if":
                return self.if_statement(token)
            case "while" | "do" | "repeat":
                return self.loop(self.advance())
            case "for":
                return self.for_loop(self.advance())
            case "return":
                return self.return_statement(self.advance())
            case "break" | "goto" | "::":
                return self.jump(self.advance())
            case ";":
                self.advance()
                return None
            case kind if kind in STARTS_EXPRESSION:
                return self.expressions()
            case _:
                self.problem(f"unexpected symbol near {self.near()}")
                self.advance()
                return None

    def local(self, opened: Token) -> LocalStatement:
        """Parse ``local …`` or ``local function …`` after the word ``local``."""
        if self.kind == "function":
            function = self.advance()
            token = self.expect_name()
            locals_: list[Local] = []
            if token is not None:
                locals_.append(self.new_local(token, "function"))
                self.declare(locals_[0])
            node = LocalStatement(locals_, [], opened.start, self.last_end, is_function=True)
            node.values = [self.function(function)]
            if locals_:
                locals_[0].value = node.values[0]
            node.end = self.last_end
            return node
        declared = self._local_names()
        values = self.expression_list() if self.accept("=") else []
        _give_values(declared, values)
        for local in declared:
            self.declare(local)
        return LocalStatement(declared, values, opened.start, self.last_end)

    def _local_names(self) -> list[Local]:
        declared: list[Local] = []
        while (token := self.expect_name()) is not None:
            local = self.new_local(token, "local")
            declared.append(local)
            if self.accept("<"):
                attribute = self.expect_name()
                local.attribute = attribute.text if attribute else ""
                self.expect(">")
            if not self.accept(","):
                break
        return declared

    def function_statement(self, opened: Token) -> Statement:
        """Parse ``function a.b:c(…) … end`` after the word ``function``."""
        token = self.expect_name()
        target: Expression = self.name(token) if token else Missing(self.last_end, self.last_end)
        while self.kind in (".", ":"):
            target = self.member(target)
            if target.method:
                break
        self_of = target.base if isinstance(target, Index) and target.method else None
        function = self.function(opened, self_of)
        return Assignment([target], [function], opened.start, self.last_end, is_function=True)

    def scoped_block(self) -> Block:
        """Parse a block in a scope of its own."""
        mark = self.open_scope()
        block = self.block()
        self.close_scope(mark)
        return block

    def if_statement(self, opened: Token) -> If:
        """Parse ``if`` with all its arms."""
        arms: list[tuple[Expression | None, Block]] = []
        while self.kind in ("if", "elseif"):
            self.advance()
            condition = self.expression()
            self._assignment_in_condition()
            self.expect("then")
            arms.append((condition, self.scoped_block()))
        if self.accept("else"):
            arms.append((None, self.scoped_block()))
        self.expect("end", opened)
        return If(arms, opened.start, self.last_end)

    def _assignment_in_condition(self) -> None:
        if self.kind == "=":
            self.problem("'=' assigns a value; comparing is '=='")
            self.advance()
            self.expression()

    def loop(self, opened: Token) -> Loop:
        """Parse ``while``, ``do`` or ``repeat`` after that word."""
        mark = self.open_scope()
        conditions: list[Expression] = []
        if opened.kind == "while":
            conditions.append(self.expression())
            self._assignment_in_condition()
            self.expect("do")
        body = self.block()
        if opened.kind == "repeat":
            if self.expect("until", opened):
                conditions.append(self.expression())
        else:
            self.expect("end", opened)
        self.close_scope(mark)
        return Loop(opened.kind, [], conditions, body, opened.start, self.last_end)

    def for_loop(self, opened: Token) -> Loop:
        """Parse ``for`` of both sorts, after that word."""
        names: list[Local] = []
        while (token := self.expect_name()) is not None:
            names.append(self.new_local(token, "loop"))
            if not self.accept(","):
                break
        if not (self.accept("in") or (len(names) == 1 and self.accept("="))):
            self.problem(f"'=' or 'in' expected near {self.near()}")
        expressions = self.expression_list()
        for result, local in enumerate(names):
            local.value, local.result = expressions[0], result
        self.expect("do")
        mark = self.open_scope()
        for local in names:
            self.declare(local)
        body = self.block()
        self.expect("end", opened)
        self.close_scope(mark)
        return Loop("for", names, expressions, body, opened.start, self.last_end)

    def return_statement(self, opened: Token) -> Return:
        """Parse the values after ``return``."""
        values = [] if self.kind in _BLOCK_ENDS or self.kind == ";" else self.expression_list()
        self.accept(";")
        return Return(values, opened.start, self.last_end)

    def jump(self, opened: Token) -> Jump:
        """Parse what follows ``break``, ``goto`` or ``::``."""
        if opened.kind == "break":
            return Jump("break", "", opened.start, opened.end)
        label = self.expect_name()
        if opened.kind == "::":
            self.expect("::")
        return Jump(opened.kind, label.text if label else "", opened.start, self.last_end)

    def expressions(self) -> Statement:
        """Parse what starts with an expression: an assignment, a call, or what ends a cell."""
        start = self.token.start
        targets = self.expression_list()
        if self.kind == "=":
            return self.assignment(targets)
        if len(targets) == 1 and isinstance(targets[0], Call):
            return Expressions(targets, start, self.last_end)
        result = Expressions(targets, start, self.last_end, is_result=True)
        if self.kind == ";" and self.tokens[self.index + 1].kind == "eof":
            self.advance()
        if self.kind != "eof" or self.depth > 1:
            self.problem(f"syntax error near {self.near()}")
        return result

    def assignment(self, targets: list[Expression]) -> Assignment:
        """Parse ``= values`` after the targets."""
        for target in targets:
            if not isinstance(target, Name | Index | Missing):
                self.problem("cannot assign to this expression")
        self.advance()
        values = self.expression_list()
        return Assignment(targets, values, targets[0].start, self.last_end)


def _give_values(declared: list[Local], values: list[Expression]) -> None:
    """Tell each local which expression it starts from."""
    for position, local in enumerate(declared):
        if position < len(values):
            local.value = values[position]
        elif values and isinstance(values[-1], Call):
            local.value, local.result = values[-1], position - len(values) + 1
