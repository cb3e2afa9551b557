"""Rushes with something beside it that only a benchmark needs: settings modules that add it to the real ones."""

QUERIES_HEADER = "X-Queries"
