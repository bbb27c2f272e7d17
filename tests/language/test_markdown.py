"""The little Markdown of documentation, as HTML."""

from __future__ import annotations

import pytest

from llmspell_kernel.language.markdown import to_html


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("one\ntwo\n\nthree", "<p>one two</p>\n<p>three</p>"),
        ("a `b < c` d", "<p>a <code>b &lt; c</code> d</p>"),
        ("``stream = true`` and `` ` ``", "<p><code>stream = true</code> and <code>`</code></p>"),
        ("**bold** and *it*", "<p><strong>bold</strong> and <em>it</em></p>"),
        ("2 * 3 * 4", "<p>2 * 3 * 4</p>"),
        ("- a\n- `b`", "<ul><li>a</li><li><code>b</code></li></ul>"),
        ("[Lua](https://lua.org/?a=1&b)", '<p><a href="https://lua.org/?a=1&amp;b">Lua</a></p>'),
        ("[bad](javascript:alert)", "<p>[bad](javascript:alert)</p>"),
        (
            "x\n```lua\nif a < b then end\n```\ny",
            '<p>x</p>\n<pre><code class="language-lua">if a &lt; b then end</code></pre>\n<p>y</p>',
        ),
        ("<script>", "<p>&lt;script&gt;</p>"),
        ("", ""),
    ],
)
def test_markdown(markdown: str, html: str) -> None:
    assert to_html(markdown) == html
