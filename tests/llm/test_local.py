"""The local model for real: its weights, its process, its ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from llmspell_kernel.errors import NotFound, ProviderError
from llmspell_kernel.llm.local import LocalModel
from llmspell_kernel.llm.local_process import LocalProcess, ServerOptions
from llmspell_kernel.llm.protocol import Finished, Message, Request, TextDelta
from llmspell_kernel.llm.weights import WeightStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmspell_kernel.llm.progress import Progress


def ask(prompt: str = "What is the capital of France?", **options: Any) -> Request:
    return Request(model="", messages=(Message(role="user", content=prompt),), **options)


@pytest.fixture
async def local(weights: WeightStore) -> AsyncIterator[LocalModel]:
    model = LocalModel(weights, environ=os.environ)
    yield model
    await model.aclose()
    await asyncio.sleep(0.01)
    assert not asyncio.all_tasks() - {asyncio.current_task()}
    assert model.pids == []


def gone(pid: int, seconds: float = 3.0) -> bool:
    """Whether the process has ended, or does so in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


async def test_it_answers_streams_follows_a_schema_and_ends(local: LocalModel) -> None:
    told: list[Progress] = []
    local._tell = told.append
    assert local.pids == []
    answer = await local.complete(ask("Write one sentence about the sea.", max_tokens=40))
    assert (answer.provider, answer.model) == ("local", "SmolLM2-135M-Instruct")
    assert len(answer.content) > 10
    assert answer.usage.completion_tokens > 3
    assert [re.sub(r"[0-9.]+ s", "N s", p.text) for p in told] == [
        "Starting the local model SmolLM2-135M-Instruct",
        "The local model SmolLM2-135M-Instruct is ready (N s)",
    ]
    (pid,) = local.pids
    async with aclosing(local.stream(ask("Say hello.", max_tokens=8))) as deltas:
        *pieces, last = [delta async for delta in deltas]
    assert isinstance(last, Finished)
    assert last.response.content == "".join(p.text for p in pieces if isinstance(p, TextDelta))
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "born": {"type": "integer"}},
        "required": ["name", "born"],
        "additionalProperties": False,
    }
    person = json.loads(
        (await local.complete(ask("Ada Lovelace, born 1815", schema=schema, max_tokens=60))).content
    )
    assert set(person) == {"name", "born"}
    assert isinstance(person["born"], int)
    assert local.pids == [pid]
    await local.aclose()
    assert gone(pid)


async def test_answers_are_written_side_by_side_and_cancelled_alone(local: LocalModel) -> None:
    await local.complete(ask("Hi", max_tokens=1))
    slow = asyncio.create_task(local.complete(ask("Count to one thousand.", max_tokens=1000)))
    quick = await local.complete(ask("Hi", max_tokens=3))
    assert quick.usage.completion_tokens <= 3
    assert not slow.done()
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    began = time.monotonic()
    await local.complete(ask("Hi", max_tokens=3))
    assert time.monotonic() - began < 3


async def test_a_crash_is_told_to_who_was_waiting_and_the_next_call_starts_anew(local: LocalModel) -> None:
    async def crash(deltas: Any) -> None:
        async for _ in deltas:
            os.kill(local.pids[0], signal.SIGSEGV)

    with pytest.raises(ProviderError) as caught:
        async with aclosing(local.stream(ask("Tell me a long story.", max_tokens=500))) as deltas:
            await crash(deltas)
    assert caught.value.code == "local_model_crashed"
    assert "signal 11" in caught.value.message
    assert caught.value.suggestion == "ask again: it is started anew"
    assert (await local.complete(ask("Hi", max_tokens=2))).provider == "local"


async def test_it_ends_when_nobody_asks_for_a_while(weights: WeightStore) -> None:
    model = LocalModel(weights, environ={}, options=ServerOptions(idle=0.2))
    await model.complete(ask("Hi", max_tokens=1))
    (pid,) = model.pids
    assert await asyncio.to_thread(gone, pid)
    assert model.pids == []
    await model.complete(ask("Hi", max_tokens=1))
    assert model.pids not in ([], [pid])
    await model.aclose()


def test_it_ends_with_the_kernel_even_when_that_is_killed(weights: WeightStore) -> None:
    program = f"""
import asyncio
from pathlib import Path
from llmspell_kernel.llm.local import LocalModel
from llmspell_kernel.llm.protocol import Message, Request
from llmspell_kernel.llm.weights import WeightStore

async def main():
    model = LocalModel(WeightStore(Path({str(weights.folder)!r})), environ={{}})
    await model.complete(Request(model="", messages=(Message(role="user", content="Hi"),), max_tokens=1))
    print(*model.pids, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as kernel:
        assert kernel.stdout is not None
        pid = int(kernel.stdout.readline())
        assert psutil.pid_exists(pid)
        kernel.kill()
    assert gone(pid)


async def test_the_child_carries_no_keys_and_the_kernel_no_weights(weights: WeightStore) -> None:
    model = LocalModel(weights, environ={"OPENAI_API_KEY": "sk-secret", "PATH": os.environ["PATH"]})
    await model.complete(ask("Hi", max_tokens=1))
    child = psutil.Process(*model.pids)
    assert set(child.environ()) <= {"PATH", "LC_CTYPE"}
    assert "sk-secret" not in " ".join(child.cmdline())
    mapped = {Path(entry.path).suffix for entry in psutil.Process().memory_maps()}
    assert ".gguf" not in mapped
    await model.aclose()


async def test_a_broken_file_says_so(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    model = LocalModel(WeightStore(tmp_path), environ={})
    with pytest.raises(ProviderError) as caught:
        await model.complete(ask())
    assert caught.value.code == "local_model_failed"
    assert str(broken) in (caught.value.suggestion or "")
    assert model.pids == []
    await model.aclose()


async def test_without_weights_it_says_how_to_get_them(tmp_path: Path) -> None:
    model = LocalModel(WeightStore(tmp_path), environ={})
    assert model.available() is None
    with pytest.raises(NotFound, match="not on this machine yet"):
        await model.complete(ask())


async def test_another_model_is_asked_beside_the_first_and_idle_ones_make_room(
    weights: WeightStore, tmp_path: Path
) -> None:
    store = WeightStore(tmp_path)
    for name in ("one", "two"):
        (tmp_path / f"{name}.gguf").symlink_to(weights.find().path)
    model = LocalModel(store, environ={})

    def named(name: str, tokens: int) -> Request:
        return Request(model=name, messages=ask("Tell me a story.").messages, max_tokens=tokens)

    slow = asyncio.create_task(model.complete(named("one", 150)))
    await asyncio.sleep(0)
    assert (await model.complete(named("two", 2))).model == "two"
    assert len(model.pids) == 2
    assert (await slow).model == "one"
    (tmp_path / "three.gguf").symlink_to(weights.find().path)
    await model.complete(named("three", 2))
    assert len(model.pids) == 1
    await model.aclose()


async def test_a_missing_package_says_what_to_install(tmp_path: Path) -> None:
    python = tmp_path / "python"
    reply = json.dumps({"error": "ModuleNotFoundError: No module named 'xllamacpp'"})
    python.write_text(f"#!{sys.executable}\nprint({reply!r})\n")
    python.chmod(0o755)
    process = LocalProcess("tiny", tmp_path / "tiny.gguf", ServerOptions(), environ={}, python=str(python))
    with pytest.raises(ProviderError) as caught:
        async with process.use():
            pass
    assert "llmspell-kernel[local]" in (caught.value.suggestion or "")
