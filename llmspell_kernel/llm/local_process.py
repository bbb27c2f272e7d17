"""The kernel's hand on the child process that holds the local model: start, keep, end, start again."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import threading
import time
from collections import deque
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from llmspell_kernel.errors import ConnectionFailed, ProviderError
from llmspell_kernel.llm.assets import asset_called
from llmspell_kernel.llm.catalogue import INSTALL_LOCAL
from llmspell_kernel.llm.progress import Progress, Tell, untold

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

_SCRIPT = Path(__file__).with_name("local_server.py")
_NEEDED_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMPDIR")
_START_LIMIT = 120.0
"""Seconds; a large model on a slow disk takes a while."""
_END_LIMIT = 3.0


class ServerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the local model runs."""

    threads: int = 1
    """One by default: two threads that spin on two busy cores were thirty times slower than one."""
    context: int = 8192
    """Tokens of prompt and answer that fit in together."""
    parallel: int = 4
    """Answers written at the same time."""
    idle: float = 600.0
    """Seconds without a question after which the process ends."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where the running model is asked."""

    url: str
    key: str


class LocalProcess:
    """A child process for one weights file, running while it is used.

    Args:
        name: The model's name.
        path: The GGUF file.
        options: How it runs.
        environ: The environment to take the few variables from that a process needs; keys are not passed on.
        tell: Told about starting and ending.
        python: The interpreter.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        options: ServerOptions,
        *,
        environ: Mapping[str, str],
        tell: Tell = untold,
        python: str = sys.executable,
    ) -> None:
        self.name = name
        self.path = path
        self._options = options
        self._environ = {key: environ[key] for key in _NEEDED_VARIABLES if key in environ}
        self._tell = tell
        self._python = python
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._address: Address | None = None
        self._log: deque[str] = deque(maxlen=30)
        self._log_task: asyncio.Task[None] | None = None
        self._users = 0
        self._idle: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    @property
    def in_use(self) -> bool:
        """Whether somebody is asking right now."""
        return self._users > 0

    @asynccontextmanager
    async def use(self) -> AsyncGenerator[Address]:
        """The running model's address, started if need be, and kept running while the block runs.

        Raises:
            ProviderError: It could not be started, or it ended while the block ran.
        """
        self._users += 1
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        try:
            address = await self._running()
            process = self._process
            try:
                yield address
            except Exception as error:
                if process is not None and await _has_ended(process, error):
                    raise self._crashed(process) from error
                raise
        finally:
            self._users -= 1
            if self._users == 0 and self.pid is not None:
                self._idle = asyncio.get_running_loop().call_later(self._options.idle, self._end_when_idle)

    async def aclose(self) -> None:
        """End the child; the next use starts another."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        async with self._lock:
            await self._end()

    # ── start ────────────────────────────────────────────────────────────────────────────────────

    async def _running(self) -> Address:
        async with self._lock:
            if self._address is not None and self.pid is not None:
                return self._address
            await self._end()
            began = time.monotonic()
            self._tell(Progress(text=f"Starting the local model {self.name}"))
            try:
                self._address = await self._start()
            except BaseException:
                await self._end()
                raise
            took = time.monotonic() - began
            self._tell(Progress(text=f"The local model {self.name} is ready ({took:.1f} s)"))
            return self._address

    async def _start(self) -> Address:
        process = await asyncio.create_subprocess_exec(
            self._python,
            "-I",
            str(_SCRIPT),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environ,
        )
        self._process = process
        self._log.clear()
        self._log_task = asyncio.create_task(self._keep_log(process))
        key = secrets.token_urlsafe(32)
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(ConnectionError):
            process.stdin.write(json.dumps(self._settings(key)).encode() + b"\n")
            await process.stdin.drain()
        try:
            line = await asyncio.wait_for(process.stdout.readline(), _START_LIMIT)
        except TimeoutError as error:
            raise self._did_not_start(f"it was not ready after {_START_LIMIT:g} seconds") from error
        if not line:
            await process.wait()
            raise self._did_not_start(f"its process ended ({_ending(process.returncode)})")
        reply: dict[str, str] = json.loads(line)
        if "url" not in reply:
            raise self._did_not_start(reply.get("error", ""))
        return Address(url=reply["url"], key=key)

    def _settings(self, key: str) -> dict[str, Any]:
        options = self._options
        # The system kills such a child when the *thread* that started it ends, so it is asked to only for the
        # main thread, which ends with the process.
        main = threading.current_thread() is threading.main_thread()
        return {
            "name": self.name,
            "path": str(self.path),
            "key": key,
            "threads": options.threads,
            "context": options.context,
            "parallel": options.parallel,
            "sampling": asset.sampling if (asset := asset_called(self.name)) is not None else {},
            "parent": os.getpid() if main else 0,
        }

    async def _keep_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self._log.append(line.decode(errors="replace").rstrip())

    # ── end ──────────────────────────────────────────────────────────────────────────────────────

    def _end_when_idle(self) -> None:
        self._idle = None
        self._ending = asyncio.ensure_future(self._end_if_unused())

    async def _end_if_unused(self) -> None:
        async with self._lock:
            if self._users == 0:
                await self._end()

    async def _end(self) -> None:
        process, self._process, self._address = self._process, None, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _END_LIMIT)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._log_task is not None:
            await self._log_task
            self._log_task = None

    # ── errors ───────────────────────────────────────────────────────────────────────────────────

    def _did_not_start(self, why: str) -> ProviderError:
        missing = "No module named 'xllamacpp'" in why
        return ProviderError(
            f"the local model {self.name} could not be started: {why}",
            code="local_model_failed",
            provider="local",
            suggestion=(
                INSTALL_LOCAL
                if missing
                else f"check that {self.path} is a GGUF file that fits in memory, or pull it again"
            ),
            details={"log": "\n".join(self._log)},
        )

    def _crashed(self, process: asyncio.subprocess.Process) -> ProviderError:
        return ProviderError(
            f"the local model {self.name} crashed while it was answering ({_ending(process.returncode)})",
            code="local_model_crashed",
            provider="local",
            retryable=True,
            suggestion="ask again: it is started anew",
            details={"log": "\n".join(self._log)},
        )


async def _has_ended(process: asyncio.subprocess.Process, error: Exception) -> bool:
    """Whether the child is gone, or about to be: a cut connection can be seen before the end is."""
    if isinstance(error, ConnectionFailed) or getattr(error, "code", "") == "unreadable_answer":
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.5)
    return process.returncode is not None


def _ending(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
