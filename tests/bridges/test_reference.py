"""What a declaration says reaches completion and inspection: types, options, ids, words, other names."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import pytest

from llmspell_kernel.bridges.declaration import Bridge, Handle, export, table_type
from llmspell_kernel.bridges.lua_documentation import documentation
from llmspell_kernel.bridges.reference import aliases, reference
from llmspell_kernel.bridges.registry import installed_bridges
from llmspell_kernel.language.annotations import declared_types, option
from llmspell_kernel.language.documentation import Documented, Option
from llmspell_kernel.language.intelligence import Intelligence
from llmspell_kernel.language.live import NoState
from tests.language.world import cut


class Boat(Handle):
    """Something that floats."""

    type_name: ClassVar[str] = "Boat"

    @export(returns="knots: number")
    async def speed(self) -> float:
        """Tell how fast it goes."""
        return 1.0


class Harbour(Bridge):
    """Where boats are."""

    module: ClassVar[str] = "harbour"
    aliases: ClassVar[tuple[str, ...]] = ("port",)
    handles: ClassVar[tuple[type[Handle], ...]] = (Boat,)
    types: ClassVar[tuple[Documented, ...]] = (
        table_type("harbour.Place", "Where.", option("pier", "integer", "which pier")),
        table_type(
            "harbour.Mooring",
            "How to moor.",
            option("side", '"port"|"starboard"', "which side"),
            option("place", "harbour.Place", "where"),
            extends="harbour.Place",
        ),
    )

    @export(returns="Boat?, err: Error?", example="harbour.moor('Ada')")
    async def moor(
        self,
        name: Annotated[str, "AgentName"],
        options: Annotated[dict[str, Any] | None, "harbour.Mooring"] = None,
        *more: Any,
    ) -> Any:
        """Moor a boat.

        It stays ``moored``.

        Args:
            name: which boat, of those
                that are known
            options: how

        Raises:
            BadArgument: never.
        """


def entry(name: str) -> Documented:
    return next(one for one in reference([Harbour]) if one.name == name)


def test_a_declaration_tells_types_options_ids_and_words() -> None:
    pier = Option("pier", "integer", "which pier")
    assert entry("harbour.moor") == Documented(
        "harbour.moor",
        "function",
        "Moor a boat.\n\nIt stays `moored`.",
        parameters=(
            Option("name", "string", "which boat, of those that are known", ids="agent"),
            Option(
                "options",
                "harbour.Mooring",
                "how",
                optional=True,
                options=(
                    Option("side", '"port"|"starboard"', "which side", values=("port", "starboard")),
                    Option("place", "harbour.Place", "where", options=(pier,)),
                    pier,
                ),
            ),
            Option("...", "any", optional=True),
        ),
        returns=(Option("", "Boat?"), Option("err", "Error?")),
        example="harbour.moor('Ada')",
    )


def test_modules_types_fields_and_methods_are_told_too() -> None:
    always = {one.name for one in reference([])}
    found = [(one.name, one.kind) for one in reference([Harbour]) if one.name not in always]
    assert found == [
        ("harbour", "module"),
        ("harbour.moor", "function"),
        ("Boat:speed", "method"),
        ("Boat", "type"),
        ("harbour.Place", "type"),
        ("harbour.Mooring", "type"),
        ("harbour.Place.pier", "field"),
        ("harbour.Mooring.side", "field"),
        ("harbour.Mooring.place", "field"),
        ("harbour.Mooring.pier", "field"),
    ]
    assert aliases([Harbour]) == {"port": "harbour"}


@pytest.mark.parametrize(
    ("marked", "offered"),
    [
        ("harbour.moor('x', { |", ["side = ", "place = ", "pier = "]),
        ("port.moor('x', { place = { p|", ["pier = "]),
        ("harbour.moor('x', { side = '|", ["port'", "starboard'"]),
        ("local b = harbour.moor('x') b:|", ["speed"]),
        ("harbour.|", ["moor"]),
        ("Boa|", []),
    ],
)
async def test_what_is_declared_completes(marked: str, offered: list[str]) -> None:
    mind = Intelligence(reference([Harbour]), aliases([Harbour]))
    code, offset = cut(marked)
    found = await mind.complete(code, offset, NoState())
    assert found.matches[: len(offered)] == sorted(offered, key=found.matches.index)
    assert found.matches if offered else not found.matches


@pytest.mark.parametrize(
    ("marked", "offered"),
    [
        ("llm.chat{ temp|", ["temperature = "]),
        ("llm.chat('x', { max|", ["max_tokens = "]),
        ("llm.chat{ messages = { { ro|", ["role = "]),
        ("llm.chat{ messages = { { role = 'a|", ["assistant'"]),
        ("llm.stream{ on_e|", ["on_error = "]),
        ("agents.create('x', { max_i|", ["max_iterations = "]),
        ("agent.create{ temp|", ["temperature = "]),
        ("local r = llm.chat({}) r.usage.tot|", ["total_tokens"]),
        ("local r = llm.chat({}) r:up|", ["upper"]),
        ("local s = llm.chat_session('x') s:se|", ["send", "send_async"]),
        ("promise.resolve(1):andT|", ["andThen"]),
        ("channel.make():rec|", ["receive"]),
        ("local p = async(print) p:aw|", ["await"]),
        ("async.map({}, print, { li|", ["limit = "]),
        ("tools.register{ desc|", ["description = "]),
        ("tools.calculator{ exp|", ["expression = "]),
    ],
)
async def test_our_own_modules_complete(marked: str, offered: list[str]) -> None:
    bridges = installed_bridges()
    mind = Intelligence(reference(bridges), aliases(bridges))
    code, offset = cut(marked)
    assert (await mind.complete(code, offset, NoState())).matches[: len(offered)] == offered


def test_comments_describe_tables() -> None:
    source = "--- Where.\n---@class (exact) Place: Spot\n---@field pier? integer which\n\nlocal x = 1\n"
    assert declared_types(source) == [
        Documented(
            "Place",
            "type",
            "Where.",
            parameters=(Option("pier", "integer", "which", optional=True),),
            type="Spot",
            closed=True,
        )
    ]


def test_a_member_that_is_another_says_which() -> None:
    entries = {one.name: one for one in documentation("tools", "lib.tools")}
    assert entries["tools.define"].parameters == entries["tools.register"].parameters
    assert entries["tools.define"].example == entries["tools.register"].example
