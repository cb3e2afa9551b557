"""Uploads: detects the type of the bytes, stores them unchanged and creates renditions."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import av

from sandbox.art import describe, film, footage, pictures, sniff, sound
from sandbox.art.sniff import FileFormat
from sandbox.makers.base import MakerError, Media, RenditionFile, Task
from sandbox.makers.inputs import video_track
from sandbox.records import INCOMING

MAX_SECONDS = 600
"""Longer video and audio gets no preview and no stream, which would take too long."""
_RATE = 44_100


def make(task: Task) -> Media:
    """``request``: displayName, type (declared type or None), types (those of the API version)."""
    name, declared = task.request["displayName"], task.request["type"]
    source = task.folder / INCOMING
    detected = sniff.detect(source)
    if detected is None or detected.type not in task.request["types"]:
        raise MakerError("The uploaded bytes are not a supported media format.")
    expected = declared or sniff.type_of_name(name)
    if expected is not None and expected != detected.type:
        raise MakerError(f"The uploaded bytes are {detected.type}, not {expected}.")
    task.report(0.1)
    original = task.folder / f"original.{detected.suffix}"
    original.unlink(missing_ok=True)
    os.link(source, original)
    try:
        return {"IMAGE": _picture, "VIDEO": _video, "AUDIO": _audio}.get(detected.type, _other)(
            task, detected, original
        )
    except (ValueError, OSError, av.FFmpegError) as error:
        raise MakerError("The uploaded bytes are damaged and cannot be read.") from error


def _picture(task: Task, detected: FileFormat, path: Path) -> Media:
    name = task.request["displayName"]
    subject = describe.subject(name)
    if detected.suffix == "svg":
        # SVG scales: one file serves all renditions.
        form = RenditionFile(path.name, detected.content_type)
        return Media(
            "IMAGE", name, form, preview=form, thumbnail=form, description=f"An SVG image: {subject}."
        )
    picture = footage.open_picture(path, "RGBA")
    opaque = picture.getchannel("A").getextrema()[0] == 255
    image = picture.convert("RGB") if opaque else picture
    return Media(
        type="IMAGE",
        display_name=name,
        download=RenditionFile(path.name, detected.content_type, *image.size),
        preview=pictures.save_preview(image, task.folder),
        thumbnail=pictures.save_thumbnail(image, task.folder),
        description=f"{describe.picture(image)}: {subject}.",
    )


def _video(task: Task, detected: FileFormat, path: Path) -> Media:
    name = task.request["displayName"]
    width, height, rate, seconds = footage.video_properties(path)
    still = footage.still(path)
    media = Media(
        type="VIDEO",
        display_name=name,
        download=RenditionFile(path.name, detected.content_type, width, height),
        thumbnail=pictures.save_thumbnail(still, task.folder),
        duration=round(seconds, 3),
        description=f"A video. {describe.picture(still)}: {describe.subject(name)}.",
    )
    if seconds > MAX_SECONDS:
        return media
    fps = max(1, min(60, round(rate)))
    size = film.fitted((max(2, width // 2 * 2), max(2, height // 2 * 2)), film.PREVIEW_SIDE)
    expected = max(1.0, seconds * fps)
    track = video_track(path, _RATE)
    media.preview, preview_seconds = film.write_preview(
        footage.frames(path, size, fps, MAX_SECONDS),
        size,
        fps,
        task.folder,
        track,
        report=lambda count: task.report(min(0.95, 0.1 + 0.85 * count / expected)),
    )
    media.duration = media.duration or preview_seconds
    media.hls = film.stream(task.folder / media.preview.name, task.folder)
    media.transcript = _placeholder_transcript(name) if track is not None else None
    return media


def _audio(task: Task, detected: FileFormat, path: Path) -> Media:
    name = task.request["displayName"]
    media = Media(
        type="AUDIO",
        display_name=name,
        download=RenditionFile(path.name, detected.content_type),
        duration=round(sound.seconds_of(path), 3),
        transcript=_placeholder_transcript(name),
        description=f"An audio recording: {describe.subject(name)}.",
    )
    if media.duration is not None and media.duration > MAX_SECONDS:
        return media
    samples = sound.read(path, _RATE, 2)
    media.duration = media.duration or round(samples.shape[1] / _RATE, 3)
    task.report(0.5)
    if detected.suffix == "mp3":
        shutil.copyfile(path, task.folder / "preview.mp3")
        media.preview = RenditionFile("preview.mp3", "audio/mpeg")
    else:
        media.preview = sound.save_mp3(samples, _RATE, task.folder)
    media.hls = sound.save_stream(samples, _RATE, task.folder)
    return media


def _other(task: Task, detected: FileFormat, path: Path) -> Media:
    """Documents have no renditions except the download."""
    name = task.request["displayName"]
    description = f"A document ({detected.suffix}): {describe.subject(name)}."
    if detected.type == "TEXT":
        description += " " + " ".join(path.read_text(encoding="utf-8-sig").split())[:300]
    return Media(
        detected.type, name, RenditionFile(path.name, detected.content_type), description=description
    )


def _placeholder_transcript(name: str) -> str:
    """A placeholder: the sandbox cannot recognise speech."""
    return f'This sentence is a placeholder for the speech in "{name}".'
