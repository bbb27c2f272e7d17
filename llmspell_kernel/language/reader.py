"""What the parser stands on: the current token, the scopes, and the problems met so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmspell_kernel.language.lexer import Problem, Token, lex
from llmspell_kernel.language.syntax import Local, Missing, Name

if TYPE_CHECKING:
    from llmspell_kernel.language.syntax import Function, Index, LocalKind, Opening, String

MAX_DEPTH = 120
"""Nesting that is parsed; Lua's own compiler gives up at 200 levels."""


class Reader:
    """Reads tokens one by one and keeps the locals that are in scope."""

    def __init__(self, text: str, start: int) -> None:
        lexed = lex(text, start)
        self.text = text
        self.tokens, self.comments, self.problems = lexed
        self.index = 0
        self.token = self.tokens[0]
        self.kind = self.token.kind
        self.last_end = start
        self.depth: int = 0
        self.visible: dict[str, Local] = {}
        self.locals: list[Local] = []
        self.globals: list[Name] = []
        self.functions: list[Function] = []
        self.visible_at_end: dict[str, Local] | None = None
        self.functions_at_end: list[Function] = []
        self.at_end: Name | Index | String | None = None
        self.openings: list[Opening] = []
        self.openings_at_end: list[Opening] = []
        self._undo: list[tuple[str, Local | None]] = []

    def advance(self) -> Token:
        """Take the current token; ``eof`` is never passed."""
        token = self.token
        if token.kind != "eof":
            self.last_end = token.end
            self.index += 1
            self.token = self.tokens[self.index]
            self.kind = self.token.kind
        return token

    def accept(self, kind: str) -> bool:
        """Take the current token if it is of `kind`."""
        if self.kind == kind:
            self.advance()
            return True
        return False

    def expect(self, kind: str, opened: Token | None = None) -> bool:
        """Take a token of `kind`, or record that it is missing; `opened` is what it would close."""
        if self.accept(kind):
            return True
        where = ""
        if opened is not None and not self.on_one_line(opened.start, self.token.start):
            where = f" (to close '{opened.text}' at line {self.line(opened.start)})"
        self.problem(f"'{kind}' expected{where} near {self.near()}")
        return False

    def expect_name(self) -> Token | None:
        """Take a name, or record that one is missing."""
        if self.kind == "name":
            return self.advance()
        self.problem(f"a name expected near {self.near()}")
        return None

    def missing(self, message: str) -> Missing:
        """Record that something should be here, and stand for it."""
        self.problem(message)
        return Missing(self.last_end, self.token.start)

    def near(self) -> str:
        """The current token as a message quotes it."""
        return "the end" if self.kind == "eof" else f"'{self.token.text[:40]}'"

    def problem(self, message: str, token: Token | None = None) -> None:
        """Record a problem at `token` (the current one), one for each place."""
        token = token or self.token
        at_end = token.kind == "eof"
        if at_end:
            self.reach_end()
        if not self.problems or self.problems[-1].start != token.start:
            self.problems.append(Problem(message, token.start, token.end, at_end))

    def reach_end(self) -> None:
        """Remember what is in scope when the end of the text is met for the first time."""
        if self.visible_at_end is None:
            self.visible_at_end = dict(self.visible)
            self.functions_at_end = list(self.functions)
            self.openings_at_end = list(self.openings)

    def too_deep(self) -> bool:
        """Whether nesting must stop here; if so the rest of the text is skipped."""
        if self.depth < MAX_DEPTH:
            return False
        self.problem("nested too deeply")
        self.reach_end()
        self.index = len(self.tokens) - 1
        self.token = self.tokens[self.index]
        self.kind = "eof"
        return True

    def line(self, offset: int) -> int:
        """The line of `offset`, from 1."""
        return self.text.count("\n", 0, offset) + 1

    def on_one_line(self, start: int, end: int) -> bool:
        """Whether no line ends between two offsets."""
        return self.text.find("\n", start, end) < 0

    def open_item(self, opening: Opening) -> None:
        """Note where the item of `opening` starts that comes now."""
        opening.item_start, opening.key = self.token.start, None

    # scopes

    def new_local(self, token: Token, kind: LocalKind) -> Local:
        """A local variable named by `token`, not yet in scope."""
        local = Local(token.text, kind, token.start, token.end, depth=len(self.functions))
        self.locals.append(local)
        return local

    def declare(self, local: Local) -> None:
        """Bring `local` into scope."""
        self._undo.append((local.name, self.visible.get(local.name)))
        self.visible[local.name] = local

    def open_scope(self) -> int:
        """Open a scope; give what this returns to :meth:`close_scope`."""
        return len(self._undo)

    def close_scope(self, mark: int) -> None:
        """Close a scope: its locals go, those they shadowed come back."""
        while len(self._undo) > mark:
            name, before = self._undo.pop()
            if before is None:
                del self.visible[name]
            else:
                self.visible[name] = before

    def name(self, token: Token) -> Name:
        """The variable that `token` names here."""
        local = self.visible.get(token.text)
        name = Name(token.text, token.start, token.end, local)
        (self.globals if local is None else local.references).append(name)
        if token.end == len(self.text):
            self.at_end = name
        return name
