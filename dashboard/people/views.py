"""The People page for admins, and the page on which an invited person joins."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model, login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.http import login_throttle
from dashboard.http.decorators import requires
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from dashboard.live import sessions as live_sessions
from dashboard.people.forms import InvitationForm, JoinForm
from dashboard.people.page import TeamPage
from dashboard.people.sign_in_views import record_sign_in
from executions.policy import Action
from executions.team import members
from executions.team import settings as team_settings


@requires(Action.PEOPLE_VIEW)
@require_GET
def team(request: AuthenticatedRequest) -> HttpResponse:
    return _page(request, InvitationForm(initial={"role": members.MEMBER, "days": 7}))


def _page(
    request: AuthenticatedRequest, form: InvitationForm, *, status: int = 200, link: str = ""
) -> HttpResponse:
    context = {"page": TeamPage(request.user), "form": form, "link": link}
    response = render(request, "people/index.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


@requires(Action.PERSON_INVITE)
@require_POST
def invite(request: AuthenticatedRequest) -> HttpResponse:
    """The response shows the link once; only a hash of it is stored."""
    form = InvitationForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    data = form.cleaned_data
    _, token = members.invite(data["note"], data["role"], data["days"], actor=request.user)
    path = reverse("join", args=[token])
    link = f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)
    return _page(request, InvitationForm(initial={"role": members.MEMBER, "days": 7}), status=201, link=link)


@requires(Action.INVITATION_WITHDRAW)
@require_POST
def withdraw(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    if members.withdraw(pk, actor=request.user):
        messages.success(request, "Invitation withdrawn. Its link no longer works.")
    else:
        messages.info(request, "This invitation was already used, withdrawn or expired.")
    return see_other("people")


@requires(Action.PEOPLE_VIEW)
@require_POST
def change(request: AuthenticatedRequest, pk: int, what: str) -> HttpResponse:
    """`what` is "role" (the new one is in POST), "deactivate" or "reactivate"."""
    person = get_object_or_404(get_user_model(), pk=pk)
    name = person.get_username()
    try:
        match what:
            case "deactivate" if members.deactivate(pk, actor=request.user):
                live_sessions.close_sockets(pk)
                messages.success(request, f"{name} was deactivated. Their sessions have ended.")
            case "reactivate" if members.reactivate(pk, actor=request.user):
                messages.success(request, f"{name} can sign in again.")
            case "role":
                new = request.POST.get("role", "")
                if new not in (members.MEMBER, members.ADMIN):
                    return HttpResponse(
                        "The role must be member or admin.", status=400, content_type="text/plain"
                    )
                if members.change_role(pk, new, actor=request.user):
                    live_sessions.role_changed(pk)
                    messages.success(request, f"{name} is now {new}.")
    except members.MemberChangeRejected as error:
        messages.error(request, str(error))
    if pk == request.user.pk and what == "role":
        return see_other("studio")
    return see_other("people")


@requires(Action.SETTING_CHANGE)
@require_POST
def change_setting(request: AuthenticatedRequest) -> HttpResponse:
    """Change what members may do."""
    if team_settings.change(team_settings.TEAM_CANCELS, "team_cancels" in request.POST, actor=request.user):
        messages.success(request, "Saved.")
    return see_other("people")


@login_not_required
@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Let the holder of an invitation link choose a name and a password, and sign them in."""
    attempts = login_throttle.FailedAttempts(request, "join")
    if attempts.too_many():
        response = render(request, "account/join.html", {"throttled": True}, status=429)
        response["Retry-After"] = str(login_throttle.THROTTLE_SECONDS)
        return response
    invitation = members.invitation_of(token)
    if invitation is None:
        attempts.count()
        return render(request, "account/join.html", {"gone": True}, status=404)
    if request.user.is_authenticated:
        return render(request, "account/join.html", {"already": True})
    form = JoinForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            person = members.join(token, form.cleaned_data["username"], form.cleaned_data["password1"])
        except members.MemberChangeRejected as error:
            form.add_error("username", str(error))
        else:
            login(request, person, backend=settings.AUTHENTICATION_BACKENDS[0])
            record_sign_in(person)
            messages.success(request, f"Welcome, {person.get_username()}.")
            return see_other("studio")
    status = 422 if request.method == "POST" else 200
    return render(request, "account/join.html", {"form": form, "invitation": invitation}, status=status)
