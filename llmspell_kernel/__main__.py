"""Start the kernel: ``python -m llmspell_kernel -f connection.json``.

The engine process is started first, so that it comes up beside the kernel's own imports.
"""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Start the engine process, then the kernel on top of it."""
    gc.disable()  # the kernel collects once it has started: what imports make is there to stay
    # a notebook's folder must not be able to replace the modules that the kernel imports
    here = os.getcwd()
    sys.path[:] = [entry for entry in sys.path if entry not in ("", here)]

    from llmspell_kernel.kernel.launch import early_engine

    engine = early_engine()

    from llmspell_kernel.kernel.app import LLMSpellApp

    LLMSpellApp.engine = engine
    LLMSpellApp.launch_instance()


if __name__ == "__main__":
    main()
