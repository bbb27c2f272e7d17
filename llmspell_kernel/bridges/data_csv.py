"""CSV both ways, with its dialect."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from itertools import count
from typing import Any, cast

import msgspec

from llmspell_kernel.bridges.arguments import lua_type as type_of
from llmspell_kernel.bridges.given import Given
from llmspell_kernel.engine.values import BooleanKey
from llmspell_kernel.errors import BadArgument, WorldError

_NUMBER = re.compile(r"[-+]?(\d+|\d+\.\d*|\.\d+)([eE][-+]?\d+)?\Z")
_MOST_FIELDS = 16384
"""Of a row that is a list with gaps."""
_KEYS = ("columns", "delimiter", "header", "numbers", "quote")

csv.field_size_limit(64 * 2**20)


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How a text's fields are told apart, and what becomes of them."""

    delimiter: str = ","
    quote: str = '"'
    header: bool = True
    numbers: bool = False
    columns: list[str] | None = None

    @classmethod
    def of(cls, name: str, options: dict[str, Any]) -> Dialect:
        """Read a Lua table of options; raises `BadArgument`."""
        given = Given(name, options, _KEYS)
        columns = given.listed("columns")
        if not all(isinstance(column, str) for column in columns):
            raise BadArgument(f"bad option 'columns' to '{name}' (a list of strings expected)")
        dialect = cls(
            delimiter=given.text("delimiter", ","),
            quote=given.text("quote", '"'),
            header=given.flag("header", default=True),
            numbers=given.flag("numbers", default=False),
            columns=columns if "columns" in options else None,
        )
        for key, mark in (("delimiter", dialect.delimiter), ("quote", dialect.quote)):
            guessed = key == "delimiter" and mark == "auto"
            if not guessed and (len(mark) != 1 or mark in "\r\n"):
                raise BadArgument(f"bad option '{key}' to '{name}' (one character expected)")
        if dialect.delimiter == dialect.quote:
            raise BadArgument(f"bad option 'quote' to '{name}' (it is the delimiter too)")
        twice = _repeated(dialect.columns or [])
        if twice is not None:
            raise BadArgument(f"bad option 'columns' to '{name}' ('{twice}' is there twice)")
        return dialect

    def parse(self, text: str) -> list[Any]:
        """Return the rows, as records if they have a header; raises `WorldError` for what cannot be read."""
        delimiter = _guessed(text) if self.delimiter == "auto" else self.delimiter
        source = io.StringIO(text.removeprefix("\ufeff"), newline="")
        reader = csv.reader(source, delimiter=delimiter, quotechar=self.quote, strict=True)
        try:
            rows = [row for row in reader if row]
        except csv.Error as error:
            raise WorldError(
                f"not CSV: line {reader.line_num}: {error}",
                code="bad_csv",
                details={"line": reader.line_num},
            ) from error
        if not self.header and self.columns is None:
            return [[self._field(field) for field in row] for row in rows]
        first = rows[:1] if self.header else []
        names = self.columns or [key for row in first for key in _keys(row)]
        return [self._record(names, row) for row in rows[len(first) :]]

    def _record(self, names: Sequence[str | int], row: list[str]) -> dict[Any, Any]:
        record: dict[Any, Any] = {name: self._field(field) for name, field in zip(names, row, strict=False)}
        # fields beyond the names keep their number, so that nothing is lost
        record.update((index + 1, self._field(row[index])) for index in range(len(names), len(row)))
        return record

    def _field(self, field: str) -> Any:
        if not self.numbers or not _NUMBER.match(field):
            return field
        try:
            number = int(field)
        except ValueError:
            return float(field)
        return number if -(2**63) <= number < 2**63 else float(field)

    def write(self, rows: list[Any]) -> str:
        """Return rows as CSV; raises `BadArgument` for what has no place in one."""
        table = [_row(row, number) for number, row in enumerate(rows, 1)]
        columns = self.columns or _labels([row for row in table if isinstance(row, dict)])
        target = io.StringIO(newline="")
        writer = csv.writer(
            target,
            delimiter="," if self.delimiter == "auto" else self.delimiter,
            quotechar=self.quote,
            lineterminator="\n",
        )
        if self.header and columns:
            writer.writerow(columns)
        for row in table:
            writer.writerow([row.get(name, "") for name in columns] if isinstance(row, dict) else row)
        return target.getvalue()


def _keys(names: list[str]) -> list[str | int]:
    """The key of each column: its name; ``a_2`` for the second that is called ``a``; its number if it has no name."""
    taken, met = set(names), set[str]()
    keys: list[str | int] = []
    for number, name in enumerate(names, 1):
        key = name
        if name in met:
            key = next(other for n in count(2) if (other := f"{name}_{n}") not in taken)
            taken.add(key)
        met.add(name)
        keys.append(key if name else number)
    return keys


def _repeated(names: list[str]) -> str | None:
    met = set[str]()
    return next((name for name in names if name in met or met.add(name)), None)


# ── rows that are written ────────────────────────────────────────────────────────────────────────


def _row(row: Any, number: int) -> list[str] | dict[str, str]:
    """The fields of a row as they are written: a list, or by the label of their column."""
    if isinstance(row, list):
        items = enumerate(cast("list[Any]", row), 1)
        return [_shown(value, f"row {number}, field {index}") for index, value in items]
    if not isinstance(row, dict):
        raise _unfit(f"row {number}: a table expected, got {type_of(row)}")
    table = cast("dict[Any, Any]", row)
    if table and all(isinstance(key, int) and 1 <= key <= _MOST_FIELDS for key in table):  # a list with gaps
        places = range(1, max(table) + 1)
        return [_shown(table.get(index), f"row {number}, field {index}") for index in places]
    fields: dict[str, str] = {}
    for key, value in table.items():
        label = _label(key, number)
        if label in fields:
            raise _unfit(f"row {number}: two keys would both be the column '{label}'")
        fields[label] = _shown(value, f"row {number}, field '{label}'")
    return fields


def _labels(records: list[dict[str, str]]) -> list[str]:
    """The labels of all columns: names in their order, then the numbers of nameless columns."""
    return sorted({label for record in records for label in record}, key=_place)


def _place(label: str) -> tuple[int, str]:
    return (len(label) if label.isdecimal() else 0), label


def _label(key: Any, row: int) -> str:
    if isinstance(key, BooleanKey):
        return "true" if key.value else "false"
    if isinstance(key, int | float):
        return repr(key)
    if isinstance(key, str):
        return key
    raise _unfit(f"row {row}: a name is not UTF-8")


def _shown(value: Any, place: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)  # all its digits
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        raise _unfit(f"{place}: a string that is not UTF-8")
    raise _unfit(f"{place}: a string, number or boolean expected, got {type_of(value)}")


def _unfit(problem: str) -> BadArgument:
    return BadArgument(f"bad argument #1 to 'data.to_csv' ({problem})")


def _guessed(text: str) -> str:
    first = text.lstrip("\ufeff\r\n").partition("\n")[0]
    return max(",;\t|", key=first.count)
