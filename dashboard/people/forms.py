"""The forms to invite a person and to join by an invitation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User

from executions.team import members

ROLES = [(members.MEMBER, "member"), (members.ADMIN, "admin")]


class InvitationForm(forms.Form):
    note = forms.CharField(label="Label", max_length=100, required=False)
    role = forms.ChoiceField(label="Role", choices=ROLES, initial=members.MEMBER)
    days = forms.TypedChoiceField(
        label="Expires in",
        choices=[(days, f"{days} day{'' if days == 1 else 's'}") for days in members.INVITATION_DAYS],
        coerce=int,
        initial=7,
    )


if TYPE_CHECKING:
    UserForm = UserCreationForm[User]
else:
    UserForm = UserCreationForm  # generic for type checkers alone


class JoinForm(UserForm):
    """Name and password, validated by Django; executions/team/members.py creates the person."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "Name"
        self.fields["password2"].label = "Repeat password"
        for field in self.fields.values():
            field.help_text = ""
