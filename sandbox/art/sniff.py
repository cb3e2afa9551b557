"""Detects the type of uploaded bytes from the bytes themselves, never from the file name."""

from __future__ import annotations

import json
import mimetypes
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import av
from PIL import Image, UnidentifiedImageError

_HEAD_BYTES = 65_536
_MAX_TEXT_BYTES = 8 * 1024 * 1024
_PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"

_IMAGE_FORMATS = {
    "PNG": ("png", "image/png"),
    "JPEG": ("jpg", "image/jpeg"),
    "MPO": ("jpg", "image/jpeg"),
    "WEBP": ("webp", "image/webp"),
    "GIF": ("gif", "image/gif"),
    "AVIF": ("avif", "image/avif"),
    "BMP": ("bmp", "image/bmp"),
    "TIFF": ("tiff", "image/tiff"),
}
_VIDEO_FORMATS = {
    "mov": ("mp4", "video/mp4"),
    "matroska": ("mkv", "video/x-matroska"),
    "avi": ("avi", "video/x-msvideo"),
    "mpegts": ("ts", "video/mp2t"),
    "mpeg": ("mpg", "video/mpeg"),
    "flv": ("flv", "video/x-flv"),
    "ogg": ("ogv", "video/ogg"),
}
_AUDIO_FORMATS = {
    "mov": ("m4a", "audio/mp4"),
    "matroska": ("mka", "audio/x-matroska"),
    "wav": ("wav", "audio/wav"),
    "mp3": ("mp3", "audio/mpeg"),
    "flac": ("flac", "audio/flac"),
    "ogg": ("ogg", "audio/ogg"),
    "aac": ("aac", "audio/aac"),
    "aiff": ("aiff", "audio/aiff"),
}
_WEB_CODECS = {"vp8", "vp9", "av1", "opus", "vorbis"}


@dataclass(frozen=True)
class FileFormat:
    """``type``: the API's name. ``suffix``: without a dot."""

    type: str
    suffix: str
    content_type: str


def detect(path: Path) -> FileFormat | None:
    """The format of a file, None if it is not supported."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(b"%PDF-"):
        return FileFormat("PDF", "pdf", "application/pdf")
    return _picture(path) or _slideshow(path, head) or _text(path, head) or _av_media(path)


def type_of_name(name: str) -> str | None:
    """IMAGE, VIDEO or AUDIO according to the suffix of a file name, else None."""
    guessed, _ = mimetypes.guess_type(name)
    kind = (guessed or "").partition("/")[0].upper()
    return kind if kind in ("IMAGE", "VIDEO", "AUDIO") else None


def _picture(path: Path) -> FileFormat | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                image_format = _IMAGE_FORMATS.get(picture.format or "")
                picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    return None if image_format is None else FileFormat("IMAGE", *image_format)


def _slideshow(path: Path, head: bytes) -> FileFormat | None:
    if not head.startswith(b"PK") or not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            is_slides = "ppt/presentation.xml" in archive.namelist()
    except zipfile.BadZipFile:
        return None
    return FileFormat("SLIDESHOW", "pptx", _PPTX) if is_slides else None


def _text(path: Path, head: bytes) -> FileFormat | None:
    """UTF-8 without control characters, including SVG images and Lottie animations."""
    if not head.strip() or path.stat().st_size > _MAX_TEXT_BYTES:
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return None
    if any(ord(char) < 32 and char not in "\t\n\r\f" for char in text):
        return None
    start = text[:2000].lstrip().lower()
    if start.startswith("<svg") or (start.startswith(("<?xml", "<!--", "<!doctype svg")) and "<svg" in start):
        return FileFormat("IMAGE", "svg", "image/svg+xml")
    if start.startswith("{"):
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            data = None
        if isinstance(data, dict) and {"v", "fr", "layers"} <= set(data):
            return FileFormat("LOTTIE", "json", "application/json")
    if start.startswith("#extm3u"):
        # A playlist refers to other files and contains no media.
        return None
    return FileFormat("TEXT", "txt", "text/plain; charset=utf-8")


def _av_media(path: Path) -> FileFormat | None:
    """Video or audio. Cover art does not turn audio into video."""
    try:
        with av.open(str(path)) as container:
            name = container.format.name
            videos = [each for each in container.streams.video if not _is_cover(each)]
            codecs = {each.codec_context.name for each in container.streams if each.codec_context is not None}
            brand = container.metadata.get("major_brand", "").strip()
            has_sound = bool(container.streams.audio)
            next(iter(container.decode(videos[0] if videos else container.streams.audio[0])), None)
    except (av.FFmpegError, ValueError, IndexError):
        return None
    kind = name.split(",")[0]
    if videos:
        suffix, content_type = _VIDEO_FORMATS.get(kind, ("bin", ""))
        if kind == "mov" and brand == "qt":
            suffix, content_type = "mov", "video/quicktime"
        if kind == "matroska" and codecs <= _WEB_CODECS:
            suffix, content_type = "webm", "video/webm"
        return FileFormat("VIDEO", suffix, content_type) if content_type else None
    if not has_sound:
        return None
    suffix, content_type = _AUDIO_FORMATS.get(kind, ("bin", ""))
    return FileFormat("AUDIO", suffix, content_type) if content_type else None


def _is_cover(stream: object) -> bool:
    disposition = getattr(stream, "disposition", None)
    return disposition is not None and bool(int(disposition) & 0x400)
