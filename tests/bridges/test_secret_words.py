"""Secrets in what a server answers, in every spelling that it may repeat them in."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest

from llmspell_kernel.bridges.secret_words import hide, hide_text

SECRET = "a+b/c=\"é&x y%'<😀>\\~"


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower().replace("%f0", "%F0"),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(SECRET)[1:-1].replace("/", "\\/"),
        json.dumps(SECRET.encode().decode("latin-1"))[1:-1],
        SECRET.encode().decode("latin-1"),
        html.escape(SECRET),
        html.escape(SECRET).replace("&#x27;", "&#39;"),
        html.escape(SECRET, quote=False),
    ],
)
def test_it_is_hidden_in_every_spelling(spelling: str) -> None:
    assert hide(f"before {spelling} after".encode(), [SECRET]) == b"before [secret] after"
    assert hide_text(f"before {spelling} after", [SECRET]) == "before [secret] after"


def test_what_is_no_secret_stays() -> None:
    data = base64.b64encode(bytes(range(256))) + b"\xff\0"
    assert hide(data, ["", SECRET, "sk-123.*"]) == data
    assert hide_text("a+b\udcff", ["a.b"]) == "a+b\udcff"
