"""The border where what went wrong at a provider becomes an error that tells a person what to do.

Importing this module imports pydantic-ai: do it late.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast

import msgspec
import openai
from pydantic_ai import exceptions as foreign

from llmspell_kernel.errors import (
    AuthenticationFailed,
    BadArgument,
    ConnectionFailed,
    NotFound,
    ProviderError,
    RateLimited,
    SpellError,
    Timeout,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell_kernel.llm.catalogue import ProviderInfo


class Place(msgspec.Struct, frozen=True):
    """Whom we asked, for the wording."""

    info: ProviderInfo
    model: str = ""

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self.info.name

    @property
    def title(self) -> str:
        """The provider as a person knows it."""
        return self.info.shown


def translate(error: Exception, place: Place, key: str = "") -> SpellError:
    """Our error for whatever the libraries underneath raised; raise it `from` the original.

    Some servers repeat the key that they refuse; `key` is taken out of what they say.
    """
    ours = _translate(error, place)
    if len(key) >= _SHORTEST_KEY and key in ours.message:
        ours.message = ours.message.replace(key, "[key]")
        ours.args = (ours.message,)
    return ours


def _translate(error: Exception, place: Place) -> SpellError:
    match error:
        case SpellError():
            return error
        case foreign.ModelHTTPError():
            return _by_status(error.status_code, _said(error.body), _retry_after(error.headers), place)
        case openai.APIStatusError():
            wait = _retry_after(error.response.headers)
            return _by_status(error.status_code, _said(error.body), wait, place)
        case foreign.ModelTimeoutError() | foreign.ModelRequestTimeout() | openai.APITimeoutError():
            return Timeout(
                f"{place.title} did not answer in time",
                provider=place.provider,
                suggestion="allow more with the option `timeout` (in seconds), or ask for fewer tokens",
            )
        case foreign.ModelConnectionError() | openai.APIConnectionError():
            return _no_connection(error, place)
        case foreign.ModelAPIError() if error.in_stream:
            return ProviderError(
                f"{place.title} broke off: {_said(error.body) or error.message}",
                provider=place.provider,
                retryable=True,
                suggestion="try again",
            )
        case foreign.UserError() | NotImplementedError():
            return BadArgument(f"{place.title} cannot be asked this: {error}", provider=place.provider)
        case _:
            return unreadable(place, str(error))


def unreadable(place: Place, detail: str) -> ProviderError:
    """An answer that does not follow the protocol."""
    return ProviderError(
        f"{place.title} answered something that cannot be read",
        code="unreadable_answer",
        provider=place.provider,
        retryable=True,
        suggestion=(
            f"try again; if it stays, {place.info.base_url} may not be an OpenAI-compatible API "
            "(its address usually ends in /v1)"
        ),
        details={"detail": detail[:500]},
    )


_SHORTEST_KEY = 8
_OUT_OF_CREDIT = ("insufficient_quota", "credit balance", "exceeded your current quota")
_TOO_LONG = ("context length", "context_length", "context size", "too long")


def _by_status(status: int, said: str, wait: float | None, place: Place) -> SpellError:
    told = f": {said}" if said else f" (HTTP {status})"
    lower = said.lower()
    if status in (401, 403):
        return AuthenticationFailed(
            f"{place.title} refused the key{told}", provider=place.provider, suggestion=_about_key(place.info)
        )
    if status == 404:
        return NotFound(
            f"{place.title} does not know the model '{place.model}'{told}",
            code="no_model",
            provider=place.provider,
            suggestion=f"check the model's name, and the address {place.info.base_url}",
            details={"model": place.model},
        )
    if status == 402 or any(word in lower for word in _OUT_OF_CREDIT):
        return ProviderError(
            f"the account at {place.title} has no credit left{told}",
            code="no_credit",
            provider=place.provider,
            suggestion="add credit there, or choose another model",
        )
    if status == 429:
        return RateLimited(
            f"{place.title} asks to slow down{told}",
            retry_after=wait,
            provider=place.provider,
            suggestion=f"wait {wait:g} seconds and try again" if wait else "wait a little and try again",
        )
    if status in (400, 413, 422):
        too_long = any(word in lower for word in _TOO_LONG)
        return ProviderError(
            f"{place.title} rejected the request{told}",
            code="context_length" if too_long else "rejected",
            provider=place.provider,
            suggestion="send less: shorten the prompt or the history" if too_long else None,
        )
    return ProviderError(
        f"{place.title} has a fault of its own{told}",
        code="overloaded" if status in (503, 529) else "server_error",
        provider=place.provider,
        retryable=status >= 500,
        suggestion="try again in a moment",
        details={"status": status},
    )


def _about_key(info: ProviderInfo) -> str:
    if not info.key_variable:
        return f"check the key for {info.base_url}"
    where = f" (from {info.key_page})" if info.key_page else ""
    return f"set {info.key_variable} to a valid key{where} and restart the kernel"


def _no_connection(error: Exception, place: Place) -> ConnectionFailed:
    if _refused(error):
        return ConnectionFailed(
            f"nothing answers at {place.info.base_url}: {place.info.title} is not running",
            code="connection_refused",
            provider=place.provider,
            suggestion=place.info.start
            or f"start the server at {place.info.base_url}, or correct its address",
        )
    phase = getattr(error, "phase", None)
    if phase == "read":
        return ConnectionFailed(
            f"the connection to {place.title} was cut before the answer was complete",
            code="connection_cut",
            provider=place.provider,
            suggestion="try again",
        )
    return ConnectionFailed(
        f"no connection to {place.title} ({place.info.base_url})",
        provider=place.provider,
        suggestion="check the network and the address",
        details={"detail": str(error)[:200]},
    )


def _refused(error: BaseException | None) -> bool:
    """Whether a refused connection is at the bottom of `error`."""
    for _ in range(10):
        if error is None:
            return False
        if isinstance(error, ConnectionRefusedError) or "connection refused" in str(error).lower():
            return True
        if "all connection attempts failed" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False


def _retry_after(headers: Mapping[str, str] | None) -> float | None:
    """Seconds that the headers ask to wait: ``retry-after-ms``, or ``Retry-After`` as seconds or a date."""
    if headers is None:
        return None
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with suppress(ValueError):
            return max(0.0, float(headers.get(name, "")) * unit)
    with suppress(ValueError):
        date = parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, date.timestamp() - time.time())
    return None


def _said(body: Any) -> str:
    """The sentence in an error's body, however the server packs it."""
    for _ in range(3):
        if isinstance(body, dict):
            entries = cast("dict[str, Any]", body)
            body = next((entries[key] for key in ("error", "message", "detail") if key in entries), "")
    if isinstance(body, str):
        return " ".join(body.split())[:300]
    return json.dumps(body, default=str)[:300] if body else ""
