"""Language models: providers, the local model, choosing, recording, usage and tool loops."""
