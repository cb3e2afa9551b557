"""Values read from addresses and forms."""

from __future__ import annotations

import uuid

import pytest

from dashboard.http.params import as_uuid

ID = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")


@pytest.mark.parametrize("text", [str(ID), str(ID).upper(), ID.hex])
def test_an_id_is_read_however_it_is_written(text: str) -> None:
    assert as_uuid(text) == ID


@pytest.mark.parametrize("text", ["", "1", "x" * 36, f"{ID}0", f"{ID}\x00", "' OR 1=1"])
def test_what_is_not_an_id_is_none(text: str) -> None:
    assert as_uuid(text) is None
