"""The little Markdown that documentation is written in, as HTML: paragraphs, lists, code, emphasis, links."""

from __future__ import annotations

import re
from html import escape

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(
    r"``\s?(.+?)\s?``|`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\((https?://[^)\s]+)\)"
)


def to_html(markdown: str) -> str:
    """Render `markdown`; every text in it is escaped."""
    parts: list[str] = []
    position = 0
    for fence in _FENCE.finditer(markdown):
        parts += _blocks(markdown[position : fence.start()])
        parts.append(code_block(fence.group(2).rstrip("\n")))
        position = fence.end()
    parts += _blocks(markdown[position:])
    return "\n".join(parts)


def code_block(code: str) -> str:
    """A block of Lua."""
    return f'<pre><code class="language-lua">{escape(code)}</code></pre>'


def _blocks(text: str) -> list[str]:
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = paragraph.strip().split("\n")
        if not lines[0]:
            continue
        if all(line.lstrip().startswith(("- ", "* ")) for line in lines):
            items = "".join(f"<li>{inline(line.lstrip()[2:])}</li>" for line in lines)
            found.append(f"<ul>{items}</ul>")
        else:
            found.append(f"<p>{inline(' '.join(line.strip() for line in lines))}</p>")
    return found


def inline(text: str) -> str:
    """Code, emphasis and links inside one line."""
    parts: list[str] = []
    position = 0
    for found in _INLINE.finditer(text):
        parts.append(escape(text[position : found.start()]))
        code, short_code, bold, italic, label, url = found.groups()
        if code or short_code:
            parts.append(f"<code>{escape(code or short_code)}</code>")
        elif bold is not None:
            parts.append(f"<strong>{escape(bold)}</strong>")
        elif italic is not None:
            parts.append(f"<em>{escape(italic)}</em>")
        else:
            parts.append(f'<a href="{escape(url)}">{escape(label)}</a>')
        position = found.end()
    parts.append(escape(text[position:]))
    return "".join(parts)
