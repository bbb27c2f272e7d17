"""HTTP as spells may speak it: each host checked, each connection made to an address that was checked.

A name is resolved here, its addresses are checked against the grants, and the connection goes to one that passed, so
that a name cannot lead elsewhere a moment later (DNS rebinding). TLS and the ``Host`` header still carry the name.
Redirects are followed here too, each checked like a first request. Every request has a connection of its own, closed
at its end: nothing that one request was allowed is there for another.

Through a proxy (the environment's ``HTTPS_PROXY`` …) names are resolved by the proxy; they are checked here as far as
this machine can resolve them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import cached_property
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx2
import msgspec

from llmspell_kernel.bridges.http_body import BadlyPacked, TooLarge, read_body
from llmspell_kernel.bridges.http_failures import in_our_words, too_late
from llmspell_kernel.bridges.http_headers import (
    PERSONAL,
    Headers,
    check_attached,
    check_headers,
    with_defaults,
)
from llmspell_kernel.bridges.registry import Host
from llmspell_kernel.bridges.secret_words import hide, hide_text
from llmspell_kernel.errors import BadArgument, ConnectionFailed, WorldError
from llmspell_kernel.grants import Target
from llmspell_kernel.grants.hosts import parse_url
from llmspell_kernel.grants.missing import shown

_AT_ONCE = 64
_ADDRESSES = 4
"""Of one name that are tried before it counts as not reachable."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SHOWN = 100
"""Characters of a URL in a message."""


class Attachment(msgspec.Struct, frozen=True):
    """What a credential adds to a request.

    Attributes:
        headers: Headers.
        query: Parameters of the URL.
        words: What must not be seen in the answer.
    """

    headers: Headers = []
    query: Headers = []
    words: tuple[str, ...] = ()


Attach = Callable[[Target], Awaitable[Attachment]]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A request.

    Attributes:
        url: Where.
        method: In capitals.
        headers: Headers of the spell's.
        body: Bytes, possibly none.
        attach: Gives what credentials add for a target; asked for the first, and again for redirects to the same.
        timeout: Seconds for all of it; the session's setting if None.
        why: What the person is told when a grant is missing, such as ``http.get``.
    """

    url: str
    method: str = "GET"
    headers: Headers = []
    body: bytes = b""
    attach: Attach | None = None
    timeout: float | None = None
    why: str = "http.request"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, whatever its status; header names in lower case."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes
    url: str


class HttpClient:
    """Makes requests for one session."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._transports: dict[str, httpx2.AsyncHTTPTransport] = {}

    async def aclose(self) -> None:
        """Close what is open."""
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()

    async def fetch(self, ask: Ask) -> Reply:
        """Make a request and follow its redirects.

        Raises:
            MissingGrant: A host on the way is not granted.
            BadArgument: The request cannot be made as it is.
            WorldError: There was no answer, or one that is too large.
        """
        check_headers(ask.headers)
        settings = self._host.settings.http
        time = _Time(settings.timeout if ask.timeout is None else ask.timeout)
        first: Target | None = None
        for _ in range(settings.redirects + 1):
            url = ask.url
            target = await self._host.granted(lambda grants, url=url: grants.target(url), ask.why)
            first = first or target
            attachment = await ask.attach(target) if ask.attach and target == first else Attachment()
            check_attached(ask.headers, attachment.headers)
            async with time.spent_on(target):
                await self._slots.acquire()
            try:
                reply = await self._one(ask, target, attachment, time)
            finally:
                self._slots.release()
            location = reply.headers.get("location")
            if reply.status not in _REDIRECTS or not location:
                return reply
            ask = _redirected(ask, reply.status, location, target)
        raise WorldError(
            f"{first} redirects more than {settings.redirects} times, the last time to {shown(ask.url)[:_SHOWN]}",
            code="too_many_redirects",
            suggestion="if that is no loop, the setting http.redirects allows more",
        )

    async def _one(self, ask: Ask, target: Target, attachment: Attachment, time: _Time) -> Reply:
        """Make one request; the person is asked for a missing grant outside of its time."""
        routes = await self._routes(target, ask.why, time)
        if ask.method not in _SAFE:
            self._host.acted(f"{ask.method} {target.scheme}://{target}")
        async with time.spent_on(target):
            return await self._send(ask, target, attachment, routes)

    async def _send(
        self, ask: Ask, target: Target, attachment: Attachment, routes: list[tuple[str, str]]
    ) -> Reply:
        refused: Exception | None = None
        for proxy, address in routes:
            request = _request(ask, target, address, attachment)
            try:
                with in_our_words(target, by_proxy=bool(proxy)):
                    response = await self._transport(proxy).handle_async_request(request)
                    response.request = request
                    async with contextlib.aclosing(response):
                        body = await self._body(response, target)
                return _reply(ask, response, body, (*attachment.words, *_words_of(proxy)))
            except ConnectionFailed as error:
                if not isinstance(error.__cause__, httpx2.ConnectError):
                    raise
                refused = error
        assert refused is not None
        raise refused

    async def _body(self, response: httpx2.Response, target: Target) -> bytes:
        most = self._host.settings.http.max_bytes
        try:
            return await read_body(response, most)
        except TooLarge as error:
            raise WorldError(
                f"the answer of {target} is too large (limit {most:,} bytes)",
                code="too_large",
                suggestion="the setting http.max_bytes raises the limit",
            ) from error
        except BadlyPacked as error:
            raise WorldError(f"the answer of {target} cannot be unpacked", code="bad_answer") from error

    # ── the way there ────────────────────────────────────────────────────────────────────────────

    async def _routes(self, target: Target, why: str, time: _Time) -> list[tuple[str, str]]:
        """Return the ways to a target: a proxy (or none) and the address or name to connect to."""
        proxy = self._proxy(target)
        if target.address:
            resolved = [target.host]
        elif proxy:
            try:
                resolved = await _resolve(target)
            except ConnectionFailed:
                return [(proxy, target.host)]
        else:
            async with time.spent_on(target):
                resolved = await _resolve(target)
        addresses = await self._host.granted(lambda grants: grants.addresses(target, resolved), why)
        if proxy:
            return [(proxy, target.host)]
        return [("", address) for address in addresses[:_ADDRESSES]]

    def _proxy(self, target: Target) -> str:
        """Return the URL of the environment's proxy for a target, or nothing."""
        if target.address is not None or target.host.endswith("localhost"):
            return ""
        variable = self._host.settings.vault.variable
        names = (f"{target.scheme}_proxy", "all_proxy")
        found = next((v for n in names for v in (variable(n), variable(n.upper())) if v), "")
        excepted = variable("no_proxy") or variable("NO_PROXY") or ""
        if not found or any(_covers(entry.strip(), target) for entry in excepted.split(",")):
            return ""
        return found if "://" in found else f"http://{found}"

    def _transport(self, proxy: str) -> httpx2.AsyncHTTPTransport:
        transport = self._transports.get(proxy)
        if transport is None:
            limits = httpx2.Limits(max_connections=_AT_ONCE * 2, max_keepalive_connections=0)
            try:
                transport = httpx2.AsyncHTTPTransport(
                    verify=self._tls, trust_env=False, limits=limits, proxy=proxy or None
                )
            except (ValueError, ImportError) as error:
                missing = "for SOCKS the package socksio is needed"
                why = (
                    missing
                    if isinstance(error, ImportError)
                    else "it is no URL of an http, https or socks5 proxy"
                )
                raise WorldError(
                    f"the proxy in the environment cannot be used: {why}",
                    code="bad_proxy",
                    suggestion="set HTTP_PROXY, HTTPS_PROXY or ALL_PROXY right, or name the host in NO_PROXY",
                ) from error
            self._transports[proxy] = transport
        return transport

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx2.create_ssl_context()


class _Time:
    """What a request and its redirects may take, names and all; how long a person thinks about a grant is not in it."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    @contextlib.asynccontextmanager
    async def spent_on(self, target: Target) -> AsyncGenerator[None]:
        """Let what is inside take the time that is left; raises `Timeout`."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(max(self._left, 0.001)):
                yield
        except TimeoutError as error:
            raise too_late(target) from error
        finally:
            self._left -= loop.time() - began


def _covers(entry: str, target: Target) -> bool:
    """Tell whether an entry of ``NO_PROXY`` (a name, with or without a port, or ``*``) covers a target."""
    name, _, port = entry.lower().removeprefix("*.").removeprefix(".").partition(":")
    if not name or (port and port != str(target.port)):
        return False
    return name == "*" or target.host == name or target.host.endswith(f".{name}")


async def _resolve(target: Target) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            target.host, target.port, type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError) as error:
        raise ConnectionFailed(
            f"the name {target.host} cannot be resolved", code="name_not_resolved"
        ) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _request(ask: Ask, target: Target, address: str, attachment: Attachment) -> httpx2.Request:
    try:
        url = _url(ask.url, msgspec.structs.replace(target, host=address))
        if attachment.query:
            url = url.copy_merge_params(dict(attachment.query))
        headers = [("Host", _host_header(target)), *with_defaults([*ask.headers, *attachment.headers])]
        named = target.scheme == "https" and target.address is None
        extensions = {"sni_hostname": target.host} if named else {}
        return httpx2.Request(
            ask.method,
            url,
            headers=httpx2.Headers(headers, encoding="utf-8"),
            content=ask.body or None,
            extensions=extensions,
        )
    except (httpx2.InvalidURL, UnicodeError, TypeError) as error:
        raise BadArgument(f"this request cannot be made: {shown(str(error))}") from error


def _url(asked: str, target: Target) -> httpx2.URL:
    """Return a URL whose host is the target's: what was checked is what is asked, however others read `asked`."""
    parts = urlsplit(asked)
    return httpx2.URL(urlunsplit((target.scheme, str(target), parts.path, parts.query, "")))


def _host_header(target: Target) -> str:
    usual = 443 if target.scheme == "https" else 80
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == usual else f"{host}:{target.port}"


def _redirected(ask: Ask, status: int, location: str, target: Target) -> Ask:
    """Return the request that a redirect asks for (RFC 9110, 15.4)."""
    try:
        url = str(_url(ask.url, target).join(location))
        elsewhere = parse_url(url) != target
    except (httpx2.InvalidURL, ValueError, BadArgument) as error:
        why = error.message if isinstance(error, BadArgument) else "not a URL"
        raise WorldError(
            f"{target} redirects to '{shown(location)[:_SHOWN]}': {why}", code="bad_answer"
        ) from error
    method, body, headers = ask.method, ask.body, ask.headers
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", b""
        headers = [(name, value) for name, value in headers if not name.lower().startswith("content-")]
    if elsewhere:
        headers = [(name, value) for name, value in headers if name.lower() not in PERSONAL]
    return msgspec.structs.replace(ask, url=url, method=method, body=body, headers=headers)


def _words_of(proxy: str) -> tuple[str, ...]:
    """Return what a proxy that repeats what it was sent would give away."""
    parts = urlsplit(proxy) if "@" in proxy else None
    if parts is None or not parts.password:
        return ()
    user, password = unquote(parts.username or ""), unquote(parts.password)
    return base64.b64encode(f"{user}:{password}".encode()).decode(), password


def _reply(ask: Ask, response: httpx2.Response, body: bytes, words: tuple[str, ...]) -> Reply:
    return Reply(
        status=response.status_code,
        reason=hide_text(response.reason_phrase, words),
        headers={name.lower(): hide_text(value, words) for name, value in response.headers.items()},
        body=hide(body, words),
        url=ask.url,
    )
