"""Factories of test data: people, jobs, files, batches and whole tables."""
