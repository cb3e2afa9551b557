"""The library: its grid, one file, uploads, what is public, and links to media that never expire."""
