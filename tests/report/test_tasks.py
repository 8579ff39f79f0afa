"""The columns of the tasks in which the model answers."""

from __future__ import annotations

import pytest

from harness.clock import run_virtual
from harness.report.build import build_reports
from tests.run.runs import plan, run
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
