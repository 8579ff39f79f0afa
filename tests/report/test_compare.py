"""Comparisons: no difference where there is none, the planted one where there is, refusals that name the field."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from harness.cli import main
from harness.errors import InputError, UsageError
from harness.report.build import build_reports
from harness.report.comparison.comparable import open_runs
from harness.report.comparison.compare import _by_cell, _cells, comparison, operations
from harness.report.comparison.contrast import COMPARISON_SCHEMA
from harness.report.difference.difference import difference
from harness.report.difference.pairing import Pair, paired
from harness.report.difference.verdict import LEVEL, macro_difference, rate_difference
from harness.run.folder import read_plan, write_plan
from harness.score.edits import EditCounts
from harness.stats.significance import mapsswe, segments

WORDS = (
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "while",
    "seven",
    "wizards",
    "box",
)
LOCALES = ("en-US", "de-DE", "ja-JP")


def heard(said, *, rate, seed, locales=LOCALES, speakers=12, each=6, worse=None, **facts):
    """Return utterances of `speakers` in `locales`, one word in 1/`rate` wrong; `worse` maps locales to other rates."""
    draw = random.Random(seed)  # noqa: S311 - repeatable noise, no secret
    found = []
    for locale in locales:
        wrong = (worse or {}).get(locale, rate)
        for place in range(speakers * each):
            words = random.Random(f"{locale}{place}").choices(WORDS, k=12)  # noqa: S311 - as above
            answer = [draw.choice(WORDS) if draw.random() < wrong else word for word in words]
            found.append(
                said.Said(
                    id=f"{locale}-{place}",
                    locale=locale,
                    speaker=f"{locale}-s{place % speakers}",
                    reference=" ".join(words),
                    hypothesis=" ".join(answer),
                    **facts,
                )
            )
    return found


def compared(base, *news, models=None, margin=None, **options):
    """Return the comparison of run folders."""
    return comparison(open_runs(base, news, **options), models=models, margin=margin)


def asked(*arguments):
    """Return the exit code of `harness compare` with these arguments."""
    with pytest.raises(SystemExit) as ended:
        main(["compare", *map(str, arguments)])
    return ended.value.code


def changed(folder, **facts):
    """Write other facts into a run's plan; utterances by a function."""
    plan = read_plan(folder)
    if "each" in facts:
        facts["utterances"] = [facts["each"](one) for one in plan.utterances]
        del facts["each"]
    write_plan(folder, msgspec.structs.replace(plan, **facts))
    return folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory, said):
    """A run, and another that hears German twice as badly."""
    folder = tmp_path_factory.mktemp("pair")
    base = said.make_run(folder / "base", heard(said, rate=0.08, seed=1))
    new = said.make_run(folder / "new", heard(said, rate=0.08, seed=2, worse={"de-DE": 0.3}))
    return base, new


# ── Laws ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_against_itself_differs_in_nothing(pair):
    """Every difference is zero with p 1, nothing is better or worse, nothing changed and nothing moved."""
    (contrast,) = compared(pair[0], pair[0]).contrasts
    assert len(LOCALES) == len(contrast.cells)
    for one in (*contrast.cells, *contrast.macros):
        assert (0, 0, 0, 1, "cannot tell") == (
            one.difference,
            one.low,
            one.high,
            one.p,
            one.verdict,
        )
    for cell in contrast.cells:
        assert (0, 0) == (cell.improved, cell.worsened)
        assert (0, 0, 0) == (
            cell.delay.p50_difference_s,
            cell.delay.p95_difference_s,
            cell.delay.shift_s,
        )
    assert ([], []) == (contrast.changes, contrast.moved)


def test_a_run_against_itself_is_remarked_on(pair, tmp_path, run, said):
    """One folder twice, by whatever path, is one note, first of all; another run, or two models of one, are none."""
    base, new = pair
    link = tmp_path / "link"
    link.symlink_to(base)

    def remarks(*folders, **options):
        contrasts = compared(*folders, **options).contrasts
        return [["with itself" in note for note in contrast.notes] for contrast in contrasts]

    (same,), (linked, other) = remarks(base, base), remarks(base, link, new)
    assert ([True], [True]) == (same[:1], linked[:1])
    assert 1 == sum(same) == sum(linked)
    assert not any(other)
    both = run([said.Said(id="a", model=model) for model in ("m1", "m2")])
    assert not any(remarks(both, both, models=("m1", "m2"))[0])
    assert remarks(both, both, models=("m2", "m2"))[0][0]


def test_swapping_the_runs_flips_the_signs_alone(pair):
    """NEW against BASE is BASE against NEW with other signs, the same p values, and better for worse."""
    (there,), (back,) = (compared(*order).contrasts for order in (pair, pair[::-1]))
    other = {"better": "worse", "worse": "better", "cannot tell": "cannot tell"}
    for a, b in zip((*there.cells, *there.macros), (*back.cells, *back.macros), strict=True):
        assert -a.difference == pytest.approx(b.difference)
        assert (-a.high, -a.low) == pytest.approx((b.low, b.high))
        assert (a.p, a.p_adjusted, a.detectable) == pytest.approx((b.p, b.p_adjusted, b.detectable))
        assert other[a.verdict] == b.verdict
    for a, b in zip(there.cells, back.cells, strict=True):
        assert (a.improved, a.worsened, a.mapsswe_p) == (
            b.worsened,
            b.improved,
            pytest.approx(b.mapsswe_p),
        )
    assert [one.utterance_id for one in there.moved] == [one.utterance_id for one in back.moved]


def test_a_planted_regression_is_found_where_it_was_planted(pair):
    """German, heard with 22 more points of errors, is worse and by about that much; English and Japanese are not."""
    document = compared(*pair)
    (contrast,) = document.contrasts
    cells = {cell.locale: cell for cell in contrast.cells}
    assert "worse" == cells["de-DE"].verdict
    assert (
        cells["de-DE"].low < 0.22 * 12 / 13 < cells["de-DE"].high
    )  # a wrong word is right by chance in 1 of 13
    assert {"cannot tell"} == {cells[locale].verdict for locale in ("en-US", "ja-JP")}
    assert "worse" == contrast.macros[0].verdict
    assert "de-DE" == contrast.moved[0].locale
    assert contrast.moved[0].share > 0


def test_figures_are_those_of_the_runs_own_reports(pair):
    """Where all utterances are common, rates, their differences and the macro's are those of both reports."""
    base, new = (build_reports(folder).summary for folder in pair)
    (contrast,) = compared(*pair).contrasts
    ours, theirs = ({cell.locale: cell for cell in one.cells} for one in (base, new))
    for cell in contrast.cells:
        assert (ours[cell.locale].rate, theirs[cell.locale].rate) == pytest.approx(
            (cell.base_rate, cell.new_rate)
        )
        assert ours[cell.locale].final_text_p95_s == cell.delay.base_p95_s
    macros = {one.metric: one for one in contrast.macros}
    for metric, field in (("CERns", "macro_cerns"), ("WER", "macro_wer")):
        rates = [getattr(one.standings[0], field) for one in (base, new)]
        assert rates == pytest.approx([macros[metric].base_rate, macros[metric].new_rate])
    assert ["de-DE", "en-US"] == macros["WER"].locales


def _simulated(draw, speakers, *, tokens=120, rate=0.1, planted=0.0):
    """Return blocks of two systems that hear speakers differently, the second worse by `planted`."""
    own = rate * np.exp(draw.normal(0, 0.5, speakers))
    a, b = (
        draw.poisson((own * np.exp(draw.normal(0, 0.15, speakers)) + more) * tokens)
        for more in (0.0, planted)
    )
    return [(float(x), float(y), float(tokens)) for x, y in zip(a, b, strict=True)]


@pytest.mark.parametrize("speakers", [7, 30])
def test_noise_is_called_a_difference_no_more_often_than_said(speakers):
    """Two systems that are equal on the whole, each better on some speakers, get a verdict in at most 5 % of runs."""
    draw = np.random.default_rng(speakers)
    runs = 120
    found = sum(
        rate_difference(_simulated(draw, speakers)).verdict != "cannot tell" for _ in range(runs)
    )
    assert found / runs <= LEVEL + 3 * (LEVEL * (1 - LEVEL) / runs) ** 0.5
    macros = sum(
        macro_difference([_simulated(draw, speakers) for _ in range(4)]).verdict != "cannot tell"
        for _ in range(runs // 2)
    )
    assert macros / (runs // 2) <= LEVEL + 3 * (LEVEL * (1 - LEVEL) / (runs // 2)) ** 0.5


def test_a_family_of_locales_errs_no_more_often_than_one():
    """Over ten locales without a difference, any row at all gets a verdict in at most 5 % of runs: p is Holm's."""
    draw = np.random.default_rng(5)
    runs = 60
    found = 0
    for _ in range(runs):
        pairs = [
            _made(a, b, locale=f"l{locale}", speaker=str(place))
            for locale in range(10)
            for place, (a, b, _) in enumerate(_simulated(draw, 12))
        ]
        found += any(
            cell.verdict != "cannot tell" for cell in _cells(_by_cell(pairs).values(), None)
        )
    assert found / runs <= LEVEL + 3 * (LEVEL * (1 - LEVEL) / runs) ** 0.5


def test_a_difference_as_large_as_detectable_is_found_four_times_in_five():
    """`detectable` is what the pairs show with 80 % power, within the simulation's error."""
    draw = np.random.default_rng(7)
    typical = float(
        np.median([rate_difference(_simulated(draw, 40)).detectable for _ in range(30)])
    )
    found = [
        rate_difference(_simulated(draw, 40, planted=typical)).verdict == "worse"
        for _ in range(100)
    ]
    assert 0.66 < sum(found) / 100 < 0.94


def _made(base, new, *, locale="en-US", speaker="s", tokens=120):
    """Return a pair of rows with these errors and nothing else."""
    rows = [
        SimpleNamespace(total_tokens=None, passed=None, cost_usd=None,
            dataset="d", locale=locale, model="m", utterance_id=f"{locale}-{speaker}", block=("speaker", speaker), metric="CER",
            counts=EditCounts(hits=tokens - int(n), substitutions=int(n), deletions=0, insertions=0),
            must_rerun=False, late=False, final_text_s=None, speech_bounds_source="clip", diff=(),
        )
        for n in (base, new)
    ]  # fmt: skip
    return Pair(base=(rows[0],), new=(rows[1],))


@pytest.mark.parametrize(
    "margin, verdict", [(None, "cannot tell"), (0.0005, "cannot tell"), (0.2, "no worse")]
)
def test_no_worse_is_said_only_below_the_margin(margin, verdict):
    """Without a difference, “no worse” holds when the interval's upper end is below the margin, and never unasked."""
    blocks = [(float(n % 3), float((n + 1) % 3), 30.0) for n in range(24)]
    found = rate_difference(blocks, margin=margin)
    assert verdict == found.verdict
    assert (verdict == "no worse") == (margin is not None and found.high < margin)


@pytest.mark.parametrize("blocks", [[(0, 0, 1)] * 2, [(3, 2, 10)] * 2, [(0, 0, 30)] * 5])
def test_few_that_are_alike_show_nothing(blocks):
    """From fewer speakers than a p value takes, nothing is no worse, however alike the models were on them."""
    found = rate_difference(blocks, margin=0.005)
    assert "cannot tell" == found.verdict
    assert "too few" in found.why


# ── Pairs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_the_same_content_is_paired(run, said):
    """Utterances of one run, and those of the same id with other audio, are counted and left out."""
    base = run([said.Said(id=name, hypothesis="the quick") for name in ("a", "b", "c")])
    new = run([said.Said(id=name) for name in ("b", "c", "d")])

    def other_audio(one):
        return msgspec.structs.replace(one, sha256="f00d" if one.id == "c" else None)

    changed(new, each=other_audio)
    (contrast,) = compared(base, new).contrasts
    assert (1, 1, 1, 1) == msgspec.structs.astuple(contrast.utterances)
    (cell,) = contrast.cells
    assert (1, 1, 0.5, 0.0) == (cell.utterances, cell.pairs, cell.base_rate, cell.new_rate)


def test_repeats_are_averaged_before_anything_is_tested(run, said):
    """An utterance counts once, with its mean errors, however many times either run asked for it."""
    base = run([said.Said(id="a", repeat=n, hypothesis=text) for n, text in ((1, "the quick"), (2, "the quick brown fox"), (3, "the quick brown"))])  # fmt: skip
    new = run([said.Said(id="a", hypothesis="the")])
    (cell,) = compared(base, new).contrasts[0].cells
    assert (1, 1, 0.25, 0.75) == (cell.utterances, cell.pairs, cell.base_rate, cell.new_rate)
    (moved,) = compared(base, new).contrasts[0].moved
    assert (1.0, 3.0, 3) == (moved.base_errors, moved.new_errors, moved.repeats)


def test_what_must_be_run_again_leaves_its_row_without_verdict(run, said, pair):
    """A refusal for quota makes its locale incomplete: no verdict, not in the macro, and a note says so."""
    rows = heard(said, rate=0.08, seed=2, worse={"de-DE": 0.3})
    rows[-1] = said.Said(id=rows[-1].id, locale=rows[-1].locale, speaker=rows[-1].speaker, reference=rows[-1].reference,
                         hypothesis=None, outcome="failed_quota", failure="quota")  # fmt: skip
    (contrast,) = compared(pair[0], run(rows)).contrasts
    cell = next(cell for cell in contrast.cells if cell.locale == rows[-1].locale)
    assert (0, 1, None, "cannot tell") == (cell.base_failed, cell.new_failed, cell.p, cell.verdict)
    assert "incomplete" in cell.why
    assert rows[-1].locale not in contrast.macros[0].locales
    assert any("must be run again" in note for note in contrast.notes)


def test_failures_of_the_service_count_as_deletions(run, said):
    """A session that the service broke off before any text is all deletions, in the comparison as in the report."""
    base = run([said.Said(id="a"), said.Said(id="b")])
    new = run(
        [
            said.Said(id="a"),
            said.Said(id="b", hypothesis=None, outcome="failed_server", failure="transient"),
        ]
    )
    (cell,) = compared(base, new).contrasts[0].cells
    assert (0.0, 0.5, 0) == (cell.base_rate, cell.new_rate, cell.new_failed)


def test_models_are_paired_as_asked_else_alike(run, said):
    """The only model of each run, else equal ones, else those named; within one run two models can be compared."""
    one = run([said.Said(id="a", model="m1")])
    other = run([said.Said(id="a", model="m2")])
    both = run([said.Said(id="a", model=model, hypothesis=text) for model, text in (("m1", "the quick"), ("m2", "the"))])  # fmt: skip

    def models(*runs, asked=None):
        return [
            (cell.base_model, cell.new_model)
            for cell in compared(*runs, models=asked).contrasts[0].cells
        ]

    assert [("m1", "m2")] == models(one, other)
    assert [("m1", "m1"), ("m2", "m2")] == models(both, both)
    assert [("m1", "m1")] == models(one, both)
    assert [("m1", "m2")] == models(both, both, asked=("m1", "m2"))
    (cell,) = compared(both, both, models=("m1", "m2")).contrasts[0].cells
    assert (0.5, 0.75) == (cell.base_rate, cell.new_rate)
    with pytest.raises(UsageError, match="m3"):
        models(both, both, asked=("m1", "m3"))
    with pytest.raises(InputError, match="models differ"):
        models(run([said.Said(id="a", model="m3"), said.Said(id="a", model="m4")]), both)


def test_latency_leaves_late_sessions_out_on_both_sides(run, said):
    """An utterance that our client sent late in either run is in neither percentile."""
    base = run([said.Said(id="a"), said.Said(id="bbb", late=True), said.Said(id="ccccc")])
    new = run([said.Said(id="a"), said.Said(id="bbb"), said.Said(id="ccccc")])
    (cell,) = compared(base, new).contrasts[0].cells
    assert (2, 0.0) == (cell.delay.n, cell.delay.p50_difference_s)
    (cell,) = compared(base, changed(run([said.Said(id="a")], pace=0.0))).contrasts[0].cells
    assert cell.delay is None


def test_latency_that_is_left_out_since_a_client_was_late_says_so(run, said):
    """Where no utterance was on time in both runs, the note says how many were left out as late, and only then."""
    base = run([said.Said(id="a"), said.Said(id="bbb", late=True)])
    new = run([said.Said(id="a", late=True), said.Said(id="bbb")])
    (note,) = [one for one in compared(base, new).contrasts[0].notes if "Latency" in one]
    assert "in both runs (2 are left out, since our client sent them late" in note
    unpaced = changed(run([said.Said(id="a")], pace=0.0))
    (note,) = [one for one in compared(base, unpaced).contrasts[0].notes if "Latency" in one]
    assert note.endswith("in both runs.")


def test_what_changed_in_the_configuration_is_named(run, said):
    """Fields of the plans that differ are told with both values, nested ones by their path, and no others."""
    base, new = run(), run()
    setups = {
        said.MODEL: {"generationConfig": {"temperature": 0.2, "responseModalities": ["TEXT"]}}
    }
    changed(new, setups=setups, chunk_ms=40.0, turns="auto", created_at="later", hash="0" * 64)
    (contrast,) = compared(base, new).contrasts
    assert {
        "setup.generationConfig.temperature": (None, "0.2"),
        "chunk_ms": ("100.0", "40.0"),
        "turns": ("manual", "auto"),
    } == {change.field: (change.base, change.new) for change in contrast.changes}


def test_mapsswe_is_counted_over_the_reports_own_alignments(pair):
    """NIST's test over the pairs equals the test over segments of both reports' alignments."""
    tables = [build_reports(folder) for folder in pair]
    keys = [("sample", row.utterance_id) for row in tables[0].rows if row.locale == "de-DE"]
    pairs = paired(keys, tables[0].rows, tables[1].rows, (tables[0].rows[0].model,) * 2)
    found = [
        n
        for one in pairs
        for n in segments(operations(one.new[0].diff), operations(one.base[0].diff))
    ]
    cell = next(cell for cell in compared(*pair).contrasts[0].cells if cell.locale == "de-DE")
    assert mapsswe(found).p == cell.mapsswe_p
    counted = sum(row.errors for row in tables[1].rows if row.locale == "de-DE") - sum(
        row.errors for row in tables[0].rows if row.locale == "de-DE"
    )
    assert counted == sum(found)


def test_a_sum_with_a_part_missing_is_no_difference(run, said):
    """Tokens that one session did not tell leave no difference of tokens; failures are always told."""
    from harness.run.record import Usage

    base = build_reports(run([said.Said(id="a"), said.Said(id="b")]))
    new = build_reports(run([said.Said(id="a"), said.Said(id="b", usage=Usage())]))
    pairs = paired(
        [("sample", "a"), ("sample", "b")], base.rows, new.rows, (said.MODEL, said.MODEL)
    )
    assert difference(pairs, "total_tokens") is None
    assert 137 == difference(pairs[:1], "total_tokens").new
    assert 0 == difference(pairs, "failed").change


# ── Refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────

REAL = {"emulator": None, "endpoint": "wss://generativelanguage.googleapis.com/ws"}


@pytest.mark.parametrize(
    "make, field, forceable",
    [
        (lambda run, said: run([said.Said(id="a", reference="other words")]), "reference", True),
        (lambda run, said: run([said.Said(id="a", locale="en-GB")]), "locale", True),
        (lambda run, said: run([said.Said(id="a", **REAL)]), "service", True),
        (lambda run, said: run([said.Said(id="a", emulator="0.1.0; scripted")]), "service", True),
        (lambda run, said: changed(run([said.Said(id="a")]), task="speak"), "task", True),
        (lambda run, said: build_reports(run([said.Said(id="a")]), profile="norm-1").folder, "profile", True),
        (lambda run, said: build_reports(run([said.Said(id="a")]), metric="CER").folder, "metric", True),
        (lambda run, said: run([said.Said(id="z")]), "utterances", False),
        (lambda run, said: run([said.Said(id="a", dataset="voices")]), "datasets", False),
        (lambda run, said: changed(run([said.Said(id="a")]), each=lambda one: msgspec.structs.replace(one, sha256="00")), "sha256", False),
        (lambda run, said: changed(run([said.Said(id="a")]), each=lambda one: msgspec.structs.replace(one, offset_s=1.0)), "sha256", False),
        (lambda run, said: run([said.Said(id="a", model="m1"), said.Said(id="a", model="m2")]), "models", False),
    ],
)  # fmt: skip
def test_what_is_not_comparable_is_refused_by_field(  # noqa: PLR0917 - fixtures and a table
    run, said, capsys, make, field, forceable
):
    """Exit 3 names the field that differs; --force goes on and says so first, unless there is nothing to pair."""
    base = build_reports(run([said.Said(id="a")])).folder
    new = make(run, said)
    assert 3 == asked(base, new)
    out, err = capsys.readouterr()
    assert "" == out
    assert field in err.splitlines()[0]
    assert forceable == ("--force" in err)
    assert (0 if forceable else 3) == asked(base, new, "--force")
    out, err = capsys.readouterr()
    if not forceable:
        assert "" == out
        return
    assert out.startswith(f"FORCED: not comparable as they stand, judged as the base is: {field}")
    assert 0 == asked(base, new, "--force", "--json")
    document = json.loads(capsys.readouterr().out)
    assert [field] == [obstacle["field"] for obstacle in document["forced"]]
    assert "schema" == next(iter(document))
    assert document["contrasts"][0]["cells"][0]["pairs"] == 1


def test_a_forced_run_is_judged_by_the_base(run, said):
    """Another reference of the same utterance is overruled by the base's, so that both rates have one denominator."""
    base = run([said.Said(id="a", hypothesis="the quick brown fox")])
    new = run([said.Said(id="a", reference="a quick brown fox", hypothesis="the quick brown fox")])
    (cell,) = compared(base, new, force=True).contrasts[0].cells
    assert (0.0, 0.0) == (cell.base_rate, cell.new_rate)


def test_a_named_profile_is_no_obstacle(run, said, capsys):
    """Runs reported under other profiles are compared under the one that --profile names."""
    base = build_reports(
        run([said.Said(id="a", hypothesis="The quick brown fox!")]), profile="norm-1"
    ).folder
    new = build_reports(run([said.Said(id="a")]), profile="raw-1").folder
    assert 3 == asked(base, new)
    capsys.readouterr()
    assert 0 == asked(base, new, "--profile", "raw-1", "--json")
    document = json.loads(capsys.readouterr().out)
    assert "glt-raw-1" == document["profile"]
    assert 0.5 == document["contrasts"][0]["cells"][0]["base_rate"]


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["--model", "m9"], 2, ["m9"]),
        (["--model", "a", "--model", "b", "--model", "c"], 2, ["--model"]),
        (["--profile", "norm-9"], 2, ["norm-9", "norm-1"]),
        (["--metric", "WERR"], 2, ["WERR", "WER"]),
        (["--margin", "5"], 2, ["--margin"]),
        (["--junit", "x.xml"], 2, ["--gate"]),
        (["--gate", "none.toml"], 2, ["none.toml"]),
        (["--markdown", "no/such/folder/x.md"], 3, ["x.md"]),
    ],
)
def test_what_is_typed_wrong_is_named(  # noqa: PLR0917 - fixtures and a table
    run, said, capsys, arguments, code, words
):
    """A wrong option is named, with the nearest right one, and the exit code says whose fault it is."""
    folder = run([said.Said(id="a")])
    assert code == asked(folder, folder, *arguments)
    out, err = capsys.readouterr()
    assert "" == out
    assert all(word in err for word in words), err


def test_a_folder_that_is_no_run_is_named(run, said, tmp_path, capsys):
    """A folder without a plan is exit 3, on either side."""
    folder = run([said.Said(id="a")])
    (tmp_path / "empty").mkdir()
    for order in ((folder, tmp_path / "empty"), (tmp_path / "empty", folder)):
        assert 3 == asked(*order)
        assert "empty" in capsys.readouterr().err


# ── What is said ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_text_json_and_markdown_say_the_same(pair, tmp_path, capsys):
    """Every row's figures and verdict are in all renderings, and --json is one document on stdout."""
    base, new = pair
    assert 0 == asked(base, new, base, "--margin", "0.1", "--markdown", tmp_path / "c.md")
    text = capsys.readouterr().out
    assert 0 == asked(base, new, base, "--margin", "0.1", "--json")
    document = json.loads(capsys.readouterr().out)
    assert (COMPARISON_SCHEMA, "comparison", 2) == (
        document["schema"],
        document["kind"],
        len(document["contrasts"]),
    )
    markdown = (tmp_path / "c.md").read_text()
    assert "EMULATED (whisper-base)" in text
    assert "EMULATED (whisper-base)" in markdown
    for contrast in document["contrasts"]:
        for cell in contrast["cells"]:
            said = (
                f"{100 * cell['difference']:+.2f}".replace("-", "−")
                if cell["difference"]
                else " 0.00 "
            )
            for rendering in (text, markdown):
                assert any(
                    cell["locale"] in line and said in line and cell["verdict"] in line
                    for line in rendering.splitlines()
                ), (cell["locale"], said)
    assert "no worse by 10 points" in text


def test_tokens_and_cost_are_compared(run, said):
    """What the common utterances took stands in every rendering, with its change; a session that did not say leaves a dash."""
    from harness.report.comparison.digest import comparison_markdown, comparison_text
    from harness.report.page.comparison import comparison_page

    heavy = [said.Said(id=f"u{n}", usage=said.usage(prompt=256)) for n in range(3)]
    silent = [said.Said(id=f"u{n}", usage=said.Usage()) for n in range(3)]
    base = run([said.Said(id=f"u{n}") for n in range(4)])
    document = compared(base, run([*heavy, said.Said(id="u3")]))
    (cell,) = document.contrasts[0].cells
    assert (4 * 137, 3 * 265 + 137) == (cell.bill.base_tokens, cell.bill.new_tokens)
    told = "tokens 548 → 932 (+70.1 %), cost $0.0016 → $0.0028 ("
    assert told in comparison_text(document)
    assert told in comparison_markdown(document).replace("\\", "")
    assert told in comparison_page(document).decode()
    (cell,) = compared(base, run(silent)).contrasts[0].cells
    assert (None, None) == (cell.bill.base_tokens, cell.bill.new_cost_usd)


def test_two_models_stand_apart(run, said):
    """With several models every sentence and table names its own, and a table of ordinary figures fits 80 columns."""
    from harness.report.comparison.digest import comparison_text

    models = ("gemini-live-2.5-flash-preview", "gemini-3.5-transcribe-live")
    rows = [
        said.Said(id=f"u{n}", model=model, speaker=f"s{n}") for model in models for n in range(8)
    ]
    text = comparison_text(compared(run(rows), run(rows)))
    for model in models:
        assert f"{model} on sample" in text.splitlines()
        assert f"sample, {model}: macro CERns" in text
    for table in text.split("\n\n")[1:-1]:
        assert 80 >= max(map(len, table.splitlines()))


def test_markdown_fits_a_comment(run, said):
    """However much moved and changed, the Markdown stays under 64 kB and says that it was cut."""
    from harness.report.comparison.digest import comparison_markdown

    base = run(
        [
            said.Said(id=f"{n}" * 50, reference="語" * 4000, hypothesis="話" * 4000, locale="ja-JP")
            for n in range(9)
        ]
    )
    new = run(
        [
            said.Said(id=f"{n}" * 50, reference="語" * 4000, hypothesis="語" * 4000, locale="ja-JP")
            for n in range(9)
        ]
    )
    document = compared(base, new)
    many = msgspec.structs.replace(document, contrasts=document.contrasts * 40)
    text = comparison_markdown(many)
    assert len(text.encode()) < 64_000
    assert "harness compare --html" in text.splitlines()[-1]
    assert text.count("<details>") == text.count("</details>")
