"""Makes up a long history, for measuring and for trying things out. The same seed makes the same history."""
