"""Archiving with undo, a file's page with its lineage and activity, and permissions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from executions.files import actions as file_actions
from executions.models import Event, File, Input
from tests.dashboard.browsers import Browser, text
from tests.factories.files import file
from tests.factories.jobs import job
from tests.markup import links


def mine(browser: Browser, **columns: Any) -> File:
    known = {"type": "VIDEO", "display_name": "pier", "created_by": browser.user, "origin": "upload"}
    return file(**{**known, **columns})


def events_of(made: File) -> list[tuple[str, str, str]]:
    """The events of a file as (kind, source, actor)."""
    events = Event.objects.filter(file=made)
    return [(event.kind, event.source, event.actor.get_username() if event.actor else "") for event in events]


def test_an_archived_file_is_hidden_until_it_is_restored(ann_browser: Browser) -> None:
    made = mine(ann_browser)
    answer = ann_browser.post(f"/files/{made.pk}/archive/", follow=True)
    words = text(answer)
    assert "Undo archiving" in words
    assert "You can undo this fully until" in words
    assert "pier" not in text(ann_browser.get("/files/"))
    assert "pier" in text(ann_browser.get("/files/?show=archived"))
    ann_browser.post(f"/files/{made.pk}/restore/")
    assert "pier" in text(ann_browser.get("/files/"))
    assert events_of(made) == [("file archived", "person", "ann"), ("file restored", "person", "ann")]


def test_repeating_an_action_adds_no_event(ann_browser: Browser) -> None:
    made = mine(ann_browser)
    for _ in range(2):
        ann_browser.post(f"/files/{made.pk}/archive/")
    assert [kind for kind, _, _ in events_of(made)] == ["file archived"]
    for _ in range(2):
        ann_browser.post(f"/files/{made.pk}/restore/")
    assert [kind for kind, _, _ in events_of(made)] == ["file archived", "file restored"]


def test_restoring_a_file_says_that_videogen_still_hides_it(ann_browser: Browser) -> None:
    now = timezone.now()
    made = mine(ann_browser, archived_at=now - timedelta(days=1), archive_reported_at=now)
    assert "Restore" in text(ann_browser.get(f"/files/{made.pk}/"))
    words = text(ann_browser.post(f"/files/{made.pk}/restore/", follow=True))
    assert "VideoGen’s own lists still hide it" in words
    assert Event.objects.get(file=made).detail == {"hidden_at_videogen": True}


@pytest.mark.parametrize("act", ["archive", "restore", "publish", "withdraw"])
def test_only_the_owner_and_admins_may_act(act: str, ann_browser: Browser, ben_browser: Browser) -> None:
    made = mine(ann_browser)
    answer = ben_browser.post(f"/files/{made.pk}/{act}/", {"sure": "on"})
    assert answer.status_code == 403
    page = text(ben_browser.get(f"/files/{made.pk}/"))
    assert "Archive" not in page
    assert "Make it public" not in page
    assert events_of(made) == []


@pytest.mark.parametrize("act", ["archive", "restore", "publish", "withdraw"])
def test_a_file_without_an_owner_is_for_admins(act: str, ann_browser: Browser, ada_browser: Browser) -> None:
    made = file(type="VIDEO", display_name="found")
    assert ann_browser.post(f"/files/{made.pk}/{act}/", {"sure": "on"}).status_code == 403
    assert ada_browser.post(f"/files/{made.pk}/{act}/", {}).status_code in (303, 422)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"until": "2099-01-01", "sure": "on"}, "more than five years away"),
        ({"until": "2020-01-01", "sure": "on"}, "That day has passed"),
        ({"until": "the day after", "sure": "on"}, "Enter a date as"),
        ({"until": ""}, "Please confirm"),
        ({"until": "\x00", "sure": "on"}, "Enter a date as"),
    ],
)
def test_an_invalid_form_shows_its_errors_and_publishes_nothing(
    form: dict[str, str], words: str, ann_browser: Browser
) -> None:
    made = mine(ann_browser)
    answer = ann_browser.post(f"/files/{made.pk}/publish/", form)
    assert answer.status_code == 422
    assert words in text(answer)
    made.refresh_from_db()
    assert made.public_since is None
    assert events_of(made) == []


def test_an_image_cannot_be_public_on_an_api_version_without_it(ann_browser: Browser, settings: Any) -> None:
    settings.VIDEOGEN_API_ERA = "0.0"
    made = mine(ann_browser, type="IMAGE")
    assert "Images can’t be made public on your API version" in text(ann_browser.get(f"/files/{made.pk}/"))
    assert ann_browser.post(f"/files/{made.pk}/publish/", {"sure": "on"}).status_code == 422
    settings.VIDEOGEN_API_ERA = "2"
    assert "Make it public" in text(ann_browser.get(f"/files/{made.pk}/"))


@pytest.mark.django_db(transaction=True)
def test_a_file_stays_private_while_videogen_is_unreachable(ann_browser: Browser) -> None:
    made = mine(ann_browser)
    answer = ann_browser.post(f"/files/{made.pk}/publish/", {"until": "", "sure": "on"})
    assert answer.status_code == 422
    assert "VideoGen did not make the file public" in text(answer)
    made.refresh_from_db()
    assert (made.public_since, made.public_by, events_of(made)) == (None, None, [])


def test_the_visitor_preview_exists_for_public_files_only(ann_browser: Browser) -> None:
    private = mine(ann_browser)
    assert ann_browser.get(f"/files/{private.pk}/public/").status_code == 404
    snapshot = {
        "fileId": "vg_file_open",
        "publicHlsUrl": "https://media.example.org/open.m3u8",
        "publicPlaybackId": "vg_play_open",
        "staticPublicPreviewSource": {"status": "ready", "url": 'https://media.example.org/open.mp4?a="<b>'},
    }
    made = file(
        "vg_file_open", type="VIDEO", display_name='pier "<x>"', created_by=ann_browser.user, public_since=timezone.now(),
        public_by=ann_browser.user, snapshot=snapshot, description="a secret plan",
    )  # fmt: skip
    page = ann_browser.get(f"/files/{made.pk}/public/")
    assert "https://media.example.org/open.m3u8" in page.content.decode()
    assert "pier" not in page.content.decode()
    assert "secret" not in page.content.decode()
    owner = ann_browser.get(f"/files/{made.pk}/")
    words = text(owner)
    assert "Anyone with the link can view it" in words
    assert "vg_play_open" in words
    assert 'createVideoGenPlayer(document.getElementById("videogen-player"), {"publicPlaybackId": "vg_play_open"})' in words  # fmt: skip
    assert 'title="pier &quot;&lt;x&gt;&quot;"' in words, "the snippet is escaped"
    assert '<source src="https://media.example.org/open.mp4?a=&quot;&lt;b&gt;">' in words


def test_the_lineage_lists_sources_and_uses(ann_browser: Browser) -> None:
    source = file(type="IMAGE", display_name="the sketch")
    made_by = job(ann_browser.user, "succeeded", "paint it")
    Input.objects.create(execution=made_by, file=source, field="imageFileIds")
    result = made_by.results.get().file
    used_by = job(ann_browser.user, "succeeded", "upscale the painting")
    Input.objects.create(execution=used_by, file=result, field="imageFileId")
    page = ann_browser.get(f"/files/{result.pk}/")
    words = text(page)
    assert "Made from the sketch" in words
    assert {f"/executions/{made_by.pk}/", f"/executions/{used_by.pk}/"} <= set(links(page))
    assert "upscale the painting" in words
    assert "paint it" in text(ann_browser.get(f"/files/{source.pk}/")), "the source lists it too"


def test_queries_of_a_files_page_do_not_grow_with_its_uses(
    ann_browser: Browser, ben_browser: Browser
) -> None:
    def used(count: int) -> File:
        job_of_it = job(ben_browser.user, "succeeded", "made")
        result = job_of_it.results.get().file
        for number in range(count):
            Input.objects.create(execution=job_of_it, file=file(type="IMAGE"), field="imageFileIds", position=number)  # fmt: skip
            Input.objects.create(execution=job(ann_browser.user, "succeeded", results=2), file=result, field="imageFileId")  # fmt: skip
            file_actions.archive(result, ben_browser.user)
            file_actions.restore(result, ben_browser.user)
        return result

    def queries(made: File) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert ann_browser.get(f"/files/{made.pk}/").status_code == 200
        return len(captured)

    few, many = used(1), used(15)
    queries(few)
    assert queries(few) == queries(many)
    assert queries(many) <= 16


def test_every_state_has_its_text(ann_browser: Browser) -> None:
    for columns, words in (
        ({"state": "uploading"}, "uploading to VideoGen"),
        ({"state": "processing"}, "processing…"),
        ({"state": "failed", "problem": "Not a video at all."}, "Not a video at all."),
        ({"scope": "TEMPORARY"}, "VideoGen may remove it any time after"),
        ({"analysis_state": "LOADING"}, "In progress"),
        ({"analysis_state": "SOMETHING_NEW"}, "Something_new"),
        ({"type": "HOLOGRAM"}, "A hologram cannot be shown here"),
        ({"type": ""}, "cannot be shown here"),
        ({"gone_at": timezone.now()}, "VideoGen no longer has this file"),
        ({"transcript": "to be or not"}, "Transcript to be or not"),
        ({"duration": 65.0, "bytes": 2_500_000, "width": 640, "height": 360}, "640 × 360 1:05 2.4 MB"),
    ):
        words_there = text(ann_browser.get(f"/files/{mine(ann_browser, **columns).pk}/")).replace("\xa0", " ")
        assert words in words_there, columns


def test_events_of_files_are_append_only(ann_browser: Browser) -> None:
    made = mine(ann_browser)
    file_actions.archive(made, ann_browser.user)
    event = Event.objects.get(file=made)
    for act in (event.save, event.delete, Event.objects.all().delete):
        with pytest.raises(TypeError):
            act()
