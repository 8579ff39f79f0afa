"""What is shown of pictures and videos, with FFmpeg's own decoder as the second witness."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest

from harness.audio.pictures import MOST_FRAMES, SIDE, stills
from harness.errors import InputError
from tests.audio.moving import video

av = pytest.importorskip("av")


def png(width: int, height: int) -> bytes:
    """Return a black PNG."""

    def part(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = zlib.compress((b"\0" + bytes(width)) * height)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", rows) + part(b"IEND", b"")


def seen(data: bytes) -> np.ndarray:
    """Return the pixels of a JPEG."""
    with av.open(io.BytesIO(data), format="jpeg_pipe") as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


@pytest.mark.parametrize("width, height", [(1, 1), (SIDE, SIDE), (SIDE, 20)])
def test_a_picture_within_bounds_is_sent_as_it_is(tmp_path, width, height, monkeypatch):
    """Neither its bytes nor its type change, and PyAV is not asked for."""
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    path = tmp_path / "a.png"
    path.write_bytes(png(width, height))
    [still] = stills(path)
    assert ("image/png", path.read_bytes()) == (still.mime_type, still.data)


@pytest.mark.parametrize(
    "width, height, expected",
    [(SIDE + 1, 10, (SIDE, 10)), (1536, 1024, (SIDE, 512)), (100, 3072, (24, SIDE))],
)
def test_a_picture_that_is_too_large_is_scaled(tmp_path, width, height, expected):
    """It comes out as a JPEG whose longer side is the bound, its shape kept to an even number of pixels."""
    path = tmp_path / "a.png"
    path.write_bytes(png(width, height))
    [still] = stills(path)
    assert "image/jpeg" == still.mime_type
    pixels = seen(still.data)
    assert expected == (pixels.shape[1], pixels.shape[0])
    (tmp_path / "b.jpg").write_bytes(still.data)
    assert [still] == stills(tmp_path / "b.jpg"), "what has been scaled is sent as it is"


@pytest.mark.parametrize("count, expected", [(1, 1), (10, 1), (11, 2), (35, 4)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_video_is_a_frame_a_second(tmp_path, count, expected, suffix):
    """The frames at 0, 1, 2 … s, in order, as bright as they are there."""
    found = stills(video(tmp_path / f"v{suffix}", count))
    assert expected == len(found)
    assert {"image/jpeg"} == {still.mime_type for still in found}
    for second, still in enumerate(found):
        assert 20 * second == pytest.approx(seen(still.data).mean(), abs=3)


def test_a_large_video_is_scaled(tmp_path):
    """Its frames are within the bound."""
    [still] = stills(video(tmp_path / "v.mp4", 1, width=1024, height=256))
    assert (192, SIDE, 3) == seen(still.data).shape


def test_a_video_that_is_too_long_is_refused(tmp_path):
    """A session would not live to see its end."""
    assert MOST_FRAMES == len(stills(video(tmp_path / "a.mp4", MOST_FRAMES, rate=1)))
    with pytest.raises(InputError, match="longer than 120 s"):
        stills(video(tmp_path / "b.mp4", MOST_FRAMES + 1, rate=1))


@pytest.mark.parametrize(
    "name, data, told",
    [
        ("a.png", b"GIF89a", "neither a JPEG nor a PNG"),
        ("a.mp4", b"no video at all", "cannot be read as pictures"),
        ("a.mp4", b"", "cannot be read"),
        ("a.jpg", b"", "neither a JPEG nor a PNG"),
        ("gone.mp4", None, "cannot be read"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path, name, data, told):
    """The error has the file and what is wrong with it."""
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=told) as error:
        stills(tmp_path / name)
    assert name in str(error.value)


@pytest.mark.parametrize("size", range(0, 40, 3))
def test_a_picture_that_breaks_off_is_left_to_the_service(tmp_path, size):
    """A header cut anywhere is no crash: without a size a picture is sent as it is."""
    path = tmp_path / "a.jpg"
    path.write_bytes(
        b"\xff\xd8\xff" + (b"\xe0\x00\x10" + bytes(14) + b"\xff\xdb\x00\x43" + bytes(65))[:size]
    )
    assert [path.read_bytes()] == [still.data for still in stills(path)]


def test_without_pyav_the_error_says_what_to_install(tmp_path, monkeypatch):
    """A video without PyAV names the extra."""
    path = video(tmp_path / "v.mp4", 1)
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(InputError, match="PyAV") as error:
        stills(path)
    assert "live-harness[av]" in str(error.value)
