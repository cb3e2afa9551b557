"""The searchable columns. To add one, add a line here and `indexes.CreateSearchIndex` in a migration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SearchColumn:
    """A text column of a table whose rows are never renumbered."""

    table: str
    column: str

    @property
    def parts(self) -> str:
        """Name of the index that finds parts of words."""
        return f"{self.table}_{self.column}_parts"

    @property
    def words(self) -> str:
        """Name of the index that finds whole words and beginnings of words."""
        return f"{self.table}_{self.column}_words"


SEARCHED = (
    SearchColumn("executions_execution", "prompt"),
    SearchColumn("executions_file", "display_name"),
)


def vector(text: str) -> str:
    """PostgreSQL's tsvector of a text, as SQL: index and query must use the same expression.

    Punctuation is replaced first: PostgreSQL's parser takes "door.png" or "sea/sand" for one word, a host or path.
    """
    # Not translate(), which compares each letter with all of these and would take as long as everything else.
    return f"to_tsvector('simple', regexp_replace({text}, '[.,/\\\\_@:~+&=?#-]', ' ', 'g'))"


def search_column(table: str, column: str) -> SearchColumn:
    """Raises LookupError for a column without a search index."""
    for each in SEARCHED:
        if (each.table, each.column) == (table, column):
            return each
    raise LookupError(f"{table}.{column} has no search index")
