"""Permissions of every URL of the dashboard. A new URL needs a line here."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from dashboard import admin
from executions.batches import bulk_actions
from executions.models import Batch, SavedFilter, WebhookDelivery
from executions.models.selection import Act
from executions.policy import Action, Role
from executions.team import comments
from tests.factories import planning
from tests.factories.files import file
from tests.factories.jobs import job

# Expected statuses: shown, done, redirected to the sign-in page, refused, not found, wrong method.
OK, DONE, SIGN_IN, REFUSED, NOT_FOUND, NO_METHOD = 200, 303, 302, 403, 404, 405

# Who requests each URL: `ann` owns the things in it, `ben` is another member, `ada` an admin.
ROLES = {"anonymous": None, "ben": Role.MEMBER, "ann": Role.MEMBER, "ada": Role.ADMIN}


@dataclass(frozen=True)
class Line:
    """The status that each person gets, and the action that the policy is asked about (None where another test checks it).

    `path` may contain {job} (ann's, running), {unconfirmed} (a job of ann's), {comment} (ann's, on a job of hers),
    {batch} (ann's, queued), {cancellation} (planned by ann for that batch), {plan} (ann's), {view} (ann's),
    {selection} (ann's, to cancel), {file} (without an owner), {own_file} (ann's), {public_file}, {delivery}, and
    {person} (a member).
    """

    name: str
    path: str
    anonymous: int
    ben: int
    ann: int
    ada: int
    method: str = "get"
    action: Action | None = None


def path_of(line: Line, owner: Any) -> str:
    """The line's path, filled with things that it creates."""
    url = "https://media.example.org/signed"
    expires = (timezone.now() + timedelta(hours=1)).isoformat()
    source = {"status": "ready", "url": url, "expiresAt": expires}
    things = {
        "job": lambda: job(owner, "running").pk,
        "unconfirmed": lambda: job(owner, "unconfirmed").pk,
        "file": lambda: file(snapshot={"fileId": uuid.uuid4().hex, "previewSource": source, "downloadSource": source}).pk,
        "delivery": lambda: WebhookDelivery.objects.create(webhook_id=uuid.uuid4().hex, outcome="file", body=b"{}").pk,
        "plan": lambda: planning.plan(owner).pk,
        "batch": lambda: planning.batch(owner, held=True).pk,
        "cancellation": lambda: planning.cancel_request(Batch.objects.latest("pk"), actor=owner).pk,
        "comment": lambda: "{0.execution_id}/comments/{0.pk}".format(comments.write(job(owner), actor=owner, text="x")),
        "person": lambda: get_user_model().objects.create(username=uuid.uuid4().hex).pk,
        "view": lambda: SavedFilter.objects.create(name=uuid.uuid4().hex, created_by=owner).pk,
        "selection": lambda: bulk_actions.create_selection([job(owner, "running").pk], Act.CANCEL, actor=owner).pk,
        "own_file": lambda: file(type="VIDEO", created_by=owner).pk,
        "public_file": lambda: file(type="VIDEO", public_since=timezone.now()).pk,
    }  # fmt: skip
    return line.path.format(**{name: make() for name, make in things.items() if "{%s}" % name in line.path})  # noqa: UP031


def signed_in(
    name: str, path: str, status: int = OK, method: str = "get", *, action: Action | None = None
) -> Line:
    """Everyone who is signed in."""
    return Line(name, path, SIGN_IN, status, status, status, method, action)


def owners(name: str, path: str, status: int = DONE, method: str = "post") -> Line:
    """The owner of the thing, and admins."""
    return Line(name, path, SIGN_IN, REFUSED, status, status, method)


def admins(
    name: str, path: str, status: int = OK, method: str = "get", *, action: Action | None = None
) -> Line:
    return Line(name, path, SIGN_IN, REFUSED, REFUSED, status, method, action)


def public(name: str, path: str, status: int = OK, method: str = "get") -> Line:
    return Line(name, path, status, status, status, status, method)


# Django's admin site has three URLs per table; for a row that does not exist it redirects to the index.
TABLES = [f"{model._meta.app_label}/{model._meta.model_name}" for model in admin.site._registry]
ADMIN_SITE = [
    admins("admin:index", "/admin/", action=Action.TABLES_VIEW),
    admins("admin:jsi18n", "/admin/jsi18n/"),
    admins("admin:app_list", "/admin/executions/"),
    *(admins(f"admin:{table.replace('/', '_')}_changelist", f"/admin/{table}/") for table in TABLES),
    *(
        admins(f"admin:{table.replace('/', '_')}_change", f"/admin/{table}/0/change/", 302)
        for table in TABLES
    ),
    *(
        admins(f"admin:{table.replace('/', '_')}_history", f"/admin/{table}/0/history/", 302)
        for table in TABLES
    ),
]

TABLE = [
    *ADMIN_SITE,
    signed_in("studio", "/"),
    signed_in("studio-board", "/board/"),
    signed_in("since", "/since/"),
    signed_in("since-seen", "/since/seen/", DONE, "post"),
    signed_in("since-again", "/since/again/", DONE, "post"),
    signed_in("tool", "/tools/generate-image/"),
    signed_in("tool", "/tools/generate-image/", 422, "post"),
    signed_in("tool-before", "/tools/generate-image/before/", OK, "post"),
    signed_in("voice-sample", "/voices/no-such-voice/sample/", NOT_FOUND, "post"),
    signed_in("executions", "/executions/"),
    signed_in("executions-fresh", "/executions/fresh/"),
    signed_in("executions-columns", "/executions/columns/", DONE, "post"),
    signed_in("executions-csv", "/executions/export.csv", action=Action.HISTORY_EXPORT),
    signed_in("executions-jsonl", "/executions/export.jsonl", action=Action.HISTORY_EXPORT),
    signed_in("view-save", "/executions/views/", DONE, "post"),
    owners("view-forget", "/executions/views/{view}/forget/"),
    signed_in("selection-choose", "/executions/choose/", DONE, "post"),
    Line("selection", "/executions/selections/{selection}/", SIGN_IN, NOT_FOUND, OK, NOT_FOUND),
    Line("selection", "/executions/selections/{selection}/", SIGN_IN, NOT_FOUND, 422, NOT_FOUND, "post"),
    Line(
        "selection-results",
        "/executions/selections/{selection}/results.zip",
        SIGN_IN,
        NOT_FOUND,
        NOT_FOUND,
        NOT_FOUND,
    ),
    signed_in("execution", "/executions/{job}/"),
    owners("execution-cancel", "/executions/{job}/cancel/"),
    owners("execution-link", "/executions/{unconfirmed}/link/"),
    owners("execution-again", "/executions/{unconfirmed}/again/"),
    signed_in("execution-comments", "/executions/{job}/comments/"),
    signed_in("execution-comments", "/executions/{job}/comments/", 422, "post"),
    Line("comment-withdraw", "/executions/{comment}/withdraw/", SIGN_IN, REFUSED, DONE, REFUSED, "post"),
    signed_in("mentions", "/mentions/"),
    signed_in("mentions", "/mentions/", DONE, "post"),
    owners("execution-evidence", "/executions/{job}/evidence.zip", OK, "get"),
    owners("execution-pause", "/executions/{job}/pause/"),
    owners("execution-resume", "/executions/{job}/resume/"),
    owners("execution-front", "/executions/{job}/front/"),
    owners("execution-edit", "/executions/{job}/edit/", 409, "get"),
    owners("execution-edit", "/executions/{job}/edit/", 422),
    signed_in("queue", "/queue/"),
    admins("queue-pause", "/queue/pause/", DONE, "post"),
    admins("queue-resume", "/queue/resume/", DONE, "post"),
    signed_in("file-pick", "/files/pick/?tool=upscale-image&field=imageFileId"),
    signed_in("files", "/files/"),
    signed_in("files-sync", "/files/sync/", DONE, "post"),
    signed_in("files-public", "/files/public/"),
    signed_in("file-upload", "/files/upload/"),
    signed_in("file-upload", "/files/upload/", 422, "post"),
    signed_in("file-states", "/files/states/"),
    signed_in("file", "/files/{file}/"),
    signed_in("file-public", "/files/{public_file}/public/"),
    signed_in("files-copy", "/files/keep/", DONE),
    signed_in("files-copy", "/files/keep/", DONE, "post"),
    signed_in("copies", "/files/copies/"),
    admins("copies-choose", "/files/copies/choose/", DONE, "post"),
    signed_in("file-copy", "/files/{file}/keep/", DONE, "post"),
    signed_in("file-link-copied", "/files/{public_file}/copied/", 204, "post"),
    owners("file-archive", "/files/{own_file}/archive/"),
    owners("file-restore", "/files/{own_file}/restore/"),
    owners("file-publish", "/files/{own_file}/publish/", 422),
    owners("file-withdraw", "/files/{own_file}/withdraw/"),
    admins("file-archive", "/files/{file}/archive/", DONE, "post"),
    signed_in("file-preview", "/files/{file}/preview", 302),
    signed_in("file-thumbnail", "/files/{file}/thumbnail", 302),
    # Rushes streams the bytes, and VideoGen is out of reach here.
    signed_in("file-download", "/files/{file}/download", 503),
    signed_in("batches", "/batches/"),
    signed_in("batch-new", "/batches/new/"),
    signed_in("batch-new", "/batches/new/", 422, "post"),
    signed_in("batch-template", "/batches/template/generate-image.csv"),
    Line("batch-plan", "/batches/plans/{plan}/", SIGN_IN, NOT_FOUND, OK, NOT_FOUND),
    Line("batch-plan", "/batches/plans/{plan}/", SIGN_IN, NOT_FOUND, DONE, NOT_FOUND, "post"),
    signed_in("batch", "/batches/{batch}/"),
    owners("batch-undo", "/batches/{batch}/undo/"),
    owners("batch-pause", "/batches/{batch}/pause/"),
    owners("batch-resume", "/batches/{batch}/resume/"),
    signed_in("batch-again", "/batches/{batch}/again/", DONE, "post"),
    owners("batch-cancel", "/batches/{batch}/cancel/"),
    owners("batch-cancel-confirm", "/batches/{batch}/cancel/{cancellation}/", OK, "get"),
    owners("batch-cancel-confirm", "/batches/{batch}/cancel/{cancellation}/"),
    signed_in("batch-results", "/batches/{batch}/results.zip", NOT_FOUND),
    admins("insights", "/insights/?range=90&tool=generate-image&person=1", action=Action.INSIGHTS_VIEW),
    admins("webhooks", "/settings/webhooks/", action=Action.WEBHOOKS_VIEW),
    admins("webhooks", "/settings/webhooks/", 422, "post"),
    admins("webhook-rotate", "/settings/webhooks/nothing/rotate/", DONE, "post"),
    admins("webhook-delete", "/settings/webhooks/nothing/delete/", DONE, "post"),
    admins("deliveries", "/settings/deliveries/", action=Action.WEBHOOKS_VIEW),
    admins("delivery", "/settings/deliveries/{delivery}/", action=Action.WEBHOOKS_VIEW),
    admins("deliveries-replay", "/settings/deliveries/replay/", DONE, "post"),
    admins("people", "/settings/people/", action=Action.PEOPLE_VIEW),
    admins("people-invite", "/settings/people/invite/", 422, "post"),
    admins("people-choices", "/settings/people/choices/", DONE, "post"),
    admins("invitation-withdraw", "/settings/people/invitations/1/withdraw/", DONE, "post"),
    admins("person-role", "/settings/people/{person}/role/", 400, "post"),
    admins("person-deactivate", "/settings/people/{person}/shut-out/", DONE, "post"),
    admins("person-reactivate", "/settings/people/{person}/let-in/", DONE, "post"),
    admins("audit", "/audit/", action=Action.AUDIT_VIEW),
    admins("audit-export", "/audit/export.csv", action=Action.AUDIT_VIEW),
    admins("audit-export", "/audit/export.jsonl?actor=1&kind=exported"),
    admins("audit-export", "/audit/export.xml", NOT_FOUND),
    public("join", "/join/not-an-invitation/", NOT_FOUND),
    public("join", "/join/not-an-invitation/", NOT_FOUND, "post"),
    admins("limits", "/settings/limits/", action=Action.WEBHOOKS_VIEW),
    admins("reconciliations", "/settings/closings/", action=Action.WEBHOOKS_VIEW),
    admins("reconciliations", "/settings/closings/", DONE, "post"),
    admins("reconciliation", "/settings/closings/0/", NOT_FOUND),
    Line("login", "/sign-in/", OK, 302, 302, 302),
    signed_in("logout", "/sign-out/", DONE, "post"),
    public("receiver", "/webhooks/videogen/", 401, "post"),
    public("healthz", "/healthz"),
    public("readyz", "/readyz"),
    # Also open to requests with METRICS_TOKEN (tests/dashboard/http/test_metrics.py).
    Line("metrics", "/metrics", REFUSED, REFUSED, REFUSED, OK, action=Action.METRICS_VIEW),
]
