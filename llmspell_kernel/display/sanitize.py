"""Bundles made by Lua, made harmless before a front end that trusts outputs gets them.

JupyterLab runs the scripts of outputs whose cell was just executed, with all the person's rights on the
server. A spell that may not read files must not get them that way, nor tell the world what it knows by an
image's URL. So HTML and Markdown keep their looks and lose everything that acts or loads; types that only
act are left out. A session that was granted active displays skips this.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from llmspell_kernel.display.markdown import markdown_html
from llmspell_kernel.display.style import page

if TYPE_CHECKING:
    from collections.abc import Mapping

_PASSIVE = re.compile(
    r"text/(plain|latex|csv)|image/(png|jpeg|gif|webp|bmp|svg\+xml)|audio/[\w.+-]+|video/[\w.+-]+"
    r"|application/(json|geo\+json)"
)
_CHARTS = re.compile(r"application/vnd\.vega(lite)?\.v\d+(\.\d+)*\+json")
_LOADING_KEYS = frozenset({"url", "href", "src", "loader"})
_ACTS = re.compile(
    r"<\s*(script|iframe|object|embed|link|meta|style|base)\b|\son\w+\s*=|javascript\s*:", re.IGNORECASE
)
_REMOTE = re.compile(
    r"<\s*(img|audio|video|source|track)\b[^>]*\s(src|srcset|poster)\s*=(?!\s*[\"']?\s*data:)", re.IGNORECASE
)

_STYLES = """
align-items background-color border border-bottom border-collapse border-color border-left border-radius border-right
border-spacing border-style border-top border-width bottom box-shadow box-sizing clear color column-gap columns
direction display flex flex-basis flex-direction flex-grow flex-shrink flex-wrap float font-family font-size
font-style font-variant font-variant-numeric font-weight gap grid-area grid-column grid-row grid-template-areas
grid-template-columns grid-template-rows height justify-content letter-spacing line-height margin margin-bottom
margin-left margin-right margin-top max-height max-width min-height min-width opacity order overflow overflow-wrap
overflow-x overflow-y padding padding-bottom padding-left padding-right padding-top row-gap tab-size text-align
text-decoration text-indent text-overflow text-transform vertical-align white-space width word-break word-spacing
"""
_TAGS = """
a abbr article aside audio b bdi bdo blockquote br caption cite code col colgroup data dd del details dfn div dl dt
em figcaption figure footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li mark meter ol p pre progress q rp rt ruby s
samp section small source span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var video
wbr
"""
_ATTRIBUTES = {
    "*": "class dir lang role style title aria-label aria-hidden",
    "a": "href",
    "audio": "controls loop muted src",
    "col": "span",
    "colgroup": "span",
    "data": "value",
    "details": "open",
    "img": "alt height src width",
    "li": "value",
    "meter": "high low max min optimum value",
    "ol": "reversed start type",
    "progress": "max value",
    "source": "src type",
    "td": "align colspan headers rowspan valign",
    "th": "align colspan headers rowspan scope valign",
    "time": "datetime",
    "video": "controls height loop muted src width",
}


def passive_bundle(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """Give the bundle without whatever could act or load in a front end.

    Types that are left out are named in a note under the HTML, and in the text if there is none.
    """
    kept: dict[str, Any] = {}
    left_out: list[str] = []
    for mime, content in bundle.items():
        if mime == "text/html":
            kept[mime] = passive_html(str(content))
            left_out += _removed_from(str(content))
        elif mime == "text/markdown":
            # Markdown may hold HTML: what a front end is to show is drawn here, the source stays for exports.
            kept[mime] = content
            kept.setdefault("text/html", page(markdown_html(str(content))))
        elif _PASSIVE.fullmatch(mime) or (_CHARTS.fullmatch(mime) and not _loads(content)):
            kept[mime] = content
        else:
            left_out.append(mime)
    return _with_note(kept, left_out) if left_out else kept


def passive_html(markup: str) -> str:
    """Give HTML without scripts, handlers, style sheets, forms, frames and remote content."""
    return _cleaner().clean(markup)


@cache
def _cleaner() -> Any:
    import nh3  # 1.5 ms that a session without HTML of its own never pays

    def keep_attribute(tag: str, attribute: str, value: str) -> str | None:
        # Only a link that a person clicks may lead away; what loads by itself must be in the page.
        if attribute == "src" and not re.match(r"data:(image|audio|video)/(?!svg)[\w.+-]+;base64,", value):
            return None
        if attribute == "style" and re.search(r"url|image-set|expression|\\|/\*", value, re.IGNORECASE):
            return None
        if attribute == "href" and tag == "a" and not re.match(r"(https?:|mailto:|#)", value, re.IGNORECASE):
            return None
        return value

    return nh3.Cleaner(
        tags=set(_TAGS.split()),
        attributes={tag: set(names.split()) for tag, names in _ATTRIBUTES.items()},
        clean_content_tags={"script", "style"},
        url_schemes={"http", "https", "mailto", "data"},
        attribute_filter=keep_attribute,
        filter_style_properties=set(_STYLES.split()),
        link_rel="noopener noreferrer nofollow",
    )


def _removed_from(markup: str) -> list[str]:
    removed = sorted({match[1].lower() if match[1] else "a script" for match in _ACTS.finditer(markup)})
    return removed + (["remote content"] if _REMOTE.search(markup) else [])


def _loads(content: object) -> bool:
    if isinstance(content, dict):
        entries = cast("dict[object, object]", content)
        return any(key in _LOADING_KEYS or _loads(value) for key, value in entries.items())
    if isinstance(content, list | tuple):
        return any(_loads(value) for value in cast("list[object]", content))
    return False


def _with_note(bundle: dict[str, Any], left_out: list[str]) -> dict[str, Any]:
    note = f"left out, for it could act in this page: {', '.join(dict.fromkeys(left_out))}"
    if "text/html" in bundle:
        return bundle | {"text/html": f"{bundle['text/html']}<p><small>({note})</small></p>"}
    return bundle | {"text/plain": f"{bundle.get('text/plain', '')}\n-- {note}".strip()}
