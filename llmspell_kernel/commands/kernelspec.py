"""``llmspell install`` and ``llmspell uninstall``: the kernelspec in other places than pip's own.

Jupyter puts its own interpreter in the place of a kernelspec's ``python``. That is right for the one that pip
lays beside this package, and wrong in every other place: those get the absolute path of this interpreter.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from llmspell_kernel.commands.command import Command
from llmspell_kernel.errors import SpellError

if TYPE_CHECKING:
    import argparse

KERNEL_NAME = "llmspell-lua"


def resources() -> Path:
    """Return the folder of ``kernel.json`` and the logos: in the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "kernelspec"
    return installed if installed.is_dir() else package.parent / "kernelspec"


def _add_place(parser: argparse.ArgumentParser) -> None:
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--user", action="store_true", help="for your user, in every Jupyter (the default)")
    place.add_argument("--prefix", metavar="P", type=Path, help="under P/share/jupyter")
    place.add_argument("--sys-prefix", action="store_true", help="in this Python environment")


def _prefix(arguments: argparse.Namespace) -> Path | None:
    """The prefix that was asked for; None is the user's own folder."""
    prefix: Path | None = Path(sys.prefix) if arguments.sys_prefix else arguments.prefix
    return prefix and prefix.expanduser().absolute()


def _install(arguments: argparse.Namespace) -> int:
    from jupyter_client.kernelspec import KernelSpecManager

    prefix = _prefix(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / KERNEL_NAME
        shutil.copytree(resources(), source)
        _write_interpreter(source / "kernel.json")
        try:
            destination = KernelSpecManager().install_kernel_spec(
                str(source), KERNEL_NAME, user=prefix is None, prefix=str(prefix) if prefix else None
            )
        except OSError as error:
            raise SpellError(
                f"cannot write the kernelspec: {error}",
                suggestion="without rights to that place, use: llmspell install --user",
            ) from error
    print(f"Installed: 'LLMSpell Lua' can be selected in Jupyter ({destination})")
    return 0


def _write_interpreter(kernel_json: Path) -> None:
    spec = json.loads(kernel_json.read_text("utf-8"))
    spec["argv"][0] = sys.executable
    kernel_json.write_text(json.dumps(spec, indent=2) + "\n", "utf-8")


def _uninstall(arguments: argparse.Namespace) -> int:
    from jupyter_core.paths import jupyter_data_dir

    prefix = _prefix(arguments)
    data = Path(jupyter_data_dir()) if prefix is None else prefix / "share" / "jupyter"
    folder = data / "kernels" / KERNEL_NAME
    if not folder.is_dir():
        raise SpellError(f"there is no kernelspec in {folder}", suggestion=_elsewhere())
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise SpellError(f"cannot remove the kernelspec: {error}") from error
    print(f"Removed: {folder}")
    return 0


def _elsewhere() -> str | None:
    """Where Jupyter finds the kernel, and how to remove that."""
    from jupyter_client.kernelspec import KernelSpecManager

    found = KernelSpecManager().find_kernel_specs().get(KERNEL_NAME)
    return found and f"it is in {found}; to remove that: llmspell uninstall {place_flag(Path(found))}"


def place_flag(folder: Path) -> str:
    """Return the flag under which `install` and `uninstall` mean the kernelspec in `folder`."""
    from jupyter_core.paths import jupyter_data_dir

    if folder.is_relative_to(jupyter_data_dir()):
        return "--user"
    if folder.is_relative_to(sys.prefix):
        return "--sys-prefix"
    return f"--prefix {folder.parents[3]}"


INSTALL = Command("install", "make the kernel selectable in Jupyter", _install, _add_place)
UNINSTALL = Command("uninstall", "take the kernelspec away again", _uninstall, _add_place)
