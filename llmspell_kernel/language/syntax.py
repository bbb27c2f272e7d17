"""The syntax tree of a cell: what the parser makes, and what everything else here reads.

Offsets are in code points; `end` is exclusive. Names carry the local variable
they stand for, found while parsing as Lua's own compiler does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from llmspell_kernel.language.lexer import Problem, Token

LocalKind = Literal["local", "parameter", "loop", "function"]


@dataclass(slots=True, eq=False)
class Local:
    """A local variable: `value` is what it was declared with, where one expression tells."""

    name: str
    kind: LocalKind
    start: int
    end: int
    attribute: str = ""
    value: Expression | None = None
    result: int = 0
    """Which result of `value` it takes, from 0 (``local a, b = f()``)."""
    function: Function | None = None
    """The function it is a parameter of."""
    depth: int = 0
    """How many functions enclose it."""
    references: list[Name] = field(default_factory=list["Name"])


@dataclass(slots=True, eq=False)
class Missing:
    """Where an expression or a name should be and is not."""

    start: int
    end: int


@dataclass(slots=True, eq=False)
class Name:
    """A variable; `local` is None for a global."""

    text: str
    start: int
    end: int
    local: Local | None = None


@dataclass(slots=True, eq=False)
class Constant:
    """``nil``, ``true``, ``false``, a number, or ``...``; `kind` is the token's."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(slots=True, eq=False)
class String:
    """A string literal; `text` is what it stands for."""

    text: str
    start: int
    end: int
    closed: bool


@dataclass(slots=True, eq=False)
class Index:
    """``base.key``, ``base:key`` (`method`) or ``base[key]``; a dotted key is a String."""

    base: Expression
    key: Expression
    start: int
    end: int
    method: bool = False
    bracket: bool = False


@dataclass(slots=True, eq=False)
class Call:
    """A call; `arguments` starts after the parenthesis, brace or quote at `open`."""

    function: Expression
    arguments: list[Expression]
    start: int
    end: int
    open: int
    closed: bool


@dataclass(slots=True, eq=False)
class Field:
    """One item of a table constructor; `key` is None for a list item."""

    key: Expression | None
    value: Expression
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Table:
    """A table constructor."""

    fields: list[Field]
    start: int
    end: int
    closed: bool


@dataclass(slots=True, eq=False)
class Function:
    """A function's parameters and body. `self_of` is what ``self`` stands for in ``function a.b:c()``."""

    parameters: list[Local]
    vararg: bool
    body: Block
    start: int
    end: int
    self_of: Expression | None = None


@dataclass(slots=True, eq=False)
class Binary:
    """An operator between two expressions."""

    operator: str
    left: Expression
    right: Expression
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Unary:
    """``not``, ``-``, ``#``, ``~`` before an expression; ``(`` for one in parentheses."""

    operator: str
    operand: Expression
    start: int
    end: int


Expression: TypeAlias = Missing | Name | Constant | String | Index | Call | Table | Function | Binary | Unary


@dataclass(slots=True, eq=False)
class LocalStatement:
    """``local a <const>, b = values``, and ``local function`` (`is_function`)."""

    locals: list[Local]
    values: list[Expression]
    start: int
    end: int
    is_function: bool = False


@dataclass(slots=True, eq=False)
class Assignment:
    """``targets = values``; ``function a.b:c()`` is one too (`is_function`)."""

    targets: list[Expression]
    values: list[Expression]
    start: int
    end: int
    is_function: bool = False


@dataclass(slots=True, eq=False)
class Expressions:
    """A call as a statement, or the expressions that end a cell (`is_result`)."""

    values: list[Expression]
    start: int
    end: int
    is_result: bool = False


@dataclass(slots=True, eq=False)
class Loop:
    """``while``, ``repeat``, ``for`` (numeric or in); `keyword` tells which, ``do`` is a plain block."""

    keyword: str
    locals: list[Local]
    expressions: list[Expression]
    body: Block
    start: int
    end: int


@dataclass(slots=True, eq=False)
class If:
    """``if``: a condition (None for ``else``) and a block for each arm."""

    arms: list[tuple[Expression | None, Block]]
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Return:
    """``return values``."""

    values: list[Expression]
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Jump:
    """``break``, ``goto label`` or ``::label::``."""

    keyword: str
    label: str
    start: int
    end: int


Statement: TypeAlias = LocalStatement | Assignment | Expressions | Loop | If | Return | Jump


@dataclass(slots=True, eq=False)
class Block:
    """Statements of one scope."""

    statements: list[Statement]
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Opening:
    """A call, a table or a bracket that is still open where the text ends; a function stands between two.

    `items` are the arguments or fields before the one that is being written, which starts at `item_start`.
    """

    kind: Literal["call", "table", "index", "function"]
    base: Expression | None
    """The function that is called, or the value that is indexed."""
    items: list[Expression] | list[Field]
    item_start: int
    key: Expression | None = None
    """In a table: the key whose value is being written."""

    @property
    def position(self) -> int:
        """How many arguments or fields stand before the one that is being written."""
        return sum(item.start < self.item_start for item in self.items)


@dataclass(slots=True, eq=False)
class Chunk:
    """A parsed text.

    `visible` holds the locals in scope where the text ends, inner ones shadowing outer
    ones, whatever is still open there: parse the text up to a cursor to know what that
    place sees. `functions` are those still open there, the outermost first.
    """

    text: str
    block: Block
    tokens: list[Token]
    comments: list[Token]
    problems: list[Problem]
    visible: dict[str, Local]
    functions: list[Function]
    locals: list[Local]
    globals: list[Name]
    """Every mention of a name that is no local of this text."""
    at_end: Name | Index | String | None
    """The name, the index or the string that ends where the text ends."""
    openings: list[Opening]
    """What is open where the text ends, the innermost last."""

    def line(self, offset: int) -> int:
        """The line of `offset`, from 1."""
        return self.text.count("\n", 0, offset) + 1
