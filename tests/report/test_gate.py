"""Gates: what a rule means, what never passes, and what is said of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from harness.cli import main
from harness.errors import UsageError
from harness.report.build import build_reports
from harness.report.comparison.comparable import open_runs
from harness.report.difference.difference import MACROS, PAIRED, SHARES
from harness.report.gates.gate import check_gate
from harness.report.gates.junit import junit_bytes
from harness.report.gates.rules import read_gate
from harness.report.tables.columns import SUMMARY_COLUMNS
from harness.run.folder import read_plan, write_plan
from harness.run.record import Usage

DOC = Path(__file__).parents[2] / "docs" / "gates.md"
RIGHT = "the quick brown fox"
WRONG = "the quick brown box"


def asked(*arguments):
    """Return the exit code of `harness` with these arguments."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def rows(said, wrong, *, locale="en-US", n=20, **facts):
    """Return `n` utterances of as many speakers, the first `wrong` of them with one word of four wrong."""
    return [
        said.Said(
            id=f"{locale}-{place:02d}",
            locale=locale,
            speaker=f"{locale}-{place}",
            hypothesis=WRONG if place < wrong else RIGHT,
            **facts,
        )
        for place in range(n)
    ]


def refused(said, locale, **facts):
    """Return an utterance that must be run again."""
    return said.Said(
        id=f"{locale}-again", locale=locale, hypothesis=None, outcome="failed_quota", failure="quota", usage=Usage(),
        **facts,
    )  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory, said):
    """A baseline and a run: English from 5 to 10 %, German unchanged, Russian incomplete, Polish gone, Turkish new."""
    folder = tmp_path_factory.mktemp("gate")
    base = said.make_run(
        folder / "base",
        [
            *rows(said, 4),
            *rows(said, 0, locale="de-DE", n=5),
            *rows(said, 1, locale="ru-RU", n=3),
            said.Said(id="ru-RU-again", locale="ru-RU"),
            *rows(said, 0, locale="pl-PL", n=2),
        ],
    )
    new = said.make_run(
        folder / "new",
        [
            *rows(said, 8),
            *rows(said, 0, locale="de-DE", n=5),
            *rows(said, 1, locale="ru-RU", n=3),
            refused(said, "ru-RU"),
            *rows(said, 0, locale="tr-TR", n=2, late=True, usage=Usage()),
        ],
    )
    return open_runs(base, [new])


@pytest.fixture
def gate(tmp_path):
    """Return a function that reads a gate from its text."""

    def read(text):
        path = tmp_path / "gate.toml"
        path.write_text(text)
        return read_gate(path)

    return read


EN, DE, RU, TR = (
    f'where = {{ locale = "{locale}" }}' for locale in ("en-US", "de-DE", "ru-RU", "tr-TR")
)


# ── What a rule means ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "rule, passed, told",
    [
        # thresholds
        (f'column = "rate"\nmax = 0.1\n{EN}', True, "rate is 0.1 (n 20)"),
        (f'column = "rate"\nmax = 0.0999\n{EN}', False, "rate is 0.1, allowed is at most 0.0999 (n 20)"),
        (f'column = "utterances"\nmin = 20\n{EN}', True, "utterances is 20"),
        (f'column = "utterances"\nmin = 21\n{EN}', False, "utterances is 20, allowed is at least 21"),
        (f'column = "mer"\nmax = 0.2\nmin = 0.05\n{EN}', True, "mer is 0.1"),
        (f'column = "rate_high"\nmax = 0.1\n{EN}', False, "rate_high is"),
        (f'column = "final_text_p95_s"\nmax = 10\n{EN}', True, "final_text_p95_s is"),
        (f'column = "cost_usd"\nmax = 0.000001\n{EN}', False, "cost_usd is"),
        ('column = "rate"\nmax = 0.1\nwhere = { locale = ["en-US", "de-DE"], dataset = "sample" }', True, "2 cells"),
        # too little
        (f'column = "rate"\nmax = 0.5\nmin_n = 20\n{EN}', True, "n 20"),
        (f'column = "rate"\nmax = 0.5\nmin_n = 21\n{EN}', False, "n is 20 and must be 21"),
        (f'column = "final_text_p50_s"\nmax = 10\nmin_n = 1\n{TR}', False, "final_text_p50_s is missing (n 0)"),
        (f'column = "final_text_p95_s"\nmax = 10\n{DE}', False, "final_text_p95_s is missing: too few, a p95 takes 20 (n 5)"),
        (f'column = "final_text_p95_s"\nmax_regression = 10\n{DE}', False, "final_text_p95_s is missing: too few"),
        # missing, incomplete, nothing chosen
        (f'column = "total_tokens"\nmax = 1000000\n{TR}', False, "total_tokens is missing"),
        ('column = "rate"\nmax = 1.0\nwhere = { locale = "fi-FI" }', False, "no cell of the run is chosen"),
        (f'column = "rate"\nmax = 0.32\n{RU}', True, "the 1 to run again taken as unheard) is 0.3125"),
        (f'column = "rate"\nmax = 0.3\n{RU}', False, "the 1 to run again taken as unheard) is 0.3125"),
        (f'column = "cer"\nmax = 1.0\n{RU}', False, "1 session must be run again"),
        (f'column = "failed"\nmax = 1\n{RU}', True, "failed is 1 (n 4)"),
        # regressions: English is up by 0.05
        (f'column = "rate"\nmax_regression = 0.05\n{EN}', True, "went from 0.05 to 0.1 (+0.05)"),
        (f'column = "rate"\nmax_regression = 0.049\n{EN}', False, "went from 0.05 to 0.1 (+0.05), allowed is +0.049 (n 20)"),
        (f'column = "rate"\nmax_regression = 0\n{DE}', True, "went from 0 to 0"),
        (f'column = "rate"\nmax = 0.08\nmax_regression = 0.1\n{EN}', False, "allowed is at most 0.08"),
        (f'column = "rate"\nmax_regression = 0.1\nmin_n = 30\n{EN}', False, "must be 30"),
        # 4 of 20 speakers differ, all to the worse: p is 2/16
        (f'column = "rate"\nmax_regression = 0\nsignificance = 0.05\n{EN}', True, "p 0.125): not significant at 0.05"),
        (f'column = "rate"\nmax_regression = 0\nsignificance = 0.2\n{EN}', False, "p 0.125)"),
        (f'column = "rate"\nmax_regression = 1\n{RU}', False, "1 session must be run again"),
        (f'column = "failed"\nmax_regression = 0\n{RU}', False, "failed went from 0 to 1"),
        (f'column = "rate"\nmax_regression = 1\n{TR}', False, "the baseline has no utterance of this cell"),
        ('column = "rate"\nmax_regression = 1\nwhere = { locale = "pl-PL" }', False, "the run has not"),
        (f'column = "final_text_p50_s"\nmax_regression = 0\nsignificance = 0.05\n{EN}', True, "(+0)"),
        (f'column = "total_tokens"\nmax_regression = 0\n{EN}', True, "went from 2740 to 2740"),
    ],
)  # fmt: skip
def test_a_rule_means_what_it_says(runs, gate, rule, passed, told):
    """Bounds are inclusive, in the column's unit; what is missing, too little or incomplete never passes."""
    result = check_gate(gate(f"[[rule]]\n{rule}\n"), runs.news[0][0], runs.base)
    assert passed == result.passed == result.rules[0].passed
    line = result.rules[0].line
    assert line.startswith("PASS" if passed else "FAIL")
    assert told in line
    assert "\n" not in line


def test_significance_is_of_all_the_rules_cells_together(run, said, gate):
    """A p is Holm-adjusted over the cells of a rule: what is significant alone need not be among two."""
    speakers = 8
    base = [*rows(said, 0, n=speakers), *rows(said, 0, locale="de-DE", n=speakers)]
    new = [*rows(said, 6, n=speakers), *rows(said, 6, locale="de-DE", n=speakers)]
    opened = open_runs(run(base), [run(new)])

    def p_values(where):
        text = f'[[rule]]\ncolumn = "rate"\nmax_regression = 0.0\nsignificance = 0.05\n{where}'
        result = check_gate(gate(text), opened.news[0][0], opened.base)
        return [check.p for check in result.rules[0].checks], result.passed

    assert ([2 / 2**6], False) == p_values(EN)
    assert ([2 * 2 / 2**6] * 2, True) == p_values("")


@pytest.mark.parametrize("column", ["rate", "wer", "cer", "cerns", "rate_norm1"])
def test_every_paired_rate_is_the_cells_own(runs, gate, column):
    """A regression's figures of a complete cell are those of the two reports' columns."""
    new = runs.news[0][0]
    result = check_gate(
        gate(f'[[rule]]\ncolumn = "{column}"\nmax_regression = 1\n{EN}'), new, runs.base
    )
    (check,) = result.rules[0].checks
    cells = [
        next(c for c in table.summary.cells if c.locale == "en-US") for table in (runs.base, new)
    ]
    assert [getattr(cell, column) for cell in cells] == pytest.approx([check.base, check.value])


def test_a_run_against_itself_never_regresses(runs, gate):
    """No column whose difference is known rises when a complete run is compared with itself."""
    text = "".join(
        f'[[rule]]\ncolumn = "{column}"\nmax_regression = 0\n{EN}\n'
        for column in PAIRED
        if column not in MACROS
        and column not in SHARES
        and not column.startswith("first_reply")
        and not column.startswith("first_audio")
    )
    assert check_gate(gate(text), runs.base, runs.base).passed


# ── Means over locales ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def whole(tmp_path_factory, said):
    """Complete runs: words 5 % wrong in English, 0 % in German, Japanese by characters; English at 10 % in the new one."""
    folder = tmp_path_factory.mktemp("whole")
    japanese = said.Said(
        id="ja", locale="ja-JP", reference="人人生而自由", hypothesis="人人生儿自由", speaker="ja"
    )
    runs = [
        said.make_run(folder / name, [*rows(said, wrong), *rows(said, 0, locale="de-DE", n=5), japanese])
        for name, wrong in (("base", 4), ("new", 8))
    ]  # fmt: skip
    return open_runs(runs[0], [runs[1]])


@pytest.mark.parametrize(
    "rule, passed, words",
    [
        ('column = "macro_wer"\nmax = 0.0251', True, "macro_wer is 0.025 (n 25)"),
        ('column = "macro_wer"\nmax = 0.0249', False, "allowed is at most 0.0249"),
        ('column = "macro_wer"\nmin_n = 26\nmax = 1', False, "n is 25 and must be 26"),
        ('column = "macro_cerns"\nmax = 1\nmin_n = 26', True, "(n 26)"),
        (
            'column = "macro_wer"\nmax = 1\nwhere = { dataset = "other" }',
            False,
            "no cell of the run",
        ),
    ],
)
def test_a_mean_over_locales_is_bounded(whole, gate, rule, passed, words):
    """A macro rate is the plain mean over locales: 5 % and 0 % of words are 2.5 %, whatever the numbers of words."""
    result = check_gate(gate(f"[[rule]]\n{rule}"), whole.base, None)
    assert passed is result.passed
    assert words in result.rules[0].line


def test_a_mean_over_locales_regresses_over_common_utterances(whole, gate):
    """English at 10 % instead of 5 % raises the mean by 2.5 points; chance explains it only where it does."""
    new = whole.news[0][0]
    for rule, passed in (("max_regression = 0.0251", True), ("max_regression = 0.0249", False)):
        result = check_gate(gate(f'[[rule]]\ncolumn = "macro_wer"\n{rule}'), new, whole.base)
        assert passed is result.passed
        assert "macro_wer went from 0.025 to 0.05 (+0.025)" in result.rules[0].line
    text = '[[rule]]\ncolumn = "macro_wer"\nmax_regression = 0\nsignificance = 0.05'
    (check,) = check_gate(gate(text), new, whole.base).rules[0].checks
    cells = '[[rule]]\ncolumn = "rate"\nmax_regression = 0\nsignificance = 0.05\n' + EN
    (alone,) = check_gate(gate(cells), new, whole.base).rules[0].checks
    assert alone.p == check.p  # German does not differ at all, so English decides
    assert check_gate(gate('[[rule]]\ncolumn = "macro_cerns"\nmax_regression = 0'), whole.base, whole.base).passed  # fmt: skip


def test_a_mean_over_locales_is_whole_or_fails(runs, gate):
    """A locale that must be run again, or that the baseline has and the run lacks, fails the mean."""
    bounded = check_gate(gate('[[rule]]\ncolumn = "macro_wer"\nmax = 1'), runs.news[0][0], None)
    assert not bounded.passed
    assert "not whole" in bounded.rules[0].line
    assert "ru-RU" in bounded.rules[0].line
    against = check_gate(
        gate('[[rule]]\ncolumn = "macro_wer"\nmax_regression = 1'), runs.news[0][0], runs.base
    )
    assert "pl-PL" in against.rules[0].line


def test_a_mean_over_locales_is_not_chosen_by_locale(gate):
    """A locale in `where` would make another mean of it: that is a usage error."""
    with pytest.raises(UsageError, match="over all locales"):
        gate(f'[[rule]]\ncolumn = "macro_wer"\nmax = 1\n{EN}')


# ── Without something to compare with ────────────────────────────────────────────────────────────────────────────────


def test_without_a_baseline_no_regression_rule_passes(runs, gate):
    """A rule that compares fails where there is nothing to compare with."""
    result = check_gate(gate('[[rule]]\ncolumn = "rate"\nmax_regression = 1'), runs.base, None)
    assert not result.passed
    assert "no baseline" in result.rules[0].line


def test_models_of_other_names_are_compared(run, said, gate):
    """Where each run has one model, the new one's cells are checked against the base's."""
    opened = open_runs(run(rows(said, 0, model="m1")), [run(rows(said, 10, model="m2"))])
    result = check_gate(
        gate('[[rule]]\ncolumn = "rate"\nmax_regression = 0.1'), opened.news[0][0], opened.base
    )
    (check,) = result.rules[0].checks
    assert ("m2", 0.0, 0.125, False) == (check.model, check.base, check.value, check.passed)


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text, words",
    [
        ("", ["without a rule"]),
        ("rule = 3", ["without a rule"]),
        ("rule = [3]", ["rule 1", "[[rule]]"]),
        ("[[rule]\n", ["not TOML"]),
        ("[[rule]]\nmax = 1", ["rule 1", "no column"]),
        ('[[rule]]\ncolumn = "rate"', ["bounds nothing", "max_regression"]),
        ('[[rule]]\ncolumn = "rat"\nmax = 1', ["'rat'", "rate"]),
        ('[[rule]]\ncolumn = "metric"\nmax = 1', ["'metric'", "text"]),
        ('[[rule]]\ncolumn = "rate"\nmaximum = 1', ["'maximum'", "max"]),
        ('[[rule]]\ncolumn = "rate"\nmax = "0.1"', ["max", "number"]),
        ('[[rule]]\ncolumn = "rate"\nmax = nan', ["max", "number"]),
        ('[[rule]]\ncolumn = "rate"\nmax = true', ["max", "number"]),
        ('[[rule]]\ncolumn = "rate"\nmax_regression = -0.1', ["max_regression", "at least 0"]),
        ('[[rule]]\ncolumn = "rate"\nmax = 1\nmin_n = 0', ["min_n"]),
        ('[[rule]]\ncolumn = "rate"\nmax = 1\nmin_n = 2.5', ["min_n"]),
        ('[[rule]]\ncolumn = "rate"\nmax = 1\nsignificance = 0.05', ["significance", "rate_high"]),
        ('[[rule]]\ncolumn = "rate"\nmax_regression = 0\nsignificance = 5', ["significance", "0 to 1"]),
        ('[[rule]]\ncolumn = "rate_high"\nmax_regression = 0', ["max_regression", "rate_high", "cerns"]),
        ('[[rule]]\ncolumn = "rate"\nmax = 1\nwhere = { lang = "de-DE" }', ["'lang'", "locale"]),
        ('[[rule]]\ncolumn = "rate"\nmax = 1\nwhere = { locale = 3 }', ["where.locale"]),
        ('[[rule]]\ncolumn = "rate"\nmax = 1\nwhere = { locale = [] }', ["where.locale"]),
        ('[[rule]]\ncolumn = "rate"\nmax = 1\nwhere = "de-DE"', ["where", "table"]),
        ('base = "x"\n[[rule]]\ncolumn = "rate"\nmax = 1', ["'base'", "baseline"]),
        ('baseline = 3\n[[rule]]\ncolumn = "rate"\nmax = 1', ["baseline"]),
    ],
)  # fmt: skip
def test_a_broken_gate_is_refused_by_key(gate, text, words):
    """Unknown keys and columns, wrong types and rules that bound nothing are usage errors that name what is near."""
    with pytest.raises(UsageError) as error:
        gate(text)
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "gate.toml" in str(error.value)


def test_every_numeric_column_can_be_bounded(runs, gate):
    """Any figure of summary.csv that a cell has takes max, min and min_n."""
    cell = next(one for one in runs.base.summary.cells if one.locale == "en-US")
    numeric = [
        column.name
        for column in SUMMARY_COLUMNS
        if column.kind != "text" and getattr(cell, column.name) is not None
    ]
    assert {"rate", "rate_high", "failed", "final_text_p95_s", "cost_usd"} <= set(numeric)
    text = "".join(
        f'[[rule]]\ncolumn = "{name}"\nmax = 1e9\nmin = -1e9\n{EN}\n' for name in numeric
    )
    assert check_gate(gate(text), runs.base, None).passed


# ── What is written ──────────────────────────────────────────────────────────────────────────────────────────────────

EVIL = "</testcase><failure/>]]>\x00\x1b[31m\u202e&lt;\ufffe\ud800"


def test_junit_has_a_case_a_rule_and_cell(runs, gate):
    """Parsed back, every check is a test case, a failed one with figure, bound and n; the counts are right."""
    text = f'[[rule]]\ncolumn = "rate"\nmax = 0.05\n[[rule]]\ncolumn = "rate"\nmax_regression = 0.01\n{EN}'
    result = check_gate(gate(text), runs.news[0][0], runs.base)
    root = ET.fromstring(junit_bytes([("new", result), ("again", result)]))  # noqa: S314 - our own output
    (suite, again) = root.findall("testsuite")
    assert "new" == suite.get("name")
    cases = suite.findall("testcase")
    checks = [(rule.rule, check) for rule in result.rules for check in rule.checks]
    assert [(rule, check.cell) for rule, check in checks] == [
        (case.get("classname"), case.get("name")) for case in cases
    ]
    assert [not check.passed for _, check in checks] == [
        case.find("failure") is not None for case in cases
    ]
    assert "rate is 0.1, allowed is at most 0.05 (n 20)" in [
        failure.get("message") for failure in root.iter("failure")
    ]
    assert (str(len(checks)), str(sum(not check.passed for _, check in checks))) == (
        suite.get("tests"),
        suite.get("failures"),
    )
    assert str(2 * len(checks)) == root.get("tests")
    assert len(again.findall("testcase")) == len(checks)


def test_hostile_names_stay_text(run, said, gate):
    """Whatever a dataset, model or run is called, the XML is well formed and has no element but ours."""
    evil = EVIL.replace("\ud800", "")
    table = build_reports(run([said.Said(id="a", dataset=evil, model=evil, hypothesis="the")]))
    result = check_gate(gate('[[rule]]\ncolumn = "rate"\nmax = 0.1'), table, None)
    root = ET.fromstring(junit_bytes([(EVIL, result)]))  # noqa: S314 - our own output
    assert {"testsuites", "testsuite", "testcase", "failure"} == {one.tag for one in root.iter()}
    assert r"</testcase><failure/>]]>\x00\x1b[31m\u202e&lt;" in root.find("testsuite").get("name")


# ── The commands ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("bound, code", [(0.2, 0), (0.04, 6)])
def test_compare_fails_with_its_gate(runs, tmp_path, capsys, bound, code):
    """`harness compare --gate` exits with 6 when a rule fails, says a line a rule, and writes junit.xml into NEW."""
    base, new = runs.base.folder, runs.news[0][0].folder
    path = tmp_path / "g.toml"
    path.write_text(f'[[rule]]\ncolumn = "rate"\nmax_regression = {bound}\n{EN}\n')
    assert code == asked("compare", base, new, "--gate", path)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("gate: ")]
    assert ("FAIL" in line) == (code == 6)
    root = ET.parse(new / "junit.xml").getroot()  # noqa: S314 - our own output
    assert str(int(code == 6)) == root.get("failures")
    assert code == asked(
        "compare",
        base,
        new,
        "--gate",
        path,
        "--json",
        "--junit",
        tmp_path / "j.xml",
        "--markdown",
        tmp_path / "c.md",
    )
    document = json.loads(capsys.readouterr().out)
    assert (code == 0) == document["contrasts"][0]["gate"]["passed"]
    assert (tmp_path / "j.xml").is_file()
    assert ("❌" in (tmp_path / "c.md").read_text()) == (code == 6)


def test_report_checks_a_gate_and_its_baseline(runs, tmp_path, capsys):
    """`harness report --gate` compares with the baseline that the gate names, relative to its file."""
    base, new = runs.base.folder, runs.news[0][0].folder
    path = base.parent / "g.toml"
    path.write_text(f'baseline = "base"\n[[rule]]\ncolumn = "rate"\nmax_regression = 0.01\n{EN}\n')
    assert 6 == asked("report", new, "--gate", path)
    assert "gate: FAIL" in capsys.readouterr().out
    assert 0 == asked("report", base, "--gate", path, "--json")
    out, err = capsys.readouterr()
    assert "gate: PASS" in err
    json.loads(out)


@pytest.mark.parametrize(
    "make, code, words",
    [
        (lambda _said, _folder: None, 3, ["not a run folder"]),
        (lambda said, folder: said.make_run(folder, [said.Said(id="elsewhere")]), 3, ["no utterance is common"]),
        (lambda said, folder: said.make_run(folder, rows(said, 0, emulator=None, endpoint="wss://x.googleapis.com/")), 3, ["service"]),
    ],
)  # fmt: skip
def test_a_baseline_that_does_not_compare_is_named(  # noqa: PLR0917 - fixtures and a table
    run, said, tmp_path, capsys, make, code, words
):
    """A baseline that is no run, shares no utterance or was heard by another service is exit 3."""
    make(said, tmp_path / "base")
    path = tmp_path / "g.toml"
    path.write_text('baseline = "base"\n[[rule]]\ncolumn = "rate"\nmax_regression = 0.01\n')
    assert code == asked("report", run(rows(said, 0)), "--gate", path)
    assert all(word in capsys.readouterr().err for word in words)


@pytest.mark.parametrize(
    "text, code, words",
    [
        ('[[rule]]\ncolumn = "wre"\nmax = 0.1', 2, ["wre", "wer"]),
        ('[[rule]]\ncolumn = "rate"\nmax_regression = 0.1', 2, ["baseline"]),
        (
            'baseline = "none"\n[[rule]]\ncolumn = "rate"\nmax_regression = 0.1',
            3,
            ["none: not a run folder", "no such folder"],
        ),
    ],
)
def test_a_broken_gate_costs_nothing(  # noqa: PLR0917 - fixtures and a table
    tmp_path, monkeypatch, capsys, text, code, words
):
    """`harness run --gate` refuses a broken gate before it makes a folder or starts anything."""
    monkeypatch.chdir(tmp_path)
    Path("g.toml").write_text(text)
    assert code == asked("run", "sample", "--gate", "g.toml")
    told = capsys.readouterr().err
    assert all(word in told for word in words), told
    assert ["g.toml"] == [path.name for path in tmp_path.iterdir()]


# ── The documentation ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_documented_example_is_what_happens(runs, tmp_path, capsys):
    """The gate in docs/gates.md, on the runs it describes, says exactly what the page says."""
    page = DOC.read_text()
    (toml,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (told,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "gate.toml"
    path.write_text(toml)
    assert 6 == asked("compare", runs.base.folder, runs.news[0][0].folder, "--gate", path)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("gate: ")]
    assert lines == told.splitlines()


def test_an_adopted_reference_does_not_reach_the_disk(runs):
    """Judging a run as the base is leaves its own plan alone."""
    plan = read_plan(runs.news[0][0].folder)
    changed = [msgspec.structs.replace(one, reference="x") for one in plan.utterances]
    folder = runs.news[0][0].folder
    try:
        write_plan(folder, msgspec.structs.replace(plan, utterances=changed))
        open_runs(runs.base.folder, [folder], force=True)
        assert changed == read_plan(folder).utterances
    finally:
        write_plan(folder, plan)
