"""Django's admin site over our tables, to look at every column of every row. Nothing is changed there.

Each change of ours is an act with an event, made on a page that knows what follows from it; here it would
go unrecorded. Secrets are left out.
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

# A column whose name has one of these in it is not shown.
SECRET = ("secret", "token", "password")
KEPT = ("index", "app_list", "jsi18n")
COLUMNS = 8  # of a table's list, where it is not in LISTS
LISTS = {
    "event": ("id", "recorded_at", "kind", "source", "actor", "subject_name", "address", "position"),
    "execution": ("id", "created_at", "tool", "status", "created_by", "origin", "ended_at"),
    "file": ("id", "created_at", "type", "display_name", "created_by"),
    "webhookdelivery": ("id", "received_at", "event", "outcome", "repeats"),
}
OF_A_TABLE = ("_changelist", "_change", "_history")


def is_kept(pattern: URLPattern, endings: tuple[str, ...]) -> bool:
    """Whether an address stays; then whoever is not signed in is sent to our own page for that."""
    if not (pattern.name or "").endswith(endings):
        return False
    pattern.callback.login_url = reverse_lazy("login")  # type: ignore[attr-defined]  # read by Django's middleware
    return True


class Site(admin.AdminSite):
    """For admins, who sign in where everybody does."""

    site_header = site_title = "Rushes, table by table"
    index_title = "Tables"
    final_catch_all_view = False

    def has_permission(self, request: HttpRequest) -> bool:
        return policy.can(request.user, Action.TABLES_VIEW)

    def admin_view[View: Callable[..., HttpResponseBase]](self, view: View, cacheable: bool = False) -> View:
        return requires(Action.TABLES_VIEW)(super().admin_view(view, cacheable))

    def get_urls(self) -> list[URLPattern | URLResolver]:
        found = super().get_urls()
        return [each for each in found if isinstance(each, URLResolver) or is_kept(each, KEPT)]

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return redirect("login")


site = Site()


if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[models.Model]
else:
    ModelAdmin = admin.ModelAdmin  # generic for type checkers alone


class ReadOnly(ModelAdmin):
    """Every column but the secret ones; nothing is added, changed or deleted."""

    show_full_result_count = False
    list_per_page = 50
    actions = None
    ordering = ("-pk",)

    def __init__(self, model: type[models.Model], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        self._secret = [
            field.name
            for field in model._meta.fields
            if isinstance(field, models.BinaryField) or any(word in field.name for word in SECRET)
        ]
        columns: Sequence[str] = (
            LISTS.get(model._meta.model_name or "")
            or [
                field.name
                for field in model._meta.fields
                if field.name not in self._secret
                and not isinstance(field, models.JSONField | models.TextField)
            ][:COLUMNS]
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
        return [each for each in super().get_urls() if is_kept(each, OF_A_TABLE)]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


class People(ReadOnly):
    """They are changed on the page of people."""

    fields = ("username", "is_staff", "is_superuser", "is_active", "last_login", "date_joined")

    def __init__(self, model: type[models.Model], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        self.list_display = self.fields


site.register(apps.get_app_config("executions").get_models(), ReadOnly)
site.register(get_user_model(), People)
