"""The API client: one method per endpoint that we use. It raises the errors of errors.py."""

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

from executions.videogen import safe_json, wire_fields
from executions.videogen.account import Account, Presenter, RemoteEndpoint, Voice, WebhookEndpointCreated
from executions.videogen.auth import BearerAuth
from executions.videogen.error_parsing import to_error
from executions.videogen.errors import (
    InvalidRequest,
    MalformedResponse,
    ResponseLost,
    ServerError,
    Unreachable,
)
from executions.videogen.paging import MAX_PAGE_SIZE, ApiPage, all_items, page_of
from executions.videogen.rate_limit_headers import Group, RateLimit, rate_limit
from executions.videogen.transport import Response, Timeouts, Transport
from executions.videogen.wire import FileUpload, RemoteFile, SearchHit, ToolAccepted, ToolExecution

logger = logging.getLogger(__name__)

BASE_URL = "https://api.videogen.io"
MAX_RESPONSE_BYTES = 8 * 1024 * 1024
# Seconds before the second and the third attempt, with 20 % jitter.
RETRY_DELAYS = (0.3, 1.0)
JITTER = 0.2


class VideoGen:
    """A client for one account. It belongs to the event loop that uses it first; any number of tasks may share it.

    A call that only reads is retried, at most twice, if VideoGen fails or cannot be reached. A call that starts,
    cancels, creates or deletes is sent once; the caller decides whether to send it again. RateLimited is never
    retried. If a task is cancelled in the middle of a call that is sent once, the outcome is as unknown as after
    ResponseLost.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = BASE_URL,
        timeouts: Timeouts | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        has_paging: bool = True,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: Callable[[], float] = random.random,
    ) -> None:
        """Raises ValueError for an invalid key or base URL. `rng` returns numbers from 0 to 1.

        `has_paging` is False for API version 0.0, whose lists accept no `limit` (docs/api-notes.md#paging).
        """
        self._base_url = base_url
        self._auth = BearerAuth(api_key)
        # Errors raised from here on may be logged together with the variables of this frame.
        del api_key
        self._auth.check()
        self._transport = Transport(self._auth, base_url, timeouts or Timeouts(), max_response_bytes)
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
        await self._transport.aclose()

    @property
    def limits(self) -> Mapping[str, RateLimit]:
        """The hourly limits as the latest responses reported them, keyed by Group."""
        return MappingProxyType(self._limits)

    # --- executions -------------------------------------------------------------------------------------------

    async def start_tool(self, slug: str, body: Mapping[str, Any]) -> ToolAccepted:
        """Sent once. After ResponseLost or ServerError the job may be running (docs/api-notes.md#starting)."""
        response = await self._once("POST", f"/v1/tools/{_path_segment(slug)}", Group.TOOLS, body)
        return _parse(response, lambda data: ToolAccepted.from_wire(data, response.request_id))

    async def cancel_execution(self, execution_id: str) -> ToolAccepted:
        """Sent once. VideoGen accepts the request, but the execution may finish first (docs/api-notes.md#cancelling)."""
        path = f"/v1/tools/executions/{_path_segment(execution_id)}/cancel"
        response = await self._once("POST", path, Group.CANCEL)
        return _parse(response, lambda data: ToolAccepted.from_wire(data, response.request_id))

    async def get_execution(self, execution_id: str, *, once: bool = False) -> ToolExecution:
        """`once` disables retries, for callers that retry themselves and count their calls."""
        path = f"/v1/tools/executions/{_path_segment(execution_id)}"
        if once:
            return _parse(await self._once("GET", path, Group.EXECUTION), ToolExecution.from_wire)
        return await self._with_retries("GET", path, Group.EXECUTION, ToolExecution.from_wire)

    async def list_executions(
        self, limit: int = MAX_PAGE_SIZE, cursor: str | None = None, self_only: bool = False
    ) -> ApiPage[ToolExecution]:
        """Newest first. Available from API version 1.1 on; before, it raises NotFound."""
        # Every API version that has this list has paging.
        query = _page_query(limit, cursor) | ({"selfOnly": "true"} if self_only else {})
        parse = page_of("toolExecutions", ToolExecution.from_wire)
        return await self._with_retries("GET", "/v1/tools/executions", Group.EXECUTIONS, parse, query)

    def all_executions(self, self_only: bool = False) -> AsyncIterator[ToolExecution]:
        """All of them, page by page."""
        return all_items(lambda cursor: self.list_executions(cursor=cursor, self_only=self_only))

    # --- files ------------------------------------------------------------------------------------------------

    async def get_file(self, file_id: str) -> RemoteFile:
        """Sources may be unsigned: use `hydrate_file` or events to check readiness (docs/api-notes.md#signed-urls)."""
        return await self._with_retries(
            "GET", f"/v1/files/{_path_segment(file_id)}", Group.FILES, RemoteFile.from_wire
        )

    async def hydrate_file(self, file_id: str) -> RemoteFile:
        """Sign fresh URLs. Safe to repeat."""
        return await self._with_retries(
            "POST", f"/v1/files/{_path_segment(file_id)}/hydrate", Group.HYDRATE, RemoteFile.from_wire
        )

    async def list_files(self, limit: int = MAX_PAGE_SIZE, cursor: str | None = None) -> ApiPage[RemoteFile]:
        parse = page_of("files", RemoteFile.from_wire)
        return await self._with_retries(
            "GET", "/v1/files", Group.FILES, parse, self._page_query(limit, cursor)
        )

    def all_files(self) -> AsyncIterator[RemoteFile]:
        """All of them, page by page."""
        return all_items(lambda cursor: self.list_files(cursor=cursor))

    async def search_files(self, query: str, limit: int = 50, self_only: bool = False) -> list[SearchHit]:
        """Semantic search, best match first. Files not analysed yet are not found (docs/api-notes.md#file-search)."""
        body = {"query": query, "numResults": limit, "selfOnly": self_only}
        return await self._with_retries(
            "POST", "/v1/files/search", Group.SEARCH, SearchHit.all_from_wire, body=body
        )

    async def create_upload(
        self, display_name: str, type: str | None = None, is_temporary: bool = False
    ) -> FileUpload:
        """Create an upload for one file. The returned URL accepts one PUT and expires soon."""
        body: dict[str, Any] = {"displayName": display_name, "isTemporary": is_temporary}
        if type is not None:
            body["type"] = type
        response = await self._once("POST", "/v1/files/upload", Group.UPLOAD, body)
        return _parse(response, FileUpload.from_wire)

    async def archive_file(self, file_id: str) -> RemoteFile:
        """Hide the file from listings. No way to undo it is known; archiving twice is harmless (docs/api-notes.md#files)."""
        return await self._with_retries(
            "POST", f"/v1/files/{_path_segment(file_id)}/archive", Group.ARCHIVE, RemoteFile.from_wire
        )

    async def set_public_preview(self, file_id: str, enabled: bool) -> RemoteFile:
        """Make the file public for anyone with the link, or private again.

        The playback id may be missing at first (docs/api-notes.md#public-previews).
        """
        action = "enable" if enabled else "disable"
        path = f"/v1/files/{_path_segment(file_id)}/{action}-public-preview"
        return await self._with_retries("POST", path, Group.PREVIEW, RemoteFile.from_wire)

    # --- the account ------------------------------------------------------------------------------------------

    async def list_presenters(self) -> list[Presenter]:
        """The complete list, to be cached for hours. API version 2 has none and raises NotFound."""
        parse = page_of("avatarPresenters", Presenter.from_wire)
        return await self._complete_list("/v1/resources/avatar-presenters", Group.RESOURCES, parse)

    async def list_voices(self) -> list[Voice]:
        """The complete list, to be cached for hours. Includes voices that text-to-speech does not accept."""
        parse = page_of("ttsVoices", Voice.from_wire)
        return await self._complete_list("/v1/resources/tts-voices", Group.RESOURCES, parse)

    async def me(self) -> Account:
        """Available from API version 1.1 on; before, it raises NotFound."""
        return await self._with_retries("GET", "/v1/me", Group.ME, Account.from_wire)

    async def list_webhook_endpoints(self) -> list[RemoteEndpoint]:
        parse = page_of("endpoints", RemoteEndpoint.from_wire)
        return await self._complete_list("/v1/webhooks/endpoints", Group.ENDPOINTS, parse)

    async def create_webhook_endpoint(
        self, url: str, events: Iterable[str], description: str | None = None
    ) -> WebhookEndpointCreated:
        """Sent once; VideoGen allows ten per hour. The secret in the response is never shown again."""
        body: dict[str, Any] = {"url": url, "events": list(events)}
        if description is not None:
            body["description"] = description
        response = await self._once("POST", "/v1/webhooks/endpoints", Group.CREATE_ENDPOINT, body)
        return _parse(response, WebhookEndpointCreated.from_wire)

    async def delete_webhook_endpoint(self, endpoint_id: str) -> None:
        """Sent once; VideoGen allows ten per hour. Deliveries stop at once."""
        await self._once(
            "DELETE", f"/v1/webhooks/endpoints/{_path_segment(endpoint_id)}", Group.DELETE_ENDPOINT
        )

    # --- sending ----------------------------------------------------------------------------------------------

    async def _once(
        self,
        method: str,
        path: str,
        group: Group,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Response:
        """Send one request. Returns a successful response, or raises VideoGenError."""
        # A body that cannot be encoded as JSON is a bug, and raises before anything is sent.
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        response = await self._transport.send(method, path, query=query, body=content)
        reported = rate_limit(response.headers, time.time())
        if reported is not None:
            self._limits[group] = reported
        if not response.is_success:
            raise to_error(response, self._auth)
        return response

    async def _with_retries[T](
        self,
        method: str,
        path: str,
        group: Group,
        parse: Callable[[Any], T],
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> T:
        """Send an idempotent call. Retried if VideoGen fails, cannot be reached or sends a malformed response."""
        for base_delay in RETRY_DELAYS:
            try:
                return _parse(await self._once(method, path, group, body, query), parse)
            except (Unreachable, ResponseLost, ServerError) as error:
                delay = base_delay * (1 - JITTER + 2 * JITTER * self._rng())
                logger.info("Retrying %s %s in %.1f s: %s", method, path, delay, error)
            await self._sleep(delay)
        return _parse(await self._once(method, path, group, body, query), parse)

    async def _complete_list[T](self, path: str, group: Group, parse: Callable[[Any], ApiPage[T]]) -> list[T]:
        def fetch(cursor: str | None) -> Awaitable[ApiPage[T]]:
            return self._with_retries("GET", path, group, parse, self._page_query(MAX_PAGE_SIZE, cursor))

        return [item async for item in all_items(fetch)]

    def _page_query(self, limit: int, cursor: str | None) -> dict[str, str]:
        # A cursor comes from a response, so a service that sent one also accepts it.
        return _page_query(limit if self._has_paging else None, cursor)


def _parse[T](response: Response, parse: Callable[[Any], T]) -> T:
    """Parse the body of a successful response. Raises MalformedResponse."""
    raw: Any = None
    try:
        return parse(safe_json.decode(response.body or b""))
    except safe_json.InvalidJson as unreadable:
        message = f"VideoGen's response {unreadable}."
    except MalformedResponse as malformed:
        message, raw = malformed.message, malformed.raw
    # Outside the handler: the parser's frames hold the response, which may contain a signing secret.
    raise MalformedResponse(message, status=response.status, request_id=response.request_id, raw=raw)


def _path_segment(value: str) -> str:
    """An id as a path segment. Raises InvalidRequest for an invalid id, as VideoGen would."""
    if wire_fields.identifier(value) is None or value in (".", ".."):
        raise InvalidRequest("This is not a valid id.", code="invalid_id")
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise InvalidRequest("This is not a valid id.", code="invalid_id") from None


def _page_query(limit: int | None, cursor: str | None) -> dict[str, str]:
    return ({"limit": str(limit)} if limit else {}) | ({"cursor": cursor} if cursor else {})
