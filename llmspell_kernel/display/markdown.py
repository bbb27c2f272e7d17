"""Markdown that a model wrote, as HTML that cannot harm the page it is shown in.

JupyterLab passes HTML inside trusted Markdown on to the page, scripts too; a model's answer is no one to trust.
So it is drawn here: raw HTML is shown as text, images that would be loaded from elsewhere become links, and
mathematics is left for the front end to typeset.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, cast

from llmspell_kernel.display.style import MATH, add_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline

_MATH = re.compile(r"\$\$.+?\$\$|\\\[.+?\\\]|\\\(.+?\\\)|\$(?=[^\s$])[^$\n]*?[^\s$\\]\$(?![\w$])", re.DOTALL)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n]*$", re.MULTILINE)

add_part(
    "ls-markdown",
    """
.llmspell .ls-markdown { max-width: 60em; overflow-wrap: break-word; }
.llmspell .ls-markdown > :first-child { margin-top: 0; }
.llmspell .ls-markdown > :last-child { margin-bottom: 0; }
.llmspell .ls-markdown pre {
  padding: .6em .8em; margin: .6em 0; border-radius: 5px; background: rgba(128,128,128,.1); overflow: auto;
}
.llmspell .ls-markdown :not(pre) > code {
  padding: .1em .3em; border-radius: 3px; background: rgba(128,128,128,.14);
}
.llmspell .ls-markdown tr { background: none; }
.llmspell .ls-markdown table { border-collapse: collapse; margin: .6em 0; }
.llmspell .ls-markdown th, .llmspell .ls-markdown td {
  padding: .25em .7em; border-bottom: 1px solid var(--ls-line); text-align: left;
}
.llmspell .ls-markdown blockquote {
  margin: .6em 0; padding: 0 .9em; border-left: 3px solid var(--ls-line); color: var(--ls-quiet);
}
""",
)

_COLOURS = {
    "Keyword": "ls-w",
    "String": "ls-s",
    "Number": "ls-n",
    "Comment": "ls-q",
    "Function": "ls-k",
    "Class": "ls-k",
}


def markdown_html(text: str) -> str:
    """Draw Markdown (CommonMark with tables and strikethrough) as safe HTML."""
    return f'<div class="ls-markdown {MATH}">{_parser().render(text)}</div>'


def closed(text: str) -> str:
    """Close the code block that an unfinished text is in, so that what follows it is drawn as what it is."""
    fence = None
    for match in _FENCE.finditer(text):
        mark = match[1]
        if fence is None:
            fence = mark
        elif mark[0] == fence[0] and len(mark) >= len(fence):
            fence = None
    return text if fence is None else f"{text}\n{fence}"


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # 0.1 s that only a session with Markdown pays

    parser = MarkdownIt("commonmark", {"html": False, "highlight": _highlight})
    parser.enable(["table", "strikethrough"])
    parser.inline.ruler.before("escape", "math", _math)
    parser.add_render_rule("image", _image)
    parser.add_render_rule("link_open", _link_open)
    return parser


def _math(state: StateInline, silent: bool) -> bool:
    """Leave mathematics as it stands: underscores and backslashes in it mean something else."""
    if state.src[state.pos] not in "$\\":
        return False
    match = _MATH.match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        state.push("text", "", 0).content = match[0]
    state.pos = match.end()
    return True


def _image(_renderer: Any, tokens: Sequence[Any], index: int, *_: Any) -> str:
    token = tokens[index]
    source, text = str(token.attrs.get("src", "")), escape(token.content)
    if re.match(r"data:image/(png|jpeg|gif|webp);base64,", source):
        return f'<img alt="{text}" src="{escape(source)}">'
    if not re.match(r"https?:", source):
        return text
    return (
        f'<a href="{escape(source)}" rel="noopener noreferrer nofollow" target="_blank">{text or "image"}</a>'
    )


def _link_open(renderer: Any, tokens: Sequence[Any], index: int, options: Any, environment: Any) -> str:
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    tokens[index].attrSet("target", "_blank")
    return renderer.renderToken(tokens, index, options, environment)


def _highlight(code: str, language: str, _: str) -> str:
    """Colour code by the theme's own colours; unknown languages stay plain."""
    from pygments import lexers
    from pygments.util import ClassNotFound

    named = cast("Any", lexers).get_lexer_by_name  # pygments has no types
    try:
        lexer = named(language or "text")
    except ClassNotFound:
        return escape(code)
    return "".join(_coloured(str(kind), text) for kind, text in lexer.get_tokens(code))


def _coloured(kind: str, text: str) -> str:
    for part in reversed(kind.split(".")):
        if part in _COLOURS:
            return f'<span class="{_COLOURS[part]}">{escape(text)}</span>'
    return escape(text)
