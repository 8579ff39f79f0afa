"""`harness report --verify`: what lies in a run folder is what its traces and its journal give, or it is named."""

from __future__ import annotations

import csv
import gzip
import os
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from harness.cli import main
from harness.clock import run_virtual
from harness.report.build import build_reports
from harness.report.page.clips import Embed
from harness.report.summary.retelling import contradictions, miscounted, retelling
from harness.report.tables.changed_cells import changed_cells
from harness.report.verify import OTHER_VERSION, differences
from harness.report.words import warnings
from harness.run.folder import JOURNAL, iter_journal, read_journal, read_plan, slot, write_plan
from harness.run.record import UtteranceRecord
from harness.run.speech import speech_path
from harness.run.stream import Streamer
from harness.score.score import profile_block
from harness.trace.file import read_trace, write_trace
from harness.trace.trace import TimedEvent
from tests.run.crash import Fates, load
from tests.run.runs import plan, run, utterance
from tests.session.memory import MODEL


def asked(*arguments):
    """Return the exit code of `harness` with these arguments."""
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    return ended.value.code


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """Give the folder of a run with utterances of every fate, reported; nobody changes it."""
    out = tmp_path_factory.mktemp("reported") / "run"
    made = plan([utterance(n, 0.2) for n in range(14)], models=(MODEL, "another-model"))
    run_virtual(run(made, out, Fates(out), load=load))
    build_reports(out)
    return out


@pytest.fixture
def folder(reported, tmp_path):
    """Give a copy of that folder of one's own."""
    return shutil.copytree(reported, tmp_path / "run")


def test_a_run_is_what_its_traces_and_its_journal_give(folder, capsys):
    """Every record equals what its trace gives, every table what the journal gives, and the command exits with 0."""
    assert [] == list(differences(folder))
    with pytest.raises(SystemExit) as ended:
        main(["report", str(folder), "--verify"])
    assert 0 == ended.value.code
    assert "every record is what its trace gives" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--excel", "--profile=raw-1", "--metric=CER"])
def test_a_report_is_verified_under_its_own_profile(folder, option):
    """Whatever profile, metric and byte-order mark the report was written with, that is what it is compared under."""
    with pytest.raises(SystemExit):
        main(["report", str(folder), option])
    assert [] == list(differences(folder))


def test_writing_it_again_changes_no_byte(folder):
    """A report written again is the same to the byte."""
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    build_reports(folder)
    assert before == {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def tampered(folder, change):
    """Write the journal of `folder` again with `change` made to its first final record with a trace; return that."""
    records = read_journal(folder)
    at = next(n for n, r in enumerate(records) if r.final and r.trace and r.outcome == "ok")
    records[at] = msgspec.structs.replace(records[at], **change)
    lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    (folder / JOURNAL).write_bytes(lines)
    return records[at]


@pytest.mark.parametrize(
    "change",
    [{"hypothesis": "what nobody said"}, {"audio_samples": 1}, {"late": True}, {"seams": 3}],
)
def test_a_record_that_its_trace_does_not_give_is_named(folder, change):
    """A figure of the journal that was changed by hand is named with its utterance and both values."""
    changed = tampered(folder, change)
    (name,) = change
    told = [one for one in differences(folder) if one.startswith(changed.utterance)]
    assert [True] == [f": {name} is {change[name]!r} in the journal" in one for one in told]


@pytest.mark.parametrize("change", [{"hypothesis": "what nobody said"}, {"late": True}])
def test_a_report_names_what_its_traces_do_not_give(folder, capsys, change):
    """`harness report` itself asks the traces: a record changed by hand is in its warnings, on stderr, and exit 5."""
    assert 0 == asked("report", folder)
    assert "worked out again from traces: all agree" in capsys.readouterr().err
    changed = tampered(folder, change)
    assert 5 == asked("report", folder)
    assert "1 are something else" in capsys.readouterr().err
    summary = msgspec.json.decode((folder / "summary.json").read_bytes())
    first = summary["warnings"][0]
    assert "serious" == first["level"]
    assert (
        f"{changed.utterance}, attempt {changed.attempt}: {next(iter(change))} is" in first["text"]
    )
    assert first["text"] in (folder / "summary.md").read_text()
    assert 1 == summary["retold"]["contradicted"]


def test_an_attempt_that_was_taken_out_is_named(folder):
    """A line taken out of the journal before a later attempt of the same session is missed, in words."""
    records = read_journal(folder)
    gone = next(r for r in records if not r.final and r.attempt == 1)
    kept = b"".join(msgspec.json.encode(r) + b"\n" for r in records if r is not gone)
    (folder / JOURNAL).write_bytes(kept)
    heard = retelling(folder, read_plan(folder), read_journal(folder))
    assert (f"{gone.utterance}, attempt 1: is not in the journal, and a later one is",) == (
        heard.contradictions
    )


def test_what_was_never_sent_after_an_attempt_is_no_contradiction(folder):
    """A session that was refused once and never asked again has two records of one number, and nothing is wrong."""
    records = read_journal(folder)
    first = next(r for r in records if not r.final and r.trace and r.attempt == 1)
    alone = [r for r in records if slot(r) != slot(first)]
    never = UtteranceRecord(
        utterance=first.utterance, dataset=first.dataset, locale=first.locale, model=first.model, repeat=first.repeat,
        attempt=1, final=True, trace=None, outcome="failed_client", failure="config", started_at=first.started_at,
    )  # fmt: skip
    assert [] == list(miscounted(read_plan(folder), [*alone, first, never]))
    assert [] == list(contradictions(folder, read_plan(folder), never))


def invented(record):
    """Return a record that says it was answered, with nothing that shows it."""
    return msgspec.structs.replace(record, trace=None, hypothesis="invented")


def replaced(record):
    """Return a final record behind a final record."""
    return msgspec.structs.replace(
        record, hypothesis="invented", trace=None, attempt=record.attempt + 1
    )


def foreign(record):
    """Return a record of what nobody asked for."""
    return msgspec.structs.replace(record, utterance="nobody", trace=None)


@pytest.mark.parametrize(
    "lie, words",
    [
        (invented, "its outcome is ok, and there is no trace of it"),
        (invented, "hypothesis is 'invented', and there is no trace that says so"),
        (replaced, "comes behind the utterance's final record"),
        (foreign, "the plan has no such utterance, model or repeat"),
    ],
)
def test_what_no_trace_tells_is_named(folder, lie, words):
    """An answer without a trace, one behind the answer, and one to what nobody asked are named by reports and verifying."""
    records = read_journal(folder)
    told = next(r for r in records if r.final and r.outcome == "ok")
    kept = [r for r in records if r is not told] if lie is invented else records
    (folder / JOURNAL).write_bytes(
        b"".join(msgspec.json.encode(r) + b"\n" for r in [*kept, lie(told)])
    )
    assert any(words in one for one in differences(folder))
    found = retelling(folder, read_plan(folder), read_journal(folder))
    assert any(words in one for one in found.contradictions)


def test_a_trace_elsewhere_is_not_read(folder):
    """A record whose trace is said to lie outside of the folder, or under no name at all, is named and nothing is read."""
    lies = ["/etc/passwd", "traces/../../x", "traces/" + "x" * 5000, "traces/\0", "traces", ""]
    for lie in lies:
        changed = tampered(folder, {"trace": lie})
        (told,) = contradictions(folder, read_plan(folder), changed)
        assert told.startswith(f"{changed.utterance}, attempt")
        assert any(words in told for words in ("lie outside", "not a readable trace"))
    build_reports(folder)


SHAPES = [{"ended": 1}, {"seam": []}, {"realtimeInput": {"audio": {"offset": "x"}}}, 7, None]


def test_a_trace_of_another_shape_is_named(folder):
    """A trace whose events are not those of a session is named, and the report is written all the same."""
    good = [record for record in iter_journal(folder) if record.outcome == "ok"]
    shapes = [(direction, frame) for direction in "<>!" for frame in SHAPES]
    traces = [read_trace(folder / record.trace) for record in good]
    for n, (direction, frame) in enumerate(shapes):
        record, trace = good[n % len(good)], traces[n % len(good)]
        event = TimedEvent(t=trace.events[-1].t, dir=direction, frame=frame)
        changed = msgspec.structs.replace(trace, events=[*trace.events, event])
        write_trace(folder / record.trace, changed)
        assert [] != list(contradictions(folder, read_plan(folder), record))
    build_reports(folder)


def test_many_traces_are_asked_evenly_spread(folder):
    """Where a run has more traces than a report reads, it reads them evenly spread and says how many; verifying reads all."""
    records = read_journal(folder)
    heard = retelling(folder, read_plan(folder), records, most=10)
    assert heard.traces == sum(record.trace is not None for record in records)
    assert 10 == heard.heard < heard.traces
    (told,) = warnings._contradictions(heard)
    assert f"{heard.heard} of {heard.traces} records" in told.text


def test_a_table_that_the_journal_does_not_give_is_named(folder, capsys):
    """A cell that was changed by hand is named with its file, row and column and both values, and the exit code is 3."""
    path = folder / "utterances.csv"
    before = path.read_text()
    first = next(csv.DictReader(before.splitlines()))
    said = first["reference"]
    path.write_text(before.replace(said, "wort", 1))
    (told,) = differences(folder)
    assert told.startswith("utterances.csv is not what the journal gives: row 1 (")
    assert f"{first['utterance_id']}, {first['locale']}, {first['model']}" in told
    assert told.endswith(f"): reference is 'wort', not '{said}'")
    with pytest.raises(SystemExit) as ended:
        main(["report", str(folder), "--verify"])
    assert 3 == ended.value.code
    assert f"reference is 'wort', not '{said}'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ("id,a\n1,x\n2,y\n", ""),
        ("id,b\n1,x\n2,y\n", "its columns are others"),
        ("id,a\n1,x\n", "it has 1 rows, not 2"),
        ("id,a\n1,\n2,y\n", "row 1 (): a is empty, not 'x'"),
        ("id,a\n1,x,z\n2,y\n", "row 1 ():  is 'z', not empty"),
        (
            "id,a\n3,u\n4,v\n",
            "row 1 (): id is '3', not '1'; row 1 (): a is 'u', not 'x'; row 2 (): id is '4', not '2'; and 1 more",
        ),
    ],
)
def test_changed_cells_are_named_three_at_most(there, words):
    """Of the cells that differ the first three are named and the others counted; rows that are missing are counted."""
    assert words == changed_cells(there.encode(), b"id,a\n1,x\n2,y\n")


def flipped(path):
    """Change one bit of the samples of a WAV."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


SPEECH_FAULTS = {
    "changed": (flipped, "is not the speech that was received: its length is right", False),
    "slower": (lambda path: resampled(path, 16_000), "is not the speech that was received", True),
    "cut": (
        lambda path: path.write_bytes(path.read_bytes()[:-50]),
        "is not the speech that was received: 430 bytes",
        True,
    ),
    "longer": (lambda path: path.write_bytes(path.read_bytes() + b"x"), "is not the speech", True),
    "no WAV": (lambda path: path.write_bytes(b""), "is not the speech", True),
    "removed": (Path.unlink, "is missing, or no file", True),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "is missing, or no file", True),
    "a pipe": (lambda path: (path.unlink(), os.mkfifo(path)), "is missing, or no file", True),
}


def resampled(path, rate):
    """Have a WAV say that it is of another rate."""
    data = path.read_bytes()
    path.write_bytes(data[:24] + rate.to_bytes(4, "little") + data[28:])


@pytest.mark.parametrize("fault", SPEECH_FAULTS)
@pytest.mark.parametrize("earlier", [False, True])
def test_speech_that_is_not_what_came_is_named(folder, fault, earlier):
    """A WAV that was changed, cut or removed is named with its utterance; by traces without check sums as far as its length tells."""
    records = [r for r in read_journal(folder) if r.speech_s]
    paths = [folder / speech_path(r.trace) for r in records]
    assert all(path.is_file() for path in paths)
    if earlier:
        without_check_sums(folder, records)
    assert [] == list(differences(folder))
    damage, words, by_length = SPEECH_FAULTS[fault]
    damage(paths[0])
    told = list(differences(folder))
    assert (1 if by_length or not earlier else 0) == len(told)
    for one in told:
        assert one.startswith(f"{records[0].utterance}, attempt 1: audio/{paths[0].name} {words}")


def without_check_sums(folder, records):
    """Write the traces as earlier versions did: nothing says what the speech was."""
    for record in records:
        trace = read_trace(folder / record.trace)
        header = {
            name: value
            for name, value in msgspec.structs.asdict(trace.header).items()
            if name != "speech_crc32"
        }
        lines = [msgspec.json.encode(one) for one in (header, *trace.events)]
        (folder / record.trace).write_bytes(gzip.compress(b"\n".join(lines)))


def test_a_trace_that_is_gone_or_torn_is_named(folder):
    """A trace that cannot be read is named with its utterance; the rest is verified all the same."""
    first, second = [record for record in iter_journal(folder) if record.trace][:2]
    (folder / first.trace).unlink()
    torn = folder / second.trace
    torn.write_bytes(torn.read_bytes()[:50])
    told = list(differences(folder))
    assert [first.utterance, second.utterance] == [one.partition(",")[0] for one in told[:2]]
    assert all("not a readable trace" in one for one in told[:2])
    assert all("is not what the journal gives" in one for one in told[2:])


def test_a_trace_that_says_otherwise_is_named(folder):
    """A frame that was changed in a trace is found by what it gives."""
    record = next(r for r in iter_journal(folder) if r.outcome == "ok")
    path = folder / record.trace
    trace = read_trace(path)
    last = max(n for n, event in enumerate(trace.events) if event.dir == "<")
    events = trace.events[:last] + trace.events[last + 1 :]
    write_trace(path, msgspec.structs.replace(trace, events=events))
    assert any(one.startswith(record.utterance) for one in differences(folder))


OLDER = [
    (
        {
            "cachedContentTokenCount": 7,
            "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 7}],
        },
        (),
    ),
    ({"cachedContentTokenCount": 99}, ()),
    ({"toolUsePromptTokenCount": 8, "totalTokenCount": 40}, ()),
    ({"toolUsePromptTokenCount": 8}, ("a usage record counts 32 tokens, and its parts 40",)),
]
"""What a bill says beside 30 tokens of a prompt and 2 of a response, and what versions that did not count it found wrong."""


@pytest.mark.parametrize("more, found", OLDER)
def test_a_record_from_before_caches_were_counted_is_no_contradiction(folder, more, found):
    """A journal whose version did not count tokens of caches and tools says nothing of them; all else is held to its trace."""
    records = [one for one in iter_journal(folder) if one.outcome == "ok"]
    path = folder / records[0].trace
    trace = read_trace(path)
    at = next(n for n, event in enumerate(trace.events) if "usageMetadata" in event.frame)
    bill = {"promptTokenCount": 30, "responseTokenCount": 2, "totalTokenCount": 32} | more
    event = msgspec.structs.replace(
        trace.events[at], frame=trace.events[at].frame | {"usageMetadata": bill}
    )
    events = [*trace.events[:at], event, *trace.events[at + 1 :]]
    write_trace(path, msgspec.structs.replace(trace, events=events))
    total = bill["totalTokenCount"]
    usage = {"records": 1, "prompt_tokens": 30, "response_tokens": 2, "total_tokens": total}

    def told(**changed):
        line = msgspec.to_builtins(records[0]) | {"usage": usage | changed, "violations": found}
        (folder / JOURNAL).write_bytes(msgspec.json.encode(line) + b"\n")
        [older] = read_journal(folder)
        return list(contradictions(folder, read_plan(folder), older))

    assert [] == told()
    assert ["usage is"] == [one.split(": ")[1][:8] for one in told(response_tokens=3)]
    assert 1 <= len(told(cached_tokens=1))


def test_what_is_found_is_said_though_there_is_no_report(folder, capsys):
    """A changed record is named also where the summary behind it is gone, or nothing that can be read."""
    changed = tampered(folder, {"hypothesis": "what nobody said"})
    (folder / "summary.json").unlink()
    assert 3 == asked("report", folder, "--verify")
    told = capsys.readouterr()
    assert f"{changed.utterance}, attempt {changed.attempt}: hypothesis is" in told.out
    assert "there is no report to verify" in told.err


def test_a_plan_of_another_run_is_named(folder):
    """A plan.json that was put in the place of the run's own is contradicted by every trace."""
    other = msgspec.structs.replace(read_plan(folder), hash="0" * 64)
    write_plan(folder, other)
    told = [one for one in differences(folder) if "of another plan" in one]
    assert len(told) == sum(record.trace is not None for record in read_journal(folder))


def test_a_record_that_no_line_held_is_no_contradiction(tmp_path, monkeypatch):
    """A record that was cut to what a line of the journal holds is what its trace gives, and names nobody a liar."""
    from harness.run import journal

    with monkeypatch.context() as short:
        short.setattr(journal, "LINE_BYTES", 800)
        made = plan([utterance(n, 0.2) for n in range(2)])
        run_virtual(run(made, tmp_path, Fates(tmp_path), load=load))
        records = read_journal(tmp_path)
        assert any("more than a line" in (record.reason or "") for record in records)
        assert [] == [one for r in records for one in contradictions(tmp_path, made, r)]


def test_a_run_without_a_report_is_told_to_write_one(folder, capsys):
    """Without summary.json there is nothing to verify: exit 3, with the command that writes it."""
    (folder / "summary.json").unlink()
    with pytest.raises(SystemExit) as ended:
        main(["report", str(folder), "--verify"])
    assert 3 == ended.value.code
    assert f"harness report {folder}" in capsys.readouterr().err


@pytest.mark.parametrize("schema", [b'"schema": 1', b'"schema": 9', b'"other": 1'])
def test_a_report_of_another_version_accuses_nobody(folder, capsys, schema):
    """Its tables are said to be another version's and are not compared, its records are; written again, all is verified."""
    path = folder / "summary.json"
    path.write_bytes(path.read_bytes().replace(b'"schema": 2', schema, 1))
    table = folder / "utterances.csv"
    table.write_bytes(table.read_bytes().replace(b",0,", b",1,"))
    assert [OTHER_VERSION] == list(differences(folder))
    assert 3 == asked("report", folder, "--verify")
    said = capsys.readouterr()
    assert [OTHER_VERSION] == said.out.splitlines()
    assert "every record is what its trace gives" in said.err
    assert f"harness report {folder} writes it again" in said.err
    assert "changed" not in said.err
    record = next(one for one in read_journal(folder) if one.trace)
    (folder / record.trace).unlink()
    told, *_, last = differences(folder)
    assert told.startswith(record.utterance)
    assert OTHER_VERSION == last
    assert 3 == asked("report", folder, "--verify")
    assert "2 differences" in capsys.readouterr().err


def test_a_report_of_another_version_is_written_again(folder, capsys):
    """What `harness report` writes over another version's is verified."""
    path = folder / "summary.json"
    path.write_bytes(path.read_bytes().replace(b'"schema": 2', b'"schema": 1', 1))
    assert 0 == asked("report", folder)
    assert 0 == asked("report", folder, "--verify")


def test_what_no_journal_knows_is_no_difference(folder, monkeypatch):
    """Neither a Parquet file that was never written nor the libraries' versions then are called a fault."""
    block = profile_block("norm-1n")
    with monkeypatch.context() as then:
        then.setattr(
            "harness.report.assembly.profile_block",
            lambda *_, **__: {**block, "versions": {"jiwer": "0.1"}},
        )
        build_reports(folder)
    (folder / "utterances.parquet").unlink(missing_ok=True)
    assert [] == list(differences(folder))


def test_a_folder_that_was_renamed_accuses_nobody(folder, tmp_path):
    """A report tells its folder's name; it is verified under the one that it was written with."""
    assert [] == list(differences(folder.rename(tmp_path / "another name")))


def test_a_page_that_the_journal_does_not_give_is_named(folder):
    """A figure, a script or a packed text of the page that was changed is found; so is a page that is gone or none."""
    path = folder / "report.html"
    whole = path.read_bytes()
    pack = whole.index(b'id="pack-texts">') + 40
    for changed in (
        whole.replace(b"Sessions scored", b"Sessions stored", 1),
        whole.replace(b"const HEIGHT = 52", b"const HEIGHT = 53", 1),
        whole[:pack] + b"AAAA" + whole[pack + 4 :],
        whole.replace(b'id="pack-sessions">', b'id="pack-sessions">AAAA', 1),
        whole.replace(b"</body>", b"<script>alert(1)</script></body>", 1),
        b"\xff no page",
    ):
        assert changed != whole
        path.write_bytes(changed)
        assert ["report.html is not what the journal gives"] == list(differences(folder))
    path.unlink()
    assert ["report.html: No such file or directory"] == list(differences(folder))


def test_a_page_is_verified_without_the_clips_files(said, tmp_path):
    """Sound that is in the page, or beside it, is taken as it lies there: its files may be gone since."""
    sound = np.random.default_rng(0).normal(0, 0.1, 32_000)
    (tmp_path / "datasets").mkdir()
    rows = []
    for name in ("a", "b"):
        clip = tmp_path / "datasets" / f"{name}.wav"
        soundfile.write(clip, sound, 16_000)
        rows.append(said.Said(id=name, audio=str(clip), audio_s=2.0, hypothesis="the quick"))
    folder = said.make_run(tmp_path / "reports" / "run", rows)
    build_reports(folder, embed=Embed(clips=1, characters=None))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert ["audio", "link"] == [
        next(name for name in ("audio", "link") if name in clip)
        for clip in said.unpacked(page, "sessions")["clips"]
    ]
    shutil.rmtree(tmp_path / "datasets")
    assert not [one for one in differences(folder) if "report.html" in one]


def test_an_attempt_written_twice_is_named(run):
    """A journal that holds one attempt twice would count it twice: the verifier names it."""
    folder = run()
    build_reports(folder)
    journal = folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines, lines[0]]))
    assert any("written 2 times" in one for one in differences(folder))


def test_another_clip_in_one_attempt_than_in_another_is_named(tmp_path):
    """When the second model is streamed another utterance's samples, all else in order, the report and `--verify` say so."""
    out, prepare = tmp_path / "run", Streamer.prepare

    async def mixed_up(self, slot):
        other = (slot[0], "u0004", *slot[2:])
        return await prepare(self, other if slot[2] == "another-model" else slot)

    one = plan([utterance(4, 0.2), utterance(7, 0.2)], models=(MODEL, "another-model"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Streamer, "prepare", mixed_up)
        run_virtual(run(one, out, Fates(out), load=load, concurrency=1))
    build_reports(out)
    records = read_journal(out)
    assert {()} == {record.violations for record in records}
    told = [what for what in differences(out) if "its clip is not that of" in what]
    assert told
    assert all(what.startswith("u0007, attempt 1") for what in told)
    assert told == [what for what in miscounted(one, records) if "its clip" in what]
