"""Copies of files in our own storage: requested, made in the background, and used when VideoGen no longer has the file."""
