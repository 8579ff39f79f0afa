"""The summary in words: nothing in it steers a terminal or a Markdown page."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from harness.report.build import build_reports
from harness.report.comparison.comparable import open_runs
from harness.report.comparison.compare import comparison
from harness.report.comparison.digest import comparison_text
from harness.report.words.digest import printable, summary_markdown, summary_rich, summary_text

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
    title, heads, *cells = text.split("\n\n")[1].splitlines()
    assert title.endswith(printable(EVIL))
    assert 1 == len({line.index("WER") for line in cells if "WER" in line})
    assert len(heads) == max(map(len, (heads, *cells)))


def test_a_run_fits_eighty_columns(tmp_path, said):
    """With colour or without, the tables of an ordinary run are at most 80 columns wide, and name model and dataset once."""
    rows = [said.Said(id=f"u{n}", locale="de-DE", speaker=f"s{n}", reference="eins zwei drei", hypothesis="eins zwo drei vier", model="gemini-3.8-live") for n in range(12)]  # fmt: skip
    from rich.console import Console

    summary = build_reports(said.make_run(tmp_path / "run", rows)).summary
    console = Console(width=80, force_terminal=True, color_system=None)
    with console.capture() as shown:
        console.print(summary_rich(summary))
    assert "…" not in shown.get()
    text = summary_text(summary)
    assert 1 == text.count("gemini-3.8-live")
    assert 80 >= max(map(len, text.split("\n\n")[1].splitlines()))


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("quota", [False, True])
def test_no_figure_is_cut_off_where_sessions_failed(tmp_path, said, refused, quota):
    """On a terminal of 80 columns a table with all that may stand in it shows every figure whole, narrower where it must."""
    from rich.console import Console

    rows = [
        said.Said(id=f"u{n}", speaker=f"s{n}", hypothesis="the quick brown fox" * (n % 2))
        for n in range(200)
    ]
    rows += [said.Said(id="refused", **REFUSED)] * refused + [said.Said(id="q", **QUOTA)] * quota
    summary = build_reports(said.make_run(tmp_path / "run", rows)).summary
    console = Console(width=80, force_terminal=True, color_system=None)
    with console.capture() as shown:
        console.print(summary_rich(summary))
    assert "…" not in shown.get()
    *_, cells = shown.get().splitlines()
    [cell] = summary.cells
    assert f" 200/{200 + refused + quota} " in cells
    assert cells.rstrip().endswith(f"${cell.cost_usd:.4f}")


LONG = f"Some sessions are not what they seem, and {'a/' * 30}b.wav is one of them, as you see."
"""A warning that no terminal of 40 columns holds on a line, with a path that is longer than one."""


def hung(lines):
    """Return a warning without its mark, its indents and its spaces; each line is in its place."""
    first, *others = lines
    assert others
    assert "! " == first[:2]
    assert {"  "} == {line[:2] for line in others}
    assert all(line[2] != " " for line in lines)
    return "".join(line[2:] for line in lines).replace(" ", "")


def test_a_warning_that_is_wrapped_hangs_below_its_text(summary):
    """With colour, every line of a warning but its first is indented, none is too long, and nothing is cut off."""
    from rich.console import Console

    serious = msgspec.structs.replace(summary.warnings[0], level="serious", text=LONG)
    bare = msgspec.structs.replace(
        summary, labels=[], verdict="V", warnings=[serious, serious], cells=[], troubles=[]
    )
    console = Console(width=40, force_terminal=True, color_system=None)
    with console.capture() as shown:
        console.print(summary_rich(bare))
    _, *lines = map(str.rstrip, shown.get().splitlines())
    assert 40 >= max(map(len, lines))
    second = lines.index(lines[0], 1)
    assert LONG.replace(" ", "") == hung(lines[:second])
    assert LONG.replace(" ", "") == hung(lines[second:])
    with console.capture() as shown:
        console.print(summary_rich(msgspec.structs.replace(bare, warnings=[])))
    assert ["V"] == shown.get().split()
    assert 1 == len(shown.get().splitlines())


def test_a_note_that_is_wrapped_hangs_below_its_text(tmp_path, said):
    """So does a comparison's; a log has it on one line."""
    folder = said.make_run(tmp_path / "run", [said.Said(id="a")])
    document = comparison(open_runs(folder, [folder]))
    (contrast,) = document.contrasts
    contrast = msgspec.structs.replace(contrast, notes=[LONG])
    document = msgspec.structs.replace(document, contrasts=[contrast])
    assert f"! {LONG}" in comparison_text(document).splitlines()
    lines = comparison_text(document, 40).splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("! "))
    note = lines[first : lines.index("", first)]
    assert LONG.replace(" ", "") == hung(note)
    assert [line for line in note if "a/a/" in line] == [line for line in note if len(line) > 40]


def test_a_comparison_fits_the_terminal(tmp_path, said):
    """At 80 columns no sentence and no transcript runs into the margin, in scripts of wide characters either; all is there."""
    texts = ["昨日は雨が降っていましたが、" * 6, "and now for something completely different " * 4]
    models = ("gemini-live-2.5-flash-preview", "gemini-2.5-flash-native-audio-preview-09-2025")
    folders = []
    for name, heard in (("before", 0), ("after", 1)):
        rows = [
            said.Said(
                id=f"u{n}", locale=locale, reference=text, hypothesis=(text, "")[heard], model=model
            )
            for n, (locale, text) in enumerate(zip(("ja-JP", "en-US"), texts, strict=True))
            for model in models
        ]
        folders.append(said.make_run(tmp_path / f"20261122-194344-{name}", rows, pace=1 + heard))
    document = comparison(open_runs(folders[0], folders[1:], force=True))
    lines = comparison_text(document, 80).splitlines()
    assert 80 >= max(map(cell_len, lines))
    assert 80 < max(map(cell_len, comparison_text(document).splitlines()))
    together = "".join(line.strip() for line in lines).replace(" ", "")
    for text in texts:
        assert text.replace(" ", "") in together
    assert {" "} == {line[0] for line in lines if "昨日" in line or "something" in line}
    narrow = comparison_text(document, 30).splitlines()
    assert not any(line.strip() == "" and line for line in narrow)


def test_failed_sessions_say_why(tmp_path, said):
    """Every way to fail is told with its commonest reasons and their number, and how many more there are."""
    broken = {"hypothesis": None, "outcome": "failed_client", "failure": "input"}
    reasons = ["a.wav: there is no such file"] * 3 + [f"{n}.wav: its header is damaged" for n in range(4)]  # fmt: skip
    rows = [said.Said(id=f"u{n}", reason=why, **broken) for n, why in enumerate(reasons)]
    summary = build_reports(said.make_run(tmp_path / "run", [*rows, said.Said(id="ok")])).summary
    for text in (summary_text(summary), summary_markdown(summary)):
        assert "3 failed on our side: a.wav: there is no such file" in text
        assert 2 == text.count(": its header is damaged")
        assert "2 more failed on our side: utterances.csv says why" in text


OURS = {"hypothesis": None, "outcome": "failed_client"}
UNREADABLE = {**OURS, "failure": "input", "reason": "a.wav: there is no such file"}
AWAY = {**OURS, "failure": "transient", "reason": "no route to host"}
REFUSED = {**OURS, "failure": "config", "reason": "closed 1007: Unsupported language code 'xx'"}
QUOTA = {"hypothesis": None, "outcome": "failed_quota", "failure": "quota"}
BROKEN = {**OURS, "failure": "client", "reason": "the clip can no longer be read"}
ALONE = "and then the same command with --out and this run's folder sends it alone"
ANEW = "a run with that mended is a new one: it sends 3 sessions again"
ON = "the same command continues the run"


@pytest.mark.parametrize(
    ("broken", "told", "untold"),
    [
        ([UNREADABLE], ["1 of 3 sessions must be run again", f"their rows say what to mend, {ALONE}"], [ON, ANEW]),
        ([BROKEN], ["1 of 3 sessions must be run again", f"their rows say what to mend, and {ANEW}"], [ON]),
        ([BROKEN, UNREADABLE], ["2 of 3", f"the rows of 1 say what to mend, {ALONE}; the rows of 1 say what to mend, and {ANEW}"], [ON]),
        ([AWAY], ["1 of 3 sessions must be run again", ON], ["mend"]),
        ([QUOTA], ["1 of 3 sessions must be run again", ON], ["mend"]),
        ([UNREADABLE, QUOTA], ["2 of 3", f"{ON}; the rows of 1 say what to mend, {ALONE}"], []),
        ([REFUSED], ["The service refused 1 of 3 sessions", "1 refused by the service: closed 1007"], ["must be run again", "on our side", ON]),
        ([REFUSED, AWAY], ["The service refused 1 of 3", "1 of 3 sessions must be run again (1 failed on our side)", ON], ["mend"]),
    ],
)  # fmt: skip
def test_what_the_same_command_would_do_is_told(tmp_path, said, broken, told, untold):
    """What reached nobody is gone on with, what was never sent is sent alone, what broke in us or was refused is a new run."""
    rows = [said.Said(id=f"u{n}", **(broken[n] if n < len(broken) else {})) for n in range(3)]
    summary = build_reports(said.make_run(tmp_path / "run", rows)).summary
    text = summary_text(summary)
    assert [] == [words for words in told if words not in text]
    assert [] == [words for words in untold if words in text]
    counted = {trouble.failure: trouble.counted for trouble in summary.troubles}
    assert (REFUSED in broken) == ("refused: has no rate" == counted.get("config"))


@pytest.mark.parametrize(
    ("broken", "left", "heads"),
    [
        ([], None, ()),
        ([QUOTA, AWAY], "2 to run again", ("again",)),
        ([REFUSED, REFUSED], "2 refused", ("refused",)),
        ([REFUSED, QUOTA], "1 to run again, 1 refused", ("again", "refused")),
    ],
)
def test_what_is_refused_is_not_to_be_run_again(tmp_path, said, broken, left, heads):
    """The headline, the tables and the page count what the same command runs again apart from what would be refused again."""
    rows = [said.Said(id=f"u{n}", **(broken[n] if n < len(broken) else {})) for n in range(3)]
    folder = said.make_run(tmp_path / "run", rows)
    summary = build_reports(folder).summary
    head = f"{3 - len(broken)} of 3 sessions scored" + (f", {left}" if left else "") + ": 1 model"
    assert head in summary.verdict
    [cell] = summary.cells
    assert (len(broken), broken.count(REFUSED)) == (cell.failed, cell.refused)
    [table] = [lines.split() for lines in summary_text(summary).splitlines() if "locale " in lines]
    assert list(heads) == [name for name in ("again", "refused") if name in table]
    page = (folder / "report.html").read_text("utf-8")
    assert (f"incomplete: {left}" in page) == bool(left)
    again = len(broken) - broken.count(REFUSED)
    tile = f"{again} to run again" + (" · 1 refused" if len(heads) == 2 else "")
    assert f'<dd class="of">{tile}' in page


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


def test_a_clip_without_its_end_is_a_serious_matter(tmp_path, said):
    """What a damaged file lacks counts as the model's deletions, so the report says so before its figures; other faults are noted."""
    cut = "the audio: damaged: decoding stopped at 0.26 s (lost sync); clipping: 1.00% of the samples are at full scale"
    rows = [said.Said(id="cut", reason=cut), said.Said(id="loud", reason="the audio: clipping: 1.00%"), said.Said(id="whole")]  # fmt: skip
    text = summary_text(build_reports(said.make_run(tmp_path / "run", rows)).summary)
    assert (
        "! Of 1 clip the end is missing, the first cut (damaged: decoding stopped at 0.26 s" in text
    )
    assert "Of 2 clips the audio is odd" in text
    assert "  Of 2 clips" in text
    loud = summary_text(build_reports(said.make_run(tmp_path / "loud", rows[1:])).summary)
    assert "the end is missing" not in loud
