"""The columns of `utterances.csv` and `summary.csv`: declared once, here, as data.

The tables are written and read by these lists, and docs/columns.md is generated from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["text", "whole", "real", "flag"]
"""What a cell holds: text, a whole number, a real number, or `True`/`False`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table."""

    name: str
    kind: Kind
    unit: str = ""
    """Unit of the numbers; empty where they have none."""

    meaning: str
    missing: str = "never"
    """When the cell is empty."""


def _column(
    name: str, kind: Kind, meaning: str, *, unit: str = "", missing: str = "never"
) -> Column:
    return Column(name=name, kind=kind, unit=unit, meaning=meaning, missing=missing)


_UNSCORED = "the row is not scored: `reason` says why"
_NO_SESSION = "no session was ever opened, or the run was not paced"
_NO_EAR = "no ear was asked, the task is not to speak, or the session gave no answer"
_NO_USAGE = "no attempt brought a usage record"

UTTERANCE_COLUMNS: tuple[Column, ...] = (
    _column("utterance_id", "text", "The utterance's id, unique in its dataset."),
    _column("dataset", "text", "Name of the dataset."),
    _column("locale", "text", "BCP-47 locale of the utterance."),
    _column("model", "text", "Model id."),
    _column("repeat", "whole", "Which repeat of the cell, from 1."),
    _column(
        "outcome",
        "text",
        "How the last attempt ended: `ok`, `ok_empty`, `partial`, `failed_server`, `blocked`, `failed_quota`, "
        "`failed_client`.",
        missing="the session was planned and has no final attempt",
    ),
    _column(
        "reference",
        "text",
        "What was said, as the dataset writes it.",
        missing="the dataset has none",
    ),
    _column(
        "hypothesis",
        "text",
        "What was heard, as the service wrote it.",
        missing="the session gave no text, or it was empty",
    ),
    _column(
        "metric",
        "text",
        "Which rate `rate` is, as the locale wants it or as asked for.",
        missing=_UNSCORED,
    ),
    _column(
        "errors",
        "whole",
        "Substitutions + deletions + insertions.",
        unit="tokens",
        missing=_UNSCORED,
    ),
    _column("hits", "whole", "Tokens heard right.", unit="tokens", missing=_UNSCORED),
    _column("substitutions", "whole", "Tokens heard as another.", unit="tokens", missing=_UNSCORED),
    _column("deletions", "whole", "Tokens not heard.", unit="tokens", missing=_UNSCORED),
    _column(
        "insertions", "whole", "Tokens heard that nobody said.", unit="tokens", missing=_UNSCORED
    ),
    _column(
        "reference_tokens",
        "whole",
        "Tokens of the normalised reference: hits + substitutions + deletions.",
        unit="tokens",
        missing=_UNSCORED,
    ),
    _column(
        "rate",
        "real",
        "errors / reference_tokens; may exceed 1.",
        unit="ratio",
        missing="the row is not scored, or its reference has no tokens",
    ),
    _column(
        "audio_s",
        "real",
        "Length of the clip that was sent.",
        unit="s",
        missing="it was never read",
    ),
    _column(
        "first_text_s",
        "real",
        "First non-empty fragment − due time of the onset of speech. Early text is negative.",
        unit="s",
        missing="no text came, or the run was not paced at real time",
    ),
    _column(
        "final_text_s",
        "real",
        "Last change of the transcript − due time of the end of speech.",
        unit="s",
        missing="no text came, its turn was never said to have ended, or the run was not paced at real time",
    ),
    _column(
        "speech_bounds_source",
        "text",
        "Where onset and end of speech come from: `annotation` (tags `speech_start`, `speech_end`), `detected` in the "
        "signal, or `clip` (its first and last sample).",
        missing="the length of the clip is unknown, or the utterance has no final record",
    ),
    _column(
        "setup_s",
        "real",
        "Start of the connection to `setupComplete`.",
        unit="s",
        missing="setup never completed",
    ),
    _column(
        "send_lag_p50_ms",
        "real",
        "Median of how late audio frames left, against their due times.",
        unit="ms",
        missing=_NO_SESSION,
    ),
    _column(
        "send_lag_p99_ms",
        "real",
        "99th percentile of how late audio frames left.",
        unit="ms",
        missing=_NO_SESSION,
    ),
    _column(
        "late",
        "flag",
        "True: our own client fell behind (p99 lag over 20 ms) or stood still, so latency percentiles leave this row out.",
        missing="no final attempt",
    ),
    _column(
        "attempts",
        "whole",
        "Sessions asked for, or tried to reach, for this row, the last included; 0 where nothing was tried.",
    ),
    _column(
        "prompt_tokens",
        "whole",
        "Tokens sent, over all attempts.",
        unit="tokens",
        missing=_NO_USAGE,
    ),
    _column(
        "response_tokens",
        "whole",
        "Tokens answered, over all attempts; 0 where no count came and the total leaves none.",
        unit="tokens",
        missing=_NO_USAGE,
    ),
    _column(
        "total_tokens",
        "whole",
        "Tokens billed, over all attempts.",
        unit="tokens",
        missing=_NO_USAGE,
    ),
    _column(
        "cost_usd",
        "real",
        "Tokens of all attempts at the catalogue's list prices.",
        unit="USD",
        missing="the model's price or the tokens are unknown",
    ),
    _column(
        "reason",
        "text",
        "Why the row failed, is not whole, or has no rate, in words.",
        missing="nothing is wrong with it",
    ),
    _column(
        "first_audio_s",
        "real",
        "First speech of the model − end of what was asked: when a text had left, or the due time of the end of speech.",
        unit="s",
        missing="no speech came, or the task is to transcribe",
    ),
    _column(
        "speech_s",
        "real",
        "Length of the speech received, its pauses included.",
        unit="s",
        missing="the task is to transcribe, or nothing was ever sent",
    ),
    _column(
        "speech_chars_per_s",
        "real",
        "Speech rate: characters of the normalised transcript without spaces, as in CERns, / `speech_s`.",
        unit="1/s",
        missing="the task is not to speak, the row is not scored, or no speech came",
    ),
    _column(
        "expectation",
        "text",
        "What the answer should be: `contains …`, `number …`, `call …`, `silence`.",
        missing="the task is not to ask, or the item does not say",
    ),
    _column(
        "passed",
        "flag",
        "True: the answer is all of that. False: `reason` says what it is not.",
        missing="the task is not to ask, there is no answer of the service to judge, or we spoke over it",
    ),
    _column(
        "first_reply_s",
        "real",
        "First words or speech of the answer, thoughts left out − end of what was asked, as in `first_audio_s`.",
        unit="s",
        missing="none came, the task is to transcribe, or a spoken question was not paced at real time",
    ),
    _column(
        "tool_call_s",
        "real",
        "First function call − end of what was asked.",
        unit="s",
        missing="nothing was called, or as above",
    ),
    _column(
        "interrupted_s",
        "real",
        "`interrupted` − the moment we began to speak over the answer (activityStart, or the first speech sent).",
        unit="s",
        missing="the answer was not interrupted, or the service did not say so",
    ),
    _column(
        "fell_silent_s",
        "real",
        "Last words or speech of that answer − the moment we began to speak over it; 0: nothing more came.",
        unit="s",
        missing="we did not speak over the answer",
    ),
    _column(
        "thoughts_tokens",
        "whole",
        "Tokens of thoughts, over all attempts; they may lie outside `total_tokens`, and are priced as text answered.",
        unit="tokens",
        missing="no attempt's usage record has them",
    ),
    _column(
        "cached_tokens",
        "whole",
        "Those of `prompt_tokens` that came from a cache; priced as any sent, since no price of theirs is published.",
        unit="tokens",
        missing="as above",
    ),
    _column(
        "tool_use_tokens",
        "whole",
        "Tokens that the service's own tools, as a search, found and gave the model to read, beside `prompt_tokens`; priced "
        "as sent.",
        unit="tokens",
        missing="as above",
    ),
    _column(
        "speaker",
        "text",
        "Who speaks, as the dataset names them; intervals are over speakers.",
        missing="the dataset does not say",
    ),
    _column(
        "ear",
        "text",
        "The recogniser of ours that heard the speech (`--heard-by`).",
        missing=_NO_EAR,
    ),
    _column(
        "ear_hypothesis",
        "text",
        "What it heard, told the language; `hypothesis` is what the service says that it said.",
        missing="it heard nothing, or as above",
    ),
    _column(
        "ear_errors",
        "whole",
        "Errors of the same metric in what it heard: the speech's and the recogniser's own.",
        unit="tokens",
        missing="the row has no reference, or as above",
    ),
    _column(
        "ear_rate",
        "real",
        "`ear_errors` / the reference's tokens.",
        unit="ratio",
        missing="the reference has no tokens, or as above",
    ),
)

_NO_RATE = "no row of the cell is scored, or its references have no tokens"
_NO_LATENCY = "no row has one, all were late, or the run was not paced at real time"
_TOO_FEW = "too few: under 20 rows that are on time have one"
_PARTLY_USAGE = "an answered row has none: a sum over a part would mislead"
_NO_PART = "no row has any"

SUMMARY_COLUMNS: tuple[Column, ...] = (
    _column("dataset", "text", "Name of the dataset."),
    _column("locale", "text", "BCP-47 locale."),
    _column("model", "text", "Model id."),
    _column("metric", "text", "Which rate `rate` is.", missing="no row of the cell is scored"),
    _column("utterances", "whole", "Rows planned: utterances × repeats."),
    _column(
        "scored",
        "whole",
        "Rows in `rate`: every session that ended with an answer or by the service's fault. Empty answers, "
        "server failures and refusals count as all deletions. With `--task ask` the rows in `pass_rate`.",
    ),
    _column(
        "failed",
        "whole",
        "Rows that are not the service's answer and must be run again: quota, our own failures, not attempted. "
        "While there are any, the cell is incomplete.",
    ),
    _column(
        "rate",
        "real",
        "Σ errors / Σ reference_tokens of the scored rows.",
        unit="ratio",
        missing=_NO_RATE,
    ),
    _column(
        "rate_low",
        "real",
        "Lower end of the 95 % interval of `rate`, over speakers.",
        unit="ratio",
        missing="too few: under four speakers (or utterances), or all of them alike",
    ),
    _column(
        "rate_high",
        "real",
        "Upper end of the same.",
        unit="ratio",
        missing="too few: under four speakers (or utterances), or all of them alike",
    ),
    _column(
        "rate_norm1",
        "real",
        "The same rate under the text profile `norm-1` (numbers must be written alike).",
        unit="ratio",
        missing="the profile does not give it",
    ),
    _column("wer", "real", "Pooled word error rate.", unit="ratio", missing=_NO_RATE),
    _column(
        "cer",
        "real",
        "Pooled character error rate, spaces counted.",
        unit="ratio",
        missing=_NO_RATE,
    ),
    _column(
        "cerns",
        "real",
        "Pooled character error rate without spaces: the rate that compares languages.",
        unit="ratio",
        missing=_NO_RATE,
    ),
    _column(
        "mer",
        "real",
        "Match error rate of the counts in `rate`: errors / (hits + errors), at most 1.",
        unit="ratio",
        missing=_NO_RATE,
    ),
    _column("audio_s", "real", "Audio sent.", unit="s", missing="no clip was read"),
    _column(
        "first_text_p50_s",
        "real",
        "Median of `first_text_s`, late rows left out.",
        unit="s",
        missing=_NO_LATENCY,
    ),
    _column("first_text_p95_s", "real", "95th percentile of the same.", unit="s", missing=_TOO_FEW),
    _column(
        "final_text_p50_s",
        "real",
        "Median of `final_text_s`, late rows left out.",
        unit="s",
        missing=_NO_LATENCY,
    ),
    _column("final_text_p95_s", "real", "95th percentile of the same.", unit="s", missing=_TOO_FEW),
    _column("late_sessions", "whole", "Rows whose session our own client sent late."),
    _column("prompt_tokens", "whole", "Sum of the rows'.", unit="tokens", missing=_PARTLY_USAGE),
    _column("response_tokens", "whole", "Sum of the rows'.", unit="tokens", missing=_PARTLY_USAGE),
    _column("total_tokens", "whole", "Sum of the rows'.", unit="tokens", missing=_PARTLY_USAGE),
    _column("cost_usd", "real", "Sum of the rows'.", unit="USD", missing=_PARTLY_USAGE),
    _column(
        "profile",
        "text",
        "Id of the text profile that `rate` was counted under: `glt-` and its name, then what was absent; rates compare only "
        "where it is the same.",
    ),
    _column(
        "first_audio_p50_s",
        "real",
        "Median of `first_audio_s`, late rows left out.",
        unit="s",
        missing="no row has one, or all were late",
    ),
    _column(
        "first_audio_p95_s",
        "real",
        "95th percentile of the same.",
        unit="s",
        missing=_TOO_FEW,
    ),
    _column("speech_s", "real", "Speech received.", unit="s", missing="no row has any"),
    _column(
        "speech_chars_per_s",
        "real",
        "Speech rate: Σ characters / Σ `speech_s` of the rows that have one.",
        unit="1/s",
        missing="no row has one",
    ),
    _column(
        "passed",
        "whole",
        "Rows whose answer is what was expected.",
        missing="the task is not to ask, or no row has an answer of the service",
    ),
    _column(
        "pass_rate",
        "real",
        "`passed` / `scored`.",
        unit="ratio",
        missing="as above",
    ),
    _column(
        "first_reply_p50_s",
        "real",
        "Median of `first_reply_s`, late rows left out.",
        unit="s",
        missing="no row has one, or all were late",
    ),
    _column(
        "first_reply_p95_s",
        "real",
        "95th percentile of the same.",
        unit="s",
        missing=_TOO_FEW,
    ),
    _column(
        "tool_call_p50_s",
        "real",
        "Median of `tool_call_s`, late rows left out.",
        unit="s",
        missing="no row has one, or all were late",
    ),
    _column(
        "fell_silent_p50_s",
        "real",
        "Median of `fell_silent_s`.",
        unit="s",
        missing="no row has one",
    ),
    _column(
        "fell_silent_p95_s",
        "real",
        "95th percentile of the same.",
        unit="s",
        missing="too few: under 20 rows have one",
    ),
    _column(
        "ear",
        "text",
        "The recogniser of ours that heard the speech (`--heard-by`).",
        missing="no ear was asked, or nothing was spoken",
    ),
    _column(
        "ear_scored",
        "whole",
        "Rows in `ear_rate`.",
        missing="no ear was asked",
    ),
    _column(
        "ear_rate",
        "real",
        "Σ `ear_errors` / Σ the references' tokens of these rows: `rate` by ear.",
        unit="ratio",
        missing="no ear was asked, or the references have no tokens",
    ),
    _column("thoughts_tokens", "whole", "Sum of the rows'.", unit="tokens", missing=_NO_PART),
    _column("cached_tokens", "whole", "Sum of the rows'.", unit="tokens", missing=_NO_PART),
    _column("tool_use_tokens", "whole", "Sum of the rows'.", unit="tokens", missing=_NO_PART),
)


_UNSEEN = "there was no text, or none of it is right"
_NO_SPEECH = "the reference has no tokens"


def _after(name: str, when: str) -> Column:
    return _column(
        name,
        "real",
        f"Error rate of what was on the screen {when}.",
        unit="ratio",
        missing=_NO_SPEECH,
    )


STREAMING_COLUMNS: tuple[Column, ...] = (
    *UTTERANCE_COLUMNS[:5],
    *(
        column
        for name in ("speech_bounds_source", "first_text_s", "final_text_s")
        for column in UTTERANCE_COLUMNS
        if column.name == name
    ),
    _column(
        "emission_p50_s",
        "real",
        "Median over the tokens that are right: when it came to stay − its end in the audio (approximated by characters).",
        unit="s",
        missing=_UNSEEN,
    ),
    _column(
        "emission_p90_s",
        "real",
        "Its 90th percentile.",
        unit="s",
        missing="too few: under ten tokens are right",
    ),
    _column("al_s", "real", "Average lagging.", unit="s", missing="there was no text"),
    _column(
        "laal_s", "real", "Length-adaptive average lagging.", unit="s", missing="there was no text"
    ),
    _column(
        "dal_s", "real", "Differentiable average lagging.", unit="s", missing="there was no text"
    ),
    _column(
        "ap",
        "real",
        "Average proportion of the audio heard.",
        unit="ratio",
        missing="there was no text",
    ),
    _column(
        "erasure",
        "real",
        "Characters taken back per character of the final text; 0 for a stream that only appends.",
        unit="ratio",
        missing="there was no text",
    ),
    _column("revisions", "whole", "How often something on the screen was taken back."),
    _column("metric", "text", "Which rate the following are."),
    _after("rate_after_0_s", "at the end of speech"),
    _after("rate_after_05_s", "0.5 s after it"),
    _after("rate_after_1_s", "1 s after it"),
    _after("rate_after_2_s", "2 s after it"),
    _after("rate_after_5_s", "5 s after it"),
    _after("rate_final", "in the end"),
)
"""The columns of `streaming.csv`: a row a session that was looked at."""


def markdown(columns: Sequence[Column]) -> str:
    """Return the Markdown table that documents `columns`."""
    lines = ["| column | type | unit | meaning | empty when |", "|---|---|---|---|---|"]
    lines += [
        f"| `{column.name}` | {column.kind} | {column.unit} | {column.meaning} | {column.missing} |"
        for column in columns
    ]
    return "\n".join(lines)
