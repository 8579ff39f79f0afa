"""Any file in, 16-bit 16 kHz mono out: equal to librosa, whatever the format, the block and the length."""

from __future__ import annotations

import errno
import gc
import math
import os
import shutil
import struct
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import harness.audio.load
import harness.audio.sndfile
from harness.audio.chunk import chunks
from harness.audio.clip import FilePcm, MemoryPcm
from harness.audio.load import load, probe, readable_formats
from harness.errors import InputError

LAWS = settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""Files are written over by each example, so one folder does for all."""


def samples(clip):
    """Return all samples of a clip."""
    return np.frombuffer(clip.read(0, len(clip)), dtype="<i2")


def by_librosa(path, **span):
    """Return what librosa loads, rounded to nearest and saturated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # audioread's, once, at import
        floats, _ = librosa.load(path, sr=16_000, **span)
    return np.clip(np.rint(floats * 32768), -32768, 32767).astype("<i2")


# Laws.


@LAWS
@given(
    block=st.integers(1, 3_000),
    seconds=st.floats(0.01, 0.3),
    rate=st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000]),
    channels=st.integers(1, 3),
    coding=st.sampled_from(["PCM_16", "FLOAT"]),
)
def test_block_size_is_invisible(written, speech, *, block, seconds, rate, channels, coding):
    """The samples do not depend on how many are decoded at a time."""
    path = written(speech(rate, seconds, channels), rate, coding=coding)
    whole = samples(load(path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harness.audio.sndfile, "BLOCK", block)
        patch.setattr(harness.audio.load, "BLOCK", block)
        assert np.array_equal(whole, samples(load(path)))


@pytest.mark.parametrize("block", [1_000, 4_096, 100_000])
@pytest.mark.parametrize(
    "kind, coding, rate",
    [
        ("FLAC", "PCM_16", 44_100),
        ("MP3", "MPEG_LAYER_III", 44_100),
        ("OGG", "VORBIS", 44_100),
        ("OGG", "OPUS", 48_000),
        ("WAV", "IMA_ADPCM", 22_050),
    ],
)
def test_block_size_is_invisible_to_coders(
    written, speech, monkeypatch, *, kind, coding, rate, block
):
    """Coders that carry state from block to block give the same samples in any blocks."""
    path = written(speech(rate, 2.5), rate, kind=kind, coding=coding)
    whole = samples(load(path))
    monkeypatch.setattr(harness.audio.sndfile, "BLOCK", block)
    assert np.array_equal(whole, samples(load(path)))


@LAWS
@given(seconds=st.floats(0.001, 0.6), chunk_ms=st.floats(0.1, 200))
def test_chunks_concatenate_to_the_clip(written, speech, seconds, chunk_ms):
    """Chunks laid end to end are the clip, each due when its last sample has been recorded."""
    clip = load(written(speech(16_000, seconds), 16_000))
    pieces = list(chunks(clip, chunk_ms))
    assert clip.read(0, len(clip)) == b"".join(piece.pcm for piece in pieces)
    assert [piece.due_s for piece in pieces] == [
        (piece.offset + piece.samples) / 16_000 for piece in pieces
    ]
    assert pieces[-1].due_s == clip.duration


@LAWS
@given(start=st.integers(0, 15_999), length=st.integers(1, 16_000))
def test_span_is_a_slice(written, speech, start, length):
    """A span of a 16 kHz file is that slice of the whole, to the sample."""
    path = written(speech(16_000, 1.0), 16_000)
    length = min(length, 16_000 - start)
    span = load(path, offset_s=start / 16_000, duration_s=length / 16_000)
    assert np.array_equal(samples(load(path))[start : start + length], samples(span))


@LAWS
@given(pcm=st.lists(st.integers(-32768, 32767), min_size=1, max_size=300))
def test_pcm16_passes_untouched(written, pcm):
    """16 kHz mono PCM16 passes bit by bit, in a WAV and in a FLAC."""
    pcm = np.array(pcm, dtype="<i2")
    assert np.array_equal(pcm, samples(load(written(pcm, 16_000))))
    assert np.array_equal(pcm, samples(load(written(pcm, 16_000, name="clip.flac"))))


# Equality with librosa.

FORMATS = [
    ("WAV", "PCM_U8", 8_000, 1),
    ("WAV", "PCM_16", 8_000, 1),
    ("WAV", "PCM_16", 16_000, 2),
    ("WAV", "PCM_24", 16_000, 1),
    ("WAV", "PCM_24", 44_100, 2),
    ("WAV", "PCM_32", 48_000, 6),
    ("WAV", "FLOAT", 16_000, 1),
    ("WAV", "FLOAT", 96_000, 2),
    ("WAV", "DOUBLE", 192_000, 1),
    ("WAV", "ULAW", 8_000, 1),
    ("WAV", "ALAW", 8_000, 2),
    ("WAV", "IMA_ADPCM", 22_050, 1),
    ("WAV", "MS_ADPCM", 11_025, 1),
    ("WAVEX", "PCM_16", 48_000, 4),
    ("RF64", "PCM_16", 44_100, 1),
    ("W64", "PCM_24", 32_000, 2),
    ("AIFF", "PCM_S8", 22_050, 1),
    ("AIFF", "PCM_16", 44_100, 2),
    ("AU", "PCM_16", 8_000, 1),
    ("AU", "ULAW", 8_000, 1),
    ("CAF", "PCM_16", 44_100, 1),
    ("CAF", "ALAC_16", 44_100, 2),
    ("NIST", "PCM_16", 16_000, 1),
    ("VOC", "PCM_16", 11_025, 1),
    ("FLAC", "PCM_S8", 16_000, 1),
    ("FLAC", "PCM_16", 44_100, 1),
    ("FLAC", "PCM_24", 96_000, 5),
    ("MP3", "MPEG_LAYER_III", 44_100, 1),
    ("MP3", "MPEG_LAYER_III", 22_050, 2),
    ("OGG", "VORBIS", 44_100, 2),
    ("OGG", "OPUS", 48_000, 1),
    ("OGG", "OPUS", 16_000, 1),
]


@pytest.mark.parametrize("kind, coding, rate, channels", FORMATS)
def test_equals_librosa(written, speech, *, kind, coding, rate, channels):
    """Every format, rate and channel count gives librosa's samples to the bit, and the header's facts."""
    path = written(speech(rate, 1.7, channels), rate, name=f"clip.{kind}", kind=kind, coding=coding)
    clip = load(path)
    assert np.array_equal(by_librosa(path), samples(clip))
    info = probe(path)
    assert (rate, channels, f"{kind}/{coding}") == (info.rate, info.channels, info.format)
    assert math.isclose(info.frames / info.rate, info.duration_s)
    assert len(clip) == math.ceil(info.frames * 16_000 / rate)


@pytest.mark.parametrize("frames", [1, 2, 3, 7, 100, 441])
@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 192_000])
def test_equals_librosa_when_tiny(written, speech, rate, frames):
    """One sample is a clip too, as long as librosa makes it."""
    path = written(speech(rate, 1)[:frames], rate)
    assert np.array_equal(by_librosa(path), samples(load(path)))


@pytest.mark.parametrize("offset_s, duration_s", [(0.5, 0.25), (0.123, 0.456), (1.0, None)])
@pytest.mark.parametrize("kind, coding", [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")])
def test_span_equals_librosa(written, speech, *, kind, coding, offset_s, duration_s):
    """A span begins and ends at the samples where librosa begins and ends it."""
    path = written(speech(44_100, 1.7), 44_100, kind=kind, coding=coding)
    expected = by_librosa(path, offset=offset_s, duration=duration_s)
    assert np.array_equal(expected, samples(load(path, offset_s=offset_s, duration_s=duration_s)))


@pytest.mark.parametrize("channels", [8, 16])
def test_many_channels_are_within_one_step_of_librosa(written, speech, channels):
    """NumPy adds 8 and more channels in another order, which moves the mean by less than a step of 16 bits."""
    path = written(speech(48_000, 0.5, channels), 48_000, coding="FLOAT")
    assert np.abs(by_librosa(path).astype(int) - samples(load(path))).max() <= 1


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 96_000])
def test_resampled_sine_is_the_sine(written, rate):
    """A sine sampled at any rate comes out as the same sine sampled at 16 kHz, to a step of 16 bits."""
    t = np.arange(rate) / rate
    path = written(0.5 * np.sin(2 * np.pi * 1_000 * t), rate, coding="FLOAT")
    expected = 16_384 * np.sin(2 * np.pi * 1_000 * np.arange(16_000) / 16_000)
    # A tenth of a second at each end is left out: there the filter sees the silence beyond.
    error = (samples(load(path)) - expected)[1_600:-1_600]
    assert np.abs(error).max() <= 1


def test_overshoot_is_saturated_not_wrapped(written):
    """A square wave near full scale overshoots when resampled, and stays on its own side of zero."""
    square = 0.99 * np.sign(np.sin(2 * np.pi * 100 * (np.arange(48_000) + 0.5) / 48_000))
    pcm = samples(load(written(square, 48_000)))
    middle = slice(20, 60)  # of the first half-wave: 80 samples, all positive
    assert pcm[middle].min() > 16_384
    assert pcm.max() == 32_767


# Where the samples lie.


@pytest.fixture
def long_plain(tmp_path):
    """A 16 kHz mono PCM16 WAV of 61 s with a chunk of metadata before its samples."""
    pcm = (np.arange(61 * 16_000) % 20_011 - 10_000).astype("<i2").tobytes()
    path = tmp_path / "long.wav"
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16)
    note = b"LIST" + struct.pack("<I", 5) + b"INFO!\0"
    data = b"data" + struct.pack("<I", len(pcm)) + pcm
    body = b"WAVE" + form + note + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body + b"tail" + bytes(4))
    return path


def test_long_plain_wav_is_used_in_place(long_plain, tmp_path):
    """A long 16 kHz mono PCM16 WAV is not copied: its clip is a view of the file's samples, and no more."""
    clip = load(long_plain, spool=tmp_path / "spool")
    assert isinstance(clip.pcm, FilePcm)
    assert clip.pcm.path == long_plain
    assert not (tmp_path / "spool").exists()
    expected, _ = soundfile.read(long_plain, dtype="int16")
    assert np.array_equal(expected, samples(clip))


def test_a_file_system_that_answers_short_shortens_nothing(long_plain, monkeypatch):
    """Where a system call brings less than was asked for, as over a network, a block is whole all the same."""
    pcm = load(long_plain).pcm
    middle, end = pcm.read(7, 16_000), pcm.read(len(pcm) - 100, 16_000)
    most, asked, whole = 9_999, [], os.read

    def short(fd, size):
        asked.append(size)
        return whole(fd, min(size, most))

    monkeypatch.setattr(os, "read", short)
    assert middle == pcm.read(7, 16_000)
    assert [32_000 - n * most for n in range(4)] == asked
    assert end == pcm.read(len(pcm) - 100, 16_000)
    os.truncate(long_plain, 64)
    assert len(pcm.read(0, 16_000)) < 64, "the end of the file ends it"


def test_utterance_of_a_long_plain_wav_is_held_in_memory(long_plain):
    """A short span of a long WAV is a copy, so it stays when the file goes."""
    expected, _ = soundfile.read(long_plain, start=160_000, frames=16_000, dtype="int16")
    clip = load(long_plain, offset_s=10, duration_s=1)
    long_plain.unlink()
    assert isinstance(clip.pcm, MemoryPcm)
    assert np.array_equal(expected, samples(clip))


@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
def test_big_endian_wav_is_not_used_in_place(written, speech, endian):
    """The bytes of a RIFX file are swapped, wherever they lie."""
    path = written(speech(16_000, 0.1), 16_000)
    pcm, _ = soundfile.read(path, dtype="int16")
    soundfile.write(path, pcm, 16_000, endian=endian)
    assert np.array_equal(pcm, samples(load(path)))


def test_long_clip_is_converted_into_the_spool(written, speech, tmp_path):
    """A converted clip longer than a minute is a file under the spool folder, equal to librosa's samples."""
    path = written(np.tile(speech(8_000, 6.1)[:, 0], 10), 8_000)
    clip = load(path, spool=tmp_path / "spool" / "deep")
    assert isinstance(clip.pcm, FilePcm)
    assert [clip.pcm.path] == list((tmp_path / "spool" / "deep").iterdir())
    assert np.array_equal(by_librosa(path), samples(clip))


def test_temporary_file_goes_with_its_clip(written, speech):
    """Without a spool folder a long clip's file is removed when nobody holds the clip any more."""
    clip = load(written(np.tile(speech(8_000, 6.1)[:, 0], 10), 8_000))
    path = clip.pcm.path
    assert path.exists()
    del clip
    gc.collect()
    assert not path.exists()


def test_failed_conversion_leaves_nothing_behind(written, speech, tmp_path):
    """When a long file turns out to be bad near its end, its half-made conversion is removed."""
    floats = np.tile(speech(8_000, 7.5)[:, 0], 10)
    floats[-1] = np.nan
    spool = tmp_path / "spool"
    with pytest.raises(InputError, match="NaN"):
        load(written(floats, 8_000, coding="FLOAT"), spool=spool)
    assert [] == list(spool.iterdir())


def test_unwritable_spool_is_named(written, speech, tmp_path):
    """A spool that is no folder is an error that names the audio and the spool."""
    (tmp_path / "spool").write_text("in the way")
    path = written(np.tile(speech(8_000, 6.1)[:, 0], 10), 8_000)
    with pytest.raises(InputError, match=r"clip\.wav.*spool"):
        load(path, spool=tmp_path / "spool")


# Spans that are not there.


@pytest.mark.parametrize(
    "offset_s, duration_s, message",
    [
        (2.0, None, "starts beyond"),
        (1.0, None, "starts beyond"),
        (0.5, 0.7, "ends beyond"),
        (0.0, 5.0, "ends beyond"),
        (-0.1, None, "cannot start"),
        (math.nan, None, "cannot start"),
        (math.inf, None, "cannot start"),
        (0.0, 0.0, "holds no samples"),
        (0.0, -1.0, "holds no samples"),
        (0.0, math.nan, "holds no samples"),
        (0.0, 1e-6, "holds no samples"),
    ],
)
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_span_beyond_the_file_is_refused(written, speech, *, rate, offset_s, duration_s, message):
    """A span that the file does not hold is an error, not a shorter clip."""
    path = written(speech(rate, 1.0), rate)
    with pytest.raises(InputError, match=rf"clip\.wav.*{message}"):
        load(path, offset_s=offset_s, duration_s=duration_s)


def test_rounded_duration_is_accepted(written, speech):
    """A manifest may round a duration up: up to a tenth of a second beyond the end is cut at the end."""
    path = written(speech(16_000, 0.96), 16_000)
    assert 15_360 == len(load(path, offset_s=0, duration_s=1.0))


def test_span_edges_ignore_binary_fractions(written):
    """1.001 s at 1,000 Hz is sample 1,001, though the product of the two is a little less in binary."""
    path = written(np.arange(3_000, dtype="<i2"), 1_000)
    assert 1.001 * 1_000 < 1_001
    assert (3_000 - 1_001) * 16 == len(load(path, offset_s=1.001))


# What is no audio.


def cut(path, size):
    """Cut a file to its first bytes."""
    path.write_bytes(path.read_bytes()[:size])
    return path


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda p: p / "none.wav", "there is no such file"),
        (lambda p: p, "is a folder"),
        (lambda _: Path("/dev/null"), "is a device"),
        (lambda _: Path("/dev/zero"), "is a device"),
        (lambda p: p / "a\0b.wav", "cannot be opened"),
        (lambda p: p / ("long" * 100), "cannot be opened"),
        (lambda p: (p / "empty.wav", (p / "empty.wav").touch())[0], r"is empty \(0 bytes\)"),
    ],
)
def test_what_is_no_file_is_refused(tmp_path, make, message):
    """Missing files, folders, devices and empty files are refused before anything is decoded."""
    for door in (load, probe):
        with pytest.raises(InputError, match=message):
            door(make(tmp_path))


def test_pipe_is_refused_without_waiting(tmp_path):
    """A named pipe that nobody writes to is refused, not waited for."""
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(InputError, match=r"pipe\.wav: is a device, pipe"):
        load(tmp_path / "pipe.wav")


@pytest.mark.parametrize("with_av", [True, False])
@pytest.mark.parametrize(
    "content, message",
    [
        (b"hello there, not a sound in here\n" * 3, "is text, not audio"),
        ("grüße, 世界! ".encode() * 200, "is text, not audio"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n", "is text, not audio"),
        (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0", "header is damaged or cut short"),
        (b"fLaC\0\0\0\x22", "header is damaged or cut short"),
        (b"OggS" + bytes(40), "header is damaged or cut short"),
        (b"caff\0\1", "header is damaged or cut short"),
        (bytes(1_000), "not audio of a kind"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not audio of a kind"),
        (b"\0\0\0\x18ftypM4A " + bytes(100), "not audio of a kind"),
    ],
)
def test_what_is_no_audio_is_refused(tmp_path, monkeypatch, content, message, with_av):
    """Content without sound is refused in words, with and without the extra decoder."""
    if with_av:
        pytest.importorskip("av")
    else:
        monkeypatch.setitem(sys.modules, "av", None)
    path = tmp_path / "clip.wav"
    path.write_bytes(content)
    for door in (load, probe):
        with pytest.raises(InputError, match=rf"clip\.wav: .*{message}"):
            door(path)


@pytest.mark.parametrize("kind, coding", [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("MP3", None)])
def test_truncated_header_is_refused(written, speech, kind, coding):
    """A file cut inside its header is called damaged or cut short."""
    path = cut(written(speech(16_000, 0.5), 16_000, kind=kind, coding=coding), 30)
    with pytest.raises(InputError, match="damaged or cut short"):
        load(path)


@pytest.mark.parametrize("name", ["clip.wav", "clip.aiff", "clip.au", "clip.caf", "clip.w64"])
def test_zero_length_is_refused(written, name):
    """A file with a good header and no samples is an error that says so."""
    with pytest.raises(InputError, match=r"clip\..*no samples"):
        load(written(np.zeros(0), 16_000, name=name))


@pytest.mark.parametrize("rate", [0, 1, 999, 2_000_000, 4_000_000_000])
def test_unbelievable_rate_is_refused(written, speech, rate):
    """A header's rate that no recorder has is an error, not a resampling that fills the memory."""
    path = written(speech(16_000, 0.1), 16_000)
    data = bytearray(path.read_bytes())
    data[24:28] = struct.pack("<I", rate)
    path.write_bytes(data)
    with pytest.raises(InputError, match="header is damaged"):
        load(path)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("rate, coding", [(16_000, "FLOAT"), (44_100, "DOUBLE")])
def test_numbers_that_are_none_are_refused(written, speech, rate, coding, value):
    """NaN or infinity in a float file is an error that says where."""
    floats = speech(rate, 1.0, 2).astype(float)
    floats[rate // 4, 1] = value
    with pytest.raises(InputError, match=r"clip\.wav: .*NaN or infinity.* at 0\.250 s"):
        load(written(floats, rate, coding=coding))


def test_hostile_name_is_escaped(tmp_path):
    """Control characters of a file's name do not reach the terminal."""
    path = tmp_path / "\x1b[2Jevil\n.wav"
    path.write_text("text")
    with pytest.raises(InputError) as caught:
        load(path)
    assert not {"\x1b", "\nevil"} & set(caught.value.what)
    assert r"\x1b[2Jevil\n.wav" in caught.value.what


def test_name_that_is_no_unicode_is_read(written, speech):
    """A file name of any bytes is a file name."""
    path = written(speech(16_000, 0.1), 16_000)
    strange = path.parent / os.fsdecode(b"caf\xe9.wav")
    shutil.move(path, strange)
    assert 1_600 == len(load(strange))


def test_suffix_does_not_decide(written, speech):
    """Names that make other readers guess (raw, vox) are read by their content."""
    path = written(speech(16_000, 0.1), 16_000, kind="FLAC", name="clip.raw")
    assert 1_600 == len(load(path))
    (path.parent / "clip.vox").write_text("text is not ADPCM\n" * 100)
    with pytest.raises(InputError, match="is text"):
        load(path.parent / "clip.vox")


# Files of the extra decoder.


def by_av(path, coder, container, samples, rate):
    """Write samples with PyAV."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(coder, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
        frame.rate = rate
        to_coder = av.AudioResampler(
            format=stream.codec_context.format, layout="mono", rate=rate, frame_size=1024
        )
        for piece in [*to_coder.resample(frame), *to_coder.resample(None)]:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))


@pytest.mark.parametrize(
    "name, coder, container, kind",
    [
        ("clip.m4a", "aac", "ipod", "mov/aac"),
        ("clip.3gp", "aac", "3gp", "mov/aac"),
        ("clip.webm", "libopus", "webm", "matroska/opus"),
        ("clip.mka", "pcm_s16le", "matroska", "matroska/pcm_s16le"),
        ("clip.avi", "pcm_s16le", "avi", "avi/pcm_s16le"),
        ("clip.mpg", "mp2", "mpeg", "mpeg/mp2"),
    ],
)
def test_ffmpeg_reads_the_rest(tmp_path, speech, monkeypatch, *, name, coder, container, kind):
    """What libsndfile refuses is read by PyAV; without it the error says what to install."""
    rate = 48_000
    original = speech(rate, 3.0)
    path = tmp_path / name
    by_av(path, coder, container, original, rate)

    clip = load(path)
    assert () == clip.faults
    assert (kind, rate) == (probe(path).format, probe(path).rate)
    assert abs(clip.duration - 3.0) < 0.1
    assert abs(probe(path).duration_s - 3.0) < 0.1
    expected = librosa.resample(original[:, 0], orig_sr=rate, target_sr=16_000)
    heard = samples(clip)[: len(expected)] / 32768
    # Lossy coders keep the shape of the sound: where the two fit best they are nearly proportional.
    lags = np.fft.irfft(np.fft.rfft(expected, 2**17) * np.conj(np.fft.rfft(heard, 2**17)))
    assert lags.max() / np.linalg.norm(expected) / np.linalg.norm(heard) > 0.98

    span = samples(load(path, offset_s=1.0, duration_s=0.5))
    assert 8_000 == len(span)
    assert np.abs(span[400:-400].astype(int) - samples(clip)[16_400:23_600]).max() <= 2

    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"pip install 'live-harness\[av\]'"):
        load(path)


def test_readable_formats_are_told(monkeypatch):
    """What can be read here is told in a line, with what to install for more."""
    assert "flac" in readable_formats()
    assert "libsndfile 1." in readable_formats()
    monkeypatch.setitem(sys.modules, "av", None)
    assert "pip install 'live-harness[av]'" in readable_formats()


def test_lossless_by_ffmpeg_is_exact(tmp_path):
    """A lossless file that PyAV reads gives the samples that went in."""
    floats = (np.arange(16_000) % 2_001 - 1_000).astype(np.float32) / 32768
    path = tmp_path / "clip.mka"
    by_av(path, "pcm_s16le", "matroska", floats, 16_000)
    assert np.array_equal(np.rint(floats * 32768), samples(load(path)))


# Memory.

MEASURE = """
    import resource, sys
    from pathlib import Path
    import numpy, soundfile, soxr
    from harness.audio.load import load

    def peak_kib():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    imported = peak_kib()
    clip = load(Path(sys.argv[1]))
    assert sum(map(len, clip.blocks())) == 2 * len(clip)
    print(len(clip), peak_kib() - imported)
"""


def peak_mib(path):
    """Return how many samples a file gives, and by how many MiB loading it raises a new process's peak memory."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEASURE), path],
        capture_output=True,
        text=True,
        check=True,
    )
    count, kib = map(int, done.stdout.split())
    return count, kib / 1024


@pytest.mark.wall
def test_memory_does_not_grow_with_length(written, speech, tmp_path):
    """An hour needs at most 40 MiB over the imports, and no more than ten seconds but for a minute of samples."""
    short = written(speech(8_000, 10), 8_000, name="short.wav")
    long = tmp_path / "long.wav"
    shutil.copy(short, long)
    data_bytes = 3_600 * 8_000 * 2
    with long.open("r+b") as file:
        file.seek(40)
        file.write(struct.pack("<I", data_bytes))
        file.truncate(44 + data_bytes)  # sparse: an hour of silence costs no disk
    (short_count, short_mib), (long_count, long_mib) = peak_mib(short), peak_mib(long)
    assert (160_000, 57_600_000) == (short_count, long_count)
    assert long_mib <= 40
    assert long_mib - short_mib <= 10


@pytest.mark.wall
def test_memory_does_not_follow_a_lying_header(written, speech):
    """A FLAC that claims 400 hours costs what it holds."""
    path = written(speech(48_000, 1), 48_000, name="clip.flac")
    data = bytearray(path.read_bytes())
    data[21] |= 0x0F  # the last 36 bits of the 18 that hold rate, channels, bits and total
    data[22:26] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    count, mib = peak_mib(path)
    assert count == 16_000
    assert mib <= 40


def test_a_conversion_that_is_told_to_stop_leaves_nothing(written, speech, tmp_path):
    """Between two blocks a conversion can be told to stop: it says so, and its half-written file is gone."""
    path = written(np.tile(speech(22_050, 7.5)[:, 0], 10), 22_050)
    spool = tmp_path / "spool"
    with pytest.raises(InputError, match="told to stop"):
        load(path, spool=spool, stopped=lambda: any(spool.glob("*")))
    assert [] == list(spool.iterdir())
    plain = written(np.tile(speech(16_000, 7.5)[:, 0], 10), 16_000)
    with pytest.raises(InputError, match="told to stop"):
        load(plain, stopped=lambda: True)


def test_a_spool_that_fills_is_named(written, speech, tmp_path, monkeypatch):
    """A disk that has no room for a converted clip is an error that names the clip and the folder."""
    import tempfile

    class Full:
        name = str(tmp_path / "spool" / "x.s16le")

        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def close(self):
            pass

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", lambda **_: Full())
    with pytest.raises(InputError, match=r"cannot be written to .*spool[^$]*No space left"):
        load(written(np.tile(speech(22_050, 7.5)[:, 0], 10), 22_050), spool=tmp_path / "spool")
