"""The table of settings, made from the annotations of the sections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llmspell_kernel.config.kinds import is_none
from llmspell_kernel.config.sections import NAMED, PROFILE_VALUES, SECTIONS, Section, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = "NAME"
"""What stands for the name of a server, provider or secret in the keys of the table."""

CONFIG_VARIABLE = "LLMSPELL_CONFIG"
"""Where the user's configuration file is, if not in the usual place: the one variable that is no setting."""


class Row(msgspec.Struct, frozen=True):
    """A setting.

    Attributes:
        key: Its dotted name: `limits.time`, `mcp.NAME.command`.
        setting: What its annotation says.
        default: Its value when nobody sets it.
        variable: Its environment variable; empty if it has none.
    """

    key: str
    setting: Setting
    default: object
    variable: str

    def read(self, value: object) -> object:
        """Make the setting's value from what TOML or the environment holds.

        Raises:
            ValueError: It is not of the setting's kind; the message says what was expected.
        """
        if is_none(value) and (self.default is None or self.default == ()):
            return self.default
        found = self.setting.kind.read(value)
        least = self.setting.minimum
        if least is not None and isinstance(found, (int, float)) and found < least:
            raise ValueError(f"at least {self.setting.kind.show(int(least))}")
        return found

    def show(self, value: object) -> str:
        """Write a value of the setting as a person would."""
        return "none" if value is None else self.setting.kind.show(value)


def _rows(section: str, cls: type[Section]) -> Iterable[Row]:
    defaults = cls()
    for name, hint in cls.__annotations__.items():
        # What has no annotation is filled in by loading, not by a person.
        setting = next((m for m in getattr(hint, "__metadata__", ()) if isinstance(m, Setting)), None)
        if setting is not None:
            key = f"{section}.{name}" if section else name
            variable = "" if NAME in key else setting.env or _variable(section, name)
            yield Row(key, setting, getattr(defaults, name), variable)


def _variable(section: str, name: str) -> str:
    words = {"": name, "limits": f"{name}_limit", "grants": f"grant_{name}"}.get(section, f"{section}_{name}")
    return f"LLMSPELL_{words.upper()}"


ROWS: dict[str, Row] = {row.key: row for section, cls in SECTIONS.items() for row in _rows(section, cls)}
"""Settings by key, in the order of the reference."""

NAMED_ROWS: dict[str, Row] = {
    row.key: row for section, cls in NAMED.items() for row in _rows(f"{section}.{NAME}", cls)
}
"""Settings of the tables of tables, by key with `NAME` in it."""

VARIABLES: dict[str, Row] = {row.variable: row for row in ROWS.values()}
"""Settings by environment variable."""


def find(path: tuple[str, ...]) -> Row | None:
    """Return the setting at a path of a TOML document, if there is one."""
    if len(path) == 3 and path[0] in NAMED:
        return NAMED_ROWS.get(f"{path[0]}.{NAME}.{path[2]}")
    return ROWS.get(".".join(path))


def _closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """Return the known word that is spelt most alike, if one is."""
    import difflib  # Only where something is wrong, not at every start.

    return difflib.get_close_matches(word, list(known), 1, cutoff)


def nearest_key(path: tuple[str, ...]) -> str | None:
    """Return the known key that a wrong one most likely means, in spelling or in another table."""
    key = ".".join(path)
    if len(path) == 3 and path[0] in NAMED:
        pattern = f"{path[0]}.{NAME}.{path[2]}"
        match = _closest(pattern, NAMED_ROWS)
        return match[0].replace(NAME, path[1]) if match else None
    for known in ROWS:
        if known.rpartition(".")[2] == path[-1]:
            return known
    tables = [f"[{name}]" for name in (*SECTIONS, *NAMED) if name]
    match = _closest(key, ROWS, 0.7) or _closest(f"[{key}]", tables, 0.7)
    return match[0] if match else None


def nearest_variable(name: str) -> str | None:
    """Return the known environment variable that a wrong one most likely means."""
    match = _closest(name, [*VARIABLES, CONFIG_VARIABLE], 0.8)
    return match[0] if match else None


def reference() -> str:
    """Return every setting as rows of a Markdown table, for the reference."""
    lines = ["| setting | environment | kind | default | strict | what it is |", "|---|---|---|---|---|---|"]
    for row in (*ROWS.values(), *NAMED_ROWS.values()):
        standard = PROFILE_VALUES["standard"].get(row.key, row.default)
        strict = PROFILE_VALUES["strict"].get(row.key, row.default)
        cells = (
            f"`{row.key}`",
            f"`{row.variable}`" if row.variable else "",
            row.setting.kind.name,
            row.show(standard),
            row.show(strict) if strict != standard else "",
            row.setting.help,
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
