"""Encrypts secrets before they reach the database, and signs texts against forgery. Several keys allow a rotation."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class DecryptionError(Exception):
    """None of the configured keys decrypts the stored secret."""


def _fernet() -> MultiFernet:
    # A configured key may be any text; Fernet wants 32 bytes.
    digests = (hashlib.sha256(b"rushes vault " + key.encode()).digest() for key in settings.ENCRYPTION_KEYS)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


def encrypt(text: str) -> str:
    return _fernet().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Decrypt a token of `encrypt`. Raises DecryptionError if none of ENCRYPTION_KEYS made it."""
    try:
        return _fernet().decrypt(token.encode()).decode()
    except InvalidToken:
        raise DecryptionError("A stored secret cannot be read: ENCRYPTION_KEYS has changed.") from None


def sign(text: str) -> str:
    """A signature that cannot be made without ENCRYPTION_KEYS (HMAC-SHA-256, in hexadecimal)."""
    return _signature(settings.ENCRYPTION_KEYS[0], text)


def is_signed(text: str, signature: str) -> bool:
    """Whether `signature` was made for this text with one of ENCRYPTION_KEYS."""
    return any(hmac.compare_digest(_signature(key, text), signature) for key in settings.ENCRYPTION_KEYS)


def _signature(key: str, text: str) -> str:
    signing_key = hashlib.sha256(b"rushes signature " + key.encode()).digest()
    return hmac.new(signing_key, text.encode(), "sha256").hexdigest()
