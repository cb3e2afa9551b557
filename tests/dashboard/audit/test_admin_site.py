"""Django's admin site shows every table, read-only and without secrets."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone

from dashboard.admin import SECRET_WORDS, site
from executions.models import Event, WebhookDelivery, WebhookEndpoint
from executions.team import members as team
from tests.dashboard.browsers import Browser
from tests.factories.jobs import job
from tests.markup import every, links


def address(thing: Any) -> str:
    return f"/admin/{thing._meta.app_label}/{thing._meta.model_name}/"


def test_every_table_is_listed(ada_browser: Browser) -> None:
    listed = links(ada_browser.get("/admin/"))
    for model in apps.get_app_config("executions").get_models():
        assert address(model) in listed
        assert ada_browser.get(address(model)).status_code == 200


def test_a_row_is_shown_and_cannot_be_changed(ada_browser: Browser, ann_browser: Browser) -> None:
    made = job(ann_browser.user, "running", "a lighthouse")
    delivery = WebhookDelivery.objects.create(webhook_id="w", outcome="applied", body=b"{}", execution=made)
    for thing in (made, Event.objects.latest("pk"), delivery, ann_browser.user):
        url = f"{address(thing)}{thing.pk}/change/"
        page = ada_browser.get(url)
        assert page.status_code == 200, url
        assert not every(page, '[name="_save"]')
        assert "deletelink" not in page.content.decode()
        assert (
            ada_browser.post(url, {"status": "succeeded", "kind": "exported", "username": "x"}).status_code
            == 403
        )
        assert ada_browser.get(f"{address(thing)}{thing.pk}/delete/").status_code == 404
        assert ada_browser.get(f"{address(thing)}add/").status_code == 404
        action = {"action": "delete_selected", "_selected_action": [thing.pk]}
        ada_browser.post(address(thing), action)
        assert type(thing).objects.filter(pk=thing.pk).exists()


def test_no_secret_is_shown(ada_browser: Browser, ann_browser: Browser) -> None:
    endpoint = WebhookEndpoint(remote_id="vg_endpoint_1", url="https://rushes.example.org/")
    endpoint.secret = "whsec_never_to_be_seen"
    endpoint.save()
    invitation, _ = team.invite("Kim", "member", 7, actor=ada_browser.user)
    for thing, secret in ((endpoint, endpoint.encrypted_secret), (invitation, invitation.token_hash), (ann_browser.user, ann_browser.user.password)):  # fmt: skip
        page = ada_browser.get(f"{address(thing)}{thing.pk}/change/").content.decode()
        assert str(thing) in page or "vg_endpoint_1" in page
        assert secret not in page
        assert secret not in ada_browser.get(address(thing)).content.decode()


def test_columns_with_secrets_are_hidden_by_name() -> None:
    """Secrets of future tables are hidden by the names of their columns."""
    secrets = {"encrypted_secret", "secret_last4", "token_hash", "password"}
    hidden = {
        field.name
        for model in site._registry
        for field in model._meta.fields
        if any(word in field.name for word in SECRET_WORDS)
    }
    assert hidden == secrets


@pytest.mark.parametrize("path", ["/admin/login/", "/admin/logout/", "/admin/password_change/"])
def test_the_site_has_no_separate_sign_in_page(path: str, ada_browser: Browser) -> None:
    assert ada_browser.get(path).status_code == 404


def test_a_row_appears_in_its_list(ada_browser: Browser) -> None:
    Event.objects.create(kind="exported", source="system", occurred_at=timezone.now())
    assert ada_browser.get("/admin/executions/event/").context["cl"].result_count == 1
