"""Settings modules that add benchmark-only views and middleware to Rushes."""

QUERIES_HEADER = "X-Queries"
