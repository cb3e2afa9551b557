"""The studio: choose a tool, start a job, and see the jobs that are in flight or just finished."""

from __future__ import annotations

from concurrent.futures import wait
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.cards import job as job_card
from dashboard.cards.batch import batch_cards
from dashboard.cards.error_advice import refusal
from dashboard.forms.tool_form import ToolForm
from dashboard.http.params import as_uuid
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from dashboard.studio.away_summary import AwaySummary
from executions import statuses, tools
from executions.batches import service as batches
from executions.core import sync_bridge
from executions.lifecycle import chains, create, leases
from executions.models import Execution, File
from executions.policy import Actor
from executions.sync import submit
from executions.team import last_visit
from executions.tools import Tool

MAX_IN_FLIGHT, MAX_BATCHES, MAX_FINISHED = 20, 5, 12
# Seconds that the form's response waits for VideoGen to reject the job. The card is on the page long before.
REJECTION_TIMEOUT = 3.0


@require_GET
def home(request: AuthenticatedRequest) -> HttpResponse:
    return _page(request, tools.available()["generate-image"])


@require_http_methods(["GET", "POST"])
def tool_form(request: AuthenticatedRequest, slug: str) -> HttpResponse:
    tool = tools.available().get(slug)
    if tool is None:
        raise Http404("Your API version does not have this tool.")
    if request.method == "POST":
        return _start(request, tool)
    if request.htmx and not request.htmx.boosted and not request.htmx.history_restore_request:
        return _composer(request, tool, ToolForm(tool, initial=_initial(request, tool)))
    return _page(request, tool, ToolForm(tool, initial=_initial(request, tool)))


@require_POST
def made_before(request: AuthenticatedRequest, slug: str) -> HttpResponse:
    """A hint that the same job succeeded before, with its result. It does not prevent a start."""
    tool = tools.available().get(slug)
    if tool is None:
        raise Http404("Your API version does not have this tool.")
    form = ToolForm(tool, request.POST)
    same = None if not form.is_valid() or form.speech else create.find_earlier_success(tool, form.body)
    made = job_card.card(same, job_card.audience(request.user, same.created_by_id)) if same else None
    return render(request, "studio/_made_before.html", {"made": made})


@require_GET
def board(request: AuthenticatedRequest) -> HttpResponse:
    """The jobs in flight and just finished, which a page refetches when its socket opens."""
    return render(request, "studio/_board.html", _board(request))


def _start(request: AuthenticatedRequest, tool: Tool) -> HttpResponse:
    form = ToolForm(tool, request.POST)
    if not form.is_valid():
        return _form_with_errors(request, tool, form, status=422)
    execution, is_new = _create(form, request.user)
    if is_new:
        _send(execution)
    execution = Execution.objects.for_cards().get(pk=execution.pk)
    if execution.status == statuses.FAILED and execution.remote_id is None:
        # With a new idempotency key, the rejected job can be tried again, changed or not.
        rejection = refusal(execution.error or {})
        return _form_with_errors(request, tool, form.renewed(), status=422, refusal=rejection)
    if not request.htmx:
        return see_other("tool", tool.slug)
    started = job_card.card(execution, job_card.OWNER)
    return _composer(request, tool, form.renewed(), started=started, started_before=not is_new)


def _create(form: ToolForm, actor: Actor) -> tuple[Execution, bool]:
    """Create the job, and return it with whether it is new. For a chain, this is the first of the two jobs."""
    if form.speech is not None:
        first, _, is_new = chains.start_with_speech(
            tool=form.tool, body=form.body, speech=form.speech, actor=actor, key=form.idempotency_key
        )
        return first, is_new
    return create.start(tool=form.tool, body=form.body, actor=actor, key=form.idempotency_key, leased=True)


def _send(execution: Execution) -> None:
    """Send it now. A process without an event loop leaves that to the reconciler."""
    sending = sync_bridge.spawn(submit.send_claimed, execution.pk)
    if sending is None:
        leases.release(execution.pk)
    else:
        # After the timeout, sending continues and the page is updated live.
        wait([sending], timeout=REJECTION_TIMEOUT)


def _initial(request: HttpRequest, tool: Tool) -> dict[str, Any]:
    """Initial values: `?from=<job>` fills in that job's settings, `?file=<id>` a file."""
    initial: dict[str, Any] = {}
    if source := as_uuid(request.GET.get("from", "")):
        execution = Execution.objects.of_tool(tool.slug).filter(pk=source).first()
        initial = tool.values(execution.request_body) if execution else {}
    remote_ids = [each for each in request.GET.getlist("file") if each and "\x00" not in each]
    files = File.objects.by_remote_id(remote_ids)
    for file in files.values():
        field = tool.field_for(file.type)
        if field is not None:
            initial.setdefault(field.name, []).append(file.remote_id)
    return initial


def _form_with_errors(
    request: AuthenticatedRequest, tool: Tool, form: ToolForm, *, status: int, **extra: Any
) -> HttpResponse:
    """The form again, with its input and its errors."""
    if request.htmx:
        return _composer(request, tool, form, status=status, **extra)
    return _page(request, tool, form, status=status, **extra)


def _composer(
    request: HttpRequest, tool: Tool, form: ToolForm, status: int = 200, **extra: Any
) -> HttpResponse:
    form.load()
    context = {"tool": tool, "tool_groups": tools.groups(), "composer": form, **extra}
    return render(request, "studio/_tool_form.html", context, status=status)


def _page(
    request: AuthenticatedRequest, tool: Tool, form: ToolForm | None = None, status: int = 200, **extra: Any
) -> HttpResponse:
    request.live_topic = "studio"
    form = form or ToolForm(tool)
    form.load()
    context = {
        "tool": tool,
        "tool_groups": tools.groups(),
        "composer": form,
        "since": AwaySummary(request.user, last_visit.last(request.user.pk).seen_until),
        **_board(request),
        **extra,
    }
    return render(request, "studio/index.html", context, status=status)


def _board(request: AuthenticatedRequest) -> dict[str, Any]:
    # A batch is one line, so that its jobs do not crowd out single ones.
    single = Execution.objects.in_flight().single()
    flight = list(single.for_cards().newest_first()[: MAX_IN_FLIGHT + 1])
    more = single.count() - MAX_IN_FLIGHT if len(flight) > MAX_IN_FLIGHT else 0
    finished = Execution.objects.finished().for_cards()[:MAX_FINISHED]
    return {
        "flight": job_card.loaded_cards(request.user, flight[:MAX_IN_FLIGHT]),
        "flight_more": more,
        "batches": batch_cards(request.user, batches.in_flight(MAX_BATCHES)),
        "finished": job_card.cards_for(request.user, finished),
    }
