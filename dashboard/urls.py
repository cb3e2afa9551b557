"""Every address of the dashboard, grouped by its thing."""

from __future__ import annotations

from django.urls import include, path

from dashboard import admin
from dashboard.audit import views as audit_views
from dashboard.batches import views as batches_views
from dashboard.executions import comment_views
from dashboard.executions import views as executions_views
from dashboard.history import bulk_views
from dashboard.history import views as history_views
from dashboard.http import health_views
from dashboard.http.paths import RECEIVER_PATH
from dashboard.insights import views as insights_views
from dashboard.library.views import copies, detail, index, media, sharing, upload
from dashboard.people import sign_in_views
from dashboard.people import views as people_views
from dashboard.queue import views as queue_views
from dashboard.studio import away_views, picker_views, voice_views
from dashboard.studio import views as studio_views
from dashboard.webhooks import delivery_views, endpoint_views, limit_views, receiver, reconciliation_views

studio_urls = [
    path("", studio_views.home, name="studio"),
    path("board/", studio_views.board, name="studio-board"),
    path("since/", away_views.page, name="since"),
    path("since/seen/", away_views.dismiss, name="since-seen"),
    path("since/again/", away_views.run_again, name="since-again"),
    path("tools/<slug:slug>/", studio_views.tool_form, name="tool"),
    path("tools/<slug:slug>/before/", studio_views.made_before, name="tool-before"),
    path("voices/<str:voice_id>/sample/", voice_views.sample, name="voice-sample"),
]

execution_urls = [
    path("", history_views.page, name="executions"),
    path("fresh/", history_views.count_new, name="executions-fresh"),
    path("columns/", history_views.columns, name="executions-columns"),
    path("export.csv", history_views.export, {"kind": "csv"}, name="executions-csv"),
    path("export.jsonl", history_views.export, {"kind": "jsonl"}, name="executions-jsonl"),
    path("views/", history_views.save, name="view-save"),
    path("views/<int:pk>/forget/", history_views.remove, name="view-forget"),
    path("choose/", bulk_views.choose, name="selection-choose"),
    path("selections/<uuid:pk>/", bulk_views.confirm, name="selection"),
    path("selections/<uuid:pk>/results.zip", bulk_views.results, name="selection-results"),
    path("<uuid:pk>/", executions_views.detail, name="execution"),
    path("<uuid:pk>/cancel/", executions_views.cancel, name="execution-cancel"),
    path("<uuid:pk>/link/", executions_views.link, name="execution-link"),
    path("<uuid:pk>/again/", executions_views.run_again, name="execution-again"),
    path("<uuid:pk>/comments/", comment_views.job_comments, name="execution-comments"),
    path("<uuid:pk>/comments/<uuid:comment>/withdraw/", comment_views.withdraw, name="comment-withdraw"),
    path("<uuid:pk>/evidence.zip", audit_views.download_evidence, name="execution-evidence"),
    path("<uuid:pk>/pause/", queue_views.pause, name="execution-pause"),
    path("<uuid:pk>/resume/", queue_views.resume, name="execution-resume"),
    path("<uuid:pk>/front/", queue_views.front, name="execution-front"),
    path("<uuid:pk>/edit/", queue_views.edit, name="execution-edit"),
]

queue_urls = [
    path("", queue_views.queue, name="queue"),
    path("pause/", queue_views.pause_all, name="queue-pause"),
    path("resume/", queue_views.resume_all, name="queue-resume"),
]

file_urls = [
    path("", index.grid, name="files"),
    path("sync/", index.sync, name="files-sync"),
    path("upload/", upload.upload, name="file-upload"),
    path("states/", upload.states, name="file-states"),
    path("public/", sharing.public_files, name="files-public"),
    path("keep/", copies.request_many, name="files-copy"),
    path("copies/", copies.copies, name="copies"),
    path("copies/choose/", copies.change_setting, name="copies-choose"),
    path("pick/", picker_views.pick, name="file-pick"),
    path("<uuid:pk>/", detail.detail, name="file"),
    path("<uuid:pk>/archive/", detail.archive, name="file-archive"),
    path("<uuid:pk>/keep/", copies.request_copy, name="file-copy"),
    path("<uuid:pk>/restore/", detail.restore, name="file-restore"),
    path("<uuid:pk>/public/", sharing.visitor_preview, name="file-public"),
    path("<uuid:pk>/publish/", sharing.publish, name="file-publish"),
    path("<uuid:pk>/copied/", sharing.copied, name="file-link-copied"),
    path("<uuid:pk>/withdraw/", sharing.withdraw, name="file-withdraw"),
    path("<uuid:pk>/preview", media.preview, name="file-preview"),
    path("<uuid:pk>/thumbnail", media.thumbnail, name="file-thumbnail"),
    path("<uuid:pk>/download", media.download, name="file-download"),
]

batch_urls = [
    path("", batches_views.index, name="batches"),
    path("new/", batches_views.new, name="batch-new"),
    path("template/<slug:slug>.csv", batches_views.template, name="batch-template"),
    path("plans/<uuid:pk>/", batches_views.plan, name="batch-plan"),
    path("<uuid:pk>/", batches_views.detail, name="batch"),
    path("<uuid:pk>/undo/", batches_views.undo, name="batch-undo"),
    path("<uuid:pk>/pause/", queue_views.batch, {"what": "pause"}, name="batch-pause"),
    path("<uuid:pk>/resume/", queue_views.batch, {"what": "resume"}, name="batch-resume"),
    path("<uuid:pk>/again/", batches_views.run_again, name="batch-again"),
    path("<uuid:pk>/cancel/", batches_views.cancel, name="batch-cancel"),
    path("<uuid:pk>/cancel/<uuid:cancel_id>/", batches_views.confirm_cancel, name="batch-cancel-confirm"),
    path("<uuid:pk>/results.zip", batches_views.results, name="batch-results"),
]

settings_urls = [
    path("webhooks/", endpoint_views.endpoints, name="webhooks"),
    path(
        "webhooks/<str:remote_id>/rotate/",
        endpoint_views.change_endpoint,
        {"what": "rotate"},
        name="webhook-rotate",
    ),
    path(
        "webhooks/<str:remote_id>/delete/",
        endpoint_views.change_endpoint,
        {"what": "delete"},
        name="webhook-delete",
    ),
    path("deliveries/", delivery_views.log, name="deliveries"),
    path("deliveries/replay/", endpoint_views.replay, name="deliveries-replay"),
    path("deliveries/<int:pk>/", endpoint_views.delivery, name="delivery"),
    path("limits/", limit_views.limits, name="limits"),
    path("closings/", reconciliation_views.days, name="reconciliations"),
    path("closings/<int:pk>/", reconciliation_views.day, name="reconciliation"),
    path("people/", people_views.team, name="people"),
    path("people/invite/", people_views.invite, name="people-invite"),
    path("people/choices/", people_views.change_setting, name="people-choices"),
    path("people/invitations/<int:pk>/withdraw/", people_views.withdraw, name="invitation-withdraw"),
    path("people/<int:pk>/role/", people_views.change, {"what": "role"}, name="person-role"),
    path("people/<int:pk>/shut-out/", people_views.change, {"what": "deactivate"}, name="person-deactivate"),
    path("people/<int:pk>/let-in/", people_views.change, {"what": "reactivate"}, name="person-reactivate"),
]

audit_urls = [
    path("", audit_views.index, name="audit"),
    path("export.<str:kind>", audit_views.export, name="audit-export"),
]

urlpatterns = [
    path("", include(studio_urls)),
    path("executions/", include(execution_urls)),
    path("queue/", include(queue_urls)),
    path("files/", include(file_urls)),
    path("batches/", include(batch_urls)),
    path("settings/", include(settings_urls)),
    path("mentions/", comment_views.mentions, name="mentions"),
    path("insights/", insights_views.insights, name="insights"),
    path("audit/", include(audit_urls)),
    path("admin/", admin.site.urls),
    path("sign-in/", sign_in_views.SignIn.as_view(), name="login"),
    path("sign-out/", sign_in_views.sign_out, name="logout"),
    path("join/<str:token>/", people_views.join, name="join"),
    path(RECEIVER_PATH, receiver.receive, name="receiver"),
    path("healthz", health_views.healthz, name="healthz"),
    path("readyz", health_views.readyz, name="readyz"),
    path("metrics", health_views.metrics, name="metrics"),
]

handler500 = "dashboard.http.error_views.server_error"
