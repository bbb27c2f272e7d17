"""Listings of variables, from a real Lua state."""

from __future__ import annotations

from llmspell_kernel.language import variables
from llmspell_kernel.language.live import Variable, Variables, decode
from tests.language.world import RealLua


def test_the_table_shows_names_types_sizes_and_values() -> None:
    found = decode(RealLua("").ask("variables"), Variables)
    assert found is not None
    lines = variables.table(found)["text/plain"].splitlines()
    assert lines[0].split() == ["name", "type", "size", "value"]
    shown = {line.split()[0]: line.split(None, 1)[1] for line in lines[1:]}
    assert shown["greeting"].split() == ["string", "5", "bytes", '"hello"']
    assert shown["counter"].split() == ["number,", "local", "7"]
    assert shown["session"].startswith("llm.Session, local  0 entries")
    assert shown["people"].split(None, 3)[:3] == ["table", "2", "entries"]
    assert "print" not in shown


def test_html_is_escaped() -> None:
    html = variables.table(Variables([Variable("x", "string", '"<b>"', size=3)], truncated=True))["text/html"]
    assert "<td><code>&quot;&lt;b&gt;&quot;</code></td>" in html
    assert html.endswith('<tr><td colspan="4">…</td></tr></tbody></table>')


def test_sizes_and_functions_are_put_in_words() -> None:
    assert variables.size_of(Variable("s", "string", '"a"', size=1)) == "1 byte"
    assert variables.size_of(Variable("t", "table", "{}", size=100_000, counted=False)) == "100,000+ entries"
    assert variables.size_of(Variable("n", "number", "1")) == ""
    assert (
        variables.value_of(Variable("f", "function", "function <cell 1:1>", detail="(a, b)"))
        == "function (a, b)"
    )


def test_an_empty_session_says_so() -> None:
    assert variables.names(None) == variables.names(Variables()) == "no variables yet"
    assert variables.table(Variables()) == {"text/plain": "no variables yet"}
    assert variables.names(Variables([Variable("a", "nil", "nil")], truncated=True)) == "a  …"
