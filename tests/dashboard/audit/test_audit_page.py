"""The audit page: permissions, rows, filters, paging and exports."""

from __future__ import annotations

import csv
import io
import json
import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import UUIDField
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.audit.page import COLUMNS, PAGE_SIZE
from dashboard.audit.wording import KIND_GROUPS, KIND_TEXTS, AuditEntry
from executions.audit import record as audit_log
from executions.audit import sealing, verification
from executions.batches import bulk_actions
from executions.core import request_context
from executions.models import Event, File, Verification
from executions.models.event import KINDS, ActKind, FileKind, Kind
from executions.models.selection import Act
from tests.dashboard.browsers import Browser, text
from tests.factories.files import file
from tests.factories.jobs import job
from tests.markup import links

URL = "/audit/"


def rows(answer: Any) -> list[int]:
    return [row.event.pk for row in answer.context["page"].rows]


def rows_of(answer: Any) -> list[AuditEntry]:
    found: list[AuditEntry] = answer.context["page"].rows
    return found


def record(kind: ActKind, who: Any = None, address: str = "", **details: Any) -> Event:
    with request_context.from_address(address):
        return audit_log.record(kind, actor_id=who.pk if who else None, **details)


def test_every_kind_has_a_text_and_a_group() -> None:
    kinds = {value for value, _ in KINDS}
    assert kinds - set(KIND_TEXTS) == {Kind.STARTED, Kind.STATUS}, "these two have a method each"
    grouped = [kind for _, some in KIND_GROUPS.values() for kind in some]
    assert len(grouped) == len(kinds)
    assert set(grouped) == kinds


def test_the_newest_entry_is_first_with_actor_action_and_object(
    ada_browser: Browser, ann_browser: Browser
) -> None:
    made = job(ann_browser.user, prompt="a lighthouse at dusk")
    record(
        ActKind.ROLE_CHANGED,
        ada_browser.user,
        "192.0.2.7",
        subject=ann_browser.user,
        name="ann",
        before="member",
        after="admin",
    )
    page = ada_browser.get(URL)
    words = text(page)
    assert "ada changed a role member admin" in words.replace("changed to", "").replace("  ", " ")
    assert "192.0.2.7" in words
    assert "ann started a job" in words
    assert f"/executions/{made.pk}/" in links(page)
    assert rows(page) == sorted(Event.objects.values_list("pk", flat=True), reverse=True)


def test_typed_text_is_escaped(ada_browser: Browser) -> None:
    record(ActKind.SIGN_IN_FAILED, name="<script>alert(1)</script>", x="<img src=x onerror=alert(1)>")
    page = ada_browser.get(URL).content.decode()
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page


def test_filters_combine(ada_browser: Browser, ann_browser: Browser, ben_browser: Browser) -> None:
    first = record(ActKind.SIGNED_IN, ann_browser.user, "192.0.2.1", name="ann")
    second = record(ActKind.SIGNED_IN, ben_browser.user, "192.0.2.1", name="ben")
    third = record(ActKind.EXPORTED, ann_browser.user, "192.0.2.2", name="the audit")
    found = lambda **query: rows(ada_browser.get(URL, query))  # noqa: E731
    assert found(actor=ann_browser.user.pk) == [third.pk, first.pk]
    assert found(group="sign-ins") == [second.pk, first.pk]
    assert found(group="sign-ins", actor=ann_browser.user.pk) == [first.pk]
    assert found(kind="exported") == [third.pk]
    assert found(address="192.0.2.1") == [second.pk, first.pk]
    assert found(address="192.0.2.1", actor=ben_browser.user.pk, source="person") == [second.pk]
    assert found(q="udi") == [third.pk]
    assert found(q="AN", group="sign-ins") == [first.pk]
    assert found(source="webhook") == []
    assert found(kind="signed in", group="settings") == [second.pk, first.pk], "the kind takes precedence"


def test_all_entries_about_one_object(ada_browser: Browser, ann_browser: Browser) -> None:
    made, other = job(ann_browser.user, "succeeded"), job(ann_browser.user)
    taken = record(ActKind.EVIDENCE_TAKEN, ada_browser.user, subject=made)
    about = [*Event.objects.filter(execution=made).values_list("pk", flat=True), taken.pk]
    for typed in (made.pk, f"http://testserver/executions/{made.pk}/", str(made.pk).upper()):
        assert rows(ada_browser.get(URL, {"object": typed})) == sorted(about, reverse=True)
    assert rows(ada_browser.get(URL, {"object": other.pk})) == [Event.objects.get(execution=other).pk]
    kept = file()
    looked = Event.objects.create(
        file=kept,
        kind=FileKind.DOWNLOADED,
        source="person",
        actor=ann_browser.user,
        occurred_at=timezone.now(),
    )
    assert rows(ada_browser.get(URL, {"object": kept.pk})) == [looked.pk]
    role = record(ActKind.ROLE_CHANGED, ada_browser.user, subject=ann_browser.user, name="ann")
    assert rows(ada_browser.get(URL, {"object": f"user:{ann_browser.user.pk}"})) == [role.pk]


# Possible subjects of an action. Events of jobs and files have columns for these.
SUBJECTS = [*apps.get_app_config("executions").get_models(), get_user_model()]


@pytest.mark.parametrize("model", [each for each in SUBJECTS if each is not File])
def test_the_link_of_an_object_finds_its_entries(model: Any, ada_browser: Browser) -> None:
    """For every type of object and of id."""
    ids = (uuid.uuid4(), uuid.uuid4()) if isinstance(model._meta.pk, UUIDField) else (7, 77)
    one, other = (record(ActKind.EXPORTED, ada_browser.user, subject=model(pk=pk), name="x") for pk in ids)
    first, second = rows_of(ada_browser.get(URL))[1], rows_of(ada_browser.get(URL))[0]
    assert (first.event, second.event) == (one, other)
    assert rows(ada_browser.get(URL, {"object": first.object_key})) == [one.pk]
    assert rows(ada_browser.get(URL, {"object": second.object_key})) == [other.pk]
    assert f"?object={quote(first.object_key, safe='')}" in ada_browser.get(URL).content.decode()


def test_entries_about_a_selection_can_be_filtered(ada_browser: Browser, ann_browser: Browser) -> None:
    made = job(ann_browser.user, "succeeded")
    selection = bulk_actions.create_selection([made.pk], Act.DOWNLOAD, actor=ann_browser.user)
    ann_browser.get(f"/executions/selections/{selection.pk}/results.zip")
    event = Event.objects.get(kind=ActKind.EXPORTED)
    [row] = [each for each in rows_of(ada_browser.get(URL)) if each.event == event]
    assert row.object_key == f"selection:{selection.pk}"
    assert rows(ada_browser.get(URL, {"object": row.object_key})) == [event.pk]


def test_entries_about_a_person_who_signed_out_can_be_filtered(
    ada_browser: Browser, ann_browser: Browser
) -> None:
    """On sign-out, request.user is a lazy object, whose type is not the user model."""
    ann_browser.post("/sign-out/")
    event = Event.objects.get(kind=ActKind.SIGNED_OUT)
    assert rows(ada_browser.get(URL, {"object": f"user:{ann_browser.user.pk}"})) == [event.pk]


def test_days_begin_and_end_in_utc(ada_browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    event = record(ActKind.EXPORTED)
    today = event.recorded_at.date()
    day = timedelta(days=1)
    found = lambda **query: rows(ada_browser.get(URL, query))  # noqa: E731
    assert found(since=today) == found(until=today) == found(since=today, until=today) == [event.pk]
    assert found(since=today + day) == found(until=today - day) == []


@pytest.mark.parametrize("before", [0, 1])
def test_paging_back_and_forth_loses_no_entry(before: int, ada_browser: Browser) -> None:
    for group in ("", "settings"):
        made = [record(ActKind.SETTING_CHANGED, name=f"{n}").pk for n in range(2 * PAGE_SIZE + 1 + before)][
            ::-1
        ]
        everything = rows(first := ada_browser.get(URL, {"group": group})) + rows(
            second := ada_browser.get(first.context["page"].next_url)
        )
        third = ada_browser.get(second.context["page"].next_url)
        everything += rows(third)
        assert everything[: len(made)] == made
        assert rows(ada_browser.get(second.context["page"].previous_url)) == rows(first)
        assert first.context["page"].previous_url == ""


@pytest.mark.parametrize(
    "query",
    [
        "actor=x", "actor=99999999999999999999", "actor=²", "group=nothing", "kind=%00", "source=x", "since=2026-13-45",
        "since=0001-01-01&until=9999-12-31", "object=%00", "object=" + "x" * 500, "object=:", "object=user:", "address=%00x",
        "q=%00", "q=%25%25", "after=99999999999999999999999", "after=-1", "before=x", "after=1&before=1", "q=%ff%fe",
    ],
)  # fmt: skip
def test_invalid_parameters_are_no_error(query: str, ada_browser: Browser) -> None:
    record(ActKind.EXPORTED, name="something")
    assert ada_browser.get(f"{URL}?{query}").status_code == 200


@pytest.mark.parametrize("query", ["after=0", "before=0", "after=x"])
def test_an_invalid_position_is_the_first_page(query: str, ada_browser: Browser) -> None:
    event = record(ActKind.EXPORTED)
    assert rows(ada_browser.get(f"{URL}?{query}")) == [event.pk]


def test_ignored_filter_values_are_listed(ada_browser: Browser) -> None:
    said = text(ada_browser.get(f"{URL}?since=2026-13-45&actor=x&q=pier"))
    assert "Ignored unknown filter value" in said
    assert "2026-13-45" in said
    assert "Ignored" not in text(ada_browser.get(f"{URL}?since=2026-01-02&source=person"))


def test_the_state_of_the_chain_is_shown_at_the_top(ada_browser: Browser) -> None:
    record(ActKind.EXPORTED)
    assert "Not sealed yet 1 Last verified Not yet" in text(ada_browser.get(URL))
    sealing.seal()
    verification.verify_and_store()
    sealed = Event.objects.get()
    words = text(ada_browser.get(URL))
    assert f"Chain head {sealed.hash[:12]} Not sealed yet 0 Last verified Intact" in words
    Verification.objects.create(position=0, hash="0" * 64, problem="Event 7 was changed.")
    words = text(ada_browser.get(URL))
    assert "Broken" in words
    assert "Event 7 was changed." in words


def test_queries_do_not_grow_with_rows(ada_browser: Browser, ann_browser: Browser) -> None:
    def fill() -> None:
        job(ann_browser.user, "succeeded")
        record(ActKind.SIGNED_IN, ann_browser.user, subject=ann_browser.user)
        Event.objects.create(file=file(), kind=FileKind.COPIED, source="system", occurred_at=timezone.now())

    def count(url: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert ada_browser.get(url).status_code == 200
        return len(captured)

    fill()
    ada_browser.get(URL)
    urls = (URL, f"{URL}?group=jobs", f"{URL}?source=person")
    few = [count(url) for url in urls]
    for _ in range(8):
        fill()
    assert [count(url) for url in urls] == few
    assert max(few) <= 28


# --- exports ----------------------------------------------------------------------------------------------


async def body(answer: Any) -> str:
    return b"".join([piece async for piece in answer.streaming_content]).decode()


@pytest.mark.django_db(transaction=True)
async def test_the_filtered_entries_are_exported_and_the_export_is_audited(
    ada_browser: Browser, ann_browser: Browser
) -> None:
    from executions.core import runtime

    await runtime.in_db(record, ActKind.SIGN_IN_FAILED, name='=HYPERLINK("https://evil.example")')
    await runtime.in_db(
        record, ActKind.SIGNED_IN, ann_browser.user, "192.0.2.1", name="ann", before=1, after=2
    )
    answer = await ada_browser.aget(f"{URL}export.csv?group=sign-ins")
    assert answer["Content-Disposition"].startswith('attachment; filename="audit-')
    found = list(csv.DictReader(io.StringIO((await body(answer)).removeprefix("\ufeff"))))
    assert list(found[0]) == list(COLUMNS)
    assert [row["kind"] for row in found] == ["signed in", "sign-in failed"]
    assert found[1]["object_name"] == '\'=HYPERLINK("https://evil.example")'
    assert found[0]["recorded_at"].endswith("+00:00")
    lines = (
        await body(await ada_browser.aget(f"{URL}export.jsonl?actor={ann_browser.user.pk}"))
    ).splitlines()
    assert [json.loads(line)["detail"] for line in lines] == [{"before": 1, "after": 2}]
    exports = await runtime.in_db(
        lambda: list(Event.objects.filter(kind="exported").values_list("detail", "actor"))
    )
    assert exports == [
        ({"format": "csv", "filters": {"group": "sign-ins"}}, ada_browser.user.pk),
        ({"format": "jsonl", "filters": {"actor": str(ann_browser.user.pk)}}, ada_browser.user.pk),
    ]
