"""``grants``: what a spell may do, looked at and given up from Lua. Only the person can give more."""

from __future__ import annotations

from typing import ClassVar

from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.bridges.registry import Host
from llmspell_kernel.errors import BadArgument, MissingGrant
from llmspell_kernel.grants import KINDS, Grants, Kind


class GrantsBridge(Bridge):
    """What this session may do beyond computing. A spell can give powers up, and never take them."""

    module: ClassVar[str] = "grants"

    def __init__(self, host: Host) -> None:
        self._host = host

    @export(returns="boolean", example='print(grants.has("http", "https://example.org"))')
    async def has(self, kind: str, value: str) -> bool:
        """Tell whether something is granted now, without asking anybody.

        `value` is a URL for "http", ``read:PATH`` or ``write:PATH`` for "files", and a name for "env", "tools", "mcp"
        and "providers".
        """
        try:
            _check(self._host.grants, _kind(kind), value)
        except MissingGrant:
            return False
        return True

    @export(example='if untrusted then grants.drop("http") end')
    async def drop(self, kind: str) -> None:
        """Give up all grants of one kind, for the rest of the session. Undo does not bring them back."""
        self._host.narrow({_kind(kind): ()})

    @export(example='if untrusted then grants.only("providers", {"local"}) end')
    async def only(self, kind: str, entries: list[str]) -> None:
        """Keep of one kind only what these entries cover too, for the rest of the session.

        They are written as in a configuration file: "example.org", "read:./data", a name.
        """
        self._host.narrow({_kind(kind): entries})


def _kind(kind: str) -> Kind:
    if kind not in KINDS:
        raise BadArgument(f"no such kind of grant: '{kind[:60]}'", suggestion=f"one of {', '.join(KINDS)}")
    return kind


def _check(grants: Grants, kind: Kind, value: str) -> None:
    if kind == "http":
        grants.target(value)
    elif kind == "files":
        mode, _, path = value.partition(":")
        if mode not in ("read", "write") or not path:
            raise BadArgument("write read:PATH or write:PATH, like read:./data")
        grants.locate(path, write=mode == "write")
    else:
        grants.check(kind, value)
