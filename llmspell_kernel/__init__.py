"""LLMSpell Lua: a Jupyter kernel for Lua spells."""

__version__ = "0.1.0"
