"""Audio files: WAV for download, MP3 as preview, and HLS streams."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from sandbox.makers.base import RenditionFile

type Samples = NDArray[np.int16]
"""Mono: one row; stereo: two rows."""


def save_wav(samples: Samples, rate: int, folder: Path) -> RenditionFile:
    channels = 1 if samples.ndim == 1 else samples.shape[0]
    with wave.open(str(folder / "original.wav"), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.ascontiguousarray(samples.T).tobytes())
    return RenditionFile("original.wav", "audio/wav")


def save_mp3(samples: Samples, rate: int, folder: Path) -> RenditionFile:
    # The fast search of LAME: half the time, and no difference that a preview needs.
    _encode(samples, rate, folder / "preview.mp3", "libmp3lame", rate, {"compression_level": "7"})
    return RenditionFile("preview.mp3", "audio/mpeg")


def save_stream(samples: Samples, rate: int, folder: Path) -> RenditionFile:
    """Write an HLS stream with segments of four seconds."""
    segments = {
        "hls_time": "4",
        "hls_playlist_type": "vod",
        "hls_segment_filename": str(folder / "segment_%04d.ts"),
    }
    _encode(samples, rate, folder / "stream.m3u8", "aac", 44_100, {"aac_coder": "fast"}, segments)
    return RenditionFile("stream.m3u8", "application/vnd.apple.mpegurl")


def _encode(
    samples: Samples,
    rate: int,
    path: Path,
    codec: str,
    target: int,
    codec_options: dict[str, str],
    segments: dict[str, str] | None = None,
) -> None:
    """`target`: the sample rate to write. `segments`: options of an HLS stream, if it is to be one."""
    rows = np.atleast_2d(samples)
    layout = "mono" if rows.shape[0] == 1 else "stereo"
    kind = "hls" if segments else None
    with av.open(str(path), "w", format=kind, options=segments or {}) as container:
        # Any: the type of stream that add_stream returns depends on the codec's name.
        stream: Any = container.add_stream(codec, rate=target, options=codec_options)
        stream.layout = layout
        stream.bit_rate = 64_000 * rows.shape[0]
        step = 16_384
        for start in range(0, rows.shape[1], step):
            part = np.ascontiguousarray(rows[:, start : start + step])
            frame = av.AudioFrame.from_ndarray(part, format="s16p", layout=layout)
            frame.sample_rate = rate
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def seconds_of(path: Path) -> float:
    """The duration in seconds according to the container; 0 if unknown."""
    with av.open(str(path)) as container:
        return float(container.duration or 0) / av.time_base


def read(path: Path, rate: int, channels: int = 1) -> Samples:
    """The audio of a media file as rows of 16-bit samples; raises ValueError if it has none."""
    layout = "mono" if channels == 1 else "stereo"
    parts = []
    with av.open(str(path)) as container:
        if not container.streams.audio:
            raise ValueError("there is no audio in this file")
        resampler = av.AudioResampler(format="s16p", layout=layout, rate=rate)
        for frame in container.decode(audio=0):
            parts += [each.to_ndarray() for each in resampler.resample(frame)]
        parts += [each.to_ndarray() for each in resampler.resample(None)]
    if not parts:
        raise ValueError("there is no audio in this file")
    return np.concatenate(parts, axis=1)
