"""Text search in columns of millions of rows: one interface to SQLite's FTS5 and PostgreSQL's indexes.

Searchable columns are listed in columns.py. `parse` turns the typed search into terms (terms.py), `matching` filters
a queryset by them, and `highlight` marks them in a text.
"""

from executions.search.text.highlight import highlight
from executions.search.text.matching import IndexMatch, matching
from executions.search.text.terms import Term, parse

__all__ = ["IndexMatch", "Term", "highlight", "matching", "parse"]
