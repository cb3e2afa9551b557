"""Generates a long history for benchmarks and experiments. The same seed generates the same history."""
