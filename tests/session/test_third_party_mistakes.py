"""What the author of a bridge may get wrong: told clearly, and never the end of a kernel."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NotRequired, TypedDict

import pytest

from llmspell_kernel.bridges import installed
from llmspell_kernel.bridges.declaration import Bridge, Handle, export
from llmspell_kernel.engine.values import CallbackRef
from llmspell_kernel.session.outcome import Failed

if TYPE_CHECKING:
    from .conftest import Install, Notebook, Offer, Open


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


class Nothing(Bridge):
    module: ClassVar[str] = "nothing"


class Nameless(Bridge):
    @export()
    async def roll(self) -> Any: ...


class Keyword(Bridge):
    module: ClassVar[str] = "end"


class Global(Bridge):
    module: ClassVar[str] = "string"


class Plain(Bridge):
    module: ClassVar[str] = "dice"

    @export()
    def roll(self) -> Any:
        yield 1


class Generator(Bridge):
    module: ClassVar[str] = "dice"

    @export()  # type: ignore[arg-type] - the mistake in question
    async def roll(self) -> Any:
        yield 1


class ByName(Bridge):
    module: ClassVar[str] = "dice"

    @export()
    async def roll(self, *, sides: int = 6) -> Any: ...


class Unusable(Bridge):
    module: ClassVar[str] = "dice"

    @export()
    async def roll(self, sides: int | list[set[int]]) -> Any: ...


class Called(Bridge):
    module: ClassVar[str] = "dice"

    @export()
    async def roll(self, fn: Callable[[int], int]) -> Any: ...


class Unreadable(Bridge):
    module: ClassVar[str] = "dice"

    @export()
    async def roll(self, sides: NoSuchType) -> Any: ...  # type: ignore[name-defined]  # noqa: F821 - the mistake


class Unhashable(Bridge):
    module: ClassVar[str] = "dice"

    @export()
    async def roll(self, sides: list[Annotated[int, [6]]]) -> Any: ...


class Strange(Bridge):
    module: ClassVar[str] = "dice"

    @export("my-roll")
    async def roll(self) -> Any: ...


class Held(Bridge):
    module: ClassVar[str] = "dice"
    handles: ClassVar[tuple[type[Handle], ...]] = (Nothing,)  # type: ignore[assignment] - the mistake in question


@pytest.mark.parametrize(
    ("bridge", "problem"),
    [
        (7, "no subclass of Bridge"),
        (Nothing, "it exports nothing: @export()"),
        (Nameless, "its `module` has to be a name"),
        (Keyword, "'end' is Lua's own"),
        (Global, "'string' is Lua's own"),
        (Plain, "dice.roll is a generator"),
        (Generator, "dice.roll is a generator"),
        (ByName, "dice.roll takes 'sides' by name only"),
        (Unusable, "no value of Lua's is what dice.roll takes as 'sides', set"),
        (Called, "dice.roll takes as 'fn', Callable: functions are CallbackRef"),
        (Unreadable, "annotations of Unreadable cannot be read: NameError: name 'NoSuchType' is not defined"),
        (Unhashable, "annotations of Unhashable cannot be read: TypeError"),
        (Strange, "'my-roll' is no name in Lua"),
        (Held, "has to be a Handle with a `type_name`"),
    ],
)
def test_a_mistake_is_told_in_words_for_the_author(bridge: Any, problem: str) -> None:
    assert problem in (installed.problem_of(bridge) or "")


def test_what_comes_with_this_package_has_none_of_them() -> None:
    found = installed.find()
    assert [installed.problem_of(bridge) for bridge in found.bridges] == [None] * len(found.bridges)


# ── what the person sees ─────────────────────────────────────────────────────────────────────────

_SOURCE = """
from llmspell_kernel.bridges.declaration import Bridge, export

class Mine(Bridge):
    module = "http"
    def __init__(self, host): pass
    @export()
    async def get(self): return "stolen"

class Failing(Bridge):
    module = "failing"
    def __init__(self, host): raise RuntimeError("no")
    @export()
    async def get(self): return 1

class Good(Bridge):
    module = "good"
    def __init__(self, host): pass
    @export()
    async def get(self): return 1
"""


@pytest.fixture
def package(install: Install) -> None:
    modules = {"llmspell_odd": _SOURCE, "llmspell_exits": "import sys\nsys.exit(3)\n"}
    points = {
        "a": "llmspell_exits:X",
        "b": "llmspell_odd:Mine",
        "c": "llmspell_odd:Failing",
        "d": "llmspell_odd:Good",
    }
    install("llmspell-odd", modules, points)


@pytest.mark.usefixtures("package")
async def test_the_first_cell_says_which_bridges_are_left_out(
    open_notebook: Open, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL, "llmspell"):
        notebook = await open_notebook()
    assert await notebook.value("good.get(), http.get ~= nil, failing") == "1\ttrue\tnil"
    assert notebook.last.err.splitlines()[:3] == [
        "warning: the module 'a' (llmspell_exits:X) is left out: it does not load: SystemExit: 3",
        "warning: the module 'b' (llmspell_odd:Mine) is left out: 'http' is there already, from "
        "llmspell_kernel.bridges.http:HttpBridge",
        "warning: the module 'failing' is left out: making it failed (RuntimeError); the kernel's log has the details",
    ]
    await notebook.value("good.get()")
    assert notebook.last.err == ""


# ── what works, and what a method may raise and return ───────────────────────────────────────────


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5


class Options(TypedDict):
    name: str
    size: NotRequired[int]


class Odd(Bridge):
    """Odd: whatever a stranger may write."""

    module: ClassVar[str] = "odd"

    def __init__(self, host: Any) -> None:
        """Take nothing."""

    @export()
    async def choose(self, mode: Literal["fast", "slow", 3], colour: Colour | None = None) -> Any:
        return [mode, repr(colour)]

    @export()
    async def show(self, what: Point | Options | tuple[int, str] | None) -> Any:
        return repr(what)

    @export()
    async def items(self, numbers: list[int] | dict[str, list[int]]) -> Any:
        return repr(numbers)

    @export()
    async def listed(self, names: Sequence[str], *more: float) -> Any:
        return repr((names, more))

    @export()
    async def raises(self, which: str) -> Any:
        raise {
            "exit": SystemExit(3),
            "interrupt": KeyboardInterrupt(),
            "cancel": asyncio.CancelledError(),
            "base": BaseException("odd"),
            "group": ExceptionGroup("many", [ValueError(1)]),
            "closed": GeneratorExit(),
        }[which]

    @export()
    async def returns(self, which: str, fn: CallbackRef | None = None) -> Any:
        return {"object": object(), "nested": {"a": [1, {"b": len}]}, "enum": Colour.RED, "point": Point(1)}[
            which
        ]


CELLS = [
    ("json.encode(odd.choose('slow')), json.encode(odd.choose(3, 'red'))", "Colour.RED"),
    ("pcall(odd.choose, 'no')", "#1 to 'odd.choose' (\\\"fast\\\" or \\\"slow\\\" or 3 expected, got \\\"no\\\")"),
    ("pcall(odd.choose, 'fast', 'green')", "#2 to 'odd.choose' (\\\"red\\\" or \\\"blue\\\" expected, got "),
    ("odd.show{x = 1}", "Point(x=1, y=0.5)"),
    ("odd.show{name = 'n', size = 2}", "'size': 2"),
    ("odd.show{7, 'a'}, odd.show()", "(7, 'a')\"\t\"None"),
    ("odd.items{1, 2}, odd.items{a = {1}}", "[1, 2]\"\t\"{'a': [1]}"),
    ("pcall(odd.items, {1, 'x'})", "#1 to 'odd.items' ([2]: integer expected, got string)"),
    ("pcall(odd.items, {a = {1, {}}})", "#1 to 'odd.items' (a[2]: integer expected, got table)"),
    ("odd.listed({'a', 5}, 1, 2.5)", "(['a', '5'], (1.0, 2.5))"),
    ("pcall(odd.listed, {}, 1, 'x')", "bad argument #3 to 'odd.listed' (number expected, got string)"),
    ("pcall(odd.raises, 'exit')", "odd.raises failed inside the kernel (SystemExit)"),
    ("pcall(odd.raises, 'interrupt')", "(KeyboardInterrupt)"),
    ("pcall(odd.raises, 'cancel')", "(CancelledError)"),
    ("pcall(odd.raises, 'base')", "(BaseException)"),
    ("pcall(odd.raises, 'group')", "(ExceptionGroup)"),
    ("pcall(odd.raises, 'closed')", "the kernel could not serve this call"),
    ("pcall(odd.returns, 'object')", "odd.returns returned what Lua cannot be given: a object cannot cross"),
    ("pcall(odd.returns, 'nested')", "odd.returns returned what Lua cannot be given: a[1].b: a builtin_function"),
    ("odd.returns('enum'), odd.returns('point').y", "\"red\"\t0.5"),
]  # fmt: skip


async def test_no_call_ends_the_kernel(
    open_notebook: Open, offer: Offer, caplog: pytest.LogCaptureFixture
) -> None:
    offer(Odd)
    assert installed.problem_of(Odd) is None
    notebook: Notebook = await open_notebook()
    with caplog.at_level(logging.CRITICAL, "llmspell"):
        for code, shown in CELLS:
            assert shown in str(await notebook.value(code)), code
        assert isinstance(await notebook.run("odd.raises('exit')"), Failed)
