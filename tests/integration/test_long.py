"""A recording of 35 minutes over connections of ten: with an ear that misses nothing, the transcript is whole."""

from __future__ import annotations

import msgspec
import pytest

from harness.audio.clip import AudioClip, MemoryPcm
from harness.clock import run_virtual
from harness.emulator.conversation.conversation import Manners
from harness.emulator.conversation.handles import Handles
from harness.report.assembly import run_table
from harness.report.rows.bounds import SpeechBook
from harness.run.folder import read_journal
from harness.units import SAMPLE_RATE
from harness.wire.live.messages import SessionResumptionConfig
from tests.integration.joined import Emulator
from tests.integration.numbered import Perfect, recording, reference
from tests.run.runs import plan, run, utterance
from tests.session.memory import MODEL, ready


class Forgetful(Handles):
    """Handles that are all stale."""

    def find(self, handle):
        return None


def streamed(folder, *, minutes=35.0, turns="manual", resume=False, limit_s=600.0, ear=None, meddle=None, cuts=True,
             monkeypatch=None):  # fmt: skip
    """Return the words, the record, the row and the emulator of a run of one long recording."""
    pcm = recording(minutes)
    said = " ".join(reference(pcm))
    one = msgspec.structs.replace(utterance(0, len(pcm) / 2 / SAMPLE_RATE), reference=said)
    made = plan([one], turns=turns)
    emulator = Emulator(
        ear or Perfect(),
        Manners(connection_s=limit_s, go_away_lead_s=60.0, session_s=3600.0),
    )
    if meddle is not None:
        meddle(emulator)
    if not cuts:
        monkeypatch.setattr("harness.run.stream.quiet_cuts", lambda *_: ())

    setup = ready(MODEL, turns=turns, transcript="input")
    if resume:
        setup = msgspec.structs.replace(setup, session_resumption=SessionResumptionConfig())
    clip = AudioClip(pcm=MemoryPcm(pcm))
    run_virtual(run(made, folder, emulator, load=lambda _: clip, setups={MODEL: setup}))
    final = [record for record in read_journal(folder) if record.final][-1]
    table = run_table(
        folder, made, read_journal(folder), SpeechBook(folder), profile="norm-1n", metric="WER"
    )
    return said.split(), final, table, emulator


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "minutes, limit_s, turns, cuts", [(35.0, 600.0, "manual", True), (10.5, 180.0, "auto", False)]
)
def test_a_long_recording_is_whole(tmp_path, monkeypatch, *, minutes, limit_s, turns, cuts):
    """Cut in its pauses beforehand or when goAway comes, in one turn or many: every word is heard once, in order."""
    said, record, table, emulator = streamed(
        tmp_path, minutes=minutes, limit_s=limit_s, turns=turns, cuts=cuts, monkeypatch=monkeypatch
    )
    assert 85 * minutes < len(said)
    assert said == record.hypothesis.split()
    assert ("ok", None, 1) == (record.outcome, record.failure, record.attempt)
    assert 4 <= len(emulator.joints) == record.seams + 1
    assert () == record.violations
    assert record.send_lag_p99_ms < 1
    (told,) = [one for one in table.summary.warnings if "seam" in one.text]
    assert "note" == told.level
    assert "0 tokens were lost and 0 doubled" in told.text


@pytest.mark.parametrize("resume", [True, False])
def test_handles_that_go_stale_lose_nothing(tmp_path, resume):
    """When the service forgets every handle, the next connection begins afresh with the next word; nothing is sent twice."""

    def forget(emulator):
        emulator.handles = Forgetful()

    said, record, _, emulator = streamed(
        tmp_path, minutes=6.0, limit_s=180.0, resume=resume, meddle=forget
    )
    assert said == record.hypothesis.split()
    assert 1 == record.attempt
    assert 2 <= record.seams
    refused = record.seams if resume else 0
    assert record.seams + 1 + refused == len(emulator.joints)


def test_a_session_that_is_resumed_loses_nothing(tmp_path):
    """With good handles every connection goes on with the same session, and the words are the same."""
    said, record, _, emulator = streamed(tmp_path, minutes=6.0, limit_s=180.0, resume=True)
    assert said == record.hypothesis.split()
    assert record.seams + 1 == len(emulator.joints)


def test_what_is_lost_at_a_seam_is_counted_and_shown(tmp_path):
    """An ear that is deaf just behind a seam loses words there: the report counts them, and says so seriously."""
    said, record, _, _ = streamed(tmp_path / "whole", minutes=3.0, limit_s=120.0)
    at = len(record.hypothesis[: record.seam_at[0]].split())
    deaf = Perfect(deaf_to=said[at : at + 2] + said[5:6])
    _, record, table, _ = streamed(tmp_path / "deaf", minutes=3.0, limit_s=120.0, ear=deaf)
    assert len(said) - 3 == len(record.hypothesis.split())
    (told,) = [one for one in table.summary.warnings if "seam" in one.text]
    assert "serious" == told.level
    assert "2 tokens were lost and 0 doubled" in told.text
