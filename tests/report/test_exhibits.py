"""What lies behind a row: traces, clips and links, none of which leaves its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness.report.build import build_reports
from harness.report.page.clips import Embed


@pytest.fixture
def home(tmp_path):
    """A project with a folder of runs and one of datasets, and a folder of somebody else."""
    for place in ("project/reports", "project/datasets", "elsewhere"):
        (tmp_path / place).mkdir(parents=True)
        sound = np.random.default_rng(0).normal(0, 0.1, 32_000)
        soundfile.write(tmp_path / place / "a.wav", sound, 16_000)
        soundfile.write(tmp_path / place / "b.aiff", sound, 16_000)
    return tmp_path


def clips(said, home: Path, audio: Path, **facts) -> tuple[list, str]:
    """Return the clips of a page whose only utterance has this audio, and the page."""
    folder = said.make_run(
        home / "project" / "reports" / "run",
        [said.Said(id="a", hypothesis="the quick", audio=str(audio), audio_s=2.0, tags={})],
    )
    build_reports(folder, **facts)
    page = (folder / "report.html").read_text(encoding="utf-8")
    return said.unpacked(page, "sessions")["clips"], page


@pytest.mark.parametrize(
    "place, link",
    [
        ("project/datasets/a.wav", "../../datasets/a.wav"),
        ("project/reports/a.wav", "../a.wav"),
        ("project/datasets/b.aiff", None),
        ("elsewhere/a.wav", None),
        ("project/datasets/gone.wav", None),
        ("project/datasets/../../elsewhere/a.wav", None),
    ],
)
def test_a_link_stays_in_the_project(home, said, place, link):
    """A clip that is not in the page is played from its file if that lies in the project and browsers play it."""
    found, page = clips(said, home, home / place, embed=Embed(clips=0))
    assert link == (found[0].get("link") if found else None)
    assert str(home) not in page
    assert ("media-src &#39;self&#39;" in page) == (link is not None)


def test_a_clip_in_the_page_needs_no_file(home, said):
    """By default the clip is in the page, with its outline; nothing is linked and no address is allowed."""
    found, page = clips(said, home, home / "elsewhere" / "a.wav")
    assert [{"audio": 0}] == [{k: v for k, v in clip.items() if k != "outline"} for clip in found]
    assert 400 == len(found[0]["outline"])
    assert '<script type="text/plain" id="audio-0">' in page
    assert "media-src data:" in page


def test_so_many_clips_as_asked_for(home, said):
    """N clips are embedded, the worst first and one for an utterance, a locale at a time; none where none is wanted."""
    audio = str(home / "elsewhere" / "a.wav")
    rows = [
        said.Said(id=f"{locale}{n}", locale=locale, reference="a b c d e f", hypothesis="x " * bad, audio=audio, audio_s=2.0)
        for locale, bad in (("en-US", 6), ("de-DE", 3))
        for n in range(3)
    ]  # fmt: skip
    folder = said.make_run(home / "project" / "reports" / "many", rows)
    for embed, count in (
        (Embed(clips=0), 0),
        (Embed(clips=2, characters=None), 2),
        (Embed(characters=20_000), 2),
        (Embed(), 6),
    ):
        build_reports(folder, embed=embed)
        page = (folder / "report.html").read_text(encoding="utf-8")
        assert count == page.count('id="audio-')
        found = said.unpacked(page, "sessions")
        held = [found["sessions"][n]["clip"] for n in range(6)]
        if count == 2:
            assert [0, None, None, 1, None, None] == [
                clip if clip is not None and "audio" in found["clips"][clip] else None
                for clip in held
            ]


def test_long_audio_is_not_put_into_a_page(home, said):
    """A clip of over ten minutes is neither embedded nor drawn."""
    folder = said.make_run(
        home / "project" / "reports" / "long",
        [said.Said(id="a", audio=str(home / "elsewhere" / "a.wav"), audio_s=601.0)],
    )
    build_reports(folder)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert [] == said.unpacked(page, "sessions")["clips"]
    assert 'id="audio-' not in page
