"""What can be streamed though something is wrong with it is streamed, and its faults are named."""

from __future__ import annotations

import re
import struct

import numpy as np
import pytest

from harness.audio.faults import SignalFaults
from harness.audio.load import load, probe


def faults(path, **span):
    """Return the names of a file's faults."""
    return [fault.partition(":")[0] for fault in load(path, **span).faults]


def number(fault):
    """Return the first number that a fault names."""
    return float(re.search(r"[-+]?\d+(\.\d+)?", fault)[0])


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("coding", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "ULAW", "ALAW"])
def test_good_speech_has_no_faults(written, speech, rate, coding):
    """A good recording has no faults in any coding."""
    assert () == load(written(speech(rate, 1.0), rate, coding=coding)).faults


@pytest.mark.parametrize("rate, channels", [(16_000, 1), (16_000, 2), (48_000, 1)])
@pytest.mark.parametrize("coding", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "ULAW", "ALAW"])
def test_clipping_is_named(written, rate, channels, coding):
    """A signal cut off at full scale is clipping in every coding, with the share of its samples."""
    sine = 2 * np.sin(2 * np.pi * 100 * (np.arange(rate) + 0.5) / rate)
    clipped = np.repeat(np.clip(sine, -1, 1)[:, None], channels, axis=1)
    (fault,) = load(written(clipped, rate, coding=coding)).faults
    # A sine of twice full scale is beyond it for two thirds of the time: where |sin| > 1/2.
    # The coarse steps of the 8-bit laws call a little more of it full scale.
    assert fault.startswith("clipping: ")
    assert 65 < number(fault) < 70


def test_float_beyond_full_scale_is_clipping(written, speech):
    """A float file may go beyond ±1; 16 bits cannot, so that is clipping and saturates."""
    path = written(4 * speech(16_000, 1.0), 16_000, coding="FLOAT")
    assert ["clipping"] == faults(path)
    assert load(path).read(0, 16_000).count(b"\xff\x7f") > 100


def test_one_peak_is_not_clipping(written, speech):
    """A recording normalised to full scale reaches it once, which is no fault."""
    sound = speech(16_000, 1.0)
    assert [] == faults(written(sound / np.abs(sound).max(), 16_000, coding="FLOAT"))


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("peak_dbfs, silent", [(-58, False), (-62, True), (-75, True)])
def test_silence_is_named(written, speech, rate, peak_dbfs, silent):
    """A clip that stays below -60 dBFS is silence, and says how loud it is."""
    sound = speech(rate, 1.0)
    path = written(sound / np.abs(sound).max() * 10 ** (peak_dbfs / 20), rate)
    found = load(path).faults
    assert silent == bool(found)
    if silent:
        assert abs(number(found[0]) - peak_dbfs) <= 1


def test_digital_silence_is_named(written):
    """Zeros are silence, and stay zeros whatever the rate."""
    clip = load(written(np.zeros(44_100), 44_100))
    assert ("silence: every sample is zero",) == clip.faults
    assert clip.read(0, len(clip)) == bytes(2 * 16_000)


def test_inaudible_ultrasound_is_silence(written):
    """What lies above 8 kHz is not streamed, so a clip of nothing else is silence."""
    tone = 0.5 * np.sin(2 * np.pi * 15_000 * np.arange(96_000) / 96_000)
    # Switched on softly: a hard edge would be heard.
    assert ["silence"] == faults(written(tone * np.hanning(96_000), 96_000))


@pytest.mark.parametrize("rate", [16_000, 22_050])
@pytest.mark.parametrize("offset", [0.05, -0.05])
def test_dc_is_named(written, speech, rate, offset):
    """A mean away from zero is a DC offset, with its sign."""
    (fault,) = load(written(speech(rate, 2.0) + offset, rate)).faults
    assert fault.startswith("DC offset: the mean is ")
    assert abs(number(fault) / 100 - offset) < 0.005


@pytest.mark.parametrize("level", [-32768, 32767])
def test_a_mean_is_exact_however_long_the_block(level):
    """Blocks of any length at either end of the scale have their mean, which no sum overflows on the way to."""
    signal = SignalFaults(1.0)
    signal.recorded(np.zeros(16_000))
    signal.streamed(np.full(200_000, level, dtype="<i2"), abs(level))
    assert [f"DC offset: the mean is {'-' if level < 0 else '+'}100.0% of full scale"] == list(
        signal.found()
    )


@pytest.mark.parametrize(
    "name, kind, wrong",
    [
        ("a.mp3", "FLAC", True),
        ("a.wav", "FLAC", True),
        ("a.flac", "WAV", True),
        ("a.m4a", "WAV", True),
        ("a.ogg", "MP3", True),
        ("a.WAV", "WAV", False),
        ("a.wav", "RF64", False),
        ("a.wav", "NIST", False),
        ("a.aif", "AIFF", False),
        ("a.opus", "OGG", False),
        ("a", "FLAC", False),
        ("a.sound", "FLAC", False),
    ],
)
def test_wrong_extension_is_named(written, speech, name, kind, wrong):
    """The content decides what a file is; a name that promises something else is a fault."""
    path = written(speech(16_000, 1.0), 16_000, name=name, kind=kind)
    found = load(path).faults
    assert wrong == bool(found)
    if wrong:
        assert found[0].startswith(f"wrong extension: named {path.suffix}, the content is {kind}/")


@pytest.mark.parametrize(
    "kind", ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "SVX", "FLAC", "MP3"]
)
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_file_cut_in_half_is_read_to_its_end(written, speech, rate, kind):
    """Half a file gives half its sound, and a fault that says so."""
    path = written(speech(rate, 3.0), rate, name=f"clip.{kind}", kind=kind)
    whole = load(path)
    assert () == whole.faults
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    half = load(path)
    assert abs(half.duration - 1.5) < 0.25
    (fault,) = half.faults
    assert fault.startswith(("short: the header says 3.0", "damaged: decoding stopped at 1."))
    # What is there is the whole's beginning; the resampler sees the cut a little ahead.
    same = (len(half) - 400) * 2
    assert whole.read(0, len(whole))[:same] == half.read(0, len(half))[:same]


@pytest.mark.parametrize("rate", [16_000, 48_000])
@pytest.mark.parametrize(
    "size, fault",
    [
        *(
            (size, "unusual: the header leaves the length open, and 1.00 s are there")
            for size in (
                0xFFFFFFFF,
                0xFFFFFFFE,
                0xFFFFFFDB,
                0x7FFFF000,
                0x7FFFFFDB,
                0x7FFFFFFE,
                0x80000000,
            )
        ),
        *((size, "short: the header says ") for size in (0x7FFFEFFE, 0x80000002, 0xFFFFEFFE)),
    ],
)
def test_header_that_promises_gigabytes(written, speech, rate, size, fault):
    """A WAV written through a pipe promises the most that fits its header; what is there is read, and the promise is named."""
    path = written(speech(rate, 1.0), rate)
    whole = load(path)
    data = bytearray(path.read_bytes())
    data[4:8] = struct.pack("<I", min(size + 36, 0xFFFFFFFF))
    data[40:44] = struct.pack("<I", size)
    path.write_bytes(data)
    clip = load(path)
    assert whole.read(0, 17_000) == clip.read(0, 17_000)
    (named,) = clip.faults
    assert named.startswith(fault)
    assert 1.0 == probe(path).duration_s


def test_header_of_a_killed_recorder(written, speech):
    """A WAV whose header was never completed says 0 samples; with PyAV what is there is read."""
    pytest.importorskip("av")
    path = written(speech(48_000, 1.0), 48_000)
    whole = load(path)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = bytes(4)
    path.write_bytes(data)
    clip = load(path)
    assert whole.read(0, 16_000) == clip.read(0, 16_000)
    assert ["unusual"] == [fault.partition(":")[0] for fault in clip.faults]


def test_mp3_behind_an_empty_tag(written, speech):
    """An MP3 with room left between its tag and its sound, as taggers leave it, is heard; PyAV finds where it begins."""
    pytest.importorskip("av")
    path = written(speech(44_100, 2.0), 44_100, name="clip.mp3")
    whole = load(path)
    path.write_bytes(b"ID3\3\0\0" + bytes(4) + bytes(4096) + path.read_bytes())
    clip = load(path)
    assert ["unusual"] == [fault.partition(":")[0] for fault in clip.faults]
    # Without the tag's end in sight the coder's own delay stays: 0.07 s.
    assert 0 <= clip.duration - whole.duration < 0.15


def test_flac_of_unknown_length(written, speech):
    """A FLAC written through a pipe leaves its length open: missing in the header, whole in the clip."""
    path = written(speech(44_100, 3.0), 44_100, name="clip.flac")
    whole = load(path)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    clip = load(path)
    assert probe(path).frames is None
    assert probe(path).duration_s is None
    assert () == clip.faults
    assert whole.read(0, 48_000) == clip.read(0, 48_000)


def test_flac_that_claims_too_much(written, speech):
    """A FLAC whose header claims 400 hours gives the second it holds, and a fault."""
    path = written(speech(48_000, 1.0), 48_000, name="clip.flac")
    data = bytearray(path.read_bytes())
    data[21] |= 0x0F
    data[22:26] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    clip = load(path)
    assert 16_000 == len(clip)
    assert ("short: the header says 1431655.77 s, and 1.00 s are there",) == clip.faults


def test_flac_with_a_damaged_middle(written, speech):
    """A FLAC that breaks in its middle is read up to there, in any span, and the fault says where."""
    path = written(speech(44_100, 4.0), 44_100, name="clip.flac")
    whole = load(path)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3_000] = bytes(3_000)
    path.write_bytes(data)
    clip = load(path)
    (fault,) = clip.faults
    assert fault.startswith("damaged: decoding stopped at ")
    at_s = number(fault)
    assert 1.5 < at_s < 2.5
    assert abs(clip.duration - at_s) < 0.01
    assert whole.read(0, 20_000) == clip.read(0, 20_000)
    # A span before the damage has no fault.
    assert () == load(path, duration_s=1.0).faults


def test_faults_are_those_of_the_span(written, speech):
    """A span is judged by itself: silence around it or clipping beside it is not its fault."""
    sound = np.concatenate([np.zeros((16_000, 1)), speech(16_000, 1.0), np.ones((16_000, 1))])
    path = written(sound, 16_000)
    assert ["silence"] == faults(path, duration_s=1.0)
    assert [] == faults(path, offset_s=1.0, duration_s=1.0)
    assert ["clipping", "DC offset"] == faults(path, offset_s=2.0)


def test_several_faults_are_all_named(written):
    """A file can be wrong in several ways at once, and each is named."""
    path = written(np.full(16_000, 0.9999999), 16_000, name="clip.mp3", kind="WAV")
    path.write_bytes(path.read_bytes()[:20_000])
    assert ["wrong extension", "short", "clipping", "DC offset"] == faults(path)
