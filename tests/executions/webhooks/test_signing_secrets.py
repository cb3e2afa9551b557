"""Signing secrets are stored encrypted, used while they are valid, and deleted afterwards."""

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
HIGH_LIMITS = {"POST /v1/webhooks/endpoints": 1000, "DELETE /v1/webhooks/endpoints/{id}": 1000}


def store_endpoint(remote_id: str = "ep_1", secret: str = SECRET, **columns: Any) -> WebhookEndpoint:
    endpoint = WebhookEndpoint(
        remote_id=remote_id, url="https://rushes.example/webhooks/videogen/", **columns
    )
    endpoint.secret = secret
    endpoint.save()
    return endpoint


# --- encryption -----------------------------------------------------------------------------------------------


def test_a_secret_is_unreadable_while_encrypted() -> None:
    tokens = {encryption.encrypt(SECRET) for _ in range(2)}

    assert len(tokens) == 2
    for token in tokens:
        assert encryption.decrypt(token) == SECRET
        assert SECRET.removeprefix("whsec_") not in token


def test_an_encryption_key_may_have_any_length(settings: Any) -> None:
    for key in ("k", "kä" * 500):
        settings.ENCRYPTION_KEYS = [key]
        assert encryption.decrypt(encryption.encrypt("x")) == "x"


def test_all_keys_decrypt_and_the_first_one_encrypts(settings: Any) -> None:
    settings.ENCRYPTION_KEYS = ["old"]
    before = encryption.encrypt(SECRET)

    settings.ENCRYPTION_KEYS = ["new", "old"]
    assert encryption.decrypt(before) == SECRET
    after = encryption.encrypt(SECRET)

    settings.ENCRYPTION_KEYS = ["new"]
    assert encryption.decrypt(after) == SECRET
    with pytest.raises(encryption.DecryptionError, match="ENCRYPTION_KEYS"):
        encryption.decrypt(before)


@pytest.mark.parametrize("token", ["", "not a token", "gAAAAA"])
def test_an_invalid_token_is_unreadable(token: str) -> None:
    with pytest.raises(encryption.DecryptionError):
        encryption.decrypt(token)


# --- the secrets that verify a delivery -----------------------------------------------------------------------


def test_the_database_contains_no_plain_secret(db: None) -> None:
    store_endpoint()

    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM executions_webhookendpoint")
        row = cursor.fetchone()

    assert SECRET not in repr(row)
    assert SECRET.removeprefix("whsec_") not in repr(row)
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.secret, endpoint.secret_last4) == (SECRET, "ZXM=")
    assert SECRET not in str(endpoint)


def test_configured_and_unexpired_secrets_verify(db: None, settings: Any) -> None:
    settings.VIDEOGEN_WEBHOOK_SECRETS = ["whsec_configured"]
    now = timezone.now()
    store_endpoint("ep_1", "whsec_one")
    store_endpoint("ep_2", "whsec_expiring", verifies_until=now + timedelta(minutes=1))
    store_endpoint("ep_3", "whsec_expired", verifies_until=now - timedelta(seconds=1))

    assert sorted(signing_secrets.all_secrets()) == ["whsec_configured", "whsec_expiring", "whsec_one"]
    assert signing_secrets.any_configured()


def test_secrets_are_cached_until_the_ttl_or_a_clear(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.VIDEOGEN_WEBHOOK_SECRETS = []
    clock = [1000.0]
    monkeypatch.setattr(signing_secrets.time, "monotonic", lambda: clock[0])
    assert signing_secrets.cached_secrets() is None
    assert signing_secrets.all_secrets() == []
    store_endpoint("ep_1", "whsec_one")

    assert signing_secrets.cached_secrets() == signing_secrets.all_secrets() == []
    signing_secrets.clear_cache()
    assert signing_secrets.cached_secrets() is None
    assert signing_secrets.all_secrets() == signing_secrets.cached_secrets() == ["whsec_one"]

    store_endpoint("ep_2", "whsec_two")
    clock[0] += signing_secrets.CACHE_TTL + 1
    assert signing_secrets.cached_secrets() is None
    assert sorted(signing_secrets.all_secrets()) == ["whsec_one", "whsec_two"]


def test_an_undecryptable_secret_does_not_hide_the_others(
    db: None, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.VIDEOGEN_WEBHOOK_SECRETS = []
    settings.ENCRYPTION_KEYS = ["lost"]
    store_endpoint("ep_1", "whsec_unreadable")
    settings.ENCRYPTION_KEYS = ["new"]
    store_endpoint("ep_2", "whsec_good")

    assert signing_secrets.all_secrets() == ["whsec_good"]
    assert "cannot be decrypted" in caplog.text
    assert "whsec_" not in caplog.text


# --- our endpoint at VideoGen ---------------------------------------------------------------------------------


@pytest.fixture
async def registering(account: SandboxProcess) -> AsyncIterator[SandboxProcess]:
    account.control("POST", "faults", {"limits": HIGH_LIMITS})
    yield account
    for each in account.call("GET", "/v1/webhooks/endpoints").json()["endpoints"]:
        account.call("DELETE", f"/v1/webhooks/endpoints/{each['endpointId']}")


def active_endpoint() -> WebhookEndpoint:
    """The registered endpoint. Rows of deleted ones remain while their secrets still verify."""
    return WebhookEndpoint.objects.get(verifies_until=None)


def registered_ids(sandbox: SandboxProcess, url: str) -> list[str]:
    listed = sandbox.call("GET", "/v1/webhooks/endpoints").json()["endpoints"]
    return [each["endpointId"] for each in listed if each["url"] == url]


async def test_an_endpoint_is_registered_once_and_its_secret_stored(registering: SandboxProcess) -> None:
    url = "http://127.0.0.1:9/webhooks/once/"

    for _ in range(3):
        await endpoints.ensure(url)

    endpoint = await runtime.in_db(active_endpoint)
    assert registered_ids(registering, url) == [endpoint.remote_id]
    assert await runtime.in_db(lambda: endpoint.secret in signing_secrets.all_secrets())
    assert endpoint.secret.startswith("whsec_")


async def test_an_endpoint_deleted_at_videogen_is_replaced(registering: SandboxProcess) -> None:
    url = "http://127.0.0.1:9/webhooks/replaced/"
    await endpoints.ensure(url)
    first = await runtime.in_db(active_endpoint)
    registering.call("DELETE", f"/v1/webhooks/endpoints/{first.remote_id}")

    await endpoints.ensure(url)

    second = await runtime.in_db(active_endpoint)
    assert second.remote_id != first.remote_id
    assert registered_ids(registering, url) == [second.remote_id]


async def test_an_endpoint_at_a_new_address_replaces_the_old_one(registering: SandboxProcess) -> None:
    before, after = "http://127.0.0.1:9/webhooks/before/", "http://127.0.0.1:9/webhooks/after/"
    await endpoints.ensure(before)

    await endpoints.ensure(after)

    assert registered_ids(registering, before) == []
    endpoint = await runtime.in_db(active_endpoint)
    assert (endpoint.url, registered_ids(registering, after)) == (after, [endpoint.remote_id])
