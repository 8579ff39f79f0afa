"""Endpoints: where each platform is, as its guides and its SDK have it."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.secret import Secret
from harness.wire.live import endpoint
from harness.wire.live.endpoint import Route, route

KEY = Secret("k-123")
GEMINI = "google.ai.generativelanguage"
VERTEX = "google.cloud.aiplatform"


def revealed(one):
    """Return an endpoint's headers with their secrets shown."""
    return {
        name: value.reveal() if isinstance(value, Secret) else value for name, value in one.headers
    }


URLS = [
    (
        endpoint.gemini(KEY),
        f"wss://generativelanguage.googleapis.com/ws/{GEMINI}.v1beta.GenerativeService.BidiGenerateContent",
        {"x-goog-api-key": "k-123"},
        "models/m",
    ),
    (
        endpoint.gemini(KEY, version="v1alpha"),
        f"wss://generativelanguage.googleapis.com/ws/{GEMINI}.v1alpha.GenerativeService.BidiGenerateContent",
        {"x-goog-api-key": "k-123"},
        "models/m",
    ),
    (
        endpoint.gemini_token(Secret("auth_tokens/t")),
        f"wss://generativelanguage.googleapis.com/ws/{GEMINI}.v1alpha.GenerativeService.BidiGenerateContentConstrained",
        {"Authorization": "Token auth_tokens/t"},
        "models/m",
    ),
    (
        endpoint.vertex(Secret("ya29"), project="p", location="europe-west4"),
        f"wss://europe-west4-aiplatform.googleapis.com/ws/{VERTEX}.v1beta1.LlmBidiService/BidiGenerateContent",
        {"Authorization": "Bearer ya29", "Content-Type": "application/json"},
        "projects/p/locations/europe-west4/publishers/google/models/m",
    ),
    (
        endpoint.vertex(
            Secret("ya29"), project="p", location="global", version="v1", quota_project="q"
        ),
        f"wss://aiplatform.googleapis.com/ws/{VERTEX}.v1.LlmBidiService/BidiGenerateContent",
        {
            "Authorization": "Bearer ya29",
            "Content-Type": "application/json",
            "x-goog-user-project": "q",
        },
        "projects/p/locations/global/publishers/google/models/m",
    ),
    (
        endpoint.vertex(Secret("ya29"), project="p", location="eu"),
        f"wss://aiplatform.eu.rep.googleapis.com/ws/{VERTEX}.v1beta1.LlmBidiService/BidiGenerateContent",
        {"Authorization": "Bearer ya29", "Content-Type": "application/json"},
        "projects/p/locations/eu/publishers/google/models/m",
    ),
    (
        endpoint.express(KEY),
        f"wss://aiplatform.googleapis.com/ws/{VERTEX}.v1beta1.LlmBidiService/BidiGenerateContent",
        {"x-goog-api-key": "k-123"},
        "publishers/google/models/m",
    ),
]


@pytest.mark.capability("connection: API key in a header", side="parts")
@pytest.mark.capability("connection: Vertex AI: regional, global, multi-region", side="parts")
@pytest.mark.capability("connection: Vertex AI: express mode", side="parts")
@pytest.mark.parametrize("one, url, headers, model", URLS)
def test_every_platform_has_its_place(one, url, headers, model):
    """URL, headers and model name are each platform's own, and the secret is seen nowhere."""
    assert url == one.url == one.printable
    assert headers == revealed(one)
    assert model == one.model_name("m")
    assert "a/b" == one.model_name("a/b")
    assert (True, 443) == (one.secure, one.port)
    assert "k-123" not in repr(one)
    assert "ya29" not in repr(one)


PATH = f"/ws/{GEMINI}.v1beta.GenerativeService.BidiGenerateContent"


@pytest.mark.capability("connection: another URL", side="parts")
@pytest.mark.parametrize(
    "given, url, host, port",
    [
        ("ws://127.0.0.1:8080", f"ws://127.0.0.1:8080{PATH}", "127.0.0.1", 8080),
        ("ws://127.0.0.1:8080/", f"ws://127.0.0.1:8080{PATH}", "127.0.0.1", 8080),
        ("http://localhost:1", f"ws://localhost:1{PATH}", "localhost", 1),
        (
            "https://proxy.example/live//v2/",
            f"wss://proxy.example/live/v2{PATH}",
            "proxy.example",
            443,
        ),
        ("ws://[::1]", f"ws://[::1]{PATH}", "::1", 80),
        (f"wss://h/x/{PATH}", f"wss://h/x{PATH}", "h", 443),
        (f"ws://h{PATH}Constrained?a=b", f"ws://h{PATH}Constrained?a=b", "h", 80),
        ("ws://h?key=s3cret", f"ws://h{PATH}?key=s3cret", "h", 80),
    ],
)
def test_another_url_is_spoken_to_in_the_same_manner(given, url, host, port):
    """`--url` replaces scheme, host and prefix; the method is appended unless the URL names it; queries stay unseen."""
    one = endpoint.gemini(KEY, url=given)
    assert url == one.url
    assert url.partition("?")[0] == one.printable
    assert (host, port) == (one.host, one.port)
    assert "s3cret" not in repr(one)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "127.0.0.1:80",
        "ftp://h",
        "ws://",
        "ws://:80",
        "ws://h:99999",
        "ws://h:x",
        "ws://h:0",
        "ws://[::1",
        "ws://h\r\nX: y",
        "ws://a b",
    ],
)
def test_what_is_no_url_is_said_so(given):
    """A URL that cannot be opened is what was typed wrong."""
    if given:
        with pytest.raises(UsageError, match="not an endpoint"):
            endpoint.gemini(KEY, url=given)
    else:
        assert endpoint.gemini(KEY) == endpoint.gemini(KEY, url=given)


def test_credentials_are_not_taken_from_urls():
    """A user name in a URL is refused, and its password is not repeated."""
    for url in ("ws://user:s3cret@h", "ftp://user:s3cret@h"):
        with pytest.raises(UsageError) as caught:
            endpoint.gemini(KEY, url=url)
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("value", ["", "  ", "a b", "a\nb", "ключ", "a\x7f"])
def test_what_no_header_can_hold_is_said_so(value):
    """A credential that would break the request is refused before, without showing it."""
    for make in (endpoint.gemini, endpoint.gemini_token, endpoint.express):
        with pytest.raises(UsageError) as caught:
            make(Secret(value))
        assert not value.strip() or value not in str(caught.value)


def test_blanks_around_a_key_are_dropped():
    """A key read from a file with a line end works."""
    assert {"x-goog-api-key": "k"} == revealed(endpoint.gemini(Secret(" k\n")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"project": "", "location": "global"},
        {"project": "p/x", "location": "global"},
        {"project": "p", "location": "evil.example/"},
        {"project": "p", "location": "Global"},
    ],
)
def test_project_and_location_are_checked(wrong):
    """What goes into host and path is a project's and a location's name, nothing else."""
    with pytest.raises(UsageError):
        endpoint.vertex(KEY, **wrong)


def test_versions_are_checked():
    """A version that the platform does not have is refused, and the ones it has are named."""
    with pytest.raises(UsageError, match="v1alpha"):
        endpoint.gemini(KEY, version="v1beta1")
    with pytest.raises(UsageError, match="v1beta1"):
        endpoint.vertex(KEY, project="p", version="v1beta")


ROUTES = [
    Route(platform="gemini", version="v1beta"),
    Route(platform="gemini", version="v1alpha"),
    Route(platform="gemini", version="v1beta", constrained=True),
    Route(platform="gemini", version="v1alpha", constrained=True),
    Route(platform="vertex", version="v1beta1"),
    Route(platform="vertex", version="v1"),
]


@pytest.mark.capability("connection: Vertex AI: regional, global, multi-region", side="emulator")
@pytest.mark.capability("connection: v1beta, v1alpha, v1", side="emulator")
@pytest.mark.parametrize("one", ROUTES, ids=lambda one: one.path)
def test_a_server_finds_what_a_client_asks(one):
    """A route's path is read back as that route, with slashes doubled and a query behind it too."""
    assert one == route(one.path)
    assert one == route(one.path.replace("/", "//") + "?key=k")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/ws",
        "/ws/",
        f"/x{PATH}",
        f"{PATH}/",
        f"{PATH}x",
        PATH.replace("v1beta", "v2"),
        PATH.lower(),
    ],
)
def test_other_paths_are_not_found(path):
    """What is no method of the API has no route."""
    assert route(path) is None
