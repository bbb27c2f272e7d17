"""From the table that Lua passes to a request, its credentials put in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from llmspell_kernel.bridges.arguments import check, format_number
from llmspell_kernel.bridges.credentials import MARK, Credentials, Reference, reference_of
from llmspell_kernel.bridges.http_client import Ask, Attachment, HttpClient, Reply
from llmspell_kernel.bridges.http_headers import Headers
from llmspell_kernel.errors import BadArgument
from llmspell_kernel.grants.missing import shown

if TYPE_CHECKING:
    from llmspell_kernel.bridges.registry import Host
    from llmspell_kernel.grants import Target

_LONGEST_SECONDS = 3600.0
_METHOD = re.compile(r"[A-Z]+(-[A-Z]+)*")


class Requests:
    """Makes the requests of one session."""

    def __init__(self, host: Host) -> None:
        self._client = HttpClient(host)
        self._credentials = Credentials(host, self._client)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._client.aclose()

    async def send(self, why: str, options: dict[str, Any]) -> Reply:
        """Make the request that `options` describe; `why` is the function that the spell called.

        Raises:
            BadArgument: An option is wrong.
            SpellError: What `HttpClient.fetch` and `Credentials.attach` raise.
        """
        headers, references = _headers(why, options.get("headers"))
        if options.get("auth") is not None:
            references.append(("", reference_of(options["auth"], "the option 'auth'")))

        async def attach(target: Target) -> Attachment:
            parts = [await self._credentials.attach(ref, target, header=name) for name, ref in references]
            return Attachment(
                [header for part in parts for header in part.headers],
                [parameter for part in parts for parameter in part.query],
                tuple(word for part in parts for word in part.words),
            )

        ask = Ask(
            url=_url(why, options),
            method=_method(why, options),
            headers=headers,
            body=_body(why, options.get("body")),
            attach=attach if references else None,
            timeout=_timeout(why, options),
            why=why,
        )
        return await self._client.fetch(ask)


def _url(why: str, options: dict[str, Any]) -> str:
    url = options.get("url")
    if not isinstance(url, str):
        raise BadArgument(f"'{why}': a URL is text in UTF-8; other bytes are written as %XX")
    return url


def _method(why: str, options: dict[str, Any]) -> str:
    method = str(options.get("method", "GET")).upper()
    if not _METHOD.fullmatch(method) or method in ("CONNECT", "TRACE"):
        raise BadArgument(f"bad option 'method' to '{why}' (such as GET, POST, PUT, PATCH, DELETE or HEAD)")
    return method


def _timeout(why: str, options: dict[str, Any]) -> float | None:
    value = options.get("timeout")
    if value is None:
        return None
    fits, seconds = check(value, float)
    if not fits or not 0 < seconds <= _LONGEST_SECONDS:
        raise BadArgument(f"bad option 'timeout' to '{why}' (seconds expected, up to {_LONGEST_SECONDS:g})")
    return seconds


def _body(why: str, body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if not isinstance(body, str):
        raise BadArgument(f"bad option 'body' to '{why}' (string or table expected)")
    return body.encode()


def _headers(why: str, given: Any) -> tuple[Headers, list[tuple[str, Reference]]]:
    """Return the plain headers, and those whose value is a credential."""
    headers: Headers = []
    references: list[tuple[str, Reference]] = []
    if given is not None and not isinstance(given, dict):
        raise BadArgument(f"bad option 'headers' to '{why}' (table expected)")
    for name, value in cast("dict[Any, Any]", given or {}).items():
        if not isinstance(name, str):
            raise BadArgument(f"bad option 'headers' to '{why}' (names expected as keys)")
        if isinstance(value, dict) and MARK in value:
            references.append((name, reference_of(cast("Any", value), f"the header '{shown(name)}'")))
        elif isinstance(value, list):
            headers += [(name, _text(why, name, item)) for item in cast("list[Any]", value)]
        else:
            headers.append((name, _text(why, name, value)))
    return headers, references


def _text(why: str, name: str, value: Any) -> str:
    if isinstance(value, bytes):
        raise BadArgument(f"'{why}': the header '{shown(name)}' is no text in UTF-8")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadArgument(f"bad option 'headers' to '{why}' ({shown(name)}: string expected)")
    return value if isinstance(value, str) else format_number(value)
