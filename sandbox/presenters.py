"""The avatar presenters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.errors import not_found
from sandbox.ids import ENTITY, PRESENTER, check_id
from sandbox.voices import Voice


@dataclass(frozen=True)
class Presenter:
    """``suffix``: the id without its prefix. API version 2 has the same person as an ACTOR entity."""

    suffix: str
    name: str
    gender: str
    appearance: dict[str, Any]
    """Arguments of ``sandbox.art.face.Appearance``."""

    @property
    def id(self) -> str:
        return PRESENTER[0] + self.suffix

    @property
    def entity_id(self) -> str:
        return ENTITY[0] + self.suffix


def _presenter(name: str, gender: str, **appearance: Any) -> Presenter:
    return Presenter(name.ljust(22, "0"), name, gender, appearance)


PRESENTERS = (
    _presenter("Noor", "FEMALE", skin=(224, 172, 132), hair_colour=(46, 30, 26), hair="long",
               shirt=(48, 92, 120), back=((92, 112, 130), (44, 56, 72))),
    _presenter("Emil", "MALE", skin=(242, 206, 178), hair_colour=(150, 104, 58), hair="short",
               shirt=(60, 66, 82), back=((176, 160, 140), (104, 92, 84)), beard=True),
    _presenter("Thandi", "FEMALE", skin=(126, 80, 56), hair_colour=(26, 20, 20), hair="curly",
               shirt=(214, 148, 62), back=((70, 104, 98), (30, 52, 54))),
    _presenter("Kenji", "MALE", skin=(236, 198, 160), hair_colour=(24, 24, 30), hair="short",
               shirt=(222, 224, 226), back=((120, 132, 150), (64, 72, 92)), glasses=True),
    _presenter("Astrid", "FEMALE", skin=(248, 216, 192), hair_colour=(226, 186, 110), hair="bob",
               shirt=(140, 60, 84), back=((150, 136, 160), (82, 74, 100))),
    _presenter("Rafael", "MALE", skin=(196, 140, 102), hair_colour=(34, 26, 24), hair="curly",
               shirt=(62, 112, 82), back=((140, 120, 96), (72, 60, 52)), beard=True),
    _presenter("Maren", "FEMALE", skin=(240, 202, 176), hair_colour=(150, 150, 156), hair="bun",
               shirt=(66, 74, 110), back=((118, 134, 128), (60, 74, 72)), glasses=True),
    _presenter("Oluwa", "MALE", skin=(98, 62, 44), hair_colour=(20, 16, 16), hair="bald",
               shirt=(176, 70, 56), back=((90, 96, 124), (42, 46, 66))),
    _presenter("Sam", "NEUTRAL", skin=(232, 190, 156), hair_colour=(120, 60, 44), hair="bob",
               shirt=(90, 150, 150), back=((168, 150, 132), (96, 84, 78))),
)  # fmt: skip

_BY_SUFFIX = {presenter.suffix: presenter for presenter in PRESENTERS}


def sorted_for_voice(voice: Voice) -> list[Presenter]:
    """All presenters, those of the voice's gender first (docs/api-notes.md#presenters)."""
    return sorted(PRESENTERS, key=lambda presenter: presenter.gender != voice.gender)


def find_presenter(presenter_id: str | None, entity_id: str | None) -> Presenter:
    """Find by presenter id or entity id; raise a 400 for a malformed id, a 404 for an unknown one."""
    if presenter_id is not None:
        suffix = check_id(presenter_id, PRESENTER, "avatar presenter").removeprefix(PRESENTER[0])
        resource = "Avatar presenter"
    else:
        suffix = check_id(entity_id or "", ENTITY, "entity").removeprefix(ENTITY[0])
        resource = "Entity"
    presenter = _BY_SUFFIX.get(suffix)
    if presenter is None:
        raise not_found(resource)
    return presenter


def presenter_by_suffix(suffix: str) -> Presenter | None:
    return _BY_SUFFIX.get(suffix)
