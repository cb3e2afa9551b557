"""Sound as files: the WAV to download, the MP3 to listen to at once."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from sandbox.makers.base import Form

type Samples = NDArray[np.int16]
"""Mono: one row; stereo: two rows."""


def save_wav(samples: Samples, rate: int, folder: Path) -> Form:
    channels = 1 if samples.ndim == 1 else samples.shape[0]
    with wave.open(str(folder / "original.wav"), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.ascontiguousarray(samples.T).tobytes())
    return Form("original.wav", "audio/wav")


def save_mp3(samples: Samples, rate: int, folder: Path) -> Form:
    _encode(samples, rate, folder / "preview.mp3", "libmp3lame", rate, None, {})
    return Form("preview.mp3", "audio/mpeg")


def save_stream(samples: Samples, rate: int, folder: Path) -> Form:
    """The sound as HLS, in segments of four seconds."""
    options = {
        "hls_time": "4",
        "hls_playlist_type": "vod",
        "hls_segment_filename": str(folder / "segment_%04d.ts"),
    }
    _encode(samples, rate, folder / "stream.m3u8", "aac", 44_100, "hls", options)
    return Form("stream.m3u8", "application/vnd.apple.mpegurl")


def _encode(
    samples: Samples,
    rate: int,
    path: Path,
    codec: str,
    target: int,
    kind: str | None,
    options: dict[str, str],
) -> None:
    rows = np.atleast_2d(samples)
    layout = "mono" if rows.shape[0] == 1 else "stereo"
    with av.open(str(path), "w", format=kind, options=options) as container:
        # Typed loosely: which kind of stream add_stream returns depends on the codec's name.
        stream: Any = container.add_stream(codec, rate=target)
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
    """How long a sound lasts by its container's word; 0 when it does not say."""
    with av.open(str(path)) as container:
        return float(container.duration or 0) / av.time_base


def read(path: Path, rate: int, channels: int = 1) -> Samples:
    """The sound of any media file as rows of 16-bit samples; raises ValueError when it has none."""
    layout = "mono" if channels == 1 else "stereo"
    parts = []
    with av.open(str(path)) as container:
        if not container.streams.audio:
            raise ValueError("no sound in this file")
        resampler = av.AudioResampler(format="s16p", layout=layout, rate=rate)
        for frame in container.decode(audio=0):
            parts += [each.to_ndarray() for each in resampler.resample(frame)]
        parts += [each.to_ndarray() for each in resampler.resample(None)]
    if not parts:
        raise ValueError("no sound in this file")
    return np.concatenate(parts, axis=1)
