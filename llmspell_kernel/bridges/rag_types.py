"""The tables that ``rag`` takes and gives: what completion offers inside ``rag.ingest(…, { … })``."""

from __future__ import annotations

from llmspell_kernel.bridges.declaration import table_type
from llmspell_kernel.language.annotations import option
from llmspell_kernel.language.documentation import Documented, Option


def _may(name: str, type_: str, doc: str) -> Option:
    return option(name, type_, doc, optional=True)


_COLLECTION = _may("collection", "string", "which collection; `default` if left out")
_SCOPE = _may("scope", "string", "a part of the collection, such as a person or a project")

DOCUMENT = table_type(
    "rag.Document",
    "A text, a table, or files of granted folders.",
    _may("text", "string", "the text itself; also called `content`"),
    _may("file", "string", "a file: text, Markdown, HTML, CSV, JSON, a notebook; also called `path`"),
    _may("files", "string[]", "several files"),
    _may("folder", "string", "every file of a folder and those below it that is text"),
    _may("pattern", "string", "of a folder's files, those whose names fit it, such as `*.md`"),
    _may("table", "table[]", "rows, each a table of fields, and each a chunk; also called `rows`"),
    _may("template", "string", "the text of a row, `{name}` for a field's value"),
    _may("id", "string", "names it: the document of that name before is replaced. A file has its path"),
    _may("metadata", "table", "what is known of it, for filters"),
)
INGEST = table_type(
    "rag.IngestOptions",
    "How to put documents into a collection.",
    _COLLECTION,
    _SCOPE,
    _may("metadata", "table", "of every document"),
    _may("chunk_size", "integer", "characters of a chunk at most; 900 if left out"),
    _may("overlap", "integer", "characters of the chunk before that one begins with; 100 if left out"),
    _may("template", "string", "the text of a table's row, `{name}` for a field's value"),
    _may("model", "string", "makes the vectors; offline if left out"),
    _may("vectors", "boolean", "false makes a collection that is searched by keywords alone"),
    _may("on_progress", "fun(done: integer, of: integer)", "hears how many documents are done"),
)
INGESTED = table_type(
    "rag.Ingested",
    "What became of documents.",
    option("collection", "string", "where they are"),
    option("documents", "integer", "those that were put, new or in the place of an older one"),
    option("unchanged", "integer", "those that were there already, and cost nothing"),
    option("chunks", "integer", "chunks that were put"),
    option("ids", "string[]", "what names the documents, in their order"),
)
SEARCH = table_type(
    "rag.SearchOptions",
    "How to search.",
    _may("k", "integer", "results at most; 5 if left out. Also called `limit`"),
    _COLLECTION,
    _SCOPE,
    _may("filter", "table", "on metadata: `{author = 'Ada', year = {gte = 1990}, tag = {'a', 'b'}}`"),
    _may("mode", '"hybrid"|"vector"|"keyword"', "by meaning and words, by one of them alone"),
    _may("min_similarity", "number", "leaves out what is further away in meaning, from -1 to 1"),
    _may("model", "string", "the embedding model, which has to be the collection's"),
)
RESULT = table_type(
    "rag.Result",
    "A chunk that was found.",
    option("text", "string", "the chunk"),
    option("score", "number", "from 0 to 1: 1 is what is the best in every ranking"),
    option("similarity", "number", "cosine of its vector and the question's, if it was among the nearest"),
    option("id", "string", "the document's"),
    option("metadata", "table", "the document's, with the row's fields if it was a table"),
    option("scope", "string", "the document's, if it has one"),
    option("added", "number", "when it was put, in seconds since 1970"),
)
FOUND = table_type(
    "rag.Found",
    "What a search found; as a text, its chunks.",
    option("results", "rag.Result[]", "the best first"),
    option("query", "string", "what was asked"),
    option("collection", "string", "where it was searched"),
)
CHUNKS = table_type(
    "rag.ChunkOptions",
    "How to cut.",
    _may("size", "integer", "characters of a chunk at most; 900 if left out"),
    _may("overlap", "integer", "characters of the chunk before that one begins with; 100 if left out"),
)
LIST = table_type(
    "rag.ListOptions",
    "Which documents to list.",
    _COLLECTION,
    _SCOPE,
    _may("limit", "integer", "how many at most; 100 if left out"),
)
ENTRY = table_type(
    "rag.Entry",
    "A document of a collection.",
    option("id", "string", "what names it"),
    option("chunks", "integer", "how many chunks it has"),
    option("metadata", "table", "what is known of it"),
    option("scope", "string", "the part of the collection"),
    option("added", "number", "when it was put, in seconds since 1970"),
)
COLLECTION = table_type(
    "rag.Collection",
    "A collection.",
    option("name", "string", "its name"),
    option("model", "string", "what made its vectors; empty if it has none"),
    option("dimensions", "integer", "length of a vector"),
    option("documents", "integer", "how many it holds"),
    option("chunks", "integer", "how many it holds"),
)
DELETE = table_type(
    "rag.DeleteOptions",
    "Which documents to delete.",
    _may("id", "string", "the one of this name"),
    _may("filter", "table", "those with a chunk whose metadata pass"),
    _SCOPE,
    _COLLECTION,
)
TYPES: tuple[Documented, ...] = (
    DOCUMENT,
    INGEST,
    INGESTED,
    SEARCH,
    RESULT,
    FOUND,
    CHUNKS,
    LIST,
    ENTRY,
    COLLECTION,
    DELETE,
)
