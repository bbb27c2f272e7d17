"""``auth``: secrets by name. Lua holds references (``lib/auth.lua``); `credentials` knows what they stand for."""

from __future__ import annotations

from typing import Any, ClassVar

from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.bridges.registry import Host


class AuthBridge(Bridge):
    """Credentials by the names of secrets, whose values a spell never sees."""

    module: ClassVar[str] = "auth"
    lua_part: ClassVar[str | None] = "lib.auth"

    def __init__(self, host: Host) -> None:
        self._host = host

    @export(
        name="list",
        returns="{ name: string, hosts: string[], set: boolean }[]",
        example="print(#auth.list())",
    )
    async def names(self) -> Any:
        """List the secrets that the configuration offers to spells, and the hosts to which each may be sent."""
        settings = self._host.settings
        return [
            {"name": name, "hosts": list(secret.hosts), "set": settings.vault.secret(name) is not None}
            for name, secret in sorted(settings.secrets.items())
        ]
