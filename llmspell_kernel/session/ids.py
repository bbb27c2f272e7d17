"""Ids that completion may offer inside strings: models, agents, tools, states, events, modules, files, spells."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from llmspell_kernel.errors import SpellError
from llmspell_kernel.language.live import KnownId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llmspell_kernel.bridges.registry import Registry
    from llmspell_kernel.config import Settings
    from llmspell_kernel.grants import Grants
    from llmspell_kernel.language.live import IdKind
    from llmspell_kernel.llm.models import Models

_MOST = 500
"""Names of one folder, or of one kind."""
_QUICK_SECONDS, _SEARCH_SECONDS = 0.02, 0.04
"""A search is waited for so long, unless opening the models took too much of the answer's time already."""
_STATE_FILE = "state.sqlite"


class Ids:
    """Tells ids of each kind without running a spell's code and without leaving this machine.

    Args:
        settings: the session's.
        registry: its modules.
        models: opens its models.
        grants: what it may do right now; files outside are never listed.
        query: asks the engine's own Lua; None while a cell runs.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        models: Callable[[], Models],
        grants: Callable[[], Grants],
        query: Callable[..., Awaitable[Any]],
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._models = models
        self._grants = grants
        self._query = query
        self._search: asyncio.Future[None] | None = None
        self._last: dict[IdKind, dict[str, str]] = {}

    async def __call__(self, kind: IdKind, prefix: str = "") -> list[KnownId]:
        """Ids that begin with `prefix`, in either case."""
        match kind:
            case "model":
                found = await self._models_at_hand()
            case "provider":
                found = self._providers()
            case "module":
                found = {one.module: "" for one in self._registry.exports()} | self._registry.aliases()
            case "file":
                found = self._files(prefix)
            case "stored":
                found = dict.fromkeys(await self._asked("storage", "list", prefix), "in the storage folder")
            case "spell":
                found = self._spells(prefix)
            case "tool" | "agent" | "state" | "event":
                found = await self._registered(kind)
        wanted = prefix.lower()
        return [KnownId(name, doc) for name, doc in sorted(found.items()) if name.lower().startswith(wanted)]

    async def _models_at_hand(self) -> dict[str, str]:
        """What is known now; a search for servers on this machine goes on behind it, for the next time."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        models = self._models()
        if self._search is None:
            self._search = asyncio.ensure_future(models.look_around())
        if not self._search.done() and loop.time() - began < _QUICK_SECONDS:
            await asyncio.wait([self._search], timeout=_SEARCH_SECONDS)
        return dict.fromkeys(models.at_hand(), "")

    def _providers(self) -> dict[str, str]:
        from llmspell_kernel.llm.catalogue import KNOWN, LOCAL

        known = {name: info.title for name, info in KNOWN.items()}
        return known | dict.fromkeys(self._settings.providers, "configured") | {LOCAL: "on this machine"}

    async def _registered(self, kind: IdKind) -> dict[str, str]:
        """What spells have registered; while a cell runs, what was registered when last asked."""
        answer = await self._query("introspect", "registered", kind, _MOST)
        if answer is not None:
            self._last[kind] = dict(answer)
        found = dict(self._last.get(kind, {}))
        if kind == "state" and (self._settings.storage.folder / _STATE_FILE).is_file():
            found |= dict.fromkeys(await self._asked("state_files", "names"), "kept in the project")
        return found

    async def _asked(self, module: str, function: str, *arguments: str) -> list[str]:
        """The list that a bridge gives."""
        try:
            return list((await self._registry.call(module, function, list(arguments)))[0])[:_MOST]
        except SpellError:
            return []

    def _spells(self, prefix: str) -> dict[str, str]:
        """Lua files, and the folders that may hold some."""
        return {name: doc for name, doc in self._files(prefix).items() if name.endswith((".lua", "/"))}

    def _files(self, prefix: str) -> dict[str, str]:
        """Names in the folder that `prefix` begins, if the grants cover it."""
        head = prefix.rpartition("/")[0]
        above = f"{head}/" if head or prefix.startswith("/") else ""
        try:
            descriptor = self._grants().locate(above or ".").open(os.O_RDONLY)
        except SpellError:
            return {}
        try:
            with os.scandir(descriptor) as entries:
                listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError:
            return {}
        finally:
            os.close(descriptor)
        shown = [
            (name, folder) for name, folder in listed if not name.startswith(".") or "/." in f"/{prefix}"
        ]
        return {f"{above}{name}{'/' if folder else ''}": "" for name, folder in sorted(shown)[:_MOST]}
