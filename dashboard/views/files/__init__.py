"""The library: its grid, one file, uploads, what is public, and links to media that never expire."""

from dashboard.views.files import keep, library, links, one, public, upload

__all__ = ["keep", "library", "links", "one", "public", "upload"]
