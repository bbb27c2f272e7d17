"""Run a command and show only that it lives: ``python .ci/quietly.py LABEL COMMAND…``.

On a terminal, one line that changes: the label, the seconds and the command's last words. Elsewhere a line
every ten seconds. When the command fails, everything that it said. Needs nothing but Python.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time

LOG_EVERY = 10.0
LOG_WIDTH = 90
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Line:
    """The one line that tells how it goes."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._began = self._logged = time.monotonic()
        self._terminal = sys.stdout.isatty()
        self.last = ""

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._began

    def turn(self, count: int) -> None:
        """Show the present state."""
        text = f"{self._label}, {self.seconds:.0f} s  {self.last}"
        if self._terminal:
            width = shutil.get_terminal_size().columns - 9
            sys.stdout.write(f"\r\x1b[2K      {SPINNER[count % len(SPINNER)]} {text[:width]}")
        elif time.monotonic() - self._logged >= LOG_EVERY:
            self._logged = time.monotonic()
            sys.stdout.write(f"      {text[:LOG_WIDTH]}\n")
        sys.stdout.flush()

    def end(self, word: str) -> None:
        """Leave the line, with how it ended."""
        start = "\r\x1b[2K" if self._terminal else ""
        print(f"{start}      {self._label}: {word} ({self.seconds:.0f} s)", flush=True)


def main(label: str, command: list[str]) -> int:
    """Run `command`; return its exit code."""
    said: list[str] = []
    line = Line(label)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        reader = threading.Thread(target=_read, args=(process, said, line))
        reader.start()
        count = 0
        while reader.is_alive():
            line.turn(count)
            count += 1
            reader.join(0.1)
    if process.returncode:
        line.end("failed; this is what it said")
        sys.stdout.write("".join(said))
        return process.returncode if process.returncode > 0 else 1
    line.end("done")
    return 0


def _read(process: subprocess.Popen[str], said: list[str], line: Line) -> None:
    assert process.stdout is not None
    for text in process.stdout:
        said.append(text)
        line.last = " ".join(text.split()) or line.last


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], sys.argv[2:]))
    except KeyboardInterrupt:
        print("\nstopped")
        sys.exit(130)
