"""Arithmetic in a text, worked out without `eval`: numbers, operators and functions that cannot run for long."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from llmspell_kernel.errors import WorldError

_MOST_CHARACTERS = 2000
_MOST_BITS = 4096
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: operator.mod,
    ast.Pow: lambda a, b: a**b,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "max": max,
    "min": min,
    "round": round,
    **{
        name: getattr(math, name)
        for name in ("sqrt", "exp", "log", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan")
    },
    **{
        name: getattr(math, name) for name in ("atan2", "floor", "ceil", "degrees", "radians", "hypot", "gcd")
    },
}


def calculate(expression: str) -> float:
    """Work out `expression`; ``^`` is a power as in Lua.

    Raises:
        WorldError: it is no arithmetic, or has no value.
    """
    if len(expression) > _MOST_CHARACTERS:
        raise _bad(f"longer than {_MOST_CHARACTERS} characters")
    if not expression.strip():
        raise _bad("there is nothing in it")
    try:
        value = _value(ast.parse(expression.strip().replace("^", "**"), mode="eval").body)
    except ZeroDivisionError as error:
        raise _bad("division by zero") from error
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise _bad(f"'{expression.strip()[:60]}' is not arithmetic") from error
    except OverflowError as error:
        raise _bad("the number is too large") from error
    except (ValueError, TypeError) as error:
        raise _bad(str(error)) from error
    if isinstance(value, int) and value.bit_length() > 63:
        value = float(value) if value.bit_length() < 1024 else math.inf
    if math.isinf(value):
        raise _bad("the number is too large")
    return value


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _combined(op, _value(left), _value(right))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _applied(name, [_value(argument) for argument in arguments])
        case _:
            raise ValueError(f"'{ast.unparse(node)[:60]}' is not arithmetic")


def _applied(name: str, arguments: list[Any]) -> Any:
    try:
        return _FUNCTIONS[name](*arguments)
    except ValueError as error:
        shown = ", ".join(f"{argument:g}" for argument in arguments)
        raise ValueError(f"{name}({shown}) has no value") from error
    except TypeError as error:
        raise ValueError(f"{name} does not take {len(arguments)} numbers of this kind") from error


def _combined(op: ast.operator, left: Any, right: Any) -> Any:
    """Apply an operator; integers that would grow huge are refused before they are made."""
    if isinstance(left, int) and isinstance(right, int):
        if isinstance(op, ast.Pow) and left.bit_length() * abs(right) > _MOST_BITS:
            raise ValueError("the number is too large")
        if isinstance(op, ast.Mult) and left.bit_length() + right.bit_length() > _MOST_BITS:
            raise ValueError("the number is too large")
    value = _BINARY[type(op)](left, right)
    if isinstance(value, complex):
        raise ValueError("the value is not a real number")
    return value


def _bad(problem: str) -> WorldError:
    return WorldError(f"cannot calculate: {problem}", code="bad_expression")
