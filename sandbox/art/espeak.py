"""espeak-ng through ctypes: text in, 16-bit mono samples out. A lock serialises calls: the library has global state."""

from __future__ import annotations

import ctypes
import threading
from functools import cache

import espeakng_loader

RATE = 22_050
"""Sample rate of espeak-ng in Hz."""
NORMAL_SPEED = 165
"""Words per minute at voiceSpeed 1."""

_SYNCHRONOUS = 2
_UTF8 = 1
_SPEED, _PITCH = 1, 3
_BYTE_SAMPLES = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_lock = threading.Lock()


class SpeechError(Exception):
    """espeak-ng does not have the voice, or failed."""


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
    library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int,
        ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, str(espeakng_loader.get_data_path()).encode(), 0)
    if rate != RATE:
        raise SpeechError(f"espeak-ng failed to start (code {rate})")
    return library


def speak(text: str, voice: str, speed: float = 1.0, pitch: int = 50) -> bytes:
    """The samples of the spoken text. ``voice``: a language with an optional variant, such as ``en-us+f3``."""
    chunks: list[bytes] = []

    def collect(samples: ctypes._Pointer[ctypes.c_short], count: int, events: int) -> int:
        if samples and count > 0:
            chunks.append(ctypes.string_at(samples, count * 2))
        return 0

    callback = _BYTE_SAMPLES(collect)
    spoken = text.replace("\0", " ").encode()
    with _lock:
        library = _library()
        library.espeak_SetSynthCallback(callback)
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise SpeechError(f"espeak-ng has no voice {voice}")
        library.espeak_SetParameter(_SPEED, round(NORMAL_SPEED * speed), 0)
        library.espeak_SetParameter(_PITCH, pitch, 0)
        code = library.espeak_Synth(spoken, len(spoken) + 1, 0, 0, 0, _UTF8, None, None)
    if code != 0:
        raise SpeechError(f"espeak-ng failed (code {code})")
    return b"".join(chunks)
