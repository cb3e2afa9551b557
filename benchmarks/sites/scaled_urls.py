"""Every address of Rushes, and the plainest page of Django's admin for the same jobs."""

from __future__ import annotations

from django.contrib.admin import AdminSite, ModelAdmin
from django.urls import include, path

from executions.models import Execution

site = AdminSite(name="benchmark")


class Jobs(ModelAdmin):
    list_display = ("prompt", "tool", "status", "created_by", "created_at")
    list_filter = ("status",)
    search_fields = ("prompt",)


site.register(Execution, Jobs)
urlpatterns = [path("benchmark/admin/", site.urls), path("", include("dashboard.urls"))]
