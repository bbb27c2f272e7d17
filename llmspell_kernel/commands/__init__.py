"""The subcommands of ``llmspell``, a module for each or for a pair that belongs together."""
