"""People and roles: inviting, joining, roles, deactivation, and the limits of the last admin."""

from __future__ import annotations

import contextlib
import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from dashboard.http import login_throttle, middleware
from executions import policy
from executions.batches import bulk_actions
from executions.models import Event, Invitation
from executions.models.selection import Act
from executions.team import members
from tests.dashboard.browsers import Browser, text
from tests.factories.jobs import job
from tests.threads import run_together

URL = "/settings/people/"
NEW = {"username": "kim", "password1": "salt flats at noon", "password2": "salt flats at noon"}


def link_of(ada_browser: Browser, **fields: Any) -> str:
    answer = ada_browser.post(f"{URL}invite/", {"note": "Kim", "role": "member", "days": "7", **fields})
    assert answer.status_code == 201
    return str(answer.context["link"]).removeprefix("http://testserver")


# --- joining ----------------------------------------------------------------------------------------------


def test_an_invited_person_joins_and_is_signed_in(ada_browser: Browser, client: Client) -> None:
    link = link_of(ada_browser)
    assert "You are invited by ada as a member." in text(client.get(link))
    assert client.post(link, NEW)["Location"] == "/"
    kim = get_user_model().objects.get(username="kim")
    assert (kim.is_staff, kim.is_superuser, kim.is_active) == (False, False, True)
    assert client.get("/").status_code == 200
    joined = Event.objects.get(kind="joined")
    assert (joined.actor, joined.detail["role"], joined.detail["invited_by"]) == (
        kim,
        "member",
        ada_browser.user.pk,
    )
    assert "salt flats" not in str(list(Event.objects.values()))


def test_an_invited_admin_is_an_admin(ada_browser: Browser, client: Client) -> None:
    client.post(link_of(ada_browser, role="admin"), NEW)
    assert client.get(URL).status_code == 200


def test_a_link_works_once(ada_browser: Browser, client: Client) -> None:
    link = link_of(ada_browser)
    client.post(link, NEW)
    assert Client().get(link).status_code == 404
    assert Client().post(link, {**NEW, "username": "another"}).status_code == 404
    assert get_user_model().objects.filter(username="another").count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_link_works_once_for_two_concurrent_requests(ada_browser: Browser) -> None:
    _, token = members.invite("", members.MEMBER, 1, actor=ada_browser.user)

    def join(name: str) -> str:
        try:
            members.join(token, name, "salt flats at noon")
        except members.MemberChangeRejected:
            return "refused"
        return "joined"

    outcomes = run_together([lambda: join("kim"), lambda: join("kit")])

    assert sorted(outcomes) == ["joined", "refused"]


def test_a_link_expires_and_can_be_withdrawn(ada_browser: Browser, client: Client) -> None:
    late, withdrawn = link_of(ada_browser), link_of(ada_browser)
    first, second = Invitation.objects.order_by("pk")
    Invitation.objects.filter(pk=first.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    for _ in range(2):
        ada_browser.post(f"{URL}invitations/{second.pk}/withdraw/")
    for link in (late, withdrawn):
        assert "This invitation is no longer valid" in text(client.get(link))
    assert Event.objects.filter(kind="invitation withdrawn").count() == 1


def test_the_link_is_shown_once_and_not_stored(ada_browser: Browser) -> None:
    token = link_of(ada_browser).split("/")[-2]
    assert token not in ada_browser.get(URL).content.decode()
    assert token not in str(list(Invitation.objects.values()))
    assert token not in str(list(Event.objects.values()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"password1": "short", "password2": "short"}, "This password is too short"),
        ({"password1": "password", "password2": "password"}, "This password is too common"),
        ({"password2": "something else"}, "didn’t match"),
        ({"username": "ADA"}, "A user with that username already exists"),
        ({"username": ""}, "This field is required"),
        ({"username": "a b<script>"}, "Enter a valid username"),
        ({"username": "k\x00im"}, "Null characters are not allowed"),
    ],
)
def test_an_invalid_name_or_password_shows_an_error(
    change: dict[str, str], message: str, ada_browser: Browser, client: Client
) -> None:
    link = link_of(ada_browser)
    answer = client.post(link, {**NEW, **change})
    assert answer.status_code == 422
    assert message in text(answer)
    assert client.post(link, NEW).status_code == 303, "the invitation is still valid"


def test_guessing_links_is_throttled(client: Client, db: None) -> None:
    codes = [client.get(f"/join/guess-{n}/").status_code for n in range(login_throttle.MAX_BY_NAME + 1)]
    assert codes == [404] * login_throttle.MAX_BY_NAME + [429]


def test_a_signed_in_person_cannot_use_an_invitation(ada_browser: Browser, ann_browser: Browser) -> None:
    link = link_of(ada_browser)
    assert "You are already signed in" in text(ann_browser.post(link, NEW))
    assert Invitation.objects.get().used_at is None


# --- roles ------------------------------------------------------------------------------------------------


def test_a_role_change_is_audited(ada_browser: Browser, ann_browser: Browser) -> None:
    ada_browser.post(f"{URL}{ann_browser.user.pk}/role/", {"role": "admin"})
    ada_browser.post(f"{URL}{ann_browser.user.pk}/role/", {"role": "admin"})
    ann_browser.user.refresh_from_db()
    assert (ann_browser.user.is_staff, ann_browser.user.is_superuser) == (True, True)
    event = Event.objects.get(kind="role changed")
    assert (event.actor, event.subject_name) == (ada_browser.user, "ann")
    assert event.detail == {"before": "member", "after": "admin"}
    assert ann_browser.get(URL).status_code == 200


@pytest.mark.parametrize(
    ("act", "message"),
    [
        ("role", "ada is the last admin. Make someone else an admin first."),
        ("shut-out", "You can’t deactivate yourself. Ask another admin."),
    ],
)
def test_the_last_admin_cannot_be_removed(
    act: str, message: str, ada_browser: Browser, ann_browser: Browser
) -> None:
    get_user_model().objects.create_user("old", is_staff=True, is_active=False)
    answer = ada_browser.post(f"{URL}{ada_browser.user.pk}/{act}/", {"role": "member"}, follow=True)
    assert message in text(answer)
    ada_browser.user.refresh_from_db()
    assert ada_browser.user.is_staff
    assert ada_browser.user.is_active


def test_the_last_admin_cannot_be_deactivated_by_someone_who_was_just_demoted(
    ada_browser: Browser, ann_browser: Browser
) -> None:
    members.change_role(ann_browser.user.pk, members.ADMIN, actor=ada_browser.user)
    ann = get_user_model().objects.get(pk=ann_browser.user.pk)
    members.change_role(ann.pk, members.MEMBER, actor=ada_browser.user)
    with pytest.raises(members.MemberChangeRejected, match=r"^ada is the last admin\. Make someone else"):
        members.deactivate(ada_browser.user.pk, actor=ann)
    ada_browser.user.refresh_from_db()
    assert ada_browser.user.is_active


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", ["demote", "deactivate"])
def test_two_admins_who_remove_each_other_leave_one_admin(
    act: str, ada_browser: Browser, ann_browser: Browser
) -> None:
    members.change_role(ann_browser.user.pk, members.ADMIN, actor=ada_browser.user)
    ada, ann = ada_browser.user.pk, ann_browser.user.pk

    def remove(whom: int, by: int) -> None:
        with contextlib.suppress(members.MemberChangeRejected, policy.NotAllowed):
            if act == "demote":
                members.change_role(whom, members.MEMBER, actor=by)
            else:
                members.deactivate(whom, actor=by)

    run_together([lambda: remove(ann, by=ada), lambda: remove(ada, by=ann)])

    assert get_user_model().objects.filter(is_staff=True, is_active=True).count() == 1


def test_invalid_input_is_rejected(ada_browser: Browser, ann_browser: Browser) -> None:
    assert ada_browser.post(f"{URL}{ann_browser.user.pk}/role/", {"role": "king"}).status_code == 400
    assert ada_browser.post(f"{URL}999999/role/", {"role": "admin"}).status_code == 404
    assert ada_browser.post(f"{URL}99999999999999999999999/shut-out/").status_code == 404
    assert ada_browser.post(f"{URL}invitations/99999999999999999999999/withdraw/").status_code in (303, 404)
    for fields in ({"days": "8"}, {"role": "king"}, {"note": "x" * 101}, {"note": "\x00"}, {}):
        fields = {"note": "", "role": "member", "days": "7", **fields} if fields else fields
        assert ada_browser.post(f"{URL}invite/", fields).status_code == 422


# --- deactivation -----------------------------------------------------------------------------------------


def test_deactivation_ends_all_sessions_at_once(
    ada_browser: Browser, ann_browser: Browser, ben_browser: Browser
) -> None:
    cookie = ann_browser.client.cookies["sessionid"].value
    ada_browser.post(f"{URL}{ann_browser.user.pk}/shut-out/")
    assert ann_browser.get("/").status_code == 302
    assert ben_browser.get("/").status_code == 200
    event = Event.objects.get(kind="shut out")
    assert (event.actor, event.subject_name, event.detail) == (ada_browser.user, "ann", {"sessions_ended": 1})
    credentials = {"username": "ann", "password": "ann's own password"}
    assert Client().post("/sign-in/", credentials).status_code == 422
    ada_browser.post(f"{URL}{ann_browser.user.pk}/let-in/")
    old = Client()
    old.cookies["sessionid"] = cookie
    assert old.get("/").status_code == 302, "the old session does not come back"
    assert Client().post("/sign-in/", credentials).status_code == 302


@pytest.mark.parametrize("act", ["role", "shut-out"])
def test_an_invitation_ends_when_its_creator_is_no_longer_an_admin(
    act: str, ada_browser: Browser, ann_browser: Browser, client: Client
) -> None:
    """A former admin cannot regain the role with an invitation created while they had it."""
    members.change_role(ann_browser.user.pk, members.ADMIN, actor=ada_browser.user)
    link, theirs = link_of(ann_browser, role="admin"), link_of(ada_browser)
    ada_browser.post(f"{URL}{ann_browser.user.pk}/{act}/", {"role": "member"})
    assert client.post(link, NEW).status_code == 404
    assert not get_user_model().objects.filter(username="kim").exists()
    withdrawn = Event.objects.get(kind="invitation withdrawn")
    assert (withdrawn.actor, withdrawn.subject_name) == (ada_browser.user, "Kim")
    ada_browser.post(
        f"{URL}{ann_browser.user.pk}/{'let-in' if act == 'shut-out' else 'role'}/", {"role": "admin"}
    )
    assert client.get(link).status_code == 404, "it stays withdrawn"
    assert client.get(theirs).status_code == 200, "invitations of others stay valid"


def test_an_invitation_created_during_the_deactivation_of_its_creator_is_invalid(
    ada_browser: Browser, ann_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    members.change_role(ann_browser.user.pk, members.ADMIN, actor=ada_browser.user)
    ann_browser.user.refresh_from_db()
    make_token = secrets.token_urlsafe

    def deactivate_meanwhile(size: int) -> str:
        """After the permission check, and before the invitation is written."""
        members.deactivate(ann_browser.user.pk, actor=ada_browser.user)
        return make_token(size)

    with monkeypatch.context() as patch:
        patch.setattr(members.secrets, "token_urlsafe", deactivate_meanwhile)
        _, token = members.invite("", members.ADMIN, 1, actor=ann_browser.user)
    assert members.invitation_of(token) is None
    with pytest.raises(members.MemberChangeRejected):
        members.join(token, "kim", "salt flats at noon")


# --- what members may do ----------------------------------------------------------------------------------


def test_members_cancel_each_others_jobs_if_the_setting_is_on(
    ada_browser: Browser, ann_browser: Browser, ben_browser: Browser
) -> None:
    first, second = job(ann_browser.user, "running"), job(ann_browser.user, "running")
    cancel = f"/executions/{first.pk}/cancel/"
    assert cancel not in ben_browser.get("/").content.decode()
    ada_browser.post(f"{URL}choices/", {"team_cancels": "on"})
    assert cancel in ben_browser.get("/").content.decode()
    assert ben_browser.post(cancel).status_code == 303
    first.refresh_from_db()
    assert first.cancel_requested_by == ben_browser.user
    ada_browser.post(f"{URL}choices/")
    assert ben_browser.post(f"/executions/{second.pk}/cancel/").status_code == 403


def test_the_setting_applies_to_batches(
    ada_browser: Browser, ann_browser: Browser, ben_browser: Browser
) -> None:
    from tests.factories import planning

    batch = planning.batch(ann_browser.user)
    assert ben_browser.post(f"/batches/{batch.pk}/cancel/").status_code == 403
    ada_browser.post(f"{URL}choices/", {"team_cancels": "on"})
    assert f"/batches/{batch.pk}/cancel/" in ben_browser.get(f"/batches/{batch.pk}/").content.decode()
    assert ben_browser.post(f"/batches/{batch.pk}/cancel/").status_code == 303


def test_the_setting_applies_to_bulk_actions(
    ada_browser: Browser, ann_browser: Browser, ben_browser: Browser
) -> None:
    anns = job(ann_browser.user, "running")
    assert not bulk_actions.is_allowed(Act.CANCEL, ben_browser.user, anns)
    ada_browser.post(f"{URL}choices/", {"team_cancels": "on"})
    assert bulk_actions.is_allowed(Act.CANCEL, ben_browser.user, anns)
    assert not bulk_actions.is_allowed(Act.ARCHIVE, ben_browser.user, anns), "only cancelling is allowed"


# --- the page ---------------------------------------------------------------------------------------------


def test_people_are_listed_with_jobs_and_last_visit(ada_browser: Browser, ann_browser: Browser) -> None:
    middleware._last_recorded.clear()
    job(ann_browser.user)
    ann_browser.get("/")
    listed = {person.name: person for person in ada_browser.get(URL).context["page"].people}
    assert list(listed) == ["ada", "ann", "ben"]
    assert listed["ben"].seen_at is None
    assert (listed["ann"].jobs, listed["ann"].role) == (1, "member")
    assert timezone.now() - listed["ann"].seen_at < timedelta(minutes=1)
    assert (listed["ada"].is_last_admin, listed["ada"].can_be_deactivated) == (True, False)


def test_signing_out_records_no_visit_of_an_unknown_user(ann_browser: Browser, caplog: Any) -> None:
    ann_browser.get("/")
    middleware._last_recorded.clear()
    assert ann_browser.post("/sign-out/").status_code == 303
    assert not middleware._last_recorded
    assert not caplog.records


def test_queries_do_not_grow_with_people(ada_browser: Browser, django_assert_num_queries: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    ada_browser.get(URL)
    with CaptureQueriesContext(connection) as few:
        ada_browser.get(URL)
    for number in range(20):
        get_user_model().objects.create(username=f"person {number}")
        members.invite(f"{number}", members.MEMBER, 7, actor=ada_browser.user)
    with CaptureQueriesContext(connection) as many:
        ada_browser.get(URL)
    assert len(many) == len(few)
