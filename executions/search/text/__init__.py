"""Text search in columns of millions of rows: one interface, with SQLite's FTS5 or PostgreSQL's own indexes behind it.

A column that is searched is named in columns.py. What people type becomes terms (terms.py); `matching` narrows a
queryset to the rows in which all of them are found, and `marked` shows where they stand.
"""

from executions.search.text.highlight import marked
from executions.search.text.matching import Found, Seen, matching
from executions.search.text.terms import Term, parse

__all__ = ["Found", "Seen", "Term", "marked", "matching", "parse"]
