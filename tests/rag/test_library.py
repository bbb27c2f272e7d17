"""Putting documents and finding them: rankings, filters, scopes, models that are not mixed, several kernels."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from llmspell_kernel.errors import BadArgument, NotFound, WorldError
from llmspell_kernel.rag.documents import of_file, of_table, of_text
from llmspell_kernel.rag.fusion import fuse
from llmspell_kernel.rag.library import Library
from llmspell_kernel.rag.store import SqliteStore
from llmspell_kernel.rag.values import About, Model

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Words

TEXTS = {
    "sky": "The sky is blue because air scatters sunlight.",
    "grass": "Grass is green because of chlorophyll.",
    "sea": "The sea looks blue where the water is deep.",
}


async def fill(library: Library, **options: Any) -> None:
    documents = [
        of_text(text, key, {"about": key, "words": len(text.split()), "inner": {"name": key}})
        for key, text in TEXTS.items()
    ]
    await library.ingest(documents, collection="colours", **options)


async def keys(library: Library, text: str, **options: Any) -> list[str]:
    return [hit.key for hit in await library.search(text, collection="colours", **options)]


async def test_the_best_answer_comes_first_in_every_mode(library: Library) -> None:
    await fill(library)
    for mode in ("hybrid", "vector", "keyword"):
        assert (await keys(library, "why is grass green", mode=mode))[0] == "grass"


async def test_a_hit_tells_all_about_itself(library: Library) -> None:
    await fill(library, scope="nature")
    (hit,) = await library.search("chlorophyll green grass is because of", collection="colours", k=1)
    assert (hit.text, hit.key, hit.scope, hit.metadata) == (
        TEXTS["grass"],
        "grass",
        "nature",
        {"about": "grass", "words": 6, "inner": {"name": "grass"}},
    )
    assert hit.score == 1.0
    assert hit.similarity == pytest.approx(1.0)


def test_what_is_good_in_both_rankings_wins() -> None:
    assert [found for found, _ in fuse([[1, 2, 3], [4, 2, 5]], 3)] == [2, 1, 4]
    assert fuse([[7], [7]], 5) == [(7, 1.0)]


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ({"about": "sea"}, {"sea"}),
        ({"about": ["sea", "sky"]}, {"sea", "sky"}),
        ({"about": {"ne": "sea"}}, {"sky", "grass"}),
        ({"words": {"gte": 8, "lt": 9}}, {"sky"}),
        ({"words": {"gt": 6}, "about": {"contains": "e"}}, {"sea"}),
        ({"about": {"exists": False}}, set()),
        ({"about": {"contains": "%"}}, set()),
        ({"missing": 1}, set()),
        ({"about": "x' OR 1=1 --"}, set()),
        ({'a"b': 1}, set()),
        ({"inner.name": "sea"}, {"sea"}),
    ],
)
@pytest.mark.parametrize("mode", ["hybrid", "keyword"])
async def test_filters_on_metadata(
    library: Library, filter_: dict[str, Any], found: set[str], mode: Any
) -> None:
    await fill(library)
    assert set(await keys(library, "the sky sea grass", filter_=filter_, mode=mode)) == found


async def test_a_list_in_the_metadata_passes_by_any_of_its_items(library: Library) -> None:
    await library.ingest([of_text("tagged", "t", {"tags": ["a", "b"], "ok": True})], collection="colours")
    assert await keys(library, "tagged", filter_={"tags": "b", "ok": True}) == ["t"]
    assert await keys(library, "tagged", filter_={"tags": {"ne": "b"}}) == []


@pytest.mark.parametrize("filter_", [{"a": {"near": 1}}, {"a": {}}, {"a": {"gt": {"b": 1}}}, {"a": [[1]]}])
async def test_a_filter_that_is_none_is_told(library: Library, filter_: dict[str, Any]) -> None:
    await fill(library)
    with pytest.raises(BadArgument, match="bad filter for 'a'"):
        await keys(library, "sky", filter_=filter_)


async def test_a_rare_filter_is_found_among_very_many(library: Library) -> None:
    rows = [{"n": n, "text": f"row {n} of the table"} for n in range(2500)]
    await library.ingest([of_table(rows, "rows", {}, "{text}")], collection="colours")
    hits = await library.search("row of the table", collection="colours", filter_={"n": {"in": [7, 2400]}})
    assert {hit.metadata["n"] for hit in hits} == {7, 2400}


async def test_scopes_are_apart_but_are_searched_together_if_none_is_named(library: Library) -> None:
    await fill(library, scope="one")
    await fill(library, scope="two")
    assert await keys(library, "grass green", scope="one", k=1) == ["grass"]
    assert (await keys(library, "grass green", k=2)) == ["grass", "grass"]
    assert await keys(library, "grass", scope="three") == []


async def test_what_has_not_changed_costs_nothing_and_what_has_is_replaced(
    library: Library, words: Words
) -> None:
    await fill(library)
    words.asked.clear()
    again = await library.ingest(
        [
            of_text(TEXTS["sky"], "sky", {"about": "sky", "words": 8, "inner": {"name": "sky"}}),
            of_text("Grass is yellow in August.", "grass", {}),
            of_text("", "sea", {}),
        ],
        collection="colours",
    )
    assert (again.documents, again.unchanged, again.chunks) == (2, 1, 1)
    assert words.asked == [["Grass is yellow in August."]]
    assert await keys(library, "chlorophyll", mode="keyword") == []
    assert (await keys(library, "yellow grass", k=1)) == ["grass"]
    about = About(name="colours", model=Model("test:words", 64), documents=2, chunks=2)
    assert await asyncio.to_thread(library.store.collections) == [about]


async def test_models_are_not_mixed(library: Library, words: Words) -> None:
    await fill(library)
    with pytest.raises(BadArgument, match=r"test:words .* cannot be mixed with other") as caught:
        await library.ingest([of_text("more", "m", {})], collection="colours", model="other")
    assert caught.value.code == "embedding_mismatch"
    assert "drop_collection" in str(caught.value.suggestion)
    with pytest.raises(BadArgument, match="cannot be mixed"):
        await library.search("sky", collection="colours", model="other")
    words.usual = "newer"
    assert (await keys(library, "sky blue", k=1)) == ["sky"]
    assert (await keys(library, "sky blue", k=1, model="words")) == ["sky"]
    words.dimensions = 32
    with pytest.raises(BadArgument, match="32 dimensions"):
        await keys(library, "sky")
    library.store.drop("colours")
    await fill(library)
    assert (await keys(library, "sky", k=1)) == ["sky"]


async def test_a_collection_of_keywords_asks_no_model(library: Library, words: Words) -> None:
    await fill(library, vectors=False)
    assert await keys(library, "chlorophyll") == ["grass"]
    assert await keys(library, "scattering") == ["sky"], "words are stemmed"
    assert await keys(library, '" OR * NEAR(') == []
    assert words.asked == []


async def test_deleting(library: Library) -> None:
    await fill(library)
    store = library.store
    assert store.delete("colours", scope=None, key="sky", filter_={}) == 1
    assert store.delete("colours", scope=None, key=None, filter_={"about": "sea"}) == 1
    assert store.delete("colours", scope="elsewhere", key="grass", filter_={}) == 0
    assert await keys(library, "sky sea grass") == ["grass"]
    assert [entry.id for entry in store.documents("colours", None, 10)] == ["grass"]
    assert store.drop("colours")
    with pytest.raises(NotFound, match="there is no collection 'colours'"):
        await keys(library, "grass")


async def test_two_kernels_see_what_the_other_does(library: Library, file: Path, words: Words) -> None:
    await fill(library)
    assert (await keys(library, "sky", k=1)) == ["sky"]
    other = Library(SqliteStore(file), words)
    await other.ingest([of_text("Snow is white.", "snow", {})], collection="colours")
    assert (await keys(library, "white snow", mode="vector", k=1)) == ["snow"]
    other.store.delete("colours", scope=None, key="sky", filter_={})
    other.store.close()
    assert "sky" not in await keys(library, "sky", mode="vector")


def test_a_damaged_file_and_one_of_a_newer_version_are_told(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not a database at all, but long enough to be looked at" * 30)
    with pytest.raises(WorldError, match="is damaged"):
        SqliteStore(file).collections()
    file.unlink()
    made = sqlite3.connect(file)
    made.execute("PRAGMA user_version = 99")
    made.close()
    with pytest.raises(WorldError, match="newer version"):
        SqliteStore(file).collections()


async def test_progress_and_an_end_in_the_middle_leave_whole_documents(library: Library) -> None:
    async def stop(done: int, of: int) -> None:
        if done == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await fill(library, progress=stop)
    assert [entry.id for entry in library.store.documents("colours", None, 10)] == ["grass", "sky"]


@pytest.mark.parametrize(
    ("name", "content", "pieces"),
    [
        ("a.txt", b"\xef\xbb\xbfplain", ("plain",)),
        ("a.csv", b"name,born\nAda,1815\nAlan,1912\n", ("name: Ada\nborn: 1815", "name: Alan\nborn: 1912")),
        ("a.jsonl", b'{"a": 1}\n\n{"a": 2}\n', ("a: 1", "a: 2")),
        ("a.json", b'[{"a": [1, 2]}]', ("a: [1, 2]",)),
        ("a.json", b'{"a": 1}', ('{"a": 1}',)),
        (
            "a.html",
            b"<head><title>x</title></head><h1>T</h1><p>a <b>b</b></p><script>x</script>",
            ("# T\n\na b",),
        ),
        ("a.ipynb", b'{"cells": [{"cell_type": "markdown", "source": ["# T\\n", "x"]}]}', ("# T\nx",)),
    ],
)
def test_files_are_read_by_their_endings(name: str, content: bytes, pieces: tuple[str, ...]) -> None:
    assert of_file(name, content, {}).pieces == pieces


@pytest.mark.parametrize(
    ("name", "content"), [("a.txt", b"\xff\xfe\x00"), ("a.json", b"{"), ("a.ipynb", b"[]")]
)
def test_a_file_that_is_not_what_it_says_is_told(name: str, content: bytes) -> None:
    with pytest.raises(WorldError, match=name):
        of_file(name, content, {})


def test_rows_of_tables_keep_their_fields() -> None:
    made = of_table([{"name": "Ada", "note": "x" * 300}], "t", {}, "{name}: {missing}")
    assert made.pieces == ("Ada:",)
    assert made.each == ({"name": "Ada", "row": 1},)
    with pytest.raises(BadArgument, match="row 1"):
        of_table(["text"], "t", {})
