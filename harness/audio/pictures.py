"""Pictures and video as the Live API takes them: JPEG or PNG within 768 × 768 pixels, at most one a second of video.

What is so already is sent as it is; all else is read, scaled and written by FFmpeg through PyAV: the extra `av`. Knows
files; does not know when a picture is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from harness.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIDE: Final = 768
"""Longest side of a picture, pixels: what the Live API looks at (capabilities guide)."""

FRAME_S: Final = 1.0
"""Between two frames of a video, s: the Live API looks at one a second (capabilities guide)."""

MOST_FRAMES: Final = 120
"""Frames of one video: a session with video lasts two minutes (Live API, session management)."""

VIDEOS: Final = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm")
"""How the names of videos end, in lower case."""

_MAGIC: Final = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
"""How files of a type begin."""

_DEMUXERS: Final = "avi,matroska,webm,mov,mp4,jpeg_pipe,png_pipe"
"""FFmpeg's demuxers that may look at a file; playlists open what they name."""

_QUANTISER: Final = 3
"""Of MJPEG, 2 (best) to 31."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """A picture as it is sent."""

    mime_type: str
    data: bytes


def stills(path: Path) -> list[Still]:
    """Return what is shown of a picture (itself) or a video (a frame a second, in order).

    InputError: it cannot be read, is neither, is too long, or needs PyAV, which is not installed.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
            kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
            if kind is None and path.suffix.lower() not in VIDEOS:
                raise InputError(f"{path}: neither a JPEG nor a PNG, nor a video")
            file.seek(0)
            if kind is not None:
                data = file.read()
                size = _png_size(data) if kind == "image/png" else _jpeg_size(data)
                if size is None or max(size) <= SIDE:
                    return [Still(mime_type=kind, data=data)]
                file.seek(0)
            found = [Still(mime_type="image/jpeg", data=data) for data in _frames(path, file)]
    except OSError as error:
        raise InputError(f"{path}: cannot be read", why=error.strerror) from error
    if not found:
        raise InputError(f"{path}: there is no picture in it")
    return found


def _png_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height as a PNG's header says; None: it has none (PNG specification, IHDR)."""
    if data[12:16] != b"IHDR":
        return None
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height as a JPEG's frame header says; None: it has none (ITU-T T.81, B.2.2)."""
    at = 2
    while data[at : at + 1] == b"\xff" and at + 1 < len(data):
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = data[at + 5 : at + 7], data[at + 7 : at + 9]
            return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _frames(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """Yield the frames of a file, at most one in `FRAME_S`, as JPEG."""
    try:
        import av
    except ModuleNotFoundError as error:
        raise InputError(
            f"{path}: a video, or a picture over {SIDE} × {SIDE} pixels, takes PyAV",
            hint="pip install 'live-harness[av]'",
        ) from error
    try:
        with av.open(
            file,
            mode="r",
            options={"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"},
            metadata_errors="ignore",
        ) as container:
            start: float | None = None
            shown = 0
            for frame in container.decode(video=0) if container.streams.video else ():
                t = frame.time or 0.0
                start = t if start is None else start
                if t - start < shown * FRAME_S - 1e-6:
                    continue
                if shown == MOST_FRAMES:
                    raise InputError(
                        f"{path}: longer than {MOST_FRAMES * FRAME_S:g} s",
                        why="a session with video lasts no longer",
                    )
                yield _jpeg(frame)
                shown = max(shown + 1, int((t - start) / FRAME_S) + 1)
    except (av.error.FFmpegError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as pictures", why=str(error)) from error


def _jpeg(frame: Any) -> bytes:
    """Return a frame within `SIDE` × `SIDE` pixels as JPEG."""
    import av

    scale = min(1.0, SIDE / max(frame.width, frame.height))
    width, height = (
        max(2, round(side * scale) // 2 * 2) for side in (frame.width, frame.height)
    )  # its colours are stored for two pixels together
    scaled = frame.reformat(width=width, height=height, format="yuvj420p")
    scaled.pts = 0
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 1)
    encoder.qmin = encoder.qmax = _QUANTISER
    return b"".join(bytes(packet) for packet in (*encoder.encode(scaled), *encoder.encode(None)))
