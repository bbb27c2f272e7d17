"""Record and replay."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell_kernel.errors import ConfigError, SpellError
from llmspell_kernel.llm.cassette import Cassette, Entry, to_yaml
from llmspell_kernel.llm.protocol import (
    Delta,
    Finished,
    ImagePart,
    Message,
    ReasoningDelta,
    Request,
    Response,
    TextDelta,
    TextPart,
    ToolCallDelta,
)
from llmspell_kernel.llm.recorded import play, written
from llmspell_kernel.llm.recording import Mode, Recorder
from llmspell_kernel.llm.testing import calls, question, read_all, scripted_models

if TYPE_CHECKING:
    from pathlib import Path


def recorder(path: Path, mode: Mode = "auto", **options: Any) -> Recorder:
    return Recorder(mode, Cassette(path), **options)


def read(path: Path) -> str:
    return path.read_text()


def write(path: Path, text: str) -> None:
    path.write_text(text)


def names_beside(path: Path) -> list[str]:
    return [file.name for file in path.parent.iterdir()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notebook.cassette.yaml"


async def test_what_was_recorded_is_replayed_exactly_and_nobody_is_asked(path: Path) -> None:
    models, provider = scripted_models("It is Paris.\n\nReally.", recorder=recorder(path))
    live = await models.complete(question("Capital?"))
    streamed = await read_all(models.stream(question("And now?")))
    assert len(provider.requests) == 2

    again, silent = scripted_models(AssertionError("asked"), recorder=recorder(path, "replay"))
    replayed = await again.complete(question("Capital?"))
    assert (replayed.content, replayed.usage, replayed.model) == (live.content, live.usage, live.model)
    assert replayed.recorded
    *pieces, last = await read_all(again.stream(question("And now?")))
    assert pieces == streamed[:-1]
    assert isinstance(last, Finished)
    assert last.response.content == "It is Paris.\n\nReally."
    assert silent.requests == []
    total = again.ledger.total()
    assert (total.calls, total.recorded, total.usage.total_tokens) == (2, 2, 0)
    assert again.meter.spent == 0


async def test_the_file_can_be_read_by_a_person(path: Path) -> None:
    models, _ = scripted_models("Line one.\nLine two.", recorder=recorder(path))
    await models.complete(question("Write two lines.\nPlease.", temperature=0.5))
    text = read(path)
    assert text.startswith("# What models and tools answered")
    assert "    - role: user\n      content: |-\n        Write two lines.\n        Please.\n" in text
    assert "    content: |-\n      Line one.\n      Line two.\n" in text
    assert "temperature: 0.5" in text


async def test_a_whole_answer_can_be_replayed_as_a_stream_and_the_other_way_round(path: Path) -> None:
    models, _ = scripted_models("one two", recorder=recorder(path))
    await models.complete(question("a"))
    await read_all(models.stream(question("b")))
    again, _ = scripted_models(AssertionError("asked"), recorder=recorder(path, "replay"))
    *pieces, _last = await read_all(again.stream(question("a")))
    assert pieces == [TextDelta(text="one two")]
    assert (await again.complete(question("b"))).content == "one two"


async def test_a_changed_question_is_an_error_with_a_diff(path: Path) -> None:
    models, _ = scripted_models("x", recorder=recorder(path))
    await models.complete(question("What is the capital of France?", temperature=0.2))
    await models.complete(question("Something else entirely"))
    again, _ = scripted_models(AssertionError("asked"), recorder=recorder(path, "replay"))
    with pytest.raises(SpellError) as caught:
        await again.complete(question("What is the capital of Italy?", temperature=0.2))
    assert caught.value.code == "not_recorded"
    assert not caught.value.returned_in_lua
    assert "-  content: What is the capital of France?" in caught.value.message
    assert "+  content: What is the capital of Italy?" in caught.value.message
    assert "record = auto" in (caught.value.suggestion or "")


async def test_replay_without_a_cassette_says_so(path: Path) -> None:
    models, _ = scripted_models("x", recorder=recorder(path, "replay"))
    with pytest.raises(SpellError, match=r"notebook\.cassette\.yaml holds no recorded chat answers"):
        await models.complete(question("hi"))


async def test_auto_asks_only_what_is_new(path: Path) -> None:
    first, one = scripted_models("old", recorder=recorder(path))
    await first.complete(question("a"))
    second, two = scripted_models("new", recorder=recorder(path))
    assert (await second.complete(question("a"))).content == "old"
    assert (await second.complete(question("b"))).content == "new"
    assert (len(one.requests), len(two.requests)) == (1, 1)


async def test_record_replaces_what_was_there(path: Path) -> None:
    models, _ = scripted_models("old", recorder=recorder(path))
    await models.complete(question("a"))
    await models.complete(question("a"))
    newer, _ = scripted_models("new", recorder=recorder(path, "record"))
    await newer.complete(question("a"))
    assert [entry.answered["content"] for entry in await Cassette(path).entries()] == ["new"]


async def test_off_neither_reads_nor_writes(path: Path) -> None:
    write(path, "{broken")
    models, _ = scripted_models("x", recorder=recorder(path, "off"))
    await models.complete(question("a"))
    assert read(path) == "{broken"


async def test_the_same_question_twice_in_a_cell_has_two_answers(path: Path) -> None:
    keeping = recorder(path)
    models, provider = scripted_models("heads", "tails", "edge", recorder=keeping)

    async def cell() -> list[str]:
        keeping.begin_cell()
        return [(await models.complete(question("Toss a coin"))).content for _ in range(2)]

    assert await cell() == ["heads", "tails"]
    assert await cell() == ["heads", "tails"]
    assert len(provider.requests) == 2
    replaying = recorder(path, "replay")
    again, _ = scripted_models(AssertionError("asked"), recorder=replaying)
    assert [(await again.complete(question("Toss a coin"))).content for _ in range(3)] == [
        "heads",
        "tails",
        "tails",
    ]


async def test_a_stream_that_was_stopped_on_purpose_is_recorded_as_far_as_it_came(path: Path) -> None:
    async def two_words(delta: Delta) -> bool:
        heard.append(delta)
        return len(heard) == 2

    heard: list[Delta] = []
    models, _ = scripted_models("one two three four", recorder=recorder(path))
    live = await models.listen(question("count"), two_words)
    assert live.content == "one two "
    heard = []
    again, _ = scripted_models(AssertionError("asked"), recorder=recorder(path, "replay"))
    replayed = await again.listen(question("count"), two_words)
    assert (replayed.content, replayed.finish_reason) == ("one two ", "stopped")
    assert heard == [TextDelta(text="one "), TextDelta(text="two ")]


async def test_a_stream_that_was_interrupted_is_not_recorded(path: Path) -> None:
    models, _ = scripted_models("one two three", recorder=recorder(path))
    deltas = models.stream(question("count"))
    await anext(deltas)
    await deltas.aclose()
    assert names_beside(path) == []


async def test_failures_are_not_recorded(path: Path) -> None:
    models, _ = scripted_models(SpellError("down"), "up", recorder=recorder(path))
    with pytest.raises(SpellError, match="down"):
        await models.complete(question("hi"))
    assert (await models.complete(question("hi"))).content == "up"


async def test_another_configured_model_is_asked_anew_but_replay_does_not_care(path: Path) -> None:
    models, _ = scripted_models("from a", recorder=recorder(path, default="scripted:a"))
    await models.complete(question("hi"))
    other, asked = scripted_models("from b", recorder=recorder(path, default="scripted:b"))
    assert (await other.complete(question("hi"))).content == "from b"
    assert len(asked.requests) == 1
    again, _ = scripted_models(AssertionError("asked"), recorder=recorder(path, "replay", default="x:y"))
    assert (await again.complete(question("hi"))).content == "from b"


async def test_secrets_are_left_out_and_do_not_matter_for_replay(path: Path) -> None:
    def redact(secret: str) -> Any:
        return lambda text: text.replace(secret, "[secret API]")

    models, _ = scripted_models(
        "your key is hunter2-hunter2, and sk-abcdefghijklmnopqrstuvwx",
        recorder=recorder(path, redact=redact("hunter2-hunter2")),
    )
    prompt = "Use hunter2-hunter2 and Bearer abcdefghijklmnop1234 and ghp_abcdefghijklmnopqrstuvwxyz0123"
    await models.complete(question(prompt))
    text = read(path)
    assert "hunter2" not in text
    assert "abcdefghijklmnop" not in text
    assert text.count("[secret") == 5
    theirs, _ = scripted_models(
        AssertionError("asked"), recorder=recorder(path, "replay", redact=redact("their-own-key"))
    )
    await theirs.complete(question(prompt.replace("hunter2-hunter2", "their-own-key")))


async def test_tools_reasoning_and_images_survive(path: Path) -> None:
    image = Message(role="user", content=(TextPart(text="What is it?"), ImagePart(data=b"\x89PNG" * 100)))
    request = Request(model="", messages=(image,))
    models, _ = scripted_models(
        calls(("look", {"where": ["here", 1, 2.5, None]}), content="hm "), recorder=recorder(path)
    )
    live = await read_all(models.stream(request))
    again, _ = scripted_models(AssertionError("asked"), recorder=recorder(path, "replay"))
    replayed = await read_all(again.stream(request))
    assert replayed[:-1] == live[:-1]
    assert any(isinstance(delta, ToolCallDelta) for delta in replayed)
    assert replayed[-1].response.tool_calls == live[-1].response.tool_calls
    assert "bytes: 400" in read(path)
    other = Request(
        model="",
        messages=(Message(role="user", content=(TextPart(text="What is it?"), ImagePart(data=b"x"))),),
    )
    with pytest.raises(SpellError):
        await again.complete(other)


async def test_embeddings_are_exact(path: Path) -> None:
    models, _ = scripted_models("x", recorder=recorder(path))
    live = await models.embed(["abc", "Grüße"], "scripted:embedder")
    again, _ = scripted_models("x", recorder=recorder(path, "replay"))
    assert (await again.embed(["abc", "Grüße"], "scripted:embedder")).vectors == live.vectors
    with pytest.raises(SpellError, match="nearest recorded question differs"):
        await again.embed(["abd"], "scripted:embedder")


async def test_any_other_answer_of_plain_values(path: Path) -> None:
    asked = 0

    async def fetch() -> Any:
        nonlocal asked
        asked += 1
        return {"status": 200, "body": b"\x00\xff", "list": [1, 2.5, None, True, "a\nb"], 3: "integer key"}

    live = await recorder(path).value("tool", {"name": "web_fetch", "arguments": {"url": "x"}}, fetch)
    replayed = await recorder(path, "replay").value(
        "tool", {"name": "web_fetch", "arguments": {"url": "x"}}, fetch
    )
    assert (replayed, asked) == (live, 1)


async def test_many_at_once_are_all_kept(path: Path) -> None:
    models, _ = scripted_models("x", recorder=recorder(path))
    other, _ = scripted_models("y", recorder=recorder(path))
    await asyncio.gather(
        *(models.complete(question(f"a{n}")) for n in range(15)),
        *(other.complete(question(f"b{n}")) for n in range(15)),
    )
    assert len(await Cassette(path).entries()) == 30
    assert names_beside(path) == [path.name]


async def test_a_cancelled_call_leaves_a_whole_file(path: Path) -> None:
    models, _ = scripted_models("x", recorder=recorder(path))
    await models.complete(question("a"))
    tasks = [asyncio.create_task(models.complete(question(f"b{n}"))) for n in range(10)]
    await asyncio.sleep(0.005)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await models.complete(question("c"))
    keys = [entry.key for entry in await Cassette(path).entries()]
    assert len(keys) == len(set(keys)) >= 2


@pytest.mark.parametrize("content", ["- key: [", "just text", "- {kind: chat}", "\x00"])
async def test_a_broken_cassette_is_named_and_never_overwritten(path: Path, content: str) -> None:
    write(path, content)
    models, provider = scripted_models("x", recorder=recorder(path))
    with pytest.raises(ConfigError) as caught:
        await models.complete(question("a"))
    assert str(path) in caught.value.message
    assert read(path) == content
    assert provider.requests == []


async def test_an_answer_edited_by_hand_is_played_as_edited(path: Path) -> None:
    models, _ = scripted_models("one two three", recorder=recorder(path))
    await read_all(models.stream(question("count")))
    write(path, read(path).replace("one two three", "one two three four"))
    again, _ = scripted_models(AssertionError("asked"), recorder=recorder(path, "replay"))
    *pieces, last = await read_all(again.stream(question("count")))
    assert "".join(piece.text for piece in pieces if isinstance(piece, TextDelta)) == "one two three four"
    assert isinstance(last, Finished)


TEXTS = st.text(max_size=20)


@given(st.lists(st.builds(TextDelta, text=TEXTS) | st.builds(ReasoningDelta, text=TEXTS), max_size=8))
def test_any_stream_comes_back_as_it_was(deltas: list[Delta]) -> None:
    content = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    thought = "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))
    response = Response(content=content, model="m", provider="p", reasoning=thought)
    full = [delta for delta in deltas if delta.text]
    *pieces, last = play(written([*full, Finished(response=response)]), stream=True)
    assert pieces == full
    assert isinstance(last, Finished)
    assert (last.response.content, last.response.reasoning) == (content, thought)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_every_plain_value_survives_the_file(value: Any) -> None:
    import yaml

    text = to_yaml([value])
    assert yaml.load(text, Loader=yaml.CSafeLoader) == [value]


async def test_the_file_keeps_its_order(path: Path) -> None:
    cassette = Cassette(path)
    for n in range(3):
        await cassette.keep(Entry(key=str(n), kind="chat", asked=n, answered=n), 0)
    await cassette.keep(Entry(key="1", kind="chat", asked=1, answered="new"), 0)
    assert [(entry.key, entry.answered) for entry in await cassette.entries()] == [
        ("0", 0),
        ("1", "new"),
        ("2", 2),
    ]
