"""The input image or video of a tool. Each function raises MakerError if it is missing or unusable."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from sandbox.art import footage, sound
from sandbox.art.film import Track
from sandbox.makers.base import Input, MakerError, Task

MAX_VIDEO_SECONDS = 120.0


def source_image(task: Task, mode: str = "RGB") -> tuple[Input, Image.Image]:
    """The input image, and its pixels in a Pillow mode."""
    source = task.input("imageStorageFileId", "imageFileId")
    if source is None:
        raise MakerError("There is no input image.", "missing_image")
    try:
        return source, footage.open_picture(source.path, mode)
    except ValueError as error:
        raise MakerError(f"The image could not be used: {error}.", "unreadable_input") from error


def source_video(task: Task) -> tuple[Input, tuple[int, int, float, float]]:
    """The input video, and its properties: width, height, frames per second, seconds."""
    source = task.input("videoStorageFileId", "videoFileId")
    if source is None:
        raise MakerError("There is no input video.", "missing_video")
    try:
        properties = footage.video_properties(source.path)
    except ValueError as error:
        raise MakerError(f"The video could not be used: {error}.", "unreadable_input") from error
    if properties[3] > MAX_VIDEO_SECONDS:
        raise MakerError(f"The video is longer than {MAX_VIDEO_SECONDS:g} seconds.", "video_too_long")
    return source, properties


def video_track(path: Path, rate: int = 48_000) -> Track | None:
    """The audio track of a video, None without audio."""
    try:
        return Track(sound.read(path, rate, 2), rate)
    except ValueError:
        return None
