"""Comments: shown as text, live on open pages, and withdrawn only by their author."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from executions.core import runtime
from executions.models import Comment, Event, Mention
from executions.models.event import Kind
from executions.team import comments
from tests.dashboard.browsers import Browser
from tests.dashboard.sockets import open_socket, receive_until
from tests.factories.jobs import job
from tests.factories.people import People
from tests.markup import content, every, one, plain_text

pytestmark = pytest.mark.django_db


def say(browser: Browser, execution: Any, text: str, **more: Any) -> Any:
    return browser.post(f"/executions/{execution.pk}/comments/", {"text": text}, **more)


def test_a_comment_is_on_the_page_and_recorded_as_an_event(
    ann_browser: Browser, ben_browser: Browser
) -> None:
    execution = job(ben_browser.user, "succeeded")
    assert say(ann_browser, execution, "Better than the last one.").status_code == 303
    page = ben_browser.get(f"/executions/{execution.pk}/").content.decode()
    assert "Better than the last one." in page
    assert "comment added by ann" in page
    event = Event.objects.get(kind=Kind.COMMENTED)
    assert (event.actor, event.from_status, event.to_status) == (ann_browser.user, "succeeded", "succeeded")
    assert "Better" not in str(event.detail), "the text can be withdrawn, the event cannot"


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "{{ x }} {% url %}", "@ann <b>bold</b> &amp;", "\u202ereversed", "@ann@ben@", "@<i>", "🎬 @ann\n\nsecond line"],
)  # fmt: skip
def test_comments_are_shown_as_text(text: str, ann_browser: Browser, ben_browser: Browser) -> None:
    execution = job(ann_browser.user, "succeeded")
    say(ben_browser, execution, text)
    said = one(ann_browser.get(f"/executions/{execution.pk}/"), "p.comment-text")
    assert {node.tag for node in every(said, "*")} <= {"p", "a", "br"}
    assert content(said).split() == text.split()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@ann look", ["ann"]),
        ("(@ann, @ben.) @ann", ["ann", "ben"]),
        ("write to ann@example.org", []),
        ("@ada.", ["ada"]),
        ("@", []),
        ("@...", []),
        ("a@ann @ben", ["ben"]),
    ],
)
def test_a_name_after_an_at_sign_is_a_mention(text: str, names: list[str]) -> None:
    assert comments.mentioned_names(text) == names


def test_a_mention_is_unread_until_the_job_is_opened(ann_browser: Browser, ben_browser: Browser) -> None:
    execution = job(ann_browser.user, "succeeded")
    say(ann_browser, execution, "@ben is this the one? @missing @ann")
    assert Mention.objects.count() == 1, "neither unknown people nor the author"
    assert "1 unread mention" in plain_text(ben_browser.get("/"), "#bell")
    assert "is this the one?" in ben_browser.get("/mentions/").content.decode()
    assert comments.unread_count(ben_browser.user.pk) == 1, "the list does not yet show the job"
    page = ben_browser.get(f"/executions/{execution.pk}/").content.decode()
    assert plain_text(page, f'a[href="/executions/?person={ben_browser.user.pk}"]') == "@ben"
    assert comments.unread_count(ben_browser.user.pk) == 0
    assert "unread mention" not in page, "the page that shows the comment marks it as read"


def test_all_mentions_can_be_marked_as_read(ann_browser: Browser, ben_browser: Browser) -> None:
    for _ in range(3):
        say(ann_browser, job(ann_browser.user), "@ben")
    assert ben_browser.post("/mentions/").status_code == 303
    assert comments.unread_count(ben_browser.user.pk) == 0


def test_a_withdrawn_comment_is_marked_and_its_text_removed(
    ann_browser: Browser, ben_browser: Browser
) -> None:
    execution = job(ann_browser.user, "succeeded")
    say(ann_browser, execution, "@ben the secret word")
    comment = Comment.objects.get()
    url = f"/executions/{execution.pk}/comments/{comment.pk}/withdraw/"
    assert ben_browser.post(url).status_code == 403
    assert ann_browser.post(url).status_code == 303
    assert ann_browser.post(url).status_code == 303, "withdrawing is idempotent"
    page = ben_browser.get(f"/executions/{execution.pk}/").content.decode()
    assert "the secret word" not in page
    assert "was withdrawn" in page
    assert "comment withdrawn by ann" in page
    assert "the secret word" not in ben_browser.get("/mentions/").content.decode()
    assert comments.unread_count(ben_browser.user.pk) == 0
    assert Event.objects.filter(kind=Kind.COMMENTED).count() == 2


@pytest.mark.parametrize("text", ["", "   \n ", "x" * 4001])
def test_invalid_comments_are_rejected_with_a_message(text: str, ann_browser: Browser) -> None:
    execution = job(ann_browser.user)
    plain = say(ann_browser, execution, text)
    assert plain.status_code == 422
    assert "say-problem" in plain.content.decode()
    assert content(one(plain, "textarea[name=text]")) == text, "the input is kept"
    answer = say(ann_browser, execution, text, HTTP_HX_REQUEST="true")
    assert answer.status_code == 422
    assert "say-problem" in answer.content.decode()
    assert not Comment.objects.exists()


def test_a_nul_is_replaced(ann_browser: Browser) -> None:
    say(ann_browser, job(ann_browser.user), "a\x00b")
    assert Comment.objects.get().text == "a\ufffdb"


def test_a_comment_cannot_be_changed_or_deleted(ann_browser: Browser) -> None:
    say(ann_browser, job(ann_browser.user), "once")
    comment = Comment.objects.get()
    comment.text = "twice"
    for act in (comment.save, comment.delete, Comment.objects.all().delete):
        with pytest.raises(TypeError):
            act()


def test_queries_do_not_grow_with_comments(ann_browser: Browser, ben_browser: Browser) -> None:
    one, many = job(ann_browser.user), job(ann_browser.user)
    for execution, count in ((one, 1), (many, 20)):
        for number in range(count):
            say((ann_browser, ben_browser)[number % 2], execution, "@ann @ben")
    counted = []
    for execution in (one, many):
        ann_browser.get(f"/executions/{execution.pk}/comments/")
        with CaptureQueriesContext(connection) as captured:
            ann_browser.get(f"/executions/{execution.pk}/comments/")
        counted.append(len(captured))
    assert counted[0] == counted[1]


@pytest.mark.django_db(transaction=True)
async def test_a_comment_reaches_open_pages_and_notifies_mentioned_people(
    people: People, account: Any, ann_browser: Browser, ben_browser: Browser, ada_browser: Browser
) -> None:
    execution = await runtime.in_db(job, people.ann, "running")
    job_page = await open_socket(ada_browser, f"job:{execution.pk}")
    other_page = await open_socket(ben_browser, "history")
    await runtime.in_db(comments.write, execution, actor=people.ann, text="@ben look")
    update = await receive_until(job_page, "commented-")
    assert every(update, f'[hx-get="/executions/{execution.pk}/comments/"]')
    assert "look" not in update, "each page fetches the comments with its own permissions"
    assert "1 unread mention" in plain_text(await receive_until(other_page, 'id="bell"'), "#bell")
    await runtime.in_db(comments.write, execution, actor=people.ann, text="@ben again")
    assert await receive_until(job_page, "commented-") != update, (
        "htmx ignores content that is already on the page"
    )
    for page in (job_page, other_page):
        await page.disconnect()
