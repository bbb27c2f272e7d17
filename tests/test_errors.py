"""The exception tree: what each error says, and where it shows in Lua."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from llmspell_kernel import errors
from llmspell_kernel.errors import (
    BadArgument,
    ConfigError,
    EngineDied,
    LimitExceeded,
    MissingGrant,
    ProviderError,
    RateLimited,
    SpellError,
    Timeout,
    WorldError,
)

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, SpellError)]


def drawn_tree() -> dict[str, str]:
    """Read the drawing in the module's docstring: each class with the one it is under."""
    above: dict[int, str] = {}
    tree: dict[str, str] = {}
    for row in (errors.__doc__ or "").split("::")[1].splitlines():
        found = re.match(r"[ │├└─]*(?=[A-Z])", row)
        if found is None:
            continue
        column = found.end()
        name = row[column:].split()[0]
        tree[name] = above.get(column - 4, "Exception")
        above[column] = name
    return {name: parent for name, parent in tree.items() if hasattr(errors, name)}


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    assert drawn_tree() == {c.__name__: c.__mro__[1].__name__ for c in CLASSES}


@pytest.mark.parametrize("cls", CLASSES)
def test_only_failures_of_the_world_are_returned_in_lua(cls: type[SpellError]) -> None:
    assert cls.returned_in_lua == issubclass(cls, WorldError)


def test_every_class_has_a_code_of_its_own() -> None:
    assert len({c.code for c in CLASSES}) == len(CLASSES)


def test_the_message_is_the_text_and_the_fields_are_plain() -> None:
    error = ProviderError(
        "model overloaded", suggestion="try later", retryable=True, provider="openai", details={"status": 529}
    )
    assert str(error) == "model overloaded"
    assert error.fields() == {
        "code": "provider_error",
        "message": "model overloaded",
        "suggestion": "try later",
        "retryable": True,
        "provider": "openai",
        "details": {"status": 529},
    }


def test_a_class_knows_whether_trying_again_may_help() -> None:
    assert Timeout("slow").retryable
    assert not Timeout("slow", retryable=False).retryable
    assert not BadArgument("no").retryable
    assert Timeout.retryable  # the instance above did not change the class


def test_a_code_can_be_more_precise_than_its_class() -> None:
    error = WorldError("the file exists", code="already_exists")
    assert (error.code, WorldError.code) == ("already_exists", "failed")


def test_a_rate_limit_tells_how_long_to_wait() -> None:
    assert RateLimited("slow down", retry_after=2.5).details == {"retry_after": 2.5}
    assert RateLimited("slow down").details == {}


def test_a_limit_names_itself_its_value_and_the_way_to_raise_it() -> None:
    error = LimitExceeded("coroutines", 10000, "", suggestion="set limits.coroutines")
    assert str(error) == "coroutines limit reached (10,000)"
    assert (error.code, error.suggestion) == ("coroutines_limit", "set limits.coroutines")
    assert str(LimitExceeded("time", 30, "s")) == "time limit reached (30 s)"
    assert str(LimitExceeded("memory", 2**30, "bytes", shown="1 GiB")) == "memory limit reached (1 GiB)"


def test_a_missing_grant_names_the_line_to_add() -> None:
    error = MissingGrant(
        "http",
        "example.org",
        "http to example.org:443 is not granted",
        line='http = ["example.org"]',
        variable='LLMSPELL_GRANT_HTTP="example.org"',
    )
    assert 'add `http = ["example.org"]` under [grants]' in (error.suggestion or "")
    assert 'LLMSPELL_GRANT_HTTP="example.org"' in (error.suggestion or "")
    assert (error.grant, error.value) == ("http", "example.org")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConfigError("unknown key", file=Path("a.toml"), line=3), "a.toml:3: unknown key"),
        (ConfigError("unreadable", file=Path("a.toml")), "a.toml: unreadable"),
        (ConfigError("not a number", variable="LLMSPELL_TIME_LIMIT"), "LLMSPELL_TIME_LIMIT: not a number"),
        (ConfigError("bad"), "bad"),
    ],
)
def test_a_config_error_starts_with_its_place(error: ConfigError, text: str) -> None:
    assert str(error) == text


def test_details_are_not_shared_with_the_caller() -> None:
    details = {"a": 1}
    error = EngineDied("gone", details=details)
    error.details["b"] = 2
    assert details == {"a": 1}
