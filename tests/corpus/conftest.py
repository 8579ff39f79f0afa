"""Small trees of real WAV files, made by the standard library."""

from __future__ import annotations

import wave

import pytest


@pytest.fixture(scope="session")
def wav():
    """Give a function that writes a WAV file of noise-free samples, its folders too, and returns its path."""

    def write(path, seconds=0.2, rate=16_000):
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            ramp = b"".join(
                (i * 37 % 2000 - 1000).to_bytes(2, "little", signed=True)
                for i in range(round(seconds * rate))
            )
            file.writeframes(ramp)
        return path

    return write
