"""Which model answers, and what is said about it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from llmspell_kernel.errors import NotFound
from llmspell_kernel.llm.choose import Choice, Chooser, Origin
from llmspell_kernel.llm.directory import Configured, Directory, Preferences, ollama_url
from llmspell_kernel.llm.discovery import Found, discover

from .scripted_server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Sequence

OLLAMA = Found(
    provider="ollama",
    base_url="http://127.0.0.1:11434/v1",
    model="qwen3:4b",
    models=("qwen3:4b", "llama3.2:3b"),
)


class Finder:
    """Finds `found`, and counts how often it was asked."""

    def __init__(self, found: Found | None = None) -> None:
        self.found = found
        self.looked = 0

    async def __call__(self, where: Sequence[tuple[str, str]]) -> Found | None:
        self.looked += 1
        return self.found


def chooser(*, find: Finder | None = None, local: str | None = None, **preferences: Any) -> Chooser:
    wanted = Preferences(**preferences)
    return Chooser(wanted, Directory(wanted), lambda: local, find or Finder())


async def test_the_configured_model_comes_first() -> None:
    chosen = await chooser(
        model="openai:gpt-6-luna",
        find=Finder(OLLAMA),
        local="SmolLM2",
        environ={"OPENAI_BASE_URL": "http://x/v1"},
    ).choose()
    assert (chosen.full_name, chosen.origin) == ("openai:gpt-6-luna", Origin.CONFIG)


async def test_then_the_base_url() -> None:
    chosen = await chooser(
        find=Finder(OLLAMA), local="SmolLM2", environ={"OPENAI_BASE_URL": "http://box:9000/v1/"}
    ).choose()
    assert (chosen.provider, chosen.base_url) == ("openai", "http://box:9000/v1")
    assert chosen.sentence == "Model: the first one at http://box:9000/v1, because OPENAI_BASE_URL is set."


async def test_then_a_server_on_this_machine_looked_for_once() -> None:
    find = Finder(OLLAMA)
    choosing = chooser(find=find, local="SmolLM2")
    assert await choosing.choose() == await choosing.choose()
    assert find.looked == 1
    chosen = await choosing.choose()
    assert chosen.full_name == "ollama:qwen3:4b"
    assert (
        "from Ollama on this machine (http://127.0.0.1:11434/v1), because none is configured"
        in chosen.sentence
    )


async def test_then_the_local_model() -> None:
    chosen = await chooser(local="SmolLM2").choose()
    assert chosen.full_name == "local:SmolLM2"
    assert "often wrong" in chosen.sentence


async def test_else_three_ways_out() -> None:
    with pytest.raises(NotFound) as caught:
        await chooser().choose()
    assert caught.value.code == "no_model"
    assert (caught.value.suggestion or "").count("\n") == 3


async def test_a_key_alone_decides_nothing() -> None:
    environ = {"OPENAI_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-2"}
    assert (await chooser(environ=environ, local="SmolLM2").choose()).provider == "local"
    with pytest.raises(NotFound):
        await chooser(environ=environ).choose()


async def test_searching_can_be_switched_off() -> None:
    find = Finder(OLLAMA)
    assert (await chooser(find=find, local="SmolLM2", search=False).choose()).provider == "local"
    assert find.looked == 0


@pytest.mark.parametrize(
    ("model", "provider", "expected"),
    [
        ("openai:gpt-6", "", "openai:gpt-6"),
        ("openai/gpt-6", "", "openai:gpt-6"),
        ("gpt-6-luna", "", "openai:gpt-6-luna"),
        ("claude-haiku-5-5", "", "anthropic:claude-haiku-5-5"),
        ("claude-haiku-5-5", "anthropic", "anthropic:claude-haiku-5-5"),
        ("openai:gpt-6", "openai", "openai:gpt-6"),
        ("", "anthropic", "anthropic:claude-haiku-5-5"),
        ("openai", "", "openai:gpt-6-luna"),
        ("llama3.2:3b", "", "ollama:llama3.2:3b"),
        ("unheard-of", "", "ollama:unheard-of"),
        ("ollama/qwen3:4b", "", "ollama:qwen3:4b"),
        ("", "Ollama", "ollama:qwen3:4b"),
        ("openrouter/qwen/qwen3", "", "openrouter:qwen/qwen3"),
        ("qwen/qwen3", "openrouter", "openrouter:qwen/qwen3"),
        ("openai/gpt-6", "openrouter", "openrouter:openai/gpt-6"),
        ("gemini:gemini-4", "", "google:gemini-4"),
        ("local", "", "local:SmolLM2"),
        ("SmolLM2", "", "local:SmolLM2"),
        ("candle/tiny", "", "local:tiny"),
    ],
)
async def test_names(model: str, provider: str, expected: str) -> None:
    chosen = await chooser(find=Finder(OLLAMA), local="SmolLM2").choose(model, provider)
    assert chosen.full_name == expected
    assert chosen.origin is Origin.CALL


async def test_a_bare_name_goes_to_the_configured_provider() -> None:
    choosing = chooser(provider="openrouter", model="qwen/qwen3", find=Finder(OLLAMA))
    assert (await choosing.choose("openai/gpt-6")).full_name == "openrouter:openai/gpt-6"
    assert (await choosing.choose("openai:gpt-6")).full_name == "openai:gpt-6"
    assert (await choosing.choose("mistral-7b")).full_name == "openrouter:mistral-7b"
    assert (await choosing.choose(provider="openrouter")).full_name == "openrouter:qwen/qwen3"


async def test_a_bare_name_goes_to_the_base_url() -> None:
    choosing = chooser(environ={"OPENAI_BASE_URL": "http://box/v1"}, find=Finder(OLLAMA))
    chosen = await choosing.choose("qwen3:4b")
    assert (chosen.provider, chosen.model, chosen.base_url) == ("openai", "qwen3:4b", "http://box/v1")


async def test_a_provider_of_the_configuration() -> None:
    mine = Configured(base_url="https://llm.example/v1/", key_variable="MY_KEY", model="big")
    choosing = chooser(provider="mine", providers={"mine": mine}, environ={"MY_KEY": "k"})
    chosen = await choosing.choose()
    assert (chosen.full_name, chosen.base_url) == ("mine:big", "https://llm.example/v1")
    assert (await choosing.choose("mine/other")).full_name == "mine:other"


async def test_another_address_has_no_default_model_of_ours() -> None:
    proxy = Configured(base_url="https://proxy.example/v1")
    assert (await chooser(providers={"openai": proxy}).choose("openai")).model == ""


@pytest.mark.parametrize(
    ("provider", "model", "suggestion"),
    [("opnai", "", "did you mean 'openai'?"), ("", "opnai:gpt-6x", "did you mean 'openai:gpt-6x'?")],
)
async def test_a_misspelt_provider_brings_the_nearest(provider: str, model: str, suggestion: str) -> None:
    with pytest.raises(NotFound) as caught:
        await chooser().choose(model, provider)
    assert (caught.value.suggestion or "").startswith(suggestion)


async def test_the_local_provider_without_weights_says_how_to_get_them() -> None:
    with pytest.raises(NotFound, match="not on this machine yet") as caught:
        await chooser().choose("local")
    assert "llmspell models pull" in (caught.value.suggestion or "")


def test_a_choice_by_the_call_names_itself() -> None:
    choice = Choice(provider="openai", title="OpenAI", model="m", base_url="u", origin=Origin.CALL)
    assert choice.sentence == "Model: openai:m, chosen by the call."


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000/v1"),
        ("box", "http://box:11434/v1"),
        ("http://box:1/", "http://box:1/v1"),
        ("https://box", "https://box:443/v1"),
        ("[::1]:5", "http://[::1]:5/v1"),
        (":9", "http://127.0.0.1:9/v1"),
    ],
)
def test_ollama_host(host: str, url: str) -> None:
    assert ollama_url(host) == url


async def test_discovery_takes_the_first_in_order_that_can_chat() -> None:
    with (
        ScriptedServer(models=("nomic-embed-text",)) as first,
        ScriptedServer(models=("bge-m3", "b", "c")) as second,
    ):
        found = await discover([("ollama", first.base_url), ("lmstudio", second.base_url)])
        assert found == Found(
            provider="lmstudio", base_url=second.base_url, model="b", models=("bge-m3", "b", "c")
        )


async def test_discovery_is_over_quickly_whatever_is_there() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def rude(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        writer.close()

    async def web(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n<html>a developer's web server</html>")
        writer.close()

    servers = [await asyncio.start_server(answer, "127.0.0.1", 0) for answer in (silent, rude, web)]
    places = [("x", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1") for server in servers]
    async with asyncio.timeout(30):
        assert await discover([*places, ("gone", "http://127.0.0.1:9/v1")]) is None
    for server in servers:
        server.close()
        await server.wait_closed()
    await asyncio.sleep(0.05)


async def test_discovery_of_nothing_finds_nothing() -> None:
    assert (
        await discover([("ollama", "http://127.0.0.1:9/v1"), ("lmstudio", "http://127.0.0.1:10/v1")]) is None
    )
