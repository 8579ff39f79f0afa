"""What a reader must know before believing a report's figures: a sentence each, the serious ones first.

Knows plan, rows and cells. Does not know the figures' own words: the verdict, the summary.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from harness.audio.faults import lacks_its_end
from harness.report.rows.kinship import Kin
from harness.report.summary.document import NOT_ATTEMPTED, Caution
from harness.report.summary.pooling import pooled, unbilled
from harness.report.words.provenance import answers_file
from harness.run.attempt import OF_THE_AUDIO
from harness.session.retry import STANDING_REFUSALS
from harness.session.waits import Waits
from harness.text.locales import LOCALES
from harness.units import SAMPLE_RATE, count_text, duration_text, usd_text
from harness.wire.live import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.report.rows.row import Row
    from harness.report.summary.document import Cell, DatasetFacts, DeafSpot
    from harness.report.summary.retelling import Retelling
    from harness.run.record import Plan


def warnings(
    plan: Plan,
    rows: Sequence[Row],
    cells: Sequence[Cell],
    datasets: Sequence[DatasetFacts],
    spots: Sequence[DeafSpot],
    *,
    foreign: int,
    refused: int,
    lost: Sequence[str],
    heard: Retelling | None = None,
) -> list[Caution]:
    """Return what the reader must know, the serious first.

    `foreign` counts records that the plan does not know, `refused` attempts that the service refused for quota and that
    others followed; `lost` is what the run's folder lacks, `heard` what its traces said when they were asked again.
    """
    found = [
        *_read_answers(plan, rows),
        *_read_texts(plan, rows),
        *map(_serious, lost),
        *_contradictions(heard),
        *_failures(rows, cells),
        *_violations(rows),
        *_seams(rows),
        *_open_turns(rows),
        *_late_text(plan, rows),
        *_damaged(rows),
        *_lateness(plan, rows),
        *_ears(plan, rows, spots),
        *_voices(plan, rows),
        *_ended(plan),
        *_money(rows),
        *_speech(rows),
        *_speakers(plan, cells),
        *_shared_clips(plan),
        *(
            _note(f"{dataset.name}: synthetic speech. Its figures say little about people.")
            for dataset in datasets
            if dataset.synthetic
        ),
        *(_note(note) for note in plan.notes),
    ]
    if refused:
        attempts = sum(row.attempts for row in rows)
        found.append(
            _note(
                f"{refused:,} of {count_text(attempts, 'attempt')} were refused for quota, and tried again."
            )
        )
    if foreign:
        found.append(
            _note(f"{_sessions(foreign)} of the journal are not in the plan and were left out.")
        )
    return sorted(found, key=lambda warning: warning.level != "serious")


_MOST_TOLD: Final = 5
"""Contradictions that a caution names; `--verify` names all."""

_FEW: Final = 20
"""One in so many is worth a serious word."""

_RERUN = {
    NOT_ATTEMPTED: "never attempted",
    "failed_quota": "refused for quota",
    "failed_client": "failed on our side",
}
_AS_IT_IS = {
    "failed_server": "failed at the service",
    "blocked": "blocked by the service",
    "partial": "broke off",
    "ok_empty": "ended well without text",
}


def ended_text(outcome: str, failure: str | None) -> str:
    """Return in words how a session ended that did not end well."""
    if outcome == "failed_client" and failure in STANDING_REFUSALS:
        return "refused by the service"
    return (_RERUN | _AS_IT_IS).get(outcome, outcome)


def _read_answers(plan: Plan, rows: Sequence[Row]) -> Iterable[Caution]:
    if plan.task != "ask":
        return
    headers = (row.session.emulator for row in rows if row.session and row.session.emulator)
    sources = set(map(answers_file, headers))
    if None in sources:
        yield _serious(
            "No model answered: the emulator repeated what it was asked, since nobody told it what to answer. "
            "`answers` in a dataset's recipe does, or harness emulate --answers (docs/tasks.md)."
        )
    files = sorted(file for file in sources if file)
    if files:
        yield _serious(
            f"No model answered: the emulator read its answers from a file that it was given ({', '.join(files)}). "
            "What passed shows that the harness works, and says nothing about any model."
        )


def _read_texts(plan: Plan, rows: Sequence[Row]) -> Iterable[Caution]:
    """Tell of speech whose transcription is what an emulator was given to say, not what anybody heard."""
    if plan.task != "speak" or plan.transcript != "output":
        return
    read = [
        row
        for row in rows
        if row.session and row.session.emulator is not None and row.rate is not None
    ]
    if not read:
        return
    what_to_do = (
        "Go by the rate by ear."
        if all(row.ear for row in read)
        else "harness report RUN --heard-by whisper lets a recogniser hear the speech, and scores that."
    )
    yield _serious(
        f"The error rate of {_sessions(len(read))} measures nothing: an emulator's transcription of its speech is the text "
        f"that it was given. {what_to_do}"
    )


def _contradictions(heard: Retelling | None) -> Iterable[Caution]:
    if heard is None:
        return
    if told := heard.contradictions:
        more = f"; and {len(told) - _MOST_TOLD:,} more" if len(told) > _MOST_TOLD else ""
        yield _serious(
            f"The journal is not what its traces give in {count_text(heard.attempts, 'record')}: one or the other was changed. "
            f"The figures are the journal's. {'; '.join(told[:_MOST_TOLD])}{more}."
        )
    if heard.heard < heard.traces:
        yield _note(
            f"{heard.heard:,} of {heard.traces:,} records, evenly spread, were worked out again from their traces; "
            "harness report --verify takes all."
        )


def _failures(rows: Sequence[Row], cells: Sequence[Cell]) -> Iterable[Caution]:
    unwell_rows = [row for row in rows if row.passed is not True]
    refused = sum(row.refused for row in unwell_rows)
    outcomes = Counter(row.outcome or NOT_ATTEMPTED for row in unwell_rows if not row.refused)
    total = _sessions(len(rows))
    incomplete = sum(not cell.complete for cell in cells)
    unranked = (
        f"{incomplete} of {count_text(len(cells), 'cell')} {'is' if incomplete == 1 else 'are'} "
        "incomplete and unranked"
    )
    if failed := sum(outcomes[outcome] for outcome in _RERUN):
        # What reached nobody is asked again by the same command; what could not be sent as it is would fail again.
        standing = Counter(
            row.session.failure
            for row in unwell_rows
            if row.session and row.outcome == "failed_client" and not row.refused
        )
        del standing["transient"]
        unsent, mend = standing.pop("input", 0), standing.total()
        ways = []
        if unsent + mend < failed:
            ways.append("the same command continues the run")
        if unsent:
            its = "their rows say" if unsent == failed else f"the rows of {unsent:,} say"
            ways.append(
                f"{its} what to mend, and then the same command with --out and this run's folder sends "
                f"{'it' if unsent == 1 else 'them'} alone"
            )
        if mend:
            its = "their rows say" if mend == failed else f"the rows of {mend:,} say"
            ways.append(
                f"{its} what to mend, and a run with that mended is a new one: it sends {total} again"
            )
        yield _serious(
            f"{failed:,} of {total} must be run again ({_listed(outcomes, _RERUN)}). Until then {unranked}; "
            f"{'; '.join(ways)}."
        )
    if refused:
        yield _serious(
            f"The service refused {refused:,} of {total} with their setup, model or key, and would again: {unranked}. "
            "A run with another setup is a new one."
        )
    if unwell := sum(outcomes[outcome] for outcome in _AS_IT_IS):
        yield _serious(
            f"{unwell:,} of {total} gave no whole answer ({_listed(outcomes, _AS_IT_IS)}) and are scored as they are: "
            "no text is all deletions."
        )
    if unscored := sum(
        row.rate is None and row.passed is None and not row.must_rerun for row in rows
    ):
        yield _serious(f"{unscored:,} of {total} cannot have a rate: their rows say why.")


def _listed(outcomes: Counter[str], words: dict[str, str]) -> str:
    return ", ".join(f"{outcomes[name]:,} {text}" for name, text in words.items() if outcomes[name])


def _violations(rows: Sequence[Row]) -> Iterable[Caution]:
    broken = [row for row in rows if row.session and row.session.violations]
    if broken and (its := (first := broken[0]).session):
        yield _serious(
            f"{_sessions(len(broken))} broke what must hold of every session, the first {first.utterance_id} "
            f"({first.model}, repeat {first.repeat}): {'; '.join(its.violations)}."
        )


def _seams(rows: Sequence[Row]) -> Iterable[Caution]:
    long = [row for row in rows if row.session and row.session.seams]
    if not long:
        return
    seams = sum(row.session.seams for row in long if row.session)
    errors = pooled(row.at_seams for row in long)
    told = (
        f"{_sessions(len(long))} went over several connections. At the {count_text(seams, 'seam')} "
        f"{errors.deletions:,} tokens were lost and {errors.insertions:,} doubled or made up."
    )
    replays = [one for row in long if row.session for one in row.session.replays]
    if replays:
        again_s = sum(one.samples for one in replays) / SAMPLE_RATE
        told += (
            f" {count_text(len(replays), 'connection')} broke off and another went on; "
            f"{duration_text(again_s)} of audio was sent again."
        )
    yield _serious(told) if errors.deletions or errors.insertions else _note(told)


def _open_turns(rows: Sequence[Row]) -> Iterable[Caution]:
    if still := sum(
        row.outcome == "ok" and row.session is not None and row.session.open_turn for row in rows
    ):
        yield _serious(
            f"In {_sessions(still)} the service never said that the turn had ended, and was silent until we stopped waiting: "
            "the transcript is scored as it is and may lack its end, and has no latency of a final text."
        )


def _damaged(rows: Sequence[Row]) -> Iterable[Caution]:
    clips = {
        (row.dataset, row.utterance_id): row.session.reason
        for row in rows
        if row.session and row.session.reason and row.session.reason.startswith(OF_THE_AUDIO)
    }
    for (_, first), reason in list(clips.items())[:1]:
        yield _note(
            f"Of {count_text(len(clips), 'clip')} the audio is odd, the first {first} ({reason.removeprefix(OF_THE_AUDIO)}). "
            "They are streamed and scored as they are; their rows say what it is."
        )
    cut = [(name, reason) for (_, name), reason in clips.items() if lacks_its_end(reason)]
    if cut:
        first, reason = cut[0]
        yield _serious(
            f"Of {count_text(len(cut), 'clip')} the end is missing, the first {first} ({reason.removeprefix(OF_THE_AUDIO)}): what was "
            "said there counts as words that the model left out. Mend the files, or leave them out, and run again."
        )


def _late_text(plan: Plan, rows: Sequence[Row]) -> Iterable[Caution]:
    waits_s = Waits.listening(plan.quiet_s)
    untold = (
        f" ({waits_s.late_text_s:g} s while it has no text yet)"
        if waits_s.late_text_s > waits_s.quiet_s
        else ""
    )
    listens = (
        f"A session listens {plan.quiet_s:g} s after its turn is said to be over{untold}, and text that comes later is "
        "lost: --quiet listens longer."
    )
    waits = [
        row.session.behind_turn_s
        for row in rows
        if row.session and row.session.behind_turn_s is not None
    ]
    if waits and max(waits) > plan.quiet_s / 2:
        yield _serious(
            f"In {_sessions(len(waits))} text came after the turn was said to be over, at the latest after "
            f"{max(waits):.1f} s of silence. {listens}"
        )
    if ended := sum("lost_end" in row.faults and row.outcome == "ok" for row in rows):
        whose = (
            "of a session that ended well lacks"
            if ended == 1
            else "of sessions that ended well lack"
        )
        latency = (
            f" {'Its' if ended == 1 else 'Their'} latency is of the text that came, not of what is missing."
            if plan.pace == 1.0
            else ""
        )
        told = f"{count_text(ended, 'transcript')} {whose} the end of what was said.{latency} {listens}"
        judged = sum(row.judged for row in rows)
        yield _serious(told) if ended * _FEW >= judged else _note(told)


def _lateness(plan: Plan, rows: Sequence[Row]) -> Iterable[Caution]:
    if plan.pace != 1.0:
        yield _note(
            f"Latency is not reported: audio was sent at pace {plan.pace:g}, not in real time."
        )
        return
    late = sum(row.late is True for row in rows)
    if late:
        yield _serious(
            f"Latency of {_sessions(late)} is not reported: our client was late "
            "(99th percentile of send lag over 20 ms, or the process stood still)."
        )


def _ears(plan: Plan, rows: Sequence[Row], spots: Sequence[DeafSpot]) -> Iterable[Caution]:
    whose = "which heard the speech" if plan.task == "speak" else "the emulator's recogniser"
    for ear in dict.fromkeys(spot.ear for spot in spots):
        parts = []
        for fitness, words in (("unusable", "cannot hear {}"), ("weak", "hears {} badly")):
            own = [spot.locale for spot in spots if (spot.ear, spot.fitness) == (ear, fitness)]
            if own:
                parts.append(words.format(", ".join(own)))
        yield _serious(
            f"{ear}, {whose}, {' and '.join(parts)}: the errors there are its own, not a model's."
        )
    ears = list(dict.fromkeys(row.ear for row in rows if row.ear))
    if ears:
        yield _note(
            f"The rate by ear is of what {' and '.join(ears)} heard of the speech, told the language: its own errors are "
            "in it. The other rate is of what the service says that it said."
        )
        deaf = sum(row.ear is None and bool(row.speech_s) and not row.must_rerun for row in rows)
        if deaf:
            yield _serious(
                f"The speech of {_sessions(deaf)} was not heard, and is in no rate by ear: harness report --heard-by "
                "goes on with it."
            )


def _voices(plan: Plan, rows: Sequence[Row]) -> Iterable[Caution]:
    """Tell of texts that an emulator read in another language's voice, since nobody told it the language."""
    if plan.task != "speak":
        return
    read = {
        row.locale
        for row in rows
        if row.session and row.session.emulator and row.speech_s and not _told_language(row)
    }
    foreign = sorted(one for one in read if not one.startswith("en-"))
    latin = [one for one in foreign if one in LOCALES and LOCALES[one].script == "Latn"]
    others = [one for one in foreign if one not in latin]
    if others:
        yield _serious(
            f"The emulator has no voice that reads the script of {', '.join(others)}: it says so in English instead, and "
            "the errors there are its own."
        )
    if latin:
        yield _serious(
            f"The emulator read {', '.join(latin)} in a US English voice, since nothing told it the language: what an ear "
            "hears of it says nothing about a model."
        )


def _told_language(row: Row) -> bool:
    """Return whether a text's language was told (`speechConfig.languageCode`): of half-cascade models' own locales it is."""
    known = catalogue.find(row.model)
    return (
        known is not None
        and known.kind == "half-cascade"
        and row.locale in LOCALES
        and LOCALES[row.locale].guide
    )


def _ended(plan: Plan) -> Iterable[Caution]:
    """Tell of models that were shut down, and of those that were announced to be by the day of the plan."""
    for name in plan.models:
        known = catalogue.find(name)
        if known is None:
            continue
        if known.gone:
            when = f" on {known.retired}" if known.retired else ""
            yield _note(
                f"{name} was shut down at the service{when}: nothing here can be tried there any more."
            )
        elif known.retired and known.retired <= plan.created_at[:10]:
            yield _note(
                f"{name} is deprecated at the service since {known.retired}: it may be shut down any day."
            )


def _money(rows: Sequence[Row]) -> Iterable[Caution]:
    silent = sum(unbilled(row) and row.total_tokens is None for row in rows)
    if silent:
        yield _note(
            f"{_sessions(silent)} brought no usage record: sums of tokens and cost over them are left empty."
        )
    guesses = [row.unbilled_usd for row in rows if row.unbilled_usd is not None]
    if guesses:
        yield _note(
            f"Attempts or connections of {_sessions(len(guesses))} ended without a bill: by their audio they cost some "
            f"{usd_text(sum(guesses))}, an estimate that is in no figure."
        )
    unpriced = sorted(
        {row.model for row in rows if row.cost_usd is None and row.total_tokens is not None}
    )
    if unpriced:
        yield _note(
            f"Not all tokens of {', '.join(unpriced)} can be priced (no list price, or the service did not say of "
            "which modality they are): their cost is left empty."
        )


def _speech(rows: Sequence[Row]) -> Iterable[Caution]:
    clips = sum(row.speech_bounds_source == "clip" and row.first_text_s is not None for row in rows)
    if clips:
        yield _note(
            f"Latency of {_sessions(clips)} is counted from the clip's own ends: no speech was found in it, "
            "or its audio is gone."
        )


def _shared_clips(plan: Plan) -> Iterable[Caution]:
    sets: dict[tuple[str, str], list[str]] = {}
    for (dataset, locale), first in Kin(plan).twins.items():
        sets.setdefault((dataset, first), [first]).append(locale)
    for (dataset, _), locales in sets.items():
        yield _note(
            f"{dataset}: {', '.join(locales)} have the same clips. They are one test set: a macro average over locales "
            "takes their mean and counts it once."
        )


def _speakers(plan: Plan, cells: Sequence[Cell]) -> Iterable[Caution]:
    if plan.task != "transcribe":
        return  # it is the model that speaks, or what it answers that is judged
    unknown = {cell.dataset: None for cell in cells if cell.basis and cell.basis.block != "speaker"}
    if unknown:
        yield _note(
            f"{', '.join(unknown)}: nobody says who speaks in all or some of it. Its intervals are over recordings or "
            "sentences instead, and lower bounds: utterances of one speaker are alike."
        )


def _serious(text: str) -> Caution:
    return Caution(level="serious", text=text)


def _note(text: str) -> Caution:
    return Caution(level="note", text=text)


def _sessions(count: int) -> str:
    return count_text(count, "session")
