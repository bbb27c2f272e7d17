"""``json`` and ``data``: formats of plain data. Lists, maps and JSON are Lua's (``lib/data.lua``, ``lib/json.lua``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, TypeVar, cast

from llmspell_kernel.bridges import data_csv, data_xml, data_yaml
from llmspell_kernel.bridges.declaration import Bridge, export, table_type
from llmspell_kernel.bridges.given import Given
from llmspell_kernel.bridges.lua_modules import LuaModule
from llmspell_kernel.bridges.registry import Host, Results
from llmspell_kernel.errors import WorldError
from llmspell_kernel.language.annotations import option
from llmspell_kernel.language.documentation import Documented

_LARGEST = 16 * 2**20
"""Bytes of text that are read; what parsers make of it takes many times as much."""
_SMALL = 16 * 2**10
"""Bytes that are read at once, without another thread."""

Made = TypeVar("Made")

_CSV = table_type(
    "data.Csv",
    "How CSV is written.",
    option(
        "header",
        "boolean",
        "false: there is no line of names, and rows are lists unless `columns` names them",
        optional=True,
    ),
    option("columns", "string[]", "the names, in order", optional=True),
    option(
        "delimiter",
        "string",
        'what is between fields: `","`; `"auto"` guesses it when reading',
        optional=True,
    ),
    option("quote", "string", "what is around fields that need it", optional=True),
    option("numbers", "boolean", "when reading, fields that are numbers become numbers", optional=True),
)
_XML = table_type(
    "data.Element",
    "An element of XML.",
    option("tag", "string", "its name"),
    option("attributes", "table<string, string>", "its attributes", optional=True),
    option("children", "(data.Element|string)[]", "elements and texts inside", optional=True),
    option("text", "string", "all the text directly inside", optional=True),
)
_YAML = table_type(
    "data.Yaml", "How YAML is read.", option("all", "boolean", "all documents, as a list", optional=True)
)
_FLOW = table_type(
    "data.YamlStyle", "How YAML is written.", option("flow", "boolean", "in one line", optional=True)
)
_SPACE = table_type(
    "data.Xml",
    "How XML is read.",
    option("whitespace", "boolean", "keep it between elements too", optional=True),
)
Table = dict[str, Any] | None


class Json(LuaModule):
    """JSON: reading and writing it."""

    module: ClassVar[str] = "json"
    lua_part: ClassVar[str | None] = "lib.json"


class DataBridge(Bridge):
    """Plain tables: JSON, YAML, XML and CSV both ways, paths, lists and maps."""

    module: ClassVar[str] = "data"
    lua_part: ClassVar[str | None] = "lib.data"
    lua_more: ClassVar[tuple[str, ...]] = ("lib.data_xml",)
    types: ClassVar[tuple[Documented, ...]] = (_CSV, _XML, _YAML, _FLOW, _SPACE)

    def __init__(self, host: Host) -> None:
        """Nothing of `host` is needed."""

    @export(
        returns="value: any, err: Error?",
        example='print(data.parse_yaml("name: Ada\\nborn: 1815").born) --> 1815',
    )
    async def parse_yaml(self, text: str | bytes, options: Annotated[Table, "data.Yaml"] = None) -> Any:
        """Read YAML (1.2's core types: ``no`` is a word, ``0o17`` a number); dates stay text, tags are refused.

        ``all = true`` gives a list of all documents. What is not YAML, and a key that is in a map twice, gives
        ``nil, err`` with its line and column.
        """
        every = Given("data.parse_yaml", options, ("all",)).flag("all", default=False)
        return await _read(text, lambda source: data_yaml.parse(source, every=every))

    @export(returns="string", example="print(data.to_yaml({ list = { 1, 2 } }))")
    async def to_yaml(self, value: Any, options: Annotated[Table, "data.YamlStyle"] = None) -> Any:
        """Write a value as YAML, keys sorted; ``flow = true`` writes it in one line."""
        return data_yaml.write(
            value, flow=Given("data.to_yaml", options, ("flow",)).flag("flow", default=False)
        )

    @export(
        returns="element: data.Element?, err: Error?",
        example="print(data.parse_xml('<a id=\"1\"><b>text</b></a>').children[1].text) --> text",
    )
    async def parse_xml(self, text: str | bytes, options: Annotated[Table, "data.Xml"] = None) -> Any:
        """Read XML as ``{ tag, attributes, children, text }``; a child is such a table, or a string.

        ``text`` is all the text directly inside. White space between elements is left out unless ``whitespace = true``;
        comments and processing instructions are always. Names keep their prefix (``svg:path``). Nothing is fetched:
        a document that declares entities, or needs some that are declared elsewhere, is refused. What is not XML
        gives ``nil, err`` with its line and column.
        """
        whitespace = Given("data.parse_xml", options, ("whitespace",)).flag("whitespace", default=False)
        return await _read(text, lambda source: data_xml.parse(source, whitespace=whitespace))

    @export(
        returns="rows: table?, err: Error?",
        example='print(data.parse_csv("name,born\\nAda,1815")[1].name) --> Ada',
    )
    async def parse_csv(self, text: str | bytes, options: Annotated[Table, "data.Csv"] = None) -> Any:
        """Read CSV (RFC 4180) as a list of records, by the names in its first line.

        Nothing is lost: the second column of the name ``a`` is ``a_2``; a column without a name, and fields beyond
        the last name, have their number as key. Options: ``header = false`` (there is no line of names) gives a list
        of lists; ``columns`` names the columns, whatever the first line says; ``delimiter`` (``","``; ``"auto"``
        guesses), ``quote`` (``'"'``); ``numbers = true`` turns fields that are numbers into numbers.
        """
        dialect = data_csv.Dialect.of("data.parse_csv", options or {})
        rows = await _read(text, dialect.parse)
        first = cast("dict[Any, Any]", rows[0]) if rows and isinstance(rows[0], dict) else {}
        return Results((rows, [name for name in first if isinstance(name, str)]))

    @export(
        returns="string", example='print(data.to_csv({ { n = 1, s = "x" } }, { columns = { "n", "s" } }))'
    )
    async def to_csv(self, rows: list[Any], options: Annotated[Table, "data.Csv"] = None) -> Any:
        """Write a list of records, or of lists (nil leaves a field empty), as CSV with a line of names for records.

        Options: ``columns`` (a list; else every name there is, in order), ``header = false``, ``delimiter``, ``quote``.
        """
        return data_csv.Dialect.of("data.to_csv", options or {}).write(rows)


async def _read(text: str | bytes, parse: Callable[[str], Made]) -> Made:
    if len(text) > _LARGEST:
        raise WorldError(f"the text is too large to be read (limit {_LARGEST >> 20} MB)", code="too_large")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise WorldError(f"the text is not UTF-8: byte {error.start + 1}", code="not_text") from error
    if len(text) <= _SMALL:
        return parse(text)
    return await asyncio.to_thread(parse, text)
