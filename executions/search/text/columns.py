"""Which columns are searched. To add one: a line here, and `index.CreateSearchIndex` in a migration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Searched:
    """A text column of a table with rows that are never renumbered."""

    table: str
    column: str

    @property
    def parts(self) -> str:
        """The index that finds parts of words."""
        return f"{self.table}_{self.column}_parts"

    @property
    def words(self) -> str:
        """The index that finds whole words, and how words begin."""
        return f"{self.table}_{self.column}_words"


SEARCHED = (
    Searched("executions_execution", "prompt"),
    Searched("executions_file", "display_name"),
)


def vector(text: str) -> str:
    """PostgreSQL's words of a text, as SQL: the index and the question must say it alike.

    By itself it takes "door.png" or "sea/sand" for one word, a file's or an address's.
    """
    # Not by translate(), which compares each letter with all of these: that would take as long as all the rest.
    return f"to_tsvector('simple', regexp_replace({text}, '[.,/\\\\_@:~+&=?#-]', ' ', 'g'))"


def searched(table: str, column: str) -> Searched:
    """Raises LookupError for a column that has no index."""
    for each in SEARCHED:
        if (each.table, each.column) == (table, column):
            return each
    raise LookupError(f"{table}.{column} has no search index")
