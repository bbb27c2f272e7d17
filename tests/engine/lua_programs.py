"""Random Lua 5.4: programs of every construct for the parser, and programs that end and leave a trace to compare."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from llmspell_kernel.engine.state import LuaState

if TYPE_CHECKING:
    from collections.abc import Callable


class _Nobody:
    """A host that a state without cells around it never needs."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def lone_state() -> LuaState:
    """A Lua state that many examples of one test share."""
    return LuaState(_Nobody())


NUMBERS = [
    "0",
    "1",
    "42",
    "007",
    "3.",
    ".5",
    "3.14",
    "1e3",
    "1E-3",
    "2.5e+10",
    "0x1F",
    "0Xff",
    "0x.8",
    "0x1p4",
    "0xA.8p-1",
    "0x1.P+2",
    "9223372036854775807",
    "99999999999999999999",
    "1e308",
    "0xffffffffffffffffff",
]
STRINGS = [
    '""', "''", '"a b"', r'"\n\t\\\"\'"', r'"\x41\065\z' + "\n   \tz" + '"', r'"\u{48}\u{7FFFFFFF}\0"', "'its'",
    '"line\\\nnext"', "[[long]]", "[==[\nlong ]] ]=]\n]==]", '"日本 ünï"', "[[\r\n]]", r"'\065\10\9'",
]  # fmt: skip
NAMES = ["a", "b", "_x1", "name", "Ende", "andy", "t", "until_", "z"]
BINARY = [
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "^",
    "..",
    "==",
    "~=",
    "<",
    "<=",
    ">",
    ">=",
    "and",
    "or",
    "&",
    "|",
    "~",
    "<<",
    ">>",
]
UNARY = ["-", "not ", "#", "~"]
GAPS = [" ", " ", "\n", "  ", "\t", " --c\n", " --[[ x\n]] ", " --[==[ ]] ]==] ", "\r\n", " --[ no\n"]


_ALONE = "(){};,]+*%^#&|"
"""Characters that never join a neighbour to a longer token."""


class Syntax:
    """Tokens of random programs: valid but for labels and constants, which Lua checks later."""

    def __init__(self, seed: int, size: int) -> None:
        self.random = random.Random(seed)
        self.left = size
        self.tokens: list[str] = []
        self.vararg = [True]
        self.loops = 0

    def program(self) -> list[str]:
        """Return the tokens of a program, which may end in values without `return`."""
        self.block(top=True)
        return self.tokens

    def put(self, *tokens: str) -> None:
        self.tokens.extend(tokens)

    def pick(self, *choices: Callable[[], None]) -> None:
        self.random.choice(choices)()

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    def name(self) -> None:
        self.put(self.random.choice(NAMES))

    def some(self, item: Callable[[], None], most: int = 3) -> None:
        for index in range(self.random.randint(1, most)):
            if index:
                self.put(",")
            item()

    # ── expressions ──────────────────────────────────────────────────────────────────────────────

    def atom(self) -> None:
        choices = ["nil", "true", "false", self.random.choice(NUMBERS), self.random.choice(STRINGS)]
        self.put(self.random.choice([*choices, "..."] if self.vararg[-1] else choices))

    def expression(self) -> None:
        self.left -= 1
        if self.left < 0:
            self.pick(self.atom, self.name)
            return
        self.pick(self.atom, self.suffixed, self.binary, self.unary, self.table, self.function, self.suffixed)

    def binary(self) -> None:
        self.expression()
        self.put(self.random.choice(BINARY))
        self.expression()

    def unary(self) -> None:
        self.put(self.random.choice(UNARY).strip())
        self.expression()

    def table(self) -> None:
        self.put("{")
        while self.left > 0 and self.chance(0.6):
            kind = self.random.randrange(3)
            if kind == 0:
                self.name()
                self.put("=")
            elif kind == 1:
                self.put("[")
                self.expression()
                self.put("]", "=")
            self.expression()
            self.put(self.random.choice(",;"))
        if self.tokens[-1] in ",;" and self.chance(0.5):
            self.tokens.pop()
        self.put("}")

    def function(self) -> None:
        self.put("function")
        self.body()

    def body(self) -> None:
        self.put("(")
        kind = self.random.randrange(4)
        if kind in (1, 2):
            self.some(self.name)
        if kind == 2:
            self.put(",")
        if kind >= 2:
            self.put("...")
        self.put(")")
        loops, self.loops = self.loops, 0
        self.vararg.append(kind >= 2)
        self.block()
        self.vararg.pop()
        self.loops = loops
        self.put("end")

    def primary(self) -> None:
        if self.chance(0.8):
            self.name()
        else:
            self.put("(")
            self.expression()
            self.put(")")

    def call_suffix(self) -> None:
        if self.chance(0.3):
            self.put(":")
            self.name()
        kind = self.random.randrange(4)
        if kind == 0:
            self.put(self.random.choice(STRINGS))
        elif kind == 1:
            self.table()
        else:
            self.put("(")
            if self.left > 0 and kind == 2:
                self.some(self.expression)
            self.put(")")

    def index_suffix(self) -> None:
        if self.chance(0.6):
            self.put(".")
            self.name()
        else:
            self.put("[")
            self.expression()
            self.put("]")

    def suffixed(self) -> None:
        self.primary()
        while self.left > 0 and self.chance(0.4):
            self.left -= 1
            self.pick(self.call_suffix, self.index_suffix)

    def variable(self) -> None:
        if self.chance(0.5):
            self.name()
        else:
            self.suffixed()
            self.index_suffix()

    # ── statements ───────────────────────────────────────────────────────────────────────────────

    def block(self, top: bool = False) -> None:
        while self.left > 0 and self.chance(0.9 if top else 0.6):
            self.apart(self.statement)
            if self.chance(0.2):
                self.put(";")
        if self.chance(0.3):
            if not top or self.chance(0.3):
                self.put("return")
                if self.chance(0.2):
                    return
            self.apart(lambda: self.some(self.expression))
            if self.chance(0.3):
                self.put(";")

    def apart(self, item: Callable[[], None]) -> None:
        """Keep what begins like an argument from becoming one of what is before."""
        at = len(self.tokens)
        item()
        if at and self.tokens[at][0] in "({\"'[-~" and self.tokens[at - 1] != "return":
            self.tokens.insert(at, ";")

    def statement(self) -> None:
        self.left -= 1
        choices = [
            self.call, self.assign, self.local, self.local_function, self.declaration, self.if_, self.while_,
            self.for_, self.repeat, self.do, lambda: self.put(";"),
            lambda: self.put("::", f"l{len(self.tokens)}", "::"),
        ]  # fmt: skip
        if self.loops:
            choices.append(lambda: self.put("break"))
        self.pick(*choices)

    def call(self) -> None:
        self.suffixed()
        self.call_suffix()

    def assign(self) -> None:
        self.some(self.variable)
        self.put("=")
        self.some(self.expression)

    def attributed(self) -> None:
        self.name()
        if self.chance(0.1):
            self.put("<", "const", ">")

    def local(self) -> None:
        self.put("local")
        self.some(self.attributed)
        if self.chance(0.8):
            self.put("=")
            self.some(self.expression)

    def local_function(self) -> None:
        self.put("local", "function")
        self.name()
        self.body()

    def declaration(self) -> None:
        self.put("function")
        self.name()
        while self.chance(0.3):
            self.put(".")
            self.name()
        if self.chance(0.2):
            self.put(":")
            self.name()
        self.body()

    def if_(self) -> None:
        self.put("if")
        self.expression()
        self.put("then")
        self.block()
        while self.chance(0.2):
            self.put("elseif")
            self.expression()
            self.put("then")
            self.block()
        if self.chance(0.3):
            self.put("else")
            self.block()
        self.put("end")

    def loop(self) -> None:
        self.put("do")
        self.loops += 1
        self.block()
        self.loops -= 1
        self.put("end")

    def while_(self) -> None:
        self.put("while")
        self.expression()
        self.loop()

    def for_(self) -> None:
        self.put("for")
        if self.chance(0.5):
            self.name()
            self.put("=")
            self.expression()
            self.put(",")
            self.expression()
            if self.chance(0.3):
                self.put(",")
                self.expression()
        else:
            self.some(self.name)
            self.put("in")
            self.some(self.expression)
        self.loop()

    def repeat(self) -> None:
        self.put("repeat")
        self.loops += 1
        self.block()
        self.loops -= 1
        self.put("until")
        self.expression()

    def do(self) -> None:
        self.put("do")
        self.block()
        self.put("end")


def written(tokens: list[str], seed: int) -> str:
    """Write `tokens` with random blanks and comments, or with none where Lua needs none."""
    chooser = random.Random(seed)
    pieces: list[str] = []
    for token in tokens:
        alone = bool(pieces) and (pieces[-1][-1] in _ALONE or token[0] in _ALONE)
        if pieces and not (alone and chooser.random() < 0.5):
            pieces.append(chooser.choice(GAPS))
        pieces.append(token)
    return "".join(pieces)


def mutated(tokens: list[str], seed: int) -> list[str]:
    """Break `tokens` in one or two places."""
    chooser = random.Random(seed)
    result = list(tokens)
    for _ in range(chooser.randint(1, 2)):
        if not result:
            break
        at = chooser.randrange(len(result))
        kind = chooser.randrange(4)
        if kind == 0:
            del result[at]
        elif kind == 1:
            result.insert(at, chooser.choice(result))
        elif kind == 2:
            result[at] = chooser.choice(
                [*result, "end", "(", "=", "local", "return", "...", "!", '"', "[[", "0x", "@", "::", "then"]
            )
        else:
            other = chooser.randrange(len(result))
            result[at], result[other] = result[other], result[at]
    return result


# ── programs to run ──────────────────────────────────────────────────────────────────────────────


class Traced:
    """Top-level statements that end, and that tell `emit` what they see.

    Names are declared before they are used, at the top level and in blocks, again and again; closures over them are
    kept in the global list `kept` and called later.
    """

    def __init__(self, seed: int, size: int) -> None:
        self.random = random.Random(seed)
        self.size = size
        self.depth = 0

    def statements(self) -> list[str]:
        """Return the statements, each of which may span lines."""
        return [self.statement() for _ in range(self.size)]

    def name(self) -> str:
        return self.random.choice(["a", "b", "c", "d"])

    def value(self) -> str:
        name, other = self.name(), self.name()
        return self.random.choice([
            str(self.random.randint(0, 9)), name, f"(tonumber({name}) or 0) + 1", f"type({name}) .. {other!r}",
            f"select('#', {name}, {other})", f"{name} == {other}", f"({name})", f"({name} and {other})",
        ])  # fmt: skip

    def gap(self) -> str:
        return self.random.choice([" ", "\n", " -- note\n", "\n\n", "\r\n", " --[[ over\nlines ]] "])

    def block(self) -> str:
        self.depth += 1
        count = self.random.randint(1, 3) if self.depth < 4 else 1
        text = self.gap().join(self.statement() for _ in range(count))
        self.depth -= 1
        return text

    def statement(self) -> str:
        name, other, gap = self.name(), self.name(), self.gap()
        simple = [
            f"local {name} = {self.value()}",
            f"local {name},{gap}{other} = {self.value()}, {self.value()}",
            f"local {name} <const> ={gap}{self.random.choice(['5', self.value()])}",
            f"local {name}",
            f"emit({self.value()},{gap}{self.value()})",
            f"set(function(v) {name}2, x{name} = v, v end, {self.value()})",
            f"x{name} ={gap}{self.value()}",
            f"kept[#kept + 1] = function() emit({name}, {other}) end",
            f"local function {name}(n) emit(n,{gap}{other}) return n end",
            f"local function {name}(n) if n then return {name}() end emit({name} ~= nil) end",
            f"recall({self.random.randint(1, 5)})",
        ]
        if self.depth > 3 or self.random.random() < 0.7:
            return self.random.choice(simple)
        block = self.block()
        return self.random.choice([
            f"do{gap}{block}{gap}end",
            f"for i = 1, 2 do{gap}{block} local {name} = i{gap}emit({name}) end",
            f"if {self.value()} then{gap}{block}{gap}else {block} end",
            f"repeat{gap}{block} local done = true{gap}until done",
            f"while true do{gap}{block} if true then break end{gap}end",
            f";(function(...){gap}{block} end)(1)",
            f"do goto skip{gap}do {block} end ::skip:: end",
        ])  # fmt: skip
