"""What Rushes promises in numbers, measured against real processes: `python -m benchmarks [names]`."""
