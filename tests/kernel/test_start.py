"""What the kernel does before it answers its first request."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "llmspell_kernel.session.session",
    "llmspell_kernel.bridges",
    "llmspell_kernel.llm",
    "sqlite3",
    "psutil",
)


def test_the_session_and_its_bridges_are_imported_after_the_first_answer() -> None:
    code = (
        "import sys; import llmspell_kernel.kernel.launch, llmspell_kernel.kernel.app; "
        f"print([name for name in {HEAVY!r} if name in sys.modules and name not in before])"
    )
    code = "import sys, ipykernel.kernelapp; before = set(sys.modules); " + code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
