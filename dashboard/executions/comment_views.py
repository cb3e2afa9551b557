"""What the team says about a job, and where one is named."""

from __future__ import annotations

import uuid

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.executions import views as executions_views
from dashboard.http.requests import AuthenticatedRequest
from dashboard.live.comments import talk
from executions import policy
from executions.models import Comment, Execution
from executions.policy import Action
from executions.team import comments

MENTIONS_SHOWN = 50


@require_http_methods(["GET", "POST"])
def job_comments(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """The comments alone, as a page asks for them again; POST writes one."""
    execution = get_object_or_404(Execution, pk=pk)
    if request.method == "GET":
        return render(request, "executions/_comment_list.html", talk(request.user, execution))
    try:
        comments.write(execution, actor=request.user, text=request.POST.get("text", ""))
    except comments.Refused as refused:
        said = {"problem": str(refused), "typed": request.POST.get("text", "")}
        if request.htmx:
            context = talk(request.user, execution, **said)
            return render(request, "executions/_comments.html", context, status=422)
        return executions_views.page(request, pk, status=422, **said)
    if request.htmx:
        return render(request, "executions/_comments.html", talk(request.user, execution))
    return _back(pk)


@require_POST
def withdraw(request: AuthenticatedRequest, pk: uuid.UUID, comment: uuid.UUID) -> HttpResponse:
    """For whoever wrote it, and nobody else: not even an admin takes back another's words."""
    found = get_object_or_404(Comment, pk=comment, execution=pk)
    if not policy.can(request.user, Action.COMMENT_WITHDRAW, found):
        return HttpResponse("Only whoever wrote a comment may withdraw it.", status=403)
    comments.withdraw(comment, actor=request.user)
    if request.htmx:
        execution = Execution.objects.get(pk=pk)
        return render(request, "executions/_comment_list.html", talk(request.user, execution))
    return _back(pk)


@require_http_methods(["GET", "POST"])
def mentions(request: AuthenticatedRequest) -> HttpResponse:
    """Where one is named, the latest first; POST: all of it has been seen."""
    if request.method == "POST":
        comments.see(request.user)
        return HttpResponseRedirect(reverse("mentions"), status=303)
    found = comments.mentions_of(request.user.pk, MENTIONS_SHOWN)
    return render(request, "people/mentions.html", {"mentions": found})


def _back(pk: uuid.UUID) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('execution', args=[pk])}#talk", status=303)
