"""Signed-in HTTP clients for tests, with or without htmx, and the text of a page."""

from __future__ import annotations

from typing import Any

from asgiref.sync import SyncToAsync
from django.db import connections
from django.http import HttpResponse
from django.test import AsyncClient, Client

from tests.markup import plain_text

HTMX = {"HX-Request": "true"}


class Browser:
    """A session of one person, for sync tests (`get`, `post`) and async ones (`aget`, `apost`)."""

    def __init__(self, user: Any, client: Client, async_client: AsyncClient) -> None:
        self.user = user
        self.client = client
        self.async_client = async_client

    def get(self, path: str, data: Any = None, **options: Any) -> HttpResponse:
        return self.client.get(path, data, **options)

    def post(self, path: str, data: Any = None, **options: Any) -> HttpResponse:
        return self.client.post(path, data, **options)

    async def aget(self, path: str, data: Any = None, **options: Any) -> HttpResponse:
        return await self.async_client.get(path, data, **options)

    async def apost(self, path: str, data: Any = None, **options: Any) -> HttpResponse:
        return await self.async_client.post(path, data, **options)

    @property
    def cookie_header(self) -> bytes:
        """The session cookie as a header value, for a websocket."""
        return f"sessionid={self.client.cookies['sessionid'].value}".encode()


def signed_in(user: Any, **options: Any) -> Browser:
    client, async_client = Client(**options), AsyncClient(**options)
    client.force_login(user)
    async_client.cookies = client.cookies
    return Browser(user, client, async_client)


def text(response: HttpResponse) -> str:
    """The text of a page, without its tags."""
    return plain_text(response)


def close_connections() -> None:
    """Close the database connections of the thread that runs sync code for async tests."""
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
