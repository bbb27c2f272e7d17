"""Lua modules as plain, typed, async Python: one class for each global that spells call."""
