"""Statistics for Insights: counts of events, updated incrementally."""
