"""Copies of files in our own storage: asked for, made in the background, and used when VideoGen no longer has the file."""
