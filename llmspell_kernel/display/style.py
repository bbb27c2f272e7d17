"""The style sheet that HTML outputs carry.

Colours are JupyterLab's own CSS variables, so that themes apply; the fallbacks are mid tones and
translucent greys that can be read on light and dark pages (nbconvert, VS Code). An untrusted notebook
loses the sheet: the markup is plain tables, lists and ``<details>`` that still read well then.
"""

from __future__ import annotations

import re

_SHEET = """
.llmspell {
  --ls-line: var(--jp-border-color2, rgba(128,128,128,.3));
  --ls-quiet: var(--jp-ui-font-color2, rgba(128,128,128,.95));
  --ls-page: var(--jp-layout-color0, var(--vscode-editor-background, Canvas));
  --ls-band: var(--jp-rendermime-table-row-background, rgba(128,128,128,.08));
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
.llmspell code, .llmspell .ls-code, .llmspell pre {
  font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace);
  font-size: var(--jp-code-font-size, 13px);
  background: none; padding: 0; color: inherit;
}
.llmspell .ls-s { color: var(--ls-string); overflow-wrap: anywhere; }
.llmspell .ls-n { color: var(--ls-number); }
.llmspell .ls-w { color: var(--ls-keyword); }
.llmspell .ls-k { color: var(--ls-key); }
.llmspell .ls-q { color: var(--ls-quiet); }
.llmspell .ls-e { color: var(--ls-error); }
.llmspell .ls-t { color: var(--ls-quiet); font-size: .8em; font-weight: normal; margin-left: .5em; }
.llmspell ul.ls-tree, .llmspell ul.ls-tree ul {
  list-style: none; margin: 0; padding: 0 0 0 1.1em;
}
.llmspell ul.ls-tree { padding-left: 0; }
.llmspell ul.ls-tree ul { margin-left: .3em; border-left: 1px solid var(--ls-line); }
.llmspell ul.ls-tree li { margin: 0; padding: 0 .3em; border-radius: 3px; }
.llmspell ul.ls-tree li > span, .llmspell ul.ls-tree summary { display: block; padding: .05em 0; }
.llmspell ul.ls-tree summary { cursor: pointer; list-style: none; }
.llmspell ul.ls-tree summary::-webkit-details-marker { display: none; }
.llmspell ul.ls-tree summary::before {
  content: ""; display: inline-block; width: .32em; height: .32em; margin: 0 .6em .16em .1em;
  border: solid var(--ls-quiet); border-width: 0 .11em .11em 0; transform: rotate(-45deg);
}
.llmspell ul.ls-tree details[open] > summary::before { transform: rotate(45deg); }
.llmspell ul.ls-tree details[open] > summary > .ls-p { display: none; }
.llmspell ul.ls-tree li > span:hover, .llmspell ul.ls-tree summary:hover { background: var(--ls-hover); }
.llmspell ul.ls-tree .ls-scroll { margin: .3em 0 .5em 1em; }
.llmspell .ls-scroll {
  max-height: 30em; overflow: auto; width: fit-content; max-width: 100%;
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
.llmspell .ls-grid thead th {
  position: sticky; top: 0; z-index: 2; background: var(--ls-page);
  border-bottom: 1px solid var(--ls-line); font-weight: 600; vertical-align: bottom;
}
.llmspell .ls-grid thead .ls-t { display: block; margin: 0; line-height: 1.1; }
.llmspell .ls-grid tbody th {
  position: sticky; left: 0; z-index: 1; background: var(--ls-page);
  color: var(--ls-quiet); font-weight: normal; border-right: 1px solid var(--ls-line);
}
.llmspell .ls-grid thead th:first-child { left: 0; z-index: 3; border-right: 1px solid var(--ls-line); }
.llmspell .ls-grid tbody tr { background: none; }
.llmspell .ls-grid tbody tr:nth-child(even) > td { background: var(--ls-band); }
.llmspell .ls-grid tbody tr:hover > td { background: var(--ls-hover); }
.llmspell .ls-grid td[style] { white-space: pre-wrap; overflow-wrap: break-word; }
.llmspell .ls-grid .ls-gap td, .llmspell .ls-grid .ls-gap th {
  text-align: center; color: var(--ls-quiet); border-block: 1px dashed var(--ls-line);
}
.llmspell .ls-foot { color: var(--ls-quiet); font-size: .85em; margin: .35em 0 .2em; }
.llmspell .ls-problem {
  margin: .4em 0; padding: .3em .7em; border-left: 3px solid var(--ls-error);
  background: rgba(211,47,47,.08); white-space: pre-wrap;
}
.llmspell .ls-own { white-space: pre-wrap; margin: 0 0 .2em; }
.llmspell .ls-value + .ls-value { margin-top: .7em; }
"""


def _packed(sheet: str) -> str:
    """Take out what a browser does not need: every output carries the sheet."""
    return re.sub(r"\s*([{};,])\s*|\s+", lambda match: match[1] or " ", sheet).strip()


STYLE = f"<style>{_packed(_SHEET)}</style>"
