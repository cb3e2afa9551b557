"""Detection of media types from the first bytes, and cleaning of file names."""

from __future__ import annotations

import io
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from executions.files import uploads
from executions.files.media_types import media_type
from executions.files.uploads import UploadRejected, clean_name
from tests.executions.files.media import png, wav


def image(kind: str) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (16, 12), "teal").save(made, kind)
    return made.getvalue()


def video(container: str, codec: str) -> bytes:
    import av

    made = io.BytesIO()
    with av.open(made, "w", format=container) as out:
        stream = out.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        out.mux(stream.encode())
    return made.getvalue()


def sound(container: str, codec: str) -> bytes:
    import av
    import numpy

    made = io.BytesIO()
    with av.open(made, "w", format=container) as out:
        stream = out.add_stream(codec, rate=48000)
        samples = numpy.zeros((1, 48000), dtype="int16")
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return made.getvalue()


@pytest.mark.parametrize(
    ("label", "type", "make"),
    [
        ("PNG", "IMAGE", png),
        ("JPEG", "IMAGE", lambda: image("JPEG")),
        ("GIF", "IMAGE", lambda: image("GIF")),
        ("WebP", "IMAGE", lambda: image("WEBP")),
        ("AVIF", "IMAGE", lambda: image("AVIF")),
        ("MP4", "VIDEO", lambda: video("mp4", "libx264")),
        ("MOV", "VIDEO", lambda: video("mov", "libx264")),
        ("WebM", "VIDEO", lambda: video("webm", "libvpx-vp9")),
        ("WAV", "AUDIO", wav),
        ("MP3", "AUDIO", lambda: sound("mp3", "libmp3lame")),
        ("M4A", "AUDIO", lambda: sound("ipod", "aac")),
        ("AAC", "AUDIO", lambda: sound("adts", "aac")),
        ("OGG", "AUDIO", lambda: sound("ogg", "libopus")),
        ("FLAC", "AUDIO", lambda: sound("flac", "flac")),
    ],
)
def test_real_files_of_each_type_are_detected(label: str, type: str, make: Any) -> None:
    found = media_type(make()[: uploads.HEAD_BYTES])
    assert found is not None
    assert (found.label, found.type) == (label, type)


def test_an_mp3_without_a_header_is_detected() -> None:
    whole = sound("mp3", "libmp3lame")
    frame = whole[whole.index(b"\xff\xfb") :]
    assert media_type(frame[: uploads.HEAD_BYTES]) == media_type(whole[: uploads.HEAD_BYTES])


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff",
        b"<!doctype html><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"MZ\x90\x00",
        b"\x7fELF",
        b"RIFF\x00\x00\x00\x00AVI LIST",
        b"\x1aE\xdf\xa3\x01\x00matroska",
        b"\x00\x00\x00\x18ftypheic",
        b"\x89PNG without the rest of its signature",
        b"\xff\xfe<\x00h\x00t\x00m\x00l\x00",
    ],
)
def test_other_types_are_not_detected(head: bytes) -> None:
    assert media_type(head) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_accepted(head: bytes) -> None:
    found = media_type(head)
    assert found is None or found.type in ("IMAGE", "VIDEO", "AUDIO")


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("holiday.png", "holiday.png"),
        ("../../etc/passwd", "passwd"),
        ("..", "Untitled"),
        ("", "Untitled"),
        ("C:\\Users\\ann\\pier.mp4", "pier.mp4"),
        ("/absolute/path/", "path"),
        ("two\nlines\r\n.png", "two lines .png"),
        ("quotes\"and'more.png", "quotes\"and'more.png"),
        ("gepard\u202egnp.exe", "gepard gnp.exe"),
        ("nul\x00byte.png", "nul byte.png"),
        ("cafe\u0301.png", "café.png"),
        ("lone\ud800surrogate.png", "lone?surrogate.png"),
        ("  spaces   around .png ", "spaces around .png"),
        ("🎬 rushes.mov", "🎬 rushes.mov"),
    ],
)
def test_names_are_cleaned(typed: str, cleaned: str) -> None:
    assert clean_name(typed) == cleaned


@given(st.text(max_size=600))
def test_every_cleaned_name_is_safe(typed: str) -> None:
    name = clean_name(typed)
    assert 0 < len(name) <= uploads.MAX_NAME_LENGTH
    assert len(name.encode()) <= uploads.MAX_NAME_BYTES
    assert "/" not in name
    assert "\\" not in name
    assert not name.startswith(".")
    assert all(unicodedata.category(each)[0] != "C" for each in name)
    assert clean_name(name) == name


def test_a_long_name_keeps_its_extension() -> None:
    assert clean_name("é" * 255 + ".png").endswith("é.png")


@pytest.mark.parametrize(
    ("size", "head", "status", "words"),
    [
        (0, b"", 400, "empty"),
        pytest.param(uploads.MAX_BYTES + 1, png(), 413, "larger than 4 GB", id="too large"),
        (100, b"<html>", 415, "does not accept this type of file"),
    ],
)
def test_unusable_files_are_refused(size: int, head: bytes, status: int, words: str) -> None:
    with pytest.raises(UploadRejected, match=words) as refused:
        uploads.check(head, size)
    assert refused.value.status == status
