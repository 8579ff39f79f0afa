"""Ephemeral tokens: what a lock does to a setup."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire.live import codec
from harness.wire.live.messages import GenerationConfig, Setup
from harness.wire.live.tokens import TokenRequest, locked, mask_of, unmasked
from tests.wire.test_codec import few, messages

pytestmark = pytest.mark.capability(
    "connection: ephemeral tokens, locked setups", side="parts and emulator"
)


def setup(**fields) -> Setup:
    """Return a setup from its JSON."""
    return codec.message_from(fields, Setup)


ASKED = setup(
    model="models/a",
    generationConfig={"temperature": 1.0, "topP": 0.5},
    inputAudioTranscription={},
)
FIXED = {"model": "models/b", "generationConfig": {"temperature": 0.0}}


@given(messages(Setup, unknown=False))
@few
def test_a_token_without_a_setup_locks_nothing(asked):
    """A connection's own setup is used when the token has none."""
    assert asked == locked(asked, TokenRequest(uses=3))


@given(messages(Setup, unknown=False))
@few
def test_a_whole_lock_leaves_nothing_of_the_client(fixed):
    """Without a mask the token's setup takes the place of the connection's, whatever that is."""
    assert fixed == locked(ASKED, TokenRequest(bidi_generate_content_setup=fixed))


@given(messages(Setup, unknown=False), st.booleans())
@few
def test_a_mask_of_all_that_is_set_holds_it(fixed, other):
    """Masked by all it sets, every field of the token's setup is the session's, and the request is complete."""
    request = TokenRequest(
        bidi_generate_content_setup=fixed, field_mask=",".join([*mask_of(fixed), "model"])
    )
    assert unmasked(request) is None
    result = codec.to_json(locked(ASKED if other else Setup(), request))
    for name, value in codec.to_json(fixed).items():
        if isinstance(value, dict):
            assert value.items() <= result[name].items()
        else:
            assert value == result[name]


@pytest.mark.parametrize(
    "mask, expected",
    [
        (
            "model,generationConfig.temperature",
            {"model": "models/b", "generationConfig": {"temperature": 0.0, "topP": 0.5}},
        ),
        (
            "model, generation_config",
            {"model": "models/b", "generationConfig": {"temperature": 0.0}},
        ),
        (
            "model,generationConfig.temperature,generationConfig.topP",
            {"model": "models/b", "generationConfig": {"temperature": 0.0}},
        ),
        (
            "model,generationConfig.temperature,inputAudioTranscription,tools,speech.rate",
            {"model": "models/b", "generationConfig": {"temperature": 0.0, "topP": 0.5}},
        ),
    ],
)
def test_only_masked_fields_are_overwritten(mask, expected):
    """What the mask names takes the token's value, or goes when the token sets none; the rest is the connection's."""
    result = locked(
        ASKED, TokenRequest(bidi_generate_content_setup=setup(**FIXED), field_mask=mask)
    )
    if "inputAudioTranscription" not in mask:
        expected = expected | {"inputAudioTranscription": {}}
    assert expected == codec.to_json(result)


def test_a_handle_is_always_the_connections():
    """A session opened by a locked token can be resumed: the handle is the one part of the setup that is not locked."""
    asked = setup(sessionResumption={"handle": "h"})
    request = TokenRequest(bidi_generate_content_setup=setup(**FIXED))
    assert {**FIXED, "sessionResumption": {"handle": "h"}} == codec.to_json(locked(asked, request))


def test_a_setup_beyond_its_mask_is_named():
    """A request that sets what its mask does not lock is found, with the first such path."""
    fixed = Setup(model="models/a", generation_config=GenerationConfig(temperature=0.0))
    request = TokenRequest(bidi_generate_content_setup=fixed, field_mask="model")
    assert "generationConfig.temperature" == unmasked(request)
    assert unmasked(TokenRequest(bidi_generate_content_setup=fixed)) is None
