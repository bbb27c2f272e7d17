"""The style sheet that HTML outputs carry: only the parts that an output uses.

Colours are JupyterLab's own CSS variables, so that themes apply; the fallbacks are mid tones and
translucent greys that can be read on light and dark pages (nbconvert, VS Code). An untrusted notebook
loses the sheet: the markup is plain tables, lists and ``<details>`` that still read well then.
"""

from __future__ import annotations

import re
from functools import cache

_BASE = """
.llmspell {
  --ls-line: var(--jp-border-color2, rgba(128,128,128,.3));
  --ls-quiet: var(--jp-ui-font-color2, rgba(128,128,128,.95));
  --ls-page: var(--jp-layout-color0, var(--vscode-editor-background, Canvas));
  --ls-band: rgba(128,128,128,.07);
  --ls-hover: var(--jp-rendermime-table-row-hover-background, rgba(66,165,245,.14));
  --ls-string: var(--jp-mirror-editor-string-color, #b5483a);
  --ls-number: var(--jp-mirror-editor-number-color, #2e8b57);
  --ls-keyword: var(--jp-mirror-editor-keyword-color, #8250df);
  --ls-key: var(--jp-mirror-editor-property-color, #2f7bd0);
  --ls-error: var(--jp-error-color1, #d32f2f);
  --ls-warn: var(--jp-warn-color1, #e07b00);
  --ls-good: var(--jp-success-color1, #388e3c);
  --ls-accent: var(--jp-brand-color1, #1976d2);
  font-size: var(--jp-content-font-size1, 14px);
  line-height: 1.45;
}
.llmspell code, .llmspell pre {
  font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace);
  font-size: var(--jp-code-font-size, 13px);
  background: none; padding: 0; margin: 0; color: inherit;
}
.llmspell .ls-s { color: var(--ls-string); overflow-wrap: anywhere; }
.llmspell .ls-n { color: var(--ls-number); }
.llmspell .ls-w { color: var(--ls-keyword); }
.llmspell .ls-k { color: var(--ls-key); }
.llmspell .ls-q { color: var(--ls-quiet); }
.llmspell .ls-t {
  font-family: var(--jp-ui-font-family, system-ui, sans-serif); color: var(--ls-quiet); font-size: .8em;
  font-weight: normal; margin-left: .3em;
}
.llmspell .ls-foot { color: var(--ls-quiet); font-size: .85em; margin: .35em 0 .2em; }
"""

# Our rules count as much as rules with an id, and so more than any rule of a front end's own style.
_ABOVE = ":is(.llmspell,#_)"

# A part belongs to an output that has its class.
_parts: dict[str, str] = {
    "ls-tree": """
.llmspell ul.ls-tree, .llmspell ul.ls-tree ul { list-style: none; margin: 0; padding: 0 0 0 .8em; }
.llmspell ul.ls-tree { padding-left: 0; max-height: 45em; overflow: auto; }
.llmspell ul.ls-tree ul.ls-tree { max-height: none; overflow: visible; }
.llmspell ul.ls-tree ul { margin-left: .3em; border-left: 1px solid var(--ls-line); }
.llmspell ul.ls-tree li { margin: 0; padding: 0; }
.llmspell ul.ls-tree li > span, .llmspell ul.ls-tree summary {
  display: block; padding: .05em .3em; border-radius: 3px; font-weight: normal;
  font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace);
  font-size: var(--jp-code-font-size, 13px);
}
.llmspell ul.ls-tree li > span { padding-left: 1.35em; }
.llmspell ul.ls-tree summary { cursor: pointer; list-style: none; }
.llmspell ul.ls-tree details { margin: 0; }
.llmspell ul.ls-tree summary::-webkit-details-marker { display: none; }
.llmspell ul.ls-tree summary::before {
  content: ""; display: inline-block; width: .32em; height: .32em; margin: 0 .6em .16em .1em;
  border: solid var(--ls-quiet); border-width: 0 .11em .11em 0; transform: rotate(-45deg);
}
.llmspell ul.ls-tree details[open] > summary::before { transform: rotate(45deg); }
.llmspell ul.ls-tree details[open] > summary > .ls-p { display: none; }
.llmspell ul.ls-tree li > span:hover, .llmspell ul.ls-tree summary:hover { background: var(--ls-hover); }
.llmspell ul.ls-tree .ls-scroll, .llmspell ul.ls-tree .ls-vector, .llmspell ul.ls-tree .ls-values {
  margin: .3em 0 .3em 1.3em;
}
.llmspell ul.ls-tree .ls-foot { margin-left: 1.5em; }
.llmspell pre.ls-long {
  white-space: pre-wrap; overflow-wrap: anywhere; margin: .1em 0 .4em 1.35em;
  max-height: 20em; overflow: auto;
}
""",
    "ls-scroll": """
.llmspell .ls-scroll {
  max-height: 30em; overflow: auto; width: fit-content; max-width: 100%; box-sizing: border-box;
  border: 1px solid var(--ls-line); border-radius: 4px;
}
.llmspell table.ls-grid {
  border-collapse: separate; border-spacing: 0; margin: 0; border: 0; table-layout: auto;
  font-size: var(--jp-ui-font-size1, 13px); font-variant-numeric: tabular-nums;
}
.llmspell .ls-grid th, .llmspell .ls-grid td {
  padding: .3em .75em; border: 0; text-align: right; vertical-align: top; white-space: nowrap;
  max-width: 32em; line-height: 1.4;
}
.llmspell .ls-grid thead { border: 0; }
.llmspell .ls-grid thead th {
  position: sticky; top: 0; z-index: 2; background: var(--ls-page);
  border-bottom: 1px solid var(--ls-line); font-weight: 600; vertical-align: bottom;
}
.llmspell .ls-grid thead .ls-t { display: block; margin: 0; line-height: 1.1; }
.llmspell .ls-grid tbody th {
  position: sticky; left: 0; z-index: 1; background: var(--ls-page);
  color: var(--ls-quiet); font-weight: normal; border-right: 1px solid var(--ls-line);
}
.llmspell .ls-grid thead th:first-child {
  left: 0; z-index: 3; border-right: 1px solid var(--ls-line); font-weight: normal; color: var(--ls-quiet);
}
.llmspell .ls-grid tbody tr { background: none; }
.llmspell .ls-grid tbody tr:nth-child(even) > td { background: var(--ls-band); }
.llmspell .ls-grid tbody tr:hover > td { background: var(--ls-hover); }
.llmspell .ls-grid td[style] { white-space: pre-wrap; overflow-wrap: break-word; }
.llmspell .ls-grid .ls-gap > td, .llmspell .ls-grid .ls-gap > th {
  text-align: center; color: var(--ls-quiet); border-block: 1px dashed var(--ls-line);
}
""",
    "ls-sort": """
.llmspell .ls-scroll form { margin: 0; }
@supports (grid-template-columns: subgrid) and selector(:has(a)) {
  .llmspell .ls-sort { display: grid; grid-template-columns: repeat(var(--w), auto); --d: 1; }
  .llmspell .ls-sort > thead, .llmspell .ls-sort > tbody { display: contents; }
  .llmspell .ls-sort > * > tr { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid; padding: 0; }
  .llmspell .ls-sort > thead > tr { position: sticky; top: 0; z-index: 2; order: -9999 !important; }
  .llmspell .ls-sort > thead > tr > th { position: relative; }
  .llmspell .ls-sort > thead > tr > th:first-child { position: sticky; }
  .llmspell .ls-sort > tbody > .ls-gap > td { grid-column: 2 / -1; }
  .llmspell .ls-sort input {
    display: block !important; appearance: none; position: absolute; inset: 0; width: auto; height: auto; margin: 0;
    cursor: pointer; border-radius: 0; z-index: 1;
  }
  .llmspell .ls-sort input[type=checkbox] { z-index: 0; }
  .llmspell .ls-sort input[type=radio]:checked + input { z-index: 2; }
  .llmspell .ls-sort input + input::after {
    content: "▲"; position: absolute; right: .2em; top: .7em; font-size: .6em;
    color: var(--ls-accent); opacity: 0;
  }
  .llmspell .ls-sort input + input:checked::after { content: "▼"; }
  .llmspell .ls-sort th:hover > input + input::after { opacity: .4; }
  .llmspell .ls-sort th > input:checked + input::after { opacity: 1; }
  .llmspell .ls-sort input:focus-visible { outline: 2px solid var(--ls-accent); outline-offset: -2px; }
  .llmspell .ls-sort:has(> thead input:checked + input:checked) { --d: -1; }
  .llmspell .ls-sort:not(:has(> thead th:first-child > :checked)) > tbody > tr:not(:hover) > td {
    background: none;
  }
  .llmspell .ls-sort:not(:has(> thead th:first-child > :checked)) > tbody > tr.ls-gap { order: 9999; }
}
""",
    "ls-vector": """
.llmspell .ls-vector { display: flex; gap: 1em; align-items: center; flex-wrap: wrap; }
.llmspell .ls-curve { color: var(--ls-accent); flex: none; }
.llmspell .ls-values code { overflow-wrap: anywhere; }
.llmspell .ls-values > summary { cursor: pointer; font-size: .85em; font-weight: normal; }
""",
    "ls-problem": """
.llmspell pre.ls-problem {
  margin: .4em 0; padding: .3em .7em; border-left: 3px solid var(--ls-error);
  background: rgba(211,47,47,.08); white-space: pre-wrap; overflow-wrap: anywhere;
}
""",
    "ls-own": """
.llmspell pre.ls-own { white-space: pre-wrap; margin: 0 0 .2em; }
""",
    "ls-value": """
.llmspell .ls-value + .ls-value { margin-top: .7em; }
""",
}


# By MathJax 3 (JupyterLab) and by MathJax 2 (nbconvert)
_NO_MATH = "mathjax_ignore tex2jax_ignore"
MATH = "mathjax_process tex2jax_process"
"""The classes of a part in which formulas are typeset."""


def add_part(marker: str, sheet: str) -> None:
    """Give outputs that have the class `marker` this style."""
    _parts[marker] = sheet


def page(body: str) -> str:
    """Wrap drawn HTML with the style it needs, ready for a ``text/html`` output.

    Front ends typeset what is between dollars in HTML. Here they are prices and data, except in what has the class
    `MATH`.
    """
    used = tuple(part for part in _parts if part in body)
    columns = max((int(number) for number in re.findall(r'class="ls-c(\d+)"', body)), default=0)
    return f'<style>{_sheet(used, columns)}</style><div class="llmspell {_NO_MATH}">{body}</div>'


def without_sheet(markup: str) -> str:
    """Take the style sheet off a drawn page that becomes part of another."""
    return re.sub(r"^<style>[^<]*</style>", "", markup)


@cache
def _sheet(parts: tuple[str, ...], columns: int) -> str:
    sheet = _BASE + "".join(_parts[part] for part in parts) + "".join(map(_order_rule, range(1, columns + 1)))
    packed = re.sub(r"\s*([{};,>])\s*|\s+", lambda match: match[1] or " ", sheet).strip()
    return packed.replace(".llmspell", _ABOVE)


def _order_rule(column: int) -> str:
    """While a column's radio button is on, its ranks are the rows' order; rows without a rank come last."""
    return (
        f".llmspell .ls-sort:has(> thead .ls-c{column}:checked) > tbody > tr"
        f"{{order:calc(var(--d)*var(--c{column},9998*var(--d)))}}"
    )
