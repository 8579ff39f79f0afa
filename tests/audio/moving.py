"""Tiny videos, written by FFmpeg."""

from __future__ import annotations

import numpy as np


def video(path, count: int, *, rate: int = 10, width: int = 64, height: int = 48):
    """Write a video that brightens by 2 a frame; return its path."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for n in range(count):
            grey = np.full((height, width, 3), n * 2 % 256, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))
    return path
