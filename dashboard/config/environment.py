"""Reads and validates the environment variables that configure Rushes, with one clear error message per mistake."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

TRUE_WORDS = {"1", "true", "yes", "on"}
FALSE_WORDS = {"0", "false", "no", "off", ""}


class SettingsError(Exception):
    """A setting is missing or invalid; the message is written for the operator."""


class Environment:
    """The process's environment, or another mapping."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self.variables = os.environ if variables is None else variables

    def text(self, name: str, default: str = "") -> str:
        return self.variables.get(name, "").strip() or default

    def flag(self, name: str, default: bool = False) -> bool:
        raw = self.variables.get(name)
        if raw is None:
            return default
        word = raw.strip().lower()
        if word in TRUE_WORDS:
            return True
        if word in FALSE_WORDS:
            return False
        raise SettingsError(f"{name} must be 1 or 0 (true/false, yes/no, on/off work too), not {raw!r}.")

    def number(self, name: str, default: int, *, low: int, high: int) -> int:
        raw = self.text(name)
        if not raw:
            return default
        try:
            value = int(raw)
        except ValueError:
            raise SettingsError(f"{name} must be a whole number, not {raw!r}.") from None
        if not low <= value <= high:
            raise SettingsError(f"{name} must be between {low} and {high}, not {value}.")
        return value

    def factor(self, name: str, default: float, *, low: float, high: float) -> float:
        """A factor: a number that may have a fraction."""
        raw = self.text(name)
        try:
            value = float(raw) if raw else default
        except ValueError:
            raise SettingsError(f"{name} must be a number, not {raw!r}.") from None
        if not low <= value <= high:
            raise SettingsError(f"{name} must be between {low:g} and {high:g}, not {raw}.")
        return value

    def words(self, name: str) -> list[str]:
        """A list separated by commas or white space."""
        return self.text(name).replace(",", " ").split()

    def networks(self, name: str) -> list[IPv4Network | IPv6Network]:
        """A list of addresses and networks, such as 10.0.0.7 or 10.0.0.0/8."""
        try:
            return [ip_network(word) for word in self.words(name)]
        except ValueError as error:
            raise SettingsError(
                f"{name} must be addresses or networks such as 10.0.0.0/8: {error}."
            ) from None

    def url(self, name: str, default: str = "", *, schemes: tuple[str, ...] = ("https", "http")) -> str:
        """An absolute URL without a trailing slash. It may contain a password, so errors never quote it."""
        raw = self.text(name, default)
        if not raw:
            return ""
        try:
            parts = urlsplit(raw)
            complete = parts.scheme in schemes and bool(parts.hostname or parts.path.strip("/"))
            parts.port  # noqa: B018 - raises if the port is not a number
        except ValueError:
            complete = False
        if not complete:
            wanted = " or ".join(f"{scheme}://" for scheme in schemes)
            raise SettingsError(f"{name} must be a complete address that begins with {wanted}.")
        return raw.rstrip("/")


def writable_folder(name: str, path: Path) -> Path:
    """`path`, created if needed and checked to be writable. Raises SettingsError that names the setting."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".probe-{secrets.token_hex(4)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SettingsError(f"{name} {path} cannot be written to: {error.strerror or error}.") from None
    return path


def stored_secret(path: Path) -> str:
    """The random secret stored in `path`; created on first use, readable only by its owner."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    fresh = secrets.token_urlsafe(50)
    try:
        # Two processes may start at the same time: one creates the file, the other reads it.
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(fresh)
    except FileExistsError:
        return path.read_text().strip()
    except OSError as error:
        raise SettingsError(f"The secret in {path} cannot be written: {error.strerror or error}.") from None
    return fresh
