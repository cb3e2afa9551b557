"""Encrypts what is secret before it reaches the database, and signs what must not be made up (several keys at once for a rotation)."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class Unreadable(Exception):
    """What was encrypted cannot be read with any of the configured keys."""


def _fernet() -> MultiFernet:
    # A configured key may be any text; Fernet wants 32 bytes.
    digests = (hashlib.sha256(b"rushes vault " + key.encode()).digest() for key in settings.ENCRYPTION_KEYS)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


def encrypt(text: str) -> str:
    return _fernet().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Raises Unreadable when none of ENCRYPTION_KEYS made the token."""
    try:
        return _fernet().decrypt(token.encode()).decode()
    except InvalidToken:
        raise Unreadable("A stored secret cannot be read: ENCRYPTION_KEYS has changed.") from None


def sign(text: str) -> str:
    """A signature that only whoever has ENCRYPTION_KEYS can make."""
    return _signature(settings.ENCRYPTION_KEYS[0], text)


def is_signed(text: str, signature: str) -> bool:
    """Whether one of ENCRYPTION_KEYS made the signature of this text."""
    return any(hmac.compare_digest(_signature(key, text), signature) for key in settings.ENCRYPTION_KEYS)


def _signature(key: str, text: str) -> str:
    own = hashlib.sha256(b"rushes signature " + key.encode()).digest()
    return hmac.new(own, text.encode(), "sha256").hexdigest()
