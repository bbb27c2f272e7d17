"""A model's Markdown, drawn safely."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell_kernel.display.markdown import closed, markdown_html


def test_an_answer_is_drawn(snapshot: Any) -> None:
    assert (
        markdown_html("""# Title

Some *emphasis*, `code`, ~~gone~~ and a [link](https://lua.org).

| name | n |
|---|---:|
| a | 1 |

```lua
local n = 1 -- one
print("<b>", n)
```

1. first
2. second
""")
        == snapshot
    )


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>)",
        "[x]: javascript:alert(1)\n\n[x]",
        "<javascript:alert(1)>",
        "![x](https://evil.example/a.png)",
        "```html\n<script>alert(1)</script>\n```",
        '```"><script>\nx\n```',
        "$<script>alert(1)</script>$",
    ],
)
def test_nothing_in_it_acts(attack: str) -> None:
    markup = markdown_html(attack)
    assert "<script" not in markup
    assert "<img" not in markup
    assert 'href="javascript' not in markup
    assert 'href="data' not in markup


@pytest.mark.parametrize(
    "math", ["$a_1 * b_2 * c$", r"\(x_1\)", "$$\na_1 = \\frac{1}{2}\n$$", r"\[ x * y * z \]"]
)
def test_mathematics_is_left_to_the_front_end(math: str) -> None:
    assert math in markdown_html(f"so {math} holds")


def test_prices_are_no_mathematics() -> None:
    assert "<em>b</em>" in markdown_html("$5 *b* and $6")


def test_images_in_the_text_itself_are_shown() -> None:
    assert '<img alt="dot" src="data:image/png;base64,AA==">' in markdown_html(
        "![dot](data:image/png;base64,AA==)"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "a"),
        ("```\ncode", "```\ncode\n```"),
        ("```\ncode\n```\nb", "```\ncode\n```\nb"),
        ("~~~~lua\n```\n", "~~~~lua\n```\n\n~~~~"),
    ],
)
def test_a_code_block_in_the_making_is_closed(text: str, expected: str) -> None:
    assert closed(text) == expected
