"""Comments on a job, and the page of a person's mentions."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.executions import views as executions_views
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from dashboard.live.comments import comments_context
from executions import policy
from executions.models import Comment, Execution
from executions.policy import Action
from executions.team import comments

MAX_MENTIONS = 50


@require_http_methods(["GET", "POST"])
def job_comments(request: AuthenticatedRequest, pk: uuid.UUID) -> HttpResponse:
    """GET returns the list of comments, which pages refetch; POST adds one."""
    execution = get_object_or_404(policy.visible_to(request.user, Execution.objects.all()), pk=pk)
    if request.method == "GET":
        return render(request, "executions/_comment_list.html", comments_context(request.user, execution))
    try:
        comments.write(execution, actor=request.user, text=request.POST.get("text", ""))
    except comments.CommentRejected as refused:
        rejected = {"problem": str(refused), "typed": request.POST.get("text", "")}
        if request.htmx:
            context = comments_context(request.user, execution, **rejected)
            return render(request, "executions/_comments.html", context, status=422)
        return executions_views.page(request, pk, status=422, **rejected)
    if request.htmx:
        return render(request, "executions/_comments.html", comments_context(request.user, execution))
    return _back(pk)


@require_POST
def withdraw(request: AuthenticatedRequest, pk: uuid.UUID, comment: uuid.UUID) -> HttpResponse:
    """Withdraw a comment. Only its author may: not even admins can withdraw the comments of others."""
    found = get_object_or_404(
        policy.visible_to(request.user, Comment.objects.all()), pk=comment, execution=pk
    )
    if not policy.can(request.user, Action.COMMENT_WITHDRAW, found):
        return HttpResponse("Only the author of a comment may withdraw it.", status=403)
    comments.withdraw(comment, actor=request.user)
    if request.htmx:
        execution = Execution.objects.get(pk=pk)
        return render(request, "executions/_comment_list.html", comments_context(request.user, execution))
    return _back(pk)


@require_http_methods(["GET", "POST"])
def mentions(request: AuthenticatedRequest) -> HttpResponse:
    """The person's mentions, the latest first; POST marks them all as read."""
    if request.method == "POST":
        comments.mark_read(request.user)
        return see_other("mentions")
    found = comments.latest_mentions(request.user.pk, MAX_MENTIONS)
    return render(request, "people/mentions.html", {"mentions": found})


def _back(pk: uuid.UUID) -> HttpResponse:
    return see_other(f"{reverse('execution', args=[pk])}#talk")
