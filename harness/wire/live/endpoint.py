"""Where a Live session is opened, with which headers, and what the model is called there.

Knows the platforms' URLs, both ways: `Endpoint` for the client, `route` for a server. Knows no socket. Credentials are
`Secret` and travel in headers, never in a URL, since URLs are logged.

Sources: the Gemini API's WebSocket guide, the Vertex AI Live API overview, and the SDK `google-genai` 2.34 (`live.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from harness.errors import UsageError
from harness.secret import Secret

if TYPE_CHECKING:
    from harness.wire.live.catalogue import Platform

_GEMINI_SERVICE = "google.ai.generativelanguage.{version}.GenerativeService"
_VERTEX_SERVICE = "google.cloud.aiplatform.{version}.LlmBidiService"
_METHOD = "BidiGenerateContent"
_CONSTRAINED = "BidiGenerateContentConstrained"

GEMINI_VERSIONS: Final = ("v1beta", "v1alpha", "v1")
"""`v1`: what the SDK `google-genai` 3.4 dials unless told otherwise."""

VERTEX_VERSIONS: Final = ("v1beta1", "v1")

EMULATOR_HEADER: Final = "X-Live-Emulator"
"""In an emulator's answer to every upgrade: its version, ear and file of answers. It makes a report say EMULATED."""

Header = tuple[str, str | Secret]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which method of which service a path names."""

    platform: Platform
    version: str
    constrained: bool = False
    """True: the method for ephemeral tokens."""

    @property
    def path(self) -> str:
        """The path of the method, without a query."""
        if self.platform == "gemini":
            service = _GEMINI_SERVICE.format(version=self.version)
            return f"/ws/{service}.{_CONSTRAINED if self.constrained else _METHOD}"
        return f"/ws/{_VERTEX_SERVICE.format(version=self.version)}/{_METHOD}"


_ROUTES: dict[str, Route] = {
    one.path: one
    for one in (
        *(
            Route(platform="gemini", version=version, constrained=constrained)
            for version in GEMINI_VERSIONS
            for constrained in (False, True)
        ),
        *(Route(platform="vertex", version=version) for version in VERTEX_VERSIONS),
    )
}


def route(path: str) -> Route | None:
    """Return the method that the path of a request names (a query is ignored, `//` collapses), or None."""
    return _ROUTES.get(_collapsed(path.partition("?")[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to open a session and what to say at the door."""

    url: str = field(repr=False)
    """`ws://…` or `wss://…`, whole. Print `printable` instead: a query may hold what should not be seen."""

    headers: tuple[Header, ...]
    """In order; secrets are revealed only by the transport."""

    platform: Platform
    model_prefix: str
    """What stands before a model's id in `setup.model`."""

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def secure(self) -> bool:
        """True: over TLS."""
        return self._parts.scheme == "wss"

    @property
    def host(self) -> str:
        """Host name or address, without brackets."""
        return self._parts.hostname or ""

    @property
    def port(self) -> int:
        """Port; the scheme's own when the URL names none."""
        return self._parts.port or (443 if self.secure else 80)

    @property
    def printable(self) -> str:
        """The URL without its query."""
        return self.url.partition("?")[0]

    def model_name(self, model_id: str) -> str:
        """Return the resource name of a model; one that already is a resource name stays as it is."""
        return model_id if "/" in model_id else self.model_prefix + model_id


# ── Platforms ────────────────────────────────────────────────────────────────────────────────────────────────────────

_GEMINI_HOST = "wss://generativelanguage.googleapis.com"


def gemini(key: Secret, *, version: str = "v1beta", url: str | None = None) -> Endpoint:
    """Return the Developer API's endpoint for an API key, or `url` spoken to in its manner; UsageError names a fault."""
    return Endpoint(
        url=_placed(url or _GEMINI_HOST, _gemini_route(version)),
        headers=(("x-goog-api-key", _for_header(key, "the API key")),),
        platform="gemini",
        model_prefix="models/",
    )


def gemini_token(token: Secret, *, version: str = "v1alpha", url: str | None = None) -> Endpoint:
    """Return the Developer API's endpoint for an ephemeral token (`auth_tokens/…`); UsageError names a fault."""
    revealed = _for_header(token, "the ephemeral token").reveal()
    return Endpoint(
        url=_placed(url or _GEMINI_HOST, _gemini_route(version, constrained=True)),
        headers=(("Authorization", Secret(f"Token {revealed}")),),
        platform="gemini",
        model_prefix="models/",
    )


def vertex(
    token: Secret,
    *,
    project: str,
    location: str = "us-central1",
    version: str = "v1beta1",
    quota_project: str | None = None,
    url: str | None = None,
) -> Endpoint:
    """Return Vertex AI's endpoint for an OAuth access token; UsageError names a fault.

    `location` is a region, `global`, or a multi-region (`us`, `eu`). The token is checked at the upgrade alone.
    """
    for value, what in ((project, "project"), (location, "location")):
        if not re.fullmatch(r"[a-z0-9][a-z0-9.:-]*", value):
            raise UsageError(
                f"no Google Cloud {what}: {value!r}", hint=f"set GOOGLE_CLOUD_{what.upper()}"
            )
    revealed = _for_header(token, "the access token").reveal()
    headers: list[Header] = [
        ("Authorization", Secret(f"Bearer {revealed}")),
        ("Content-Type", "application/json"),
    ]
    if quota_project:
        headers.append(("x-goog-user-project", quota_project))
    return Endpoint(
        url=_placed(url or f"wss://{_vertex_host(location)}", _vertex_route(version)),
        headers=tuple(headers),
        platform="vertex",
        model_prefix=f"projects/{project}/locations/{location}/publishers/google/models/",
    )


def express(key: Secret, *, version: str = "v1beta1", url: str | None = None) -> Endpoint:
    """Return Vertex AI's endpoint in express mode (an API key, no project); UsageError names a fault."""
    return Endpoint(
        url=_placed(url or f"wss://{_vertex_host('global')}", _vertex_route(version)),
        headers=(("x-goog-api-key", _for_header(key, "the API key")),),
        platform="vertex",
        model_prefix="publishers/google/models/",
    )


def _vertex_host(location: str) -> str:
    match location:
        case "global":
            return "aiplatform.googleapis.com"
        case "us" | "eu":
            return f"aiplatform.{location}.rep.googleapis.com"
        case _:
            return f"{location}-aiplatform.googleapis.com"


def _gemini_route(version: str, *, constrained: bool = False) -> Route:
    require_version("gemini", version)
    return Route(platform="gemini", version=version, constrained=constrained)


def _vertex_route(version: str) -> Route:
    require_version("vertex", version)
    return Route(platform="vertex", version=version)


def require_version(platform: Platform, version: str) -> None:
    """Raise UsageError when the platform has no API version of this name."""
    versions = VERTEX_VERSIONS if platform == "vertex" else GEMINI_VERSIONS
    if version not in versions:
        name = {"gemini": "the Gemini Developer API", "vertex": "Vertex AI"}[platform]
        raise UsageError(f"{name} has no version {version!r}", hint=" or ".join(versions))


# ── URLs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


def _placed(base: str, wanted: Route) -> str:
    """Return `base` with the method's path behind its own; a base that already names a method is taken as it stands."""
    try:
        parts = urlsplit(base)
        valid = parts.hostname and parts.port != 0 and parts.scheme in _SCHEMES
    except ValueError:
        parts, valid = urlsplit(""), False
    if not valid or not base.isprintable() or " " in base:
        shown = re.sub(r"//[^/]*@", "//", re.split(r"[?#]", base)[0])
        raise UsageError(
            f"not an endpoint: {shown!r}",
            why="it should be scheme://host[:port][/path]",
            hint="ws://127.0.0.1:8080",
        )
    if parts.username is not None:
        raise UsageError(
            "a URL with a user name is not taken",
            why="URLs are logged and traced",
            hint="credentials come from the environment",
        )
    path = _collapsed(parts.path)
    if f".{_METHOD}" not in path and f"/{_METHOD}" not in path:
        path = _collapsed(f"{path}/{wanted.path}")
    url = f"{_SCHEMES[parts.scheme]}://{parts.netloc}{path}"
    return f"{url}?{parts.query}" if parts.query else url


def _collapsed(path: str) -> str:
    return re.sub(r"/{2,}", "/", path)


def _for_header(secret: Secret, what: str) -> Secret:
    """Return `secret` without surrounding blanks; UsageError when a header cannot hold it. The value is never shown."""
    value = secret.reveal().strip()
    if not value:
        raise UsageError(f"{what} is empty")
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise UsageError(f"{what} holds blanks or characters that no credential has")
    return Secret(value)
