"""The tables that asking a model takes and gives: what completion offers inside ``llm.chat{ … }``."""

from __future__ import annotations

from llmspell_kernel.bridges.declaration import table_type
from llmspell_kernel.language.annotations import option
from llmspell_kernel.language.documentation import Option


def _may(name: str, type_: str, doc: str) -> Option:
    return option(name, type_, doc, optional=True)


OPTIONS = table_type(
    "llm.Options",
    "How to ask a model.",
    _may("model", "ModelName", "which model answers; `provider:model` names both"),
    _may("provider", "ProviderName", "who is asked"),
    _may("system", "string", "what the model is told before everything else"),
    _may(
        "temperature",
        "number",
        "how freely it chooses words: 0 is always the likeliest, 1 is usual, 2 is wild",
    ),
    _may("max_tokens", "integer", "how long the answer may be at most; a token is about four letters"),
    _may("top_p", "number", "only the likeliest words that make up this share, from 0 to 1, are considered"),
    _may("stop", "string|string[]", "the answer ends before one of these"),
    _may("seed", "integer", "the same seed gives the same answer again, where a provider can do that"),
    _may("timeout", "number", "seconds to wait at most"),
    _may("schema", "table", "JSON Schema that the answer must follow"),
    _may("tools", "(ToolName|table|Agent)[]", "what the model may call until it has its answer"),
    _may(
        "images", "(string|table)[]", "images to look at: paths in granted folders, URLs, or `{data = bytes}`"
    ),
    _may("files", "(string|table)[]", "files to read: paths in granted folders, or `{data =, name =}`"),
    _may("stream", "boolean", "whether the answer is printed while it comes"),
    _may("on_chunk", "fun(text: string): any", "hears each piece; a value other than nil stops the answer"),
)
MESSAGE = table_type(
    "llm.Message",
    "One turn of a conversation.",
    option("role", '"system"|"user"|"assistant"|"tool"', "who says it"),
    option("content", "string", "what is said"),
    _may("tool_calls", "llm.ToolCall[]", "the tools that an assistant's turn wants called"),
    _may("tool_call_id", "string", "the call that a tool's turn answers"),
)
QUESTION = table_type(
    "llm.Question",
    "What to ask a model, and how.",
    _may("prompt", "string", "what to ask"),
    _may("messages", "llm.Message[]", "the conversation so far, in place of a prompt"),
    extends="llm.Options",
)
STREAM = table_type(
    "llm.StreamQuestion",
    "What to ask a model, how, and who hears the answer.",
    _may("on_content", "fun(text: string): any", "hears each piece; a value other than nil stops the answer"),
    _may("on_complete", "fun(response: llm.Response)", "gets the whole answer"),
    _may("on_error", "fun(message: string, code: string)", "hears what failed"),
    extends="llm.Question",
)
EMBED = table_type(
    "llm.EmbedOptions",
    "How to make vectors.",
    _may("model", "ModelName", "which model makes them; `provider:model` names both"),
    _may("provider", "ProviderName", "who is asked"),
)
RESPONSE = table_type(
    "llm.Response",
    "An answer of a model. `tostring(response)` and `..` give its text, and string methods work on it.",
    option("content", "string", "the text of the answer"),
    option("model", "string", "the model that answered"),
    option("provider", "string", "the provider that was asked"),
    option(
        "finish_reason", '"stop"|"length"|"tool_calls"|"content_filter"|"stopped"', "why the answer ended"
    ),
    option("tool_calls", "llm.ToolCall[]", "the tools that the model wants called"),
    option("usage", "llm.Usage", "what it took"),
)
TOOL_CALL = table_type(
    "llm.ToolCall",
    "A model's wish to have a tool called.",
    option("id", "string", "what the answer to it refers to"),
    option("name", "string", "the tool's name"),
    option("arguments", "table", "what it is to be called with"),
    option("malformed", "string?", "what the model wrote in place of arguments"),
)
USAGE = table_type(
    "llm.Usage",
    "What an answer took.",
    option("prompt_tokens", "integer", "tokens that the model read"),
    option("completion_tokens", "integer", "tokens that it wrote"),
    option("total_tokens", "integer", "both"),
    option("cost", "number?", "US dollars, where a price is known"),
)
MODEL = table_type(
    "llm.Model",
    "A model on offer.",
    option("id", "string", "its name at the provider"),
    option("provider", "string", "the provider"),
    option("kind", '"chat"|"embedding"', "what it does"),
    option("description", "string", "what the provider says of it"),
    option("context_tokens", "integer?", "how much it can read at once"),
    option("bytes", "integer?", "size of its weights on this machine"),
)
TYPES = (OPTIONS, MESSAGE, QUESTION, STREAM, EMBED, RESPONSE, TOOL_CALL, USAGE, MODEL)
"""Every described table of the module ``llm``."""
