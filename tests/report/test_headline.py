"""The sentence and the tile that head a dataset: across locales the macro CERns, of a single one its own metric."""

from __future__ import annotations

from harness.report.build import build_reports


def test_a_single_locale_is_headed_by_its_own_metric(run, said):
    """The model with the lowest WER is named, though another has the lower CERns; its interval stands beside."""
    heard = {"words": "the quick brown xxxxxxxxxxxxx", "letters": "teh quikc brown fox"}
    rows = [
        said.Said(id=f"u{n}", locale="en-US", model=model, speaker=f"s{n % 5}", hypothesis=text if n else "the quick brown fox")
        for n in range(10)
        for model, text in heard.items()
    ]  # fmt: skip
    table = build_reports(run(rows))
    standings = {one.model: one for one in table.summary.standings}
    assert standings["letters"].macro_cerns < standings["words"].macro_cerns
    assert standings["words"].macro_wer < standings["letters"].macro_wer
    assert f"WER {standings['words'].macro_wer:.1%}".replace("%", " %") in table.summary.verdict
    assert "(words, the lowest of 2)" in table.summary.verdict
    cell = next(one for one in table.summary.cells if one.model == "words")
    page = (table.folder / "report.html").read_text(encoding="utf-8")
    assert f"{cell.rate_low * 100:.1f}–{cell.rate_high * 100:.1f} % · <bdi>" in page


def test_several_locales_are_headed_by_the_macro(run, said):
    """Rates of different languages are never added: their mean is of characters."""
    rows = [said.Said(id=f"{locale}{n}", locale=locale, hypothesis="the quick brown fox") for locale in ("en-US", "de-DE") for n in range(4)]  # fmt: skip
    assert "macro CERns 0.0 % over 2 of 2 locales" in build_reports(run(rows)).summary.verdict


def test_models_that_heard_the_same_are_called_alike(run, said):
    """No model is named the lowest where another has the same rate; one that is not complete is none of them."""
    refused = {"hypothesis": None, "outcome": "failed_quota", "failure": "quota"}
    rows = [
        said.Said(id=f"u{n}", model=model, **({"hypothesis": "the quick brown"} if n or model != "three" else refused))
        for n in range(4)
        for model in ("one", "two", "three")
    ]  # fmt: skip
    table = build_reports(run(rows))
    assert "(2 of 3 models alike)" in table.summary.verdict
    assert "lowest" not in table.summary.verdict
    page = (table.folder / "report.html").read_text(encoding="utf-8")
    assert "2 of 3 models alike</dd>" in page


def test_a_mean_without_spread_has_no_interval(run, said):
    """Where no block differs from another an interval from 0 to 0 would promise what nobody saw: there is none."""
    spoken = [("en-US", n, "the quick brown fox") for n in range(6)]
    same = [said.Said(id=f"{code}{n}", locale=code, hypothesis=text) for code, n, text in spoken]
    (standing,) = build_reports(run(same)).summary.standings
    assert (0.0, None, None) == (
        standing.macro_cerns,
        standing.macro_cerns_low,
        standing.macro_cerns_high,
    )
