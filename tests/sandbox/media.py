"""Generates media for uploads, and performs the two steps of an upload."""

from __future__ import annotations

import io
import wave
from typing import Any

import av
import httpx
import numpy as np
from PIL import Image

from tests.sandbox.process import SandboxServer

UPLOAD = "/v1/files/upload"


def png(width: int = 640, height: int = 360, colour: str = "navy") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


def wav(seconds: float = 1.0) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        moments = np.arange(int(16_000 * seconds)) / 16_000
        sound.writeframes((np.sin(moments * 2764) * 9000).astype("<i2").tobytes())
    return file.getvalue()


def film(seconds: int = 3, size: tuple[int, int] = (320, 180), kind: str = "mp4") -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        stream = container.add_stream("libx264" if kind == "mp4" else "libvpx", rate=12)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(seconds * 12):
            shade = np.full((size[1], size[0], 3), number * 5 % 255, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def reserve(sandbox: SandboxServer, name: str = "beach at dawn.png", **more: Any) -> tuple[str, str]:
    response = sandbox.client.post(UPLOAD, json={"displayName": name, **more})
    assert response.status_code == 200, response.text
    return response.json()["fileId"], response.json()["uploadUrl"]


def upload(sandbox: SandboxServer, content: bytes, name: str = "beach at dawn.png", **more: Any) -> str:
    file_id, url = reserve(sandbox, name, **more)
    response = httpx.put(url, content=content)
    assert response.status_code == 200, response.text
    return file_id


def hydrate(sandbox: SandboxServer, file_id: str) -> dict[str, Any]:
    return sandbox.client.post(f"/v1/files/{file_id}/hydrate").json()
