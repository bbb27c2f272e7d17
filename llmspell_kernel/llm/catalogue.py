"""The providers that we know by name, and what a model's name tells."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

LOCAL = "local"
"""The provider name of the model that runs on this machine out of a file of ours."""


INSTALL_LOCAL = "run `pip install 'llmspell-kernel[local]'` in the kernel's environment"
"""What to do where the packages for models on this machine are missing."""


class ProviderInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A service or server with an OpenAI-compatible API."""

    name: str
    title: str
    """As its makers write it."""
    base_url: str
    key_variable: str = ""
    """Environment variable that holds the key; empty where none is needed."""
    key_page: str = ""
    """Where a person gets a key."""
    default_model: str = ""
    """The cheapest sensible model, for somebody who names only the provider."""
    families: tuple[str, ...] = ()
    """How the names of its own models begin."""
    gateway: bool = False
    """Its own model names contain slashes, such as ``qwen/qwen3``."""
    start: str = ""
    """How to start it, for a server on this machine."""

    @property
    def shown(self) -> str:
        """Its title, with its address where that is not the usual one."""
        usual = KNOWN.get(self.name)
        return (
            self.title
            if usual is None or usual.base_url == self.base_url
            else f"{self.title} at {self.base_url}"
        )


KNOWN: dict[str, ProviderInfo] = {
    provider.name: provider
    for provider in (
        ProviderInfo(
            name="openai",
            title="OpenAI",
            base_url="https://api.openai.com/v1",
            key_variable="OPENAI_API_KEY",
            key_page="https://platform.openai.com/api-keys",
            default_model="gpt-6-luna",
            families=("gpt-", "o1", "o3", "o4", "chatgpt-"),
        ),
        ProviderInfo(
            name="anthropic",
            title="Anthropic",
            base_url="https://api.anthropic.com/v1",
            key_variable="ANTHROPIC_API_KEY",
            key_page="https://console.anthropic.com/settings/keys",
            default_model="claude-haiku-5-5",
            families=("claude-",),
        ),
        ProviderInfo(
            name="google",
            title="Google Gemini",
            base_url="https://generativelanguage.googleapis.com/v1beta/openai",
            key_variable="GEMINI_API_KEY",
            key_page="https://aistudio.google.com/apikey",
            default_model="gemini-3.5-flash-lite",
            families=("gemini-",),
        ),
        ProviderInfo(
            name="mistral",
            title="Mistral",
            base_url="https://api.mistral.ai/v1",
            key_variable="MISTRAL_API_KEY",
            key_page="https://console.mistral.ai/api-keys",
            default_model="mistral-small-latest",
            families=("mistral-", "magistral-", "codestral-", "ministral-"),
        ),
        ProviderInfo(
            name="groq",
            title="Groq",
            base_url="https://api.groq.com/openai/v1",
            key_variable="GROQ_API_KEY",
            key_page="https://console.groq.com/keys",
            default_model="openai/gpt-oss-20b",
            gateway=True,
        ),
        ProviderInfo(
            name="deepseek",
            title="DeepSeek",
            base_url="https://api.deepseek.com",
            key_variable="DEEPSEEK_API_KEY",
            key_page="https://platform.deepseek.com/api_keys",
            default_model="deepseek-flash",
            families=("deepseek-",),
        ),
        ProviderInfo(
            name="xai",
            title="xAI",
            base_url="https://api.x.ai/v1",
            key_variable="XAI_API_KEY",
            key_page="https://console.x.ai",
            default_model="grok-4-1-fast-non-reasoning",
            families=("grok-",),
        ),
        ProviderInfo(
            name="openrouter",
            title="OpenRouter",
            base_url="https://openrouter.ai/api/v1",
            key_variable="OPENROUTER_API_KEY",
            key_page="https://openrouter.ai/keys",
            gateway=True,
        ),
        ProviderInfo(
            name="together",
            title="Together",
            base_url="https://api.together.xyz/v1",
            key_variable="TOGETHER_API_KEY",
            key_page="https://api.together.ai/settings/api-keys",
            gateway=True,
        ),
        ProviderInfo(
            name="ollama",
            title="Ollama",
            base_url="http://127.0.0.1:11434/v1",
            gateway=True,
            start="start it with `ollama serve` (from https://ollama.com), then `ollama pull qwen3:4b`",
        ),
        ProviderInfo(
            name="lmstudio",
            title="LM Studio",
            base_url="http://127.0.0.1:1234/v1",
            gateway=True,
            start="open LM Studio and switch its server on (Developer tab), or run `lms server start`",
        ),
        ProviderInfo(
            name="llama-server",
            title="llama-server",
            base_url="http://127.0.0.1:8080/v1",
            gateway=True,
            start="start it with `llama-server -m MODEL.gguf --port 8080`",
        ),
    )
}

ALIASES = {
    "gemini": "google",
    "google-gla": "google",
    "lm-studio": "lmstudio",
    "lm_studio": "lmstudio",
    "llamacpp": "llama-server",
    "llama.cpp": "llama-server",
    "llama_server": "llama-server",
    "x-ai": "xai",
    "candle": LOCAL,
    "builtin": LOCAL,
}
"""Other spellings; ``candle`` is what older spells call a model in their own process."""


def nearest(name: str, candidates: Collection[str], count: int = 3) -> list[str]:
    """The candidates that look most like `name`, best first."""
    inside = [known for known in candidates if name and name.lower() in known.lower()]
    alike = get_close_matches(name, list(candidates), n=count, cutoff=0.5)
    return list(dict.fromkeys([*alike, *inside]))[:count]


def maker(model: str) -> str | None:
    """The provider whose models are named like `model`."""
    return next((known.name for known in KNOWN.values() if model.startswith(known.families or ("\0",))), None)


_EMBEDDING_WORDS = ("embed", "bge-", "bge:", "minilm", "e5-", "gte-", "rerank")


def is_embedding_model(name: str) -> bool:
    """Whether a model's name says that it makes vectors and cannot chat."""
    return any(word in name.lower() for word in _EMBEDDING_WORDS)


def first_chat_model(names: Sequence[str]) -> str | None:
    """The first of `names` that can chat."""
    return next((name for name in names if not is_embedding_model(name)), None)
