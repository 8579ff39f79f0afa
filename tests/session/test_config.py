"""Whose credentials, and where they go: the environment alone decides."""

from __future__ import annotations

import sys
import types

import pytest

from harness.errors import RefusedError, UsageError
from harness.secret import Secret
from harness.session import config
from harness.wire.live.endpoint import Route
from harness.wire.live.messages import GenerationConfig, ProactivityConfig, Setup

GEMINI = "wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage."
VERTEX = "/ws/google.cloud.aiplatform."


def opened(service, environment, **options):
    """Return URL and headers, secrets shown, of a session."""
    endpoint = config.endpoints(service, options.pop("url", None), environment, **options)()
    shown = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in endpoint.headers
    }
    return endpoint.url, shown


@pytest.mark.capability("connection: API key in a header", side="parts")
@pytest.mark.capability("connection: Vertex AI: express mode", side="parts")
@pytest.mark.capability("connection: v1beta, v1alpha, v1", side="parts")
@pytest.mark.parametrize(
    "service, environment, version, url, header",
    [
        (
            "gemini",
            {"GEMINI_API_KEY": "k", "GOOGLE_API_KEY": "other"},
            None,
            f"{GEMINI}v1beta.GenerativeService.BidiGenerateContent",
            ("x-goog-api-key", "k"),
        ),
        (
            "gemini",
            {"GOOGLE_API_KEY": "k"},
            "v1",
            f"{GEMINI}v1.GenerativeService.BidiGenerateContent",
            ("x-goog-api-key", "k"),
        ),
        (
            "gemini",
            {"GEMINI_EPHEMERAL_TOKEN": "auth_tokens/t", "GEMINI_API_KEY": "k"},
            None,
            f"{GEMINI}v1alpha.GenerativeService.BidiGenerateContentConstrained",
            ("Authorization", "Token auth_tokens/t"),
        ),
        (
            "gemini",
            {"GEMINI_EPHEMERAL_TOKEN": "auth_tokens/t"},
            "v1beta",
            f"{GEMINI}v1beta.GenerativeService.BidiGenerateContentConstrained",
            ("Authorization", "Token auth_tokens/t"),
        ),
        (
            "vertex",
            {"GOOGLE_API_KEY": "k"},
            None,
            f"wss://aiplatform.googleapis.com{VERTEX}v1beta1.LlmBidiService/BidiGenerateContent",
            ("x-goog-api-key", "k"),
        ),
        (
            "vertex",
            {"GOOGLE_CLOUD_PROJECT": "p", "CLOUDSDK_AUTH_ACCESS_TOKEN": "ya29"},
            "v1",
            f"wss://us-central1-aiplatform.googleapis.com{VERTEX}v1.LlmBidiService/BidiGenerateContent",
            ("Authorization", "Bearer ya29"),
        ),
    ],
)
def test_the_environment_decides(service, environment, version, url, header):
    """Key, ephemeral token, express mode and access token each go to their own method in their own header."""
    found, headers = opened(service, environment, version=version)
    assert url == found
    assert header[1] == headers[header[0]]


@pytest.fixture
def google(monkeypatch):
    """Put credentials in the place of google-auth's; return them."""
    pytest.importorskip("google.auth")

    class Credentials:
        valid = False
        quota_project_id = "billed"
        token = None
        refreshed = 0
        broken: Exception | None = None

        def refresh(self, request):
            if self.broken is not None:
                raise self.broken
            self.refreshed += 1
            self.token, self.valid = f"ya29.{self.refreshed}", True

    credentials = Credentials()
    asked = []

    def default(scopes):
        asked.extend(scopes)
        return credentials, "default-project"

    monkeypatch.setattr("google.auth.default", default)
    yield credentials
    assert ["https://www.googleapis.com/auth/cloud-platform"] == asked


PROJECT = {"GOOGLE_CLOUD_PROJECT": "p"}


@pytest.mark.capability("connection: Vertex AI: regional, global, multi-region", side="parts")
@pytest.mark.capability("connection: Vertex AI: refreshed bearer tokens", side="parts")
@pytest.mark.parametrize(
    "location, host",
    [
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
    ],
)
def test_each_session_has_a_token_that_is_good(google, location, host):
    """A bearer token of the application-default credentials is refreshed when it has run out, and only then."""
    give = config.endpoints("vertex", None, PROJECT | {"GOOGLE_CLOUD_LOCATION": location})
    tokens = []
    for still_good in (True, False, True):
        headers = dict(give().headers)
        tokens.append(headers["Authorization"].reveal())
        google.valid = still_good
    assert ["Bearer ya29.1", "Bearer ya29.1", "Bearer ya29.2"] == tokens
    assert "billed" == headers["x-goog-user-project"]
    endpoint = give()
    assert host == endpoint.host
    assert f"projects/p/locations/{location}/publishers/google/models/m" == endpoint.model_name("m")


@pytest.mark.capability("connection: Vertex AI: refreshed bearer tokens", side="parts")
def test_credentials_that_cannot_be_refreshed_are_refused(google):
    """A failed refresh is exit 4 with a hint, and shows neither token nor the library's words."""
    from google.auth.exceptions import RefreshError

    google.broken = RefreshError("secret-detail")
    with pytest.raises(RefusedError, match="cannot be refreshed") as caught:
        config.endpoints("vertex", None, PROJECT)
    assert "secret-detail" not in str(caught.value)


def test_what_is_lacking_is_told_without_asking_anybody(monkeypatch):
    """The lack is the error that a run would end with; credentials that must be fetched are not fetched for it."""
    assert config.lacking("emulator", {}) is None
    assert "GEMINI_API_KEY" in str(config.lacking("gemini", {}))
    assert config.lacking("gemini", {"GOOGLE_API_KEY": "k"}) is None
    assert "GOOGLE_CLOUD_PROJECT" in str(config.lacking("vertex", {}))
    assert config.lacking("vertex", {"GOOGLE_API_KEY": "k"}) is None
    project = {"GOOGLE_CLOUD_PROJECT": "p"}
    monkeypatch.setattr("harness.session.config._application_default", None)
    monkeypatch.setitem(sys.modules, "google.auth", types.ModuleType("google.auth"))
    monkeypatch.setitem(sys.modules, "google.auth.transport.requests", None)
    assert "google-auth" in str(config.lacking("vertex", project))
    assert config.lacking("vertex", project | {"CLOUDSDK_AUTH_ACCESS_TOKEN": "t"}) is None


def test_without_google_auth_the_extra_is_named(monkeypatch):
    """Vertex AI without google-auth names the extra to install."""
    monkeypatch.setitem(sys.modules, "google.auth", types.ModuleType("google.auth"))
    monkeypatch.setitem(sys.modules, "google.auth.exceptions", None)
    with pytest.raises(RefusedError, match="google-auth") as caught:
        config.endpoints("vertex", None, PROJECT)
    assert "live-harness[vertex]" in str(caught.value)


@pytest.mark.parametrize(
    "service, environment, words",
    [("gemini", {}, "GEMINI_API_KEY"), ("vertex", {}, "GOOGLE_CLOUD_PROJECT")],
)
def test_missing_credentials_name_where_they_come_from(service, environment, words):
    """Without credentials the error says which variables were looked at."""
    with pytest.raises(RefusedError) as caught:
        config.endpoints(service, None, environment)
    assert words in str(caught.value)


@pytest.mark.capability("connection: another URL", side="parts")
@pytest.mark.parametrize(
    "service, url, version, words",
    [
        ("gemini", "ws://proxy.example", None, "not encrypted"),
        ("gemini", "wss://proxy.example/?key=s", None, "takes no query"),
        ("gemini", "wss://proxy.example/#k=s", None, "takes no fragment"),
        ("emulator", "ws://127.0.0.1:1/#k=s", None, "takes no fragment"),
        ("gemini", None, "v2", "has no version 'v2'"),
        ("vertex", None, "v1beta", "Vertex AI has no version 'v1beta'"),
        ("emulator", None, "v1beta1", "has no version"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(service, url, version, words):
    """A plain-text proxy, a key in a URL, and a version that the platform lacks are exit 2."""
    with pytest.raises(UsageError, match=words.replace("?", r"\?")):
        config.endpoints(
            service, url, {"GEMINI_API_KEY": "k", "GOOGLE_API_KEY": "k"}, version=version
        )


@pytest.mark.capability("connection: v1beta, v1alpha, v1", side="parts")
@pytest.mark.parametrize(
    "service, version, setup, environment, expected",
    [
        ("gemini", None, Setup(), {}, ("gemini", "v1beta")),
        ("emulator", None, Setup(), {}, ("gemini", "v1beta")),
        ("vertex", None, Setup(), {}, ("vertex", "v1beta1")),
        ("vertex", "v1", Setup(proactivity=ProactivityConfig()), {}, ("vertex", "v1")),
        ("gemini", None, Setup(proactivity=ProactivityConfig()), {}, ("gemini", "v1alpha")),
        (
            "emulator",
            None,
            Setup(generation_config=GenerationConfig(enable_affective_dialog=True)),
            {},
            ("gemini", "v1alpha"),
        ),
        ("gemini", "v1", Setup(proactivity=ProactivityConfig()), {}, ("gemini", "v1")),
        (
            "gemini",
            None,
            Setup(),
            {"GEMINI_EPHEMERAL_TOKEN": "auth_tokens/t"},
            ("gemini", "v1alpha"),
        ),
    ],
)
def test_the_version_is_what_the_setup_needs(service, version, setup, environment, expected):
    """v1alpha is asked for where the setup or an ephemeral token needs it, unless another version is."""
    platform, named = expected
    assert Route(platform=platform, version=named) == config.route(
        service, version, [setup], environment
    )
