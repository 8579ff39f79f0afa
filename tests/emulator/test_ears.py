"""Which ear is chosen, where weights come from, and what scripts say."""

from __future__ import annotations

import asyncio
import hashlib
import json

import pytest

from harness.clock import run_virtual
from harness.emulator.ear import ears, weights
from harness.emulator.ear.scripted import Scripted
from harness.errors import InputError, UsageError


@pytest.fixture
def without(monkeypatch):
    """Let modules seem not to be installed."""

    def hide(*names):
        found = ears._installed
        monkeypatch.setattr(ears, "_installed", lambda name: name not in names and found(name))

    return hide


def test_auto_prefers_whisper_then_pocketsphinx(without, monkeypatch):
    """`auto` is the multilingual ear where it can be used, else the English one, else an error that says what to do."""
    monkeypatch.setattr(ears, "_installed", lambda _: True)
    monkeypatch.setattr(weights, "at_hand", lambda: True)
    assert "whisper" == ears.chosen("auto")
    monkeypatch.setattr(weights, "at_hand", lambda: False)
    assert "pocketsphinx" == ears.chosen("auto")
    without("pocketsphinx")
    with pytest.raises(InputError, match="pip install"):
        ears.chosen("auto")


@pytest.mark.parametrize(
    "text, hint",
    [("wisper", "whisper"), ("", "one of"), ("pocketsphinx:x", "takes no"), ("auto:x", "takes no")],
)
def test_a_wrong_ear_is_named(text, hint):
    """An ear that does not exist gets a message with the ones that do."""
    with pytest.raises(UsageError, match=hint):
        ears.chosen(text)


@pytest.mark.parametrize(
    "ear, module", [("whisper", "faster_whisper"), ("pocketsphinx", "pocketsphinx")]
)
def test_an_ear_that_is_not_installed_is_named(ear, module, without):
    """Asked for by name, a missing recogniser is an error with the command that installs it."""
    without(module)
    with pytest.raises(InputError, match="pip install"):
        ears.chosen(ear)


# ── weights ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Make two data packages with small files, and a cache of their own."""
    content = {"config.json": b"{}", "tokenizer.json": b"[]", "vocabulary.txt": b"a\nb\n"}
    folders = [tmp_path / name for name in weights._PACKAGES]
    for folder, part, data in zip(folders, weights._MODEL_PARTS, (b"mo", b"del"), strict=True):
        (folder / "data").mkdir(parents=True)
        (folder / "__init__.py").write_text("raise RuntimeError('must not be imported')")
        (folder / "data" / part).write_bytes(data)
    for name, data in content.items():
        (folders[0] / "data" / name).write_bytes(data)
    content["model.bin"] = b"model"
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    monkeypatch.setattr(weights, "_SHA256", sums)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # The real packages, if any, come later on the path.
    return folders


def test_the_halves_are_put_together_once(packages, tmp_path):
    """The packages' files make one model in the cache, without importing them; the second time it is only checked."""
    place, called = weights.model()
    assert "whisper-base" == called
    assert b"model" == (tmp_path / place / "model.bin").read_bytes()
    before = (tmp_path / place).stat().st_mtime_ns
    assert place == weights.model()[0]
    assert before == (tmp_path / place).stat().st_mtime_ns
    assert [place] == [str(one) for one in (tmp_path / "cache" / "live-harness").iterdir()]


def test_a_cache_that_rots_is_made_again(packages, tmp_path):
    """A file in the cache that is not as published is replaced."""
    place, _ = weights.model()
    (tmp_path / place / "model.bin").write_bytes(b"mould")
    assert place == weights.model()[0]
    assert b"model" == (tmp_path / place / "model.bin").read_bytes()


def test_other_weights_are_not_used(packages, tmp_path):
    """Packages whose files have other hashes than published are refused, and nothing is left behind."""
    (packages[0] / "data" / "model.bin.part1").write_bytes(b"xx")
    with pytest.raises(InputError, match=r"model\.bin has another SHA-256"):
        weights.model()
    assert [] == list((tmp_path / "cache" / "live-harness").iterdir())


def test_the_users_own_model_comes_first(packages, tmp_path, monkeypatch):
    """A folder that is named beats the environment, which beats the packages."""
    for name in ("mine", "asked"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.bin").touch()
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path / "mine"))
    assert (str(tmp_path / "mine"), "mine") == weights.model()
    assert (str(tmp_path / "asked"), "asked") == weights.model(str(tmp_path / "asked"))
    assert ("base", "whisper-base") == weights.model("base")


def test_a_folder_without_a_model_is_named(tmp_path):
    """A folder that does not exist or holds no model is an error that names it."""
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match=str(place)):
            weights.model(str(place))


def test_no_weights_at_all(monkeypatch):
    """Without weights the message says how to get some."""
    monkeypatch.setattr(weights, "_packaged", lambda: None)
    assert not weights.at_hand()
    with pytest.raises(InputError, match="ear-weights"):
        weights.model()


# ── scripts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def heard(ear, *pieces):
    """Return when which fragment was heard, in virtual time."""

    async def scene():
        listening = ear.listen()
        loop = asyncio.get_running_loop()
        found = []
        for index, pcm in enumerate(pieces):
            async for text in listening.hear(pcm, last=index == len(pieces) - 1):
                found.append((loop.time(), text))  # noqa: PERF401 - read while it grows
        return found

    return run_virtual(scene())


def test_a_script_is_found_by_what_is_heard(tmp_path):
    """The text belongs to the hash of the PCM, however it was cut; anything else is `*`."""
    pcm = bytes(range(200))
    lines = {
        hashlib.sha256(pcm).hexdigest(): {"fragments": [" a", " b"], "delay_s": 1, "every_s": 0.5},
        "*": " {seconds} s of something",
    }
    path = tmp_path / "script.json"
    path.write_text(json.dumps(lines))
    ear = Scripted.from_file(path)
    assert [(1.0, " a"), (1.5, " b")] == heard(ear, pcm[:60], pcm[60:])
    assert [(0.0, " 1.5 s of something")] == heard(ear, bytes(48_000))


@pytest.mark.parametrize("text", ["", "[]", '{"*": 3}', '{"*": {"delay": 1}}'])
def test_a_script_that_is_none_is_named(text, tmp_path):
    """A file of another shape is an error that names it."""
    path = tmp_path / "script.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"script\.json"):
        Scripted.from_file(path)
    with pytest.raises(InputError, match=r"none\.json"):
        Scripted.from_file(tmp_path / "none.json")
