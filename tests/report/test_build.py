"""The reports of a run: every planned session is a row, sums are sums, and the same run gives the same bytes."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

import harness
from harness.audio import speech
from harness.errors import InputError, UsageError
from harness.report.build import build_reports
from harness.report.tables.columns import SUMMARY_COLUMNS
from harness.report.tables.table import read_table
from harness.report.tables.write import write_files
from harness.report.words.digest import cell_tables, summary_text
from harness.run.folder import JOURNAL, read_journal, read_plan
from harness.run.record import Usage
from harness.wire.live import catalogue

FILES = {
    "utterances.csv",
    "summary.csv",
    "summary.json",
    "summary.md",
    "report.html",
    "speech.jsonl",
}
COUNTS = ("hits", "substitutions", "deletions", "insertions", "reference_tokens")


@pytest.fixture(scope="module")
def story(tmp_path_factory, said):
    """One of everything, reported once."""
    folder = said.make_run(tmp_path_factory.mktemp("story") / "run", said.STORIES)
    return build_reports(folder)


def test_every_planned_session_is_a_row(run, said):
    """Rows are utterances × models × repeats in plan order, whether or not anything became of them."""
    one = said.Said
    planned = [
        one(id=name, model=model, repeat=repeat)
        for name in ("a", "b", "c")
        for model in ("m1", "m2")
        for repeat in (1, 2)
        if (name, model, repeat) != ("c", "m2", 2)
    ]
    frame = build_reports(run(planned)).utterances()
    assert 3 * 2 * 2 == len(frame)
    assert [("a", "m1", 1), ("b", "m1", 1)] == list(
        frame[["utterance_id", "model", "repeat"]].head(2).itertuples(index=False, name=None)
    )
    assert ["not attempted"] == list(frame[frame["outcome"].isna()]["reason"])


def test_a_cell_is_the_sum_of_its_rows(story):
    """Scored and failed rows, counts, tokens, audio and late sessions of every cell are sums over its rows."""
    frame = story.utterances()
    for cell in story.summary.cells:
        rows = frame[
            (frame["dataset"] == cell.dataset)
            & (frame["locale"] == cell.locale)
            & (frame["model"] == cell.model)
        ]
        assert cell.utterances == len(rows)
        assert cell.scored == rows["metric"].notna().sum()
        assert {name: getattr(cell, name) for name in COUNTS} == {
            name: rows[name].sum() for name in COUNTS
        }
        assert cell.rate == rows["errors"].sum() / rows["reference_tokens"].sum()
        assert cell.late_sessions == rows["late"].sum()
        assert cell.audio_s == pytest.approx(rows["audio_s"].sum())
        assert cell.total_tokens == rows["total_tokens"].sum()
    assert len(frame) == sum(cell.utterances for cell in story.summary.cells)


def test_what_is_no_answer_is_not_scored(story):
    """Quota refusals and sessions never attempted are out of the rate; empty answers and server failures are in it.

    The former make their cell incomplete, the latter are all deletions.
    """
    frame = story.utterances().set_index("utterance_id")
    for name in ("de-quota", "en-never"):
        assert frame.loc[name, ["metric", "rate", "errors"]].isna().all()
    for name in ("en-empty", "en-broken"):
        assert (4, 4, 1.0) == tuple(frame.loc[name, ["errors", "deletions", "rate"]])
    german = next(cell for cell in story.summary.cells if cell.locale == "de-DE")
    assert (3, 2, 1) == (german.utterances, german.scored, german.failed)
    assert not german.complete
    # “Guten Morgen” unheard is two more deletions.
    assert (german.errors + 2) / (german.reference_tokens + 2) == german.rate_if_failed_deleted
    assert Counter(ok=2, failed_quota=1) == german.outcomes
    standing = next(one for one in story.summary.standings if one.dataset == "sample")
    assert (2, 4) == (standing.ranked_locales, standing.locales)


def test_a_row_without_reference_says_so(story):
    """An utterance whose dataset has no reference is neither scored nor failed, and its row says why."""
    frame = story.utterances().set_index("utterance_id")
    assert "no reference" == frame.loc["en-unwritten", "reason"]
    english = next(cell for cell in story.summary.cells if cell.locale == "en-US")
    assert english.utterances == english.scored + english.failed + 1


@pytest.mark.capability("usage: per modality, turn and session", side="parts")
def test_attempts_count_and_their_tokens_too(story):
    """A row that was refused twice for quota and then answered has three attempts and is whole."""
    frame = story.utterances().set_index("utterance_id")
    assert (3, "ok", 137) == tuple(frame.loc["de-retried", ["attempts", "outcome", "total_tokens"]])


def test_attempts_of_the_run_are_the_sum_of_its_rows_and_refused_ones_are_told(story):
    """The run's attempts are the sum of the column; those refused for quota that others followed are counted, and said."""
    summary = story.summary
    assert sum(row.attempts for row in story.rows) == summary.attempts
    assert 2 == summary.refused
    told = f"2 of {summary.attempts} attempts were refused for quota, and tried again."
    assert [told] == [one.text for one in summary.warnings if "tried again" in one.text]
    assert told in (story.folder / "summary.md").read_text(encoding="utf-8")
    assert told in summary_text(summary)
    assert "2 refused for quota, tried again" in (story.folder / "report.html").read_text("utf-8")


def test_latency_counts_from_due_speech_and_leaves_late_sessions_out(story, said):
    """first_text_s and final_text_s count from onset and end of speech; percentiles equal numpy's over punctual rows."""
    frame = story.utterances().set_index("utterance_id")
    records = {record.utterance: record for record in read_journal(story.folder) if record.final}
    row, record = frame.loc["en-22"], records["en-22"]
    assert row["first_text_s"] == pytest.approx(record.first_text_t - said.SPEECH["speech_start"])
    assert row["final_text_s"] == pytest.approx(record.final_text_t - said.SPEECH["speech_end"])
    assert "annotation" == row["speech_bounds_source"]
    english = next(cell for cell in story.summary.cells if cell.locale == "en-US")
    timed = frame[(frame["locale"] == "en-US") & (frame["late"] == False)]  # noqa: E712 - a column, not a flag
    for column in ("first_text", "final_text"):
        expected = np.median(timed[f"{column}_s"].dropna().to_numpy(float))
        assert getattr(english, f"{column}_p50_s") == pytest.approx(expected, abs=1e-6)
    assert (1, 4) == (english.late_sessions, english.timed)


@pytest.mark.parametrize("sessions", [19, 20])
def test_a_percentile_takes_enough_sessions(run, said, sessions):
    """A p95 of fewer than 20 sessions is missing in cells and standings and “too few” on the page; else it is numpy's."""
    draw = np.random.default_rng(sessions)
    rows = [said.Said(id=f"a{n}", tags={"speech_start": 0.5, "speech_end": draw.uniform(1, 3.5)}) for n in range(sessions)]  # fmt: skip
    table = build_reports(run(rows))
    lags = [row.final_text_s for row in table.rows]
    expected = np.percentile(lags, 95) if sessions == 20 else None
    for found in (*table.summary.cells, *table.summary.standings):
        assert pytest.approx(expected, abs=1e-6) == found.final_text_p95_s
        assert pytest.approx(np.median(lags), abs=1e-6) == found.final_text_p50_s
    told = "p95 too few" in (table.folder / "report.html").read_text(encoding="utf-8")
    assert told == (sessions == 19)
    assert all(one.final_text.p99.value is None for one in table.summary.latencies)


def test_the_same_run_gives_the_same_bytes(run):
    """Reporting again changes no byte of any file."""
    folder = run()
    build_reports(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    build_reports(folder)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert FILES <= set(before)


def test_the_summary_on_disk_is_the_table(story):
    """summary.csv and summary.json hold the cells that the table gives."""
    disk = read_table(story.folder / "summary.csv", SUMMARY_COLUMNS)
    assert story.cells().astype("string").equals(disk.astype("string"))
    document = json.loads((story.folder / "summary.json").read_text())
    assert [cell.rate for cell in story.summary.cells] == [
        cell["rate"] for cell in document["cells"]
    ]
    assert "NaN" not in (story.folder / "summary.json").read_text()


def test_every_table_has_one_order(run, said):
    """Datasets are as they were given, locales by name, models as they were given: in CSV, Markdown, terminal and page."""
    said_by = [
        said.Said(id=f"{code}{dataset}", dataset=dataset, locale=code, model=model, hypothesis="x")
        for dataset in ("zoo", "ark")
        for model in ("gemini-3.8-live", "gemini-2.0-flash-exp")
        for code in ("en-US", "de-DE")
    ]
    table = build_reports(run(said_by))
    models = ("gemini-3.8-live", "gemini-2.0-flash-exp")
    wanted = [(d, code, m) for d in ("zoo", "ark") for code in ("de-DE", "en-US") for m in models]
    rows = read_table(table.folder / "summary.csv", SUMMARY_COLUMNS)
    assert wanted == list(zip(rows["dataset"], rows["locale"], rows["model"], strict=True))
    assert wanted == [(one.dataset, one.locale, one.model) for one in table.summary.mistakes]
    assert wanted == [(one.dataset, one.locale, one.model) for one in table.summary.breakdowns]
    titles = [title for title, _ in cell_tables(table.summary)]
    assert [f"{m} on {d}" for d in ("zoo", "ark") for m in models] == titles
    for _, (_, *cells) in cell_tables(table.summary):
        assert ["de-DE", "en-US"] == [cell[0] for cell in cells]


def test_summary_markdown_stays_as_it_is(said, tmp_path):
    """summary.md of the story is the golden file, byte for byte but for the version of the program."""
    folder = said.make_run(tmp_path / "20261121-140312-1f0c9a7e", said.STORIES)
    build_reports(folder, profile="norm-1")
    markdown = (folder / "summary.md").read_text(encoding="utf-8")
    golden = Path(__file__).with_name("summary.md")
    if "REGENERATE_GOLDEN" in os.environ:
        golden.write_text(markdown, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == markdown.replace(
        f"harness `{harness.__version__}`", "harness `0.1.0`"
    )


def test_a_model_that_was_shut_down_is_told_with_its_day(run, said):
    """Where the service has shut a model down, the report says so and when, whoever served its wire; of others it says nothing."""
    told = {
        model: [
            warning.text
            for warning in build_reports(run([said.Said(id="a", model=model)])).summary.warnings
            if "shut down" in warning.text
        ]
        for model in ("gemini-live-2.5-flash-preview", "gemini-2.0-flash-exp", "gemini-3.8-live")
    }
    assert [1, 1, 0] == [len(texts) for texts in told.values()]
    (dated,) = told["gemini-live-2.5-flash-preview"]
    assert "was shut down at the service on 2025-12-09:" in dated
    assert "was shut down at the service:" in told["gemini-2.0-flash-exp"][0]


def test_a_deprecated_model_is_told_from_its_day_on(run, said, monkeypatch):
    """A model that still answers and is announced to end says so in runs planned on that day or later, and not before."""
    name = "gemini-3.8-live"
    known = catalogue.find(name)
    found = []
    for day in ("2026-11-21", "2026-11-22"):  # the story is planned on the 21st
        monkeypatch.setattr(
            catalogue, "find", lambda _, day=day: dataclasses.replace(known, retired=day)
        )
        warnings = build_reports(run([said.Said(id="a", model=name)])).summary.warnings
        found.append([one.text for one in warnings if "deprecated" in one.text])
    assert [
        [f"{name} is deprecated at the service since 2026-11-21: it may be shut down any day."],
        [],
    ] == found


def test_without_real_time_there_is_no_latency(run, said):
    """A run at pace 0 reports no latency and says why."""
    summary = build_reports(run([said.Said(id="a")], pace=0.0)).summary
    assert [None] == [cell.first_text_p50_s for cell in summary.cells]
    assert any("not in real time" in warning.text for warning in summary.warnings)


@pytest.mark.capability("usage: absent is unknown", side="parts")
@pytest.mark.parametrize(
    "bill, cost, tokens",
    [
        (Usage(), None, None),  # answered, and no bill came
        (Usage(records=1, total_tokens=9, prompt_tokens=9), None, 146),  # tokens of no known kind
    ],
)
def test_a_partly_unknown_sum_is_unknown(run, said, bill, cost, tokens):
    """Cost and tokens of a cell are missing as soon as one of its answered rows lacks them, and a warning says so."""
    table = build_reports(run([said.Said(id="a"), said.Said(id="b", usage=bill)]))
    assert (cost, tokens) == (table.summary.cells[0].cost_usd, table.summary.cells[0].total_tokens)
    assert table.summary.cost_usd is None
    assert any("left empty" in warning.text for warning in table.summary.warnings)


def test_a_model_without_price_costs_nothing_known(run, said):
    """A model that the catalogue has no price for has tokens and no cost."""
    cell = build_reports(run([said.Said(id="a", model="my-own-model")])).summary.cells[0]
    assert (137, None) == (cell.total_tokens, cell.cost_usd)


@pytest.mark.capability("usage: thoughts", side="parts")
@pytest.mark.capability("usage: cached tokens", side="parts")
@pytest.mark.capability("usage: tool-use tokens", side="parts")
def test_what_lies_within_and_beside_the_counts_is_told(run, said):
    """Thoughts, cached and tools' tokens are columns of both tables, summed over those that have them, and on the page."""
    bill = msgspec.structs.replace(
        said.usage(), thoughts_tokens=11, cached_tokens=7_777, tool_use_tokens=3
    )
    told = [said.Said(id="a", usage=bill), said.Said(id="b", usage=bill), said.Said(id="c")]
    folder = run(told)
    table = build_reports(folder)
    names = ("thoughts_tokens", "cached_tokens", "tool_use_tokens")
    frame = harness.read_run(folder)
    assert [11, 7_777, 3] == list(frame.loc[0, list(names)])
    assert frame.loc[2, list(names)].isna().all()
    for one in (table.summary.cells[0], table.summary.standings[0]):
        assert (22, 15_554, 6) == tuple(getattr(one, name) for name in names)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "from a cache 15" in page
    assert "Tokens from a cache are priced as any sent" in page


def test_without_a_cache_none_is_spoken_of(run, said):
    """A page without such tokens says nothing of them."""
    folder = run([said.Said(id="a")])
    build_reports(folder)
    page = (folder / "report.html").read_text(encoding="utf-8")
    section = page.partition('id="cost"')[2].partition("</section>")[0]
    assert "Tokens" in section
    assert "cache" not in section


@pytest.mark.capability("usage: per modality, turn and session", side="parts")
def test_cost_is_tokens_at_list_prices(run, said):
    """128 audio tokens at $3 and 9 text tokens at $2 a million cost $0.000402 (gemini-live-2.5-flash-preview, 2025-10)."""
    table = build_reports(run([said.Said(id="a"), said.Said(id="b")]))
    assert [0.000402] * 2 == [row.cost_usd for row in table.rows]
    assert pytest.approx(0.000804) == table.summary.cost_usd


def test_speakers_are_the_blocks_of_the_interval(run, said):
    """The interval is over speakers where all are known, so repeating a speaker's utterances does not narrow it."""
    told = [
        said.Said(id=f"{speaker}{n}", speaker=speaker, hypothesis=text)
        for n in range(3)
        for speaker, text in (
            ("a", "the quick"),
            ("b", "the quick brown fox"),
            ("c", "the quick brown"),
            ("d", "the brown fox"),
        )
    ]
    one, three = (build_reports(run(rows)).summary.cells[0] for rows in (told[:4], told))
    assert (4, 4) == (one.speakers, three.speakers)
    assert (one.rate_low, one.rate_high) == pytest.approx((three.rate_low, three.rate_high))
    assert one.rate_low < one.rate < one.rate_high
    assert ("linearised", 4, "speaker") == (one.basis.method, one.basis.blocks, one.basis.block)


def test_few_speakers_are_too_few(run, said):
    """Three speakers have a rate and no interval, and the tables say why."""
    table = build_reports(run([said.Said(id=name, speaker=name) for name in "abc"]))
    (cell,) = table.summary.cells
    assert (None, None, "too few") == (cell.rate_low, cell.rate_high, cell.basis.method)
    assert "too few" in (table.folder / "summary.md").read_text()


def test_a_cell_has_the_rates_of_its_utterances(run, said):
    """Beside the pooled rate: sentences with an error, mean, median, rates over one; what was heard in silence."""
    rows = [
        said.Said(id="a", reference="one two", hypothesis="one two"),
        said.Said(id="b", reference="yes", hypothesis="no way at all"),
        said.Said(id="c", reference="one two", hypothesis="one"),
        said.Said(id="d", reference="...", hypothesis="thank you"),
    ]
    (cell,) = build_reports(run(rows)).summary.cells
    rates = cell.utterance_rates
    assert (3, 2 / 3, 1.5, 0.5, 1 / 3) == (
        rates.utterances, rates.wrong, rates.mean, rates.median, rates.over_one,
    )  # fmt: skip
    assert (1, 1, 2) == (
        cell.silence.with_text.count,
        cell.silence.with_text.n,
        cell.silence.tokens,
    )


def test_repeats_tell_how_far_chance_moves_a_rate(run, said):
    """The rates of the repeats have a standard deviation; one repeat has none."""
    rows = [
        said.Said(id="a", repeat=repeat, reference="one two three four", hypothesis=text)
        for repeat, text in ((1, "one two three four"), (2, "one two three"))
    ]
    (cell,) = build_reports(run(rows)).summary.cells
    assert np.std([0.0, 0.25], ddof=1) == pytest.approx(cell.rate_sd_of_repeats)
    assert build_reports(run(rows[:1])).summary.cells[0].rate_sd_of_repeats is None


@pytest.mark.parametrize("speaker, told", [(None, True), ("ann", False)])
def test_an_interval_over_utterances_is_said_to_be_a_lower_bound(run, said, speaker, told):
    """Where nobody says who speaks, the report does say so."""
    warnings = build_reports(run([said.Said(id="a", speaker=speaker)])).summary.warnings
    assert told == any("lower bounds" in warning.text for warning in warnings)


def test_locales_that_share_their_clips_are_named(run, said):
    """Two English locales over the same audio are one test set, which a macro counts once, as the report says."""
    heard = {"en-US": "the quick", "en-GB": "quick", "de-DE": "the quick brown fox"}
    folder = run([said.Said(id=f"{code}{n}", locale=code, hypothesis=heard[code]) for code in heard for n in range(2)])  # fmt: skip
    plan = json.loads((folder / "plan.json").read_text())
    for one in plan["utterances"]:
        one["sha256"] = f"{'de' if one['locale'] == 'de-DE' else 'en'}{one['id'][-1]}"
    (folder / "plan.json").write_text(json.dumps(plan))
    summary = build_reports(folder).summary
    (told,) = [one.text for one in summary.warnings if "test set" in one.text]
    assert "sample: en-US, en-GB have the same clips" in told
    assert ["de-DE", "en-US", "en-US"] == [cell.test_set for cell in summary.cells]
    (standing,) = summary.standings
    rates = {cell.locale: cell.cerns for cell in summary.cells}
    assert (3, 2) == (standing.ranked_locales, standing.test_sets)
    english = (rates["en-US"] + rates["en-GB"]) / 2
    assert pytest.approx((english + rates["de-DE"]) / 2) == standing.macro_cerns
    assert rates["en-US"] != rates["en-GB"] != rates["de-DE"]


def test_gross_faults_are_told_apart(run, said):
    """A cell with a hallucination gives the rate with it, and without it; the headline keeps it."""
    rows = [said.Said(id=str(n), reference="one two", hypothesis="one two") for n in range(9)]
    rows.append(said.Said(id="x", reference="yes", hypothesis="no way at all of this ever"))
    (cell,) = build_reports(run(rows)).summary.cells
    assert (1, 10) == (cell.flagged.rows.count, cell.flagged.rows.n)
    assert (7.0, 0.0) == (cell.flagged.rate_flagged, cell.flagged.rate_unflagged)
    assert 7 / 19 == pytest.approx(cell.rate)


def test_errors_are_divided_in_the_summary(run, said):
    """summary.json says where the errors of each cell are."""
    rows = [
        said.Said(id="a", speaker="ann", reference="it is 25 now", hypothesis="it is 24 now"),
        said.Said(id="b", speaker="bob", reference="a b c d", hypothesis="b c d"),
    ]
    (cell,) = build_reports(run(rows), profile="norm-1").summary.breakdowns
    assert ("ann", 0.25) == (cell.errors.by_speaker[0].value, cell.errors.by_speaker[0].rate)
    assert (1, 1) == (
        cell.errors.token_classes["number"].wrong,
        cell.errors.token_classes["number"].tokens,
    )
    assert 1 == cell.errors.deletions_by_position[0].deleted


# ── Speech bounds ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def clip(tmp_path):
    """Half a second of silence, two of loud noise in syllables, half a second of silence."""
    noise = np.random.default_rng(1).normal(0, 0.2, 32_000)
    syllables = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * np.arange(32_000) / 16_000)
    sound = np.concatenate([np.zeros(8_000), noise * syllables, np.zeros(8_000)])
    path = tmp_path / "clip.wav"
    soundfile.write(path, sound + 1e-4 * np.random.default_rng(2).normal(size=sound.size), 16_000)
    return path


def test_speech_is_looked_for_once_a_clip(run, said, clip, monkeypatch):
    """Bounds are detected once per distinct span of audio, kept in speech.jsonl, and outlive the audio."""
    heard = []
    detect = speech.speech_bounds
    monkeypatch.setattr(speech, "speech_bounds", lambda clip: heard.append(clip) or detect(clip))
    folder = run(
        [
            said.Said(id="a", audio=str(clip), tags={}),
            said.Said(id="a", audio=str(clip), tags={}, model="m2"),
            said.Said(id="b", audio=str(clip), tags={}, repeat=2),
        ]
    )
    first = build_reports(folder)
    assert {"detected"} == {row.speech_bounds_source for row in first.rows if row.outcome}
    assert 1 == len(heard)
    onset = read_journal(folder)[0].first_text_t - first.rows[0].first_text_s
    assert 0.5 == pytest.approx(onset, abs=0.15)
    clip.unlink()
    again = build_reports(folder)
    assert 1 == len(heard)
    assert [row.first_text_s for row in first.rows] == [row.first_text_s for row in again.rows]


def test_speech_is_not_looked_for_where_nothing_was_said(run, said, clip, monkeypatch):
    """A clip that was never streamed is not decoded for its report, which an interrupted run would wait for."""
    monkeypatch.setattr(speech, "speech_bounds", lambda _: pytest.fail("looked for speech"))
    table = build_reports(run([said.Said(id="a", audio=str(clip), tags={}, hypothesis=None)]))
    assert [(None, None)] == [(row.outcome, row.speech_bounds_source) for row in table.rows]


@pytest.mark.parametrize(
    "tags", [{}, {"speech_start": "soon", "speech_end": 2}, {"speech_start": 3, "speech_end": 2}]
)
def test_without_speech_the_clip_itself_counts(run, said, tags):
    """Where the audio is gone and nobody annotated it soundly, latency counts from the clip's ends, and is said to."""
    table = build_reports(run([said.Said(id="a", tags=tags)]))
    row = table.rows[0]
    record = read_journal(table.folder)[0]
    assert "clip" == row.speech_bounds_source
    assert pytest.approx(record.first_text_t) == row.first_text_s
    assert pytest.approx(record.final_text_t - said.CLIP_S) == row.final_text_s
    assert any("own ends" in warning.text for warning in table.summary.warnings)


# ── Bad input ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_torn_journal_is_reported_as_far_as_it_goes(run, said):
    """A last line cut in half is a session not attempted; everything before it counts."""
    folder = run([said.Said(id="a"), said.Said(id="b")])
    journal = folder / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-20])
    assert ["ok", None] == [row.outcome for row in build_reports(folder).rows]


def test_missing_traces_cost_only_the_timeline(run):
    """Without traces every row and rate is there all the same."""
    folder = run()
    whole = build_reports(folder).utterances()
    for trace in (folder / "traces").iterdir():
        trace.unlink()
    assert whole.equals(build_reports(folder).utterances())


def test_a_trace_outside_the_folder_is_not_read(run, said, tmp_path):
    """A journal that points out of its folder gets nothing from there into the page."""
    folder = run([said.Said(id="a", hypothesis="secret place")])
    outside = tmp_path / "outside.jsonl.gz"
    (folder / "traces" / "0000.jsonl.gz").rename(outside)
    record = msgspec.structs.replace(
        read_journal(folder)[0], trace="../outside.jsonl.gz", hypothesis="said"
    )
    (folder / JOURNAL).write_bytes(msgspec.json.encode(record) + b"\n")
    build_reports(folder)
    (session,) = said.unpacked((folder / "report.html").read_text(), "sessions")["sessions"]
    assert "fragments" not in session


def test_records_of_another_plan_are_left_out_and_counted(run, said):
    """A record that the plan does not ask for is no row, and a warning counts it."""
    folder = run([said.Said(id="a")])
    stranger = msgspec.structs.replace(read_journal(folder)[0], utterance="stranger")
    with (folder / JOURNAL).open("ab") as journal:
        journal.write(msgspec.json.encode(stranger) + b"\n")
    table = build_reports(folder)
    assert ["a"] == [row.utterance_id for row in table.rows]
    assert any("1 session of the journal" in warning.text for warning in table.summary.warnings)


def test_what_cannot_be_reported_is_named(tmp_path, run, said):
    """A folder without a plan, an unknown profile and an unwritable place are each named."""
    with pytest.raises(InputError, match="not a run folder"):
        build_reports(tmp_path)
    folder = run([said.Said(id="a")])
    with pytest.raises(UsageError, match="norm-9"):
        build_reports(folder, profile="norm-9")
    with pytest.raises(UsageError, match="WERR"):
        build_reports(folder, metric="WERR")
    assert not (folder / "report.html").exists()
    (folder / "report.html").mkdir()
    with pytest.raises(InputError, match=r"report\.html: cannot be written"):
        build_reports(folder)
    assert not list(folder.glob("*.part"))


def test_a_place_that_takes_no_change_is_named(tmp_path, monkeypatch):
    """Where nothing can be written nothing can be removed either: that is told as the place's fault, not as a bug of ours."""

    def refuse(self, *_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(
        InputError, match=r"summary\.csv: cannot be written\n +Read-only file system"
    ):
        write_files(tmp_path, {"summary.csv": []})


def test_a_file_that_breaks_off_while_it_is_made_leaves_the_one_before(tmp_path):
    """A table is written as it is made: where a row of it cannot be, the former table is whole and nothing lies beside it."""

    def breaking_off():
        yield b"first row"
        raise ValueError("no such cell")

    write_files(tmp_path, {"utterances.csv": [b"former ", b"table"]})
    with pytest.raises(ValueError, match="no such cell"):
        write_files(tmp_path, {"utterances.csv": breaking_off()})
    assert {"utterances.csv": b"former table"} == {
        path.name: path.read_bytes() for path in tmp_path.iterdir()
    }


def test_the_plan_is_what_the_summary_repeats(story):
    """Hash, command, setup, licence and synthetic speech are the plan's."""
    plan = read_plan(story.folder)
    summary = story.summary
    assert (plan.hash, plan.command, plan.setups) == (
        summary.plan_hash,
        summary.command,
        summary.setups,
    )
    assert [("sample", False), ("voices", True)] == [
        (one.name, one.synthetic) for one in summary.datasets
    ]
    assert harness.__version__ == summary.harness


def test_a_broken_session_is_told(run):
    """What a session breaks of what must hold of every session is a serious warning with its utterance and its trace."""
    folder = run()
    lines = (folder / JOURNAL).read_bytes().splitlines()
    broken = msgspec.json.decode(lines[0]) | {"violations": ["setup was sent twice"]}
    (folder / JOURNAL).write_bytes(b"\n".join([msgspec.json.encode(broken), *lines[1:], b""]))
    told = [one for one in build_reports(folder).summary.warnings if "must hold" in one.text]
    assert [("serious", True)] == [(one.level, "setup was sent twice" in one.text) for one in told]
    assert broken["utterance"] in told[0].text
