"""Redirects after a form was processed."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseRedirect
from django.shortcuts import resolve_url


def see_other(to: str, *args: Any) -> HttpResponseRedirect:
    """Lead the browser by GET to a URL, or to the page with this URL name and these arguments."""
    return HttpResponseRedirect(resolve_url(to, *args), status=303)
