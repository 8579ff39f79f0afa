"""What a run's own client does of the Live API beyond its defaults: plans, sessions and records against the emulator."""

from __future__ import annotations

import msgspec
import pytest

from harness.audio.clip import AudioClip, MemoryPcm
from harness.cli import walk
from harness.cli.companion import started
from harness.clock import run_virtual
from harness.corpus.scenario import Expectation, OfferedFunction, Scenario
from harness.errors import RefusedError
from harness.run.folder import read_journal
from harness.session.config import endpoints, route
from harness.session.probes import probe
from harness.session.probes.connections import LOCATIONS, VERTEX_MODEL
from harness.session.probes.listening import SETTINGS
from harness.session.probes.pictures import grey_png
from harness.session.probes.setups import FULL
from harness.trace.file import read_trace
from harness.trace.hypothesis import hypothesis
from harness.wire.live import codec
from harness.wire.live.endpoint import GEMINI_VERSIONS
from harness.wire.live.messages import AudioTranscriptionConfig, Setup
from harness.wire.live.setups import asking_setup, speaking_setup, transcription_setup
from harness.wire.live.tokens import TokenRequest, mask_of
from tests.emulator.signals import burst, hush
from tests.integration.peer import SPEECH, Fault, Peer
from tests.integration.sittings import manifest
from tests.run.runs import plan, run, utterance

HALF, NATIVE, TRANSCRIBING, LATER = walk.EMULATED
HERE = "ws://127.0.0.1:1"


def written(words: str = probe.QUESTION, **brought):
    """Return a text that nobody spoke: to be asked, or to be read aloud."""
    one = msgspec.structs.replace(utterance(1), audio=None, duration_s=None, sha256=None)
    scenario = Scenario(**({"expect": Expectation(contains="morning")} | brought))
    return msgspec.structs.replace(one, reference=words, scenario=scenario)


def spoken(pcm: bytes = SPEECH):
    """Return a recording, which is `pcm` when it is loaded."""
    one = utterance(1, len(pcm) / 32_000)
    return msgspec.structs.replace(one, scenario=Scenario(expect=Expectation(contains="yes")))


def done(folder, task, what, *, model=HALF, setup=(), peer=None, pcm=SPEECH, at=None, **more):
    """Return the record of one session of a run, its trace, and who it was with.

    `setup` is laid over the task's own, as `--set` does; `at` gives the endpoint.
    """
    peer = peer or Peer()
    turns, transcript = more.setdefault("turns", "manual"), more.setdefault("transcript", "input")
    usual = {
        "transcribe": lambda: transcription_setup(model, turns=turns, transcript=transcript),
        "ask": lambda: asking_setup(model, turns=turns, transcript=transcript),
        "speak": lambda: speaking_setup(model),
    }[task]()
    fields = probe.merged(codec.to_json(usual), dict(setup))
    asked = codec.message_from(fields, Setup)
    where = route("emulator", None, [asked], {})
    at = at or endpoints("emulator", HERE, {}, version=where.version)
    named = msgspec.structs.replace(asked, model=at().model_name(model))

    async def scene():
        return await run(
            plan([what], models=(model,), task=task, **more),
            folder,
            peer,
            setups={model: named},
            endpoint=at,
            load=lambda _: AudioClip(pcm=MemoryPcm(pcm)),
        )

    run_virtual(scene())
    record = read_journal(folder)[-1]
    return record, read_trace(folder / record.trace), peer


def setup_of(peer) -> dict:
    """Return the setup that the last connection began with."""
    return peer.wires[-1].heard[0]["setup"]


# ── connection ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("connection: API key in a header", side="client")
def test_a_key_goes_in_a_header(tmp_path):
    """A session shows its key in a header and nowhere else; a run whose key is refused says so and ends."""
    at = endpoints("gemini", HERE, {"GEMINI_API_KEY": "a-good-key"})
    record, _, peer = done(tmp_path / "good", "transcribe", spoken(), at=at)
    assert ("ok", "a-good-key") == (record.outcome, peer.wires[0].headers["x-goog-api-key"])
    assert "a-good-key" not in peer.wires[0].url
    bad = endpoints("gemini", HERE, {"GEMINI_API_KEY": "invalid"})
    with pytest.raises(RefusedError, match="refuses the credentials"):
        done(tmp_path / "bad", "transcribe", spoken(), at=bad)


@pytest.mark.capability("connection: ephemeral tokens, locked setups", side="client")
def test_a_token_fills_in_what_it_locks(tmp_path):
    """A session that a token opens has the token's fields: here a transcript that its own setup does not ask for."""
    peer = Peer()
    fixed = Setup(input_audio_transcription=AudioTranscriptionConfig())
    mask = ",".join(mask_of(fixed))
    asked = TokenRequest(uses=1, bidi_generate_content_setup=fixed, field_mask=mask)
    environment = {"GEMINI_EPHEMERAL_TOKEN": peer.tokens.mint(codec.encode(asked))}
    at = endpoints("gemini", HERE, environment)
    without = {"inputAudioTranscription": None}
    record, _, _ = done(tmp_path, "transcribe", spoken(), setup=without, at=at, peer=peer)
    assert ("ok", False) == (record.outcome, "inputAudioTranscription" in setup_of(peer))
    assert record.hypothesis


@pytest.mark.capability("connection: Vertex AI: regional, global, multi-region", side="client")
@pytest.mark.capability("connection: Vertex AI: refreshed bearer tokens", side="client")
@pytest.mark.parametrize("location", LOCATIONS)
def test_vertex_is_asked_wherever_it_is(tmp_path, location):
    """On Vertex AI a model is named with its location, and the session opened with a bearer token."""
    environment = {
        "GOOGLE_CLOUD_PROJECT": "p",
        "GOOGLE_CLOUD_LOCATION": location,
        "CLOUDSDK_AUTH_ACCESS_TOKEN": "ya29.any",
    }
    at = endpoints("vertex", HERE, environment)
    record, _, peer = done(tmp_path, "transcribe", spoken(), model=VERTEX_MODEL, at=at)
    assert ("ok", "Bearer ya29.any") == (record.outcome, peer.wires[0].headers["Authorization"])
    assert f"projects/p/locations/{location}/" in setup_of(peer)["model"]


@pytest.mark.capability("connection: v1beta, v1alpha, v1", side="client")
@pytest.mark.parametrize("version", GEMINI_VERSIONS)
def test_a_version_is_in_the_address(tmp_path, version):
    """A session is opened under the API version that is asked for."""
    at = endpoints("emulator", HERE, {}, version=version)
    record, _, peer = done(tmp_path, "transcribe", spoken(), at=at)
    assert ("ok", True) == (record.outcome, f".{version}." in peer.wires[0].url)


@pytest.mark.wall
@pytest.mark.capability("connection: TLS", side="client")
def test_a_certificate_must_be_vouched_for(harness, tmp_path):
    """`harness run` streams over TLS where it trusts the certificate, and refuses to where nobody vouches for it."""
    pytest.importorskip("trustme")
    with started(tmp_path / "log", "--tls", "--ear", "scripted") as told:
        run = ("run", manifest(tmp_path, clips=1), "--url", told["tls_url"], "--pace", "0")
        trusted = harness(*run, env={"SSL_CERT_FILE": told["ca_file"]})
        strange = harness(*run)
    assert 0 == trusted.returncode, trusted.stderr
    assert 0 != strange.returncode
    assert "TLS: unable to get local issuer certificate" in strange.stdout + strange.stderr


# ── setup ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("setup: every field, with its defaults", side="client")
def test_a_session_asks_for_all_that_was_set(tmp_path):
    """Every field that was set goes out as it is, and the session is as good as any."""
    record, _, peer = done(
        tmp_path, "ask", written(), setup=FULL, transcript="reply", turns="manual"
    )
    sent, wanted = setup_of(peer), codec.to_json(codec.message_from(FULL, Setup))
    assert ("ok", "good morning.") == (record.outcome, record.hypothesis)
    assert wanted.pop("generationConfig").items() <= sent["generationConfig"].items()
    assert wanted.items() <= sent.items()


@pytest.mark.capability("setup: unknown fields are kept", side="client")
def test_what_nobody_knows_is_in_the_trace(tmp_path):
    """Fields that a service adds harm no session, and stand in its trace as they came."""
    peer = Peer(Fault(said=lambda message: message | {"strange": {"a": [1]}}))
    record, trace, _ = done(tmp_path, "transcribe", spoken(), peer=peer)
    came = [one.frame for one in trace.events if one.dir == "<"]
    assert ("ok", len(peer.wires[0].said)) == (record.outcome, len(came))
    assert all({"a": [1]} == frame["strange"] for frame in came)


# ── text, audio, pictures ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("text: realtime text", side="client")
def test_a_question_goes_as_realtime_text_where_turns_are_history(tmp_path):
    """A model that takes turns as history alone is asked in realtime text, and its answer is the hypothesis."""
    record, _, peer = done(tmp_path, "ask", written(), model=LATER, transcript="output")
    assert {"realtimeInput": {"text": probe.QUESTION}} in peer.wires[0].heard
    assert ("ok", "good morning.") == (record.outcome, record.hypothesis)


@pytest.mark.capability("audio in: sensitivities, padding, silence", side="client")
@pytest.mark.parametrize("name, yes, no", SETTINGS)
def test_the_detection_is_as_it_was_set(tmp_path, name, yes, no):
    """What was set of the detection decides whether speech is a turn, and when the turn is over."""
    pcm = SPEECH if name != "startOfSpeechSensitivity" else hush(0.9) + burst(0.08) + hush(0.9)
    ended = []
    for value in (yes, no):
        setup = {"realtimeInputConfig": {"automaticActivityDetection": {name: value}}}
        _, trace, peer = done(
            tmp_path / str(value),
            "ask",
            spoken(pcm),
            setup=setup,
            pcm=pcm,
            transcript="reply",
            turns="auto",
        )
        assert setup["realtimeInputConfig"] == setup_of(peer)["realtimeInputConfig"]
        ended.append(hypothesis(trace, "reply").final_text_t)
    early, late = ended
    assert early is not None
    assert late is None or early + 0.2 < late


@pytest.mark.capability("audio in: turn coverage", side="client")
def test_the_coverage_is_as_it_was_set(tmp_path):
    """With all input covered, the silence around speech is in the bill; with activity alone it is not."""
    pcm = hush(3.0) + SPEECH
    billed = []
    for coverage in ("TURN_INCLUDES_ONLY_ACTIVITY", "TURN_INCLUDES_ALL_INPUT"):
        setup = {"realtimeInputConfig": {"turnCoverage": coverage}}
        record, _, _ = done(
            tmp_path / coverage,
            "ask",
            spoken(pcm),
            setup=setup,
            pcm=pcm,
            transcript="reply",
            turns="auto",
        )
        billed.append(record.usage.prompt_by_modality["AUDIO"])
    assert billed[0] < billed[1]


@pytest.mark.capability("audio in: activity handling", side="client")
@pytest.mark.parametrize(
    "handling, cut", [("START_OF_ACTIVITY_INTERRUPTS", True), ("NO_INTERRUPTION", False)]
)
def test_an_interruption_is_handled_as_it_was_set(tmp_path, handling, cut):
    """Who is spoken over falls silent, or goes on to the end where that was asked for: the record says which."""
    manual = {"disabled": True}
    setup = {
        "realtimeInputConfig": {"automaticActivityDetection": manual, "activityHandling": handling}
    }
    record, _, _ = done(
        tmp_path,
        "ask",
        written(probe.COUNT),
        setup=setup,
        model=NATIVE,
        transcript="output",
        interrupt_after_s=1.0,
    )
    assert cut == (record.exchange.interrupted.told_s is not None)


@pytest.mark.capability("audio out: voices", side="client")
def test_a_text_is_spoken_by_the_voice_that_was_set(tmp_path):
    """Two voices are two recordings of the same text."""
    heard = set()
    for name in ("Puck", "Kore"):
        voice = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": name}}}
        folder = tmp_path / name
        record, _, _ = done(
            folder, "speak", written(), setup={"generationConfig": {"speechConfig": voice}}
        )
        assert "ok" == record.outcome
        heard |= {one.read_bytes() for one in (folder / "audio").iterdir()}
    assert 2 == len(heard)


@pytest.mark.capability("video in: media resolution", side="client")
def test_a_picture_costs_what_its_resolution_does(tmp_path):
    """A picture at low resolution is a shorter prompt."""
    picture = tmp_path / "grey.png"
    picture.write_bytes(grey_png())
    billed = []
    for name, setup in (
        ("low", {"generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW"}}),
        ("usual", {}),
    ):
        asks = written(probe.COLOUR, images=[str(picture)])
        record, _, _ = done(tmp_path / name, "ask", asks, setup=setup, transcript="reply")
        assert ("ok", "Grey.") == (record.outcome, record.hypothesis)
        billed.append(record.usage.prompt_tokens)
    assert billed[0] < billed[1]


# ── the model ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("native audio: affective dialogue", side="client")
def test_affective_dialogue_is_asked_for_where_it_is_taken(tmp_path):
    """A session that wants it goes to v1alpha, asks for it, and is answered; what it does no message tells."""
    setup = {"generationConfig": {"enableAffectiveDialog": True}}
    record, _, peer = done(
        tmp_path, "ask", written(), model=NATIVE, setup=setup, transcript="output"
    )
    assert (True, True) == (
        ".v1alpha." in peer.wires[0].url,
        setup_of(peer)["generationConfig"]["enableAffectiveDialog"],
    )
    assert ("ok", "good morning.") == (record.outcome, record.hypothesis)


@pytest.mark.capability("tools: blocking and not", side="client")
@pytest.mark.parametrize("behavior, blocks", [("BLOCKING", True), ("NON_BLOCKING", False)])
def test_a_function_blocks_or_does_not(tmp_path, behavior, blocks):
    """The turn that calls ends before a function that does not block has answered, and after one that does."""
    tool = OfferedFunction(
        name="get_temperature", behavior=behavior, response={"celsius": 11}, after_s=3.0
    )
    asks = written(probe.TEMPERATURE, tools=[tool], expect=Expectation(contains="11"))
    record, trace, _ = done(tmp_path, "ask", asks, transcript="reply")
    assert ("ok", "It is 11 degrees.") == (record.outcome, record.hypothesis)
    answered = next(one.t for one in trace.events if "toolResponse" in one.frame)
    over = next(
        one.t for one in trace.events if one.frame.get("serverContent", {}).get("turnComplete")
    )
    assert blocks == (answered < over)


@pytest.mark.capability("usage: per modality, turn and session", side="client")
def test_a_sessions_bills_are_summed_by_modality(tmp_path):
    """Each turn's bill is in the record: of a function that does not block there are two, and modalities add up."""
    tool = OfferedFunction(
        name="get_temperature", behavior="NON_BLOCKING", response={"celsius": 11}, after_s=3.0
    )
    asks = written(probe.TEMPERATURE, tools=[tool], expect=Expectation(contains="11"))
    record, trace, _ = done(tmp_path / "two", "ask", asks, transcript="reply")
    bills = [one.frame["usageMetadata"] for one in trace.events if "usageMetadata" in one.frame]
    assert 2 == len(bills) == record.usage.records
    assert sum(one["promptTokenCount"] for one in bills) == record.usage.prompt_tokens
    assert {"TEXT": record.usage.prompt_tokens} == record.usage.prompt_by_modality
    heard, _, _ = done(tmp_path / "one", "transcribe", spoken())
    assert {"AUDIO", "TEXT"} == heard.usage.prompt_by_modality.keys()
    assert sum(heard.usage.prompt_by_modality.values()) == heard.usage.prompt_tokens


@pytest.mark.capability("later models: language hints, vocabulary, verbatim mode", side="client")
def test_a_transcription_models_hints_are_sent(tmp_path):
    """What was set of the transcription goes out beside the verbatim mode that a run asks for by itself."""
    hints = {"languageCodes": ["en-US"], "customVocabulary": ["Gdynia"]}
    usual = transcription_setup(TRANSCRIBING, turns="manual", transcript="input")
    assert "VERBATIM" == usual.input_audio_transcription.mode
    setup = {"inputAudioTranscription": hints | {"mode": "VERBATIM"}}
    record, _, peer = done(tmp_path, "transcribe", spoken(), model=TRANSCRIBING, setup=setup)
    assert setup["inputAudioTranscription"] == setup_of(peer)["inputAudioTranscription"]
    assert "ok" == record.outcome
    assert record.hypothesis
