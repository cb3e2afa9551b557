"""Restricts views to the roles that may use them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.http import HttpResponseBase
from django.shortcuts import render

from dashboard.http.requests import AuthenticatedRequest
from executions import policy
from executions.policy import Action


def requires[View: Callable[..., HttpResponseBase]](action: Action) -> Callable[[View], View]:
    """Respond with 403 to people whose role does not allow `action`; RequireSignIn handles anonymous ones."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: AuthenticatedRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not policy.can(request.user, action):
                return render(request, "403.html", {"reason": "This page is for admins."}, status=403)
            return view(request, *args, **kwargs)

        return cast(View, guarded)

    return guard
