"""Refusals in action: what the service would not take is refused with its code and words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.wire.live import catalogue, codec, rules
from harness.wire.live.credentials import authenticate
from harness.wire.live.endpoint import Route
from harness.wire.live.messages import Setup
from harness.wire.live.refusals import Refused
from harness.wire.live.server import AudioReceived, LiveServer

BETA = Route(platform="gemini", version="v1beta")
ALPHA = Route(platform="gemini", version="v1alpha")
TOKEN = Route(platform="gemini", version="v1alpha", constrained=True)
VERTEX = Route(platform="vertex", version="v1beta1")

HALF = "models/gemini-live-2.5-flash-preview"
NATIVE = "models/gemini-2.5-flash-native-audio-preview-09-2025"
TRANSCRIBE = "models/gemini-3.5-transcribe-live"
FLASH_31 = "models/gemini-3.1-flash-live-preview"
LIVE_38 = "models/gemini-3.8-live"


def setup(model: str = HALF, **fields: Any) -> dict[str, Any]:
    """Return a setup frame's JSON."""
    return {"setup": {"model": model, **fields}}


def schema(**fields: Any) -> dict[str, Any]:
    """Return a setup frame with a function whose parameters have this schema."""
    return setup(tools=[{"functionDeclarations": [{"name": "f", "parameters": fields}]}])


def detecting(**fields: Any) -> dict[str, Any]:
    """Return a setup frame with this detection of activity."""
    return setup(realtimeInputConfig={"automaticActivityDetection": fields})


PAYLOAD = "Invalid JSON payload received."
TYPES = "type.googleapis.com/google.ai.generativelanguage.v1beta."
DETECTION = "setup.realtime_input_config.automatic_activity_detection"


def said(*frames: Any, route: Route = BETA, era: catalogue.Era = "later") -> tuple[int, str] | None:
    """Return the close code and reason with which a server ends on these frames, or None when it goes on."""
    server = LiveServer(route, era)
    try:
        for frame in frames:
            server.receive(frame if isinstance(frame, (str, bytes)) else json.dumps(frame))
    except Refused as refused:
        return refused.code, refused.reason
    return None


INVALID = "Request contains an invalid argument."
SETUP_FIRST = "setup must be the first message and only the first"
AUDIO = {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": "AAE="}}}


def generation(**fields: Any) -> dict[str, Any]:
    """Return the generationConfig field of a setup."""
    return {"generationConfig": fields}


REFUSED = [
    # Order.
    ([{"realtimeInput": {"text": "x"}}], 1007, SETUP_FIRST),
    ([{"clientContent": {}}], 1007, SETUP_FIRST),
    ([{}], 1007, SETUP_FIRST),
    ([setup(), setup()], 1007, SETUP_FIRST),
    ([setup(), {}], 1007, INVALID),
    # JSON and names.
    (["{"], 1007, "Invalid JSON payload received. Unexpected end of string."),
    (["{]"], 1007, "Invalid JSON payload received. Unexpected token."),
    (["{} {}"], 1007, "Invalid JSON payload received. Unexpected token."),
    ([b"\xff"], 1007, "Invalid JSON payload received. Unexpected token."),
    ([b'{"setup": {"model": "\xff"}}'], 1007, f"{PAYLOAD} Encountered non UTF-8 code points."),
    (["\ud800"], 1007, f"{PAYLOAD} Encountered non UTF-8 code points."),
    (["1" + "0" * 5000], 1007, f"{PAYLOAD} Number exceeds the range of double."),
    *[
        ([frame], 1007, f'{PAYLOAD} Unknown name "": Root element must be a message.')
        for frame in ("null", "[]", "5", '"setup"', "true")
    ],
    # Values.
    (
        [setup(**generation(seed=99999999999))],
        1007,
        "Invalid value at 'setup.generation_config.seed' (TYPE_INT32), 99999999999",
    ),
    (
        [detecting(silenceDurationMs=99999999999)],
        1007,
        f"Invalid value at '{DETECTION}.silence_duration_ms' (TYPE_INT32), 99999999999"[:123],
    ),
    (
        [detecting(disabled="true")],
        1007,
        f"Invalid value at '{DETECTION}.disabled' (TYPE_BOOL), \"true\"",
    ),
    (
        [setup(generationConfig=True)],
        1007,
        f"Invalid value at 'setup.generation_config' ({TYPES}GenerationConfig), true"[:123],
    ),
    (
        [setup(tools=[None])],
        1007,
        f"Invalid value at 'setup.tools[0]' ({TYPES}Tool), null"[:123],
    ),
    (
        [setup(generationConfig=[])],
        1007,
        f"{PAYLOAD} Unknown name \"generation_config\" at 'setup': Proto field is not repeating, cannot start list."[
            :123
        ],
    ),
    (
        [{"setup": {"model": {"x": 1}}}],
        1007,
        "Invalid value at 'setup.model' (TYPE_STRING), Starting an object on a scalar field",
    ),
    (
        [setup(), {"realtimeInput": {"audioStreamEnd": "true"}}],
        1007,
        "Invalid value at 'realtime_input.audio_stream_end' (TYPE_BOOL), \"true\"",
    ),
    (
        [setup(), {"realtimeInput": {"text": 5}}],
        1007,
        "Invalid value at 'realtime_input.text' (TYPE_STRING), 5",
    ),
    (
        [setup(), {"toolResponse": {"functionResponses": [{"id": 7}]}}],
        1007,
        "Invalid value at 'tool_response.function_responses[0].id' (TYPE_STRING), 7",
    ),
    (
        [setup(), {"clientContent": {"turns": [{"parts": [{"text": "x", "inlineData": {}}]}]}}],
        1007,
        "Invalid value at 'client_content.turns[0].parts[0]' (oneof), oneof field 'data' is already set. Cannot set 'inline_data'",
    ),
    # Schemas and tools.
    (
        [schema(type="BANANA")],
        1007,
        "Invalid value at 'setup.tools[0].function_declarations[0].parameters.type' (type.googleapis.com",
    ),
    (
        [schema(properties={"a": {}, "b": {"type": "BANANA"}})],
        1007,
        "Invalid value at 'setup.tools[0].function_declarations[0].parameters.properties[1].value.type' (",
    ),
    (
        [schema(type="")],
        1007,
        "Invalid value at 'setup.tools[0].function_declarations[0].parameters",
    ),
    (
        [schema(properties={"a": {"minItems": "x"}})],
        1007,
        "Invalid value at 'setup.tools[0].function_declarations[0].parameters.properties[0].value.min_items' (TYPE_INT64), \"x\""[
            :123
        ],
    ),
    (
        [schema(items={"banana": 1})],
        1007,
        f"{PAYLOAD} Unknown name \"banana\" at 'setup.tools[0].function_declarations[0].parameters.items': Cannot find field."[
            :123
        ],
    ),
    (
        [schema(additionalProperties=False)],
        1007,
        f'{PAYLOAD} Unknown name "additionalProperties"',
    ),
    (
        [setup(tools=[{"googleSearch": {"banana": 1}}])],
        1007,
        f"{PAYLOAD} Unknown name \"banana\" at 'setup.tools[0].google_search': Cannot find field.",
    ),
    ([setup(tools=[{"googleSearch": {"excludeDomains": ["x"]}}])], 1007, f"{PAYLOAD} Unknown name"),
    # Numbers that mean nothing.
    ([setup(**generation(topK=-1))], 1007, INVALID),
    ([setup(contextWindowCompression={"triggerTokens": -1})], 1007, INVALID),
    ([setup(contextWindowCompression={"slidingWindow": {"targetTokens": "-1"}})], 1007, INVALID),
    (["[" * 5000], 1007, "Invalid JSON payload received. Message too deep."),
    (
        [setup(responseModalities=["TEXT"])],
        1007,
        "Invalid JSON payload received. Unknown name \"responseModalities\" at 'setup': Cannot find field.",
    ),
    (
        [setup(**generation(inputAudioTranscription={}))],
        1007,
        "Invalid JSON payload received. Unknown name \"inputAudioTranscription\" at 'setup.generation_config': Cannot find fie",
    ),
    (
        [setup(), {"hello": 1}],
        1007,
        'Invalid JSON payload received. Unknown name "hello": Cannot find field.',
    ),
    (
        [setup(tools=[{}, {"functionDeclarations": [{"nam": "f"}]}])],
        1007,
        "Invalid JSON payload received. Unknown name \"nam\" at 'setup.tools[1].function_declarations[0]': Cannot find field.",
    ),
    (
        [setup() | {"clientContent": {}}],
        1007,
        "Invalid value at '' (oneof), oneof field 'message_type' is already set. Cannot set 'client_content'",
    ),
    (
        [setup(**generation(topP="x"))],
        1007,
        "Invalid value at 'setup.generation_config.top_p' (TYPE_FLOAT), \"x\"",
    ),
    (
        [setup(realtimeInputConfig={"turnCoverage": "ALL"})],
        1007,
        "Invalid value at 'setup.realtime_input_config.turn_coverage' (type.googleapis.com/google.ai.generativelanguage.v1beta.R",
    ),
    (
        [setup(**generation(responseModalities=["SPEECH"]))],
        1007,
        "Invalid value at 'setup.generation_config.response_modalities' (",
    ),
    # Models.
    (
        [setup("models/nope")],
        1008,
        "models/nope is not found for API version v1beta, or is not supported for bidiGenerateContent. Call ListModels to see the li",
    ),
    ([setup("")], 1008, "models/ is not found"),
    (
        [setup("models/gemini-live-2.5-flash")],
        1008,
        "models/gemini-live-2.5-flash is not found for API version v1beta",
    ),
    (
        [setup("publishers/google/models/gemini-live-2.5-flash-preview")],
        1008,
        "models/publishers/google",
    ),
    # Modalities.
    ([setup(**generation(responseModalities=["TEXT", "AUDIO"]))], 1007, INVALID),
    ([setup(**generation(responseModalities=["IMAGE"]))], 1007, INVALID),
    (
        [setup(NATIVE, **generation(responseModalities=["TEXT"]))],
        1007,
        "Cannot extract voices from a non-audio request",
    ),
    (
        [setup(TRANSCRIBE, **generation(responseModalities=["AUDIO"]))],
        1007,
        "The requested combination of response modalities (AUDIO) is not supported",
    ),
    # Abilities.
    (
        [setup(**generation(thinkingConfig={"thinkingBudget": 0}))],
        1007,
        "thinking_config is not supported",
    ),
    (
        [setup(LIVE_38, **generation(thinkingConfig={"thinkingLevel": "LOW"}))],
        1007,
        "Thinking level is not supported for this model",
    ),
    (
        [setup(LIVE_38, **generation(thinkingConfig={"includeThoughts": True}))],
        1007,
        "thinking_config is not supported",
    ),
    ([setup(f"{LIVE_38}-extended-thinking")], 1007, "Thinking level must be specified"),
    (
        [
            setup(
                f"{LIVE_38}-extended-thinking",
                **generation(thinkingConfig={"thinkingLevel": "MINIMAL"}),
            )
        ],
        1007,
        "Thinking level is not supported",
    ),
    (
        [setup(NATIVE, proactivity={"proactiveAudio": True})],
        1007,
        'Invalid JSON payload received. Unknown name "proactivity" at',
    ),
    (
        [setup(NATIVE, **generation(enableAffectiveDialog=True))],
        1007,
        'Invalid JSON payload received. Unknown name "enableAffec',
    ),
    ([setup(**generation(translationConfig={"targetLanguageCode": "de"}))], 1007, INVALID),
    ([setup(inputAudioTranscription={"languageCodes": ["de"]})], 1007, INVALID),
    (
        [
            setup(
                FLASH_31,
                tools=[{"functionDeclarations": [{"name": "f", "behavior": "NON_BLOCKING"}]}],
            )
        ],
        1007,
        INVALID,
    ),
    (
        [
            setup(
                **generation(
                    speechConfig={"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Achird"}}}
                )
            )
        ],
        1007,
        "Requested voice api_name 'Achird' is not available for model models/gemini-live-2.5-flash-preview",
    ),
    (
        [setup(sessionResumption={"transparent": True})],
        1007,
        'Invalid JSON payload received. Unknown name "transparent" at',
    ),
    (
        [setup(explicitVadSignal=True)],
        1007,
        'Invalid JSON payload received. Unknown name "explicitVadSignal"',
    ),
    # Values.
    ([setup(**generation(temperature=2.5))], 1007, INVALID),
    ([setup(**generation(topP=-0.1))], 1007, INVALID),
    ([setup(**generation(maxOutputTokens=-1))], 1007, INVALID),
    ([setup(NATIVE, **generation(thinkingConfig={"thinkingBudget": -2}))], 1007, INVALID),
    (
        [
            setup(
                FLASH_31, **generation(thinkingConfig={"thinkingBudget": 9, "thinkingLevel": "LOW"})
            )
        ],
        1007,
        INVALID,
    ),
    (
        [setup(realtimeInputConfig={"automaticActivityDetection": {"prefixPaddingMs": -1}})],
        1007,
        INVALID,
    ),
    (
        [setup(realtimeInputConfig={"automaticActivityDetection": {"silenceDurationMs": -1}})],
        1007,
        INVALID,
    ),
    (
        [
            setup(
                systemInstruction={
                    "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAA="}}]
                }
            )
        ],
        1007,
        INVALID,
    ),
    (
        [setup(TRANSCRIBE, inputAudioTranscription={"mode": "SMART", "diarization": True})],
        1007,
        INVALID,
    ),
    (
        [setup(TRANSCRIBE, inputAudioTranscription={"customVocabulary": ["x"] * 1001})],
        1007,
        INVALID,
    ),
    ([setup(tools=[{"functionDeclarations": [{"description": "f"}]}])], 1007, INVALID),
    (
        [setup(**generation(speechConfig={"languageCode": "tlh"}))],
        1007,
        "Unsupported language code 'tlh' for model models/gemini-live-2.5-flash-preview",
    ),
    (
        [setup(NATIVE, **generation(speechConfig={"languageCode": "cmn-CN"}))],
        1007,
        "Unsupported language code 'cmn-CN' for model",
    ),
    # Input.
    (
        [setup(), {"realtimeInput": {"activityStart": {}}}],
        1007,
        "Explicit activity control is not supported when automatic activity detection is enabled.",
    ),
    ([setup(), {"realtime_input": {"activity_end": {}}}], 1007, "Explicit activity control"),
    (
        [
            setup(FLASH_31),
            {"realtimeInput": {"mediaChunks": [{"mimeType": "audio/pcm", "data": "AAA="}]}},
        ],
        1007,
        "realtime_input.media_chunks is deprecated. Use audio, video, or text instead.",
    ),
    (
        [setup(), {"realtimeInput": {"audio": {"mimeType": "audio/pcm", "data": "AAAA"}}}],
        1007,
        INVALID,
    ),
    (
        [setup(), {"realtimeInput": {"audio": {"mimeType": "audio/wav", "data": "AAA="}}}],
        1007,
        INVALID,
    ),
    (
        [setup(), {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=0", "data": "AAA="}}}],
        1007,
        INVALID,
    ),
    (
        [setup(), {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=٣", "data": "AAA="}}}],
        1007,
        INVALID,
    ),
    (
        [setup(), {"realtimeInput": {"audio": {"data": "@"}}}],
        1007,
        "Invalid value at 'realtime_input.audio.data' (TYPE_BYTES), Base64",
    ),
    ([setup(FLASH_31), {"clientContent": {"turnComplete": True}}], 1007, INVALID),
]


@pytest.mark.capability("setup: rules, checked before connecting", side="emulator")
@pytest.mark.capability("setup: close codes and reasons", side="emulator")
@pytest.mark.parametrize("frames, code, reason", REFUSED, ids=lambda value: str(value)[:60])
def test_refused_as_the_service_refuses(frames, code, reason):
    """Every broken rule ends the session with the service's code and the beginning of its words, within 123 bytes."""
    refused = said(*frames)
    assert refused is not None
    assert code == refused[0]
    assert refused[1].startswith(reason)
    assert len(refused[1].encode()) <= 123


@pytest.mark.parametrize(
    "frame",
    [
        setup(**{"\x1b[31m\n": 1}),
        setup("models/\x1b[31m\n"),
        setup(**generation(responseModalities=["\x1b[31m\n"])),
        setup(**generation(topP="\x1b[31m\n")),
        setup(
            **generation(
                speechConfig={"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "\x1b"}}}
            )
        ),
    ],
)
def test_a_reason_is_printable(frame):
    """Whatever a client names things, the reason that quotes it can be shown on a terminal."""
    refused = said(frame)
    assert refused is not None
    assert refused[1].isprintable()


TAKEN = [
    ([setup("gemini-live-2.5-flash-preview")], BETA),
    ([setup(**generation(responseModalities=["MODALITY_UNSPECIFIED"]))], BETA),
    (
        [
            setup(
                NATIVE,
                proactivity={"proactiveAudio": True},
                **generation(enableAffectiveDialog=True),
            )
        ],
        ALPHA,
    ),
    ([setup(NATIVE, **generation(thinkingConfig={"thinkingBudget": 0}))], BETA),
    ([setup(FLASH_31, **generation(thinkingConfig={"thinkingLevel": "LOW"}))], BETA),
    (
        [setup(TRANSCRIBE, inputAudioTranscription={"languageCodes": ["de"], "mode": "VERBATIM"})],
        BETA,
    ),
    (
        [
            setup(
                NATIVE,
                **generation(
                    speechConfig={"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "achird"}}}
                ),
            )
        ],
        BETA,
    ),
    ([setup("publishers/google/models/gemini-live-2.5-flash", explicitVadSignal=True)], VERTEX),
    (
        [
            setup(
                f"{LIVE_38}-extended-thinking",
                **generation(thinkingConfig={"thinkingLevel": "HIGH"}),
            )
        ],
        BETA,
    ),
    ([setup(**generation(speechConfig={"languageCode": "cmn-CN"}))], BETA),
    ([setup(NATIVE, **generation(speechConfig={"languageCode": "DE-de"}))], BETA),
    ([setup(LIVE_38, **generation(speechConfig={"languageCode": "ca-ES"}))], BETA),
    (
        [
            setup(
                "gemini-live-2.5-flash-native-audio",
                **generation(speechConfig={"languageCode": "ro-RO"}),
            )
        ],
        VERTEX,
    ),
    ([setup(contextWindowCompression={"triggerTokens": 100})], BETA),
    ([schema(type="OBJECT", properties={"a": {"type": "STRING", "maxLength": "5"}})], BETA),
    # As the function calling guide's requests write them.
    ([schema(type="object", properties={"a": {"type": "string", "enum": ["x"]}})], BETA),
    ([setup(tools=[{"googleSearch": {}}, {"codeExecution": {}}, {"urlContext": {}}])], BETA),
    ([setup(**generation(topK=40.0, seed="-5"))], BETA),
    ([setup("projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash")], VERTEX),
    ([setup(), AUDIO, {"realtimeInput": {"audioStreamEnd": True}}], BETA),
    (
        [
            setup(),
            {"realtimeInput": {"mediaChunks": [{"mimeType": "audio/pcm", "data": "AAA="}, {}]}},
        ],
        BETA,
    ),
    (
        [
            setup(FLASH_31, historyConfig={"initialHistoryInClientContent": True}),
            {"clientContent": {"turns": [{"parts": [{"text": "x"}]}]}},
        ],
        BETA,
    ),
]


@pytest.mark.capability("setup: every field, with its defaults", side="emulator")
@pytest.mark.capability("text: history seeding", side="emulator")
@pytest.mark.parametrize("frames, route", TAKEN, ids=lambda value: str(value)[:60])
def test_what_the_service_takes_is_taken(frames, route):
    """What the guides and the SDK send is not refused."""
    assert said(*frames, route=route) is None


@pytest.mark.capability("setup: rules, checked before connecting", side="emulator")
def test_vertex_refuses_in_its_own_words():
    """An unknown publisher model, TEXT on native audio, and a trigger out of range are Vertex AI's refusals."""
    native = "gemini-live-2.5-flash-native-audio"
    code, reason = said(setup("publishers/google/models/nope"), route=VERTEX)
    assert (1008, "Publisher Model `publishers/google/models/nope` was not found") == (
        code,
        reason[:61],
    )
    assert (1007, INVALID) == said(
        setup(native, **generation(responseModalities=["TEXT"])), route=VERTEX
    )
    compression = {"triggerTokens": "100", "slidingWindow": {}}
    assert (1007, INVALID) == said(
        setup(native, contextWindowCompression=compression), route=VERTEX
    )


LATER = [
    setup(TRANSCRIBE),
    setup(inputAudioTranscription={"languageCodes": ["de"]}),
    setup(historyConfig={"initialHistoryInClientContent": True}),
    setup(NATIVE, **generation(thinkingConfig={"thinkingLevel": "LOW"})),
    setup(realtimeInputConfig={"turnCoverage": "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO"}),
]


@pytest.mark.capability("later models: fields and eras", side="emulator")
@pytest.mark.parametrize("frame", LATER, ids=lambda value: str(value)[:90])
def test_the_guide_era_knows_nothing_later(frame):
    """With `era="guide"`, models, fields and values that came after the guides do not exist."""
    refused = said(frame, era="guide")
    assert refused is not None
    assert refused[1].startswith(
        ("models/", "Invalid JSON payload received. Unknown name", "Invalid value at")
    )


@pytest.mark.capability("audio in: 16 kHz sent, 4 to 192 kHz taken", side="emulator")
def test_audio_may_have_any_declared_rate():
    """The declared rate is passed on; without one it is the native 16 kHz; spelling does not matter."""
    for mime, rate in (
        ("audio/pcm", 16000),
        ("audio/pcm;rate=16000", 16000),
        ("audio/PCM; rate=44100", 44100),
        ("audio/L16;codec=pcm;rate=8000", 8000),
    ):
        server = LiveServer(BETA)
        server.receive(json.dumps(setup()))
        frame = {"realtimeInput": {"audio": {"mimeType": mime, "data": "AAE="}}}
        assert [AudioReceived(pcm=b"\0\1", rate=rate)] == server.receive(json.dumps(frame))


@given(st.binary() | st.text(st.characters(exclude_categories=())))
@settings(deadline=None)
def test_garbage_is_refused_and_nothing_else(frame):
    """Whatever arrives is understood or refused, before the setup and after it."""
    server = LiveServer(BETA)
    for _ in range(2):
        try:
            server.receive(frame)
        except Refused as refused:
            code = refused.code
        else:
            code = 1007
        assert 1007 == code
        server = LiveServer(BETA)
        server.receive(json.dumps(setup()))


OPEN, BAD = None, "API key not valid. Please pass a valid API key."
NOBODY = "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API c"
UNAUTHENTICATED = "Request had invalid authentication credentials."


@pytest.mark.capability("connection: API key in a header", side="emulator")
@pytest.mark.capability("connection: Vertex AI: express mode", side="emulator")
@pytest.mark.parametrize(
    "route, query, headers, said",
    [
        (BETA, "key=k", [], OPEN),
        (BETA, "", [("X-Goog-Api-Key", "k")], OPEN),
        (BETA, "", [("Authorization", "Bearer ya29")], OPEN),
        (BETA, "", [], NOBODY),
        (BETA, "key=", [("x-goog-api-key", "")], NOBODY),
        (BETA, "key=invalid", [], BAD),
        (BETA, "", [("x-goog-api-key", "invalid")], BAD),
        (BETA, "key=auth_tokens/t", [], BAD),
        (BETA, "access_token=auth_tokens/t", [], NOBODY),
        (BETA, "", [("authorization", "Token auth_tokens/t")], NOBODY),
        (TOKEN, "access_token=auth_tokens/t", [], OPEN),
        (
            TOKEN,
            "",
            [("authorization", "Token auth_tokens/t"), ("x-goog-api-key", "auth_tokens/t")],
            OPEN,
        ),
        (TOKEN, "", [("x-goog-api-key", "auth_tokens/t")], OPEN),
        (TOKEN, "key=k", [], BAD),
        (TOKEN, "access_token=auth_tokens/", [], BAD),
        (TOKEN, "access_token=auth_tokens/invalid", [], BAD),
        (TOKEN, "", [], NOBODY),
        (VERTEX, "", [("Authorization", "bearer ya29")], OPEN),
        (VERTEX, "", [("x-goog-api-key", "k")], OPEN),
        (VERTEX, "", [("Authorization", "Bearer invalid")], UNAUTHENTICATED),
        (VERTEX, "", [("Authorization", "Basic abc")], UNAUTHENTICATED),
        (VERTEX, "", [], UNAUTHENTICATED),
    ],
)
def test_the_door(route, query, headers, said):
    """Keys, tokens and bearers open what they should, and a bad one gets the platform's refusal."""
    refusal = authenticate(route, query, headers)
    if said is None:
        assert refusal is None
    else:
        assert refusal is not None
        assert refusal.reason.startswith(said)
        assert "auth" == refusal.kind
        assert refusal.at_upgrade is (route.platform == "vertex")


# ── Asked before anything is sent ────────────────────────────────────────────────────────────────────────────────────


def told(route: Route, model: str, **fields: Any) -> str:
    """Return what a client is told about a setup that it may not send."""
    with pytest.raises(UsageError) as caught:
        rules.require_taken(codec.message_from(fields, Setup), model, route)
    return str(caught.value)


@pytest.mark.capability("setup: rules, checked before connecting", side="parts")
@pytest.mark.parametrize(
    "route, model, fields, words",
    [
        (
            BETA,
            HALF,
            generation(responseModalities=["TEXT", "AUDIO"]),
            ("one modality, TEXT or AUDIO", "capabilities guide", "1007"),
        ),
        (
            BETA,
            NATIVE,
            generation(responseModalities=["TEXT"]),
            ("answers in AUDIO alone", "capabilities guide", "Cannot extract voices"),
        ),
        (
            VERTEX,
            "gemini-live-2.5-flash-native-audio",
            generation(responseModalities=["TEXT"]),
            ("answers in AUDIO alone",),
        ),
        (BETA, TRANSCRIBE, generation(responseModalities=["AUDIO"]), ("answers in TEXT alone",)),
        (
            VERTEX,
            HALF.removeprefix("models/"),
            {},
            ("is served by the Gemini Developer API alone", "1008"),
        ),
        (
            BETA,
            NATIVE,
            {"proactivity": {"proactiveAudio": True}},
            ("needs the API version v1alpha",),
        ),
        (BETA, HALF, {"explicitVadSignal": True}, ("exists on Vertex AI alone", "google-genai")),
        (
            VERTEX,
            "gemini-live-2.5-flash",
            {"tools": [{"fileSearch": {}}]},
            ("exists on the Gemini Developer API alone",),
        ),
        (ALPHA, HALF, generation(enableAffectiveDialog=True), ("has no affective dialogue",)),
        (
            BETA,
            HALF,
            generation(thinkingConfig={"thinkingBudget": 1}),
            ("takes no thinkingConfig",),
        ),
        (
            BETA,
            HALF,
            generation(
                speechConfig={"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Achird"}}}
            ),
            ("has the voices Puck, Charon", "not available"),
        ),
        (BETA, NATIVE, generation(speechConfig={"languageCode": "en-GB"}), ("speaks de-DE, ",)),
        (
            BETA,
            HALF,
            {"realtimeInputConfig": {"activityHandling": "NEVER"}},
            ("activityHandling is one of NO_INTERRUPTION, START_OF_ACTIVITY_INTERRUPTS",),
        ),
        (BETA, "models/unheard-of", generation(responseModalities=["TEXT", "AUDIO"]), ("one mod",)),
        (BETA, "models/unheard-of", generation(temperature=9), ("between 0 and 2", "proto")),
        (BETA, "models/unheard-of", {"hello": 1}, ("has no field hello",)),
        (
            BETA,
            HALF,
            generation(responseMimeType="application/json"),
            ("the Live API takes no generationConfig.responseMimeType", "invalid argument"),
        ),
        (
            BETA,
            "models/unheard-of",
            generation(stop_sequences=["x"]),
            ("the Live API takes no generationConfig.stopSequences",),
        ),
    ],
    ids=str,
)
def test_a_client_is_told_which_rule_it_breaks(route, model, fields, words):
    """What the service would refuse is an error before anything is sent: the rule, its source, the service's words."""
    message = told(route, model, **fields)
    assert "source: " in message
    assert "it closes with 100" in message
    assert all(word in message for word in words), message


def test_every_rule_has_a_source():
    """Each row of the tables says what it demands, as one clause, and where that comes from."""
    for rule in (*rules.EVERY_MODEL, *rules.ABILITIES):
        assert rule.source
        assert rule.says
        assert not rule.says.endswith(".")


@pytest.mark.capability("setup: rules, checked before connecting", side="parts")
@pytest.mark.capability("later models: fields and eras", side="parts")
def test_an_unknown_model_is_tried():
    """A model that the catalogue lacks may be asked for anything that some model can."""
    fields = {
        "proactivity": {"proactiveAudio": True},
        **generation(thinkingConfig={"thinkingLevel": "LOW"}, speechConfig={"languageCode": "tlh"}),
    }
    rules.require_taken(codec.message_from(fields, Setup), "brand-new", ALPHA)
