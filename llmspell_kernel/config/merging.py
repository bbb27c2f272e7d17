"""The layers laid over each other: which entry counts, which is ignored, which is wrong."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from llmspell_kernel.config.kinds import SECRET, SECRETS, VARIABLE, is_none
from llmspell_kernel.config.secrets import Secret
from llmspell_kernel.config.sections import NAMED, PROFILE_VALUES, PROFILES, SECTIONS, Power, Profile
from llmspell_kernel.config.sources import Entry, Layer
from llmspell_kernel.config.table import ROWS, Row, find, nearest_key
from llmspell_kernel.grants import Kind, normal_entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmspell_kernel.errors import ConfigError
    from llmspell_kernel.trust import TrustState

_TABLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Ignored(msgspec.Struct, frozen=True):
    """Something that was written but does not count.

    Attributes:
        key: The setting.
        source: Where it was written.
        reason: Why it does not count.
        command: What the person can run to make it count, if there is such a thing.
    """

    key: str
    source: str
    reason: str
    command: str | None = None


class Merger:
    """Lays entries over the defaults and the profile.

    Args:
        entries: What the layers say, the weakest first.
        trust: Whether the person trusts the project file.

    Attributes:
        profile: The profile.
        values: Each setting's value by key.
        sources: Where it came from.
        named: The tables of tables: section, name, field, value.
        named_entries: What was written for each of those, by dotted key.
        ignored: What does not count.
        problems: What is wrong.
    """

    def __init__(self, entries: Sequence[Entry], trust: TrustState) -> None:
        self._trust: TrustState = trust
        self._owners: dict[tuple[str, str], Layer] = {}
        self._given: set[str] = set()
        self.ignored: list[Ignored] = []
        self.problems: list[ConfigError] = []
        self.profile: Profile = "standard"
        self.values: dict[str, object] = {}
        self.sources: dict[str, str] = {}
        self.named: dict[str, dict[str, dict[str, object]]] = {section: {} for section in NAMED}
        self.named_entries: dict[str, Entry] = {}

        source = self._choose_profile([entry for entry in entries if entry.key == "profile"])
        for row in ROWS.values():
            of_profile = PROFILE_VALUES[self.profile]
            self.values[row.key] = of_profile.get(row.key, row.default)
            self.sources[row.key] = f"profile {self.profile}" if row.key in of_profile else "default"
        self.values["profile"], self.sources["profile"] = self.profile, source
        for entry in entries:
            if entry.key != "profile":
                self._apply(entry)

    def _choose_profile(self, entries: Sequence[Entry]) -> str:
        """Set the profile and return its source. A profile that cannot be read means the strict one."""
        source = "default"
        for entry in entries:
            value = self._read(ROWS["profile"], entry)
            chosen = cast("Profile", value) if value is not None else PROFILES[0]
            looser = PROFILES.index(chosen) > PROFILES.index(self.profile)
            if looser and self._untrusted(entry):
                self._ignore(entry, *self._why_untrusted(entry))
                continue
            self.profile, source = chosen, entry.source
        return source

    def _apply(self, entry: Entry) -> None:
        row = find(entry.path)
        if row is None:
            self.problems.append(_unknown(entry))
            return
        value = self._read(row, entry)
        refusal = self._refusal(row, entry, value)
        if refusal:
            self._ignore(entry, *refusal)
        elif value is None and row.default is not None:
            return  # It was wrong, and the problem is noted.
        elif entry.path[0] == "grants":
            self._grant(entry, cast("tuple[str, ...]", value))
        elif entry.path[0] in NAMED:
            self._set_named(entry, value)
        else:
            self.values[entry.key], self.sources[entry.key] = value, entry.source

    def _read(self, row: Row, entry: Entry) -> object:
        """Return the value of an entry, or None, noting the problem, if it is wrong."""
        try:
            value = row.read(entry.value)
        except ValueError as error:
            hidden = row.setting.kind in (SECRET, SECRETS, VARIABLE)
            got = "" if hidden else f", not {_short(entry.value)}"
            self.problems.append(entry.error(f"{entry.key}: expected {error}{got}"))
            return None
        if isinstance(value, Path):
            return entry.base / value
        if isinstance(value, Secret):
            return Secret(value.reveal(), entry.source)
        return value

    def _refusal(self, row: Row, entry: Entry, value: object) -> tuple[str, str | None] | None:
        """Return why an entry does not count and what makes it count, or None if it counts."""
        power = row.setting.power
        looser = power is Power.TIGHTEN and not within(value, self.values.get(row.key))
        if self._untrusted(entry) and (power is Power.TRUSTED or looser):
            return self._why_untrusted(entry)
        if self.profile == "strict" and entry.layer is not Layer.ENVIRONMENT:
            if entry.path[0] == "grants":
                return f"the strict profile takes grants from the environment alone ({row.variable})", None
            if looser:
                return f"the strict profile is tighter; the environment may loosen it ({row.variable})", None
        return None

    def _untrusted(self, entry: Entry) -> bool:
        return entry.layer is Layer.PROJECT and self._trust != "trusted"

    def _why_untrusted(self, entry: Entry) -> tuple[str, str]:
        file = entry.document.file if entry.document else Path()
        changed = self._trust == "changed"
        reason = "the file has changed since you trusted it" if changed else "you have not trusted the file"
        return reason, f"llmspell trust {shlex.quote(str(file))}"

    def _ignore(self, entry: Entry, reason: str, command: str | None) -> None:
        self.ignored.append(Ignored(entry.key, entry.source, reason, command))

    def _grant(self, entry: Entry, words: tuple[str, ...]) -> None:
        """Add grants: what is written replaces the profile's, what several sources write adds up."""
        kind = cast("Kind", entry.path[1])
        key = entry.key
        cleared = is_none(entry.value) or any(map(is_none, words))
        if cleared or key not in self._given:
            self.values[key], self.sources[key] = (), ""
        while any(map(is_none, words)):
            words = words[next(i for i, word in enumerate(words) if is_none(word)) + 1 :]
        self._given.add(key)
        held = list(cast("tuple[str, ...]", self.values[key]))
        for word in words:
            try:
                held.append(normal_entry(kind, word, entry.base))
            except ValueError as error:
                self.problems.append(entry.error(f"{key}: {error}"))
        self.values[key] = tuple(dict.fromkeys(held))
        self.sources[key] = ", ".join(filter(None, (self.sources[key], entry.source)))

    def _set_named(self, entry: Entry, value: object) -> None:
        """Set a field of `[mcp.NAME]` and the like; a later file's table replaces an earlier one whole."""
        section, name, field = entry.path
        if not _TABLE_NAME.fullmatch(name):
            self.problems.append(entry.error(f"{_short(name)} is no name: use letters, digits, _ and -"))
            return
        owner = self._owners.setdefault((section, name), entry.layer)
        if entry.layer is not owner and entry.layer is not Layer.ENVIRONMENT:
            self._owners[section, name] = entry.layer
            self.named[section].pop(name, None)
        self.named[section].setdefault(name, {})[field] = value
        self.named_entries[entry.key] = entry


def within(value: object, bound: object) -> bool:
    """Tell whether a limit is not looser than another; None is no limit."""
    if value is None or bound is None:
        return bound is None
    return cast("float", value) <= cast("float", bound)


def _unknown(entry: Entry) -> ConfigError:
    """Return the error for a key that is no setting, or a table where there is none."""
    section = entry.path[0]
    if entry.key in SECTIONS or (section in NAMED and len(entry.path) < 3):
        table = f"[{section}.NAME]" if section in NAMED else f"[{section}]"
        return entry.error(f"{entry.key}: expected a table, {table}")
    nearest = nearest_key(entry.path)
    above = nearest is not None and "." not in nearest and len(entry.path) > 1
    where = ", above the first table" if above else ""
    suggestion = f"did you mean {nearest}{where}?" if nearest else None
    return entry.error(f"unknown setting {_short(entry.key)[1:-1]}", suggestion)


def _short(value: object) -> str:
    """Return a value as a person wrote it, cut short."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…" + text[-1]
