"""Files that libsndfile does not know (m4a, webm, 3gp, wma, …), read by FFmpeg through PyAV: the extra `av`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from harness.audio.faults import damaged
from harness.audio.source import BLOCK, PCM16_FULL_SCALE, AudioInfo
from harness.units import Samples, Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.audio.source import FloatBlock

AV_HINT: Final = "pip install 'live-harness[av]', which reads m4a, webm, 3gp, wma and more"

_DEMUXERS: Final = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,avi,caf,dsf,eac3,flac,flv,matroska,webm,mov,mp3,mp4,m4a,"
    "3gp,3g2,mj2,mpc,mpc8,mpeg,mpegts,ogg,tak,tta,w64,wav,wv"
)
"""FFmpeg's demuxers that may look at a file: those of one file of sound. Playlists (hls, concat, sdp) open what they name."""


@contextmanager
def ffmpeg_source(file: BinaryIO) -> Iterator[FfmpegSource | str]:
    """Give the open file as a source, or the reason why FFmpeg has none; ModuleNotFoundError without PyAV.

    FFmpeg gets the open file, never its name, so it can neither guess by the name nor open anything beside the file.
    """
    import av

    try:
        container = av.open(
            file,
            options={"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"},
            metadata_errors="ignore",
        )
    except (av.error.FFmpegError, ValueError) as error:
        yield _reason(error)
        return
    with container:
        if not container.streams.audio:
            yield "there is no sound in it"
        elif (stream := container.streams.audio[0]).codec_context is None:
            yield "its coding is not known"
        elif not stream.channels or not stream.rate:
            yield f"its header says {stream.channels} channels at {stream.rate} Hz"
        else:
            yield FfmpegSource(container)


class FfmpegSource:
    """A file that FFmpeg reads. A span is reached by decoding from the start, which is exact in every format."""

    full_scale = PCM16_FULL_SCALE
    plain_start: Samples | None = None
    slack_s: Seconds = 0.1
    """Containers count in packets and encoders pad: up to 46 ms measured with AAC."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self._stream = stream = container.streams.audio[0]
        self.faults: list[str] = []
        length_s = None
        if stream.duration:
            length_s = float(stream.duration * stream.time_base)
        elif container.duration:
            length_s = container.duration / 1_000_000  # AV_TIME_BASE
        self.info = AudioInfo(
            frames=None if length_s is None else round(length_s * stream.rate),
            rate=stream.rate,
            channels=stream.channels,
            format=f"{container.format.name.partition(',')[0]}/{stream.codec_context.name}",
        )

    def blocks(self, start: Samples, count: Samples | None) -> Iterator[FloatBlock]:
        """Yield `count` frames from `start`, or all from there; fewer where the file ends or is damaged."""
        import numpy as np

        size = max(1, BLOCK // self.info.channels)
        end = None if count is None else start + count
        at = held_frames = 0
        held: list[FloatBlock] = []
        for packet in self._packets():
            piece = packet[max(0, start - at) : None if end is None else max(0, end - at)]
            at += len(packet)
            held.append(piece)
            held_frames += len(piece)
            if held_frames >= size:
                yield np.concatenate(held)
                held.clear()
                held_frames = 0
            if end is not None and at >= end:
                break
        if held_frames:
            yield np.concatenate(held)

    def _packets(self) -> Iterator[FloatBlock]:
        """Yield what each packet decodes to, as float32 of shape (frames, channels)."""
        import av

        floats = av.AudioResampler(format="fltp", layout=self._stream.layout, rate=self.info.rate)
        decoded: Samples = 0
        try:
            for frame in self._container.decode(self._stream):
                for planar in floats.resample(frame):
                    packet: Any = planar.to_ndarray().T
                    decoded += len(packet)
                    yield packet
        except (av.error.FFmpegError, ValueError) as error:
            self.faults.append(damaged(decoded / self.info.rate, _reason(error)))


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
