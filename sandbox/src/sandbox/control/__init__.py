"""The control API: what tests and the demo do to the pretended world (docs/sandbox.md)."""
