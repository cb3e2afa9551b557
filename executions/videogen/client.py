"""The client: one method for each call that we make. What it raises is drawn in errors.py."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import quote

from executions.videogen import fields as wire_fields
from executions.videogen import safe_json
from executions.videogen.account import Account, Presenter, Voice, WebhookEndpoint, WebhookEndpointCreated
from executions.videogen.auth import BearerAuth
from executions.videogen.error_parsing import error_of
from executions.videogen.errors import AnswerLost, InvalidRequest, MalformedAnswer, ServerError, Unreachable
from executions.videogen.paging import LARGEST_PAGE, Page, each_item, page_of
from executions.videogen.rate_limits import Group, RateLimit, rate_limit
from executions.videogen.transport import Answer, Exchange, Timeouts
from executions.videogen.wire import File, FileUpload, SearchHit, ToolAccepted, ToolExecution

logger = logging.getLogger(__name__)

BASE_URL = "https://api.videogen.io"
MAX_ANSWER_BYTES = 8 * 1024 * 1024
# Seconds before the second and the third attempt, varied by a fifth either way.
PAUSES = (0.3, 1.0)
JITTER = 0.2


class VideoGen:
    """Speaks with one account. Belongs to the event loop that uses it first, any number of tasks may share it.

    A call that only reads is repeated, twice at most, when the service fails or cannot be reached. A call that
    starts, cancels, creates or deletes is sent once: whether to send it again is the caller's to decide. The same
    is true of a RateLimited, for all calls. When a task is cancelled in the middle of such a call, its outcome is
    as unknown as after AnswerLost.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = BASE_URL,
        timeouts: Timeouts | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        has_paging: bool = True,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: Callable[[], float] = random.random,
    ) -> None:
        """Raises ValueError for a key or a base URL that cannot be one. `rng` gives numbers from 0 to 1.

        `has_paging` False: for an account of era 0.0, whose lists take no `limit` (docs/api-notes.md#paging).
        """
        self._base_url = base_url
        self._auth = BearerAuth(api_key)
        # What is raised from here on may be logged together with the frame's variables.
        del api_key
        self._auth.check()
        self._exchange = Exchange(self._auth, base_url, timeouts or Timeouts(), max_answer_bytes)
        self._limits: dict[str, RateLimit] = {}
        self._has_paging = has_paging
        self._sleep = sleep
        self._rng = rng

    def __repr__(self) -> str:
        return f"VideoGen({self._base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._exchange.aclose()

    @property
    def limits(self) -> Mapping[str, RateLimit]:
        """What the last answers said about the hourly limits. Keyed by Group."""
        return MappingProxyType(self._limits)

    # --- executions -------------------------------------------------------------------------------------------

    async def start_tool(self, slug: str, body: Mapping[str, Any]) -> ToolAccepted:
        """Sent once. After AnswerLost and ServerError the job may be running all the same (docs/api-notes.md#starting)."""
        answer = await self._once("POST", f"/v1/tools/{_part(slug)}", Group.TOOLS, body)
        return _understood(answer, lambda data: ToolAccepted.from_wire(data, answer.request_id))

    async def cancel_execution(self, execution_id: str) -> ToolAccepted:
        """Sent once. The wish is noted; the execution may still finish first (docs/api-notes.md#cancelling)."""
        path = f"/v1/tools/executions/{_part(execution_id)}/cancel"
        answer = await self._once("POST", path, Group.CANCEL)
        return _understood(answer, lambda data: ToolAccepted.from_wire(data, answer.request_id))

    async def get_execution(self, execution_id: str, *, once: bool = False) -> ToolExecution:
        """`once`: for callers that ask again by themselves, and count their calls."""
        path = f"/v1/tools/executions/{_part(execution_id)}"
        if once:
            return _understood(await self._once("GET", path, Group.EXECUTION), ToolExecution.from_wire)
        return await self._safe("GET", path, Group.EXECUTION, ToolExecution.from_wire)

    async def list_executions(
        self, limit: int = LARGEST_PAGE, cursor: str | None = None, self_only: bool = False
    ) -> Page[ToolExecution]:
        """Newest first; known from era 1.1 on, NotFound before."""
        # Where this list is, there are pages.
        query = _page_query(limit, cursor) | ({"selfOnly": "true"} if self_only else {})
        parse = page_of("toolExecutions", ToolExecution.from_wire)
        return await self._safe("GET", "/v1/tools/executions", Group.EXECUTIONS, parse, query)

    def each_execution(self, self_only: bool = False) -> AsyncIterator[ToolExecution]:
        """All of them, page after page."""
        return each_item(lambda cursor: self.list_executions(cursor=cursor, self_only=self_only))

    # --- files ------------------------------------------------------------------------------------------------

    async def get_file(self, file_id: str) -> File:
        """May leave sources unsigned: judge readiness by `hydrate_file` or events (docs/api-notes.md#signed-urls)."""
        return await self._safe("GET", f"/v1/files/{_part(file_id)}", Group.FILES, File.from_wire)

    async def hydrate_file(self, file_id: str) -> File:
        """Sign fresh URLs. Safe to repeat."""
        return await self._safe("POST", f"/v1/files/{_part(file_id)}/hydrate", Group.HYDRATE, File.from_wire)

    async def list_files(self, limit: int = LARGEST_PAGE, cursor: str | None = None) -> Page[File]:
        parse = page_of("files", File.from_wire)
        return await self._safe("GET", "/v1/files", Group.FILES, parse, self._page_query(limit, cursor))

    def each_file(self) -> AsyncIterator[File]:
        """All of them, page after page."""
        return each_item(lambda cursor: self.list_files(cursor=cursor))

    async def search_files(self, query: str, limit: int = 50, self_only: bool = False) -> list[SearchHit]:
        """By meaning, best first; what is not analysed yet cannot be found (docs/api-notes.md#file-search)."""
        body = {"query": query, "numResults": limit, "selfOnly": self_only}
        return await self._safe("POST", "/v1/files/search", Group.SEARCH, SearchHit.all_from_wire, body=body)

    async def create_upload(
        self, display_name: str, type: str | None = None, is_temporary: bool = False
    ) -> FileUpload:
        """A place for one file. The URL in the answer takes one PUT, soon."""
        body: dict[str, Any] = {"displayName": display_name, "isTemporary": is_temporary}
        if type is not None:
            body["type"] = type
        answer = await self._once("POST", "/v1/files/upload", Group.UPLOAD, body)
        return _understood(answer, FileUpload.from_wire)

    async def archive_file(self, file_id: str) -> File:
        """Hide it from listings. No way back is known; archiving twice does no harm (docs/api-notes.md#files)."""
        return await self._safe("POST", f"/v1/files/{_part(file_id)}/archive", Group.ARCHIVE, File.from_wire)

    async def set_public_preview(self, file_id: str, enabled: bool) -> File:
        """Open the file to anybody with the link, or close it. The id for players may come later (section 8)."""
        act = "enable" if enabled else "disable"
        path = f"/v1/files/{_part(file_id)}/{act}-public-preview"
        return await self._safe("POST", path, Group.PREVIEW, File.from_wire)

    # --- the account ------------------------------------------------------------------------------------------

    async def list_presenters(self) -> list[Presenter]:
        """The whole catalogue; gone in era 2, NotFound there. Keep it for hours."""
        parse = page_of("avatarPresenters", Presenter.from_wire)
        return await self._whole_list("/v1/resources/avatar-presenters", Group.RESOURCES, parse)

    async def list_voices(self) -> list[Voice]:
        """The whole catalogue, also voices that text-to-speech does not take. It changes rarely: keep it for hours."""
        parse = page_of("ttsVoices", Voice.from_wire)
        return await self._whole_list("/v1/resources/tts-voices", Group.RESOURCES, parse)

    async def me(self) -> Account:
        """Known from era 1.1 on, NotFound before."""
        return await self._safe("GET", "/v1/me", Group.ME, Account.from_wire)

    async def list_webhook_endpoints(self) -> list[WebhookEndpoint]:
        parse = page_of("endpoints", WebhookEndpoint.from_wire)
        return await self._whole_list("/v1/webhooks/endpoints", Group.ENDPOINTS, parse)

    async def create_webhook_endpoint(
        self, url: str, events: Iterable[str], description: str | None = None
    ) -> WebhookEndpointCreated:
        """Sent once; ten an hour are allowed. The secret in the answer is never shown again."""
        body: dict[str, Any] = {"url": url, "events": list(events)}
        if description is not None:
            body["description"] = description
        answer = await self._once("POST", "/v1/webhooks/endpoints", Group.CREATE_ENDPOINT, body)
        return _understood(answer, WebhookEndpointCreated.from_wire)

    async def delete_webhook_endpoint(self, endpoint_id: str) -> None:
        """Sent once; ten an hour are allowed. Deliveries stop at once."""
        await self._once("DELETE", f"/v1/webhooks/endpoints/{_part(endpoint_id)}", Group.DELETE_ENDPOINT)

    # --- how they are sent ------------------------------------------------------------------------------------

    async def _once(
        self,
        method: str,
        path: str,
        group: Group,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """A success, or the error that says what came instead."""
        # A body that cannot be written as JSON is a mistake of ours, and raises before anything is sent.
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        answer = await self._exchange.send(method, path, query=query, body=content)
        learned = rate_limit(answer.headers, time.time())
        if learned is not None:
            self._limits[group] = learned
        if not answer.is_success:
            raise error_of(answer, self._auth)
        return answer

    async def _safe[T](
        self,
        method: str,
        path: str,
        group: Group,
        parse: Callable[[Any], T],
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> T:
        """For calls that change nothing, or nothing more the second time: tried again while the service fails or cannot be understood."""
        for pause in PAUSES:
            try:
                return _understood(await self._once(method, path, group, body, query), parse)
            except (Unreachable, AnswerLost, ServerError) as error:
                delay = pause * (1 - JITTER + 2 * JITTER * self._rng())
                logger.info("%s %s is tried again in %.1f s: %s", method, path, delay, error)
            await self._sleep(delay)
        return _understood(await self._once(method, path, group, body, query), parse)

    async def _whole_list[T](self, path: str, group: Group, parse: Callable[[Any], Page[T]]) -> list[T]:
        def fetch(cursor: str | None) -> Awaitable[Page[T]]:
            return self._safe("GET", path, group, parse, self._page_query(LARGEST_PAGE, cursor))

        return [item async for item in each_item(fetch)]

    def _page_query(self, limit: int, cursor: str | None) -> dict[str, str]:
        # A cursor comes from an answer, and whoever makes one understands it.
        return _page_query(limit if self._has_paging else None, cursor)


def _understood[T](answer: Answer, parse: Callable[[Any], T]) -> T:
    """The thing in a success. Raises MalformedAnswer."""
    raw: Any = None
    try:
        return parse(safe_json.decode(answer.body or b""))
    except safe_json.Unreadable as unreadable:
        words = f"VideoGen's answer {unreadable}."
    except MalformedAnswer as malformed:
        words, raw = malformed.message, malformed.raw
    # Outside the handler: the frames of the parser hold the answer, and it may hold a signing secret.
    raise MalformedAnswer(words, status=answer.status, request_id=answer.request_id, raw=raw)


def _part(value: str) -> str:
    """One part of a path. Raises InvalidRequest for what cannot be an id, as the service would."""
    if wire_fields.ident(value) is None or value in (".", ".."):
        raise InvalidRequest("This is not an id.", code="invalid_id")
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise InvalidRequest("This is not an id.", code="invalid_id") from None


def _page_query(limit: int | None, cursor: str | None) -> dict[str, str]:
    return ({"limit": str(limit)} if limit else {}) | ({"cursor": cursor} if cursor else {})
