"""What ``llmspell doctor`` looks at: each check returns what it found, with a fix for what is missing."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmspell_kernel.commands.kernelspec import KERNEL_NAME, place_flag
from llmspell_kernel.errors import NotFound, SpellError

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmspell_kernel.config import Settings
    from llmspell_kernel.session.outcome import Outcome


class State(Enum):
    """How a finding counts."""

    OK = "ok"
    LACKS = "lacks"
    """It works without, but not everything that could."""
    FAILS = "fails"
    """Nothing works before this is put right."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    state: State
    text: str
    fix: str = ""
    """What a person can do about it; empty for what is well."""


@dataclass(frozen=True)
class Check:
    """One thing to look at."""

    title: str
    look: Callable[[], list[Finding]]


def _configuration() -> list[Finding]:
    settings, problems = _settings()
    findings = [Finding(State.FAILS, str(problem), problem.suggestion or "") for problem in problems]
    findings += [Finding(State.LACKS, notice) for notice in settings.notices()]
    if not findings:
        where = settings.places.config
        text = f"read from {where}" if where.exists() else f"all defaults ({where} would hold yours)"
        findings.append(Finding(State.OK, text))
    return findings


def _settings() -> tuple[Settings, list[Any]]:
    from llmspell_kernel.config import Settings

    return Settings.load_or_default()


def _engine() -> list[Finding]:
    began = time.monotonic()
    try:
        text = asyncio.run(_one_plus_one())
    except SpellError as error:
        again = "pip install --force-reinstall llmspell-kernel, and if that does not help, report it"
        return [Finding(State.FAILS, f"the engine does not work: {error}", error.suggestion or again)]
    return [Finding(State.OK, f"1 + 1 = {text}, after {time.monotonic() - began:.1f} s")]


class _NoSurface:
    """Where the one cell of the check would show things."""

    def stream(self, name: str, text: str) -> None:
        """It writes nothing."""

    def display(
        self, bundle: dict[str, Any], metadata: dict[str, Any], display_id: str | None, update: bool
    ) -> None:
        """It shows nothing."""

    def clear(self, wait: bool) -> None:
        """It has nothing to clear."""

    async def ask(self, prompt: str, password: bool) -> str:
        """It asks nothing."""
        raise NotImplementedError


async def _one_plus_one() -> str:
    from llmspell_kernel.session.outcome import Succeeded
    from llmspell_kernel.session.session import Session

    session = Session(_settings()[0])
    try:
        await session.start()
        outcome: Outcome = await session.execute("1 + 1", _NoSurface(), "doctor")
    finally:
        await session.close()
    if not isinstance(outcome, Succeeded):
        raise SpellError(f"1 + 1 gave {outcome.problem.evalue}")
    text = str((outcome.bundle or {}).get("text/plain"))
    if text != "2":
        raise SpellError(f"1 + 1 gave {text}")
    return text


def _confinement() -> list[Finding]:
    from llmspell_kernel.engine.confine.probe import report

    return [
        Finding(State.OK, f"{layer.name}: {layer.detail}")
        if layer.status == "active"
        else Finding(State.LACKS, f"{layer.name}: {layer.status}, {layer.detail}", layer.fix)
        for layer in report().layers
    ]


def _kernelspec() -> list[Finding]:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec(KERNEL_NAME)
    except NoSuchKernel:
        return [Finding(State.FAILS, "Jupyter does not find the kernel", "llmspell install")]
    interpreter = spec.argv[0]
    if interpreter.startswith("python"):
        return [Finding(State.OK, f"{spec.resource_dir}, for the Jupyter of this environment")]
    if shutil.which(interpreter) is None:
        gone = f"{spec.resource_dir} starts {interpreter}, which is gone"
        return [Finding(State.FAILS, gone, f"llmspell install {place_flag(Path(spec.resource_dir))}")]
    if Path(interpreter) != Path(sys.executable):
        return [Finding(State.OK, f"{spec.resource_dir}, which starts {interpreter} (not this interpreter)")]
    return [Finding(State.OK, spec.resource_dir)]


def _front_end() -> list[Finding]:
    from importlib.metadata import version

    if find_spec("jupyterlab") is not None:
        return [Finding(State.OK, f"JupyterLab {version('jupyterlab')}")]
    other = "none in this environment; any Jupyter or VS Code that finds the kernelspec will do"
    return [Finding(State.LACKS, other, "pip install jupyterlab, or llmspell install for another one")]


def _local_model() -> list[Finding]:
    from llmspell_kernel.llm.weights import WeightStore
    from llmspell_kernel.session.models import weights_folder

    if find_spec("xllamacpp") is None:
        extra = "pip install 'llmspell-kernel[local]'"
        return [Finding(State.LACKS, "xllamacpp, which runs it, is not installed", extra)]
    try:
        weights = WeightStore(weights_folder()).find()
    except NotFound as missing:
        return [Finding(State.LACKS, str(missing), "llmspell models pull")]
    return [Finding(State.OK, f"{weights.name} ({weights.bytes / 1e6:,.0f} MB)")]


def _providers() -> list[Finding]:
    from llmspell_kernel.llm.catalogue import LOCAL
    from llmspell_kernel.llm.directory import Directory
    from llmspell_kernel.session.models import open_models

    models = open_models(_settings()[0])
    directory = Directory(models.preferences)
    keys = [name for name in directory.names if name != LOCAL and directory.key(name)]
    findings = [Finding(State.OK, f"a key is set for {', '.join(keys)}" if keys else "no key is set")]
    try:
        choice = asyncio.run(models.choose())
    except NotFound as nothing:
        return [*findings, Finding(State.LACKS, str(nothing), nothing.suggestion or "")]
    return [*findings, Finding(State.OK, f"where a spell names no model: {choice.sentence}")]


CHECKS = (
    Check("Kernelspec", _kernelspec),
    Check("Configuration", _configuration),
    Check("Engine", _engine),
    Check("Confinement", _confinement),
    Check("Local model", _local_model),
    Check("Providers", _providers),
    Check("Front end", _front_end),
)
