"""`harness score` on a table: the document and the exit codes."""

import json
import subprocess
import sys

import jiwer
import pytest
from click.testing import CliRunner

from harness.cli import main
from harness.errors import InputError
from harness.report.build import build_reports
from harness.report.pairs.load import read_pairs
from harness.report.pairs.pair import Pair
from harness.report.pairs.sheet import sheet
from harness.report.summary.confusions import Tenth
from harness.report.summary.token_classes import Tally


def pairs():
    """Return two locales, two models, and one of each kind that has no rate."""
    rows = [
        ("1", "en-US", "m", "the cat sat", "the cat sit"),
        ("2", "en", "m", "a b c", "a b c d"),
        ("3", "en-US", "n", "a b c", None),
        ("4", "zh", "m", "我们去北京。", "我们去北平"),
        ("5", "en-US", "m", "", "hello"),
        ("6", "en-US", "m", None, "hello"),
        ("7", "xx", "m", "a", "a"),
        ("8", "en-US", "m", "...", "uh"),
    ]
    return [
        Pair(id=i, reference=r, hypothesis=h, locale=loc, model=model, speaker=i, line=int(i) + 1)
        for i, loc, model, r, h in rows
    ]


def test_a_sheet_has_every_row_and_cell():
    """Rows keep their order and their reasons, cells sum their counts, totals sum the cells."""
    document = sheet(pairs(), profile="norm-1n", metric="auto")
    assert list("12345678") == [row["id"] for row in document["rows"]]
    reasons = {row["id"]: row["reason"] for row in document["rows"] if "reason" in row}
    assert set("5678") == set(reasons) == {r["id"] for r in document["rows"] if r["rate"] is None}
    assert ("no reference", "the reference is empty") == (reasons["6"], reasons["5"])
    assert "unknown locale" in reasons["7"]
    cells = {(cell["locale"], cell["model"]): cell for cell in document["cells"]}
    english = cells["en-US", "m"]
    assert (5, 2, 3) == (english["utterances"], english["scored"], english["failed"])
    # What was heard where nothing was said counts as inserted.
    assert (1, 3, 6, 4) == tuple(
        english[name] for name in ("substitutions", "insertions", "reference_tokens", "errors")
    )
    assert english["errors"] / 6 == english["rate"]
    assert 1.0 == cells["en-US", "n"]["rate"]
    assert 0.2 == cells["cmn-CN", "m"]["rate"]
    for name in ("errors", "hits", "insertions", "utterances", "failed"):
        assert sum(cell[name] for cell in document["cells"]) == document["totals"][name]


def test_a_cell_says_how_it_reads_and_what_went_wrong():
    """Punctuation, casing and the commonest errors stand beside a cell's rate."""
    rows = [Pair(id="u", reference="Hello, World.", hypothesis="hello word.", locale="en-US")]
    cell = sheet(rows, profile="norm-1", metric="WER")["cells"][0]
    assert 0.5 == cell["readability"].punctuation_error_rate
    assert 0.0 == cell["readability"].casing
    assert 1.0 == cell["readability"].marks["stop"].f1
    first = cell["confusions"][0]
    assert ("world", "word", ("u",)) == (first.reference, first.hypothesis, first.examples)


def test_a_cell_says_where_its_errors_are(tmp_path):
    """Errors are divided by token, position, speaker, length and tag; a table's other texts are its tags."""
    path = tmp_path / "t.csv"
    path.write_text(
        "id,reference,hypothesis,locale,speaker,duration,accent,note,score\n"
        "1,it is 25 now ok,it is 24 now ok,en-US,ann,1.5,welsh,a,1\n"
        "2,a b c d,b c d,en-US,bob,3,scots,b,2\n"
        "3,e f,e f,en-US,bob,3.9,scots,c,3\n"
    )
    (cell,) = sheet(read_pairs(path), profile="norm-1", metric="WER")["cells"]
    assert Tally(wrong=1, tokens=1) == cell["token_classes"]["number"]
    assert Tenth(deleted=1, tokens=3) == cell["deletions_by_position"][0]
    assert [("ann", 0.2), ("bob", 1 / 6)] == [(p.value, p.rate) for p in cell["by_speaker"]]
    assert [("0 to 2 s", 1), ("2 to 4 s", 2)] == [
        (part.value, part.utterances) for part in cell["by_duration"]
    ]
    # Every utterance has a note of its own: three values divide them all the same; figures are no groups.
    assert {"accent", "note"} == cell["by_tag"].keys()
    assert [("welsh", 0.2), ("scots", 1 / 6)] == [
        (part.value, part.rate) for part in cell["by_tag"]["accent"]
    ]


def test_rates_do_not_depend_on_details():
    """Asked for rates alone, a sheet has the same rows, cells and totals without what its errors are."""
    whole = sheet(pairs(), profile="norm-1n", metric="auto")
    lean = sheet(pairs(), profile="norm-1n", metric="auto", details=False)
    assert {"alignment", "faults"} == whole["rows"][0].keys() - lean["rows"][0].keys()
    details = {"readability", "confusions", "token_classes", "deletions_by_position"}
    details |= {
        "by_speaker",
        "by_duration",
        "by_pace",
        "by_snr",
        "by_turn",
        "by_hour",
        "by_tag",
        "gaps",
    }
    assert details == whole["cells"][0].keys() - lean["cells"][0].keys()
    for name in ("rows", "cells"):
        for more, less in zip(whole[name], lean[name], strict=True):
            assert less.items() <= more.items()
    assert whole["totals"] == lean["totals"]


def test_macro_rates_are_means_over_locales():
    """A model's locales are averaged: words where words are the metric, characters everywhere."""
    alone = [pair for pair in pairs() if pair.model == "m"]
    totals = sheet(alone, profile="norm-1", metric="auto")["totals"]
    assert ["en-US"] == totals["macro_wer_locales"]
    assert 4 / 6 == pytest.approx(totals["macro_wer"])
    assert ["cmn-CN", "en-US"] == totals["macro_cerns_locales"]
    (macro,) = totals["macros"]
    assert macro == macro | {name: totals[name] for name in macro if name.startswith("macro_")}


def test_models_are_never_averaged():
    """Each model has a mean of its own; beside the counts there is none where there are several."""
    totals = sheet(pairs(), profile="norm-1", metric="auto")["totals"]
    assert (None, None) == (totals["macro_wer"], totals["macro_cerns"])
    assert [("m", 4 / 6, ["cmn-CN", "en-US"]), ("n", 1.0, ["en-US"])] == [
        (one["model"], pytest.approx(one["macro_wer"]), one["macro_cerns_locales"])
        for one in totals["macros"]
    ]


def test_a_model_that_lacks_a_locale_says_so(tmp_path):
    """Printed means are one a model, each with how many of the locales it is over, and those it lacks."""
    path = tmp_path / "t.csv"
    path.write_text(
        "model,locale,reference,hypothesis\nm,en-US,a b,a b\nm,de-DE,a b,a c\nn,en-US,a b,a b\n"
    )
    _, out, _ = invoke("score", str(path))
    assert "mean WER of 2 locales, m: 25.00 %\n" in out
    assert "mean WER of 1 of 2 locales, n: 0.00 % (lacks de-DE)\n" in out


def test_a_cell_has_jiwers_rate():
    """Without anything odd in a table, a cell's rate is jiwer's corpus rate."""
    said, heard = ["a b c", "d e", "f", "g h"], ["a x c", "d e f", "", "g h"]
    rows = [
        Pair(id=str(i), reference=r, hypothesis=h, locale="de-DE")
        for i, (r, h) in enumerate(zip(said, heard, strict=True))
    ]
    cell = sheet(rows, profile="raw-1", metric="WER")["cells"][0]
    assert jiwer.wer(said, heard) == pytest.approx(cell["rate"])
    assert cell["rate_low"] <= cell["rate"] <= cell["rate_high"]
    assert "sentence" == cell["interval"].block


def invoke(*arguments):
    """Return the exit code and what was printed."""
    result = CliRunner().invoke(_Main(), list(arguments))
    return result.exit_code, result.stdout, result.stderr


class _Main:
    """The program as Click's runner calls a command."""

    name = "harness"

    def main(self, args, prog_name, **_):
        main(list(args))


@pytest.fixture
def csv(tmp_path):
    """Return a table of two good rows."""
    path = tmp_path / "t.csv"
    path.write_text(
        "reference,hypothesis,locale,speaker\nThe cat.,the cat,en-US,ann\na b,a c,en-US,bob\n"
    )
    return path


def test_a_good_table_is_exit_0(csv):
    """One JSON document on stdout, nothing on stderr, exit 0."""
    code, out, err = invoke("score", str(csv), "--json")
    assert (0, "") == (code, err)
    document = json.loads(out)
    assert {"rows", "cells", "totals", "profile"} == set(document)
    assert [["=", "the", "the"], ["=", "cat", "cat"]] == document["rows"][0]["alignment"]
    assert {"id", "code_sha256", "versions"} <= set(document["profile"])
    code, out, _ = invoke("score", str(csv))
    assert 0 == code
    assert "25.00 %" in out


def test_the_worst_rows_are_drawn(tmp_path):
    """`--draw N` draws the alignments of the N rows with the most errors, the worst first, and nothing a terminal obeys."""
    table = tmp_path / "t.csv"
    table.write_text(
        "id,reference,hypothesis,locale\n"
        "one,the cat sat,the cat sit,en-US\nright,a b,a b,en-US\n"
        "\x1b[2Jtwo,we go home now,we home,en-US\nempty,,oh,en-US\n"
    )
    code, out, _ = invoke("score", str(table), "--draw", "5")
    assert 5 == code
    drawn = out.partition("\n\n")[2].partition("\n\n")[2]
    two = "\\x1b[2Jtwo, en-US: WER 50.00 %\nREF: we go home now\nHYP: we ** home ***\n         D        D\n"
    one = "one, en-US: WER 33.33 %\nREF: the cat sat\nHYP: the cat sit\n               S\n"
    assert f"{two}\n{one}\nempty, en-US: no rate\nREF: **\nHYP: oh\n      I\n" == drawn
    assert invoke("score", str(table), "--draw", "1")[1].endswith(f"\n\n{two}")
    assert 2 == invoke("score", str(table), "--draw", "1", "--json")[0]


def test_a_run_is_scored_again(run):
    """A run's rows are those of its journal, its reports are written again under the profile, and none is lost."""
    folder = run()
    code, out, err = invoke("score", str(folder), "--json", "--profile", "raw-1")
    document = json.loads(out)
    assert 5 == code
    assert document["profile"]["id"].startswith("glt-raw-1")
    plan = json.loads((folder / "plan.json").read_text())
    planned = len(plan["utterances"]) * len(plan["models"]) * plan["repeats"]
    assert planned == len(document["rows"])
    assert all(row["reason"] in err for row in document["rows"] if row["rate"] is None)
    assert "glt-raw-1" in (folder / "summary.csv").read_text()


def test_a_run_is_written_over_only_after_it_was_said(run, monkeypatch):
    """Which reports are written again, under what, and how to have the usual ones, is told first; what is unknown before."""
    folder = run()

    def unwritable(*_, **__):
        raise InputError("the disk is full")

    monkeypatch.setattr("harness.report.build.write_files", unwritable)
    _, _, err = invoke("score", str(folder), "--metric", "CER")
    said, how, *_ = err.splitlines()
    assert said.startswith(
        f"writing again in {folder}: the tables, summary.md and report.html, under"
    )
    assert said.endswith("--profile norm-1n --metric CER")
    assert how.endswith(f": harness report {folder}")
    assert "the disk is full" in err.split(how)[1]
    assert "harness report" not in invoke("score", str(folder))[2]
    for wrong in (("--metric", "FOO"), ("--profile", "foo")):
        code, _, err = invoke("score", str(folder), *wrong)
        assert 2 == code
        assert "writing" not in err


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["--metric", "wer"], 2, "“WER”"),
        (["--profile", "norm"], 2, "norm-1"),
        (["--language", "xx"], 2, "unknown locale"),
        (["--profil", "x"], 2, "--profile"),
    ],
)
def test_what_is_typed_wrong_is_exit_2(csv, arguments, code, said):
    """An unknown profile, metric, locale or option is named, with the nearest."""
    found, out, err = invoke("score", str(csv), *arguments)
    assert (code, "") == (found, out)
    assert said in err


def test_a_row_without_a_rate_is_exit_5(csv):
    """The rest is scored; the row, its line and its reason are said on stderr."""
    with csv.open("a") as file:
        file.write(",x,en-US,ann\na,b,zz,ann\n")
    code, out, err = invoke("score", str(csv), "--json")
    assert 5 == code
    assert "line 4" in err
    assert "zz" in err
    assert 2 == json.loads(out)["totals"]["failed"]


def test_an_unusable_table_is_exit_3(tmp_path, csv):
    """A missing file, a folder that is no run, and a ragged table are told, and nothing is printed."""
    ragged = tmp_path / "r.csv"
    ragged.write_text("reference,hypothesis,locale\na\n")
    for path in (tmp_path / "none.csv", tmp_path, ragged):
        code, out, err = invoke("score", str(path))
        assert (3, "") == (code, out)
        assert str(path) in err


def test_names_from_a_table_cannot_drive_the_terminal(tmp_path):
    """Control characters of a table are not printed."""
    path = tmp_path / "t.jsonl"
    path.write_text(
        json.dumps(
            {"reference": "", "hypothesis": "", "locale": "en", "id": "\x1b[2J", "model": "\x1b[1m"}
        )
    )
    _, out, err = invoke("score", str(path))
    assert "\x1b" not in out + err


@pytest.mark.wall
def test_help_imports_nothing_but_click():
    """`harness score --help` loads no library but click."""
    probe = (
        "import sys; from harness.cli.score import command\n"
        "heavy = {'numpy', 'pandas', 'regex', 'msgspec', 'rapidfuzz', 'jiwer'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", probe], check=True)


@pytest.mark.parametrize(
    "metric, said", [("segWER", "cut by fugashi "), ("gCER", "cut by the rules of Unicode "), ("CERns", None)]
)  # fmt: skip
def test_what_cut_the_tokens_is_printed(tmp_path, metric, said):
    """Where tokens depend on a tool's version, the table names it."""
    pytest.importorskip("fugashi")
    path = tmp_path / "t.csv"
    path.write_text("reference,hypothesis,locale\n早く来て,早く来た,ja-JP\n", encoding="utf-8")
    code, printed, _ = invoke("score", str(path), "--metric", metric)
    assert code == 0
    assert ("cut by" in printed) == (said is not None)
    assert said is None or said in printed


def test_ids_without_a_hypothesis_are_told(tmp_path):
    """Ids that a hypothesis file lacks are counted as deletions, and said with the first."""
    (tmp_path / "r.trn").write_text("a (s-1)\nb (s-2)\nc (s-3)\n")
    (tmp_path / "h.trn").write_text("a (s-1)\n")
    code, _, err = invoke(
        "score", str(tmp_path / "r.trn"), str(tmp_path / "h.trn"), "--language", "en-US"
    )
    assert 0 == code
    assert "no hypothesis: 2 of 3, the first is id s-2; counted as deletions" in err


def test_words_outside_every_segment_are_exit_5(tmp_path):
    """Words of a `ctm` in no segment are an unscored remainder."""
    (tmp_path / "r.stm").write_text("f 1 ann 0 1 a\n")
    (tmp_path / "h.ctm").write_text("f 1 0.2 0.1 a\nf 1 3 0.1 b\n")
    code, _, err = invoke(
        "score", str(tmp_path / "r.stm"), str(tmp_path / "h.ctm"), "--language", "en-US"
    )
    assert 5 == code
    assert "outside every segment: 1, the first in its line 2" in err


def test_a_remainder_does_not_change_what_an_interval_is_over(tmp_path):
    """Words outside every segment have no speaker, and are in no interval: it is over the segments' speakers."""
    (tmp_path / "r.stm").write_text("f 1 ann 0 1 a b\nf 1 bob 1 2 c d\n")
    (tmp_path / "h.ctm").write_text("f 1 0.2 0.1 a\nf 1 3 0.1 b\n")
    rows = read_pairs(tmp_path / "r.stm", tmp_path / "h.ctm", locale="en-US")
    (cell,) = sheet(rows, profile="norm-1", metric="WER")["cells"]
    assert (3, 2, 1) == (cell["utterances"], cell["scored"], cell["failed"])
    assert ("speaker", 2) == (cell["interval"].block, cell["interval"].blocks)


def test_clips_of_a_recording_move_together(tmp_path):
    """Where a table names no speaker but its audio files, an interval is over files that several rows are cut from."""
    path = tmp_path / "t.csv"
    lines = [f"r{n}.wav,{start},a b {n},a b,en-US" for n in range(5) for start in (0, 1.5)]
    lines.append("own.wav,0,a b c,a b c,en-US")
    path.write_text("\n".join(["audio_filepath,offset,reference,hypothesis,locale", *lines]))
    (cell,) = sheet(read_pairs(path), profile="norm-1", metric="WER")["cells"]
    assert ("recording or sentence", 6) == (cell["interval"].block, cell["interval"].blocks)


def test_a_test_set_counts_once_in_a_mean(tmp_path):
    """Locales over the same audio are averaged first; without audio files every locale counts."""
    path = tmp_path / "t.csv"
    lines = ["1.wav,a b,a x,en-US,1", "1.wav,a b,a b,en-GB,2", "2.wav,a b,x y,de-DE,3"]
    head = "audio_filepath,reference,hypothesis,locale,id"
    path.write_text("\n".join([head, *lines]))
    _, out, _ = invoke("score", str(path))
    assert "mean WER of 3 locales (2 test sets): 62.50 %" in out
    totals = sheet(read_pairs(path), profile="norm-1", metric="WER")["totals"]
    assert ((0.5 + 0) / 2 + 1) / 2 == totals["macro_wer"]
    assert 2 == totals["macro_wer_sets"]
    path.write_text("\n".join([head.replace("audio_filepath", "x"), *lines]))
    totals = sheet(read_pairs(path), profile="norm-1", metric="WER")["totals"]
    assert ((0.5 + 0 + 1) / 3, 3) == (pytest.approx(totals["macro_wer"]), totals["macro_wer_sets"])


def test_a_cell_that_is_no_number_is_told(tmp_path):
    """A length with a decimal comma is left out, which is said with its line, its column's own name and what to write."""
    path = tmp_path / "t.csv"
    path.write_text(
        "reference;hypothesis;locale;audio_s;snr;offset\n"
        "a;a;en-US;1,5;;0\na;a;en-US;-2;12;\na;a;en-US;nan;loud;\na;a;en-US;2.5;-3;\n"
    )
    code, _, err = invoke("score", str(path))
    assert 0 == code
    assert "warning: line 2: audio_s “1,5” cannot be read, and is left out (and 1 more line)" in err
    assert "  try: 1.5, with a point" in err
    assert "warning: line 4: snr “loud” cannot be read, and is left out\n" in err
    assert 2 == err.count("cannot be read")
    pairs = read_pairs(path)
    assert [None, None, None, 2.5] == [pair.duration_s for pair in pairs]
    assert [None, 12, None, -3] == [pair.snr_db for pair in pairs]


def test_a_table_without_speakers_is_told(tmp_path, csv):
    """Intervals without speakers are said to be lower bounds, those over speakers are not."""
    path = tmp_path / "u.csv"
    path.write_text("reference,hypothesis,locale\na b,a c,en-US\n")
    assert "lower bounds" in invoke("score", str(path))[2]
    assert "intervals" not in invoke("score", str(csv))[2]


def test_a_runs_table_keeps_its_speakers(run):
    """`utterances.csv` names the speakers of the run's rows, so that it gives the intervals of the report."""
    folder = run()
    table = build_reports(folder)
    read = read_pairs(folder / "utterances.csv")
    assert any(row.speaker for row in table.rows)
    assert [row.speaker for row in table.rows] == [pair.speaker for pair in read]
