"""Audio files made to hurt: headers that lie, and files with any bytes changed. Each is a clip or an error that names it."""

from __future__ import annotations

import io
import struct
import tracemalloc

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.audio.load import load, probe
from harness.errors import InputError

MOST_BYTES = 64 * 2**20
"""No file of some kilobytes may take more memory than this, whatever its header says."""


def riff(
    data=b"\1\0" * 16_000, *, rate=16_000, channels=1, bits=16, claim=None, block=None, coding=1
):
    """Return a RIFF WAVE file whose header says what it is told to."""
    said = len(data) if claim is None else claim
    align = channels * bits // 8 if block is None else block
    return (
        b"RIFF" + struct.pack("<I", (36 + said) % 2**32) + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, coding, channels, rate, rate * align % 2**32, align % 2**16, bits)
        + b"data" + struct.pack("<I", said) + data
    )  # fmt: skip


def heard(path) -> str | int:
    """Return how many samples a file gives, or in words why none; nothing else may come of it, and not much memory."""
    tracemalloc.start()
    try:
        probe(path)
        clip = load(path)
        found: str | int = len(clip)
    except InputError as error:
        found = str(error)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < MOST_BYTES
    assert isinstance(found, int) or path.name in found
    return found


LIES = {
    "hours that are not there": (riff(claim=2**31), 16_000),
    "as many bytes as can be said": (riff(claim=2**32 - 1), 16_000),
    "1 Hz": (riff(rate=1), "1 Hz"),
    "10 MHz": (riff(rate=10_000_000), "10000000 Hz"),
    "4 GHz": (riff(rate=2**32 - 1), "header is damaged"),
    "0 Hz": (riff(rate=0), "header is damaged"),
    "65535 channels": (riff(channels=65_535), "header is damaged"),
    "no channels": (riff(channels=0), "header is damaged"),
    "65535 bits": (riff(bits=65_535), "header is damaged"),
    "no bits": (riff(bits=0), "header is damaged"),
    "an odd number of bytes": (riff(b"\1" * 333), 166),
    "an unknown coding": (riff(coding=0xBEEF), "header is damaged"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_header_that_lies_is_read_or_named(tmp_path, name):
    """What is really there is heard, or an error names the file and what is wrong with it."""
    data, expected = LIES[name]
    path = tmp_path / "lie.wav"
    path.write_bytes(data)
    found = heard(path)
    if isinstance(expected, int):
        assert expected == found
    else:
        assert expected in str(found)


FIELD = st.sampled_from([0, 1, 2, 3, 255, 256, 65_535]) | st.integers(0, 65_535)
LONG = st.sampled_from([0, 1, 999, 8_000, 44_100, 2**31 - 1, 2**31, 2**32 - 1]) | st.integers(
    0, 2**32 - 1
)


@settings(max_examples=150)
@given(
    rate=LONG,
    channels=FIELD,
    bits=FIELD,
    block=FIELD,
    coding=FIELD,
    claim=LONG,
    size=st.integers(0, 4000),
)
def test_any_wav_header_is_read_or_named(tmp_path_factory, *, size, **said):
    """Whatever the fields of a WAV header say, a clip comes of it or an error, in little memory."""
    path = tmp_path_factory.mktemp("wav") / "any.wav"
    path.write_bytes(riff(b"\3\1" * (size // 2), **said))
    heard(path)


def written(kind: str, coding: str) -> bytes:
    """Return half a second of noise in a format."""
    noise = np.random.default_rng(1).normal(0, 0.1, 8_000)
    file = io.BytesIO()
    soundfile.write(file, noise, 16_000, format=kind, subtype=coding)
    return file.getvalue()


KINDS = {
    name: written(*name.split("/"))
    for name in (
        "WAV/PCM_24",
        "FLAC/PCM_16",
        "OGG/VORBIS",
        "MP3/MPEG_LAYER_III",
        "AIFF/PCM_16",
        "AU/ULAW",
        "CAF/ALAC_16",
    )
}


@settings(max_examples=120)
@given(
    st.sampled_from(sorted(KINDS)),
    st.lists(st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=8)), max_size=4),
    st.integers(0, 20_000),
)
def test_any_damaged_file_is_read_or_named(tmp_path_factory, kind, changes, cut):
    """Whatever bytes of a file's head are changed and wherever it is cut, a clip comes of it or an error."""
    data = bytearray(KINDS[kind][:cut])
    for at, change in changes:
        data[at : at + len(change)] = change
    path = tmp_path_factory.mktemp("damaged") / "any.wav"
    path.write_bytes(data)
    heard(path)
