"""Gates and comparisons as a build server runs them: commands, exit codes and files."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from tests.integration.sittings import manifest

pytestmark = [pytest.mark.wall, pytest.mark.timeout(240)]

RUN = ("run", "clips/manifest.jsonl", "--pace", "0", "--quiet", "0.3")


@pytest.fixture(autouse=True)
def _clips(tmp_path):
    """Put a clip of each of two locales where `RUN` looks for them."""
    (tmp_path / "clips").mkdir()
    manifest(tmp_path / "clips", clips=2, locales=("de-DE", "pl-PL"))


def rule(text):
    """Return a gate of one rule."""
    return f"[[rule]]\n{text}\n"


def test_a_run_that_fails_its_gate_exits_with_6(harness, emulator_url, tmp_path):
    """`harness run --gate` writes its reports and junit.xml, says a line a rule, and exits with 6 when one fails."""
    (tmp_path / "gate.toml").write_text(
        rule('column = "rate"\nmax = 10.0')
        + rule('column = "final_text_p50_s"\nmax = 60')  # not paced: what is missing never passes
    )
    ran = harness(*RUN, "--url", emulator_url, "--gate", "gate.toml", "--out", "out")
    assert 6 == ran.returncode, ran.stderr
    lines = [line for line in ran.stdout.splitlines() if line.startswith("gate: ")]
    assert ["gate: PASS", "gate: FAIL"] == [line[:10] for line in lines]
    root = ET.parse(tmp_path / "out" / "junit.xml").getroot()  # noqa: S314 - our own output
    assert ("4", "2") == (root.get("tests"), root.get("failures"))
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_failed_gate_beats_failed_utterances(harness, emulator_url, tmp_path):
    """A run with an unreadable clip exits with 5 when its gate passes, and with 6 when it does not."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "broken.wav").write_text("no audio")
    (folder / "broken.txt").write_text("some words")
    for bound, code in (("max = 1", 5), ("max = 0", 6)):
        (tmp_path / "gate.toml").write_text(rule(f'column = "failed"\n{bound}'))
        ran = harness(
            "run", folder, "--language", "en-US", "--url", emulator_url, "--pace", "0", "--gate", "gate.toml",
            "--json", "--out", f"out-{code}",
        )  # fmt: skip
        assert code == ran.returncode, ran.stderr
        assert "gate: " in ran.stderr
        json.loads(ran.stdout)


def test_a_run_against_its_baseline(harness, emulator_url, tmp_path):
    """A gate's baseline that shares no utterance is refused before anything is sent; one that does is compared with."""
    assert 0 == harness(*RUN, "--url", emulator_url, "--out", "base").returncode
    (tmp_path / "gate.toml").write_text(
        'baseline = "base"\n' + rule('column = "rate"\nmax_regression = 0.0')
    )
    gated = ("--url", emulator_url, "--gate", "gate.toml", "--out", "new")
    ran = harness("run", "voices", "--language", "ru-RU", *gated)
    assert 3 == ran.returncode
    assert not (tmp_path / "new").exists()
    ran = harness(*RUN, *gated)
    assert 0 == ran.returncode, ran.stderr
    assert "gate: PASS" in ran.stdout
    ran = harness("compare", "base", "new", "--json", "--html", "c.html")
    assert 0 == ran.returncode, ran.stderr
    (contrast,) = json.loads(ran.stdout)["contrasts"]
    assert 2 == contrast["utterances"]["common"]
    assert [1, 1] == [cell["utterances"] for cell in contrast["cells"]]
    assert b"EMULATED" in (tmp_path / "c.html").read_bytes()
