"""Small generated media files."""

from __future__ import annotations

import io
import struct
import uuid
import wave
import zlib


def png(width: int = 8, height: int = 6, padding: int = 0) -> bytes:
    """An image with a random colour; `padding` bytes are in a chunk that readers skip."""
    colour = uuid.uuid4().bytes[:3]
    rows = b"".join(b"\0" + colour * width for _ in range(height))
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        *([(b"tEXt", b"Comment\0" + b"x" * padding)] if padding else []),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


def wav(seconds: float = 0.5) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\x10" * int(8000 * seconds))
    return buffer.getvalue()
