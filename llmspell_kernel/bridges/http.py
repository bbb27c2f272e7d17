"""``http``: requests to granted hosts. Its functions are Lua (``lib/http.lua``); here is the one call they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.bridges.http_recorded import http_answer, http_question
from llmspell_kernel.bridges.recorded import recorded
from llmspell_kernel.bridges.registry import Host

if TYPE_CHECKING:
    from llmspell_kernel.bridges.http_requests import Requests


class HttpBridge(Bridge):
    """HTTP: requests to the hosts that are granted."""

    module: ClassVar[str] = "http"
    lua_part: ClassVar[str | None] = "lib.http"

    def __init__(self, host: Host) -> None:
        """Nothing of `host` is needed."""


class HttpRequests(Bridge):
    """Internal: makes the requests."""

    module: ClassVar[str] = "http_requests"
    internal: ClassVar[bool] = True

    def __init__(self, host: Host) -> None:
        self._host = host
        self._opened: Requests | None = None

    async def close(self) -> None:
        """Close what is open."""
        if self._opened is not None:
            await self._opened.aclose()

    @export()
    async def send(self, why: str, options: dict[str, Any]) -> Any:
        """Make the request that `options` describe (``url, method, headers, body, auth, timeout``)."""
        if self._opened is None:
            from llmspell_kernel.bridges.http_requests import Requests

            self._opened = Requests(self._host)
        if self._host.settings.model.record == "off":
            return await self._opened.send(why, options)
        requests = self._opened

        async def make() -> dict[str, Any]:
            return http_answer(await requests.send(why, options))

        return await recorded(self._host, "http", http_question(options), make)
