"""Converted clips on disk: the same samples as converting again, within a bound, whatever befalls the files."""

from __future__ import annotations

import hashlib
import os
import threading

import numpy as np
import pytest
import soundfile

from harness.audio import cache as room
from harness.audio.cache import Conversions, conversions
from harness.audio.load import load
from harness.errors import InputError
from harness.units import SAMPLE_BYTES


@pytest.fixture
def decoded(monkeypatch):
    """Give the list of files that were converted."""
    files: list = []

    def counted(path, **span):
        files.append(path)
        return load(path, **span)

    monkeypatch.setattr(room, "load", counted)
    return files


def tone(path, seconds: float, rate: int = 44_100):
    """Write a tone and return its file's hash."""
    t = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, 0.4 * np.sin(2 * np.pi * 440 * t), rate)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def samples(clip) -> bytes:
    """Return all of a clip."""
    return b"".join(clip.blocks())


@pytest.mark.parametrize("seconds", [1.3, 61.0])
@pytest.mark.parametrize("span", [(0.0, None), (0.5, 0.7)])
def test_a_hit_gives_what_converting_gives(tmp_path, decoded, seconds, span):
    """A clip is converted once; what is kept has the same samples and faults, whole or a span, short or long."""
    path = tmp_path / "tone.mp3.flac"
    sha256 = tone(path, seconds)
    how = {"offset_s": span[0], "duration_s": span[1]}
    expected = load(path, **how)
    for _ in range(3):
        clip = Conversions(tmp_path / "kept", most_bytes=10**8).clip(path, sha256=sha256, **how)
        assert samples(expected) == samples(clip)
        assert expected.faults == clip.faults
    assert 1 == len(decoded)


def test_contents_are_told_apart_not_names(tmp_path, decoded):
    """Another name for the same content is a hit; other content under the same name is not."""
    kept = Conversions(tmp_path / "kept", most_bytes=10**8)
    one, two = tmp_path / "a.flac", tmp_path / "b.flac"
    first = tone(one, 1.0)
    two.write_bytes(one.read_bytes())
    kept.clip(one, sha256=first)
    kept.clip(two, sha256=first)
    assert [one] == decoded
    second = tone(one, 2.0)
    assert 32_000 == len(kept.clip(one, sha256=second))
    assert [one, one] == decoded


def test_another_converter_converts_again(tmp_path, decoded, monkeypatch):
    """What an older version converted is not used by a newer one."""
    path = tmp_path / "a.flac"
    sha256 = tone(path, 1.0)
    kept = Conversions(tmp_path / "kept", most_bytes=10**8)
    kept.clip(path, sha256=sha256)
    monkeypatch.setattr(room, "_converter", lambda: "another")
    kept.clip(path, sha256=sha256)
    assert 2 == len(decoded)


def test_what_passes_through_is_not_kept(tmp_path):
    """Of a short 16 kHz mono PCM16 WAV, which is read in one go, nothing is written."""
    path = tmp_path / "a.wav"
    sha256 = tone(path, 1.0, 16_000)
    kept = Conversions(tmp_path / "kept", most_bytes=10**8)
    assert 16_000 == len(kept.clip(path, sha256=sha256))
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("span", [(0.0, None), (0.5, 60.25)])
def test_a_long_plain_file_is_looked_through_once(tmp_path, decoded, span):
    """A long 16 kHz mono PCM16 WAV is not copied; its faults are kept, and its samples are read where it lies then."""
    path, elsewhere = tmp_path / "a.wav", tmp_path / "b.wav"
    t = np.arange(61 * 16_000) / 16_000
    soundfile.write(path, np.clip(2 * np.sin(2 * np.pi * 440 * t), -1, 1), 16_000)
    elsewhere.write_bytes(path.read_bytes())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    expected = load(path, offset_s=span[0], duration_s=span[1])
    assert expected.faults
    for file in (path, path, elsewhere):
        kept = Conversions(tmp_path / "kept", most_bytes=10**8)
        clip = kept.clip(file, sha256=sha256, offset_s=span[0], duration_s=span[1])
        assert (expected.faults, False) == (clip.faults, clip.converted)
        assert file == clip.pcm.path
        assert samples(expected) == samples(clip)
    assert 1 == len(decoded)
    assert 1000 > sum(one.stat().st_size for one in (tmp_path / "kept").iterdir())
    os.truncate(elsewhere, 70 * 16_000)
    clip = kept.clip(elsewhere, sha256=sha256)
    assert any(fault.startswith("short:") for fault in clip.faults), "what is cut off is seen"
    clip = kept.clip(path, sha256=sha256, offset_s=span[0], duration_s=span[1])
    assert expected.faults == clip.faults, "and is not taken for the whole file afterwards"
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        kept.clip(path, sha256=sha256, offset_s=span[0], duration_s=span[1])


@pytest.mark.parametrize("name", ["a.flac", "a.wav"])
def test_what_is_kept_is_of_the_file_that_was_meant(tmp_path, name):
    """A file that was another for a while, since it was planned, leaves nothing behind under its digest."""
    path, rate = tmp_path / name, 44_100 if name.endswith("flac") else 16_000
    tone(path, 62.0, rate)
    other = path.read_bytes()
    sha256 = tone(path, 61.0, rate)
    meant = path.read_bytes()
    kept = Conversions(tmp_path / "kept", most_bytes=10**8)
    lengths = []
    for data in (other, meant):
        path.write_bytes(data)
        lengths.append(kept.clip(path, sha256=sha256).duration)
    assert [62.0, 61.0] == lengths
    tone(path, 61.0, 48_000)
    clip = kept.clip(path, sha256=sha256)
    assert (61.0, True) == (clip.duration, clip.converted), "no other file is read as what it was"


def test_the_folder_stays_within_its_bound_and_keeps_what_was_used_last(tmp_path, decoded):
    """Whatever is converted, the folder never holds more than it may; what was asked for last is still there."""
    most = 200_000
    kept = Conversions(tmp_path / "kept", most_bytes=most)
    files = []
    for n in range(20):
        path = tmp_path / f"{n}.flac"
        files.append((path, tone(path, 1.0 + n / 100)))
        kept.clip(path, sha256=files[-1][1])
        for age, file in enumerate(sorted((tmp_path / "kept").iterdir(), key=os.path.getmtime)):
            os.utime(file, (age + n, age + n))  # a clock too coarse for this test
        assert sum(file.stat().st_size for file in (tmp_path / "kept").iterdir()) <= most
    decoded.clear()
    kept.clip(files[-1][0], sha256=files[-1][1])
    assert [] == decoded
    kept.clip(files[0][0], sha256=files[0][1])
    assert 1 == len(decoded)


def test_a_long_clip_in_use_is_not_removed(tmp_path):
    """A long clip that may be streamed at this moment stays, and can be read, when others need room."""
    kept = Conversions(tmp_path / "kept", most_bytes=61 * 16_000 * SAMPLE_BYTES + 100_000)
    path = tmp_path / "long.flac"
    long = kept.clip(path, sha256=tone(path, 61.0))
    again = Conversions(tmp_path / "kept", most_bytes=61 * 16_000 * SAMPLE_BYTES + 100_000)
    streamed = again.clip(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    for n in range(6):
        path = tmp_path / f"{n}.flac"
        again.clip(path, sha256=tone(path, 2.0 + n / 100))
    assert samples(long) == samples(streamed)


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 40_000])
def test_a_damaged_file_is_as_good_as_none(tmp_path, decoded, damage):
    """A kept file that is torn or overwritten is converted again and mended."""
    path = tmp_path / "a.flac"
    sha256 = tone(path, 1.0)
    kept = Conversions(tmp_path / "kept", most_bytes=10**8)
    expected = samples(kept.clip(path, sha256=sha256))
    (file,) = (tmp_path / "kept").iterdir()
    file.write_bytes(damage)
    assert expected == samples(kept.clip(path, sha256=sha256))
    assert expected == samples(kept.clip(path, sha256=sha256))
    assert 2 == len(decoded)


def test_a_place_that_cannot_be_written_costs_nothing_but_time(tmp_path):
    """Where nothing can be kept, clips are converted all the same."""
    path = tmp_path / "a.flac"
    sha256 = tone(path, 1.0)
    (tmp_path / "file").write_text("not a folder")
    kept = Conversions(tmp_path / "file", most_bytes=10**8)
    assert 16_000 == len(kept.clip(path, sha256=sha256))
    with pytest.raises(InputError, match="no such file"):
        kept.clip(tmp_path / "none.flac", sha256="00")


def test_a_place_that_may_only_be_read_is_as_good(tmp_path, decoded, monkeypatch):
    """What somebody else has kept there is used, though nobody can note that it was."""

    def forbidden(*_):
        raise PermissionError

    path = tmp_path / "a.flac"
    sha256 = tone(path, 1.0)
    kept = Conversions(tmp_path / "kept", most_bytes=10**8)
    kept.clip(path, sha256=sha256)
    decoded.clear()
    monkeypatch.setattr(os, "utime", forbidden)
    kept.clip(path, sha256=sha256)
    assert [] == decoded


def test_many_threads_find_one_clip(tmp_path):
    """Threads that convert the same file at once all get it, and one whole file is kept."""
    path = tmp_path / "a.flac"
    sha256 = tone(path, 2.0)
    kept = Conversions(tmp_path / "kept", most_bytes=10**8)
    found: list = []
    threads = [
        threading.Thread(target=lambda: found.append(samples(kept.clip(path, sha256=sha256))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 8 == len(found)
    assert {samples(load(path))} == set(found)
    assert 1 == len(list((tmp_path / "kept").iterdir()))


def test_where_it_lies(tmp_path, decoded):
    """HARNESS_CACHE moves the folder or switches it off; else it lies where the user's caches do."""
    path = tmp_path / "a.flac"
    sha256 = tone(path, 1.0)
    conversions({"HARNESS_CACHE": str(tmp_path / "one")}).clip(path, sha256=sha256)
    conversions({"XDG_CACHE_HOME": str(tmp_path / "two")}).clip(path, sha256=sha256)
    assert 1 == len(list((tmp_path / "one").iterdir()))
    assert 1 == len(list((tmp_path / "two" / "live-harness").iterdir()))
    off = conversions({"HARNESS_CACHE": "off", "HOME": str(tmp_path)})
    off.clip(path, sha256=sha256)
    off.clip(path, sha256=sha256)
    assert 4 == len(decoded)
