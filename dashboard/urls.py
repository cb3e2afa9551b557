"""Every address of the dashboard, grouped by its thing."""

from __future__ import annotations

from django.urls import include, path

from dashboard import admin_site
from dashboard.paths import RECEIVER_PATH
from dashboard.views import (
    audit,
    batches,
    closings,
    deliveries,
    executions,
    files,
    health,
    history,
    insights,
    limits,
    people,
    picker,
    queue,
    receiver,
    remarks,
    selections,
    since,
    studio,
    team,
    voices,
    webhooks,
)

studio_urls = [
    path("", studio.home, name="studio"),
    path("board/", studio.board, name="studio-board"),
    path("since/", since.page, name="since"),
    path("since/seen/", since.seen, name="since-seen"),
    path("since/again/", since.again, name="since-again"),
    path("tools/<slug:slug>/", studio.tool_form, name="tool"),
    path("tools/<slug:slug>/before/", studio.before, name="tool-before"),
    path("voices/<str:voice_id>/sample/", voices.sample, name="voice-sample"),
]

execution_urls = [
    path("", history.page, name="executions"),
    path("fresh/", history.fresh, name="executions-fresh"),
    path("columns/", history.columns, name="executions-columns"),
    path("export.csv", history.export, {"kind": "csv"}, name="executions-csv"),
    path("export.jsonl", history.export, {"kind": "jsonl"}, name="executions-jsonl"),
    path("views/", history.save, name="view-save"),
    path("views/<int:pk>/forget/", history.forget, name="view-forget"),
    path("choose/", selections.choose, name="selection-choose"),
    path("selections/<uuid:pk>/", selections.confirm, name="selection"),
    path("selections/<uuid:pk>/results.zip", selections.results, name="selection-results"),
    path("<uuid:pk>/", executions.detail, name="execution"),
    path("<uuid:pk>/cancel/", executions.cancel, name="execution-cancel"),
    path("<uuid:pk>/link/", executions.link, name="execution-link"),
    path("<uuid:pk>/again/", executions.again, name="execution-again"),
    path("<uuid:pk>/comments/", remarks.job_comments, name="execution-comments"),
    path("<uuid:pk>/comments/<uuid:comment>/withdraw/", remarks.withdraw, name="comment-withdraw"),
    path("<uuid:pk>/evidence.zip", audit.take_evidence, name="execution-evidence"),
    path("<uuid:pk>/pause/", queue.pause, name="execution-pause"),
    path("<uuid:pk>/resume/", queue.resume, name="execution-resume"),
    path("<uuid:pk>/front/", queue.front, name="execution-front"),
    path("<uuid:pk>/edit/", queue.edit, name="execution-edit"),
]

queue_urls = [
    path("", queue.queue, name="queue"),
    path("pause/", queue.pause_all, name="queue-pause"),
    path("resume/", queue.resume_all, name="queue-resume"),
]

file_urls = [
    path("", files.library.grid, name="files"),
    path("sync/", files.library.sync, name="files-sync"),
    path("upload/", files.upload.upload, name="file-upload"),
    path("states/", files.upload.states, name="file-states"),
    path("public/", files.public.register, name="files-public"),
    path("keep/", files.keep.keep_many, name="files-keep"),
    path("copies/", files.keep.copies, name="copies"),
    path("copies/choose/", files.keep.choose, name="copies-choose"),
    path("pick/", picker.pick, name="file-pick"),
    path("<uuid:pk>/", files.one.detail, name="file"),
    path("<uuid:pk>/archive/", files.one.archive, name="file-archive"),
    path("<uuid:pk>/keep/", files.keep.keep, name="file-keep"),
    path("<uuid:pk>/restore/", files.one.restore, name="file-restore"),
    path("<uuid:pk>/public/", files.public.stranger, name="file-public"),
    path("<uuid:pk>/publish/", files.public.publish, name="file-publish"),
    path("<uuid:pk>/copied/", files.public.copied, name="file-link-copied"),
    path("<uuid:pk>/withdraw/", files.public.withdraw, name="file-withdraw"),
    path("<uuid:pk>/preview", files.links.preview, name="file-preview"),
    path("<uuid:pk>/thumbnail", files.links.thumbnail, name="file-thumbnail"),
    path("<uuid:pk>/download", files.links.download, name="file-download"),
]

batch_urls = [
    path("", batches.index, name="batches"),
    path("new/", batches.new, name="batch-new"),
    path("template/<slug:slug>.csv", batches.template, name="batch-template"),
    path("plans/<uuid:pk>/", batches.plan, name="batch-plan"),
    path("<uuid:pk>/", batches.detail, name="batch"),
    path("<uuid:pk>/undo/", batches.undo, name="batch-undo"),
    path("<uuid:pk>/pause/", queue.batch, {"what": "pause"}, name="batch-pause"),
    path("<uuid:pk>/resume/", queue.batch, {"what": "resume"}, name="batch-resume"),
    path("<uuid:pk>/again/", batches.again, name="batch-again"),
    path("<uuid:pk>/cancel/", batches.cancel, name="batch-cancel"),
    path("<uuid:pk>/cancel/<uuid:wish>/", batches.confirm_cancel, name="batch-cancel-confirm"),
    path("<uuid:pk>/results.zip", batches.results, name="batch-results"),
]

settings_urls = [
    path("webhooks/", webhooks.endpoints, name="webhooks"),
    path("webhooks/<str:remote_id>/rotate/", webhooks.act, {"what": "rotate"}, name="webhook-rotate"),
    path("webhooks/<str:remote_id>/delete/", webhooks.act, {"what": "delete"}, name="webhook-delete"),
    path("deliveries/", deliveries.log, name="deliveries"),
    path("deliveries/replay/", webhooks.replay, name="deliveries-replay"),
    path("deliveries/<int:pk>/", webhooks.delivery, name="delivery"),
    path("limits/", limits.limits, name="limits"),
    path("closings/", closings.closings, name="closings"),
    path("closings/<int:pk>/", closings.closing, name="closing"),
    path("people/", team.team, name="people"),
    path("people/invite/", team.invite, name="people-invite"),
    path("people/choices/", team.choose, name="people-choices"),
    path("people/invitations/<int:pk>/withdraw/", team.withdraw, name="invitation-withdraw"),
    path("people/<int:pk>/role/", team.change, {"what": "role"}, name="person-role"),
    path("people/<int:pk>/shut-out/", team.change, {"what": "shut-out"}, name="person-shut-out"),
    path("people/<int:pk>/let-in/", team.change, {"what": "let-in"}, name="person-let-in"),
]

audit_urls = [
    path("", audit.index, name="audit"),
    path("export.<str:kind>", audit.export, name="audit-export"),
]

urlpatterns = [
    path("", include(studio_urls)),
    path("executions/", include(execution_urls)),
    path("queue/", include(queue_urls)),
    path("files/", include(file_urls)),
    path("batches/", include(batch_urls)),
    path("settings/", include(settings_urls)),
    path("mentions/", remarks.mentions, name="mentions"),
    path("insights/", insights.insights, name="insights"),
    path("audit/", include(audit_urls)),
    path("admin/", admin_site.site.urls),
    path("sign-in/", people.SignIn.as_view(), name="login"),
    path("sign-out/", people.sign_out, name="logout"),
    path("join/<str:token>/", team.join, name="join"),
    path(RECEIVER_PATH, receiver.receive, name="receiver"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]

handler500 = "dashboard.views.trouble.server_error"
