"""The headers of requests: which a spell may set, and how they have to be."""

from __future__ import annotations

import re
from collections.abc import Iterable

from llmspell_kernel import __version__
from llmspell_kernel.errors import BadArgument
from llmspell_kernel.grants.missing import shown

_OURS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "keep-alive"}
)
"""Headers that say how a message is sent: a spell that set `Host` would reach another site behind the same address."""
PERSONAL = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Headers that stay behind where a redirect leads elsewhere."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
"""RFC 9110, 5.6.2 and 5.5."""


Headers = list[tuple[str, str]]


def check_headers(headers: Iterable[tuple[str, str]]) -> None:
    """Refuse headers that cannot be sent as they are."""
    for name, value in headers:
        if name.lower() in _OURS or name.lower().startswith("proxy-"):
            raise BadArgument(f"the header '{shown(name)}' cannot be set")
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise BadArgument(f"the header '{shown(name)}' holds characters that a header cannot")


def check_attached(headers: Headers, attached: Headers) -> None:
    """Refuse a credential that cannot be sent as it is; the message must not hold it."""
    check_headers((name, "") for name, _ in attached)
    given = {name.lower() for name, _ in headers}
    for name, value in attached:
        if name.lower() in given:
            raise BadArgument(f"the header '{shown(name)}' is given twice: as such, and by a credential")
        given.add(name.lower())
        if not _HEADER_VALUE.fullmatch(value):
            raise BadArgument(
                f"the secret for the header '{shown(name)}' holds characters that a header cannot"
            )


def with_defaults(given: Headers) -> Headers:
    """Return headers, and before them what is said unless they say it."""
    defaults = {
        "accept": "*/*",
        "accept-encoding": "gzip, deflate",
        "user-agent": f"llmspell-kernel/{__version__}",
    }
    for name, _ in given:
        defaults.pop(name.lower(), None)
    return [*defaults.items(), *((name, value.strip(" \t")) for name, value in given)]
