"""Every setting: its type, default, meaning and powers, written once.

The sections below are what the rest of the program reads (`settings.limits.time`) and, through their
annotations, the table that loading, the environment's names, `%config` and the reference are made from.
To add a setting, add a line.
"""

# Annotations are not text here (no `from __future__`): the table is made from them at every start.
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from llmspell_kernel.config.kinds import (
    BYTES,
    COUNT,
    DOLLARS,
    FLAG,
    PATH,
    SECONDS,
    SECRET,
    SECRETS,
    TEXT,
    URL,
    VARIABLE,
    WORDS,
    Kind,
    choice,
)
from llmspell_kernel.config.secrets import Secret

Profile = Literal["strict", "standard", "trusted"]
PROFILES: tuple[Profile, ...] = ("strict", "standard", "trusted")
"""From the least power to the most."""


class Power(Enum):
    """What a project file that the person does not trust may do with a setting."""

    FREE = "free"
    """Set it: no harm can come from it."""
    TIGHTEN = "tighten"
    """Make it tighter, never looser."""
    TRUSTED = "trusted"
    """Nothing."""


class Setting(msgspec.Struct, frozen=True):
    """What the table says about a setting, besides its key and default.

    Attributes:
        kind: How it is read and shown.
        help: What it is, in one sentence.
        power: What an untrusted project file may do with it.
        env: Its environment variable, where that is not made from its key.
        minimum: The least value.
    """

    kind: Kind
    help: str
    power: Power = Power.FREE
    env: str = ""
    minimum: float | None = None


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the sections."""


class General(Section, frozen=True, kw_only=True):
    """Settings without a table of their own; they stand above the first one."""

    profile: Annotated[
        Profile,
        Setting(
            choice(*PROFILES),
            "strict for notebooks you do not trust, standard for your own, trusted for unattended runs",
            Power.TIGHTEN,
        ),
    ] = "standard"


class Model(Section, frozen=True, kw_only=True):
    """Which model answers, and how requests to models are made."""

    provider: Annotated[
        str | None, Setting(TEXT, "provider that answers when a call names none", env="LLMSPELL_PROVIDER")
    ] = None
    name: Annotated[
        str | None, Setting(TEXT, "model that answers when a call names none", env="LLMSPELL_MODEL")
    ] = None
    embedding: Annotated[str | None, Setting(TEXT, "model that makes embeddings when a call names none")] = (
        None
    )
    search: Annotated[
        bool,
        Setting(FLAG, "look for model servers on this machine when nothing is configured", Power.TRUSTED),
    ] = True
    timeout: Annotated[float, Setting(SECONDS, "longest wait for a model's next words")] = 120.0
    concurrency: Annotated[
        int, Setting(COUNT, "most requests to models at once", Power.TIGHTEN, minimum=1)
    ] = 32
    budget: Annotated[
        float | None, Setting(DOLLARS, "most money that a session may spend on models", Power.TIGHTEN)
    ] = None
    record: Annotated[
        Literal["off", "auto", "record", "replay"],
        Setting(
            choice("off", "auto", "record", "replay"),
            "models' and tools' answers: record keeps them in a cassette beside the notebook, "
            "replay answers from it, auto does either as needed",
            env="LLMSPELL_RECORD",
        ),
    ] = "off"


class Limits(Section, frozen=True, kw_only=True):
    """What a cell may use up."""

    time: Annotated[float | None, Setting(SECONDS, "time that a cell may run", Power.TIGHTEN)] = None
    memory: Annotated[
        int, Setting(BYTES, "memory that the Lua state may hold", Power.TIGHTEN, minimum=128_000_000)
    ] = 2**30
    output: Annotated[
        int,
        Setting(
            BYTES, "output of a cell that is shown; the rest goes to a file", Power.TIGHTEN, minimum=1024
        ),
    ] = 10 * 2**20
    instructions: Annotated[
        int | None,
        Setting(
            COUNT,
            "Lua instructions that a cell may execute, with all that it runs elsewhere; counting slows Lua down",
            Power.TIGHTEN,
            minimum=1000,
        ),
    ] = None
    call_depth: Annotated[
        int | None,
        Setting(
            COUNT,
            "nested Lua calls, where fewer than Lua's own 200,000 are wanted",
            Power.TIGHTEN,
            minimum=20,
        ),
    ] = None
    coroutines: Annotated[int, Setting(COUNT, "coroutines alive at once", Power.TIGHTEN, minimum=1)] = 100_000
    value_bytes: Annotated[
        int,
        Setting(BYTES, "size of one value that goes to or comes from a bridge", Power.TIGHTEN, minimum=65536),
    ] = 64 * 2**20
    callbacks: Annotated[
        int, Setting(COUNT, "Lua functions that bridges hold at once", Power.TIGHTEN, minimum=1)
    ] = 10_000
    handles: Annotated[
        int,
        Setting(COUNT, "bridge objects (agents, sessions, widgets) held at once", Power.TIGHTEN, minimum=1),
    ] = 10_000
    grace: Annotated[
        float,
        Setting(
            SECONDS,
            "time a stopped cell has to unwind before its engine is killed",
            Power.TIGHTEN,
            env="LLMSPELL_GRACE",
        ),
    ] = 1.0


class Cells(Section, frozen=True, kw_only=True):
    """How cells are run."""

    session_locals: Annotated[
        bool, Setting(FLAG, "keep a cell's top-level locals for later cells", env="LLMSPELL_SESSION_LOCALS")
    ] = True
    diagnostics: Annotated[
        bool,
        Setting(
            FLAG, "warn about unknown globals and the like before a cell runs", env="LLMSPELL_DIAGNOSTICS"
        ),
    ] = True


class Checkpoints(Section, frozen=True, kw_only=True):
    """The copies of the engine that recovery and undo are made from."""

    enabled: Annotated[
        bool, Setting(FLAG, "take a checkpoint before each cell", Power.TRUSTED, env="LLMSPELL_CHECKPOINTS")
    ] = True
    undo: Annotated[int, Setting(COUNT, "cells that %undo can take back", Power.TIGHTEN)] = 10
    memory: Annotated[int, Setting(BYTES, "memory that kept checkpoints may hold", Power.TIGHTEN)] = (
        512 * 2**20
    )


class History(Section, frozen=True, kw_only=True):
    """What was run before, across restarts."""

    enabled: Annotated[bool, Setting(FLAG, "keep the history of cells", env="LLMSPELL_HISTORY")] = True
    file: Annotated[Path, Setting(PATH, "where it is kept", Power.TRUSTED)] = Path()


class Http(Section, frozen=True, kw_only=True):
    """Requests that spells make."""

    timeout: Annotated[float, Setting(SECONDS, "longest wait for an answer")] = 30.0
    max_bytes: Annotated[int, Setting(BYTES, "size of an answer", Power.TIGHTEN, minimum=1024)] = 10 * 2**20
    redirects: Annotated[
        int, Setting(COUNT, "redirects to follow, each checked against the grants", Power.TIGHTEN)
    ] = 5


class WebSearch(Section, frozen=True, kw_only=True):
    """The search engine behind the tool `web_search`."""

    engine: Annotated[
        Literal["searxng", "brave"], Setting(choice("searxng", "brave"), "what kind it is", Power.TRUSTED)
    ] = "searxng"
    url: Annotated[
        str | None, Setting(URL, "where it answers, such as https://your.searxng/search", Power.TRUSTED)
    ] = None
    api_key_env: Annotated[
        str | None, Setting(VARIABLE, "variable, or name in [secrets], that holds its key", Power.TRUSTED)
    ] = None


class Storage(Section, frozen=True, kw_only=True):
    """Where spells keep state, vectors and files of their own."""

    folder: Annotated[
        Path, Setting(PATH, "where they keep it, one folder for each project", Power.TRUSTED)
    ] = Path()


class GrantLists(Section, frozen=True, kw_only=True):
    """What a session may do beyond computing. Several sources add up; "none" drops what came before."""

    http: Annotated[
        tuple[str, ...], Setting(WORDS, 'hosts: "example.org", "*.example.org", "127.0.0.1:*"', Power.TRUSTED)
    ] = ()
    files: Annotated[
        tuple[str, ...], Setting(WORDS, 'folders and files: "read:./data", "write:./out"', Power.TRUSTED)
    ] = ()
    env: Annotated[
        tuple[str, ...], Setting(WORDS, "environment variables that os.getenv shows", Power.TRUSTED)
    ] = ()
    tools: Annotated[tuple[str, ...], Setting(WORDS, "built-in tools", Power.TRUSTED)] = ()
    mcp: Annotated[
        tuple[str, ...], Setting(WORDS, "MCP servers, by the names in [mcp.NAME]", Power.TRUSTED)
    ] = ()
    providers: Annotated[tuple[str, ...], Setting(WORDS, "model providers", Power.TRUSTED)] = ()


class ProviderSettings(Section, frozen=True, kw_only=True):
    """`[providers.NAME]`: where a model provider is, and which key it takes."""

    base_url: Annotated[str | None, Setting(URL, "URL of the API", Power.TRUSTED)] = None
    api_key_env: Annotated[
        str | None, Setting(VARIABLE, "variable, or name in [secrets], that holds the key", Power.TRUSTED)
    ] = None
    model: Annotated[
        str | None, Setting(TEXT, "model to ask when a call names the provider alone", Power.TRUSTED)
    ] = None
    api_key: Secret | None = None
    """What `api_key_env` holds, if it is set."""


class McpServer(Section, frozen=True, kw_only=True):
    """`[mcp.NAME]`: a tool server; either a command to start or a URL."""

    command: Annotated[str | None, Setting(TEXT, "program to start", Power.TRUSTED)] = None
    args: Annotated[tuple[str, ...], Setting(WORDS, "its arguments", Power.TRUSTED)] = ()
    env: Annotated[
        dict[str, Secret],
        Setting(SECRETS, 'its environment; "$NAME" takes a variable or secret', Power.TRUSTED),
    ] = msgspec.field(default_factory=dict[str, Secret])
    url: Annotated[str | None, Setting(URL, "URL of a server that runs already", Power.TRUSTED)] = None


class SecretSettings(Section, frozen=True, kw_only=True):
    """`[secrets.NAME]`: a secret that spells may use by name, never see."""

    env: Annotated[str | None, Setting(VARIABLE, "variable that holds it", Power.TRUSTED)] = None
    value: Annotated[Secret | None, Setting(SECRET, "the secret itself", Power.TRUSTED)] = None
    hosts: Annotated[tuple[str, ...], Setting(WORDS, "hosts to which it may be sent", Power.TRUSTED)] = ()


SECTIONS: dict[str, type[Section]] = {
    "": General,
    "model": Model,
    "limits": Limits,
    "cells": Cells,
    "checkpoints": Checkpoints,
    "history": History,
    "http": Http,
    "search": WebSearch,
    "storage": Storage,
    "grants": GrantLists,
}

NAMED: dict[str, type[Section]] = {"providers": ProviderSettings, "mcp": McpServer, "secrets": SecretSettings}
"""Tables of tables: `[mcp.NAME]`. They have no environment variables of their own."""

PROFILE_VALUES: dict[Profile, dict[str, object]] = {
    "strict": {
        "limits.time": 30.0,
        "limits.memory": 256 * 2**20,
        "limits.output": 2**20,
        "limits.instructions": 1_000_000_000,
        "limits.call_depth": 10_000,
        "limits.coroutines": 10_000,
        "limits.value_bytes": 16 * 2**20,
        "limits.callbacks": 1_000,
        "limits.handles": 1_000,
        "grants.providers": ("local",),
        "grants.tools": ("calculator", "datetime_*", "json_*"),
    },
    "standard": {"grants.providers": ("*",), "grants.tools": ("*",)},
    "trusted": {"grants.providers": ("*",), "grants.tools": ("*",), "grants.mcp": ("*",)},
}
"""What a profile sets before anything is read.

Under `strict`, files may only tighten it and grant nothing; the environment counts, since the person said
that for this very start. Under `trusted`, every configured MCP server is granted and nobody is asked.
Built-in tools need no grant of their own beyond `strict`: the hosts and folders that they touch do.
"""
