"""A run that dies at a step of its own and is continued: what is left must be what an undisturbed run leaves."""

from __future__ import annotations

import base64
import csv
import random
from collections import Counter
from pathlib import Path

from harness.audio.clip import AudioClip, MemoryPcm
from harness.clock import run_virtual
from harness.errors import InputError
from harness.report.assembly import run_table
from harness.report.rows.bounds import SpeechBook
from harness.report.tables.table import UTTERANCES
from harness.report.tables.write import PAGE, SUMMARY_CSV, table_files, write_files
from harness.run.certificate import Certificate, write_certificates
from harness.run.execute import open_folder
from harness.run.folder import TRACES, read_journal, read_plan, slots, unfinished
from harness.run.ledger import Ledger
from harness.trace.file import read_trace
from tests.run.disk import Disk, Killed
from tests.run.runs import plan, run, utterance
from tests.session.memory import Service, polite

CERTIFICATE = Certificate(
    started_at="2026-01-02T03:04:05.000Z",
    wall_s=1.0,
    cpu_s=0.1,
    floor_p50_ms=0.1,
    floor_p99_ms=0.2,
    lag_p50_ms=None,
    lag_p99_ms=None,
    lag_max_ms=None,
    gc_pauses=0,
    gc_total_ms=0.0,
    gc_max_ms=0.0,
    open_max=1,
    samples=[],
)

UTTERANCES_A_RUN = 14
"""Two of every fate."""


def load(planned):
    """Return a clip whose every sample is its utterance's number; one in seven cannot be read."""
    number = int(planned.id[1:])
    if number % 7 == 3:
        raise InputError(f"{planned.audio}: no such file")
    samples = round(planned.duration_s * 16000)
    return AudioClip(pcm=MemoryPcm(number.to_bytes(2, "little") * samples))


class Fates(Service):
    """Answers every utterance in its own way, the same in every sitting: by its number and the attempts that it ended."""

    def __init__(self, folder: Path, asked: list | None = None) -> None:
        super().__init__(self._answer)
        self.folder = folder
        self.asked = [] if asked is None else asked

    def _answer(self, line, frame):
        if "setup" in frame:
            self.asked.append(line)
            line.say({"setupComplete": {}})
        audio = frame.get("realtimeInput", {}).get("audio")
        if audio:
            line.number = int.from_bytes(base64.b64decode(audio["data"])[:2], "little")
        if "activityEnd" not in frame.get("realtimeInput", {}):
            return
        number, text = line.number, f" word {line.number}"
        before = [r for r in read_journal(self.folder) if r.lost is None]
        attempts = sum(r.utterance == f"u{number:04}" for r in before)
        match number % 7:
            case 1 if attempts < 1:
                line.hang_up(1011, "Internal error encountered.")
            case 2:
                line.hang_up(1011, "Internal error encountered.")
            case 5:
                line.say({"serverContent": {"inputTranscription": {"text": text}}})
                line.loop.call_later(0.05, line.hang_up, 1011, "Internal error encountered.")
            case 4:
                speech = {
                    "mimeType": "audio/pcm;rate=24000",
                    "data": base64.b64encode(bytes(480)).decode(),
                }
                line.say({"serverContent": {"modelTurn": {"parts": [{"inlineData": speech}]}}})
                polite(text)(line, frame)
            case _:
                polite(text)(line, frame)


def sitting(made, folder: Path, concurrency: int, asked: list | None = None) -> None:
    """Do what the command does: open the folder, stream what is missing, write the tables, and the page last.

    Sessions that the service is asked for are noted in `asked`.
    """
    service = Fates(folder, asked)
    made = open_folder(made, folder, folder.parent).plan
    if unfinished(made, read_journal(folder)):
        run_virtual(run(made, folder, service, concurrency=concurrency, load=load))
        write_certificates(folder, [CERTIFICATE])
    table = run_table(
        folder,
        read_plan(folder),
        read_journal(folder),
        SpeechBook(folder),
        profile="norm-1n",
        metric="auto",
    )
    write_files(folder, {**table_files(table, excel=False), PAGE: [b"page"]})


def tables(folder: Path) -> tuple[list[dict[str, str]], bytes]:
    """Return the rows and the summary as they lie in `folder`, less the attempts that were open when a run died."""
    with (folder / UTTERANCES).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    open_then = Counter(
        (r.utterance, r.model, str(r.repeat)) for r in read_journal(folder) if r.lost is not None
    )
    for row in rows:
        taken = open_then[row["utterance_id"], row["model"], row["repeat"]]
        row["attempts"] = str(int(row["attempts"]) - taken)
    return rows, (folder / SUMMARY_CSV).read_bytes()


def planned(repeats: int):
    """Return the plan of a run with every fate in it."""
    return plan([utterance(n, 0.2) for n in range(UTTERANCES_A_RUN)], repeats=repeats)


def undisturbed(folder: Path, *, repeats=1, concurrency=3) -> tuple[list[str], tuple]:
    """Return the steps of a run in `folder` that nothing happens to, and its tables."""
    with Disk(folder).watched() as disk:
        sitting(planned(repeats), folder, concurrency)
    return disk.steps, tables(folder)


def death(folder: Path, steps: list[int], *, torn: float, repeats=1, concurrency=3, whole) -> None:
    """Kill a run in `folder` at each of `steps`, one sitting after the other, continue it, and compare with `whole`."""
    made = planned(repeats)
    asked = []
    for dies_at in steps:
        with Disk(folder, dies_at=dies_at, torn=torn).watched() as disk:
            try:
                sitting(made, folder, concurrency, asked)
            except Killed:
                pass
            except BaseExceptionGroup as errors:
                if (others := errors.split(Killed)[1]) is not None:
                    raise others from None
        for path in (folder / TRACES).glob("*.jsonl.gz"):
            read_trace(path)  # what has its name is whole
        if not disk.dead:
            break  # there was less left to do
    if not (disk.steps and not disk.dead):
        sitting(made, folder, concurrency, asked)
    records = read_journal(folder)
    finals = Counter((r.dataset, r.utterance, r.model, r.repeat) for r in records if r.final)
    assert dict.fromkeys(slots(made), 1) == finals, "every utterance is answered once"
    attempts = Counter((r.utterance, r.model, r.repeat, r.attempt) for r in records)
    assert {1} == set(attempts.values()), "no attempt is counted twice"
    counted = sum(r.trace is not None or r.lost is not None for r in records)
    assert len(asked) <= counted, "no session that was asked for is forgotten"
    begun = Ledger(folder)  # its file stays where a run died behind its last session
    for record in records:
        begun.end(record)
    assert 0 == begun.open, "what was begun has its record"
    assert whole == tables(folder)


def points(count: int, steps: int, seed: int):
    """Yield `count` deaths: the steps at which one sitting after the other ends, and how much of the last is done.

    Every round goes through every step; every fourth death is followed by another while it is being mended.
    """
    rng = random.Random(seed)  # noqa: S311 - a repeatable choice, not a secret
    shares = (0.0, 1.0, 0.5, 0.9)
    for n in range(count):
        first = n % steps
        again = [rng.randrange(min(12, steps))] if n % 4 == 3 else []
        yield [first, *again], shares[(n + n // steps) % len(shares)]
