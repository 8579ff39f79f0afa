"""Speech that was spoken, scored by an ear of ours beside the service's own transcription."""

from __future__ import annotations

import jiwer
import msgspec
import pandas as pd
import pytest

from harness.clock import run_virtual
from harness.report.build import build_reports
from harness.report.verify import differences
from harness.report.words.digest import summary_text
from harness.report.words.ears import ear_limit
from harness.run.folder import JOURNAL, read_journal
from harness.run.heard import HeardSpeech, digest, speech_file, write_heard
from tests.report.conftest import unpacked
from tests.report.test_page import EVIL, Parsed, require_no_markup
from tests.run.runs import plan, run
from tests.run.test_speak import text
from tests.session.memory import MODEL, Service
from tests.session.speaker import speaking, speaks

WORDS = "Zwei plus zwei ist vier."
EAR = "whisper-base int8 (faster-whisper 1.2.1)"


def spoken(folder, *texts):
    """Have texts read aloud in memory; return the final records."""
    made = plan(texts, task="speak", transcript="output")
    run_virtual(run(made, folder, Service(speaks()), setups={MODEL: speaking(MODEL)}))
    records = [record for record in read_journal(folder) if record.final]
    return sorted(records, key=lambda record: record.utterance)


def hears(folder, record, words, ear=EAR):
    """Note what an ear heard of a record's speech."""
    name = speech_file(record)
    heard = HeardSpeech(
        audio=name, sha256=digest(folder / name), ear=ear, language="de", text=words
    )
    write_heard(folder, heard)


def test_both_rates_stand_beside_each_other(tmp_path):
    """What the ear heard has a rate of its own, counted as the service's transcription is; sums are pooled."""
    records = spoken(tmp_path, text(1), text(2), text(3))
    said = ["Zwei plus zwei ist vier.", "Zwei und zwei ist", ""]
    for record, words in zip(records, said, strict=True):
        hears(tmp_path, record, words)
    table = build_reports(tmp_path)
    rows = table.utterances()
    witness = [
        jiwer.wer("zwei plus zwei ist vier", words.lower().rstrip(".") or "") for words in said
    ]
    assert [0.0, 0.0, 0.0] == rows["rate"].tolist()
    assert witness == pytest.approx(rows["ear_rate"].tolist())
    assert [0, 2, 5] == rows["ear_errors"].tolist()
    assert [EAR] * 3 == rows["ear"].tolist()
    assert said[:2] == rows["ear_hypothesis"].tolist()[:2]
    packed = unpacked((tmp_path / "report.html").read_text(), "rows")
    assert said == packed["ear_hypothesis"]
    assert witness == pytest.approx(packed["ear_rate"])
    assert pd.isna(rows["ear_hypothesis"][2])
    [cell] = table.cells().to_dict("records")
    assert (EAR, 3, 7 / 15) == (cell["ear"], cell["ear_scored"], pytest.approx(cell["ear_rate"]))
    assert 0.0 == cell["rate"]
    for name in ("report.html", "summary.md"):
        shown = (tmp_path / name).read_text()
        assert "by ear" in shown
        assert "46.7" in shown
    assert any("its own errors are in it" in one.text for one in table.summary.warnings)
    assert [] == list(differences(tmp_path))


def test_hostile_words_of_an_ear_never_become_markup(tmp_path):
    """Neither an ear's name nor what it heard is more than text on the page of spoken texts."""
    (record,) = spoken(tmp_path, text(1, words=EVIL))
    hears(tmp_path, record, EVIL, ear=f"{EVIL} 1")
    assert [EVIL] == build_reports(tmp_path).utterances()["ear_hypothesis"].tolist()
    require_no_markup(Parsed((tmp_path / "report.html").read_text(encoding="utf-8")))


def test_without_an_ear_there_is_no_rate_by_ear(tmp_path):
    """A run that no ear has heard has empty cells, no such column on its page, and no word of what an ear cannot hear."""
    spoken(tmp_path, text(1, locale="th-TH"))
    journal = tmp_path / JOURNAL
    lines = [
        msgspec.structs.replace(record, emulator=f"0.1.0; {EAR}")
        for record in read_journal(tmp_path)
    ]
    journal.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    table = build_reports(tmp_path)
    assert table.utterances()["ear_rate"].isna().all()
    page = (tmp_path / "report.html").read_text()
    assert "by ear" not in page[: page.index("<script")]
    assert "ear_rate" not in unpacked(page, "rows")
    assert [] == table.summary.deaf_spots
    assert not any("cannot hear" in one.text for one in table.summary.warnings)
    hears(tmp_path, lines[0], "something else")
    heard = build_reports(tmp_path)
    assert ["th-TH"] == [spot.locale for spot in heard.summary.deaf_spots]
    assert any(
        "which heard the speech, cannot hear th-TH" in one.text for one in heard.summary.warnings
    )


def test_a_rate_of_what_an_emulator_was_given_to_say_measures_nothing(tmp_path):
    """Page, Markdown and terminal say so first, and what to do; that a synthesiser answered; of other services nothing."""
    [record] = spoken(tmp_path, text(1))
    for header in (None, "0.1.0; scripted"):
        line = msgspec.structs.replace(record, emulator=header)
        (tmp_path / JOURNAL).write_bytes(msgspec.json.encode(line) + b"\n")
        found = [one.text for one in build_reports(tmp_path).summary.warnings]
        assert bool(header) == any("measures nothing" in one for one in found)
    for hint in ("harness report RUN --heard-by whisper", "Go by the rate by ear."):
        table = build_reports(tmp_path)
        first = table.summary.warnings[0]
        assert ("serious", True) == (first.level, hint in first.text)
        assert "The error rate of 1 session measures nothing" in first.text
        page, markdown = ((tmp_path / name).read_text() for name in ("report.html", "summary.md"))
        for report in (page, markdown, summary_text(table.summary)):
            assert "EMULATED (synthesiser)" in report
            assert "measures nothing" in report
        assert "A synthesiser on this side read the texts aloud" in page
        assert "recogniser on this side" not in page
        hears(tmp_path, line, "something else")


def test_what_was_not_heard_is_told(tmp_path):
    """Speech that the ear has not come to is in no rate by ear, and the report says how to go on."""
    first, _ = spoken(tmp_path, text(1), text(2))
    hears(tmp_path, first, WORDS)
    table = build_reports(tmp_path)
    assert [False, True] == table.utterances()["ear_rate"].isna().tolist()
    [cell] = table.cells().to_dict("records")
    assert (1, 2) == (cell["ear_scored"], cell["scored"])
    assert any("1 session was not heard" in one.text for one in table.summary.warnings), [
        one.text for one in table.summary.warnings
    ]


def test_another_wav_is_no_truth(tmp_path):
    """`harness report --verify` names speech that is neither what was received nor what the ear heard."""
    [record] = spoken(tmp_path, text(1))
    hears(tmp_path, record, WORDS)
    build_reports(tmp_path)
    wav = tmp_path / speech_file(record)
    wav.write_bytes(wav.read_bytes() + b"\0")
    received, heard = differences(tmp_path)
    assert f"{speech_file(record)} is not the speech that was received" in received
    assert f"{speech_file(record)} is not what {EAR} heard" == heard


@pytest.mark.parametrize(
    "locale, words",
    [
        ("uk-UA", "no voice that reads the script of uk-UA"),
        ("ro-RO", "read ro-RO in a US English voice"),
        ("de-DE", None),
        ("en-US", None),
    ],
)
def test_what_an_emulator_reads_without_a_voice_is_told(tmp_path, locale, words):
    """A text in a language that the emulator was not told, and does not speak, is warned of; others are not."""
    spoken(tmp_path, text(1, locale=locale))
    found = [one.text for one in build_reports(tmp_path).summary.warnings if "voice" in one.text]
    assert ([] if words is None else [True]) == [words in one for one in found]


def test_who_is_told_the_language_mistakes_none():
    """What an ear cannot hear when it must find the language is no limit where it is told."""
    assert ear_limit(EAR, "nl-NL") is not None
    assert ear_limit(EAR, "nl-NL", told=True) is None
    assert ear_limit(EAR, "th-TH", told=True) == ear_limit(EAR, "th-TH")
    assert ear_limit("pocketsphinx en-us 5.1", "de-DE", told=True) is not None
