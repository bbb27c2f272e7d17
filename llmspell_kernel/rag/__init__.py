"""Searching one's own texts: chunks, vectors and keywords, in one SQLite file for each project."""
