"""The columns of the tasks in which the model answers."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.clock import run_virtual
from harness.corpus.scenario import Expectation
from harness.report.build import build_reports
from tests.run.runs import plan, run
from tests.run.test_ask import put, says, written
from tests.run.test_speak import text
from tests.session.memory import MODEL, Service
from tests.session.speaker import speaking, speaks

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
    assert page.index("u0002") < page.index("u0001"), "what did not pass comes first"
