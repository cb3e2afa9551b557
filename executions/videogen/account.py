"""Wire objects of the account: voices, presenters, the key's owner, webhook endpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from executions.videogen import wire_fields
from executions.videogen.errors import MalformedResponse
from executions.videogen.wire import object_of, required_id


@dataclass(frozen=True)
class Voice:
    """A voice. Text-to-speech needs `supports_direct_tool_execution` (docs/api-notes.md#tools)."""

    voice_id: str
    language_code: str = ""
    display_name: str = ""
    display_gender: str = ""
    accent: str = ""
    description: str = ""
    supports_direct_tool_execution: bool = False
    supports_all_languages: bool = False
    is_deprecated: bool = False
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        data = object_of(data, "a voice")
        return cls(
            voice_id=required_id(data, "the voice", "voiceId"),
            language_code=wire_fields.enum_value(data.get("languageCode")),
            display_name=wire_fields.text(data.get("displayName")) or "",
            display_gender=wire_fields.enum_value(data.get("displayGender")),
            accent=wire_fields.text(data.get("accent")) or "",
            description=wire_fields.text(data.get("description")) or "",
            supports_direct_tool_execution=wire_fields.flag(data.get("supportsDirectToolExecution")),
            supports_all_languages=wire_fields.flag(data.get("supportsAllLanguages")),
            is_deprecated=wire_fields.flag(data.get("isDeprecated")),
            raw=data,
        )


@dataclass(frozen=True)
class Presenter:
    """A presenter for avatars. API version 2 has none."""

    presenter_id: str
    gender: str = ""
    image_url: str = field(default="", repr=False)
    thumbnail_url: str = field(default="", repr=False)
    preview_video_url: str = field(default="", repr=False)
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        data = object_of(data, "a presenter")
        return cls(
            presenter_id=required_id(data, "the presenter", "avatarPresenterId"),
            gender=wire_fields.enum_value(data.get("displayableGender")),
            image_url=wire_fields.url(data.get("imageUrl")) or "",
            thumbnail_url=wire_fields.url(data.get("thumbnailUrl")) or "",
            preview_video_url=wire_fields.url(data.get("previewVideoUrl")) or "",
            raw=data,
        )


@dataclass(frozen=True)
class Account:
    """The owner of the API key. `api_key_id` identifies the key and is not secret."""

    api_key_id: str | None = None
    api_key_nickname: str = ""
    email: str = ""
    display_name: str = ""
    team_id: str | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        data = object_of(data, "an account")
        account = cls(
            api_key_id=wire_fields.identifier(data.get("apiKeyId")),
            api_key_nickname=wire_fields.text(data.get("apiKeyNickname")) or "",
            email=wire_fields.text(data.get("email")) or "",
            display_name=wire_fields.text(data.get("displayName")) or "",
            team_id=wire_fields.identifier(data.get("teamId")),
            raw=data,
        )
        if not (account.api_key_id or account.team_id or account.email):
            raise MalformedResponse("VideoGen's response does not name the owner of the API key.", raw=data)
        return account


@dataclass(frozen=True)
class RemoteEndpoint:
    endpoint_id: str
    url: str = ""
    events: tuple[str, ...] = ()
    description: str = ""
    created_at: datetime | None = None
    signing_secret_last4: str = ""
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        # The response to a creation contains the secret, which must not be in `raw`.
        data = without_secret(object_of(data, "a webhook endpoint"))
        return cls(
            endpoint_id=required_id(data, "the webhook endpoint", "endpointId"),
            url=wire_fields.url(data.get("url")) or "",
            events=wire_fields.texts(data.get("events")),
            description=wire_fields.text(data.get("description")) or "",
            created_at=wire_fields.timestamp(data.get("createdAt")),
            signing_secret_last4=wire_fields.enum_value(data.get("signingSecretLast4"), 4),
            raw=data,
        )


@dataclass(frozen=True)
class WebhookEndpointCreated(RemoteEndpoint):
    """A new endpoint, with its `signing_secret`: no later response contains it, nor does `raw`."""

    signing_secret: str = field(default="", repr=False)

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        endpoint = RemoteEndpoint.from_wire(data)
        secret = wire_fields.text(data.get("signingSecret"))
        if not secret:
            raise MalformedResponse("VideoGen's response lacks the signing secret.", raw=endpoint.raw)
        return cls(**vars(endpoint), signing_secret=secret)


def without_secret(data: Any) -> Any:
    if not isinstance(data, dict):
        return data
    return {name: value for name, value in data.items() if name != "signingSecret"}
