"""Settings: layers, trust, profiles, problems, and what is shown of them."""

from __future__ import annotations

import contextlib
import copy
import os
import pickle
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell_kernel.config import Limits, Places, Secret, Settings, reference
from llmspell_kernel.config.documents import key_lines
from llmspell_kernel.config.kinds import BYTES, SECONDS
from llmspell_kernel.config.table import NAMED_ROWS, ROWS, VARIABLES
from llmspell_kernel.errors import ConfigError, MissingGrant, WorldError
from llmspell_kernel.trust import TrustStore

KEY = "sk-planted-0123456789"


class World:
    """A machine with a user, a project and a notebook in a folder below it."""

    def __init__(self, root: Path) -> None:
        self.project = root / "project"
        self.folder = self.project / "notebooks"
        self.folder.mkdir(parents=True)
        self.places = Places(config=root / "config" / "llmspell" / "config.toml", data=root / "data")
        self.places.config.parent.mkdir(parents=True)
        self.toml = self.project / "llmspell.toml"

    def user(self, text: str) -> None:
        self.places.config.write_text(text)

    def ship(self, text: str, *, trusted: bool = False) -> None:
        self.toml.write_text(text)
        if trusted:
            TrustStore(self.places.trust).trust(self.toml)

    def load(self, **environ: str) -> Settings:
        return Settings.load(self.folder, environ, self.places)

    def problems(self, **environ: str) -> list[ConfigError]:
        return Settings.load_or_default(self.folder, environ, self.places)[1]

    def sources(self, **environ: str) -> dict[str, tuple[str, str]]:
        return {line.key: (line.value, line.source) for line in self.load(**environ).explain()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# Defaults and layers


def test_without_any_source_there_are_the_documented_defaults(world: World) -> None:
    settings = world.load()
    limits = settings.limits
    assert (limits.time, limits.memory, limits.output) == (None, 2**30, 10 * 2**20)
    assert (limits.instructions, limits.call_depth, limits.grace) == (None, None, 1.0)
    assert settings.profile == "standard"
    assert settings.cells.session_locals
    assert settings.checkpoints.enabled
    assert (settings.model.provider, settings.model.name, settings.model.record) == (None, None, "off")
    assert settings.folder == world.folder
    assert settings.project is None
    assert settings.ignored == ()
    assert settings.history.file == world.places.data / "history.sqlite"
    assert settings.storage.folder.parent == world.places.data / "storage"


def test_each_layer_goes_over_the_one_before(world: World) -> None:
    world.user("[limits]\ntime = 10\noutput = '1MiB'\nhandles = 5\n")
    assert world.load().limits.time == 10
    world.ship("[limits]\ntime = '20s'\noutput = '2MiB'\n", trusted=True)
    assert world.load().limits.time == 20
    settings = world.load(LLMSPELL_TIME_LIMIT="30")
    assert (settings.limits.time, settings.limits.output, settings.limits.handles) == (30, 2 * 2**20, 5)


def test_every_setting_has_a_variable_which_sets_it(world: World) -> None:
    examples = {
        "LLMSPELL_PROFILE": "trusted",
        "LLMSPELL_RECORD": "replay",
        "LLMSPELL_GRANT_FILES": "read:/",
        "LLMSPELL_MEMORY_LIMIT": "300000000",
        "LLMSPELL_SEARCH_ENGINE": "brave",
        "LLMSPELL_SEARCH_URL": "https://example.org/search",
        "LLMSPELL_SEARCH_API_KEY_ENV": "A_KEY",
    }
    by_kind = {
        "true or false": "off",
        "number": "1234",
        "bytes": "131072",
        "seconds": "7",
        "US dollars": "1.5",
    }
    for variable, row in VARIABLES.items():
        text = examples.get(variable) or by_kind.get(row.setting.kind.name, "word")
        value, source = world.sources(**{variable: text})[row.key]
        assert source == variable
        assert value != row.show(row.default)


@pytest.mark.parametrize(
    ("variable", "key"),
    [
        ("LLMSPELL_PROVIDER", "model.provider"),
        ("LLMSPELL_MODEL", "model.name"),
        ("LLMSPELL_TIME_LIMIT", "limits.time"),
        ("LLMSPELL_MEMORY_LIMIT", "limits.memory"),
        ("LLMSPELL_OUTPUT_LIMIT", "limits.output"),
        ("LLMSPELL_PROFILE", "profile"),
        ("LLMSPELL_GRANT_HTTP", "grants.http"),
        ("LLMSPELL_GRANT_FILES", "grants.files"),
        ("LLMSPELL_GRANT_TOOLS", "grants.tools"),
        ("LLMSPELL_GRANT_MCP", "grants.mcp"),
        ("LLMSPELL_GRANT_ENV", "grants.env"),
        ("LLMSPELL_SESSION_LOCALS", "cells.session_locals"),
    ],
)
def test_the_promised_variables_are_there(variable: str, key: str) -> None:
    assert VARIABLES[variable].key == key


def test_a_variable_that_is_empty_says_nothing(world: World) -> None:
    assert world.load(LLMSPELL_TIME_LIMIT="", LLMSPELL_PROFILE=" ").limits.time is None


def test_none_takes_a_limit_away(world: World) -> None:
    world.user("[limits]\ntime = 10\n")
    assert world.load(LLMSPELL_TIME_LIMIT="none").limits.time is None
    assert world.load(LLMSPELL_TIME_LIMIT="unlimited").limits.time is None


def test_a_model_may_be_named_in_one_line(world: World) -> None:
    world.user('model = "openai:gpt-x"\n')
    assert world.load().model.name == "openai:gpt-x"
    assert world.sources()["model.name"] == ("openai:gpt-x", f"{world.places.config}:1")


def test_the_nearest_project_file_counts(world: World) -> None:
    world.ship("[limits]\ntime = 10\n")
    assert world.load().project == world.toml
    inner = world.folder / "llmspell.toml"
    inner.write_text("[limits]\ntime = 5\n")
    settings = world.load()
    assert (settings.project, settings.limits.time) == (inner, 5)


def test_settings_are_frozen(world: World) -> None:
    settings = world.load()
    with pytest.raises(AttributeError):
        settings.limits.time = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        settings.profile = "trusted"  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.mcp["x"] = None  # type: ignore[index]


def test_the_process_environment_and_folder_are_the_default(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world.folder)
    monkeypatch.setenv("LLMSPELL_CONFIG", str(world.places.config))
    monkeypatch.setenv("LLMSPELL_TIME_LIMIT", "12")
    world.user("[limits]\nhandles = 3\n")
    settings = Settings.load()
    assert (settings.folder, settings.limits.time, settings.limits.handles) == (world.folder, 12, 3)
    assert settings.places.config == world.places.config


# Values


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (1048576, 1048576),
        ("1048576", 1048576),
        ("512MB", 512_000_000),
        ("512 MiB", 512 * 2**20),
        ("1GiB", 2**30),
        ("1.5g", 1_500_000_000),
        ("10_000", 10_000),
        ("2KB", 2000),
    ],
)
def test_sizes_may_have_units(text: object, size: int) -> None:
    assert BYTES.read(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (30, 30),
        (0.5, 0.5),
        ("30", 30),
        ("30s", 30),
        ("500ms", 0.5),
        ("2m", 120),
        ("1 h", 3600),
        ("1.5s", 1.5),
    ],
)
def test_times_may_have_units(text: object, seconds: float) -> None:
    assert SECONDS.read(text) == seconds


@pytest.mark.parametrize(
    "value", ["-1", "1e9", "1 parsec", "", "s", "nan", "inf", True, [], {}, 1e300, "9" * 30, -5]
)
def test_what_is_no_amount_is_refused(value: object) -> None:
    for kind in (BYTES, SECONDS):
        with pytest.raises(ValueError, match=r"seconds|size"):
            kind.read(value)


@given(st.integers(0, 2**50))
def test_a_size_is_read_back_as_it_is_shown(size: int) -> None:
    shown = BYTES.show(size).replace(",", "").replace("bytes", "b")
    assert abs(BYTES.read(shown) - size) <= size * 1e-9 + 0.5  # type: ignore[operator]


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.lists(st.text()) | st.none())
def test_no_value_breaks_a_reader(value: object) -> None:
    for row in (*ROWS.values(), *NAMED_ROWS.values()):
        with contextlib.suppress(ValueError):
            row.show(row.read(value))


# Problems


A_TIME = "seconds, like 30, 0.5, 500ms, 2m"
A_FOLDER = "write read:PATH or write:PATH, like read:./data"
A_URL = "a URL like https://example.org/v1, without user name or password"
A_HOME = "expected a path whose home folder exists, not '~nobody-by-this-name/x'"
NO_HOST = "is a URL; write its host alone, like example.org or example.org:8080"


def problem(world: World, **environ: str) -> ConfigError:
    [found] = world.problems(**environ)
    return found


@pytest.mark.parametrize(
    ("text", "line", "message", "suggestion"),
    [
        ("\n# x\n[limits]\ntimes = 3\n", 4, "unknown setting limits.times", "did you mean limits.time?"),
        ("[limit]\ntime = 3\n", 1, "unknown setting limit", "did you mean [limits]?"),
        (
            "[limits]\ntime = 3\nprofile = 'strict'\n",
            3,
            "unknown setting limits.profile",
            "did you mean profile, above the first table?",
        ),
        ("time = 3\n", 1, "unknown setting time", "did you mean limits.time?"),
        ("[limits]\n\n\ntime = 'soon'\n", 4, f"limits.time: expected {A_TIME}, not 'soon'", None),
        ("[limits]\ntime = 0\n", 2, 'limits.time: expected more than 0 seconds, or "none", not 0', None),
        ("[limits]\nmemory = '64MB'\n", 2, "limits.memory: expected at least 128 MB, not '64MB'", None),
        ("limits.time = true\n", 1, f"limits.time: expected {A_TIME}, not True", None),
        ("profile = 'lax'\n", 1, "profile: expected one of strict, standard, trusted, not 'lax'", None),
        ("[http]\nredirects = 'maybe'\n", 2, "http.redirects: expected a whole number, not 'maybe'", None),
        ("[history]\nenabled = 2\n", 2, "history.enabled: expected true or false, not 2", None),
        ("limits = 5\n", 1, "limits: expected a table, [limits]", None),
        ("[mcp]\ncommand = 'x'\n", 2, "mcp.command: expected a table, [mcp.NAME]", None),
        ("[[mcp]]\ncommand = 'x'\n", 1, "mcp: expected a table, [mcp.NAME]", None),
        (
            "[mcp.time]\ncomand = 'x'\n",
            2,
            "unknown setting mcp.time.comand",
            "did you mean mcp.time.command?",
        ),
        ("[mcp.time]\nargs = ['x']\n", 2, "mcp.time: expected either a command or a url", None),
        ("[storage]\nfolder = '~nobody-by-this-name/x'\n", 2, f"storage.folder: {A_HOME}", None),
        ("[limits]\nhandles = 1.5\n", 2, "limits.handles: expected a whole number, not 1.5", None),
        ("[mcp.'a b']\ncommand = 'x'\n", 2, "'a b' is no name: use letters, digits, _ and -", None),
        ("[grants]\nhttp = ['https://x.org']\n", 2, f"grants.http: 'https://x.org' {NO_HOST}", None),
        ("[grants]\nfiles = ['./data']\n", 2, f"grants.files: './data': {A_FOLDER}", None),
        ("[grants]\nhttp = 5\n", 2, 'grants.http: expected a list of texts, like ["a", "b"], not 5', None),
    ],
)
def test_a_problem_names_the_file_the_line_and_the_nearest_key(
    world: World, text: str, line: int | None, message: str, suggestion: str | None
) -> None:
    world.user(text)
    found = problem(world)
    place = f"{world.places.config}:{line}" if line else str(world.places.config)
    assert str(found) == f"{place}: {message}"
    assert found.suggestion == suggestion
    assert (found.file, found.line) == (world.places.config, line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[limits]\ntime = \n", 2),
        ("a = 1\na = 2\n", 2),
        ("[limits\n", 1),
        ("x = [1,\n", 2),
        ("x = " + "[" * 20000, None),
    ],
)
def test_a_file_that_is_not_toml_counts_as_absent_and_says_where(
    world: World, text: str, line: int | None
) -> None:
    world.user(text)
    settings, [found] = Settings.load_or_default(world.folder, {}, world.places)
    assert settings.limits == Limits()
    place = f"{world.places.config}:{line}" if line else str(world.places.config)
    assert str(found).startswith(f"{place}: not TOML: ")
    assert "(at" not in str(found)


def test_a_file_that_is_not_utf8_says_where(world: World) -> None:
    world.places.config.write_bytes(b"[limits]\n# caf\xe9\n")
    assert str(problem(world)) == f"{world.places.config}:2: not UTF-8"


def test_a_file_that_is_too_long_is_refused(world: World) -> None:
    world.ship("# " + "x" * 300_000)
    assert "longer than" in str(problem(world))


def test_a_folder_in_place_of_the_file_is_a_problem_not_a_crash(world: World) -> None:
    world.places.config.mkdir()
    assert "cannot be read" in str(problem(world))


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("LLMSPELL_TIME_LIMIT", "soon", f"limits.time: expected {A_TIME}, not 'soon'"),
        ("LLMSPELL_GRANT_FILES", "data", f"grants.files: 'data': {A_FOLDER}"),
        ("LLMSPELL_MEMORY_LIMT", "1", "unknown variable"),
        ("OPENAI_BASE_URL", "x", f"providers.openai.base_url: expected {A_URL}, not 'x'"),
        ("OLLAMA_HOST", "http://[", f"providers.ollama.base_url: expected {A_URL}"),
        ("OLLAMA_HOST", "host:port", f"providers.ollama.base_url: expected {A_URL}"),
    ],
)
def test_a_problem_in_the_environment_names_the_variable(
    world: World, variable: str, value: str, message: str
) -> None:
    found = problem(world, **{variable: value})
    assert str(found).startswith(f"{variable}: {message}")
    assert found.variable == variable


def test_a_misspelt_variable_gets_the_nearest_one_and_a_strange_one_is_left_alone(world: World) -> None:
    assert problem(world, LLMSPELL_PROFLE="strict").suggestion == "did you mean LLMSPELL_PROFILE?"
    assert world.problems(LLMSPELL_SOMETHING_ELSE_ENTIRELY="1") == []


def test_load_raises_the_first_problem_and_tells_the_others(world: World) -> None:
    world.user("[limits]\ntime = 'x'\noutput = 'y'\n")
    with pytest.raises(ConfigError, match=r"config\.toml:2") as caught:
        world.load()
    [other] = caught.value.details["more"]  # type: ignore[misc]
    assert "config.toml:3" in other


def test_what_is_right_counts_beside_what_is_wrong(world: World) -> None:
    world.user("[limits]\ntime = 'x'\noutput = '2MiB'\n[grants]\nhttp = ['a.org', 'http://b']\n")
    settings, problems = Settings.load_or_default(world.folder, {}, world.places)
    assert len(problems) == 2
    assert (settings.limits.time, settings.limits.output) == (None, 2 * 2**20)
    assert ("http", "a.org") in settings.grants.entries()


def test_a_profile_that_cannot_be_read_means_the_strict_one(world: World) -> None:
    settings, problems = Settings.load_or_default(world.folder, {"LLMSPELL_PROFILE": "strickt"}, world.places)
    assert settings.profile == "strict"
    assert len(problems) == 1


# Lines


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_line_of_a_key_is_found_whatever_way_it_is_written(newline: str) -> None:
    text = newline.join(
        [
            "# comment = 1",
            "a = 1 # b = 2",
            'text = """',
            "[c]",
            'd = 1"""',
            "[ c . 'e f' ] # x",
            "list = [",
            "  1,",
            "]",
            '"quoted.key" = {x = 1, y.z = 2}',
            "p.q = 3",
            "[[many]]",
            "k = 1",
        ]
    )
    c = ("c", "e f")
    assert key_lines(text) == {
        ("a",): 2,
        ("text",): 3,
        ("c",): 6,
        c: 6,
        (*c, "list"): 7,
        (*c, "quoted.key"): 10,
        (*c, "quoted.key", "x"): 10,
        (*c, "quoted.key", "y"): 10,
        (*c, "quoted.key", "y", "z"): 10,
        (*c, "p"): 11,
        (*c, "p", "q"): 11,
        ("many",): 12,
        ("many", "k"): 13,
    }
    assert tomllib.loads(text)


def test_a_very_long_file_gives_up_its_lines_not_its_time(world: World) -> None:
    world.user("[limits]\n" + "# x\n" * 3000 + "time = 'x'\n")
    assert str(problem(world)).startswith(f"{world.places.config}: limits.time")


# Trust


DANGEROUS = """
[grants]
http = ["*"]
files = ["write:/"]
env = ["*"]
tools = ["*"]
mcp = ["*"]
providers = ["*"]
[mcp.evil]
command = "sh"
[providers.openai]
base_url = "https://evil.example"
[secrets.x]
env = "HOME"
[storage]
folder = "/"
[history]
file = "/tmp/h"
[checkpoints]
enabled = false
[limits]
time = "none"
memory = "64GiB"
output = "1GiB"
coroutines = 100000000
[model]
search = false
"""


def test_a_strangers_project_file_has_no_power(world: World) -> None:
    plain = world.load()
    world.ship(DANGEROUS)
    settings = world.load()
    for name in ("model", "limits", "checkpoints", "history", "providers", "mcp", "secrets"):
        assert getattr(settings, name) == getattr(plain, name), name
    assert settings.grants.entries() == plain.grants.entries()
    assert len(settings.ignored) == 16
    assert all(entry.source.startswith(f"{world.toml}:") for entry in settings.ignored)
    [notice] = settings.notices()
    assert "grants.files" in notice
    assert "you have not trusted the file" in notice
    assert notice.endswith(f"look through it and run: llmspell trust {world.toml}")


def test_a_trusted_project_file_counts_until_it_changes(world: World) -> None:
    world.ship(DANGEROUS, trusted=True)
    settings = world.load()
    assert settings.ignored == ()
    assert settings.mcp["evil"].command == "sh"
    assert settings.limits.memory == 64 * 2**30
    assert ("files", "write:/") in settings.grants.entries()
    world.toml.write_text(DANGEROUS + "# changed\n")
    changed = world.load()
    assert changed.mcp == {}
    assert "the file has changed since you trusted it" in changed.notices()[0]


def test_a_strangers_project_file_may_tighten(world: World) -> None:
    world.user("[limits]\ntime = 20\n")
    world.ship("profile = 'strict'\n[limits]\ntime = 10\ncoroutines = 5\n[cells]\nsession_locals = false\n")
    settings = world.load()
    assert settings.profile == "strict"
    assert (settings.limits.time, settings.limits.coroutines) == (10, 5)
    assert not settings.cells.session_locals
    world.ship("[limits]\ntime = 30\n")
    assert world.load().limits.time == 20


def test_a_strangers_project_file_cannot_choose_a_looser_profile(world: World) -> None:
    world.ship("profile = 'trusted'\n")
    settings = world.load()
    assert settings.profile == "standard"
    assert [entry.key for entry in settings.ignored] == ["profile"]
    world.user("profile = 'strict'\n")
    world.ship("profile = 'standard'\n")
    assert world.load().profile == "strict"


def test_a_strangers_table_does_not_displace_the_users(world: World) -> None:
    world.user("[mcp.time]\ncommand = 'good'\n")
    world.ship("[mcp.time]\ncommand = 'evil'\nargs = ['x']\n")
    assert (world.load().mcp["time"].command, world.load().mcp["time"].args) == ("good", ())
    world.ship("[mcp.time]\ncommand = 'other'\n", trusted=True)
    world.user("[mcp.time]\ncommand = 'good'\nargs = ['x']\n")
    assert (world.load().mcp["time"].command, world.load().mcp["time"].args) == ("other", ())


def test_a_link_to_a_trusted_project_file_is_a_strangers(world: World, tmp_path: Path) -> None:
    world.ship("[grants]\nfiles = ['write:.']\n", trusted=True)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / "llmspell.toml").symlink_to(world.toml)
    settings = Settings.load(stranger, {}, world.places)
    assert settings.project == stranger / "llmspell.toml"
    with pytest.raises(MissingGrant):
        settings.grants.locate("x", write=True)


def test_the_command_that_trusts_a_file_can_be_pasted_safely(tmp_path: Path) -> None:
    world = World(tmp_path / "a; rm -rf x\n\u202e")
    world.ship("[grants]\nhttp = ['*']\n")
    [notice] = world.load().notices()
    assert "\n" not in notice
    assert "\u202e" not in notice
    assert "llmspell trust '" in notice


# Profiles


def test_strict_is_tight_and_grants_nothing_that_files_say(world: World) -> None:
    world.user(
        "[grants]\nhttp = ['a.org']\nproviders = ['openai']\n"
        "[limits]\ntime = 60\nmemory = '1GiB'\noutput = 2000\n"
    )
    settings = world.load(LLMSPELL_PROFILE="strict")
    limits = settings.limits
    assert (limits.time, limits.memory, limits.output) == (30, 256 * 2**20, 2000)
    assert limits.instructions is not None
    assert limits.call_depth is not None
    assert settings.grants.entries() == [
        ("tools", "calculator"),
        ("tools", "datetime_*"),
        ("tools", "json_*"),
        ("providers", "local"),
    ]
    assert not settings.asks
    assert {entry.key for entry in settings.ignored} == {
        "grants.http",
        "grants.providers",
        "limits.time",
        "limits.memory",
    }
    assert any("(LLMSPELL_GRANT_HTTP)" in notice for notice in settings.notices())


def test_under_strict_the_environment_still_counts(world: World) -> None:
    settings = world.load(LLMSPELL_PROFILE="strict", LLMSPELL_GRANT_HTTP="a.org", LLMSPELL_TIME_LIMIT="90")
    assert settings.limits.time == 90
    assert settings.grants.target("https://a.org")


def test_standard_asks_and_trusted_does_not(world: World) -> None:
    assert world.load().asks
    settings = world.load(LLMSPELL_PROFILE="trusted")
    assert not settings.asks
    assert settings.grants.allows("mcp", "anything")
    assert not world.load().grants.allows("mcp", "anything")


# Grants


def test_grants_of_several_sources_add_up(world: World) -> None:
    world.user("[grants]\nhttp = ['a.org']\n")
    world.ship("[grants]\nhttp = ['b.org', 'a.org']\n", trusted=True)
    settings = world.load(LLMSPELL_GRANT_HTTP="c.org,127.0.0.1:*")
    hosts = [entry for kind, entry in settings.grants.entries() if kind == "http"]
    assert hosts == ["a.org", "b.org", "c.org", "127.0.0.1:*"]
    assert {line.key: line.source for line in settings.explain()}["grants.http"] == (
        f"{world.places.config}:2, {world.toml}:2, LLMSPELL_GRANT_HTTP"
    )


def test_none_drops_what_came_before(world: World) -> None:
    world.user("[grants]\nhttp = ['a.org']\n")
    assert world.load(LLMSPELL_GRANT_HTTP="none").grants.entries() == [("tools", "*"), ("providers", "*")]
    hosts = world.load(LLMSPELL_GRANT_HTTP="none,b.org").grants.entries()
    assert ("http", "b.org") in hosts
    assert ("http", "a.org") not in hosts


def test_what_is_written_replaces_what_the_profile_grants(world: World) -> None:
    grants = world.load(LLMSPELL_GRANT_PROVIDERS="ollama").grants
    assert grants.allows("providers", "ollama")
    assert not grants.allows("providers", "openai")


def test_relative_paths_start_where_they_are_written(world: World) -> None:
    world.user("[grants]\nfiles = ['read:here']\n")
    world.ship("[grants]\nfiles = ['read:data']\n", trusted=True)
    entries = world.load(LLMSPELL_GRANT_FILES="read:./data,write:./out").grants.entries()
    assert [entry for kind, entry in entries if kind == "files"] == [
        f"read:{world.folder / 'here'}",
        f"read:{world.project / 'data'}",
        f"read:{world.folder / 'data'}",
        f"write:{world.folder / 'out'}",
    ]


def test_our_own_files_are_closed_to_a_grant_of_everything(world: World) -> None:
    world.user("")
    world.ship("")
    grants = world.load(LLMSPELL_GRANT_FILES="write:/").grants
    for own in (world.places.config, world.places.trust, world.toml):
        with pytest.raises(WorldError, match="closed to every grant"):
            grants.locate(str(own), write=True)
    grants.locate(str(world.project / "other.toml"), write=True)


def test_another_configuration_file_does_not_close_its_folder(world: World) -> None:
    places = Places(config=world.folder / "my.toml", data=world.places.data)
    grants = Settings.load(world.folder, {"LLMSPELL_GRANT_FILES": "write:."}, places).grants
    grants.locate("notes.txt", write=True)
    with pytest.raises(WorldError):
        grants.locate("my.toml", write=True)


# Providers, MCP servers, secrets


def test_what_model_sdks_read_is_read(world: World) -> None:
    settings = world.load(
        OPENAI_BASE_URL="http://127.0.0.1:8080/v1/", OPENAI_API_KEY=KEY, ANTHROPIC_API_KEY="other-" + KEY
    )
    openai = settings.providers["openai"]
    assert openai.base_url == "http://127.0.0.1:8080/v1"
    assert openai.api_key is not None
    assert openai.api_key.reveal() == KEY
    anthropic = settings.providers["anthropic"].api_key
    assert anthropic is not None
    assert anthropic.reveal() == "other-" + KEY
    assert settings.providers["ollama"].base_url is None


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        (":1234", "http://127.0.0.1:1234"),
        ("http://gpu", "http://gpu:80"),
        ("https://gpu/ollama/", "https://gpu:443/ollama"),
        ("[::]:5", "http://[::1]:5"),
    ],
)
def test_ollamas_variable_is_read_in_all_its_forms(world: World, host: str, url: str) -> None:
    assert world.load(OLLAMA_HOST=host).providers["ollama"].base_url == url


def test_a_provider_may_have_its_own_address_key_and_model(world: World) -> None:
    world.user("[providers.lab]\nbase_url = 'http://gpu:8000/v1'\napi_key_env = 'LAB_KEY'\nmodel = 'big'\n")
    lab = world.load(LAB_KEY=KEY).providers["lab"]
    assert (lab.base_url, lab.model) == ("http://gpu:8000/v1", "big")
    assert lab.api_key is not None
    assert lab.api_key.source == "LAB_KEY"
    assert world.load().providers["lab"].api_key is None


def test_the_environment_goes_over_one_field_of_a_provider(world: World) -> None:
    world.user("[providers.openai]\nbase_url = 'http://a/v1'\nmodel = 'm'\n")
    openai = world.load(OPENAI_BASE_URL="http://b/v1").providers["openai"]
    assert (openai.base_url, openai.model) == ("http://b/v1", "m")


@pytest.mark.parametrize("env", ["5", "'x'", "{ A = 1 }", "[]"])
def test_an_mcp_environment_is_a_table_of_texts(world: World, env: str) -> None:
    world.user(f"[mcp.m]\ncommand = 'x'\nenv = {env}\n")
    message = 'mcp.m.env: expected a table of texts, like { NAME = "value" }'
    assert str(problem(world)) == f"{world.places.config}:3: {message}"


def test_an_mcp_server_takes_named_secrets(world: World) -> None:
    world.user(
        "[mcp.git]\ncommand = 'uvx'\nargs = ['mcp-server-git']\n"
        "env = { TOKEN = '$GITHUB_TOKEN', MODE = 'fast', GONE = '$NOT_SET' }\n"
        "[mcp.web]\nurl = 'https://mcp.example/x'\n"
    )
    settings = world.load(GITHUB_TOKEN=KEY)
    git = settings.mcp["git"]
    assert {name: value.reveal() for name, value in git.env.items()} == {"TOKEN": KEY, "MODE": "fast"}
    assert git.args == ("mcp-server-git",)
    assert settings.mcp["web"].url == "https://mcp.example/x"
    assert [(entry.key, entry.reason) for entry in settings.ignored] == [
        ("mcp.git.env", "$NOT_SET is not set")
    ]


def test_a_declared_secret_is_found_by_its_name(world: World) -> None:
    world.user(
        f"[secrets.GITHUB]\nvalue = '{KEY}'\nhosts = ['api.github.com']\n[secrets.lab]\nenv = 'LAB_KEY'\n"
    )
    settings = world.load(LAB_KEY="planted-too-123")
    found = settings.vault.secret("GITHUB")
    assert found is not None
    assert (found.reveal(), found.source) == (KEY, f"{world.places.config}:2")
    assert settings.secrets["GITHUB"].hosts == ("api.github.com",)
    lab = settings.vault.secret("lab")
    assert lab is not None
    assert lab.reveal() == "planted-too-123"
    assert settings.vault.secret("nothing") is None


def test_a_key_pasted_in_place_of_its_variables_name_is_not_shown(world: World) -> None:
    world.user(f"[providers.openai]\napi_key_env = '{KEY}'\n")
    found = problem(world)
    assert "the name of a variable in capitals" in str(found)
    assert KEY not in str(found.fields())


def test_no_secret_shows_anywhere(world: World) -> None:
    world.user(
        f"[secrets.a]\nvalue = '{KEY}1'\n[mcp.m]\ncommand = 'x'\nenv = {{ A = '{KEY}2', B = '$MY_TOKEN' }}\n"
        "[providers.p]\nbase_url = 'https://p'\napi_key_env = 'ORDINARY'\n"
    )
    settings = world.load(OPENAI_API_KEY=f"{KEY}3", MY_TOKEN=f"{KEY}4", ORDINARY=f"{KEY}5", GRANTED="ok")
    everything = [f"{settings}", f"{settings.vault}", str(settings.explain()), str(settings.notices())]
    everything += [repr(getattr(settings, name)) for name in settings.__struct_fields__]
    assert not any(KEY in text for text in everything)
    assert settings.vault.variable("GRANTED") == "ok"
    lines = {line.key: line.value for line in settings.explain()}
    assert lines["providers.openai.api_key"] == "set (OPENAI_API_KEY)"
    assert lines["providers.anthropic.api_key"] == "not set (ANTHROPIC_API_KEY)"
    assert lines["mcp.m.env"] == "A, B"
    text = " ".join(f"<{KEY}{n}>" for n in range(1, 6))
    redacted = settings.vault.redact(text + " and ok")
    assert KEY not in redacted
    assert redacted.endswith("and ok")
    assert "[secret OPENAI_API_KEY]" in redacted
    for unsafe in (pickle.dumps, copy.deepcopy, msgspec.json.encode, msgspec.msgpack.encode):
        with pytest.raises(TypeError):
            unsafe(settings)
        with pytest.raises(TypeError):
            unsafe(settings.vault)
        with pytest.raises(TypeError):
            unsafe(Secret(KEY, "x"))


def test_a_text_without_secrets_is_left_as_it_is(world: World) -> None:
    assert world.load().vault.redact("plain") == "plain"
    assert world.load(MY_TOKEN="abc").vault.redact("abc") == "abc"  # too short to be one


# Showing


def test_each_value_is_shown_with_its_source(world: World) -> None:
    world.user("[limits]\noutput = '2 MiB'\n")
    world.ship("[cells]\nsession_locals = false\n")
    shown = world.sources(LLMSPELL_TIME_LIMIT="90", LLMSPELL_PROFILE="strict")
    assert shown["limits.time"] == ("90 s", "LLMSPELL_TIME_LIMIT")
    assert shown["limits.memory"] == ("256 MiB", "profile strict")
    assert shown["limits.grace"] == ("1 s", "default")
    assert shown["cells.session_locals"] == ("off", f"{world.toml}:2")
    assert shown["profile"] == ("strict", "LLMSPELL_PROFILE")
    assert shown["model.provider"] == ("none", "default")
    assert shown["storage.folder"][0].startswith(str(world.places.data))
    assert list(ROWS) == [key for key in shown if key in ROWS]


def test_a_limit_says_how_to_raise_it(world: World) -> None:
    error = world.load(LLMSPELL_TIME_LIMIT="30").limit_exceeded("time")
    assert str(error) == "time limit reached (30 s)"
    written = f'set time = "60 s" under [limits] in {world.places.config}'
    assert error.suggestion == f"to raise it, {written}, or start with LLMSPELL_TIME_LIMIT=60"
    error = world.load(LLMSPELL_PROFILE="strict").limit_exceeded("memory")
    assert (str(error), error.value, error.unit) == ("memory limit reached (256 MiB)", 2**28, "bytes")
    assert error.suggestion == "to raise it, start with LLMSPELL_MEMORY_LIMIT=536870912"
    with pytest.raises(KeyError):
        world.load().limit_exceeded("instructions")


def test_a_file_below_ones_home_is_named_as_one_writes_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: world.places.config.parent)
    suggestion = world.load(LLMSPELL_TIME_LIMIT="30").limit_exceeded("time").suggestion or ""
    assert f"in ~/{world.places.config.name}, or" in suggestion


@pytest.mark.parametrize("name", [key.removeprefix("limits.") for key in ROWS if key.startswith("limits.")])
def test_what_a_limits_suggestion_says_raises_it(world: World, name: str) -> None:
    error = world.load(LLMSPELL_PROFILE="strict").limit_exceeded(name)
    assert error.suggestion is not None
    variable, _, value = error.suggestion.rpartition(" ")[2].partition("=")
    raised = world.load(**{"LLMSPELL_PROFILE": "strict", variable: value})
    assert getattr(raised.limits, name) == 2 * error.value
    standard = world.load(**{variable: value}).limit_exceeded(name)
    line = (standard.suggestion or "").partition("set ")[2].partition(" under")[0]
    world.user(f"[limits]\n{line}\n")
    assert getattr(world.load().limits, name) == 2 * standard.value


def test_the_reference_lists_every_setting_once() -> None:
    lines = reference().splitlines()
    keys = [line.split("`")[1] for line in lines[2:]]
    assert keys == [*ROWS, *NAMED_ROWS]
    assert (
        "| `limits.time` | `LLMSPELL_TIME_LIMIT` | seconds | none | 30 s | time that a cell may run |"
        in lines
    )
    assert all(line.count("|") - line.count("\\|") == 7 for line in lines)


def test_no_variable_serves_two_settings() -> None:
    assert len(VARIABLES) == len(ROWS)


def test_storage_is_apart_for_each_project(world: World, tmp_path: Path) -> None:
    other = tmp_path / "other" / "notebooks"
    other.mkdir(parents=True)
    one = world.load().storage.folder
    two = Settings.load(other, {}, world.places).storage.folder
    assert one != two
    world.ship("")
    assert world.load().storage.folder.name.startswith("project-")
    assert not one.is_relative_to(world.project)


@pytest.mark.skipif(os.name == "nt", reason="bytes in file names are POSIX")
def test_a_folder_whose_name_is_not_text_works(tmp_path: Path) -> None:
    World(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))).load()
