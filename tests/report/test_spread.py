"""Distributions and buckets: the numbers that plots are drawn from."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.build import build_reports
from harness.report.summary.spread import SHARES, spread
from harness.report.tables.columns import STREAMING_COLUMNS

VALUES = st.lists(st.integers(-5000, 60_000).map(lambda ms: ms / 1000), min_size=1, max_size=200)


@given(values=VALUES)
def test_quantiles_are_numpys(values):
    """Quantiles are linear between neighbours, as numpy's are, and never fall."""
    found = spread([*values, None])
    assert len(values) == found.n
    assert found.quantiles == pytest.approx(np.quantile(values, SHARES).tolist(), abs=1e-4)
    assert sorted(found.quantiles) == found.quantiles


@given(values=VALUES)
def test_an_interval_holds_its_percentile_or_is_missing(values):
    """Order statistics bound a percentile from both sides; six values bound a median, not a 95th percentile."""
    found = spread(values)
    for percentile in (found.p50, found.p95, found.p99):
        if percentile.low is not None:
            assert percentile.value is not None
            assert percentile.low <= percentile.value <= percentile.high
    assert (found.p50.low is not None) == (len(values) >= 6)
    assert (found.p95.low is not None) == (len(values) >= 72)
    assert (found.p95.value is not None) == (len(values) >= 20)
    assert (found.p99.value is not None) == (len(values) >= 100)


def test_nothing_has_no_spread():
    """Without values there is no distribution."""
    assert spread([None, None]) is None


def test_late_sessions_are_in_no_distribution(run, said):
    """A session that our own client sent late is not in the latencies, and one without text in neither."""
    rows = [said.Said(id=f"a{n}") for n in range(3)] + [said.Said(id="late", late=True), said.Said(id="mute", hypothesis="", outcome="ok_empty")]  # fmt: skip
    overall, by_locale = build_reports(run(rows)).summary.latencies
    assert (None, "en-US") == (overall.locale, by_locale.locale)
    assert 3 == overall.final_text.n == by_locale.first_text.n


def test_buckets_average_locales_and_sum_within_them(run, said):
    """In a bucket a locale's counts are summed and the locales' rates averaged; in words where all are measured so."""
    rows = [
        said.Said(id="a", audio_s=3.0, reference="a b c d", hypothesis="a b c x"),
        said.Said(id="b", audio_s=3.9, reference="a b", hypothesis="a b"),
        said.Said(id="c", audio_s=3.0, locale="de-DE", reference="a b", hypothesis="x y"),
        said.Said(id="d", audio_s=70.0, reference="a b", hypothesis="a b"),
    ]
    short, long = build_reports(run(rows)).summary.buckets
    assert ("WER", 2.0, 4.0, 3, 2) == (
        short.metric,
        short.from_s,
        short.to_s,
        short.utterances,
        short.locales,
    )
    assert pytest.approx((1 / 6 + 2 / 2) / 2) == short.rate
    assert (60.0, None, 0.0) == (long.from_s, long.to_s, long.rate)
    rows.append(said.Said(id="e", locale="ja-JP", reference="自由", hypothesis="自由", audio_s=3.0))
    assert {"CERns"} == {one.metric for one in build_reports(run(rows)).summary.buckets}


def test_the_macro_rate_has_an_interval_over_speakers(run, said):
    """A standing's macro rate lies within its interval; with one speaker a locale there is none."""
    rows = [
        said.Said(id=f"{locale}{n}", locale=locale, speaker=f"s{n}", hypothesis="the quick brown fox" + " x" * (n % 3))
        for locale in ("en-US", "de-DE")
        for n in range(8)
    ]  # fmt: skip
    (standing,) = build_reports(run(rows)).summary.standings
    assert standing.macro_cerns_low < standing.macro_cerns < standing.macro_cerns_high
    (alone,) = build_reports(
        run([said.Said(id="a"), said.Said(id="b", locale="de-DE")])
    ).summary.standings
    assert alone.macro_cerns_low is None


def test_no_mean_of_rates_is_said_to_be_below_nothing(run, said):
    """However far apart two speakers are, the interval of a macro rate ends at 0."""
    heard = ["the quick brown fox", "the quick brown fox" + " x" * 9]
    rows = [
        said.Said(id=f"{locale}{n}", locale=locale, speaker=f"s{n}", hypothesis=text)
        for locale in ("en-US", "de-DE")
        for n, text in enumerate(heard)
    ]
    (standing,) = build_reports(run(rows)).summary.standings
    assert standing.macro_cerns_low == 0.0
    assert standing.macro_cerns < standing.macro_cerns_high


def test_mistakes_and_flags_are_counted(run, said):
    """The commonest mistakes of a cell stand first with the utterances they are in; flags count what detectors found."""
    rows = [
        said.Said(id="a", hypothesis="the quick brown box"),
        said.Said(id="b", hypothesis="the quick brown box"),
        said.Said(id="c", hypothesis="the slow brown fox"),
        said.Said(id="d", reference="one two three four five", hypothesis="five"),
    ]
    summary = build_reports(run(rows)).summary
    (cell,) = summary.mistakes
    assert ("S", "fox", "box", 2, ("a", "b")) == (
        cell.commonest[0].op, cell.commonest[0].reference, cell.commonest[0].hypothesis,
        cell.commonest[0].count, cell.commonest[0].examples,
    )  # fmt: skip
    (flag,) = summary.flags
    assert ("lost_start", 1, 4, {"en-US": 1}, ["d"]) == (
        flag.fault, flag.rows, flag.scored, flag.locales, flag.examples,
    )  # fmt: skip


def test_a_cell_says_how_it_reads(run, said):
    """Punctuation and casing are in the summary, pooled over the cell's rows; in Thai there are none."""
    rows = [
        said.Said(id="a", reference="Hello, World.", hypothesis="hello World."),
        said.Said(id="b", reference="Is it?", hypothesis="Is it."),
        said.Said(id="c", locale="th-TH", reference="มนุษย์", hypothesis="มนุษย์"),
    ]
    english, thai = build_reports(run(rows)).summary.cells
    # A comma is missing, a stop is right, a question has become a stop.
    assert (2 / 3, 3 / 4) == (
        english.readability.punctuation_error_rate,
        english.readability.casing,
    )
    assert (0.5, 1.0) == (
        english.readability.marks["stop"].precision,
        english.readability.marks["stop"].recall,
    )
    assert thai.readability is None


def test_errors_are_divided_by_noise_and_by_when_sessions_began(run, said):
    """A dataset's own signal-to-noise ratio makes buckets; sessions fall into thirds and hours as they began."""
    rows = [
        said.Said(id=f"a{n}", hypothesis="the quick", tags={**said.SPEECH, "snr": str(8 + 4 * n)})
        for n in range(4)
    ]
    folder = run(rows)
    journal = folder / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for n, line in enumerate(lines):
        line["started_at"] = f"2026-11-21T{14 + n // 3}:0{n}:00.000Z"
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (cell,) = build_reports(folder).summary.breakdowns
    assert {"under 10 dB": 1, "10 to 20 dB": 2, "20 to 30 dB": 1} == {
        part.value: part.utterances for part in cell.errors.by_snr
    }
    assert {"first third": 1, "middle third": 1, "last third": 2} == {
        part.value: part.utterances for part in cell.errors.by_turn
    }
    assert {"14:00 UTC": 3, "15:00 UTC": 1} == {
        part.value: part.utterances for part in cell.errors.by_hour
    }


def test_what_is_on_the_screen_grows_to_the_final_text(run, said):
    """At the end of speech only the first half of a transcript is there; once all has come the rate is the final one."""
    rows = [said.Said(id=f"a{n}", speaker=f"s{n}") for n in range(4)] + [
        said.Said(id="late", late=True)
    ]
    summary = build_reports(run(rows)).summary
    assert [0.0, 0.5, 1.0, 2.0, 5.0, None] == [one.after_s for one in summary.settling]
    assert {("WER", 1, 4)} == {(one.metric, one.locales, one.sessions) for one in summary.settling}
    # "the quick" of four words, then what is cut off "brown": pieces come at 1.2 s and 4.3 s, speech ends at 3.5 s.
    assert [0.5, 0.5, 0.0, 0.0, 0.0, 0.0] == [one.rate for one in summary.settling]
    assert [] == build_reports(run(rows, pace=0.0)).summary.settling


def test_how_transcripts_grew_is_told_of_every_session(run, said):
    """streaming.csv has a row for each watched session, and the summary sums them; an append-only stream erases nothing."""
    rows = [said.Said(id=f"a{n}", speaker=f"s{n}") for n in range(4)] + [
        said.Said(id="late", late=True)
    ]
    table = build_reports(run(rows))
    text = (table.folder / "streaming.csv").read_text(encoding="utf-8")
    lines = list(csv.DictReader(text.splitlines()))
    assert [column.name for column in STREAMING_COLUMNS] == list(lines[0])
    assert ["a0", "a1", "a2", "a3"] == [line["utterance_id"] for line in lines]
    assert {"0.0"} == {line["erasure"] for line in lines}
    assert {("0.5", "0.0")} == {(line["rate_after_0_s"], line["rate_final"]) for line in lines}
    (told,) = table.summary.streaming
    assert (4, 16, 0.0, 0) == (told.sessions, told.tokens, told.erasure, told.revised.count)
    # Pieces come at 1.2 s and 4.3 s of a clip of 4 s whose speech is from 0.5 s to 3.5 s.
    letters = len("thequickbrownfox")
    ends = [0.5 + 3.0 * spoken / letters for spoken in (3, 8, 13, 16)]
    delays = sorted(t - end for t, end in zip((1.2, 1.2, 4.3, 4.3), ends, strict=True))
    assert [pytest.approx((delays[1] + delays[2]) / 2, abs=1e-6)] * 4 == [
        float(line["emission_p50_s"]) for line in lines
    ]
    assert told.emission_p50_s == pytest.approx((delays[1] + delays[2]) / 2, abs=1e-6)
    assert told.laal_p50_s < told.dal_p50_s


def test_a_run_that_was_not_paced_has_no_streaming(run, said):
    """Without real time nothing is told of how text grew, and no file is written."""
    table = build_reports(run([said.Said(id="a")], pace=0.0))
    assert [] == table.summary.streaming
    assert not (table.folder / "streaming.csv").exists()
