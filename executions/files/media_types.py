"""What a file is, told from its first bytes. A name says nothing: it is what somebody typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

IMAGE, VIDEO, AUDIO = "IMAGE", "VIDEO", "AUDIO"
# Bytes that are enough to tell.
HEAD = 4096

TAKEN = "PNG, JPEG, WebP, GIF and AVIF pictures, MP4, MOV and WebM videos, and MP3, WAV, M4A, AAC, OGG and FLAC sounds"


@dataclass(frozen=True)
class MediaType:
    """`type` is VideoGen's word for it, `mime` the media type, `label` what people call it."""

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
    """None for what is not a picture, a video or a sound that we know."""
    return next((found for tell in _TELLERS if (found := tell(head)) is not None), None)


SVG, UNKNOWN = "image/svg+xml", "application/octet-stream"
# Told by a server, and harmless wherever they are shown or kept.
_PLAIN = frozenset(
    {"application/pdf", "application/json", "text/plain", "image/bmp", "image/tiff", "image/heic"}
)


def kept_type(head: bytes, told: str) -> str:
    """The media type that a file is kept as: by its content, else `told`, where that can do no harm."""
    found = media_type(head)
    if found is not None:
        return found.mime
    words = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if words.startswith((b"<?xml", b"<svg", b"<!--", b"<!DOCTYPE svg")) and b"<svg" in words:
        return SVG
    plain = told.partition(";")[0].strip().lower()
    return plain if is_plain(plain) else UNKNOWN


def is_plain(mime: str) -> bool:
    return mime in _PLAIN


def may_be_shown(mime: str) -> bool:
    """Whether a browser may open it as a page of its own: it holds nothing that runs."""
    return mime in _SHOWN


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
    """The family of MP4: its brand says which member. Old QuickTime files begin with a box of their own."""
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
    """WebM is the Matroska that says so within its header."""
    return _WEBM if head.startswith(b"\x1aE\xdf\xa3") and b"webm" in head[:80] else None


def _ogg(head: bytes) -> MediaType | None:
    if not head.startswith(b"OggS"):
        return None
    return _OGV if b"\x80theora" in head[:200] else _OGG


def _mpeg_frame(head: bytes) -> MediaType | None:
    """Sound without any header begins with a frame: eleven set bits, then version and layer."""
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


_TELLERS: tuple[Callable[[bytes], MediaType | None], ...] = (
    _by_signature,
    _riff,
    _iso,
    _ebml,
    _ogg,
    _mpeg_frame,
)
_SHOWN = frozenset(
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
