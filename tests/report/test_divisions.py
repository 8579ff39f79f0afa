"""The page's tables of where errors are."""

from __future__ import annotations

import re

import pytest

from harness.report.build import build_reports
from harness.report.page.divisions import divisions


@pytest.fixture(scope="module")
def made(tmp_path_factory, said):
    """A run with two locales: one speaker errs at the end, tags divide it, one locale errs nowhere."""
    rows = [
        *(
            said.Said(id=f"u{n}", reference="one two three four five", speaker=f"s{n % 7}",
                      hypothesis="one two three four" if n % 7 == 6 else "one two three four five",
                      tags={**said.SPEECH, "accent": "north" if n % 2 else "south"})
            for n in range(14)
        ),
        said.Said(id="de", locale="de-DE", reference="eins zwei", hypothesis="eins zwei"),
    ]  # fmt: skip
    table = build_reports(said.make_run(tmp_path_factory.mktemp("made") / "run", rows))
    return table.summary, (table.folder / "report.html").read_text()


def test_every_reference_token_is_of_one_kind(made):
    """The kinds of a cell's tokens sum up to its reference tokens, and what is wrong to its deletions and substitutions."""
    summary, _ = made
    cells = {cell.locale: cell for cell in summary.cells}
    found = divisions(summary)
    assert ["de-DE", "en-US"] == [row.cell.locale for row in found.classes]
    for row in found.classes:
        cell = cells[row.cell.locale]
        tallies = [tally for tally in row.tallies if tally]
        assert cell.reference_tokens == sum(tally.tokens for tally in tallies)
        assert cell.substitutions + cell.deletions == sum(tally.wrong for tally in tallies)


def test_deletions_are_where_they_were(made):
    """What is lost at the end is in the last tenths; a cell that loses nothing has no row."""
    found = divisions(made[0])
    (row,) = found.places
    assert "en-US" == row.cell.locale
    assert max(row.shares[5:]) == found.most > 0
    assert 0 == max(row.shares[:5])


def test_parts_are_the_worst_first_and_say_how_far_apart(made):
    """Speakers are at most five, the worst first; the worst part of a tag says how far it is from the best."""
    found = divisions(made[0])
    speakers = [row for row in found.parts if row.by == "speaker"]
    assert ("s6", 5) == (speakers[0].part.value, len(speakers))
    gaps = [row.gap for row in found.parts if row.by == "accent"]
    assert gaps[0] is not None
    assert [None] == gaps[1:]
    assert not [row for row in found.parts if row.cell.locale == "de-DE"]


def test_rows_without_room_are_counted(made, monkeypatch):
    """A table that would be too long is cut, and the page says how many rows are elsewhere."""
    monkeypatch.setattr("harness.report.page.divisions._MOST_ROWS", 3)
    whole = len(divisions(made[0]).parts) + divisions(made[0]).left_out
    found = divisions(made[0])
    assert (3, whole - 3) == (len(found.parts), found.left_out)


def test_the_page_has_the_tables(made):
    """All three tables are in the page, without script."""
    for words in ("By kind of token", "Not heard, from the beginning", "By speaker, length, pace and tag"):  # fmt: skip
        assert words in made[1]
    assert 1 == len(re.findall(r'<svg class="tenths"', made[1]))


def test_tokens_are_told_by_modality_and_audio_hour(made):
    """Tokens of every locale stand by modality, and per audio hour: 15 rows of 4 s and 137 tokens are 123,300 an hour."""
    summary, page = made
    cost = page.partition('<section id="cost"')[2].partition("</section>")[0]
    assert {"AUDIO": 14 * 128} == next(cell for cell in summary.cells if cell.locale == "en-US").prompt_by_modality  # fmt: skip
    assert "audio 1,792" in cost
    assert 3 == cost.count("123,300")
