"""The audit's page: who may see it, what it shows, how its filters combine, and its exports."""

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
from dashboard.audit.wording import ACTS, GROUPS, Row
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


def rows_of(answer: Any) -> list[Row]:
    found: list[Row] = answer.context["page"].rows
    return found


def did(kind: ActKind, who: Any = None, address: str = "", **told: Any) -> Event:
    with request_context.from_address(address):
        return audit_log.record(kind, actor_id=who.pk if who else None, **told)


def test_every_kind_has_words_and_a_group() -> None:
    kinds = {value for value, _ in KINDS}
    assert kinds - set(ACTS) == {Kind.STARTED, Kind.STATUS}, "and these two have a function each"
    grouped = [kind for _, some in GROUPS.values() for kind in some]
    assert len(grouped) == len(kinds)
    assert set(grouped) == kinds


def test_the_newest_is_first_with_who_did_what_to_what(ada_browser: Browser, ann_browser: Browser) -> None:
    made = job(ann_browser.user, prompt="a lighthouse at dusk")
    did(
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


def test_what_a_person_typed_stays_text(ada_browser: Browser) -> None:
    did(ActKind.SIGN_IN_FAILED, name="<script>alert(1)</script>", x="<img src=x onerror=alert(1)>")
    page = ada_browser.get(URL).content.decode()
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page


def test_filters_combine(ada_browser: Browser, ann_browser: Browser, ben_browser: Browser) -> None:
    first = did(ActKind.SIGNED_IN, ann_browser.user, "192.0.2.1", name="ann")
    second = did(ActKind.SIGNED_IN, ben_browser.user, "192.0.2.1", name="ben")
    third = did(ActKind.EXPORTED, ann_browser.user, "192.0.2.2", name="the audit")
    of = lambda **query: rows(ada_browser.get(URL, query))  # noqa: E731
    assert of(actor=ann_browser.user.pk) == [third.pk, first.pk]
    assert of(group="sign-ins") == [second.pk, first.pk]
    assert of(group="sign-ins", actor=ann_browser.user.pk) == [first.pk]
    assert of(kind="exported") == [third.pk]
    assert of(address="192.0.2.1") == [second.pk, first.pk]
    assert of(address="192.0.2.1", actor=ben_browser.user.pk, source="person") == [second.pk]
    assert of(q="udi") == [third.pk]
    assert of(q="AN", group="sign-ins") == [first.pk]
    assert of(source="webhook") == []
    assert of(kind="signed in", group="settings") == [second.pk, first.pk], "the kind is the closer word"


def test_everything_about_one_thing(ada_browser: Browser, ann_browser: Browser) -> None:
    made, other = job(ann_browser.user, "succeeded"), job(ann_browser.user)
    taken = did(ActKind.EVIDENCE_TAKEN, ada_browser.user, subject=made)
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
    role = did(ActKind.ROLE_CHANGED, ada_browser.user, subject=ann_browser.user, name="ann")
    assert rows(ada_browser.get(URL, {"object": f"user:{ann_browser.user.pk}"})) == [role.pk]


# What an act can be about; events of jobs and files have columns for these.
SUBJECTS = [*apps.get_app_config("executions").get_models(), get_user_model()]


@pytest.mark.parametrize("model", [each for each in SUBJECTS if each is not File])
def test_everything_on_record_is_a_link_that_finds_it(model: Any, ada_browser: Browser) -> None:
    """Whatever an act is about, and whatever its id looks like."""
    ids = (uuid.uuid4(), uuid.uuid4()) if isinstance(model._meta.pk, UUIDField) else (7, 77)
    one, other = (did(ActKind.EXPORTED, ada_browser.user, subject=model(pk=pk), name="x") for pk in ids)
    first, second = rows_of(ada_browser.get(URL))[1], rows_of(ada_browser.get(URL))[0]
    assert (first.event, second.event) == (one, other)
    assert rows(ada_browser.get(URL, {"object": first.object_key})) == [one.pk]
    assert rows(ada_browser.get(URL, {"object": second.object_key})) == [other.pk]
    assert f"?object={quote(first.object_key, safe='')}" in ada_browser.get(URL).content.decode()


def test_everything_on_record_of_a_selection(ada_browser: Browser, ann_browser: Browser) -> None:
    made = job(ann_browser.user, "succeeded")
    selection = bulk_actions.choose([made.pk], Act.DOWNLOAD, actor=ann_browser.user)
    ann_browser.get(f"/executions/selections/{selection.pk}/results.zip")
    event = Event.objects.get(kind=ActKind.EXPORTED)
    [row] = [each for each in rows_of(ada_browser.get(URL)) if each.event == event]
    assert row.object_key == f"selection:{selection.pk}"
    assert rows(ada_browser.get(URL, {"object": row.object_key})) == [event.pk]


def test_everything_on_record_of_a_person_who_left(ada_browser: Browser, ann_browser: Browser) -> None:
    """Who signs out is known to the request by a stand-in, which is no type of its own."""
    ann_browser.post("/sign-out/")
    event = Event.objects.get(kind=ActKind.SIGNED_OUT)
    assert rows(ada_browser.get(URL, {"object": f"user:{ann_browser.user.pk}"})) == [event.pk]


def test_days_begin_and_end_by_utc(ada_browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    event = did(ActKind.EXPORTED)
    today = event.recorded_at.date()
    day = timedelta(days=1)
    of = lambda **query: rows(ada_browser.get(URL, query))  # noqa: E731
    assert of(since=today) == of(until=today) == of(since=today, until=today) == [event.pk]
    assert of(since=today + day) == of(until=today - day) == []


@pytest.mark.parametrize("before", [0, 1])
def test_pages_go_back_and_forth_without_losing_one(before: int, ada_browser: Browser) -> None:
    for group in ("", "settings"):
        made = [did(ActKind.SETTING_CHANGED, name=f"{n}").pk for n in range(2 * PAGE_SIZE + 1 + before)][::-1]
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
def test_nonsense_in_the_address_is_no_error(query: str, ada_browser: Browser) -> None:
    did(ActKind.EXPORTED, name="something")
    assert ada_browser.get(f"{URL}?{query}").status_code == 200


def test_what_was_left_out_is_said(ada_browser: Browser) -> None:
    said = text(ada_browser.get(f"{URL}?since=2026-13-45&actor=x&q=pier"))
    assert "Ignored unknown filter value" in said
    assert "2026-13-45" in said
    assert "Ignored" not in text(ada_browser.get(f"{URL}?since=2026-01-02&source=person"))


def test_how_the_chain_stands_is_said_at_the_top(ada_browser: Browser) -> None:
    did(ActKind.EXPORTED)
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


def test_the_page_makes_as_many_queries_for_many_rows_as_for_few(
    ada_browser: Browser, ann_browser: Browser
) -> None:
    def fill() -> None:
        job(ann_browser.user, "succeeded")
        did(ActKind.SIGNED_IN, ann_browser.user, subject=ann_browser.user)
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
async def test_what_is_filtered_is_exported_and_that_is_on_record(
    ada_browser: Browser, ann_browser: Browser
) -> None:
    from executions.core import runtime

    await runtime.in_db(did, ActKind.SIGN_IN_FAILED, name='=HYPERLINK("https://evil.example")')
    await runtime.in_db(did, ActKind.SIGNED_IN, ann_browser.user, "192.0.2.1", name="ann", before=1, after=2)
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
