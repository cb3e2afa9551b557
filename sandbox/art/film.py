"""Video files: MP4 with H.264 and AAC, WebM with transparency, and HLS streams."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sandbox.art import pictures
from sandbox.art.sound import Samples
from sandbox.makers.base import RenditionFile

type Frame = NDArray[np.uint8]
"""Rows of RGB, or of RGBA where there is transparency."""

PREVIEW_SIDE = 1280
SEGMENT_SECONDS = 2
_H264 = {"preset": "veryfast", "crf": "22", "sc_threshold": "0"}
_VP9 = {"deadline": "realtime", "cpu-used": "8", "crf": "32", "b": "0", "auto-alt-ref": "0", "row-mt": "1"}


@dataclass(frozen=True)
class Track:
    """The audio track of a video: one or two rows of samples."""

    samples: Samples
    rate: int


@dataclass(frozen=True)
class Film:
    """The renditions of a finished video."""

    download: RenditionFile
    preview: RenditionFile
    thumbnail: RenditionFile
    hls: RenditionFile | None
    duration: float


class _Writer:
    """Writes one video file."""

    def __init__(self, path: Path, size: tuple[int, int], fps: int, track: Track | None, alpha: bool) -> None:
        self.size = size
        self._fps = fps
        self._alpha = alpha
        options = {} if alpha else {"movflags": "+faststart"}
        self._container = av.open(str(path), "w", options=options)
        keyframes = {"g": str(fps * SEGMENT_SECONDS)}
        codec, settings = ("libvpx-vp9", _VP9) if alpha else ("libx264", _H264)
        # Any: the type of stream that add_stream returns depends on the codec's name.
        video: Any = self._container.add_stream(codec, rate=fps, options={**settings, **keyframes})
        video.width, video.height = size
        video.pix_fmt = "yuva420p" if alpha else "yuv420p"
        self._video = video
        self._track = track
        self._audio: Any = None
        self._audio_position = self._count = 0
        if track is not None:
            self._audio = self._container.add_stream("libopus" if alpha else "aac", rate=48_000)
            self._audio.layout = "stereo"
            self._audio.bit_rate = 128_000

    def add(self, picture: Frame) -> None:
        frame = av.VideoFrame.from_ndarray(picture, format="rgba" if self._alpha else "rgb24")
        if (frame.width, frame.height) != self.size:
            frame = frame.reformat(*self.size)
        frame.pts = self._count
        self._container.mux(self._video.encode(frame))
        self._count += 1
        self._write_audio(self._count / self._fps)

    def close(self) -> None:
        self._container.mux(self._video.encode(None))
        if self._track is not None:
            self._container.mux(self._audio.encode(None))
        self._container.close()

    def _write_audio(self, until: float) -> None:
        """Write the audio up to a time in seconds, to interleave audio and video."""
        if self._track is None:
            return
        end = min(self._track.samples.shape[-1], int(until * self._track.rate))
        part = np.atleast_2d(self._track.samples)[:, self._audio_position : end]
        if part.shape[1] == 0:
            return
        layout = "mono" if part.shape[0] == 1 else "stereo"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="s16p", layout=layout)
        frame.sample_rate = self._track.rate
        frame.pts = self._audio_position
        self._container.mux(self._audio.encode(frame))
        self._audio_position = end


def write(
    frames: Iterable[Frame],
    size: tuple[int, int],
    fps: int,
    folder: Path,
    track: Track | None = None,
    *,
    alpha: bool = False,
    report: Callable[[int], None] = lambda count: None,
) -> Film:
    """Encode the frames and create all renditions. ``report`` is called with the number of frames written."""
    name = "original.webm" if alpha else "original.mp4"
    kind = "video/webm" if alpha else "video/mp4"
    writers = [_Writer(folder / name, size, fps, track, alpha)]
    small = fitted(size, PREVIEW_SIDE)
    preview_name = name.replace("original", "preview")
    if small != size:
        writers.append(_Writer(folder / preview_name, small, fps, track, alpha))
    still: Frame | None = None
    count = 0
    try:
        for picture in frames:
            for writer in writers:
                writer.add(picture)
            if still is None or count == fps:
                still = np.array(picture)
            count += 1
            report(count)
    finally:
        for writer in writers:
            writer.close()
    if still is None:
        raise ValueError("a video needs at least one frame")
    if small == size:
        shutil.copyfile(folder / name, folder / preview_name)
    return Film(
        download=RenditionFile(name, kind, *size),
        preview=RenditionFile(preview_name, kind, *small),
        thumbnail=pictures.save_thumbnail(Image.fromarray(still), folder),
        hls=None if alpha else stream(folder / name, folder),
        duration=round(count / fps, 3),
    )


def write_preview(
    frames: Iterable[Frame],
    size: tuple[int, int],
    fps: int,
    folder: Path,
    track: Track | None,
    report: Callable[[int], None] = lambda count: None,
) -> tuple[RenditionFile, float]:
    """Write the preview MP4; returns it and its duration in seconds. Raises ValueError without frames."""
    writer = _Writer(folder / "preview.mp4", size, fps, track, alpha=False)
    count = 0
    try:
        for picture in frames:
            writer.add(picture)
            count += 1
            report(count)
    finally:
        writer.close()
    if not count:
        raise ValueError("a video needs at least one frame")
    return RenditionFile("preview.mp4", "video/mp4", *size), round(count / fps, 3)


def stream(source: Path, folder: Path) -> RenditionFile:
    """Create the HLS stream of a file with suitable codecs, without re-encoding."""
    options = {
        "hls_time": str(SEGMENT_SECONDS),
        "hls_playlist_type": "vod",
        "hls_segment_filename": str(folder / "segment_%04d.ts"),
    }
    with (
        av.open(str(source)) as source_container,
        av.open(str(folder / "stream.m3u8"), "w", format="hls", options=options) as target,
    ):
        streams = {each.index: target.add_stream_from_template(each) for each in source_container.streams}
        for packet in source_container.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                target.mux(packet)
    return RenditionFile("stream.m3u8", "application/vnd.apple.mpegurl")


def fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    """The size, scaled down to even numbers if it exceeds ``side``."""
    longest = max(size)
    if longest <= side:
        return size
    width, height = (max(2, round(value * side / longest) // 2 * 2) for value in size)
    return width, height
