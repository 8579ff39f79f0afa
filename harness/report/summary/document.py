"""The document that sums a run up, `summary.json`: cells, standings, warnings, and all that a report repeats.

The Markdown, the terminal's text and the page are renderings of it. Knows shapes; how they are made from rows is
`summary`, what is said in words is `words`.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from harness.report.difference.verdict import RateDifference
from harness.report.summary.breakdown import Breakdown
from harness.report.summary.confusions import Confusion
from harness.report.summary.latencies import Latency, Settled, Streaming
from harness.report.summary.utterance_rates import Share, Silence, UtteranceRates
from harness.run.certificate import Certificate as ProcessCertificate
from harness.run.record import Task
from harness.score.readability import Reading
from harness.units import Milliseconds, Seconds, Usd

SUMMARY_SCHEMA = 2
"""Schema of the summary, the tables and the page: from one number to the next, what some field means or how it is
written changes.

2: `attempts` of rows that were never tried are 0; they were 1. Those of the run are their sum, and `refused` says how many
were refused for quota and tried again.
"""

NOT_ATTEMPTED = "not attempted"


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What the interval of a rate rests on."""

    method: Literal["bootstrap", "linearised", "too few"]
    """Percentiles over drawn blocks; standard error with a t quantile; or no interval: fewer than four blocks, or no
    spread among them."""

    blocks: int
    block: str
    """What moves together (`harness.report.rows.kinship`): `speaker`; where nobody says who spoke `recording`, else `sentence`,
    and the interval is then a lower bound. Several are joined: `speaker or sentence`."""

    seed: int | None
    """Of the drawing; None: nothing was drawn."""


class Flagged(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a cell that a detector of gross faults found suspicious, and the rate with and without them."""

    rows: Share
    rate_flagged: float | None
    rate_unflagged: float | None
    """None: there are none, or their references have no tokens."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """Dataset × model × locale: the columns of `summary.csv`, then what pages say beside them."""

    dataset: str
    locale: str
    model: str
    metric: str | None
    utterances: int
    scored: int
    failed: int
    refused: int = 0
    """Of `failed`, what the service refused with its setup, model or key: the same command would not run it again."""

    rate: float | None
    rate_low: float | None
    rate_high: float | None
    rate_norm1: float | None
    wer: float | None
    cer: float | None
    cerns: float | None
    mer: float | None
    audio_s: Seconds | None
    first_text_p50_s: Seconds | None
    first_text_p95_s: Seconds | None
    final_text_p50_s: Seconds | None
    final_text_p95_s: Seconds | None
    late_sessions: int
    prompt_tokens: int | None
    response_tokens: int | None
    total_tokens: int | None
    cost_usd: Usd | None
    profile: str
    first_audio_p50_s: Seconds | None = None
    first_audio_p95_s: Seconds | None = None
    speech_s: Seconds | None = None
    speech_chars_per_s: float | None = None
    passed: int | None = None
    pass_rate: float | None = None
    first_reply_p50_s: Seconds | None = None
    first_reply_p95_s: Seconds | None = None
    tool_call_p50_s: Seconds | None = None
    fell_silent_p50_s: Seconds | None = None
    fell_silent_p95_s: Seconds | None = None
    ear: str | None = None
    ear_scored: int | None = None
    ear_rate: float | None = None
    thoughts_tokens: int | None = None
    cached_tokens: int | None = None
    tool_use_tokens: int | None = None

    test_set: str
    """The first locale of the dataset that has the same clips, mostly its own: what a macro average counts once."""

    hits: int
    substitutions: int
    deletions: int
    insertions: int
    reference_tokens: int
    """Sums over the scored rows."""

    speakers: int | None
    """Speakers that the interval is over; None: the dataset does not say."""

    timed: int
    """How many rows are in the percentiles of what the task mainly waits for (`harness.report.summary.delays`)."""

    outcomes: dict[str, int]
    """Rows by outcome; `not attempted` for those without one."""

    rate_if_failed_deleted: float | None
    """The rate if every failed row had been heard as nothing: the worst case of an incomplete cell; None: it is
    complete."""

    passing: Share | None = None
    """`passed` of the answers that were judged, with its interval; None: none was."""

    rate_answered: float | None
    """The rate over the utterances that every model of the run answered each time, without those that failed or were
    blocked for any; None: all were answered."""

    detectable: float | None = None
    """The smallest true difference of rates to another system that this cell finds with 80 % power; None: unknown."""

    basis: Basis | None = None
    """What `rate_low` and `rate_high` rest on; None: no rate, or one that is not over reference tokens (MER, WIL)."""

    utterance_rates: UtteranceRates | None = None
    """Companions of the rate; None: no rate."""

    readability: Reading | None = None
    """Punctuation and casing of the scored rows; None: there is no row, or the language (Thai) has none."""

    flagged: Flagged | None = None
    """None: no row is flagged as another language, another script, a loop or a hallucination."""

    unanswered: Share | None = None
    """Rows that the service failed or refused; None: no row was attempted."""

    silence: Silence | None = None
    """None: in every scored clip something is said."""

    rate_sd_of_repeats: float | None = None
    """Standard deviation of the rate from repeat to repeat: how far the service's own chance moves it; None: one repeat."""

    prompt_by_modality: dict[str, int] = {}
    response_by_modality: dict[str, int] = {}
    """Tokens of the last attempts, as far as the service said of which modality they are."""

    @property
    def errors(self) -> int:
        """Sum of the scored rows' errors."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def complete(self) -> bool:
        """Whether no row must be run again."""
        return self.failed == 0


class CellBreakdown(msgspec.Struct, frozen=True, kw_only=True):
    """Where the errors of a cell are."""

    dataset: str
    model: str
    locale: str
    metric: str
    errors: Breakdown


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Dataset × model, over all locales."""

    dataset: str
    model: str
    locales: int
    """Locales of the dataset in the run."""

    ranked_locales: int
    """Complete cells with a rate: those that the macro averages are over."""

    test_sets: int
    """Test sets among them: locales with the same clips are one, and count once."""

    word_locales: int
    """Those among them whose own metric is a word error rate."""

    macro_cerns: float | None
    """Unweighted mean of the cells' `cerns`, a test set counted once; None: no complete cell."""

    macro_cerns_low: float | None = None
    macro_cerns_high: float | None = None
    """Its 95 % interval over speakers; None: too little to say."""

    macro_cerns_sd: float | None = None
    """Standard deviation of `cerns` over test sets; None: fewer than two."""

    mean_rank: float | None = None
    """Mean of the model's places by `cerns`, 1 the lowest, ties sharing theirs, over the test sets that every model of
    the dataset completed; None: a single model, or no such test set."""

    worst_locale: str | None = None
    """The one of the highest `cerns`; None: no complete cell."""

    macro_wer: float | None
    """Unweighted mean of `rate` over cells whose metric is WER, a test set counted once; None: there are none."""

    utterances: int
    scored: int
    failed: int
    refused: int = 0
    """As in cells."""

    first_text_p50_s: Seconds | None
    first_text_p95_s: Seconds | None
    final_text_p50_s: Seconds | None
    final_text_p95_s: Seconds | None
    first_audio_p50_s: Seconds | None = None
    first_audio_p95_s: Seconds | None = None
    first_reply_p50_s: Seconds | None = None
    first_reply_p95_s: Seconds | None = None
    passed: Share | None = None
    """Answers that are what was expected, of those that were judged; None: none was."""

    behind: RateDifference | None = None
    """From the dataset's first model, `base`, to this one, `new`: paired over what both were asked, of the macro CERns or
    the share passed, `p_adjusted` over all pairs of the dataset's models. None: this is the first, or no locale is complete in both."""

    timed: int
    late_sessions: int
    audio_s: Seconds | None
    prompt_tokens: int | None
    response_tokens: int | None
    total_tokens: int | None
    prompt_by_modality: dict[str, int]
    response_by_modality: dict[str, int]
    thoughts_tokens: int | None = None
    cached_tokens: int | None = None
    tool_use_tokens: int | None = None
    cost_usd: Usd | None

    @property
    def usd_per_audio_hour(self) -> Usd | None:
        """Cost of an hour of audio; None where either is unknown."""
        if self.cost_usd is None or not self.audio_s:
            return None
        return self.cost_usd / self.audio_s * 3600


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions that went wrong in the same way."""

    outcome: str
    failure: str | None
    """Its class (`quota`, `transient`, …); None: not a failure, or never attempted."""

    rows: int
    counted: str
    """What it means for the rates, in words."""

    reasons: dict[str, int]
    """The commonest reasons as they were given, and how many rows gave them."""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """Whether our own client sent on time."""

    sessions: int
    """Sessions whose send lag was measured."""

    late: int
    lag_p50_ms: Milliseconds | None
    """Median of the sessions' medians."""

    lag_p99_worst_ms: Milliseconds | None
    """The largest of the sessions' 99th percentiles."""

    lag_max_ms: Milliseconds | None
    """The latest frame of all."""

    processes: list[ProcessCertificate]
    """How punctual each streaming process of each sitting was; empty: nobody watched."""


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """The error rate of a model on clips of a length."""

    dataset: str
    model: str
    from_s: Seconds
    to_s: Seconds | None
    """None: no upper end."""

    utterances: int
    locales: int
    """Of those with clips of that length: the rate is the plain mean over them."""

    metric: str
    """`WER` where all locales are measured so, else `CERns`."""

    rate: float | None
    """None: their references have no tokens."""


class Mistakes(msgspec.Struct, frozen=True, kw_only=True):
    """The commonest mistakes of a cell: of words, or of runs of characters where the metric counts those."""

    dataset: str
    model: str
    locale: str
    commonest: list[Confusion]


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that a detector found suspicious (`harness.score.faults`). They stay in all rates."""

    fault: str
    rows: int
    scored: int
    """Rows that were looked at."""

    locales: dict[str, int]
    """Flagged rows by locale, the most first."""

    examples: list[str]


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What nobody may miss about where the answers come from."""

    kind: Literal["emulated", "scripted", "other"]
    text: str
    """`EMULATED (whisper-base)`, `EMULATED (SCRIPTED, no recogniser)`, `EMULATED (synthesiser)` where texts are read aloud,
    `EMULATED (whisper-base), ANSWERS READ FROM answers.jsonl`, `OTHER ENDPOINT (host)`."""

    sessions: int


class DeafSpot(msgspec.Struct, frozen=True, kw_only=True):
    """A locale that an emulator's recogniser hears badly (`ears`)."""

    ear: str
    locale: str
    fitness: Literal["weak", "unusable"]
    why: str
    """What it does, in words."""

    source: str
    """Where that is from, in words."""


class Caution(msgspec.Struct, frozen=True, kw_only=True):
    """Something the reader must know before believing a figure."""

    level: Literal["serious", "note"]
    text: str


class Retold(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the records of the journal are what their traces give, as far as these were read again."""

    traces: int
    """Of the journal's records that are in the folder."""

    read: int
    """So many were read again, evenly spread."""

    contradicted: int
    """Records that are not what their traces give."""


class DatasetFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset as the run used it."""

    name: str
    title: str
    licence: str | None
    synthetic: bool
    utterances: int
    locales: list[str]
    spoken: bool = True
    """False: its items are written, and nobody speaks."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """How texts were made comparable before they were counted."""

    id: str
    metric: str
    """As asked for: `auto` takes each locale's own."""

    code_sha256: str
    """SHA-256 of the code that shapes a score, hex."""

    versions: dict[str, str]
    """Of the libraries that shape a score."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """All that a report says of a run."""

    schema: int = SUMMARY_SCHEMA
    run: str
    """The run folder's name."""

    harness: str
    """Version of this program that wrote the report."""

    plan_hash: str
    created_at: str
    """When the run was planned, ISO 8601 UTC."""

    last_session_at: str | None
    """When its last session started, ISO 8601 UTC; None: none did."""

    service: str
    endpoints: list[str]
    task: Task
    transcript: str
    pace: float
    chunk_ms: Milliseconds
    turns: str
    repeats: int
    seed: int
    command: str
    versions: dict[str, str]
    environment: dict[str, str]
    setups: dict[str, dict[str, Any]]
    datasets: list[DatasetFacts]
    models: list[str]
    locales: list[str]
    profile: Profile
    prices_as_of: str | None
    """Date of the price book; None: it has no price for these models."""

    labels: list[Label]
    verdict: str
    """The run in a sentence."""

    warnings: list[Caution]
    deaf_spots: list[DeafSpot]
    sessions: int
    """Rows planned."""

    scored: int
    failed: int
    attempts: int
    """Sum of the rows' column: sessions asked for, or tried to reach."""

    refused: int
    """Attempts among them that the service refused for quota, and that another followed."""

    retold: Retold | None = None
    """None: the traces were not asked."""

    audio_s: Seconds
    cost_usd: Usd | None
    certificate: Certificate
    standings: list[Standing]
    cells: list[Cell]
    troubles: list[Trouble]
    latencies: list[Latency]
    buckets: list[Bucket]
    mistakes: list[Mistakes]
    breakdowns: list[CellBreakdown]
    flags: list[Flag]
    settling: list[Settled] = []
    """Empty: not looked at, or not paced at real time."""

    streaming: list[Streaming] = []
    """Empty as `settling` is."""
