"""One page of the library: filters from the URL, keyset paging, and the two searches."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.urls import reverse

from dashboard.cards.file import SCOPES, TYPES, Tile
from dashboard.http.params import MAX_USER_ID, as_number, as_uuid
from dashboard.http.query_urls import with_query
from executions import tools
from executions.batches import service as batches
from executions.core import keyset
from executions.core.sync_bridge import wait_for
from executions.files import actions as file_actions
from executions.models import File
from executions.models.file import FileQuerySet
from executions.search import files as file_search
from executions.team import members
from executions.videogen import VideoGenError

logger = logging.getLogger(__name__)

PAGE_SIZE = 48
MAX_PEOPLE = 200
MAX_QUERY_CHARS = 200
MEANING = "meaning"
ARCHIVED = "archived"


class LibraryPage:
    """The files that match the query parameters, newest first, and the links to other pages.

    `after` is the id of the last file of the previous page; ids sort by time. Invalid parameters are ignored.
    """

    # Files that can be selected at once.
    max_selected = batches.MAX_ROWS

    def __init__(self, user: Any, query: Mapping[str, str]) -> None:
        self.user = user
        self.type = query.get("type", "") if query.get("type", "") in TYPES else ""
        self.scope = query.get("scope", "") if query.get("scope", "") in SCOPES else ""
        self.tool = query.get("tool", "") if query.get("tool", "") in tools.TOOLS else ""
        self.person = str(as_number(query.get("person", ""), MAX_USER_ID) or "")
        self.show = ARCHIVED if query.get("show", "") == ARCHIVED else ""
        self.words = " ".join(query.get("q", "").replace("\x00", " ").split())[:MAX_QUERY_CHARS]
        self.by = MEANING if query.get("by", "") == MEANING else ""
        self.after = as_uuid(query.get("after", ""))
        self.problem = ""
        self.tiles, self._has_older = self._find()

    def filters(self) -> list[tuple[str, str, list[tuple[str, str, bool]]]]:
        """(query parameter, label, choices as (value, label, whether it is selected))."""

        choices = {
            "type": ("Type", self.type, [(name, words[0]) for name, words in TYPES.items()]),
            "tool": ("Tool", self.tool, [(tool.slug, tool.label) for tool in tools.TOOLS.values()]),
            "person": ("Person", self.person, self._people()),
            "scope": ("Kind", self.scope, [(name, words[0]) for name, words in SCOPES.items()]),
            "show": ("Show", self.show, [(ARCHIVED, "archived")]),
        }
        return [
            (
                name,
                label,
                [
                    ("", "library" if name == "show" else "any", not chosen),
                    *((value, word, chosen == value) for value, word in options),
                ],
            )
            for name, (label, chosen, options) in choices.items()
        ]

    def _people(self) -> list[tuple[str, str]]:
        people = members.usernames(MAX_PEOPLE, only_active=True)
        return [(str(pk), "you" if pk == self.user.pk else name) for pk, name in people.items()]

    @property
    def is_filtered(self) -> bool:
        return bool(self.type or self.scope or self.tool or self.person or self.show or self.words)

    @property
    def is_by_meaning(self) -> bool:
        return bool(self.by and self.words)

    @property
    def next_url(self) -> str:
        return self._url(after=self.tiles[-1].id) if self.tiles and self._has_older else ""

    def _find(self) -> tuple[list[Tile], bool]:
        """The files of this page, and whether older ones follow."""
        rows = File.objects.archived() if self.show else File.objects.in_library()
        if self.is_by_meaning:
            return self._by_meaning(rows.matching(self._given)), False
        ids = file_search.find(rows, self._given, self.words, PAGE_SIZE + 1, self.after)
        page = keyset.cut(ids, PAGE_SIZE)
        files = File.objects.select_related("created_by").in_bulk(page.rows)
        return [Tile(files[pk], self.user) for pk in page.rows if pk in files], page.has_more

    @property
    def _given(self) -> dict[str, str]:
        given = {"type": self.type, "scope": self.scope, "source_tool": self.tool, "created_by": self.person}
        return {name: value for name, value in given.items() if value}

    def _by_meaning(self, rows: FileQuerySet) -> list[Tile]:
        """Results of VideoGen's search by content, in its order, without files that the filters exclude."""
        try:
            similar = wait_for(file_actions.search, self.words)
        except VideoGenError as error:
            self.problem = f"VideoGen could not search by content: {error.message}"
            return []
        except TimeoutError:
            self.problem = "VideoGen did not respond in time. Search by name, or try again."
            return []
        found = rows.select_related("created_by").by_remote_id(list(similar))
        return [
            Tile(found[remote_id], self.user, similarity)
            for remote_id, similarity in similar.items()
            if remote_id in found
        ]

    def _url(self, **position: Any) -> str:
        terms = {
            "q": self.words,
            "by": self.by,
            "type": self.type,
            "tool": self.tool,
            "person": self.person,
            "scope": self.scope,
            "show": self.show,
            **position,
        }
        return with_query(reverse("files"), terms)
