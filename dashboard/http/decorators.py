"""What only admins may do or see."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.http import HttpResponseBase
from django.shortcuts import render

from dashboard.http.requests import AuthenticatedRequest


def admins_only[View: Callable[..., HttpResponseBase]](view: View) -> View:
    """Members read that this is for admins; whoever is not signed in is asked to."""

    @wraps(view)
    def guarded(request: AuthenticatedRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_staff:
            return render(request, "403.html", {"reason": "This page is for admins."}, status=403)
        return view(request, *args, **kwargs)

    return cast(View, guarded)
