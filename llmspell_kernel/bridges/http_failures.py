"""What goes wrong on the way to a server and back, in our words and the system's, never in those of a library."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
from collections.abc import Generator

import httpx2

from llmspell_kernel.errors import BadArgument, ConnectionFailed, Timeout, WorldError
from llmspell_kernel.grants import Target
from llmspell_kernel.grants.missing import shown


@contextlib.contextmanager
def in_our_words(target: Target, *, by_proxy: bool) -> Generator[None]:
    """Let what the library raises inside become ours.

    Raises:
        ConnectionFailed: There is no connection, or it ended too early.
        Timeout: It took too long.
        WorldError: What came is not HTTP.
        BadArgument: The request cannot be sent as it is.
    """
    try:
        yield
    except httpx2.TimeoutException as error:
        raise too_late(target) from error
    except httpx2.LocalProtocolError as error:
        raise BadArgument(
            "this request cannot be sent as HTTP has it"
        ) from error  # the library may tell a secret
    except httpx2.RemoteProtocolError as error:
        if re.search("closed|disconnected", str(error)):
            raise ConnectionFailed(f"{target} ended the connection before its answer was whole") from error
        raise WorldError(f"{target} does not answer as HTTP servers do", code="bad_answer") from error
    except (httpx2.ReadError, httpx2.WriteError) as error:
        raise ConnectionFailed(f"the connection to {target} was lost: {_reason(error)}") from error
    except httpx2.TransportError as error:
        way = " through the proxy" if by_proxy else ""
        raise ConnectionFailed(f"no connection to {target}{way}: {_reason(error)}") from error


def too_late(target: Target) -> Timeout:
    """Return the error for a request that took too long."""
    return Timeout(
        f"no whole answer from {target} within the time allowed",
        suggestion="allow more: the option timeout of http.request, or the setting http.timeout",
    )


def _reason(error: BaseException) -> str:
    """Return what the system or the proxy said, in its own words and not in those of the libraries between."""
    if isinstance(error, httpx2.ProxyError):
        return f"the proxy answers {shown(str(error))}"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not to be trusted ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLWantReadError):
            return f"it does not speak TLS as it should ({(cause.reason or '?').replace('_', ' ').lower()})"
        if isinstance(cause, socket.gaierror):
            return "its name cannot be resolved"
        if isinstance(cause, OSError) and cause.errno and not isinstance(cause, ssl.SSLError):
            return os.strerror(cause.errno)
        cause = cause.__cause__ or cause.__context__
    return "the other side closed it"
