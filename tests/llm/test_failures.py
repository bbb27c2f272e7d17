"""What a person is told when a provider fails."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from email.utils import formatdate
from typing import Any

import pytest

from llmspell_kernel.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    NotFound,
    ProviderError,
    RateLimited,
    SpellError,
    Timeout,
)
from llmspell_kernel.llm.catalogue import KNOWN, ProviderInfo
from llmspell_kernel.llm.openai_compatible import OpenAICompatible
from llmspell_kernel.llm.protocol import Finished, Message, Request, TextDelta

from .scripted_server import Reply, ScriptedServer, failure, text


def ask(prompt: str = "hi", **options: Any) -> Request:
    return Request(model="tiny-chat", messages=(Message(role="user", content=prompt),), **options)


async def read(
    provider: OpenAICompatible, request: Request, seen: list[str] | None = None, pause: float = 0
) -> list[str]:
    """Reads a stream's text into `seen`, pausing after each piece."""
    seen = [] if seen is None else seen
    async with aclosing(provider.stream(request)) as deltas:
        async for delta in deltas:
            if isinstance(delta, TextDelta):
                seen.append(delta.text)
                await asyncio.sleep(pause)
    return seen


async def fails(provider: OpenAICompatible, request: Request, *, stream: bool) -> SpellError:
    with pytest.raises(SpellError) as caught:
        await (read(provider, request) if stream else provider.complete(request))
    assert caught.value.provider == provider.name
    return caught.value


both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@both
async def test_a_refused_key_names_the_variable(server: ScriptedServer, stream: bool) -> None:
    server.key = "right"
    info = ProviderInfo(
        name="openai",
        title="OpenAI",
        base_url=server.base_url,
        key_variable="OPENAI_API_KEY",
        key_page="https://keys",
    )
    provider = OpenAICompatible(info, "wrong")
    error = await fails(provider, ask(), stream=stream)
    await provider.aclose()
    assert isinstance(error, AuthenticationFailed)
    assert error.suggestion == "set OPENAI_API_KEY to a valid key (from https://keys) and restart the kernel"
    assert "wrong" not in str(error)
    assert len(server.chats) == 1


async def test_a_missing_key_is_noticed_before_anything_is_sent() -> None:
    error = await fails(OpenAICompatible(KNOWN["anthropic"]), ask(), stream=False)
    assert isinstance(error, AuthenticationFailed)
    assert error.code == "no_key"
    assert "ANTHROPIC_API_KEY is not set" in error.message


@both
async def test_an_unknown_model_brings_the_nearest_names(
    server: ScriptedServer, provider: OpenAICompatible, stream: bool
) -> None:
    server.models = ("qwen3:4b", "llama3.2:3b", "qwen3:14b", "nomic-embed-text")
    server.script(failure(404, "model 'qwen3' not found"))
    request = Request(model="qwen3:4", messages=ask().messages)
    error = await fails(provider, request, stream=stream)
    assert isinstance(error, NotFound)
    assert "does not know the model 'qwen3:4'" in error.message
    assert error.details["nearest"] == ["qwen3:4b", "qwen3:14b"]
    assert error.suggestion == "nearest models there: 'qwen3:4b', 'qwen3:14b'"


@both
async def test_a_refused_connection_says_how_to_start_ollama(stream: bool) -> None:
    with ScriptedServer() as gone:
        port = gone.port
    info = ProviderInfo(
        name="ollama", title="Ollama", base_url=f"http://127.0.0.1:{port}/v1", start=KNOWN["ollama"].start
    )
    provider = OpenAICompatible(info)
    began = time.monotonic()
    error = await fails(provider, ask(), stream=stream)
    await provider.aclose()
    assert isinstance(error, ConnectionFailed)
    assert error.code == "connection_refused"
    assert "Ollama is not running" in error.message
    assert error.suggestion is not None
    assert "ollama serve" in error.suggestion
    assert time.monotonic() - began < 30


@both
async def test_a_rate_limit_waits_as_long_as_it_was_told_to(server: ScriptedServer, stream: bool) -> None:
    waits: list[tuple[float, str]] = []
    info = ProviderInfo(name="scripted", title="Scripted", base_url=server.base_url)
    provider = OpenAICompatible(info, on_wait=lambda seconds, reason: waits.append((seconds, reason)))
    server.script(failure(429, "one at a time", headers={"retry-after": "0.3"}), text("at last"))
    began = time.monotonic()
    if stream:
        assert await read(provider, ask()) == ["at last"]
    else:
        assert (await provider.complete(ask())).content == "at last"
    await provider.aclose()
    assert time.monotonic() - began >= 0.3
    assert waits == [(0.3, "Scripted asks to slow down: one at a time")]


@pytest.mark.parametrize(
    ("header", "value", "least", "most"),
    [
        ("retry-after", "0.2", 0.2, 0.2),
        ("retry-after-ms", "200", 0.2, 0.2),
        ("retry-after", "date", 0.5, 2.0),
        ("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT", 0.0, 0.0),
    ],
    ids=["seconds", "milliseconds", "a date", "a date that is over"],
)
async def test_the_wait_is_read_in_every_form(
    server: ScriptedServer, header: str, value: str, least: float, most: float
) -> None:
    if value == "date":
        value = formatdate(time.time() + 2, usegmt=True)
    waits: list[float] = []
    info = ProviderInfo(name="scripted", title="Scripted", base_url=server.base_url)
    provider = OpenAICompatible(info, on_wait=lambda seconds, _: waits.append(seconds), backoff=0.01)
    server.script(failure(429, "slow down", headers={header: value}), text("at last"))
    assert (await provider.complete(ask())).content == "at last"
    await provider.aclose()
    assert all(least <= wait <= most for wait in waits)
    assert len(server.chats) == 2


async def test_a_rate_limit_that_asks_for_too_long_is_told_at_once(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(failure(429, "come back tomorrow", headers={"retry-after": "3600"}))
    error = await fails(provider, ask(), stream=False)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 3600
    assert error.suggestion == "wait 3600 seconds and try again"
    assert len(server.chats) == 1


async def test_an_empty_account_is_no_rate_limit(server: ScriptedServer, provider: OpenAICompatible) -> None:
    server.script(failure(429, "You exceeded your current quota", code="insufficient_quota"))
    error = await fails(provider, ask(), stream=False)
    assert error.code == "no_credit"
    assert not error.retryable
    assert len(server.chats) == 1


@both
async def test_a_server_that_stumbles_is_asked_again(
    server: ScriptedServer, provider: OpenAICompatible, stream: bool
) -> None:
    server.script(failure(500, "oops"), failure(503, "busy"), text("fine"))
    if stream:
        assert await read(provider, ask()) == ["fine"]
    else:
        assert (await provider.complete(ask())).content == "fine"
    assert len(server.chats) == 3


async def test_a_server_that_stays_down_is_given_up(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(failure(500, "oops"))
    error = await fails(provider, ask(), stream=False)
    assert isinstance(error, ProviderError)
    assert error.message == "Scripted has a fault of its own: oops"
    assert error.retryable
    assert len(server.chats) == 3


@both
async def test_a_prompt_that_is_too_long_says_so(
    server: ScriptedServer, provider: OpenAICompatible, stream: bool
) -> None:
    server.script(
        failure(400, "This model's maximum context length is 8192 tokens", code="context_length_exceeded")
    )
    error = await fails(provider, ask(), stream=stream)
    assert error.code == "context_length"
    assert error.suggestion == "send less: shorten the prompt or the history"


@both
@pytest.mark.parametrize(
    "reply",
    [
        Reply(raw=b"<html>Welcome to nginx</html>", content_type="text/html"),
        Reply(raw=b'{"choices": []}'),
        Reply(raw=b'{"surprise": true}'),
        Reply(raw=b'{"choices": [{"message"'),
        Reply(raw=b""),
        Reply(raw=b"[1, 2, 3]"),
    ],
    ids=["html", "no choices", "other json", "broken json", "empty", "a list"],
)
async def test_an_answer_that_is_none_is_said_to_be_unreadable(
    server: ScriptedServer, provider: OpenAICompatible, reply: Reply, stream: bool
) -> None:
    server.script(reply)
    error = await fails(provider, ask(), stream=stream)
    assert isinstance(error, ProviderError)
    assert error.code == "unreadable_answer", error.message
    assert server.base_url in (error.suggestion or "")


@pytest.mark.parametrize(
    "raw",
    [
        b"data: {not json}\n\n",
        b'data: {"choices": [{"delta": {"content": "half',
        b"data: [DONE]\n\n",
        b": ping\n\n",
    ],
    ids=["garbage", "truncated", "nothing but the end", "comments only"],
)
async def test_a_malformed_stream_is_said_to_be_unreadable(
    server: ScriptedServer, provider: OpenAICompatible, raw: bytes
) -> None:
    server.script(Reply(raw=raw, content_type="text/event-stream"))
    error = await fails(provider, ask(), stream=True)
    assert error.code in ("unreadable_answer", "connection_cut"), error.message


async def test_an_error_inside_a_stream_is_told_as_what_it_is(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    error_event = b'{"error": {"message": "the model is overloaded", "code": "overloaded"}}'
    raw = b"data: " + error_event + b"\n\n"
    server.script(Reply(raw=raw, content_type="text/event-stream"))
    error = await fails(provider, ask(), stream=True)
    assert "the model is overloaded" in error.message
    assert error.retryable


async def test_a_stream_that_is_cut_keeps_what_came_and_then_fails(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(text("one ", "two ", "three", cut_after=2))
    seen: list[str] = []
    with pytest.raises(ConnectionFailed) as caught:
        await read(provider, ask(), seen)
    assert seen == ["one ", "two "]
    assert caught.value.code == "connection_cut"
    assert caught.value.retryable
    assert len(server.chats) == 1


async def test_a_whole_answer_that_is_cut_is_asked_for_again(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(text("lost", cut_after=0), text("found"))
    assert (await provider.complete(ask())).content == "found"


@both
async def test_a_slow_model_runs_into_the_time_allowed(
    server: ScriptedServer, provider: OpenAICompatible, stream: bool
) -> None:
    server.script(text("too late", hang_after=0))
    error = await fails(provider, ask(timeout=0.3), stream=stream)
    assert isinstance(error, Timeout)
    assert "`timeout`" in (error.suggestion or "")


async def test_a_stream_that_falls_silent_runs_into_the_time_allowed(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(text("one", "two", hang_after=1))
    error = await fails(provider, ask(timeout=0.3), stream=True)
    assert isinstance(error, Timeout)


@both
async def test_cancelling_leaves_neither_task_nor_socket(
    server: ScriptedServer, provider: OpenAICompatible, stream: bool
) -> None:
    server.script(text("never", hang_after=0))
    task = asyncio.create_task(read(provider, ask()) if stream else provider.complete(ask()))
    assert await asyncio.to_thread(server.wait_for_chats)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 30)
    assert await asyncio.to_thread(server.wait_until_idle)


async def test_cancelling_while_waiting_for_a_rate_limit(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(failure(429, "later", headers={"retry-after": "30"}))
    task = asyncio.create_task(provider.complete(ask()))
    assert await asyncio.to_thread(server.wait_for_chats)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_closing_a_stream_early_closes_its_connection(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(text("one", "two", "three", hang_after=2))
    async with aclosing(provider.stream(ask())) as deltas:
        async for delta in deltas:
            assert delta == TextDelta(text="one")
            break
    assert await asyncio.to_thread(server.wait_until_idle)


async def test_a_time_limit_never_cancels_whoever_reads_the_stream(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(text("one", "two"))
    seen: list[str] = []
    with pytest.raises(Timeout):
        await read(provider, ask(timeout=0.2), seen, pause=0.3)
    assert seen == ["one"]


async def test_errors_carry_no_foreign_names(server: ScriptedServer, provider: OpenAICompatible) -> None:
    for reply in (failure(500, "x"), Reply(raw=b"?"), failure(422, "bad"), Reply(status=418, error="teapot")):
        server.script(reply)
        error = await fails(provider, ask(), stream=False)
        for word in ("pydantic", "httpx", "openai.", "Traceback", "/site-packages/"):
            assert word not in f"{error.message} {error.suggestion}"


async def test_a_stream_ends_with_the_whole_answer(
    server: ScriptedServer, provider: OpenAICompatible
) -> None:
    server.script(text("Hello ", "there"))
    async with aclosing(provider.stream(ask())) as deltas:
        *_, last = [delta async for delta in deltas]
    server.script(text("Hello ", "there"))
    assert isinstance(last, Finished)
    assert last.response == await provider.complete(ask())


async def test_a_key_that_a_server_repeats_is_taken_out(server: ScriptedServer) -> None:
    provider = OpenAICompatible(
        ProviderInfo(name="x", title="X", base_url=server.base_url), "my-own-secret-key"
    )
    server.script(failure(401, "the key my-own-secret-key is wrong"))
    error = await fails(provider, ask(), stream=False)
    await provider.aclose()
    assert error.message == str(error) == "X refused the key: the key [key] is wrong"
