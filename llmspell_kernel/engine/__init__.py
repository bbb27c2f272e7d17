"""The engine process, and the kernel process's side of it."""
