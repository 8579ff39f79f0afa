"""How far models of one run are behind the first: what `harness compare` says of two runs, said within one."""

from __future__ import annotations

import pytest

from harness.report.build import build_reports
from harness.report.comparison.comparable import open_runs
from harness.report.comparison.compare import comparison

HEARD = {"good": "the quick brown fox", "same": "the quick brown fox", "bad": "the box"}
"""Model → what it hears of most utterances."""


def _rows(said, models, *, locales=("en-US", "de-DE"), count=10):
    return [
        said.Said(
            id=f"{locale}-{number}", locale=locale, model=model, speaker=f"s{number}",
            hypothesis=HEARD[model] if number else "the quick",
        )
        for locale in locales
        for number in range(count)
        for model in models
    ]  # fmt: skip


def test_the_difference_is_that_of_two_runs(run, said):
    """A model is as far behind the first as a run of it is behind a run of the first, with the same interval and p."""
    table = build_reports(run(_rows(said, ["bad", "good"])))
    first, last = table.summary.standings
    assert ("good", None, "bad") == (first.model, first.behind, last.model)
    assert last.behind.difference == pytest.approx(last.macro_cerns - first.macro_cerns)
    alone = [run(_rows(said, [model])) for model in ("good", "bad")]
    (contrast,) = comparison(open_runs(alone[0], [alone[1]])).contrasts
    macro = next(one for one in contrast.macros if one.metric == "CERns")
    for name in ("base_rate", "new_rate", "difference", "low", "high", "p", "verdict"):
        assert getattr(macro, name) == getattr(last.behind, name)
    assert "worse" == last.behind.verdict


def test_of_several_models_p_holds_for_all_pairs(run, said):
    """Each p is multiplied by the pairs of models, three of three; one that hears the same is not told apart."""
    table = build_reports(run(_rows(said, ["good", "same", "bad"])))
    behind = {one.model: one.behind for one in table.summary.standings if one.behind}
    assert {"same", "bad"} == set(behind) or {"good", "bad"} == set(behind)
    equal = behind.get("same") or behind["good"]
    assert (0.0, 1.0, "cannot tell") == (equal.difference, equal.p, equal.verdict)
    assert behind["bad"].p_adjusted == pytest.approx(min(1.0, 3 * behind["bad"].p))
    page = (table.folder / "report.html").read_text(encoding="utf-8")
    assert "Behind the first, points" in page


def test_what_must_be_run_again_is_in_no_difference(run, said):
    """A locale that one of both lacks is left out for both; without any other there is no difference."""
    rows = _rows(said, ["good", "bad"])
    lost = [said.Said(id="lost", locale="de-DE", model=model, hypothesis=None if model == "bad" else "x") for model in ("good", "bad")]  # fmt: skip
    table = build_reports(run([*rows, *lost]))
    english = build_reports(run([row for row in rows if row.locale == "en-US"]))
    assert english.summary.standings[1].behind.difference == pytest.approx(
        table.summary.standings[1].behind.difference
    )
    none = build_reports(run([row for row in rows if row.locale == "de-DE"] + lost))
    assert None is none.summary.standings[1].behind


def test_one_model_is_behind_nobody(run, said):
    """With a single model no difference is made, and the page has no such column."""
    table = build_reports(run(_rows(said, ["good"])))
    assert [None] == [one.behind for one in table.summary.standings]
    assert "Behind the first" not in (table.folder / "report.html").read_text(encoding="utf-8")
