"""Makes the HTTP clients for VideoGen's API, its storage and its media."""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any

import httpx


def http_client(*, trust_env: bool = True, **options: Any) -> httpx.AsyncClient:
    """A client with these options of httpx. It trusts the certificate authorities that httpx trusts by default."""
    return httpx.AsyncClient(verify=_certificates(trust_env), trust_env=trust_env, **options)


@cache
def _certificates(trust_env: bool) -> ssl.SSLContext:
    """Read once per process: each new client would read them again, which takes about 20 ms of computing."""
    return httpx.create_ssl_context(trust_env=trust_env)
