"""What a cell means before it runs: parsing, completion, inspection, diagnostics, documentation.

Pure: texts, cursors, documentation and a :class:`~llmspell_kernel.language.live.LiveState`
come in, plain values go out. Nothing here knows Jupyter, the engine or the files of this machine.
"""
