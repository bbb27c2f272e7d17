"""Requests and answers as a cassette keeps them: without what proves who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from llmspell_kernel.bridges.http_client import Reply

_PERSONAL = ("authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token")


def http_question(options: dict[str, Any]) -> dict[str, Any]:
    """What makes a request this request; how long to wait for it does not."""
    asked = {name: value for name, value in options.items() if name != "timeout" and value is not None}
    asked["method"] = str(asked.get("method") or "GET").upper()
    if isinstance(asked.get("headers"), dict):
        asked["headers"] = _impersonal(cast("dict[Any, Any]", asked["headers"]))
    return {str(name): value for name, value in asked.items()}


def http_answer(reply: Reply) -> dict[str, Any]:
    """An answer as plain values, its body as text if it is text."""
    body: str | bytes = reply.body
    try:
        body = reply.body.decode()
    except UnicodeDecodeError:
        pass
    return {
        "status": reply.status,
        "reason": reply.reason,
        "headers": _impersonal(reply.headers),
        "body": body,
        "url": reply.url,
    }


def _impersonal(headers: dict[Any, Any]) -> dict[str, Any]:
    return {
        str(name): "[secret]" if str(name).lower() in _PERSONAL else value for name, value in headers.items()
    }
