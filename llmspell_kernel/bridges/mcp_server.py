"""One MCP server: a child process or a URL, connected to when it is first asked, ended with the session.

Model Context Protocol, https://modelcontextprotocol.io: tools by JSON-RPC over the standard input and output of a
process, or over HTTP. A process gets a minimal environment (the search path, the home folder, its own settings): none
of the kernel's keys.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

import msgspec

from llmspell_kernel.errors import NotFound, ProviderError, SpellError, Timeout, WorldError

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from mcp import ClientSession
    from mcp.types import CallToolResult

    from llmspell_kernel.config.sections import McpServer

T = TypeVar("T")

_CLOSED = -32000
"""JSON-RPC's code for a connection that was closed, as the library gives it."""
_START_SECONDS = 60.0
"""Package runners may have to fetch the server first."""
_STOP_SECONDS = 8.0
_TOLD_CHARACTERS = 600
_MOST_PAGES = 50
_log = logging.getLogger("llmspell")


class ToolInfo(msgspec.Struct, frozen=True):
    """A tool that a server offers."""

    name: str
    description: str
    parameters: dict[str, Any]


class Connection:
    """A server by its name in the configuration.

    Args:
        name: Its name.
        settings: Where it is.
        folder: Where a process is started.
    """

    def __init__(self, name: str, settings: McpServer, folder: Path) -> None:
        self.name = name
        self._settings = settings
        self._folder = folder
        self._owner: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[ClientSession] | None = None
        self._leave = asyncio.Event()
        self._tools: tuple[ToolInfo, ...] | None = None
        self._starting = asyncio.Lock()

    @property
    def running(self) -> bool:
        """Whether it is connected."""
        return self._owner is not None and not self._owner.done()

    async def tools(self) -> tuple[ToolInfo, ...]:
        """The tools on offer.

        Raises:
            WorldError: The server cannot be started or does not answer.
        """
        session = await self._session()
        if self._tools is None:
            self._tools = await self._told(_all_tools(session))
        return self._tools

    async def call(self, tool: str, arguments: dict[str, Any], seconds: float) -> Any:
        """Call a tool; cancelling it tells the server.

        Raises:
            NotFound: There is no such tool.
            ProviderError: The tool failed.
            Timeout: It took longer than `seconds`.
            WorldError: The server cannot be started, or ended.
        """
        session = await self._session()
        known = [info.name for info in await self.tools()]
        if tool not in known:
            raise NotFound(
                f"the MCP server '{self.name}' has no tool '{tool}'",
                suggestion=f"there are: {', '.join(known)}",
            )
        try:
            async with asyncio.timeout(seconds):
                answer = await self._told(session.call_tool(tool, arguments))
        except TimeoutError as error:
            raise Timeout(
                f"{self.name}.{tool} did not answer within {seconds:g} seconds",
                suggestion="give it more time: mcp.call(server, tool, arguments, {timeout = seconds})",
            ) from error
        return _value_of(self.name, tool, answer)

    async def close(self) -> None:
        """End it; a process that does not go is killed."""
        owner, self._owner, self._ready, self._tools = self._owner, None, None, None
        if owner is None:
            return
        self._leave.set()
        done, _ = await asyncio.wait([owner], timeout=_STOP_SECONDS)
        if not done:
            owner.cancel()
            await asyncio.wait([owner], timeout=_STOP_SECONDS)

    async def _told(self, work: Awaitable[T]) -> T:
        """What `work` gives; what the protocol's library raises becomes an error that names the server."""
        try:
            return await work
        except (SpellError, TimeoutError):
            raise
        except Exception as error:
            if getattr(error, "code", None) == _CLOSED:
                await self.close()  # the next call starts it again
                raise ProviderError(
                    f"the MCP server '{self.name}' has ended", code="mcp_ended", retryable=True
                ) from error
            raise ProviderError(
                f"the MCP server '{self.name}' failed: {_cause(error)}", code="mcp_error"
            ) from error

    # ── the connection, which one task opens and closes ──────────────────────────────────────────

    async def _session(self) -> ClientSession:
        async with self._starting:
            if not self.running or self._ready is None:
                await self.close()
                self._leave = asyncio.Event()
                self._ready = asyncio.get_running_loop().create_future()
                self._owner = asyncio.create_task(self._own(self._ready, self._leave))
            # Whoever stops waiting does not stop the start: the next one needs it too.
            return await asyncio.shield(self._ready)

    async def _own(self, ready: asyncio.Future[ClientSession], leave: asyncio.Event) -> None:
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as told:
            try:
                async with AsyncExitStack() as stack:
                    async with asyncio.timeout(_START_SECONDS):
                        session = await self._open(stack, told)
                        await session.initialize()
                    ready.set_result(session)
                    await leave.wait()
            except Exception as error:
                if ready.done():
                    _log.warning("the connection to the MCP server '%s' broke: %s", self.name, error)
                else:
                    ready.set_exception(self._not_started(error, told))
                    ready.exception()  # somebody hears it, or nobody waits any more
            except asyncio.CancelledError:
                ready.cancel()
                raise

    async def _open(self, stack: AsyncExitStack, told: TextIO) -> ClientSession:
        from mcp import ClientSession, StdioServerParameters, stdio_client
        from mcp.client.streamable_http import streamable_http_client

        settings = self._settings
        if settings.command:
            parameters = StdioServerParameters(
                command=settings.command,
                args=list(settings.args),
                env={key: secret.reveal() for key, secret in settings.env.items()},
                cwd=self._folder,
            )
            read, write = await stack.enter_async_context(stdio_client(parameters, errlog=told))
        else:
            assert settings.url is not None
            read, write = await stack.enter_async_context(streamable_http_client(settings.url))
        return await stack.enter_async_context(ClientSession(read, write))

    def _not_started(self, error: BaseException, told: TextIO) -> WorldError:
        cause = _cause(error)
        place = self._settings.command or self._settings.url
        if isinstance(cause, FileNotFoundError):
            why = f"there is no program '{place}'"
            advice = f"install it, or correct command under [mcp.{self.name}] in your configuration"
        elif isinstance(cause, PermissionError):
            why, advice = f"'{place}' may not be run", f"correct command under [mcp.{self.name}]"
        elif isinstance(cause, TimeoutError):
            why, advice = (
                f"{place} did not answer within {_START_SECONDS:g} seconds",
                f"run it by hand: {self._line}",
            )
        else:
            why = f"{place} ended, or does not speak MCP"
            advice = f"run it by hand: {self._line}" if self._settings.command else f"look at {place}"
        told.seek(0)
        said = self._without_secrets(told.read().strip())[-_TOLD_CHARACTERS:]
        message = f"the MCP server '{self.name}' could not be started: {why}"
        if said:
            message += f"; it wrote:\n{said}"
        return WorldError(message, code="mcp_start", suggestion=advice, details={"server": self.name})

    @property
    def _line(self) -> str:
        return " ".join((self._settings.command or "", *self._settings.args))

    def _without_secrets(self, text: str) -> str:
        for secret in self._settings.env.values():
            if len(secret.reveal()) >= 4:
                text = text.replace(secret.reveal(), "[secret]")
        return text


async def _all_tools(session: ClientSession) -> tuple[ToolInfo, ...]:
    from mcp.types import PaginatedRequestParams

    found: list[ToolInfo] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
        found += [ToolInfo(tool.name, tool.description or "", dict(tool.input_schema)) for tool in page.tools]
        cursor = page.next_cursor
        if not cursor:
            break
    return tuple(found)


def _cause(error: BaseException) -> BaseException:
    """The first error inside of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error


def _value_of(server: str, tool: str, answer: CallToolResult) -> Any:
    """An answer as Lua gets it: its structured value, else its text, else a list of its parts.

    Raises:
        ProviderError: It says that the tool failed.
    """
    parts = [part.model_dump(mode="json", exclude_none=True) for part in answer.content]
    texts = [str(part["text"]) for part in parts if part.get("type") == "text"]
    if answer.is_error:
        raise ProviderError("\n".join(texts) or f"{server}.{tool} failed", code="tool_failed")
    structured = answer.structured_content
    if structured is not None:
        return structured["result"] if set(structured) == {"result"} else structured
    if len(texts) == len(parts):
        return "\n".join(texts)
    return parts
