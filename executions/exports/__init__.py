"""Exports: the results of many jobs and the evidence of a job as ZIP archives, and the rows of tables."""
