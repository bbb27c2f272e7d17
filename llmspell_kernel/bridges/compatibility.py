"""The globals of rs-llmspell, so that its spells run here: a thin layer in Lua over our own modules.

What has no counterpart raises an error that says so by its name.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, ClassVar

from llmspell_kernel.bridges import granted_files
from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.errors import BadArgument

if TYPE_CHECKING:
    from llmspell_kernel.bridges.registry import Host

_ALGORITHMS = ("blake2b", "md5", "sha1", "sha256", "sha384", "sha512")
_OTHERS = "lib.rs.others"


class _RsGlobal(Bridge):
    """A global that is written in Lua."""

    def __init__(self, host: Host) -> None:
        """Nothing of `host` is needed."""


class RsAgent(_RsGlobal):
    """rs-llmspell's agents, over ``agent``: ``Agent.builder():name("a"):build():execute{text = "…"}``."""

    module: ClassVar[str] = "Agent"
    lua_part: ClassVar[str | None] = "lib.rs.agent"


class RsTool(_RsGlobal):
    """rs-llmspell's tools by its names, such as ``file-operations``, over ``tools``."""

    module: ClassVar[str] = "Tool"
    lua_part: ClassVar[str | None] = "lib.rs.tool"


class RsWorkflow(_RsGlobal):
    """rs-llmspell's workflows, over ``workflow``."""

    module: ClassVar[str] = "Workflow"
    lua_part: ClassVar[str | None] = "lib.rs.workflow"


class RsState(_RsGlobal):
    """rs-llmspell's state in scopes, over ``state``."""

    module: ClassVar[str] = "State"
    lua_part: ClassVar[str | None] = "lib.rs.state"


class RsRag(_RsGlobal):
    """rs-llmspell's library of documents, over ``rag``."""

    module: ClassVar[str] = "RAG"
    lua_part: ClassVar[str | None] = "lib.rs.rag"


class RsMemory(_RsGlobal):
    """rs-llmspell's memory of what was said, ``Memory.episodic``, over ``memory``."""

    module: ClassVar[str] = "Memory"
    lua_part: ClassVar[str | None] = "lib.rs.memory"


class RsContext(_RsGlobal):
    """rs-llmspell's choice of what a model is told, over ``Memory`` and ``RAG``."""

    module: ClassVar[str] = "Context"
    lua_part: ClassVar[str | None] = "lib.rs.context"


class RsProvider(_RsGlobal):
    """rs-llmspell's list of providers, over ``llm``."""

    module: ClassVar[str] = "Provider"
    lua_part: ClassVar[str | None] = "lib.rs.provider"


class RsLocalLlm(_RsGlobal):
    """rs-llmspell's local models, over ``llm``: ``status``, ``list``, ``info``."""

    module: ClassVar[str] = "LocalLLM"
    lua_part: ClassVar[str | None] = _OTHERS


class RsConfig(_RsGlobal):
    """rs-llmspell's view of the settings, which a spell cannot change."""

    module: ClassVar[str] = "Config"
    lua_part: ClassVar[str | None] = "lib.rs.config"


class RsJson(_RsGlobal):
    """rs-llmspell's JSON, over ``json``: ``JSON.parse``, ``JSON.stringify``."""

    module: ClassVar[str] = "JSON"
    lua_part: ClassVar[str | None] = _OTHERS


class RsDebug(_RsGlobal):
    """rs-llmspell's messages, timers and dumps: ``Debug.info(message, module)``, ``Debug.timer(name)``."""

    module: ClassVar[str] = "Debug"
    lua_part: ClassVar[str | None] = "lib.rs.debug"


class RsEvent(_RsGlobal):
    """rs-llmspell's events: ``publish``, ``subscribe``, ``receive``."""

    module: ClassVar[str] = "Event"
    lua_part: ClassVar[str | None] = _OTHERS


class RsHook(_RsGlobal):
    """rs-llmspell's hooks, over ``hooks``."""

    module: ClassVar[str] = "Hook"
    lua_part: ClassVar[str | None] = "lib.rs.hook"


class RsUtils(_RsGlobal):
    """Small helpers that spells of rs-llmspell use."""

    module: ClassVar[str] = "Utils"
    aliases: ClassVar[tuple[str, ...]] = ("utils",)
    lua_part: ClassVar[str | None] = _OTHERS


class RsSession(_RsGlobal):
    """rs-llmspell's sessions: named tables that can be saved."""

    module: ClassVar[str] = "Session"
    lua_part: ClassVar[str | None] = "lib.rs.sessions"


class RsArtifact(_RsGlobal):
    """rs-llmspell's artifacts: what a session keeps."""

    module: ClassVar[str] = "Artifact"
    lua_part: ClassVar[str | None] = "lib.rs.sessions"


class RsTemplate(_RsGlobal):
    """rs-llmspell's templates, of which there are none here."""

    module: ClassVar[str] = "Template"
    lua_part: ClassVar[str | None] = _OTHERS


class RsStreaming(_RsGlobal):
    """rs-llmspell's streams out of coroutines."""

    module: ClassVar[str] = "Streaming"
    lua_part: ClassVar[str | None] = _OTHERS


class RsReplay(_RsGlobal):
    """rs-llmspell's plans for replays, and comparing what came of them; cassettes do the replaying."""

    module: ClassVar[str] = "Replay"
    lua_part: ClassVar[str | None] = "lib.rs.replay"


class CompatTools(Bridge):
    """Internal: what rs-llmspell's tools need and Lua has not."""

    module: ClassVar[str] = "compat_tools"
    internal: ClassVar[bool] = True

    def __init__(self, host: Host) -> None:
        self._host = host

    @export()
    async def folder(self, path: str) -> bool:
        """Make a folder, with those that it is in, where files may be written."""
        await self._host.require("tools", "file_write", "tools.create_directory")
        await granted_files.make_folder(self._host, path, "tools.create_directory")
        return True

    @export()
    async def granted(self) -> dict[str, bool]:
        """Tell which kinds of grants there are any of."""
        return {kind: True for kind, _ in self._host.grants.entries()}

    @export()
    async def digest(self, algorithm: str, data: bytes) -> str:
        """Return the hash of `data` in hexadecimal."""
        name = algorithm.replace("-", "")
        if name not in _ALGORITHMS:
            raise BadArgument(f"there is no hash '{algorithm}'; there are: {', '.join(_ALGORITHMS)}")
        return hashlib.new(name, data, usedforsecurity=False).hexdigest()

    @export()
    async def encode(self, data: bytes) -> str:
        """Write `data` in base 64."""
        return base64.b64encode(data).decode()

    @export()
    async def decode(self, text: str) -> bytes:
        """Read `text` in base 64."""
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadArgument(f"not base 64: {error}") from error
