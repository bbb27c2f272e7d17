"""Spells as programs: parameters and the tools that pass them."""
