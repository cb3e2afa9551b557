"""Batches and bulk actions: planning, starting and cancelling many jobs together."""
