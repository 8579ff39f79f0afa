"""libsndfile's files (wav, flac, mp3, ogg, aiff, au, caf, …), read through soundfile."""

from __future__ import annotations

import re
import struct
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from harness.audio.faults import damaged, short
from harness.audio.source import BLOCK, PCM16_FULL_SCALE, AudioInfo
from harness.units import SAMPLE_BYTES, SAMPLE_RATE, Samples, Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.audio.source import FloatBlock

_UNKNOWN_LENGTH: Final = 2**62
"""libsndfile gives 2^63 - 1 frames where the header leaves the length open (a FLAC made in a pipe)."""

_FULL_SCALE: Final = {
    "PCM_S8": 127 / 128,
    "PCM_U8": 127 / 128,
    "ULAW": 32124 / 32768,
    "ALAW": 32256 / 32768,
}
"""Largest value a coding can hold, where it is below that of 16-bit PCM (for the laws: ITU-T G.711)."""

_SHORT_DATA: Final = re.compile(
    r"(?:data|SSND|BODY|Data Size|Riff size|riff)\s*:\s*(\d+) \(should be (\d+)\)"
)
"""libsndfile's parsing log where the header promises another length than the file has; both in bytes."""

_LEFT_OPEN: Final = (range(0x7FFF_F000, 0x8000_0001), range(0xFFFF_F000, 0x1_0000_0000))
"""Lengths in bytes that mean “unknown”: a pipe or a recorder that cannot go back to write the true length writes the
most that 31 or 32 bits hold, with or without the header (FFmpeg 0xffffffff, SoX 0x7ffff000, arecord 0x80000000)."""


@cache
def sound_file_class() -> Any:
    """Return soundfile's class without its habit of seeking, after every read, to where it already is.

    That seek makes MP3 depend on the block size, costs FLAC a frame each time, and fails on streams of open length.
    """
    import soundfile

    class UnseekedSoundFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
        def seekable(self) -> bool:
            return False

    return UnseekedSoundFile


class SndfileSource:
    """A file that libsndfile reads; `sound` is open on `file`."""

    slack_s: Seconds = 0.0

    def __init__(self, file: BinaryIO, sound: Any) -> None:
        self._sound = sound
        self.faults: list[str] = []
        self.info = AudioInfo(
            frames=sound.frames if sound.frames < _UNKNOWN_LENGTH else None,
            rate=sound.samplerate,
            channels=sound.channels,
            format=f"{sound.format}/{sound.subtype}",
        )
        self.full_scale = _FULL_SCALE.get(sound.subtype, PCM16_FULL_SCALE)
        self.plain_start = None
        if (sound.subtype, sound.samplerate, sound.channels) == ("PCM_16", SAMPLE_RATE, 1):
            self.plain_start = _riff_samples_start(file)
        for promised, there in _SHORT_DATA.findall(sound.extra_info):
            if int(promised) > int(there) > 0:
                here_s = sound.frames / sound.samplerate
                if any(int(promised) in lengths for lengths in _LEFT_OPEN):
                    self.faults.append(
                        f"unusual: the header leaves the length open, and {here_s:.2f} s are there"
                    )
                else:
                    self.faults.append(short(here_s, here_s * int(promised) / int(there)))
                break

    def blocks(self, start: Samples, count: Samples | None) -> Iterator[FloatBlock]:
        """Yield `count` frames from `start`, or all from there; fewer where the file ends or is damaged.

        A block is overwritten by the next.
        """
        import numpy as np
        import soundfile

        left = _UNKNOWN_LENGTH if count is None else count
        frames = min(BLOCK // self.info.channels, left, self._sound.frames)
        buffer = np.empty((max(1, frames), self.info.channels), dtype=np.float32)
        bits = buffer.view(np.uint8)
        at = start
        try:
            if start:
                self._sound.seek(start)
        except soundfile.LibsndfileError as error:
            self.faults.append(damaged(start / self.info.rate, _reason(error)))
            return
        while left:
            block = buffer[:left]
            # NaN marks what was not decoded: when decoding breaks off, soundfile raises and keeps the count to itself. All bits
            # set are a NaN, and bytes are filled twice as fast as floats.
            bits.fill(0xFF)
            try:
                got = self._sound.buffer_read_into(block, dtype="float32")
            except soundfile.LibsndfileError as error:
                left = got = len(block) - int(np.isnan(block[:, -1]).sum())
                self.faults.append(damaged((at + got) / self.info.rate, _reason(error)))
            if not got:
                return
            yield block[:got]
            at += got
            left -= got


def _reason(error: Any) -> str:
    return str(error.error_string).removeprefix("Error : ").rstrip(".")


def _riff_samples_start(file: BinaryIO) -> Samples | None:
    """Return where a little-endian RIFF or RF64 WAVE file's 16-bit samples begin, in samples; None: not in such a file.

    The position in the file, which libsndfile shares, stays as it is.
    """
    position = file.tell()
    try:
        file.seek(0)
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
            return None
        while len(chunk := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", chunk)
            if name == b"data":
                return file.tell() // SAMPLE_BYTES
            # Chunks are padded to an even length, so samples never lie at an odd byte.
            file.seek(size + size % 2, 1)
        return None
    finally:
        file.seek(position)
