"""Detects the media type of a file from its first bytes. File names are not trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

IMAGE, VIDEO, AUDIO = "IMAGE", "VIDEO", "AUDIO"
# Number of bytes needed to detect the type.
HEAD_BYTES = 4096

ACCEPTED_TYPES = "PNG, JPEG, WebP, GIF and AVIF images, MP4, MOV and WebM videos, and MP3, WAV, M4A, AAC, OGG and FLAC audio"


@dataclass(frozen=True)
class MediaType:
    """`type` is VideoGen's file type, `mime` the media type, `label` the name for people."""

    type: str
    mime: str
    label: str


_PNG = MediaType(IMAGE, "image/png", "PNG")
_JPEG = MediaType(IMAGE, "image/jpeg", "JPEG")
_GIF = MediaType(IMAGE, "image/gif", "GIF")
_WEBP = MediaType(IMAGE, "image/webp", "WebP")
_AVIF = MediaType(IMAGE, "image/avif", "AVIF")
_MP4 = MediaType(VIDEO, "video/mp4", "MP4")
_MOV = MediaType(VIDEO, "video/quicktime", "MOV")
_WEBM = MediaType(VIDEO, "video/webm", "WebM")
_OGV = MediaType(VIDEO, "video/ogg", "OGG")
_MP3 = MediaType(AUDIO, "audio/mpeg", "MP3")
_AAC = MediaType(AUDIO, "audio/aac", "AAC")
_WAV = MediaType(AUDIO, "audio/wav", "WAV")
_M4A = MediaType(AUDIO, "audio/mp4", "M4A")
_OGG = MediaType(AUDIO, "audio/ogg", "OGG")
_FLAC = MediaType(AUDIO, "audio/flac", "FLAC")

_MP4_BRANDS = (b"isom", b"iso", b"mp4", b"avc1", b"dash", b"M4V", b"MSNV", b"f4v", b"3gp", b"3g2", b"XAVC")


def media_type(head: bytes) -> MediaType | None:
    """The detected type; None if it is not a known image, video or audio type."""
    return next((found for detect in _DETECTORS if (found := detect(head)) is not None), None)


SVG, UNKNOWN = "image/svg+xml", "application/octet-stream"
# Types that a server may declare, since they are harmless to store and show.
_HARMLESS = frozenset(
    {"application/pdf", "application/json", "text/plain", "image/bmp", "image/tiff", "image/heic"}
)


def stored_type(head: bytes, declared: str) -> str:
    """The media type to store a file with: detected from its content, or else `declared` if that is harmless."""
    found = media_type(head)
    if found is not None:
        return found.mime
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"<?xml", b"<svg", b"<!--", b"<!DOCTYPE svg")) and b"<svg" in text:
        return SVG
    mime = declared.partition(";")[0].strip().lower()
    return mime if is_harmless(mime) else UNKNOWN


def is_harmless(mime: str) -> bool:
    return mime in _HARMLESS


def is_displayable(mime: str) -> bool:
    """Whether a browser may open it as a page: it contains no active content."""
    return mime in _DISPLAYABLE


def _by_signature(head: bytes) -> MediaType | None:
    for signature, found in (
        (b"\x89PNG\r\n\x1a\n", _PNG),
        (b"\xff\xd8\xff", _JPEG),
        (b"GIF87a", _GIF),
        (b"GIF89a", _GIF),
        (b"fLaC", _FLAC),
        (b"ID3", _MP3),
    ):
        if head.startswith(signature):
            return found
    return None


def _riff(head: bytes) -> MediaType | None:
    if head[:4] in (b"RIFF", b"RF64"):
        return {b"WEBP": _WEBP, b"WAVE": _WAV}.get(head[8:12])
    return None


def _iso(head: bytes) -> MediaType | None:
    """MP4 and related formats, which differ in their brand. Old QuickTime files begin with a different box."""
    box, brand = head[4:8], head[8:12]
    if box in (b"moov", b"mdat", b"wide") or (box == b"ftyp" and brand == b"qt  "):
        return _MOV
    if box != b"ftyp":
        return None
    if brand in (b"M4A ", b"M4B ", b"M4P "):
        return _M4A
    if brand in (b"avif", b"avis"):
        return _AVIF
    return _MP4 if brand.startswith(_MP4_BRANDS) else None


def _ebml(head: bytes) -> MediaType | None:
    """WebM is Matroska with the document type "webm" in its header."""
    return _WEBM if head.startswith(b"\x1aE\xdf\xa3") and b"webm" in head[:80] else None


def _ogg(head: bytes) -> MediaType | None:
    if not head.startswith(b"OggS"):
        return None
    return _OGV if b"\x80theora" in head[:200] else _OGG


def _mpeg_frame(head: bytes) -> MediaType | None:
    """Audio without a file header begins with a frame: eleven set bits, then version and layer."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:
        return _AAC
    version, layer, bitrate, rate = (
        head[1] >> 3 & 3,
        head[1] >> 1 & 3,
        head[2] >> 4,
        head[2] >> 2 & 3,
    )
    return _MP3 if version != 1 and layer == 1 and bitrate not in (0, 15) and rate != 3 else None


_DETECTORS: tuple[Callable[[bytes], MediaType | None], ...] = (
    _by_signature,
    _riff,
    _iso,
    _ebml,
    _ogg,
    _mpeg_frame,
)
_DISPLAYABLE = frozenset(
    each.mime
    for each in (
        _PNG,
        _JPEG,
        _GIF,
        _WEBP,
        _AVIF,
        _MP4,
        _MOV,
        _WEBM,
        _OGV,
        _MP3,
        _AAC,
        _WAV,
        _M4A,
        _OGG,
        _FLAC,
    )
)
