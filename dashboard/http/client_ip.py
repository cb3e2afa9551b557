"""The client's address: that of the connection, or the one reported by a trusted proxy."""

from __future__ import annotations

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The last address in X-Forwarded-For that is not a trusted proxy, since each proxy appends the one it sees.

    Earlier addresses are ignored: the client can invent them.
    """
    address: str = request.META.get("REMOTE_ADDR") or ""
    if not settings.TRUSTED_PROXIES:
        return address
    forwarded = [each.strip() for each in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    while forwarded and _is_proxy(address):
        if not _is_address(before := forwarded.pop()):
            break
        address = before
    return address


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_proxy(address: str) -> bool:
    if not _is_address(address):
        return False
    parsed = ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None)  # an IPv4 address as a dual-stack socket reports it
    return any((mapped or parsed) in network for network in settings.TRUSTED_PROXIES)
