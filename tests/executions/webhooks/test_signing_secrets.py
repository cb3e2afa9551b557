"""Signing secrets: encrypted where they are kept, known while they count, and gone when they do not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from executions.core import encryption, runtime
from executions.models import WebhookEndpoint
from executions.webhooks import endpoints, signing_secrets
from tests.conftest import SandboxProcess

SECRET = "whsec_c2FuZGJveC1leGFtcGxlLWtleS0wMDAxLTMyYnl0ZXM="
PLENTY = {"POST /v1/webhooks/endpoints": 1000, "DELETE /v1/webhooks/endpoints/{id}": 1000}


def keep(remote_id: str = "ep_1", secret: str = SECRET, **columns: Any) -> WebhookEndpoint:
    endpoint = WebhookEndpoint(
        remote_id=remote_id, url="https://rushes.example/webhooks/videogen/", **columns
    )
    endpoint.secret = secret
    endpoint.save()
    return endpoint


# --- the vault ------------------------------------------------------------------------------------------------


def test_what_goes_into_the_vault_comes_out_again_and_is_not_to_be_read_in_between() -> None:
    tokens = {encryption.encrypt(SECRET) for _ in range(2)}

    assert len(tokens) == 2
    for token in tokens:
        assert encryption.decrypt(token) == SECRET
        assert SECRET.removeprefix("whsec_") not in token


def test_a_key_of_any_length_will_do(settings: Any) -> None:
    for key in ("k", "kä" * 500):
        settings.ENCRYPTION_KEYS = [key]
        assert encryption.decrypt(encryption.encrypt("x")) == "x"


def test_an_old_key_still_reads_and_the_first_one_writes(settings: Any) -> None:
    settings.ENCRYPTION_KEYS = ["old"]
    before = encryption.encrypt(SECRET)

    settings.ENCRYPTION_KEYS = ["new", "old"]
    assert encryption.decrypt(before) == SECRET
    after = encryption.encrypt(SECRET)

    settings.ENCRYPTION_KEYS = ["new"]
    assert encryption.decrypt(after) == SECRET
    with pytest.raises(encryption.Unreadable, match="ENCRYPTION_KEYS"):
        encryption.decrypt(before)


@pytest.mark.parametrize("token", ["", "not a token", "gAAAAA"])
def test_what_is_no_token_is_unreadable(token: str) -> None:
    with pytest.raises(encryption.Unreadable):
        encryption.decrypt(token)


# --- the secrets that verify a delivery -----------------------------------------------------------------------


def test_the_database_never_sees_a_secret(db: None) -> None:
    keep()

    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM executions_webhookendpoint")
        row = cursor.fetchone()

    assert SECRET not in repr(row)
    assert SECRET.removeprefix("whsec_") not in repr(row)
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.secret, endpoint.secret_last4) == (SECRET, "ZXM=")
    assert SECRET not in str(endpoint)


def test_all_that_count_are_known(db: None, settings: Any) -> None:
    settings.VIDEOGEN_WEBHOOK_SECRETS = ["whsec_configured"]
    now = timezone.now()
    keep("ep_1", "whsec_one")
    keep("ep_2", "whsec_on_its_way_out", verifies_until=now + timedelta(minutes=1))
    keep("ep_3", "whsec_gone", verifies_until=now - timedelta(seconds=1))

    assert sorted(signing_secrets.all_secrets()) == ["whsec_configured", "whsec_on_its_way_out", "whsec_one"]
    assert signing_secrets.any_configured()


def test_they_are_remembered_for_a_while_and_forgotten_when_told(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.VIDEOGEN_WEBHOOK_SECRETS = []
    clock = [1000.0]
    monkeypatch.setattr(signing_secrets.time, "monotonic", lambda: clock[0])
    assert signing_secrets.cached_secrets() is None
    assert signing_secrets.all_secrets() == []
    keep("ep_1", "whsec_one")

    assert signing_secrets.cached_secrets() == signing_secrets.all_secrets() == []
    signing_secrets.clear_cache()
    assert signing_secrets.cached_secrets() is None
    assert signing_secrets.all_secrets() == signing_secrets.cached_secrets() == ["whsec_one"]

    keep("ep_2", "whsec_two")
    clock[0] += signing_secrets.CACHE_TTL + 1
    assert signing_secrets.cached_secrets() is None
    assert sorted(signing_secrets.all_secrets()) == ["whsec_one", "whsec_two"]


def test_one_that_cannot_be_read_does_not_hide_the_others(
    db: None, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.VIDEOGEN_WEBHOOK_SECRETS = []
    settings.ENCRYPTION_KEYS = ["lost"]
    keep("ep_1", "whsec_unreadable")
    settings.ENCRYPTION_KEYS = ["new"]
    keep("ep_2", "whsec_good")

    assert signing_secrets.all_secrets() == ["whsec_good"]
    assert "cannot be decrypted" in caplog.text
    assert "whsec_" not in caplog.text


# --- our endpoint at VideoGen ---------------------------------------------------------------------------------


@pytest.fixture
async def registering(account: SandboxProcess) -> AsyncIterator[SandboxProcess]:
    account.control("POST", "faults", {"limits": PLENTY})
    yield account
    for each in account.call("GET", "/v1/webhooks/endpoints").json()["endpoints"]:
        account.call("DELETE", f"/v1/webhooks/endpoints/{each['endpointId']}")


def in_use() -> WebhookEndpoint:
    """The one that is registered; the secrets of those that were deleted are kept for a while."""
    return WebhookEndpoint.objects.get(verifies_until=None)


def ours_there(sandbox: SandboxProcess, url: str) -> list[str]:
    listed = sandbox.call("GET", "/v1/webhooks/endpoints").json()["endpoints"]
    return [each["endpointId"] for each in listed if each["url"] == url]


async def test_an_endpoint_is_registered_once_and_its_secret_kept(registering: SandboxProcess) -> None:
    url = "http://127.0.0.1:9/webhooks/once/"

    for _ in range(3):
        await endpoints.ensure(url)

    kept = await runtime.in_db(in_use)
    assert ours_there(registering, url) == [kept.remote_id]
    assert await runtime.in_db(lambda: kept.secret in signing_secrets.all_secrets())
    assert kept.secret.startswith("whsec_")


async def test_one_whose_secret_nobody_knows_is_replaced(registering: SandboxProcess) -> None:
    url = "http://127.0.0.1:9/webhooks/replaced/"
    await endpoints.ensure(url)
    first = await runtime.in_db(in_use)
    registering.call("DELETE", f"/v1/webhooks/endpoints/{first.remote_id}")

    await endpoints.ensure(url)

    second = await runtime.in_db(in_use)
    assert second.remote_id != first.remote_id
    assert ours_there(registering, url) == [second.remote_id]


async def test_a_new_address_takes_the_place_of_the_old_one(registering: SandboxProcess) -> None:
    before, after = "http://127.0.0.1:9/webhooks/before/", "http://127.0.0.1:9/webhooks/after/"
    await endpoints.ensure(before)

    await endpoints.ensure(after)

    assert ours_there(registering, before) == []
    kept = await runtime.in_db(in_use)
    assert (kept.url, ours_there(registering, after)) == (after, [kept.remote_id])
