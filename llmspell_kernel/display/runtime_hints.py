"""Advice for what failed while it ran: misspelt names, values that are nil, other languages' functions."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from llmspell_kernel.display.hints import Names, Rule, Situation, first_advice
from llmspell_kernel.display.place import Culprit, culprit_of, find, without_literals

if TYPE_CHECKING:
    from collections.abc import Iterable

_STANDARD = {
    "": "assert collectgarbage error getmetatable ipairs load next pairs pcall print rawequal rawget rawlen"
    " rawset require select setmetatable tonumber tostring type xpcall coroutine io math os string table"
    " utf8 display clear_output input",
    "string": "byte char find format gmatch gsub len lower match pack packsize rep reverse sub unpack upper",
    "table": "concat insert move pack remove sort unpack",
    "math": "abs acos asin atan ceil cos deg exp floor fmod huge log max maxinteger min mininteger modf"
    " pi rad random randomseed sin sqrt tan tointeger type ult",
    "utf8": "char charpattern codepoint codes len offset",
    "coroutine": "close create isyieldable resume running status wrap yield",
    "io": "lines open read stderr write",
    "os": "clock date difftime exit getenv time",
}
"""Names that are always there; the session knows those of the modules."""

_ABSENT = {
    "bit32": "`bit32` is not there: Lua 5.4 has the operators `&`, `|`, `~`, `<<`, `>>`",
    "crypto": "`crypto` is not there: `require('core').crypto` has `hash`, `uuid` and base 64",
    "debug": "`debug` is not there: cells run in a sandbox",
    "dofile": "`dofile` is not there: cells run in a sandbox; `require` loads modules",
    "loadfile": "`loadfile` is not there: cells run in a sandbox; `require` loads modules",
    "fs": "`fs` is not there: `storage` keeps files, and `io.open` opens those of granted folders",
    "module": "`module` is not there: let the file end with `return` and a table of what is in it",
    "setfenv": "`setfenv` is not there: Lua 5.4 has `load(text, name, 't', env)` and `local _ENV`",
    "io.popen": "`io.popen` is not there: cells cannot start programs",
    "os.execute": "`os.execute` is not there: cells cannot start programs",
    "string.dump": "`string.dump` is not there: binary chunks are not allowed",
}

_FOREIGN = {
    "len": "the length of `x` is `#x`",
    "str": "a value becomes text with `tostring(x)`",
    "int": "text becomes a number with `tonumber(s)`; `math.floor(x)` rounds down",
    "float": "text becomes a number with `tonumber(s)`",
    "range": "write `for i = 1, 10 do … end`",
    "enumerate": "write `for index, value in ipairs(t) do … end`",
    "printf": "write `print(string.format(…))`",
    "sprintf": "write `string.format(…)`",
    "echo": "write `print(…)`",
    "console": "write `print(…)`",
    "isinstance": 'write `type(x) == "table"` and the like',
    "typeof": "write `type(x)`",
    "parseInt": "write `tonumber(s)`",
    "sleep": "write `async.sleep(seconds)`",
    "JSON": "write `json.encode(…)` and `json.decode(…)`",
    "None": "`None` is written `nil`",
    "null": "`null` is written `nil`",
    "undefined": "`undefined` is written `nil`",
    "True": "`True` is written `true`",
    "False": "`False` is written `false`",
    "this": "`this` is written `self`, in functions declared with a colon: `function t:name() … end`",
    "new": "Lua has no `new`: call the function that makes the value",
    "f": "Lua has no f-strings: use string.format or `..`",
}
"""Global names of other languages, and what Lua has instead."""

_SELF = "`self` is nil: call the function with a colon, `object:method(…)`, and declare it with one"

RULES = (
    Rule(
        r"attempt to call a table value \(for iterator",
        "`for … in` needs an iterator: `pairs(t)` or `ipairs(t)`",
    ),
    Rule(
        r"for iterator 'for iterator' is not callable",
        "`for … in` needs an iterator: `pairs(t)` or `ipairs(t)`",
    ),
    Rule(
        "attempt to call a table value",
        "to go through a table write `pairs(t)` or `ipairs(t)`",
        line=r"\bfor\b.*\bin\b",
    ),
    Rule(r"attempt to index a nil value \((?:local|global|upvalue) 'self'\)", _SELF),
    Rule(r"calling '(?P<name>\w+)' on bad self", "call it with a colon: `object:{name}(…)`"),
    Rule(
        r"bad argument #\d+ to 'for iterator' \(table expected, got nil\)",
        "what the loop goes through is nil",
    ),
    Rule(
        r"bad argument #1 to '(?P<name>ipairs|pairs)' \(table expected, got nil\)",
        "what `{name}` was given is nil",
    ),
    Rule(
        "attempt to compare (?:number with nil|nil with number)",
        "one side is nil: give it a value first, or compare `(x or 0)`",
    ),
    Rule("attempt to compare two nil values", "both sides are nil: only numbers and strings have an order"),
    Rule(
        "attempt to compare (?:number with string|string with number)",
        "turn the text into a number first: `tonumber(s)`",
    ),
    Rule(
        "attempt to compare two (?P<kind>table|boolean|function) values",
        "only numbers and strings have an order; `==` compares anything",
    ),
    Rule("attempt to add a ", "text is joined with `..`; `+` adds numbers"),
    Rule(
        r"attempt to perform arithmetic on a (?:string|nil) value",
        "text is joined with `..`; `+` adds numbers",
        line=r"""["']\s*\+|\+\s*["']""",
    ),
    Rule(
        r"attempt to \w+ a '\w+' with a '\w+'",
        "text that is no number has no arithmetic: `tonumber(s)` is nil for it",
    ),
    Rule(
        "attempt to perform arithmetic on a string value",
        "this text is no number: `tonumber(s)` gives nil for it",
    ),
    Rule(
        r"attempt to perform arithmetic on a nil value \(\w+ '(?P<name>\w+)'\)",
        "`{name}` is nil: give it a value first, or write `({name} or 0)`",
    ),
    Rule(
        "attempt to perform arithmetic on a nil value",
        "one side is nil: give it a value first, or write `(x or 0)`",
    ),
    Rule(
        r"attempt to concatenate a nil value \(\w+ '(?P<name>\w+)'\)",
        '`{name}` is nil: write `tostring({name})`, or `({name} or "")`',
    ),
    Rule("attempt to concatenate a nil value", 'one part is nil: write `tostring(x)`, or `(x or "")`'),
    Rule(
        "attempt to concatenate a table value",
        'write `table.concat(t, ", ")` for a list, `json.encode(t)` for any table',
    ),
    Rule("attempt to concatenate a (?P<kind>boolean|function) value", "write `tostring(x)`"),
    Rule(
        "attempt to get length of a nil value",
        "nil has no length: give it a value first, or write `#(x or {{}})`",
    ),
    Rule(
        "attempt to get length of a number value",
        "a number has no length; `#tostring(x)` counts its characters",
    ),
    Rule("attempt to call a string value", "two strings side by side are a call: join them with `..`"),
    Rule(
        "attempt to call a number value",
        "a number was called like a function: is an operator missing before the parenthesis?",
    ),
    Rule("number has no integer representation", "a whole number is needed: `math.floor(x)` or `//`"),
    Rule(
        "attempt to perform 'n(?://|%%)0'|attempt to divide by zero",
        "whole numbers cannot be divided by zero",
    ),
    Rule(
        "bad 'for' |'for' .* must be a number",
        "the bounds of a `for` are numbers: `tonumber(s)` turns text into one",
    ),
    Rule("table index is nil", "no key can be nil: the value that was to be the key is missing"),
    Rule("C stack overflow", "functions in Lua's own library, or metamethods, call each other too deeply"),
    Rule("stack overflow", "a function calls itself without end: what should stop it?"),
    Rule(
        "variable '(?P<name>\\w+)' got a non-closable value",
        "a `<close>` variable needs a value with a `__close` metamethod",
    ),
    Rule(
        "attempt to yield from outside a coroutine",
        "`coroutine.yield` works inside a coroutine: see coroutine.wrap",
    ),
    Rule(
        "not enough memory",
        "LLMSPELL_MEMORY_LIMIT (bytes), or memory under [limits] in llmspell.toml, raises the limit",
    ),
)


def _nearest(name: str, candidates: Iterable[str], closeness: float = 0.62) -> str | None:
    names = [candidate for candidate in candidates if candidate != name]
    for candidate in names:
        if candidate.lower() == name.lower():
            return candidate
    # a transposition in a short word is more than half of it to difflib
    shuffled = [candidate for candidate in names if len(name) > 2 and sorted(candidate) == sorted(name)]
    close = shuffled or get_close_matches(name, names, 1, closeness)
    return close[0] if close else None


def _known(expression: str, known_names: Names) -> list[str]:
    return list(dict.fromkeys([*known_names(expression), *_STANDARD.get(expression, "").split()]))


def _receiver(culprit: Culprit, line: str) -> str | None:
    """Return the expression before the field or method, if all places on the line agree on it."""
    text = without_literals(line)
    column = find(culprit, line)
    pattern = re.compile(rf"([A-Za-z_]\w*(?:\.\w+)*)\s*[.:]\s*(?={re.escape(culprit.name)}\b)")
    found = {match[1] for match in pattern.finditer(text) if column is None or match.end() == column - 1}
    return found.pop() if len(found) == 1 else None


_LISTED = 12
"""Methods: of an object with more, a hint does not name them all."""


def _absent_member(culprit: Culprit, situation: Situation, known_names: Names) -> str | None:
    methods = situation.methods
    if near := _nearest(culprit.name, methods):
        return f"did you mean `{_receiver(culprit, situation.line) or ''}:{near}`?"
    if advice := _misspelt_field(culprit, situation.line, known_names, maybe_text=not methods):
        return advice
    if 0 < len(methods) <= _LISTED:
        return "there are the methods " + ", ".join(f"`{method}`" for method in methods)
    return None


def _misspelt_field(culprit: Culprit, line: str, known_names: Names, *, maybe_text: bool) -> str | None:
    receiver = _receiver(culprit, line)
    if receiver is None:
        return None
    if f"{receiver}.{culprit.name}" in _ABSENT:
        return _ABSENT[f"{receiver}.{culprit.name}"]
    near = _nearest(culprit.name, _known(receiver, known_names))
    if near:
        joint = ":" if culprit.kind == "method" else "."
        return f"did you mean `{receiver}{joint}{near}`?"
    if (
        maybe_text
        and culprit.kind == "method"
        and (near := _nearest(culprit.name, _STANDARD["string"].split(), 0.75))
    ):
        return f"did you mean `{receiver}:{near}`?"
    return None


_ASSIGNED = re.compile(r"(?:\blocal[ \t]+|\bfunction[ \t]+|^[ \t]*)([A-Za-z_]\w*)[ \t]*[=(,]", re.MULTILINE)
_SEARCHED = 100_000
_CANDIDATES = 1000


def _misspelt_name(culprit: Culprit, source: str, known_names: Names) -> str | None:
    name = culprit.name
    if name in _ABSENT:
        return _ABSENT[name]
    known = _known("", known_names)
    if name in _FOREIGN and name not in known:
        return _FOREIGN[name]
    assigned = list(dict.fromkeys(_ASSIGNED.findall(source[:_SEARCHED])))[:_CANDIDATES]
    near = _nearest(name, [*known, *assigned])
    return f"did you mean `{near}`?" if near else None


def runtime_hint(situation: Situation, source: str, known_names: Names) -> str | None:
    """Return advice for an error that Lua raised while the cell ran."""
    message = situation.message
    culprit = culprit_of(message)
    if culprit and "nil value" in message:
        if culprit.kind in ("field", "method"):
            advice = _absent_member(culprit, situation, known_names)
        elif culprit.kind == "global":
            advice = _misspelt_name(culprit, source, known_names)
        else:
            advice = None
        if advice:
            return advice
    if match := re.match(r"module '([\w.]+)' not found", message):
        near = _nearest(match[1], known_names(""))
        return f'did you mean `require "{near}"`?' if near else None
    return first_advice(RULES, situation)
