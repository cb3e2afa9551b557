"""Uploads: the bytes are examined, kept as they are, and given the renditions that fit their type."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import av

from sandbox.art import describe, film, footage, pictures, sniff, sound
from sandbox.art.film import Track
from sandbox.art.sniff import Found
from sandbox.makers.base import CannotMake, Form, Made, Order
from sandbox.records import INCOMING

MOST_SECONDS = 600
"""Longer films and sounds get no preview and no stream: it would take too long."""
_RATE = 44_100


def make(order: Order) -> Made:
    """``request``: displayName, type (as declared, or None), types (those that the era knows)."""
    name, declared = order.request["displayName"], order.request["type"]
    source = order.folder / INCOMING
    found = sniff.sniff(source)
    if found is None or found.type not in order.request["types"]:
        raise CannotMake("The uploaded bytes are not a supported media format.")
    promised = declared or sniff.type_of_name(name)
    if promised is not None and promised != found.type:
        raise CannotMake(f"The uploaded bytes are {found.type}, not {promised}.")
    order.report(0.1)
    kept = order.folder / f"original.{found.suffix}"
    kept.unlink(missing_ok=True)
    os.link(source, kept)
    try:
        return {"IMAGE": _picture, "VIDEO": _film, "AUDIO": _sound}.get(found.type, _other)(
            order, found, kept
        )
    except (ValueError, OSError, av.FFmpegError) as problem:
        raise CannotMake("The uploaded bytes are damaged and cannot be read.") from problem


def _picture(order: Order, found: Found, path: Path) -> Made:
    name = order.request["displayName"]
    subject = describe.subject(name)
    if found.suffix == "svg":
        # Drawings scale by themselves: one form serves all sizes.
        form = Form(path.name, found.content_type)
        return Made("IMAGE", name, form, preview=form, thumbnail=form, description=f"A drawing: {subject}.")
    picture = footage.open_picture(path, "RGBA")
    opaque = picture.getchannel("A").getextrema()[0] == 255
    shown = picture.convert("RGB") if opaque else picture
    return Made(
        type="IMAGE",
        display_name=name,
        download=Form(path.name, found.content_type, *shown.size),
        preview=pictures.save_preview(shown, order.folder),
        thumbnail=pictures.save_thumbnail(shown, order.folder),
        description=f"{describe.picture(shown)}: {subject}.",
    )


def _film(order: Order, found: Found, path: Path) -> Made:
    name = order.request["displayName"]
    width, height, rate, seconds = footage.film_facts(path)
    still = footage.still(path)
    made = Made(
        type="VIDEO",
        display_name=name,
        download=Form(path.name, found.content_type, width, height),
        thumbnail=pictures.save_thumbnail(still, order.folder),
        duration=round(seconds, 3),
        description=f"A film. {describe.picture(still)}: {describe.subject(name)}.",
    )
    if seconds > MOST_SECONDS:
        return made
    fps = max(1, min(60, round(rate)))
    size = film.fitted((max(2, width // 2 * 2), max(2, height // 2 * 2)), film.PREVIEW_SIDE)
    expected = max(1.0, seconds * fps)
    track = _track(path)
    made.preview, shown = film.write_preview(
        footage.frames(path, size, fps, MOST_SECONDS),
        size,
        fps,
        order.folder,
        track,
        report=lambda count: order.report(min(0.95, 0.1 + 0.85 * count / expected)),
    )
    made.duration = made.duration or shown
    made.hls = film.stream(order.folder / made.preview.name, order.folder)
    made.transcript = _words(name) if track is not None else None
    return made


def _track(path: Path) -> Track | None:
    try:
        return Track(sound.read(path, _RATE, 2), _RATE)
    except ValueError:
        return None


def _sound(order: Order, found: Found, path: Path) -> Made:
    name = order.request["displayName"]
    made = Made(
        type="AUDIO",
        display_name=name,
        download=Form(path.name, found.content_type),
        duration=round(sound.seconds_of(path), 3),
        transcript=_words(name),
        description=f"A sound recording: {describe.subject(name)}.",
    )
    if made.duration is not None and made.duration > MOST_SECONDS:
        return made
    samples = sound.read(path, _RATE, 2)
    made.duration = made.duration or round(samples.shape[1] / _RATE, 3)
    order.report(0.5)
    if found.suffix == "mp3":
        shutil.copyfile(path, order.folder / "preview.mp3")
        made.preview = Form("preview.mp3", "audio/mpeg")
    else:
        made.preview = sound.save_mp3(samples, _RATE, order.folder)
    made.hls = sound.save_stream(samples, _RATE, order.folder)
    return made


def _other(order: Order, found: Found, path: Path) -> Made:
    """Documents: nothing but the bytes themselves."""
    name = order.request["displayName"]
    said = f"A document ({found.suffix}): {describe.subject(name)}."
    if found.type == "TEXT":
        said += " " + " ".join(path.read_text(encoding="utf-8-sig").split())[:300]
    return Made(found.type, name, Form(path.name, found.content_type), description=said)


def _words(name: str) -> str:
    """The sandbox cannot recognise speech; analysis shows this sentence instead."""
    return f'This sentence stands for the words that are spoken in "{name}".'
