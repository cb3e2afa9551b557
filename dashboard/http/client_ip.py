"""Where a request came from: the connection's other end, or what a proxy that is trusted says of it."""

from __future__ import annotations

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Each proxy adds the address that it sees: read from the end, the first that is no proxy of ours is the client's.

    What stands before that is the client's own invention.
    """
    address: str = request.META.get("REMOTE_ADDR") or ""
    if not settings.TRUSTED_PROXIES:
        return address
    told = [each.strip() for each in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    while told and _is_proxy(address):
        if not _is_address(before := told.pop()):
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
    mapped = getattr(parsed, "ipv4_mapped", None)  # an IPv4 address as a socket for both kinds tells it
    return any((mapped or parsed) in network for network in settings.TRUSTED_PROXIES)
