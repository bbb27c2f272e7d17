"""Lua values and bridge results as MIME bundles. Nothing here runs Lua: it draws snapshots and plain data."""
