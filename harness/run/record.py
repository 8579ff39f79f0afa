"""The run folder's own records: the plan and the journal's lines. One schema version each."""

from __future__ import annotations

from sys import intern
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from harness.corpus.scenario import Scenario
from harness.run.demand import Demand
from harness.session.course import KnownBy
from harness.trace.trace import Channel, FailureKind, Outcome
from harness.units import Milliseconds, Samples, Seconds

PLAN_SCHEMA = 1
RECORD_SCHEMA = 1


class PlannedDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset's facts that reports repeat."""

    name: str
    title: str
    licence: str | None = None
    synthetic: bool = False
    """True: synthetic speech, said wherever its figures are."""


class PlannedUtterance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An utterance of the plan, with all that scoring and reports need of it."""

    id: str
    dataset: str
    locale: str
    reference: str | None
    """None: cannot be scored."""

    audio: str | None
    """Absolute path when planned; None: it is written."""

    offset_s: Seconds = 0.0
    duration_s: Seconds | None = None
    """Length as the manifest or the file's header says, s; None: unknown."""

    sha256: str | None
    """SHA-256 of the audio file's bytes, hex; None: it could not be read when planned."""

    speaker: str | None = None
    tags: dict[str, Any] = {}
    scenario: Scenario | None = None
    """What it brings along for its task; None: nothing."""

    images_sha256: tuple[str | None, ...] = ()
    """SHA-256 of the bytes of each of the scenario's images, hex; None: it could not be read when planned, or is a folder."""

    def __post_init__(self) -> None:
        # What many utterances share is kept once: a plan may have a million.
        msgspec.structs.force_setattr(self, "dataset", intern(self.dataset))
        msgspec.structs.force_setattr(self, "locale", intern(self.locale))
        if self.speaker is not None:
            msgspec.structs.force_setattr(self, "speaker", intern(self.speaker))


Task = Literal["transcribe", "speak", "ask"]
"""What is done with every utterance: it is transcribed, its text is spoken, or it is put as a question."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is to do: `plan.json`."""

    schema: int = PLAN_SCHEMA
    hash: str
    """SHA-256 over what is asked of the service, hex: the run's identity."""

    formerly: list[str] = []
    """What its hash was before utterances were mended that could not be sent."""

    created_at: str
    """ISO 8601 UTC."""

    task: Task = "transcribe"
    service: str
    """`emulator`, `gemini` or `vertex`."""

    endpoint: str
    """URL without query; `emulator` for one that the run starts itself."""

    api_version: str | None = None
    """As asked for; None: the service's usual one, or what the setup needs."""

    models: list[str]
    setups: dict[str, dict[str, Any]]
    """Per model: the setup message as sent, without the model's resource name."""

    transcript: Channel = "input"
    interrupt_after_s: Seconds | None = None
    """How long after its beginning an answer is interrupted; None: it is not."""

    pace: float
    quiet_s: Seconds = 2.0
    """How long a session listens on after its turn was said to be over."""

    chunk_ms: Milliseconds
    turns: str
    repeats: int
    seed: int
    datasets: list[PlannedDataset]
    utterances: list[PlannedUtterance]
    command: str
    """How to do it again."""

    versions: dict[str, str]
    """Of Python, this program and the libraries that shape the results."""

    environment: dict[str, str]
    """Machine, cores, operating system."""

    notes: list[str] = []
    """What the reader should know: languages asked for that the datasets lack, …"""


Tokens: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
"""A session's: many more than a service can count in its messages' int32, and still exact in every table."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of a session: the sum over its usage records. None: the service did not say."""

    records: int = 0
    """How many usage records came; 0 as well when one of them cannot be, as `invariants` then says."""

    prompt_tokens: Tokens | None = None
    response_tokens: Tokens | None = None
    total_tokens: Tokens | None = None
    thoughts_tokens: Tokens | None = None
    """They may lie outside the total."""

    cached_tokens: Tokens | None = None
    """Those of the prompt that came from a cache."""

    tool_use_tokens: Tokens | None = None
    """What the service's own tools found and gave the model to read, beside the prompt."""

    prompt_by_modality: dict[str, Tokens] = {}
    response_by_modality: dict[str, Tokens] = {}
    cached_by_modality: dict[str, Tokens] = {}
    tool_use_by_modality: dict[str, Tokens] = {}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A function that the model called."""

    name: str
    args: dict[str, Any] = {}
    t: Seconds
    answered_t: Seconds | None = None
    """When our answer left; None: it never did."""

    cancelled: bool = False
    """True: the service took it back."""


class Interrupted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of our speaking over the answer; s from when we began."""

    began_t: Seconds
    """On the trace's clock."""

    told_s: Seconds | None = None
    """To the message that says so; None: it never came."""

    silent_s: Seconds = 0.0
    """To the last speech or text of that answer; 0: nothing more came."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What the model answered, beside the text; times in s from the zero of the trace."""

    first_reply_t: Seconds | None = None
    """First speech or text of the answer; None: there was none."""

    first_audio_t: Seconds | None = None
    """First speech; None: there was none."""

    last_reply_t: Seconds | None = None
    """Last speech or text of the answer; None: there was none."""

    speech_s: Seconds = 0.0
    """Length of the speech received."""

    calls: list[Call] = []
    thoughts: int = 0
    """Pieces of thought summaries; they are no part of the answer."""

    grounded: int = 0
    """Messages with grounding metadata of a search."""

    interrupted: Interrupted | None = None
    """None: we did not speak over it."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that broke off, and how the next one took its place."""

    offset: Samples
    """Where in the clip the next one began."""

    samples: Samples
    """Audio that was sent again."""

    known_by: KnownBy
    """How we knew where to begin: the service named the last message that it held (`index`), we went by what we had
    sent when its handle came (`position`), or a fresh session began with the turn (`turn`)."""

    why: str
    """How the connection broke off."""


class UtteranceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One finished attempt: a line of `journal.jsonl`. All but the first group is derived from its trace."""

    schema: int = RECORD_SCHEMA
    utterance: str
    dataset: str
    locale: str
    model: str
    repeat: int
    """1-based."""

    attempt: int
    """1-based."""

    final: bool
    """False: another attempt follows, and this one only counts as an attempt."""

    trace: str | None
    """Path of the trace in the run folder; None: nothing was ever sent."""

    outcome: Outcome
    failure: FailureKind | None = None
    reason: str | None = None
    """Why it failed or is not whole, in words; None when ok and nothing is wrong with its clip."""

    away: bool = False
    """True: somebody answered that the service is not there, so it was never asked for a session."""

    unsent: str | None = None
    """Fingerprint of the planned utterance, where it could not be sent as it was; None: it could, or nobody knows."""

    started_at: str
    """ISO 8601 UTC."""

    emulator: str | None = None
    """As in the trace's header: what a report's EMULATED label rests on."""

    endpoint: str | None = None
    """As in the trace's header; None: nothing was ever sent."""

    audio_samples: Samples | None = None
    """Length of the clip; None: it cannot be read, or the session never came to it."""

    audio_crc32: int | None = None
    """CRC-32 of the clip's samples, as in the trace's header; None as above."""

    hypothesis: str | None = None
    """Text on the plan's channel; None: the session gave none that could be judged."""

    first_text_t: Seconds | None = None
    """First text, s from the due time of the clip's first sample, less the clip's pauses at seams before it.

    None: no text, or not paced at real time."""

    final_text_t: Seconds | None = None
    """Last change of the text, s from the due time of the clip's first sample; None as above."""

    open_turn: bool = False
    """True: text came whose turn was never said to have ended, so its end may be missing."""

    behind_turn_s: Seconds | None = None
    """Longest pause after the end of the turn that more text ended; None: no text came then."""

    seams: int = 0
    """How often another connection went on with the clip."""

    seam_at: tuple[int, ...] = ()
    """How many characters of the hypothesis had come at each of them."""

    replays: tuple[Replayed, ...] = ()
    """Those of them where a connection had broken off, in order."""

    unbilled_samples: Samples = 0
    """Audio sent over connections that broke off before a bill for it came."""

    lost: Demand | None = None
    """What it was to take, if our process died before it could say what it took; None: it said, or never asked."""

    recovered: bool = False
    """True: our process died between the trace and this record, which was made of the trace later."""

    setup_s: Seconds | None = None
    """From the start of the connection to `setupComplete`, less the wait for the session's turn once connected."""

    send_lag_p50_ms: Milliseconds | None = None
    """Median of how late audio frames left, against their due times; None when not paced."""

    send_lag_p99_ms: Milliseconds | None = None
    send_lag_max_ms: Milliseconds | None = None
    late: bool = False
    """True: the p99 lag is over 20 ms, or our process stood still meanwhile, so its latencies are left out of tables."""

    usage: Usage = Usage()
    exchange: Exchange | None = None
    """What the model answered; None: the task is to transcribe, or nothing was ever sent."""

    speech_s: Seconds = 0.0
    """Speech received, where the task is to transcribe; `exchange` has that of other tasks."""

    wall_s: Seconds | None = None
    """From the start of the connection to its end, less that wait."""

    violations: tuple[str, ...] = ()
    """What the trace breaks of what must hold of every session (`harness.run.invariants`), in words."""
