"""``tools``: what models may call. The registry itself is in Lua, so that it follows undo and recovery."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, cast

from llmspell_kernel.bridges import file_tools, web_tools
from llmspell_kernel.bridges.arguments import lua_type
from llmspell_kernel.bridges.arithmetic import calculate
from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.bridges.file_tools import FileTools
from llmspell_kernel.bridges.recorded import recorded
from llmspell_kernel.bridges.registry import Host, Results
from llmspell_kernel.bridges.tool_arguments import text_argument
from llmspell_kernel.bridges.web_tools import WebTools
from llmspell_kernel.engine.values import CallbackRef, HandleRef
from llmspell_kernel.errors import BadArgument, WorldError
from llmspell_kernel.language.documentation import Documented
from llmspell_kernel.llm.schema import Schema


class ToolsBridge(FileTools, WebTools):
    """Tools: functions with a description and a schema, for spells and for models."""

    module: ClassVar[str] = "tools"
    lua_part: ClassVar[str | None] = "lib.tools"

    types: ClassVar[tuple[Documented, ...]] = (*file_tools.TYPES, *web_tools.TYPES)

    def __init__(self, host: Host) -> None:
        self._host = host

    @export(returns="number", example='tools.calculator{expression = "2 * (3 + 4)"}')
    async def calculator(
        self, arguments: Annotated[dict[str, Any] | str, "string|{ expression: string }"]
    ) -> Any:
        """Work out arithmetic: ``+ - * / // % ^``, pi, e, and functions such as sqrt, log, sin, min, round."""
        await self._allow("calculator")
        return calculate(text_argument("calculator", arguments, "expression"))

    @export(returns="string", example="tools.datetime_now()")
    async def datetime_now(
        self, arguments: Annotated[dict[str, Any] | None, "{ format?: string }"] = None
    ) -> Any:
        """Tell the time in UTC, in ISO 8601, or in the ``format`` that is given (as ``os.date``)."""
        await self._allow("datetime_now")
        wanted = (arguments or {}).get("format")

        async def make() -> str:
            now = datetime.now(UTC)
            return now.strftime(str(wanted)) if wanted else now.isoformat(timespec="seconds")

        return await recorded(self._host, "tool", {"tool": "datetime_now", "format": wanted or ""}, make)

    @export(returns="string", example='tools.datetime_format{time = 0, format = "%Y-%m-%d"}')
    async def datetime_format(
        self,
        arguments: Annotated[
            dict[str, Any] | str | float, "number|string|{ time: number|string, format?: string }"
        ],
        written: str | None = None,
    ) -> Any:
        """Write ``time`` (seconds since 1970, or ISO 8601) in ``format`` (as ``os.date``, or ``YYYY-MM-DD``)."""
        await self._allow("datetime_format")
        if not isinstance(arguments, dict):
            arguments = {"time": arguments, "format": written}
        given = arguments.get("time")
        if isinstance(given, str):
            moment = _moment(given)
        elif isinstance(given, int | float):
            try:
                moment = datetime.fromtimestamp(given, UTC)
            except (ValueError, OverflowError, OSError) as error:
                raise WorldError(f"{given} is not a time: {error}", code="bad_time") from error
        else:
            raise BadArgument("bad argument 'time' to 'tools.datetime_format' (number or string expected)")
        return moment.strftime(_strftime(str(arguments.get("format") or "%Y-%m-%dT%H:%M:%S%z")))

    @export(returns="number", example='tools.datetime_parse{text = "2026-01-31T12:00:00Z"}')
    async def datetime_parse(
        self,
        arguments: Annotated[dict[str, Any] | str, "string|{ text: string }"],
        written: str | None = None,
    ) -> Any:
        """Read a time as seconds since 1970; without a zone it is UTC.

        Args:
            arguments: the time, in ISO 8601 unless told
            written: how it is written, as ``os.date`` does, or ``YYYY-MM-DD``
        """
        await self._allow("datetime_parse")
        text = text_argument("datetime_parse", arguments, "text")
        if written is None:
            return _moment(text).timestamp()
        try:
            moment = datetime.strptime(text.strip(), _strftime(written))
        except ValueError as error:
            raise WorldError(f"'{text[:60]}' is not written as {written}", code="bad_time") from error
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    @export(returns="any", example="tools.json_parse{text = '[1, 2]'}")
    async def json_parse(self, arguments: Annotated[dict[str, Any] | str, "string|{ text: string }"]) -> Any:
        """Read JSON as a value."""
        await self._allow("json_parse")
        try:
            return json.loads(text_argument("json_parse", arguments, "text"))
        except (ValueError, RecursionError) as error:
            raise WorldError(f"not JSON: {error}", code="bad_json") from error

    @export(returns="string", example="tools.json_stringify{value = {1, 2}}")
    async def json_stringify(
        self, arguments: Annotated[dict[str, Any], "{ value: any, indent?: integer }"]
    ) -> Any:
        """Write a value as JSON; ``indent`` is the number of spaces of each level."""
        await self._allow("json_stringify")
        indent = arguments.get("indent")
        try:
            return json.dumps(
                arguments.get("value"),
                ensure_ascii=False,
                indent=int(indent) if indent else None,
                allow_nan=False,
                default=_no_json,
            )
        except (TypeError, ValueError) as error:
            raise BadArgument(f"'tools.json_stringify' cannot write this value: {error}") from error


def _no_json(value: Any) -> Any:
    raise TypeError(f"JSON has no {'bytes' if isinstance(value, bytes) else lua_type(value)}")


class ToolChecks(Bridge):
    """Internal: JSON Schema for the registry in Lua."""

    module: ClassVar[str] = "tool_checks"
    internal: ClassVar[bool] = True

    def __init__(self, host: Host) -> None:
        self._host = host

    @export()
    async def recorded(self, name: str, arguments: Any, call: CallbackRef) -> Any:
        """Call a tool that asked for it to be recorded, or answer in its place as the cassette does."""

        async def make() -> list[Any]:
            results = [*await self._host.invoke(call.id, arguments)][:2]
            if _holds_references(results):
                raise BadArgument(
                    f"what the tool '{name}' gave cannot be recorded: it holds a function or an object"
                )
            return results

        asked = {"tool": name, "arguments": arguments}
        return Results(tuple(await recorded(self._host, "tool", asked, make)))

    @export()
    async def schema(self, name: str, parameters: dict[str, Any]) -> None:
        """Raise unless `parameters` are a JSON Schema."""
        Schema(parameters, f"the schema of the tool '{name}'")

    @export()
    async def problems(self, name: str, parameters: dict[str, Any], arguments: Any) -> Any:
        """Tell what is wrong with a tool's arguments, or with any value if `name` is empty."""
        what = f"the schema of the tool '{name}'" if name else "the schema"
        return Schema(parameters, what).problems(_as_text(arguments), first=1)


def _holds_references(value: Any) -> bool:
    """Whether there is a function or an object of a bridge in `value`."""
    if isinstance(value, dict):
        return any(_holds_references(item) for item in cast("dict[Any, Any]", value).values())
    if isinstance(value, list):
        return any(_holds_references(item) for item in cast("list[Any]", value))
    return isinstance(value, CallbackRef | HandleRef)


def _as_text(value: Any) -> Any:
    """A value in which Lua's strings that are not UTF-8 are strings all the same, as far as a schema goes."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list):
        return [_as_text(item) for item in cast("list[Any]", value)]
    return value


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise WorldError(
            f"'{text[:60]}' is not a time in ISO 8601, such as 2026-01-31T12:00:00Z", code="bad_time"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_LETTERS = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


def _strftime(written: str) -> str:
    """A format of times; what says ``YYYY-MM-DD`` instead of ``%Y-%m-%d`` is understood too."""
    if "%" in written:
        return written
    for letters, code in _LETTERS.items():
        written = written.replace(letters, code)
    return written
