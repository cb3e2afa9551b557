"""Every address of Rushes, and a view that does nothing: once like any other, once before all middleware."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import markcoroutinefunction
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

TRIVIAL, BARE = "benchmark/trivial/", "benchmark/bare/"


@login_not_required
@csrf_exempt
async def trivial(request: HttpRequest) -> HttpResponse:
    """Reads the body, and answers as briefly as the receiver."""
    return JsonResponse({"outcome": str(len(request.body))})


class bare_first:
    """Before all other middleware."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponse]]) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        return await (trivial if request.path_info == f"/{BARE}" else self.get_response)(request)


urlpatterns = [path("", include("dashboard.urls")), path(TRIVIAL, trivial)]
