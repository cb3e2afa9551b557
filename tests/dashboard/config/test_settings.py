"""An invalid setting ends the start with one sentence that names it and a non-zero exit code, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.config.environment import Environment, SettingsError, stored_secret, writable_folder
from tests.dashboard.serving import manage

pytestmark = pytest.mark.processes

PRODUCTION = {
    "DATABASE_URL": "postgres://rushes:a-database-password@127.0.0.1:1/rushes",
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz-and-more",
    "ALLOWED_HOSTS": "rushes.example.org",
    "PUBLIC_URL": "https://rushes.example.org",
    "VIDEOGEN_API_KEY": "a-real-key",
}


def refusal(data_dir: Path, **variables: str) -> str:
    """The error message of `manage.py check`."""
    code, said = manage(data_dir, "check", **variables)
    assert code == 1, said
    assert "Traceback" not in said
    assert said.startswith("Rushes cannot start: "), said
    assert said.count("\n") == 1, said
    return said.removeprefix("Rushes cannot start: ").strip()


INVALID = {
    "PORT is not a number": ({"PORT": "http"}, "PORT must be a whole number, not 'http'."),
    "PORT is out of range": ({"PORT": "65536"}, "PORT must be between 0 and 65535, not 65536."),
    "DEBUG is not a boolean": (
        {"DEBUG": "perhaps"},
        "DEBUG must be 1 or 0 (true/false, yes/no, on/off work too), not 'perhaps'.",
    ),
    "LOG_LEVEL is unknown": ({"LOG_LEVEL": "loud"}, "LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR."),
    "PUBLIC_URL has no scheme": (
        {"PUBLIC_URL": "rushes.example.org"},
        "PUBLIC_URL must be a complete address that begins with https:// or http://.",
    ),
    "PUBLIC_URL has no port": (
        {"PUBLIC_URL": "https://rushes.example.org:port"},
        "PUBLIC_URL must be a complete address that begins with https:// or http://.",
    ),
    "DATABASE_URL is of another kind": (
        {"DATABASE_URL": "mysql://rushes:a-database-password@db/rushes"},
        "DATABASE_URL must be a complete address that begins with postgres:// or postgresql:// or sqlite://.",
    ),
    "REDIS_URL is of another kind": (
        {"REDIS_URL": "http://127.0.0.1:6379"},
        "REDIS_URL must be a complete address that begins with redis:// or rediss://.",
    ),
    "SECRET_KEY is short": (
        {"SECRET_KEY": "hunter2"},
        "SECRET_KEY is too short to be safe: use at least 32 random characters.",
    ),
    "an unknown API version": (
        {"VIDEOGEN_API_ERA": "3"},
        "VIDEOGEN_API_ERA must be one of 0.0, 1.1, 2, not '3'.",
    ),
    "VIDEOGEN_BASE_URL without a key": (
        {"VIDEOGEN_BASE_URL": "https://api.videogen.io"},
        "VIDEOGEN_BASE_URL is set, but VIDEOGEN_API_KEY is not: set both, or neither.",
    ),
    "a key of two words": (
        {"VIDEOGEN_API_KEY": "two words"},
        "VIDEOGEN_API_KEY must be one word of plain characters, as VideoGen shows it.",
    ),
    "a key with a letter that a header cannot contain": (
        {"VIDEOGEN_API_KEY": "schlüssel"},
        "VIDEOGEN_API_KEY must be one word of plain characters, as VideoGen shows it.",
    ),
    "an invalid webhook secret": (
        {"VIDEOGEN_WEBHOOK_SECRET": "whsec_good another"},
        "VIDEOGEN_WEBHOOK_SECRET must begin with whsec_, as VideoGen shows it.",
    ),
    "SANDBOX_SPEED is not a number": (
        {"SANDBOX_SPEED": "fast"},
        "SANDBOX_SPEED must be a number, not 'fast'.",
    ),
    "SANDBOX_SPEED is zero": (
        {"SANDBOX_SPEED": "0"},
        "SANDBOX_SPEED must be between 0.01 and 1000, not 0.",
    ),
}


@pytest.mark.parametrize("case", INVALID)
def test_an_invalid_value_is_reported_in_one_sentence(case: str, tmp_path: Path) -> None:
    variables, sentence = INVALID[case]
    assert refusal(tmp_path, **variables) == sentence


@pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS", "PUBLIC_URL", "VIDEOGEN_API_KEY"])
def test_production_reports_a_missing_setting(name: str, tmp_path: Path) -> None:
    given = {**PRODUCTION, name: " "}
    said = refusal(tmp_path, **given)
    assert said == f"{name} must be set where DATABASE_URL names a PostgreSQL server."


def test_production_refuses_debug(tmp_path: Path) -> None:
    said = refusal(tmp_path, **PRODUCTION, DEBUG="1")
    assert said == "DEBUG must be off where DATABASE_URL names a PostgreSQL server."


def test_production_starts_with_all_required_settings(tmp_path: Path) -> None:
    code, said = manage(tmp_path, "check", **PRODUCTION)
    assert (code, said) == (0, "System check identified no issues (0 silenced).\n")
    assert not (tmp_path / "secret.key").exists()


def test_an_unwritable_data_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refusal(tmp_path / "file" / "data")
    assert said == f"DATA_DIR {tmp_path}/file/data cannot be written to: Not a directory."


def test_a_database_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refusal(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/file/rushes.sqlite3")
    assert said.startswith(f"DATABASE_URL {tmp_path}/file cannot be written to: ")


def test_an_error_reveals_no_password(tmp_path: Path) -> None:
    said = refusal(tmp_path, **{**PRODUCTION, "DATABASE_URL": "mysql://rushes:a-database-password@db/rushes"})
    assert "a-database-password" not in said


def test_serve_reports_an_invalid_setting_too(tmp_path: Path) -> None:
    code, said = manage(tmp_path, "serve", PORT="http")
    assert (code, said) == (1, "Rushes cannot start: PORT must be a whole number, not 'http'.\n")


# --- parsing ----------------------------------------------------------------------------------------------


def test_a_flag_accepts_the_usual_words() -> None:
    words = {
        "1": True,
        " TRUE ": True,
        "yes": True,
        "on": True,
        "0": False,
        "No": False,
        "off": False,
        "": False,
    }
    assert {word: Environment({"X": word}).flag("X") for word in words} == words
    assert Environment({}).flag("X", default=True) is True


def test_a_list_is_separated_by_commas_or_spaces() -> None:
    assert Environment({"X": "a, b\tc,,d"}).words("X") == ["a", "b", "c", "d"]
    assert Environment({}).words("X") == []


def test_a_url_loses_its_trailing_slash() -> None:
    assert Environment({"X": "https://rushes.example.org/"}).url("X") == "https://rushes.example.org"
    assert Environment({}).url("X", "https://api.videogen.io") == "https://api.videogen.io"


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1001", "1e400"])
def test_a_factor_stays_within_its_bounds(value: str) -> None:
    with pytest.raises(SettingsError, match=r"^X must be between 0\.5 and 1000, not "):
        Environment({"X": value}).factor("X", 1.0, low=0.5, high=1000)


def test_a_factor_may_have_a_fraction() -> None:
    assert Environment({"X": "0.5"}).factor("X", 1.0, low=0.5, high=1000) == 0.5
    assert Environment({"X": " "}).factor("X", 1.0, low=0.5, high=1000) == 1.0


def test_a_secret_is_created_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    made = stored_secret(tmp_path / "secret.key")
    assert len(made) >= 32
    assert stored_secret(tmp_path / "secret.key") == made
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_a_secret_that_cannot_be_stored_raises(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be written"):
        stored_secret(tmp_path / "no" / "folder" / "secret.key")


def test_checking_a_folder_leaves_no_file(tmp_path: Path) -> None:
    assert writable_folder("DATA_DIR", tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert list((tmp_path / "a" / "b").iterdir()) == []
