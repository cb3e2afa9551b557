"""The Insights page: its query, the figures read from the rollups, and its charts."""
