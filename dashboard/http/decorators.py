"""What only admins may do or see."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def admins_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Members read that this is for admins; whoever is not signed in is asked to."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_staff:
            return render(request, "403.html", {"reason": "This page is for admins."}, status=403)
        return view(request, *args, **kwargs)

    return guarded
