"""The built-in tools for the web: pages as text, and a search engine of the person's choice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from typing import TYPE_CHECKING, Annotated, Any, cast
from urllib.parse import quote_plus, urlsplit

from llmspell_kernel.bridges.declaration import Bridge, export, table_type
from llmspell_kernel.bridges.recorded import recorded
from llmspell_kernel.bridges.registry import Host
from llmspell_kernel.bridges.tool_arguments import text_argument, whole_argument
from llmspell_kernel.errors import WorldError
from llmspell_kernel.language.annotations import option
from llmspell_kernel.language.documentation import Documented

if TYPE_CHECKING:
    from llmspell_kernel.bridges.http_client import Attachment, HttpClient, Reply
    from llmspell_kernel.grants import Target

_MOST_CHARACTERS = 20_000
_TEXTS = re.compile(r"text/|application/(json|xml|javascript|[\w.-]+\+(json|xml))|$")
_BRAVE = "https://api.search.brave.com/res/v1/web/search"

TYPES: tuple[Documented, ...] = (
    table_type(
        "tools.Fetch",
        "What to fetch.",
        option("url", "string", "http or https"),
        option("max_chars", "integer", "characters of the text at most; 20000 if left out", optional=True),
        option("raw", "boolean", "whether HTML stays as it is", optional=True),
    ),
    table_type(
        "tools.Page",
        "A page.",
        option("url", "string", "where it was found, after redirects"),
        option("title", "string", "its title, if it has one"),
        option("status", "integer", "of HTTP, such as 200"),
        option("content_type", "string", "what kind of text it is"),
        option("text", "string", "what a reader sees of it"),
        option("cut", "boolean", "whether it is longer than that"),
    ),
    table_type(
        "tools.WebQuery",
        "What to search for.",
        option("query", "string", "what to look for"),
        option("limit", "integer", "results at most; 8 if left out", optional=True),
    ),
    table_type(
        "tools.WebResult",
        "A result of a search.",
        option("title", "string", "the page's title"),
        option("url", "string", "where it is"),
        option("text", "string", "a few words of it"),
    ),
)


class WebTools(Bridge):
    """The tools' part for the web."""

    _host: Host
    _opened_client: HttpClient | None = None

    async def close(self) -> None:
        """Close what is open."""
        if self._opened_client is not None:
            await self._opened_client.aclose()

    @export(
        returns="page: tools.Page?, err: Error?",
        example="if false then tools.web_fetch('https://example.org') end",
        grant="http",
    )
    async def web_fetch(self, arguments: Annotated[dict[str, Any] | str, "string|tools.Fetch"]) -> Any:
        """Fetch a page as text; of HTML, what a reader sees.

        Args:
            arguments: its URL, and maybe how much of it
        """
        url = text_argument("web_fetch", arguments, "url")
        most = whole_argument("web_fetch", arguments, "max_chars", _MOST_CHARACTERS)
        raw = isinstance(arguments, dict) and bool(arguments.get("raw"))
        await self._host.require("tools", "web_fetch", "tools.web_fetch")

        async def make() -> dict[str, Any]:
            return _page(await self._get(url, "tools.web_fetch"), most, raw=raw)

        return await recorded(self._host, "web", {"fetch": url, "max_chars": most, "raw": raw}, make)

    @export(
        returns="results: tools.WebResult[]?, err: Error?",
        example="local found, err = tools.web_search('lua coroutines')",
        grant="http",
    )
    async def web_search(self, arguments: Annotated[dict[str, Any] | str, "string|tools.WebQuery"]) -> Any:
        """Search the web with the engine that ``[search]`` in the configuration names.

        Args:
            arguments: what to look for, and maybe how many results
        """
        query = text_argument("web_search", arguments, "query")
        limit = whole_argument("web_search", arguments, "limit", 8)
        await self._host.require("tools", "web_search", "tools.web_search")

        async def make() -> list[dict[str, str]]:
            return (await self._search(query, limit))[:limit]

        return await recorded(self._host, "web", {"search": query, "limit": limit}, make)

    async def _search(self, query: str, limit: int) -> list[dict[str, str]]:
        settings = self._host.settings.search
        url = settings.url or (_BRAVE if settings.engine == "brave" else "")
        if not url:
            raise WorldError(
                "no search engine is configured",
                code="no_search_engine",
                suggestion='add to your configuration: [search] with url = "https://your.searxng/search", '
                'or engine = "brave" and api_key_env = "BRAVE_API_KEY"',
            )
        brave = settings.engine == "brave"
        asked = f"{url}?q={quote_plus(query)}" + (f"&count={min(limit, 20)}" if brave else "&format=json")
        reply = await self._get(asked, "tools.web_search", self._key if settings.api_key_env else None)
        try:
            answer: Any = json.loads(reply.body)
            found = answer["web"]["results"] if brave else answer["results"]
            return [_result(one, "description" if brave else "content") for one in found]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WorldError(
                f"{urlsplit(url).netloc} does not answer as a search engine ({settings.engine}) does",
                code="bad_answer",
                suggestion="SearXNG answers in JSON only if its settings.yml lists json under search.formats",
            ) from error

    async def _key(self, target: Target) -> Attachment:
        """The search engine's key, for the requests to its own host."""
        from llmspell_kernel.bridges.http_client import Attachment

        del target
        name = self._host.settings.search.api_key_env or ""
        secret = self._host.settings.vault.secret(name)
        if secret is None:
            raise WorldError(
                f"the search engine's key is not set: {name}",
                code="authentication_failed",
                suggestion=f"set the variable {name}, or name another under [search]: api_key_env",
            )
        key = secret.reveal()
        header = "X-Subscription-Token" if self._host.settings.search.engine == "brave" else "Authorization"
        value = key if header != "Authorization" else f"Bearer {key}"
        return Attachment(headers=[(header, value)], words=(key,))

    async def _get(self, url: str, why: str, attach: Callable[[Any], Any] | None = None) -> Reply:
        from llmspell_kernel.bridges.http_client import Ask, HttpClient

        if self._opened_client is None:
            self._opened_client = HttpClient(self._host)
        reply = await self._opened_client.fetch(Ask(url=url, attach=attach, why=why))
        if reply.status >= 400:
            raise WorldError(
                f"{urlsplit(url).netloc} answered {reply.status} {reply.reason}".strip(),
                code=f"http_{reply.status}",
                retryable=reply.status in (429, 502, 503, 504),
                details={"status": reply.status},
            )
        return reply


def _page(reply: Reply, most: int, *, raw: bool) -> dict[str, Any]:
    from llmspell_kernel.rag.documents import text_of_html

    kind, _, rest = reply.headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    if not _TEXTS.match(kind):
        raise WorldError(f"{reply.url} is no text but {kind}", code="not_text")
    charset = re.search(r"charset=[\"']?([\w.-]+)", rest)
    try:
        text = reply.body.decode(charset[1] if charset else "utf-8", "replace")
    except LookupError:
        text = reply.body.decode("utf-8", "replace")
    page: dict[str, Any] = {"url": reply.url, "status": reply.status, "content_type": kind}
    if "html" in kind and not raw:
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        if title:
            page["title"] = " ".join(unescape(title[1]).split())
        text = text_of_html(text)
    return {**page, "text": text[:most], "cut": len(text) > most}


def _result(found: Any, text: str) -> dict[str, str]:
    fields = cast("dict[str, Any]", found)
    plain = unescape(re.sub(r"<[^>]*>", "", str(fields.get(text) or "")))
    return {"title": unescape(str(fields.get("title") or "")), "url": str(fields["url"]), "text": plain}
