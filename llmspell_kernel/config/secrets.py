"""Secrets, and the environment that holds most of them.

A secret is used by name and shown never: `Secret` hides its value from `str`, `repr`, formatting,
pickling and serialising, and `Vault.redact` takes every known value out of a text that is about to be
logged, recorded or sent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from llmspell_kernel.grants import is_secret_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SHORTEST = 8
"""Shorter values are not redacted: they would tear holes into ordinary text."""


class Secret:
    """A value that only `reveal` gives away.

    Args:
        value: The value.
        source: Where it came from: the variable's name, or the file and line.
    """

    __slots__ = ("_value", "source")

    def __init__(self, value: str, source: str) -> None:
        self._value = value
        self.source = source

    def reveal(self) -> str:
        """Return the value. Call this where the request is made, and keep the result nowhere."""
        return self._value

    def __repr__(self) -> str:
        """Say that it is set, and where."""
        return f"set ({self.source})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied into another process."""
        raise TypeError("a secret is not serialised")


class Vault:
    """The environment as it was when the settings were made, and the secrets that configuration declares.

    Args:
        environ: The environment.
        declared: Secrets by the name that configuration gives them.
        others: Further secrets that only need to be kept out of texts.
    """

    __slots__ = ("_declared", "_environ", "_pattern", "_words")

    def __init__(
        self, environ: Mapping[str, str], declared: Mapping[str, Secret], others: Iterable[Secret] = ()
    ) -> None:
        self._environ = dict(environ)
        self._declared = dict(declared)
        known = {value: name for name, value in self._environ.items() if is_secret_name(name)}
        known |= {secret.reveal(): secret.source for secret in others}
        known |= {secret.reveal(): name for name, secret in self._declared.items()}
        self._words = {value: name for value, name in known.items() if len(value) >= _SHORTEST}
        # The longest first, so that a value that begins with another is not cut in half.
        longest_first = sorted(self._words, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def variable(self, name: str) -> str | None:
        """Return an environment variable. For a spell, only after `Grants.check("env", name)`."""
        return self._environ.get(name)

    def secret(self, name: str) -> Secret | None:
        """Return a declared secret, or the environment variable of that name, as a secret."""
        if name in self._declared:
            return self._declared[name]
        value = self._environ.get(name)
        return Secret(value, name) if value else None

    def redact(self, text: str) -> str:
        """Return a text in which every known secret is replaced by `[secret NAME]`."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: f"[secret {self._words[found[0]]}]", text)

    def __repr__(self) -> str:
        """Show nothing of what is inside."""
        return f"Vault({len(self._environ)} variables)"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied into another process."""
        raise TypeError("the environment is not serialised")
