"""Webhooks, for admins: the account's endpoints, one delivery, replays, and rejected requests."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.http.decorators import requires
from dashboard.http.params import as_id
from dashboard.http.paths import RECEIVER_PATH
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from executions.core.sync_bridge import wait_for
from executions.models import Event, File, WebhookDelivery
from executions.models.event import Source
from executions.policy import Action
from executions.videogen import VideoGenError
from executions.webhooks import deliveries, rejections
from executions.webhooks import endpoints as webhook_endpoints

MAX_REPLAYS = 200
MAX_REJECTIONS = 20
DAY = timedelta(days=1)
# Webhooks are reported as missing if this many jobs finished without one,
MIN_MISSED = 5
# and the last one came at least this long ago.
MIN_SILENCE = timedelta(minutes=15)


class EndpointForm(forms.Form):
    url = forms.URLField(label="URL", max_length=500, assume_scheme="https")
    events = forms.MultipleChoiceField(
        label="Events", choices=[(name, name) for name in webhook_endpoints.EVENTS], required=True
    )
    description = forms.CharField(label="Description", max_length=200, required=False)

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if not url.startswith("https://") and not settings.USES_SANDBOX:
            raise forms.ValidationError("VideoGen only sends to https addresses.")
        return url


@requires(Action.WEBHOOKS_VIEW)
@require_http_methods(["GET", "POST"])
def endpoints(request: AuthenticatedRequest) -> HttpResponse:
    if request.method == "POST":
        form = EndpointForm(request.POST)
        if form.is_valid() and _register(request, form):
            return see_other("webhooks")
        return _page(request, form, status=422)
    initial = {
        "url": _own_url(request),
        "events": webhook_endpoints.EVENTS,
        "description": webhook_endpoints.DEFAULT_DESCRIPTION,
    }
    return _page(request, EndpointForm(initial=initial))


def _register(request: AuthenticatedRequest, form: EndpointForm) -> bool:
    data = form.cleaned_data
    try:
        wait_for(
            webhook_endpoints.register,
            data["url"],
            data["events"],
            data["description"],
            actor=request.user,
        )
    except (VideoGenError, TimeoutError) as error:
        form.add_error(None, f"VideoGen did not register it: {getattr(error, 'message', 'no response')}")
        return False
    messages.success(request, "Endpoint registered. Its secret is in use from now on.")
    return True


def _page(request: HttpRequest, form: EndpointForm, status: int = 200) -> HttpResponse:
    note, found = "", []
    try:
        found = wait_for(webhook_endpoints.overview)
    except (VideoGenError, TimeoutError) as error:
        note = f"Could not read the endpoints: {getattr(error, 'message', 'no response')}"
    rejections.flush()
    context = {
        "endpoints": found,
        "note": note,
        "form": form,
        "health": _health(found, _own_url(request)),
        "rejections": rejections.latest(timezone.now() - 7 * DAY, MAX_REJECTIONS),
        "receiver_url": _own_url(request),
        "secrets_configured": len(settings.VIDEOGEN_WEBHOOK_SECRETS),
    }
    return render(request, "webhooks/index.html", context, status=status)


def _own_url(request: HttpRequest) -> str:
    return f"{settings.PUBLIC_URL or request.build_absolute_uri('/').rstrip('/')}/{RECEIVER_PATH}"


def _health(found: list[webhook_endpoints.Endpoint], own_url: str) -> dict[str, Any]:
    """How completions of the last 24 hours were reported, and messages about problems with webhooks."""
    now = timezone.now()
    ends = Event.objects.ends_since(now - DAY)
    by_webhook = ends.from_source(Source.WEBHOOK).count()
    by_poll = ends.from_source(Source.POLL).count()
    last = WebhookDelivery.objects.order_by("-id").first()
    working = [each for each in found if each.remote and each.local]
    problems = []
    if not working and not settings.VIDEOGEN_WEBHOOK_SECRETS:
        problems.append(
            "No webhook endpoint of Rushes is registered: updates arrive by polling, with a delay."
        )
    elif working and not any(each.url == own_url for each in working):
        problems.append(f"The registered endpoint has another address than {own_url}.")
    silent_since = max(last.received_at if last else now - DAY, now - DAY)
    missed = Event.objects.ends_since(silent_since).from_source(Source.POLL).count()
    if missed >= MIN_MISSED and now - silent_since >= MIN_SILENCE:
        since = "in the last day" if not last or last.received_at < now - DAY else "since the last delivery"
        problems.append(
            f"{missed} jobs finished {since} without a webhook: updates arrive by polling, with a delay."
        )
    return {"problems": problems, "by_webhook": by_webhook, "by_poll": by_poll, "last": last}


@requires(Action.WEBHOOKS_VIEW)
@require_POST
def change_endpoint(request: AuthenticatedRequest, remote_id: str, what: str) -> HttpResponse:
    """Rotate an endpoint's secret, or delete the endpoint."""
    try:
        endpoint = next((e for e in wait_for(webhook_endpoints.overview) if e.remote_id == remote_id), None)
        if endpoint is None:
            messages.error(request, "This endpoint no longer exists.")
        elif what == "rotate":
            wait_for(webhook_endpoints.rotate, endpoint, actor=request.user)
            messages.success(request, "Secret rotated. The old one still verifies deliveries for a day.")
        else:
            wait_for(webhook_endpoints.remove, remote_id, endpoint.url, actor=request.user)
            messages.success(request, "Endpoint deleted.")
    except (VideoGenError, TimeoutError) as error:
        messages.error(request, f"VideoGen rejected this: {getattr(error, 'message', 'no response')}")
    return see_other("webhooks")


@requires(Action.WEBHOOKS_VIEW)
@require_GET
def delivery(request: HttpRequest, pk: int) -> HttpResponse:
    stored = get_object_or_404(WebhookDelivery.objects.select_related("execution"), pk=pk)
    body = bytes(stored.body)
    try:
        shown = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        shown = body.decode(errors="replace")
    context = {
        "delivery": stored,
        "file": File.objects.by_remote_id([stored.remote_file_id]).get(stored.remote_file_id)
        if stored.remote_file_id
        else None,
        "check": deliveries.check(stored),
        "body": shown,
        "headers": stored.headers.items(),
    }
    return render(request, "webhooks/delivery.html", context)


@requires(Action.DELIVERY_REPLAY)
@require_POST
def replay(request: AuthenticatedRequest) -> HttpResponse:
    """Apply the selected deliveries again, and report the outcome of each."""
    given = map(as_id, request.POST.getlist("delivery"))
    ids = [pk for pk in given if pk is not None][:MAX_REPLAYS]
    stored = WebhookDelivery.objects.in_bulk(ids)
    selected = [stored[pk] for pk in dict.fromkeys(ids) if pk in stored]
    results = deliveries.replay(selected, actor=request.user)
    if not results:
        messages.warning(request, "No deliveries selected.")
    elif len(results) == 1:
        messages.info(request, results[0][1])
    else:
        return render(request, "webhooks/replay_results.html", {"results": results})
    to = reverse("delivery", args=[results[0][0].pk]) if results else reverse("deliveries")
    return see_other(to)
