"""Refusals: what the service says when it ends a session, and what that means for a second try."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.wire.live.refusals import (
    REASON_BYTES,
    REFUSALS,
    FailureKind,
    Refused,
    classify_close,
    classify_error,
    classify_upgrade,
    close_reason,
)


@pytest.mark.capability("setup: close codes and reasons", side="emulator")
@given(st.text(st.characters(exclude_categories=()), max_size=200))
@settings(deadline=None)
def test_a_close_reason_fits_its_frame(text):
    """A reason is at most 123 bytes of UTF-8, is how the text begins, and one more character would not fit."""
    whole = text.encode(errors="replace").decode()
    cut = close_reason(text)
    assert len(cut.encode()) <= 123
    assert whole.startswith(cut)
    following = whole[len(cut) : len(cut) + 1]
    assert not following or len((cut + following).encode()) > 123


def test_a_long_reason_fills_its_frame():
    """What is longer is cut at 123 bytes, as it is seen cut in public logs."""
    assert "x" * 123 == close_reason("x" * 200)


SEEN = [
    (1000, "", "transient"),
    (1006, "", "transient"),
    (1007, "Request contains an invalid argument.", "config"),
    (1007, "Cannot extract voices from a non-audio request", "config"),
    (
        1007,
        "Invalid JSON payload received. Unknown name \"x\" at 'setup': Cannot find field.",
        "config",
    ),
    (1007, "API key not valid. Please pass a valid API key.", "auth"),
    (1007, "Explicit activity control is not supported when automatic", "config"),
    (1007, "setup must be the first message and only the first", "config"),
    (1007, "Invalid session handle", "stale_handle"),
    (1007, "Precondition check failed.", "stale_handle"),
    (1007, "The requested combination of response modalities (AUDIO) is not supported", "config"),
    (1007, "something never seen", "config"),
    (
        1008,
        "models/X is not found for API version v1beta, or is not supported for bidiGenerateContent. Call ListMode",
        "model_not_found",
    ),
    (1008, "Publisher Model `projects/p/locations/l/x` was not found", "model_not_found"),
    (1008, "Operation is not implemented, or supported, or enabled.", "transient"),
    (1008, "BidiGenerateContent session not found", "stale_handle"),
    (1008, "Requested entity was not found.", "stale_handle"),
    (
        1008,
        "Connection aborted because the client failed to close the connection after receiving a GoAway signal once the session durat",
        "duration",
    ),
    (1008, "The operation was aborted", "transient"),
    (
        1008,
        "Method doesn't allow unregistered callers (callers without established identity).",
        "auth",
    ),
    (
        1008,
        "Generative Language API has not been used in project 123 before or it is disabled.",
        "auth",
    ),
    (1008, "", "config"),
    (1009, "", "client"),
    (
        1011,
        "You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: h",
        "quota",
    ),
    (1011, "RESOURCE_EXHAUSTED: quota", "quota"),
    (1011, "Deadline expired before operation could complete.", "duration"),
    (1011, "RPC::DEADLINE_EXCEEDED", "duration"),
    (1011, "The service is currently unavailable.", "transient"),
    (1011, "Internal error encountered.", "transient"),
    (1011, "OVERLOADED_TOO_MANY_RETRIES_PER_REQUEST", "transient"),
    (1011, "keepalive ping timeout", "transient"),
    (1011, "", "transient"),
    (1012, "", "transient"),
    (4242, "", "transient"),
]


@pytest.mark.capability("setup: close codes and reasons", side="parts")
@pytest.mark.parametrize("code, reason, kind", SEEN)
def test_what_was_seen_is_understood(code, reason, kind):
    """Every close published with its reason is classified as what it turned out to be."""
    assert kind == classify_close(code, reason)


@pytest.mark.parametrize(
    "status, kind",
    [
        (400, "config"),
        (401, "auth"),
        (403, "auth"),
        (404, "config"),
        (429, "quota"),
        (500, "transient"),
        (503, "transient"),
        (302, "config"),
        (200, "transient"),
    ],
)
def test_upgrades_are_understood(status, kind):
    """A refused upgrade is classified by its HTTP status."""
    assert kind == classify_upgrade(status)


@pytest.mark.capability("setup: close codes and reasons", side="parts")
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: one.name)
def test_what_we_say_we_understand(refusal):
    """The emulator's words, filled in and cut, are classified by the client as the kind the table gives."""
    values = dict.fromkeys(
        (
            "name",
            "where",
            "problem",
            "model",
            "version",
            "voice",
            "language",
            "modalities",
            "project",
        ),
        "x" * 90,
    )
    refused = Refused(refusal, refusal.text(**values))
    assert len(refused.reason.encode()) <= REASON_BYTES
    if refusal.at_upgrade:
        assert refusal.kind == classify_upgrade(refusal.code)
    else:
        assert refusal.kind == classify_close(refused.code, refused.reason)


def test_the_table_is_sound():
    """Names are unique, kinds are known, every row has a source, codes are HTTP statuses or WebSocket close codes."""
    assert len(REFUSALS) == len({one.name for one in REFUSALS}) > 30
    kinds = set(get_args(FailureKind))
    assert kinds >= {one.kind for one in REFUSALS}
    assert all(one.source for one in REFUSALS)
    assert all(400 <= one.code < 600 or 1000 <= one.code < 1015 for one in REFUSALS)


@given(st.integers(0, 5000), st.text())
@settings(deadline=None)
def test_everything_has_a_kind(code, reason):
    """Whatever a peer closes with, there is a kind for it."""
    assert classify_close(code, reason) in get_args(FailureKind)
    assert classify_upgrade(code) in get_args(FailureKind)


VARIES = (
    "name",
    "where",
    "problem",
    "voice",
    "language",
    "model",
    "modalities",
    "version",
    "project",
)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: f"{one.name}-{one.code}")
def test_an_error_message_means_what_a_close_means(refusal):
    """Told in a message, a refusal is of the same kind as told by its close, whose words are the message's beginning."""
    refused = Refused(refusal, refusal.text(**dict.fromkeys(VARIES, "x")))
    assert classify_error(refused.error) == (refusal.kind if refusal.reason else "config")
    assert refused.error["message"].startswith(refused.reason)
    bare = {"code": refused.error["code"]}
    assert classify_error(bare) == classify_upgrade(refused.error["code"])


@pytest.mark.parametrize("error", [{}, {"code": "x"}, {"message": 7}, {"code": 7, "message": ""}])
def test_an_error_message_that_tells_nothing_is_transient(error):
    """Nothing is known of it, so another attempt may do better."""
    assert "transient" == classify_error(error)
