"""CSV both ways, with its dialect."""

from __future__ import annotations

import csv
import io
import re
from typing import Any, cast

import msgspec

from llmspell_kernel.bridges.arguments import format_number
from llmspell_kernel.bridges.given import Given
from llmspell_kernel.errors import BadArgument, WorldError

_NUMBER = re.compile(r"[-+]?(\d+|\d+\.\d*|\.\d+)([eE][-+]?\d+)?\Z")
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
            if mark != "auto" and (len(mark) != 1 or mark in "\r\n"):
                raise BadArgument(f"bad option '{key}' to '{name}' (one character expected)")
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
        if not self.header:
            return [[self._field(field) for field in row] for row in rows]
        names = self.columns or (rows[0] if rows else [])
        return [self._record(names, row) for row in rows[1:]]

    def _record(self, names: list[str], row: list[str]) -> dict[Any, Any]:
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
        columns = self.columns or sorted(
            {str(key) for row in rows if isinstance(row, dict) for key in cast("dict[Any, Any]", row)}
        )
        target = io.StringIO(newline="")
        writer = csv.writer(
            target,
            delimiter="," if self.delimiter == "auto" else self.delimiter,
            quotechar=self.quote,
            lineterminator="\n",
        )
        if self.header and columns:
            writer.writerow(columns)
        for number, row in enumerate(rows, 1):
            writer.writerow(self._fields(row, number, columns))
        return target.getvalue()

    def _fields(self, row: Any, number: int, columns: list[str]) -> list[str]:
        if isinstance(row, dict):
            table = cast("dict[Any, Any]", row)
            values: list[Any] = [table.get(name) for name in columns]
        elif isinstance(row, list):
            values = cast("list[Any]", row)
        else:
            raise BadArgument(f"bad argument #1 to 'data.to_csv' (row {number}: a table expected)")
        return [_shown(value, number) for value in values]


def _shown(value: Any, row: int) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return format_number(value)
    if isinstance(value, str):
        return value
    raise BadArgument(
        f"bad argument #1 to 'data.to_csv' (row {row}: a field is a string, a number or a boolean, no table)"
    )


def _guessed(text: str) -> str:
    first = text.lstrip("\ufeff\r\n").partition("\n")[0]
    return max(",;\t|", key=first.count)
