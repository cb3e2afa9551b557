"""Members of the team: invitations, roles, deactivation and reactivation.

Each action writes one event, in the transaction of the change. Admins are staff and superusers in Django's terms.
At least one active admin remains, even under concurrent changes.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from executions import policy
from executions.audit import record as audit_log
from executions.models import Execution, Invitation, Presence
from executions.models.event import ActKind
from executions.policy import Action, Actor

MEMBER, ADMIN = "member", "admin"
# Choices for the lifetime of an invitation, in days.
INVITATION_DAYS = (1, 7, 30)


class MemberChangeRejected(Exception):
    """The action is not possible. The message says why."""


def role(person: Any) -> str:
    return ADMIN if person.is_staff else MEMBER


# --- members ----------------------------------------------------------------------------------------------


def change_role(person_id: int, new_role: str, *, actor: Actor) -> bool:
    """False if nothing changed. Raises NotAllowed, and MemberChangeRejected for the last admin."""
    actor_id = policy.require(actor, Action.PERSON_CHANGE_ROLE)
    with _locked(person_id) as (person, admins):
        before = role(person)
        if before == new_role:
            return False
        if before == ADMIN and admins == {person.pk}:
            raise MemberChangeRejected(
                f"{person.get_username()} is the last admin. Make someone else an admin first."
            )
        if before == ADMIN:
            _withdraw_invitations_of(person.pk, actor_id)
        person.is_staff = person.is_superuser = new_role == ADMIN
        person.save(update_fields=["is_staff", "is_superuser"])
        _record(ActKind.ROLE_CHANGED, person, actor_id, before=before, after=new_role)
    return True


def deactivate(person_id: int, *, actor: Actor) -> bool:
    """Deactivate a person: end their sessions and withdraw their invitations. Their jobs and files stay.

    False if they were inactive. Raises NotAllowed, and MemberChangeRejected for oneself and for the last admin.
    """
    actor_id = policy.require(actor, Action.PERSON_DEACTIVATE)
    with _locked(person_id) as (person, admins):
        if not person.is_active:
            return False
        if person.pk == actor_id:
            raise MemberChangeRejected("You can’t deactivate yourself. Ask another admin.")
        if admins == {person.pk}:
            raise MemberChangeRejected(
                f"{person.get_username()} is the last admin. Make someone else an admin first."
            )
        _withdraw_invitations_of(person.pk, actor_id)
        person.is_active = False
        person.save(update_fields=["is_active"])
        ended = _end_sessions(person.pk)
        _record(ActKind.DEACTIVATED, person, actor_id, sessions_ended=ended)
    return True


def reactivate(person_id: int, *, actor: Actor) -> bool:
    """Let a person sign in again, with the same role. False if they were active. Raises NotAllowed."""
    actor_id = policy.require(actor, Action.PERSON_REACTIVATE)
    with _locked(person_id) as (person, _):
        if person.is_active:
            return False
        person.is_active = True
        person.save(update_fields=["is_active"])
        _record(ActKind.REACTIVATED, person, actor_id, role=role(person))
    return True


@contextmanager
def _locked(person_id: int) -> Iterator[tuple[Any, set[int]]]:
    """The person and the ids of all active admins, whose rows are locked. Raises DoesNotExist."""
    people = get_user_model().objects
    with transaction.atomic():
        # Lock in a fixed order, so that two admins who change each other cannot deadlock.
        admins = people.select_for_update().filter(is_staff=True, is_active=True).order_by("pk")
        ids = {admin.pk for admin in admins}
        yield people.select_for_update().get(pk=person_id), ids


def _end_sessions(person_id: int) -> int:
    """Old cookies must not work again after reactivation. Sessions have no column for their person."""
    sessions = [
        session.pk
        for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator()
        if session.get_decoded().get("_auth_user_id") == str(person_id)
    ]
    Session.objects.filter(pk__in=sessions).delete()
    return len(sessions)


def usernames(limit: int, *, only_active: bool = False) -> dict[int, str]:
    """The names of the first `limit` people by their id, in the order of their names."""
    people = get_user_model().objects.order_by("username")
    if only_active:
        people = people.filter(is_active=True)
    return dict(people.values_list("pk", "username")[:limit])


def is_active(person_id: int) -> bool:
    return get_user_model().objects.filter(pk=person_id, is_active=True).exists()


def job_counts() -> dict[int, int]:
    """The number of jobs that each person has started, by the person's id."""
    return Execution.objects.filter(created_by__isnull=False).count_by("created_by")


def without_member(names: Collection[str]) -> list[str]:
    """The names that no member has."""
    known = set(get_user_model().objects.filter(username__in=names).values_list("username", flat=True))
    return [name for name in names if name not in known]


def set_up(name: str, password: str, new_role: str) -> None:
    """Create or update a member without an invitation. Only for the sandbox's demo people."""
    person, _ = get_user_model().objects.get_or_create(username=name)
    person.is_staff = person.is_superuser = new_role == ADMIN
    if not person.check_password(password):
        person.set_password(password)
    person.save()


def record_presence(person_id: int) -> None:
    """Record that the person is present now."""
    Presence.objects.update_or_create(person_id=person_id, defaults={"at": timezone.now()})


def _record(kind: ActKind, person: Any, actor_id: int | None, **detail: Any) -> None:
    audit_log.record(kind, actor_id=actor_id, subject=person, name=person.get_username(), **detail)


# --- invitations ------------------------------------------------------------------------------------------


def invite(note: str, new_role: str, days: int, *, actor: Actor) -> tuple[Invitation, str]:
    """An invitation and the secret of its link. Only its hash is stored, so it cannot be shown again."""
    actor_id = policy.require(actor, Action.PERSON_INVITE)
    token = secrets.token_urlsafe(32)
    now = timezone.now()
    with transaction.atomic():
        invitation = Invitation.objects.create(
            token_hash=Invitation.hash_token(token),
            note=note,
            is_admin=new_role == ADMIN,
            created_by_id=actor_id,
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
        audit_log.record(
            ActKind.INVITED, actor_id=actor_id, subject=invitation, name=note, role=new_role, until=invitation.expires_at.isoformat()
        )  # fmt: skip
    return invitation, token


def withdraw(invitation_id: int, *, actor: Actor) -> bool:
    """Withdraw an invitation. False if it was no longer open. Raises NotAllowed."""
    actor_id = policy.require(actor, Action.INVITATION_WITHDRAW)
    with transaction.atomic():
        return _withdraw(Invitation.objects.open(timezone.now()).filter(pk=invitation_id), actor_id)


def _withdraw_invitations_of(person_id: int, actor_id: int | None) -> None:
    """Withdraw the open invitations that this person created, so that they cannot be used to return."""
    theirs = Invitation.objects.open(timezone.now()).filter(created_by_id=person_id)
    for pk in list(theirs.values_list("pk", flat=True)):
        _withdraw(theirs.filter(pk=pk), actor_id)


def _withdraw(one: QuerySet[Invitation], actor_id: int | None) -> bool:
    """Withdraw at most one. Runs in the caller's transaction."""
    invitation = one.first()
    if invitation is None or not _unused(invitation).update(withdrawn_at=timezone.now()):
        return False
    audit_log.record(
        ActKind.INVITATION_WITHDRAWN, actor_id=actor_id, subject=invitation, name=invitation.note
    )
    return True


def _unused(invitation: Invitation) -> QuerySet[Invitation]:
    """The invitation, if it is still unused. Filters only on its own columns: after waiting for a concurrent update,
    PostgreSQL evaluates these again, but not those of a join."""
    return Invitation.objects.filter(pk=invitation.pk, used_at=None, withdrawn_at=None)


def invitation_of(token: str) -> Invitation | None:
    """The open invitation with this secret, if there is one."""
    return Invitation.objects.open(timezone.now()).filter(token_hash=Invitation.hash_token(token)).first()


def join(token: str, username: str, password: str) -> Any:
    """Create a person from an invitation, which works once. The password must be validated. Raises MemberChangeRejected."""
    hashed = make_password(password)  # slow, so outside the transaction
    now = timezone.now()
    gone = "This invitation was used or withdrawn, or has expired. Ask for a new one."
    try:
        with transaction.atomic():
            invitation = invitation_of(token)
            if invitation is None or not _unused(invitation).update(used_at=now):
                raise MemberChangeRejected(gone)
            person = get_user_model().objects.create(
                username=username,
                password=hashed,
                is_staff=invitation.is_admin,
                is_superuser=invitation.is_admin,
            )
            Invitation.objects.filter(pk=invitation.pk).update(used_by=person)
            detail = {
                "role": role(person),
                "invitation": invitation.pk,
                "invited_by": invitation.created_by_id,
            }
            _record(ActKind.JOINED, person, person.pk, **detail)
    except IntegrityError:
        raise MemberChangeRejected("This name is taken.") from None
    return person
