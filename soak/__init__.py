"""Soak test: run hundreds of jobs under random faults and kills, then compare every job with the sandbox."""
