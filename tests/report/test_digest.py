"""The summary in words: nothing in it steers a terminal or a Markdown page."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.build import build_reports
from harness.report.digest import printable, summary_markdown, summary_rich, summary_text

EVIL = "a|b\n# c\r<img src=x> [l](http://x) `q` @all\x1b]0;t\x07\u202e*b*"


@pytest.fixture(scope="module")
def summary(tmp_path_factory, said):
    """A run with text that means something to Markdown and to terminals."""
    rows = [
        said.Said(id="a", dataset=EVIL, model=EVIL, emulator=f"1; {EVIL}"),
        said.Said(id="b", hypothesis=None),
    ]
    folder = said.make_run(
        tmp_path_factory.mktemp("digest") / "run", rows, command=EVIL, notes=[EVIL]
    )
    return build_reports(folder).summary


@given(text=st.text())
def test_printable_text_stays_on_its_line(text):
    """No control character, escape, line break or bidi override gets through; everything else does."""
    kept = printable(text)
    assert kept.isprintable() or not [c for c in kept if ord(c) < 32 or 127 <= ord(c) < 160]
    assert not set(kept) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2028\u2029")
    if text.isascii() and text.isprintable():
        assert text == kept


def test_the_terminal_is_not_steered(summary):
    """The plain text has no escape or carriage return from anybody's names, and its table is aligned."""
    text = summary_text(summary)
    assert not set(text) & set("\x1b\x07\r\u202e")
    table = text.split("\n\n")[1].splitlines()
    assert 1 + len(summary.cells) == len(table)
    assert 1 == len({line.index("WER") for line in table[1:] if "WER" in line})


def test_rich_shows_brackets_as_they_are(summary):
    """On a terminal with colour, text from outside is text, not rich's markup."""
    from rich.console import Console

    console = Console(width=400, force_terminal=True)
    with console.capture() as shown:
        console.print(summary_rich(msgspec.structs.replace(summary, verdict="[red]x[/red] [/]")))
    assert "[red]x[/red] [/]" in shown.get()


def test_markdown_cells_keep_their_borders(summary):
    """Every row of the Markdown table has the header's number of cells, whatever the names contain."""
    lines = [line for line in summary_markdown(summary).splitlines() if line.startswith("|")]
    assert 2 + len(summary.cells) == len(lines)
    assert 1 == len({line.replace(r"\|", "").count("|") for line in lines})


def test_markdown_has_no_link_mention_or_tag(summary):
    """Outside the command's code span, names make no link, mention, image or HTML in Markdown."""
    text = summary_markdown(summary).partition("Again:")[0]
    for markup in ("<img", "](", "@all", "http://", "\n# c"):
        assert markup not in text.replace(r"\<", "").replace(r"\]", "")


def test_markdown_fits_a_comment(summary):
    """However many cells there are, summary.md stays under the 64 kB of a pull-request comment, and says what it left out."""
    many = msgspec.structs.replace(summary, cells=summary.cells * 5000)
    text = summary_markdown(many)
    assert len(text.encode()) < 64_000
    assert "more cells in `summary.csv`" in text
