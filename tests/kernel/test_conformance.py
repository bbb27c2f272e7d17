"""The Jupyter messaging specification, as jupyter_kernel_test checks it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import jupyter_kernel_test
from jupyter_client.kernelspec import KernelSpecManager

SPEC = Path(__file__).parents[2] / "kernelspec"


class TestConformance(jupyter_kernel_test.KernelTests):
    kernel_name = "llmspell-lua"
    language_name = "lua"
    file_extension = ".lua"
    code_hello_world = "print('hello, world')"
    code_stderr = "io.stderr:write('oops\\n')"
    completion_samples: ClassVar[list[dict[str, Any]]] = [
        {"text": "string.for", "matches": {"format"}},
        {"text": "pri", "matches": {"print"}},
        {"text": "zi", "matches": set()},
    ]
    complete_code_samples: ClassVar[list[str]] = [
        "1",
        "print('x')",
        "x = {\n  1\n}",
        "function f() return 1 end",
        "%lsmagic",
    ]
    incomplete_code_samples: ClassVar[list[str]] = [
        "function f()",
        "for i = 1, 3 do",
        "x = {",
        "s = [[two",
        "x =",
    ]
    invalid_code_samples: ClassVar[list[str]] = ["end", "x = = 1", "for = 3"]
    code_page_something = "string.format?"
    code_generate_error = "error('on purpose')"
    code_execute_result: ClassVar[list[dict[str, str]]] = [
        {"code": "6 * 7", "result": "42"},
        {"code": "'a' .. 'b'", "result": '"ab"'},
        {"code": "return 1, 2", "result": "1\t2"},
    ]
    code_display_data: ClassVar[list[dict[str, str]]] = [
        {"code": "display{['text/html'] = '<b>x</b>', ['text/plain'] = 'x'}", "mime": "text/html"},
        {"code": "display{['image/png'] = 'abc'}", "mime": "image/png"},
    ]
    code_history_pattern = "6 ? 7"
    supported_history_operations: ClassVar[tuple[str, ...]] = ("tail", "range", "search")
    code_inspect_sample = "string.format"
    code_clear_output = "clear_output()"

    @classmethod
    def setUpClass(cls) -> None:
        cls._folder = tempfile.TemporaryDirectory()
        cls._before = dict(os.environ)
        os.environ["JUPYTER_PATH"] = f"{cls._folder.name}/share/jupyter"
        for name in ("JUPYTER_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
            os.environ[name] = f"{cls._folder.name}/{name.lower()}"
        KernelSpecManager().install_kernel_spec(str(SPEC), "llmspell-lua", prefix=cls._folder.name)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls) -> None:
        super().tearDownClass()
        os.environ.clear()
        os.environ.update(cls._before)
        cls._folder.cleanup()
