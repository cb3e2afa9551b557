"""Who may open which address: one line for each URL of the dashboard. A new URL needs a line here."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard import admin

# What an answer means: shown (or done), sent to the sign-in page, refused, not there, not this method.
OK, DONE, SIGN_IN, REFUSED, ABSENT, NO_METHOD = 200, 303, 302, 403, 404, 405


@dataclass(frozen=True)
class Line:
    """`path` may name {job} (ann's, running), {lost} (ann's, unconfirmed), {file} (nobody's), {mine} (ann's),
    {open} (public), {batch} (ann's, waiting), {wish} (to cancel it), {plan} (ann's), {delivery}, {person} (a
    member), {view} (ann's), {selection} (ann's, to cancel), {spoken} (a comment of ann's on a job); the numbers
    are statuses.

    `ben` is another member than the one whose job it is, `ann` the owner, `ada` an admin.
    """

    name: str
    path: str
    anonymous: int
    ben: int
    ann: int
    ada: int
    method: str = "get"


def everybody(name: str, path: str, status: int = OK, method: str = "get") -> Line:
    """Whoever is signed in; others are sent to the sign-in page."""
    return Line(name, path, SIGN_IN, status, status, status, method)


def owners(name: str, path: str, status: int = DONE, method: str = "post") -> Line:
    """The job's owner and admins."""
    return Line(name, path, SIGN_IN, REFUSED, status, status, method)


def admins(name: str, path: str, status: int = OK, method: str = "get") -> Line:
    return Line(name, path, SIGN_IN, REFUSED, REFUSED, status, method)


def anybody(name: str, path: str, status: int = OK, method: str = "get") -> Line:
    return Line(name, path, status, status, status, status, method)


# Django's admin site has three addresses for each table; of a row that is not there it leads away.
TABLES = [f"{model._meta.app_label}/{model._meta.model_name}" for model in admin.site._registry]
ADMIN_SITE = [
    admins("admin:index", "/admin/"),
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
    everybody("studio", "/"),
    everybody("studio-board", "/board/"),
    everybody("since", "/since/"),
    everybody("since-seen", "/since/seen/", DONE, "post"),
    everybody("since-again", "/since/again/", DONE, "post"),
    everybody("tool", "/tools/generate-image/"),
    everybody("tool", "/tools/generate-image/", 422, "post"),
    everybody("tool-before", "/tools/generate-image/before/", OK, "post"),
    everybody("voice-sample", "/voices/no-such-voice/sample/", ABSENT, "post"),
    everybody("executions", "/executions/"),
    everybody("executions-fresh", "/executions/fresh/"),
    everybody("executions-columns", "/executions/columns/", DONE, "post"),
    everybody("executions-csv", "/executions/export.csv"),
    everybody("executions-jsonl", "/executions/export.jsonl"),
    everybody("view-save", "/executions/views/", DONE, "post"),
    owners("view-forget", "/executions/views/{view}/forget/"),
    everybody("selection-choose", "/executions/choose/", DONE, "post"),
    Line("selection", "/executions/selections/{selection}/", SIGN_IN, ABSENT, OK, ABSENT),
    Line("selection", "/executions/selections/{selection}/", SIGN_IN, ABSENT, 422, ABSENT, "post"),
    Line(
        "selection-results", "/executions/selections/{selection}/results.zip", SIGN_IN, ABSENT, ABSENT, ABSENT
    ),
    everybody("execution", "/executions/{job}/"),
    owners("execution-cancel", "/executions/{job}/cancel/"),
    owners("execution-link", "/executions/{lost}/link/"),
    owners("execution-again", "/executions/{lost}/again/"),
    everybody("execution-comments", "/executions/{job}/comments/"),
    everybody("execution-comments", "/executions/{job}/comments/", 422, "post"),
    Line("comment-withdraw", "/executions/{spoken}/withdraw/", SIGN_IN, REFUSED, DONE, REFUSED, "post"),
    everybody("mentions", "/mentions/"),
    everybody("mentions", "/mentions/", DONE, "post"),
    owners("execution-evidence", "/executions/{job}/evidence.zip", OK, "get"),
    owners("execution-pause", "/executions/{job}/pause/"),
    owners("execution-resume", "/executions/{job}/resume/"),
    owners("execution-front", "/executions/{job}/front/"),
    owners("execution-edit", "/executions/{job}/edit/", 409, "get"),
    owners("execution-edit", "/executions/{job}/edit/", 422),
    everybody("queue", "/queue/"),
    admins("queue-pause", "/queue/pause/", DONE, "post"),
    admins("queue-resume", "/queue/resume/", DONE, "post"),
    everybody("file-pick", "/files/pick/?tool=upscale-image&field=imageFileId"),
    everybody("files", "/files/"),
    everybody("files-sync", "/files/sync/", DONE, "post"),
    everybody("files-public", "/files/public/"),
    everybody("file-upload", "/files/upload/"),
    everybody("file-upload", "/files/upload/", 422, "post"),
    everybody("file-states", "/files/states/"),
    everybody("file", "/files/{file}/"),
    everybody("file-public", "/files/{open}/public/"),
    everybody("files-keep", "/files/keep/", DONE),
    everybody("files-keep", "/files/keep/", DONE, "post"),
    everybody("copies", "/files/copies/"),
    admins("copies-choose", "/files/copies/choose/", DONE, "post"),
    everybody("file-keep", "/files/{file}/keep/", DONE, "post"),
    everybody("file-link-copied", "/files/{open}/copied/", 204, "post"),
    owners("file-archive", "/files/{mine}/archive/"),
    owners("file-restore", "/files/{mine}/restore/"),
    owners("file-publish", "/files/{mine}/publish/", 422),
    owners("file-withdraw", "/files/{mine}/withdraw/"),
    admins("file-archive", "/files/{file}/archive/", DONE, "post"),
    everybody("file-preview", "/files/{file}/preview", 302),
    everybody("file-thumbnail", "/files/{file}/thumbnail", 302),
    # The bytes pass through us, and nobody is there to send them.
    everybody("file-download", "/files/{file}/download", 503),
    everybody("batches", "/batches/"),
    everybody("batch-new", "/batches/new/"),
    everybody("batch-new", "/batches/new/", 422, "post"),
    everybody("batch-template", "/batches/template/generate-image.csv"),
    Line("batch-plan", "/batches/plans/{plan}/", SIGN_IN, ABSENT, OK, ABSENT),
    Line("batch-plan", "/batches/plans/{plan}/", SIGN_IN, ABSENT, DONE, ABSENT, "post"),
    everybody("batch", "/batches/{batch}/"),
    owners("batch-undo", "/batches/{batch}/undo/"),
    owners("batch-pause", "/batches/{batch}/pause/"),
    owners("batch-resume", "/batches/{batch}/resume/"),
    everybody("batch-again", "/batches/{batch}/again/", DONE, "post"),
    owners("batch-cancel", "/batches/{batch}/cancel/"),
    owners("batch-cancel-confirm", "/batches/{batch}/cancel/{wish}/", OK, "get"),
    owners("batch-cancel-confirm", "/batches/{batch}/cancel/{wish}/"),
    everybody("batch-results", "/batches/{batch}/results.zip", ABSENT),
    admins("insights", "/insights/?range=90&tool=generate-image&person=1"),
    admins("webhooks", "/settings/webhooks/"),
    admins("webhooks", "/settings/webhooks/", 422, "post"),
    admins("webhook-rotate", "/settings/webhooks/nothing/rotate/", DONE, "post"),
    admins("webhook-delete", "/settings/webhooks/nothing/delete/", DONE, "post"),
    admins("deliveries", "/settings/deliveries/"),
    admins("delivery", "/settings/deliveries/{delivery}/"),
    admins("deliveries-replay", "/settings/deliveries/replay/", DONE, "post"),
    admins("people", "/settings/people/"),
    admins("people-invite", "/settings/people/invite/", 422, "post"),
    admins("people-choices", "/settings/people/choices/", DONE, "post"),
    admins("invitation-withdraw", "/settings/people/invitations/1/withdraw/", DONE, "post"),
    admins("person-role", "/settings/people/{person}/role/", 400, "post"),
    admins("person-shut-out", "/settings/people/{person}/shut-out/", DONE, "post"),
    admins("person-let-in", "/settings/people/{person}/let-in/", DONE, "post"),
    admins("audit", "/audit/"),
    admins("audit-export", "/audit/export.csv"),
    admins("audit-export", "/audit/export.jsonl?actor=1&kind=exported"),
    admins("audit-export", "/audit/export.xml", ABSENT),
    anybody("join", "/join/not-an-invitation/", ABSENT),
    anybody("join", "/join/not-an-invitation/", ABSENT, "post"),
    admins("limits", "/settings/limits/"),
    admins("closings", "/settings/closings/"),
    admins("closings", "/settings/closings/", DONE, "post"),
    admins("closing", "/settings/closings/0/", ABSENT),
    Line("login", "/sign-in/", OK, 302, 302, 302),
    everybody("logout", "/sign-out/", DONE, "post"),
    anybody("receiver", "/webhooks/videogen/", 401, "post"),
    anybody("healthz", "/healthz"),
    anybody("readyz", "/readyz"),
    # For admins, and for whoever has METRICS_TOKEN (tests/dashboard/http/test_metrics.py).
    Line("metrics", "/metrics", REFUSED, REFUSED, REFUSED, OK),
]
