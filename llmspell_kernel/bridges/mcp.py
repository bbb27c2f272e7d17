"""``mcp``: tools of other programs, by the Model Context Protocol."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, ClassVar

import msgspec

from llmspell_kernel.bridges.declaration import Bridge, export, table_type
from llmspell_kernel.bridges.given import Given
from llmspell_kernel.bridges.mcp_server import Connection
from llmspell_kernel.bridges.recorded import recorded
from llmspell_kernel.bridges.registry import Host, current_call
from llmspell_kernel.errors import NotFound, SpellError
from llmspell_kernel.language.annotations import option
from llmspell_kernel.language.documentation import Documented

_TIMEOUT = 120.0


class McpBridge(Bridge):
    """Tools of other programs: the MCP servers under ``[mcp.NAME]`` in your configuration.

    A server is started when it is first used, and ends with the session. Its tools are also in ``tools``, by
    ``server.tool``.
    """

    module: ClassVar[str] = "mcp"
    lua_part: ClassVar[str | None] = "lib.mcp"
    types: ClassVar[tuple[Documented, ...]] = (
        table_type(
            "mcp.Server",
            "A server of the configuration.",
            option("name", "string", "its name"),
            option("at", "string", "the program or URL"),
            option("granted", "boolean", "whether this session may use it"),
            option("running", "boolean", "whether it is connected now"),
        ),
        table_type(
            "mcp.CallOptions",
            "How to call.",
            option("timeout", "number", "seconds to wait at most; 120 if left out", optional=True),
        ),
    )

    def __init__(self, host: Host) -> None:
        self._host = host
        self._connections: dict[str, Connection] = {}

    async def close(self) -> None:
        """End every server."""
        await asyncio.gather(*(connection.close() for connection in self._connections.values()))

    @export(returns="servers: mcp.Server[]", example="mcp.servers()")
    async def servers(self) -> Any:
        """List the servers of the configuration; none is started."""
        return [
            {
                "name": name,
                "at": server.command or server.url,
                "granted": self._host.grants.allows("mcp", name),
                "running": name in self._connections and self._connections[name].running,
            }
            for name, server in sorted(self._host.settings.mcp.items())
        ]

    @export(
        returns="value: any, err: Error?", example='mcp.call("time", "get_current_time", {timezone = "UTC"})'
    )
    async def call(
        self,
        server: str,
        tool: str,
        arguments: dict[str, Any] | None = None,
        options: Annotated[dict[str, Any] | None, "mcp.CallOptions"] = None,
    ) -> Any:
        """Call a server's tool: its structured answer, else its text, else a list of its parts.

        Args:
            server: its name in the configuration
            tool: the tool's name
            arguments: what the tool takes
            options: how long to wait
        """
        timeout = Given("mcp.call", options, ("timeout",)).number("timeout", _TIMEOUT)
        await self._allowed(server, "mcp.call")

        async def make() -> Any:
            self._host.acted(f"called {server}.{tool}")
            return await self._connection(server).call(tool, arguments or {}, timeout)

        asked = {"server": server, "tool": tool, "arguments": arguments or {}}
        return await recorded(self._host, "mcp", asked, make)

    @export(returns="stopped: boolean", example='mcp.stop("time")')
    async def stop(self, server: str) -> Any:
        """End a server; it is started again when it is next used.

        Args:
            server: its name in the configuration
        """
        connection = self._connections.get(server)
        running = connection is not None and connection.running
        if connection is not None:
            await connection.close()
        return running

    @export(returns="tools: table[], err: Error?", example="mcp.describe()")
    async def describe(self, server: str | None = None) -> Any:
        """Describe a server's tools as it does itself: ``{name, description, parameters, server}``.

        Args:
            server: its name in the configuration; without it, all servers that are granted: one that does not start
                is a warning
        """
        if server is not None:
            await self._allowed(server, "mcp.describe")
            return await self._tools(server)
        names = [name for name in sorted(self._host.settings.mcp) if self._host.grants.allows("mcp", name)]
        answers = await asyncio.gather(*(self._tools(name) for name in names), return_exceptions=True)
        found: list[dict[str, Any]] = []
        for answer in answers:
            if isinstance(answer, SpellError):
                current_call.get().surface.stream("stderr", f"warning: {answer.message}\n")
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found += answer
        return found

    async def reset(self) -> None:
        """End every server: nothing of the session that used them is left."""
        await self.close()

    async def _tools(self, server: str) -> list[dict[str, Any]]:
        async def make() -> Any:
            return [msgspec.to_builtins(tool) for tool in await self._connection(server).tools()]

        described = await recorded(self._host, "mcp", {"server": server, "tools": "list"}, make)
        return [{**tool, "server": server} for tool in described]

    async def _allowed(self, server: str, why: str) -> None:
        """Make sure that there is such a server and the session may use it.

        Raises:
            NotFound: The configuration has none of that name.
            MissingGrant: It is not granted.
        """
        if server not in self._host.settings.mcp:
            known = ", ".join(sorted(self._host.settings.mcp))
            raise NotFound(
                f"there is no MCP server '{server}' in the configuration",
                suggestion=f"there are: {known}"
                if known
                else f'add one: [mcp.{server}] with command = "…" and args = [ … ], in your configuration',
            )
        await self._host.require("mcp", server, why)

    def _connection(self, server: str) -> Connection:
        if server not in self._connections:
            settings = self._host.settings
            self._connections[server] = Connection(server, settings.mcp[server], settings.folder)
        return self._connections[server]
