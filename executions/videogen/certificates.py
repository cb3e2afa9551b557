"""The certificate authorities that our HTTPS connections trust."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted(*, trust_env: bool = True) -> ssl.SSLContext:
    """What httpx trusts by default, for the `verify` of a client: with `trust_env`, as SSL_CERT_FILE or SSL_CERT_DIR say.

    Read once per process. Each new client would read all certificates again, which takes about 20 ms of computing.
    """
    return httpx.create_ssl_context(trust_env=trust_env)
