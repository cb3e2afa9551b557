"""Django's admin site, read-only, for all tables of Rushes.

Every change has to write an audit entry and its consequences, which only the page for the subject does. Columns
with secrets are hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, reverse_lazy

from dashboard.http.decorators import requires
from executions import policy
from executions.policy import Action

# Columns whose name contains one of these are hidden.
SECRET_WORDS = ("secret", "token", "password")
SITE_URLS = ("index", "app_list", "jsi18n")
MAX_COLUMNS = 8  # in the list of a table without an entry in LISTS
LISTS = {
    "event": ("id", "recorded_at", "kind", "source", "actor", "subject_name", "address", "position"),
    "execution": ("id", "created_at", "tool", "status", "created_by", "origin", "ended_at"),
    "file": ("id", "created_at", "type", "display_name", "created_by"),
    "webhookdelivery": ("id", "received_at", "event", "outcome", "repeats"),
}
TABLE_URLS = ("_changelist", "_change", "_history")


def is_enabled(pattern: URLPattern, endings: tuple[str, ...]) -> bool:
    """Whether the site has this URL. If so, anonymous users are sent to the sign-in page of Rushes."""
    if not (pattern.name or "").endswith(endings):
        return False
    pattern.callback.login_url = reverse_lazy("login")  # type: ignore[attr-defined]  # read by Django's middleware
    return True


class Site(admin.AdminSite):
    """The site for admins, who sign in on the page of Rushes."""

    site_header = site_title = "Rushes tables"
    index_title = "Tables"
    final_catch_all_view = False

    def has_permission(self, request: HttpRequest) -> bool:
        return policy.can(request.user, Action.TABLES_VIEW)

    def admin_view[View: Callable[..., HttpResponseBase]](self, view: View, cacheable: bool = False) -> View:
        return requires(Action.TABLES_VIEW)(super().admin_view(view, cacheable))

    def get_urls(self) -> list[URLPattern | URLResolver]:
        found = super().get_urls()
        return [each for each in found if isinstance(each, URLResolver) or is_enabled(each, SITE_URLS)]

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return redirect("login")


site = Site()


if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[models.Model]
else:
    ModelAdmin = admin.ModelAdmin  # generic for type checkers alone


class ReadOnly(ModelAdmin):
    """Shows all columns except secrets; allows no changes."""

    show_full_result_count = False
    list_per_page = 50
    actions = None
    ordering = ("-pk",)

    def __init__(self, model: type[models.Model], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        self._secret = [
            field.name
            for field in model._meta.fields
            if isinstance(field, models.BinaryField) or any(word in field.name for word in SECRET_WORDS)
        ]
        columns: Sequence[str] = (
            LISTS.get(model._meta.model_name or "")
            or [
                field.name
                for field in model._meta.fields
                if field.name not in self._secret
                and not isinstance(field, models.JSONField | models.TextField)
            ][:MAX_COLUMNS]
        )
        self.list_display = tuple(columns)
        self.list_select_related = (  # type: ignore[misc]  # each table has its own
            tuple(
                field.name
                for field in model._meta.fields
                if isinstance(field, models.ForeignKey) and field.name in columns
            )
            or False
        )

    def get_exclude(self, request: HttpRequest, obj: models.Model | None = None) -> list[str]:
        return self._secret

    def get_urls(self) -> list[URLPattern]:
        return [each for each in super().get_urls() if is_enabled(each, TABLE_URLS)]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


class People(ReadOnly):
    """Users. The People page is where they are changed."""

    fields = ("username", "is_staff", "is_superuser", "is_active", "last_login", "date_joined")

    def __init__(self, model: type[models.Model], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        self.list_display = self.fields


site.register(apps.get_app_config("executions").get_models(), ReadOnly)
site.register(get_user_model(), People)
