"""Values as they cross between Lua and Python: the kernel process's end of ``lua/codec.lua``.

========================  ===================================================================
Lua                       Python
========================  ===================================================================
integer, float            int, float (never mixed; NaN and infinities too)
string                    str if it is UTF-8, else bytes
table with keys 1..n      list (an empty table is a dict, unless Lua marked it as a list)
any other table           dict; its boolean keys are `BooleanKey`, for in Python True equals 1
null, nil                 None
function                  `CallbackRef`
bridge object             `HandleRef`
========================  ===================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import msgspec

from llmspell_kernel.errors import ConversionError, ProtocolError

MAX_DEPTH = 33
"""Containers inside each other that may cross to Lua: 32, and the list of a call's results around them."""

_CALLBACK, _HANDLE, _BOOLEAN_KEY = 1, 2, 3
_ID_BYTES = 8
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


class _Reference:
    """A small frozen value; not a dataclass, which msgspec would encode as a map."""

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def _fields(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Reference) and type(other) is type(self) and other._fields() == self._fields()
        )

    def __hash__(self) -> int:
        return hash((type(self), self._fields()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._fields()))})"


class CallbackRef(_Reference):
    """A function that Lua holds for as long as this object lives."""

    __slots__ = ("__weakref__", "_release", "alive", "id")
    __match_args__ = ("id",)

    def __init__(self, number: int, release: Callable[[int], None] | None = None, /) -> None:
        """Make a reference to the function `number`; `release` is called with that when nobody needs it any more."""
        self.id = number
        self.alive = True
        """False once Lua was rolled back to a time before it sent the function."""
        self._release = release

    def __del__(self) -> None:
        if self._release is not None and self.alive:
            self._release(self.id)


class HandleRef(_Reference):
    """A bridge object: Lua sees a read-only object of this type, the kernel process has what is behind it."""

    __slots__ = ("id", "label", "type")
    __match_args__ = ("type", "id")

    def __init__(self, name: str, number: int, label: str = "", /) -> None:
        """Make a reference to the object `number` of the type `name`; `label` is what it is shown as."""
        self.type = name
        self.id = number
        self.label = label


class BooleanKey(_Reference):
    """A boolean as a key of a map; a dict could not hold it beside the keys 0 and 1."""

    __slots__ = __match_args__ = ("value",)

    def __init__(self, value: bool) -> None:
        self.value = value


# ── decoding ─────────────────────────────────────────────────────────────────────────────────────


class Decoder:
    """Reads what Lua encodes; what crosses by reference becomes what `callback` and `handle` make of it."""

    def __init__(
        self,
        callback: Callable[[int], Any] = CallbackRef,
        handle: Callable[[str, int], Any] = HandleRef,
    ) -> None:
        """Make a decoder; `callback` gets an id, `handle` a type and an id."""
        self._callback = callback
        self._handle = handle
        self._any = msgspec.msgpack.Decoder(Any, ext_hook=self._from_extension)
        self._list = msgspec.msgpack.Decoder(list[Any], ext_hook=self._from_extension)

    def value(self, data: bytes | memoryview) -> Any:
        """Decode one value; raises `ProtocolError`."""
        return _decode(self._any, data)

    def list(self, data: bytes | memoryview) -> list[Any]:
        """Decode a list of values, such as a call's arguments; raises `ProtocolError`."""
        return cast("list[Any]", _decode(self._list, data))

    def _from_extension(self, kind: int, data: memoryview) -> Any:
        body = bytes(data)
        number = int.from_bytes(body[:_ID_BYTES], "big", signed=True)
        if kind == _CALLBACK and len(body) == _ID_BYTES:
            return self._callback(number)
        if kind == _HANDLE and len(body) > _ID_BYTES:
            end = _ID_BYTES + 1 + body[_ID_BYTES]
            return self._handle(body[_ID_BYTES + 1 : end].decode("utf-8", "replace"), number)
        if kind == _BOOLEAN_KEY and len(body) == 1:
            return BooleanKey(body[0] == 1)
        raise ProtocolError(f"a value of the unknown extension type {kind}")


def _decode(decoder: msgspec.msgpack.Decoder[Any], data: bytes | memoryview) -> Any:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, TypeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"a value that cannot be read: {error}") from error


_plain_decoder = Decoder()


def decode(data: bytes | memoryview) -> Any:
    """Decode one value; raises `ProtocolError`."""
    return _plain_decoder.value(data)


def decode_list(data: bytes | memoryview) -> list[Any]:
    """Decode a list of values, such as a call's arguments; raises `ProtocolError`."""
    return _plain_decoder.list(data)


# ── encoding ─────────────────────────────────────────────────────────────────────────────────────


Refer = Callable[[Any], HandleRef | None]
"""Gives the reference that stands for an object, or None for any other value."""


def encode(value: Any, refer: Refer | None = None) -> bytes:
    """Encode a value for Lua: anything that JSON can hold, bytes, references, dataclasses, msgspec structs.

    Integer-valued float keys become integers and a dict with the keys 1..n a list: to Lua they are the same.

    Args:
        value: the value.
        refer: asked for every value that is none of these, before that is refused.

    Raises:
        ConversionError: what cannot cross, with the path to it.
    """
    try:
        return _encoder.encode(_plain(value, 1, refer))
    except _Refused as refused:
        raise ConversionError(f"{_shown_path(refused.path)}: {refused.problem}") from None
    except UnicodeEncodeError:
        raise ConversionError("a text with half of a surrogate pair cannot cross to Lua") from None


def encode_raw(value: Any, refer: Refer | None = None) -> msgspec.Raw:
    """Encode a value as `encode` does, for a field of a frame."""
    return msgspec.Raw(encode(value, refer))


def _to_extension(value: Any) -> msgspec.msgpack.Ext:
    match value:
        case CallbackRef(number):
            return msgspec.msgpack.Ext(_CALLBACK, number.to_bytes(_ID_BYTES, "big", signed=True))
        case HandleRef(name, number):
            head = number.to_bytes(_ID_BYTES, "big", signed=True) + bytes([len(name.encode())])
            return msgspec.msgpack.Ext(_HANDLE, head + name.encode() + value.label.encode())
        case BooleanKey(true):
            return msgspec.msgpack.Ext(_BOOLEAN_KEY, b"\1" if true else b"\0")
        case _:
            raise NotImplementedError


_encoder = msgspec.msgpack.Encoder(enc_hook=_to_extension)

_LEAVES: frozenset[object] = frozenset({str, float, bool, bytes, type(None), CallbackRef, HandleRef})
_PASSED_ON = (bytes, CallbackRef, HandleRef, BooleanKey)


class _Refused(Exception):
    """Something that cannot cross; `path` grows from the inside out."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path: list[Any] = []


def _shown_path(path: list[Any]) -> str:
    shown = "value"
    for key in reversed(path):
        shown += f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]"
    return shown


def _plain(value: Any, depth: int, refer: Refer | None) -> Any:
    """Return `value`, or a copy of it that the encoder takes as Lua needs it; raises `_Refused`."""
    kind = cast("object", type(value))
    if kind is dict or kind is list:
        if depth > MAX_DEPTH:
            raise _Refused("a cycle, or more than 32 levels, cannot cross to Lua")
        return _plain_dict(value, depth, refer) if kind is dict else _plain_list(value, depth, refer)
    if kind in _LEAVES:
        return value
    if kind is int:
        if _INT_MIN <= value <= _INT_MAX:
            return value
        raise _Refused("an integer of more than 64 bits cannot cross to Lua")
    return _plain(_simplified(value, refer), depth, refer)


def _plain_dict(value: dict[Any, Any], depth: int, refer: Refer | None) -> dict[Any, Any]:
    changed: dict[Any, Any] = {}
    for key, item in value.items():
        try:
            if type(key) is not str:
                _check_key(key, value)
            if type(item) in _LEAVES:
                continue
            plain = _plain(item, depth + 1, refer)
        except _Refused as refused:
            refused.path.append(key)
            raise
        if plain is not item:
            changed[key] = plain
    return {**value, **changed} if changed else value


def _plain_list(value: list[Any], depth: int, refer: Refer | None) -> list[Any]:
    changed: dict[int, Any] = {}
    for index, item in enumerate(value):
        if type(item) in _LEAVES:
            continue
        try:
            plain = _plain(item, depth + 1, refer)
        except _Refused as refused:
            refused.path.append(index)
            raise
        if plain is not item:
            changed[index] = plain
    return [changed.get(index, item) for index, item in enumerate(value)] if changed else value


def _check_key(key: Any, owner: dict[Any, Any]) -> None:
    """Raise `_Refused` for a key that Lua has no equal of, or that would be the same as another there."""
    twin: Any = None
    match key:
        case bool():
            twin = BooleanKey(key)
        case BooleanKey():
            pass
        case int() if _INT_MIN <= key <= _INT_MAX:
            pass
        case float() if not math.isnan(key):
            pass
        case str():
            pass
        case bytes():
            twin = key.decode("utf-8", "surrogateescape")
        case _:
            raise _Refused(f"{key!r:.40} cannot be a key in Lua")
    if twin is not None and twin in owner:
        raise _Refused("two keys would become one in Lua")


def _simplified(value: Any, refer: Refer | None) -> Any:
    """Return what stands for a value of any other type; raises `_Refused`."""
    reference = refer(value) if refer is not None else None
    if reference is not None:
        return reference
    if isinstance(value, bytearray | memoryview):
        return bytes(cast("bytearray", value))
    if isinstance(value, tuple | set | frozenset):
        return list(cast("tuple[Any, ...]", value))
    try:
        simpler = msgspec.to_builtins(value, builtin_types=_PASSED_ON, str_keys=False)
    except (TypeError, NotImplementedError, RecursionError):
        simpler = value
    if type(simpler) is type(value):
        return _of_array(value)
    return simpler


def _of_array(value: Any) -> Any:
    """Return the plain values of a number or an array of numpy's, or of what offers them alike; raises `_Refused`."""
    to_list: Any = None if isinstance(value, type) else getattr(value, "tolist", None)
    plain = to_list() if callable(to_list) else value
    if type(plain) is type(value):
        raise _Refused(f"a {type(value).__name__} cannot cross to Lua")
    return plain
