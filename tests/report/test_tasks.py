"""The columns of the tasks in which the model answers."""

from __future__ import annotations

from math import comb

import msgspec
import pandas as pd
import pytest

from harness.clock import run_virtual
from harness.corpus.scenario import Expectation
from harness.errors import UsageError
from harness.report.build import build_reports
from harness.report.comparison.comparable import open_runs
from harness.report.comparison.compare import comparison
from harness.report.comparison.digest import comparison_markdown, comparison_text
from harness.report.difference.verdict import macro_difference, rate_difference
from harness.report.gates.gate import check_gate
from harness.report.gates.rules import read_gate
from harness.report.page.clips import Embed
from harness.report.page.comparison import comparison_page
from harness.report.words.digest import summary_text
from harness.run.folder import JOURNAL, read_journal
from harness.wire.live.setups import asking_setup
from tests.report.test_page import EVIL, Parsed, require_no_markup
from tests.run.runs import plan, run
from tests.run.test_ask import put, says, written
from tests.run.test_speak import text
from tests.session.memory import MODEL, Service
from tests.session.speaker import asked, speaking, speaks

WORDS = "Zwei plus zwei ist vier."


def test_speech_is_scored_by_what_is_heard_of_it(tmp_path):
    """A spoken text has a rate, its time to first audio, its length and its speech rate; a lame one has its reason."""
    made = plan([text(1), text(2), text(3, None)], task="speak", transcript="output")
    service = Service(speaks(pieces=5, first=0.3))
    run_virtual(run(made, tmp_path, service, setups={MODEL: speaking(MODEL)}))
    table = build_reports(tmp_path)
    rows = table.utterances().set_index("utterance_id")
    first = rows.loc["u0001"]
    assert (0.0, 0.3, 1.0) == (first["rate"], first["first_audio_s"], first["speech_s"])
    letters = sum(letter.isalpha() for letter in WORDS)
    assert letters == pytest.approx(first["speech_chars_per_s"])
    assert "it has no text to speak" in rows.loc["u0003"]["reason"]
    [cell] = table.cells().to_dict("records")
    assert (2, 1, 2.0) == (cell["scored"], cell["failed"], cell["speech_s"])
    assert letters == pytest.approx(cell["speech_chars_per_s"])
    assert 0.3 == pytest.approx(cell["first_audio_p50_s"])
    assert 0.3 == pytest.approx(table.summary.standings[0].first_audio_p50_s)
    assert not [one for one in table.summary.warnings if "who speaks" in one.text], "the model does"
    page = (tmp_path / "report.html").read_text()
    assert "<dt>First audio" in page
    assert "First audio p50" in page
    assert "Final text" not in page
    assert "First audio, after the text had left: share of sessions by time" in page
    assert (2, 0.3) == (
        table.summary.latencies[0].first_audio.n,
        table.summary.latencies[0].first_audio.p50.value,
    )
    assert None is table.summary.latencies[0].final_text


def test_answers_are_counted_and_not_scored(tmp_path):
    """A cell of questions has a pass rate and no error rate; what could not be asked is failed, and every page is made."""
    asks = [written(1), written(2, expect=Expectation(number=12)), written(3, words=None)]
    put(tmp_path, Service(says("It is eleven degrees.")), *asks)
    table = build_reports(tmp_path)
    [cell] = table.cells().to_dict("records")
    assert (3, 2, 1) == (cell["utterances"], cell["scored"], cell["failed"])
    assert (1, 0.5, 0.4) == (cell["passed"], cell["pass_rate"], cell["first_reply_p50_s"])
    assert pd.isna(cell["rate"])
    reasons = table.utterances()["reason"].tolist()
    assert pd.isna(reasons[0])
    assert "the answer names no number, not 12" == reasons[1]
    assert "neither audio nor a text" in reasons[2]
    text = (tmp_path / "summary.md").read_text()
    assert "1 of 2 passed" in text
    page = (tmp_path / "report.html").read_text()
    assert 'id="answers"' in page
    assert 'id="rates"' not in page
    assert "<dt>First reply" in page
    assert "0.40 s" in page[page.index("<dt>First reply") :][:300]
    assert "First reply p50" in page
    assert "Final text" not in page
    assert "First reply, after the end of what was asked: share of sessions by time" in page
    assert page.index("u0002") < page.index("u0001"), "what did not pass comes first"


def test_hostile_answers_never_become_markup(tmp_path):
    """Neither a question, what is expected of its answer, nor the answer is more than text on the page of answers."""
    put(tmp_path, Service(says(EVIL)), written(1, words=EVIL, expect=Expectation(contains=[EVIL])))
    build_reports(tmp_path)
    require_no_markup(Parsed((tmp_path / "report.html").read_text(encoding="utf-8")))


def test_models_that_answer_are_ranked_by_what_passed(tmp_path):
    """The model of which more answers passed is first, with Wilson's interval, and the other behind it by that share."""
    good, bad = "model-good", "model-bad"

    def answer(line, frame):
        says("It is eleven." if good in line.heard[0]["setup"]["model"] else "No idea.")(
            line, frame
        )

    asks = [written(n, words=f"How warm is it in room {n}?") for n in range(12)]
    made = plan(asks, models=(bad, good), task="ask", transcript="reply")
    setup = asking_setup(MODEL, turns="manual", transcript="reply")
    setups = {
        model: msgspec.structs.replace(setup, model=f"models/{model}") for model in (bad, good)
    }
    run_virtual(run(made, tmp_path, Service(answer), setups=setups))
    first, last = build_reports(tmp_path).summary.standings
    assert (good, 12, bad, 0) == (first.model, first.passed.count, last.model, last.passed.count)
    assert 1 / (1 + 1.959964**2 / 12) == pytest.approx(first.passed.low)  # Wilson 1927, all of n
    assert (-1.0, "worse") == (last.behind.difference, last.behind.verdict)
    page = (tmp_path / "report.html").read_text()
    assert "Behind the first, points" in page
    assert "answers that did not pass against first reply" in page


def test_speech_is_played_and_drawn(tmp_path, said):
    """What the model said of a text is the row's clip: in the page, drawn from when it began to come, one for each row."""
    made = plan([text(1), text(2)], task="speak", transcript="output", repeats=2)
    run_virtual(run(made, tmp_path, Service(speaks(pieces=5, first=0.3)), setups={MODEL: speaking(MODEL)}))  # fmt: skip
    build_reports(tmp_path)
    page = (tmp_path / "report.html").read_text()
    packed = said.unpacked(page, "sessions")
    assert [{"audio": n} for n in range(4)] == [
        {name: value for name, value in clip.items() if name != "outline"}
        for clip in packed["clips"]
    ]
    assert {0, 1, 2, 3} == {session["clip"] for session in packed["sessions"]}
    assert [(0.3, 1.0, [0.0, 1.0])] * 4 == [
        (pytest.approx(session["at"]), session["length"], session["speech"])
        for session in packed["sessions"]
    ]
    build_reports(tmp_path, embed=Embed(clips=0))
    page = (tmp_path / "report.html").read_text()
    links = {clip["link"] for clip in said.unpacked(page, "sessions")["clips"]}
    assert 4 == len(links)
    assert all((tmp_path / link).is_file() for link in links)


# ── Compared ─────────────────────────────────────────────────────────────────────────────────────────────────────────

QUESTIONS = 30
WRONG = {"base": set(range(10)), "new": {0, 20}}
"""Questions that each run answers wrongly: 9 only the base, 1 only the new run."""


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two runs over the same questions."""
    folder = tmp_path_factory.mktemp("asked")
    for name, wrong in WRONG.items():

        def answer(line, frame, wrong=wrong):
            words = asked(frame) or ""
            number = int(words.rpartition(" ")[2] or -1)
            says("No idea." if number in wrong else "It is eleven.")(line, frame)

        asks = [written(n, words=f"How warm is it in room {n}") for n in range(QUESTIONS)]
        put(folder / name, Service(answer), *asks)
    return folder / "base", folder / "new"


def test_answers_are_compared_by_what_passed(two):
    """The share passed of both runs, its interval, McNemar's exact p, and better where more of them pass."""
    document = comparison(open_runs(two[0], [two[1]]))
    (cell,) = document.contrasts[0].cells
    assert ("passed", "higher", 30) == (cell.metric, cell.better, cell.pairs)
    assert (20 / 30, 28 / 30) == pytest.approx((cell.base_rate, cell.new_rate))
    assert 2 * sum(comb(10, n) for n in range(2)) / 2**10 == pytest.approx(cell.p)  # McNemar 1947
    assert ("better", 9, 1) == (cell.verdict, cell.improved, cell.worsened)
    assert 0 < cell.low < 8 / 30 < cell.high
    assert "first reply" == cell.delay.of
    assert ["passed", "better"] == [
        getattr(document.contrasts[0].macros[0], f) for f in ("metric", "verdict")
    ]
    assert 10 == len(document.contrasts[0].moved)
    (back,) = comparison(open_runs(two[1], [two[0]])).contrasts[0].cells
    assert ("worse", cell.p, -cell.high) == (back.verdict, back.p, pytest.approx(back.low))
    (same,) = comparison(open_runs(two[0], [two[0]])).contrasts[0].cells
    assert ("cannot tell", 0.0, 1.0) == (same.verdict, same.difference, same.p)


def test_a_share_is_no_worse_within_the_margin():
    """“No worse” of a share looks at the interval's lower end."""
    blocks = [(1, 1, 1)] * 18 + [(1, 0, 1), (0, 1, 1)]
    found = rate_difference(blocks, margin=0.3, better="higher")
    assert -0.3 < found.low < 0 < found.high
    assert "no worse" == found.verdict
    assert "cannot tell" == rate_difference(blocks, margin=0.01, better="higher").verdict


def test_answers_that_are_all_alike_show_no_margin(two):
    """Where no pair differs the interval has no width: that others would not differ is not shown."""
    (cell,) = comparison(open_runs(two[0], [two[0]]), margin=0.05).contrasts[0].cells
    assert ("cannot tell", "no answer differs") == (cell.verdict, cell.why)
    assert "cannot tell" == rate_difference([(0, 0, 9)] * 8, margin=0.01).verdict
    assert "cannot tell" == macro_difference([[(0, 0, 9)] * 4] * 2, margin=0.01).verdict


def test_every_rendering_says_what_passed(two):
    """Text, Markdown and the page tell the share passed, the verdict, the first reply, and which answers changed."""
    document = comparison(open_runs(two[0], [two[1]]))
    for told in (
        comparison_text(document),
        comparison_markdown(document),
        comparison_page(document).decode(),
    ):
        assert "66.7" in told
        assert "93.3" in told
        assert "share passed" in told
        assert "better" in told
        assert "failed → passed" in told
        assert "irst reply" in told
        assert "inal text" not in told
        assert "macro CERns" not in told


@pytest.mark.parametrize(
    "rule, forth, back",
    [
        ("min = 0.7", True, False),
        ("max_regression = 0.1", True, False),
        ("max_regression = 0.3", True, True),
        ("max_regression = 0.1\nsignificance = 0.01", True, True),
    ],
)
def test_a_gate_holds_the_share_passed(two, tmp_path, rule, forth, back):
    """A share may not fall below `min`, nor by more than `max_regression`; that it rises is no regression."""
    file = tmp_path / "gate.toml"
    file.write_text(f'[[rule]]\ncolumn = "pass_rate"\n{rule}\n')
    for passed, (base, new) in ((forth, two), (back, two[::-1])):
        runs = open_runs(base, [new])
        assert passed is check_gate(read_gate(file), runs.news[0][0], runs.base).passed


def test_a_gate_holds_the_share_and_never_the_flag(tmp_path):
    """Rates are gated: a regression of the plain number passed is not known, since it depends on how many were asked."""
    file = tmp_path / "gate.toml"
    file.write_text('[[rule]]\ncolumn = "passed"\nmax_regression = 1\n')
    with pytest.raises(UsageError, match="pass_rate"):
        read_gate(file)


def test_speech_is_compared_by_its_transcription(tmp_path):
    """Runs that speak are paired by error rate, and their delay is that of the first audio."""
    for name, first in (("base", 0.3), ("new", 0.5)):
        made = plan([text(n) for n in range(8)], task="speak", transcript="output")
        run_virtual(
            run(
                made, tmp_path / name, Service(speaks(first=first)), setups={MODEL: speaking(MODEL)}
            )
        )
    (cell,) = comparison(open_runs(tmp_path / "base", [tmp_path / "new"])).contrasts[0].cells
    assert ("WER", 0.0, 0.0, 8) == (cell.metric, cell.base_rate, cell.new_rate, cell.pairs)
    assert ("first audio", 0.2) == (cell.delay.of, pytest.approx(cell.delay.shift_s))


def test_repeated_questions_are_called_so(tmp_path):
    """Where an emulator had no file of answers, the first caution says that it repeated, and what tells it more."""
    put(tmp_path, Service(says("How warm is it?")), written(1))
    told = [
        msgspec.structs.replace(one, emulator="0.1.0; whisper-base")
        for one in read_journal(tmp_path)
    ]
    (tmp_path / JOURNAL).write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in told))
    first, *others = (one.text for one in build_reports(tmp_path).summary.warnings)
    assert "repeated what it was asked" in first
    assert "--answers" in first
    assert not any("answers from a file" in one for one in others)


def test_answers_from_a_file_are_called_so_everywhere(tmp_path):
    """Where the emulator read its answers from a file, label and first caution say so, whatever passed."""
    put(tmp_path, Service(says("It is eleven degrees.")), written(1))
    told = [
        msgspec.structs.replace(one, emulator="0.1.0; whisper-base; answers.jsonl")
        for one in read_journal(tmp_path)
    ]
    (tmp_path / JOURNAL).write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in told))
    table = build_reports(tmp_path)
    assert "answers from a file that it was given (answers.jsonl)" in table.summary.warnings[0].text
    told_in = [summary_text(table.summary)]
    told_in += [(tmp_path / name).read_text() for name in ("summary.md", "report.html")]
    for report in told_in:
        assert "EMULATED (whisper-base), ANSWERS READ FROM answers.jsonl" in report
        assert "No model answered" in report
    assert "An emulator on this side answered by rote" in report, "the page is the last"
