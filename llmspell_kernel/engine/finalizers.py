"""Finalizers, which a cell must not have: Lua runs them with hooks off, so an endless one could not be stopped.

Looking for ``__gc`` in each metatable that a cell sets would make every object it creates slower by half. Instead Lua
itself is told to look for another name: the state keeps its metamethods' names in one array, which is found by its
contents right behind the main thread. A cell's ``__gc`` is then a field like any other, and the engine's own Lua can
have finalizers under the secret name. Where the array is not found, sandbox.lua hides the field instead.
"""

from __future__ import annotations

import ctypes
import secrets
from typing import Any

PLAIN = b"__gc"

_NAMES = (b"__index", b"__newindex", PLAIN, b"__mode", b"__len", b"__eq")
"""The first of Lua's metamethods, in the order of its own table (``TMS`` in ltm.h)."""

_SEARCHED = 128
"""Words looked at: the main thread and the state's own record are one block, somewhat larger than this."""

_TRIAL = b"""function(name)
  local plain, secret = false, false
  local function make()
    setmetatable({}, { __gc = function() plain = true end })
    setmetatable({}, { [name] = function() secret = true end })
  end
  make()
  collectgarbage()
  return secret and not plain
end"""


def rename(runtime: Any) -> bytes:
    """Give finalizers in the Lua state of `runtime` a secret name; returns it, or `PLAIN` if that is not possible.

    From then on Lua no longer releases Python objects that it holds: it may only be given some that live as long.
    """
    address = runtime.eval(b"function(value) return tonumber(string.format('%p', value)) end")
    main = runtime.eval(b"tonumber(string.format('%p', (coroutine.running())))")
    words = (ctypes.c_void_p * _SEARCHED).from_address(main)
    names = [address(name) for name in _NAMES]
    found = [at for at in range(_SEARCHED - len(names)) if words[at : at + len(names)] == names]
    if len(found) != 1:
        return PLAIN
    place = found[0] + _NAMES.index(PLAIN)
    name = (
        b"__gc " + secrets.token_hex(16).encode()
    )  # within the 40 bytes of which Lua has one copy of each string
    runtime.eval(b"function(name) debug.getregistry()[name] = true end")(name)  # must never be collected
    words[place] = address(name)
    if runtime.eval(_TRIAL)(name):
        return name
    words[place] = names[_NAMES.index(PLAIN)]
    return PLAIN
