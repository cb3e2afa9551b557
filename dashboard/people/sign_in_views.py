"""Signing in and out."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import logout
from django.contrib.auth import views as auth_views
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from dashboard.http import login_throttle
from dashboard.http.redirects import see_other
from dashboard.http.requests import AuthenticatedRequest
from dashboard.live import sessions as live_sessions
from executions.audit import record as audit_log
from executions.models.event import ActKind


class SignIn(auth_views.LoginView):
    """Django's sign-in, limited to a number of failed attempts."""

    template_name = "account/sign_in.html"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        # A script that was redirected here must not follow to a page: the person may have signed in elsewhere meanwhile.
        self.redirect_authenticated_user = "HX-Request" not in request.headers

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        attempts = login_throttle.FailedAttempts(request)
        if attempts.too_many():
            form = self.get_form_class()(request)
            context = self.get_context_data(form=form, throttled=True)
            return self.render_to_response(
                context, status=429, headers={"Retry-After": str(login_throttle.THROTTLE_SECONDS)}
            )
        response = super().post(request, *args, **kwargs)
        if request.user.is_authenticated:
            attempts.reset()
            record_sign_in(request.user)
        else:
            attempts.count()
            # Throttled attempts write no audit entry, so guessing cannot fill the log.
            audit_log.record(ActKind.SIGN_IN_FAILED, actor_id=None, name=_entered_name(request))
        return response

    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


def record_sign_in(person: Any) -> None:
    audit_log.record(ActKind.SIGNED_IN, actor_id=person.pk, subject=person, name=person.get_username())


def _entered_name(request: HttpRequest) -> str:
    """The name that was entered, never the password."""
    return "".join(each for each in request.POST.get("username", "") if each.isprintable())[:150]


@require_POST
def sign_out(request: AuthenticatedRequest) -> HttpResponse:
    """End the session and close its sockets."""
    user, session_key = request.user, request.session.session_key
    audit_log.record(ActKind.SIGNED_OUT, actor_id=user.pk, subject=user, name=user.get_username())
    logout(request)
    live_sessions.close_sockets(user.pk, session_key)
    return see_other("login")
