"""Stopped and killed: real processes, real signals; whatever happens, the same command ends the run."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from harness.run.folder import read_journal
from harness.run.journal import STOPPED
from tests.integration.sittings import (
    CLIPS,
    asked,
    begun,
    finished,
    interrupt_group,
    journalled,
    killed,
    manifest,
    table,
    until,
    with_variable,
)

pytestmark = [pytest.mark.wall, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Give a manifest of clips that take two at once some seconds: a signal finds most of them still to do."""
    return manifest(tmp_path_factory.mktemp("clips"), seconds=1.2)


@pytest.fixture(scope="module")
def whole(clips, emulator_url, tmp_path_factory):
    """Give the table of a run that nothing happened to."""
    return finished(
        clips, tmp_path_factory.mktemp("whole") / "out", "--url", emulator_url, "--pace", "0"
    )


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """Give a folder of half an hour of audio, which takes seconds to be converted."""
    folder = tmp_path_factory.mktemp("long")
    block = (np.sin(np.arange(44_100 * 60) / 9) * 9000).astype("int16")
    with soundfile.SoundFile(folder / "long.flac", "w", 44_100, 1, "PCM_16") as file:
        for _ in range(30):
            file.write(block)
    (folder / "long.txt").write_text("words")
    return folder


@contextlib.contextmanager
def asleep(process):
    """Stop the process, wake it again at the end."""
    os.kill(process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    yield
    os.kill(process.pid, signal.SIGCONT)


def finals(out) -> list[str]:
    """Return the utterances that have a final record."""
    return [record.utterance for record in read_journal(out) if record.final]


def test_killed_at_random_instants_and_continued(clips, whole, emulator_url, tmp_path):
    """A run killed with SIGKILL, time and again, ends with the table of a run that nothing happened to."""
    rng = random.Random(6)  # noqa: S311 - repeatable instants
    options = ("--url", emulator_url, "--concurrency", "4")
    hits = sum(
        killed(clips, tmp_path / "out", *options, after_s=rng.uniform(0.5, 4.0)) for _ in range(3)
    )
    assert hits
    found = finished(clips, tmp_path / "out", *options)
    pd.testing.assert_frame_equal(whole, found)
    assert CLIPS == len(finals(tmp_path / "out")) == len(set(finals(tmp_path / "out")))


def test_one_sigterm_drains(clips, whole, emulator_url, tmp_path):
    """After one SIGTERM the open sessions end, reports are written, and the exit code is 130; then the command goes on."""
    out = tmp_path / "out"
    process = begun(clips, out, "--url", emulator_url, "--concurrency", "2")
    until(process, lambda: journalled(out))
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=120)
    assert 130 == process.returncode, said
    assert "2 open sessions end first" in said or "1 open sessions end first" in said
    assert (out / "report.html").exists()
    assert 0 < len(finals(out)) < CLIPS
    assert set(finals(out)) == {record.utterance for record in read_journal(out)}, (
        "nothing was cut off"
    )
    found = finished(clips, out, "--url", emulator_url)
    pd.testing.assert_frame_equal(whole, found)


def test_a_second_sigterm_stops_now(clips, whole, emulator_url, tmp_path):
    """A second SIGTERM does not wait for open sessions: exit 130, and the same command does what is missing."""
    out = tmp_path / "out"
    mixed = manifest(tmp_path, clips=5)
    (tmp_path / "00.wav").write_text("no audio: its row is there at once")
    options = ("--url", emulator_url, "--concurrency", "2")
    process = begun(mixed, out, *options, "--pace", "0.01")
    until(process, lambda: journalled(out))
    process.send_signal(signal.SIGTERM)
    for line in process.stdout:
        if "open sessions end first" in line:
            break
    still = int(line.removeprefix("stopping: ").split()[0])
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=120)
    assert 130 == process.returncode, said
    assert "The same command continues" in said
    assert not (out / "report.html").exists()
    assert ["00.wav"] == finals(out)
    lost = [record.reason for record in read_journal(out) if record.lost]
    assert [STOPPED] * still == lost, "what was open is counted"
    process = begun(mixed, out, *options, "--pace", "0.01")
    assert "continuing in" in process.stdout.readline()
    process.kill()
    process.communicate()


def test_an_interrupt_after_the_last_session_leaves_a_whole_run(clips, emulator_url, tmp_path):
    """When nothing is left to do, an interrupt that came meanwhile is no failure: reports are there, the exit code is 0."""
    out = tmp_path / "out"
    process = begun(clips, out, "--url", emulator_url, "--concurrency", str(CLIPS))
    until(process, lambda: asked(out) == CLIPS or journalled(out) == CLIPS)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert 0 == process.returncode, said
    assert CLIPS == len(finals(out))


def test_ctrl_c_reaches_the_runs_own_emulator_through_the_run(clips, tmp_path):
    """SIGINT to the whole process group drains: the run's emulator and ear serve its open sessions to their end."""
    out = tmp_path / "out"
    process = begun(clips, out, "--concurrency", "2", env={"HARNESS_EMULATE_EAR": "scripted"})
    until(process, lambda: journalled(out))
    interrupt_group(process)
    said, _ = process.communicate(timeout=120)
    assert 130 == process.returncode, said
    records = read_journal(out)
    assert {"ok"} == {record.outcome for record in records}
    port = int(records[0].endpoint.split(":")[2].split("/")[0])
    import socket

    with socket.socket() as probe:
        assert 0 != probe.connect_ex(("127.0.0.1", port)), "the emulator is still there"


@pytest.mark.parametrize(
    "signals, options", [(1, ()), (2, ()), (1, ("--processes", "2"))], ids=["once", "twice", "far"]
)
def test_ctrl_c_does_not_wait_for_a_conversion(long, emulator_url, tmp_path, signals, options):
    """While long audio is being converted, Ctrl-C ends the run soon, once or twice, and no half-made file stays."""
    (tmp_path / "tmp").mkdir()
    out = tmp_path / "out"
    process = begun(
        long, out, "--language", "en-US", "--url", emulator_url, "--pace", "0", *options,
        env={"TMPDIR": str(tmp_path / "tmp"), "HARNESS_CACHE": "off"},
    )  # fmt: skip
    until(process, lambda: list((tmp_path / "tmp").glob("live-harness-*")))
    process.send_signal(signal.SIGINT)
    for line in process.stdout:
        if "open sessions end first" in line:
            break
    if signals == 2:
        process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert 130 == process.returncode, said
    assert [] == list((tmp_path / "tmp").glob("live-harness-*"))
    assert signals == 2 or "1 of the plan's 1 were not attempted" in said, said


@pytest.mark.parametrize("options", [(), ("--processes", "2")], ids=["near", "far"])
def test_a_folder_that_is_moved_is_told_and_goes_on_where_it_was(
    clips, whole, emulator_url, tmp_path, options
):
    """When somebody moves the folder of a run at work, it says that, not to make room, and removes nothing; back there it goes on."""
    out, away = tmp_path / "out", tmp_path / "away"
    process = begun(clips, out, "--url", emulator_url, "--concurrency", "2", *options)
    until(process, lambda: journalled(out))
    out.rename(away)
    said, _ = process.communicate(timeout=120)
    assert 3 == process.returncode, said
    assert "somebody moved or removed it" in said
    assert "put it back where it was" in said
    assert "removed\n" not in said
    away.rename(out)
    pd.testing.assert_frame_equal(whole, finished(clips, out, "--url", emulator_url))


def test_an_interrupted_report_is_written_by_the_same_command(clips, whole, emulator_url, tmp_path):
    """A signal while the report is written ends the command with 130 and says how it goes on, which asks for no session."""
    out = tmp_path / "out"
    process = begun(clips, out, "--url", emulator_url, "--concurrency", str(CLIPS))
    for line in process.stdout:
        if "writing the report" in line:
            break
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=120)
    assert 130 == process.returncode, said
    assert "stopped. The same command continues" in said
    assert not (out / "report.html").exists()
    before = (out / "journal.jsonl").read_bytes()
    pd.testing.assert_frame_equal(whole, finished(clips, out, "--url", emulator_url))
    assert before == (out / "journal.jsonl").read_bytes()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux' environments")
@pytest.mark.parametrize("phase", ["starting the emulator", "writing the report"])
def test_a_second_ctrl_c_right_behind_the_first_stops_now(clips, tmp_path, phase):
    """Whatever the run is at, a second Ctrl-C a moment after the first ends it with 130, in one line, and with all it started."""
    out, mark = tmp_path / "out", f"run-{tmp_path}"
    process = begun(
        clips, out, "--pace", "0", env={"HARNESS_EMULATE_EAR": "scripted", "RUN_MARK": mark}
    )
    for line in process.stdout:
        if phase in line:
            break
    interrupt_group(process)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0.01)
    with contextlib.suppress(ProcessLookupError):
        interrupt_group(process)
    said, _ = process.communicate(timeout=120)
    assert (130, []) == (process.returncode, with_variable("RUN_MARK", mark)), said
    assert "stopped. The same command continues" in said
    assert "Traceback" not in said
    finished(clips, out, "--pace", "0", env={"HARNESS_EMULATE_EAR": "scripted"})
    assert CLIPS == len(finals(out)) == len(set(finals(out)))


def test_two_commands_cannot_run_in_one_folder(clips, whole, emulator_url, tmp_path):
    """A second command in the folder of a running one exits with 3, says so, and disturbs nothing."""
    out = tmp_path / "out"
    first = begun(clips, out, "--url", emulator_url, "--concurrency", "2")
    until(first, lambda: journalled(out))
    with asleep(first):  # and not over before the second has begun
        second = begun(clips, out, "--url", emulator_url)
        said, _ = second.communicate(timeout=120)
    assert (3, True) == (second.returncode, "another run is at work" in said), said
    assert "WER" not in said, "it reports nothing of a run that is not its own"
    said, _ = first.communicate(timeout=120)
    assert 0 == first.returncode, said
    pd.testing.assert_frame_equal(whole, table(out))


def test_a_stopped_process_flags_its_latencies(clips, emulator_url, tmp_path):
    """A run that is stopped with SIGSTOP and woken again is finished, and the sessions it slept through are late."""
    out = tmp_path / "out"
    process = begun(clips, out, "--url", emulator_url, "--concurrency", "2")
    until(process, lambda: journalled(out))
    with asleep(process):
        pause = begun(clips, tmp_path / "other", "--url", emulator_url, "--dry-run")
        pause.communicate(timeout=120)  # takes its time
    said, _ = process.communicate(timeout=120)
    assert 0 == process.returncode, said
    late = [record for record in read_journal(out) if record.late]
    assert 1 <= len(late) <= CLIPS
    assert {"ok"} == {record.outcome for record in read_journal(out)}
