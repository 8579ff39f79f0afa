"""Which service is spoken to, and with whose credentials: from the environment alone, never from a flag."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import RefusedError, UsageError
from harness.secret import Secret
from harness.wire.live import endpoint as live
from harness.wire.live.endpoint import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harness.wire.live.catalogue import Platform
    from harness.wire.live.endpoint import Endpoint
    from harness.wire.live.messages import Setup

Service = Literal["emulator", "gemini", "vertex"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def endpoints(
    service: Service,
    url: str | None,
    environment: Mapping[str, str],
    *,
    version: str | None = None,
) -> Callable[[], Endpoint]:
    """Return what gives the endpoint for the next session, with credentials that are still good.

    `url` replaces the service's own address; `version` is an API version of the service, None: the usual one.
    UsageError when a URL or a version is none; RefusedError when there are no credentials.
    """
    if version is not None:
        live.require_version(platform(service), version)
    if url is not None:
        require_bare(url)
    if service == "emulator":
        stand_in = Secret(secrets.token_hex(16))
        return lambda: live.gemini(stand_in, version=version or live.GEMINI_VERSIONS[0], url=url)
    if service == "gemini":
        found = _gemini(url, environment, version)
    else:
        found = _vertex(url, environment, version or live.VERTEX_VERSIONS[0])
    require_private(found())
    return found


def platform(service: Service) -> Platform:
    """Return the platform whose protocol `service` speaks."""
    return "vertex" if service == "vertex" else "gemini"


def route(
    service: Service,
    version: str | None,
    setups: Iterable[Setup],
    environment: Mapping[str, str],
) -> Route:
    """Return the method that sessions with `setups` are opened at.

    Without a `version` it is the service's usual one, or v1alpha where the Developer API needs that: for ephemeral
    tokens, affective dialogue, proactive audio (Live API capabilities guide).
    """
    where = platform(service)
    versions = live.VERTEX_VERSIONS if where == "vertex" else live.GEMINI_VERSIONS
    if version is not None:
        live.require_version(where, version)
    elif where == "gemini" and (
        any(map(_wants_alpha, setups))
        or (service == "gemini" and _told(environment, "GEMINI_EPHEMERAL_TOKEN"))
    ):
        version = "v1alpha"
    return Route(platform=where, version=version or versions[0])


def _wants_alpha(setup: Setup) -> bool:
    generation = setup.generation_config
    return setup.proactivity is not None or bool(generation and generation.enable_affective_dialog)


def api_key(environment: Mapping[str, str]) -> Secret | None:
    """Return the Developer API's key; None: there is none."""
    key = _told(environment, "GEMINI_API_KEY") or _told(environment, "GOOGLE_API_KEY")
    return Secret(key) if key else None


def credentials(environment: Mapping[str, str]) -> list[Secret]:
    """Return every credential that the environment has, whichever of them is used."""
    names = (
        "GEMINI_EPHEMERAL_TOKEN",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "CLOUDSDK_AUTH_ACCESS_TOKEN",
    )
    return [Secret(value) for name in names if (value := _told(environment, name))]


def lacking(service: str, environment: Mapping[str, str]) -> RefusedError | None:
    """Return which credentials `endpoints` would find missing, as far as that shows without a request; None: none."""
    try:
        if service == "gemini":
            _gemini(None, environment, None)
        by_project = service == "vertex" and _project(environment) is not None
        if by_project and not _told(environment, "CLOUDSDK_AUTH_ACCESS_TOKEN"):
            _require_google_auth()
    except RefusedError as error:
        return error
    return None


def _told(environment: Mapping[str, str], name: str) -> str:
    """Return a variable without the blanks and the end of line that a file or a pipe leaves around it; "" when unset."""
    return environment.get(name, "").strip()


def _gemini(
    url: str | None, environment: Mapping[str, str], version: str | None
) -> Callable[[], Endpoint]:
    if token := _told(environment, "GEMINI_EPHEMERAL_TOKEN"):
        return lambda: live.gemini_token(Secret(token), version=version or "v1alpha", url=url)
    if key := api_key(environment):
        return lambda: live.gemini(key, version=version or live.GEMINI_VERSIONS[0], url=url)
    raise RefusedError(
        "no API key for the Gemini Developer API",
        why="looked at GEMINI_EPHEMERAL_TOKEN, GEMINI_API_KEY and GOOGLE_API_KEY",
        hint="export GEMINI_API_KEY=…, or run without a key: --service emulator",
    )


def _vertex(
    url: str | None, environment: Mapping[str, str], version: str
) -> Callable[[], Endpoint]:
    location = environment.get("GOOGLE_CLOUD_LOCATION") or "us-central1"
    project = _project(environment)
    if project is None:
        key = Secret(_told(environment, "GOOGLE_API_KEY"))
        return lambda: live.express(key, version=version, url=url)
    if token := _told(environment, "CLOUDSDK_AUTH_ACCESS_TOKEN"):
        return lambda: live.vertex(
            Secret(token), project=project, location=location, version=version, url=url
        )
    fresh, quota_project = _application_default()
    return lambda: live.vertex(
        fresh(),
        project=project,
        location=location,
        version=version,
        quota_project=quota_project,
        url=url,
    )


def _project(environment: Mapping[str, str]) -> str | None:
    """Return the project that pays; None: a key stands for it (express mode). RefusedError when there is neither."""
    project = environment.get("GOOGLE_CLOUD_PROJECT")
    if not project and not _told(environment, "GOOGLE_API_KEY"):
        raise RefusedError(
            "no project for Vertex AI",
            why="GOOGLE_CLOUD_PROJECT is not set",
            hint="export GOOGLE_CLOUD_PROJECT=… GOOGLE_CLOUD_LOCATION=…",
        )
    return project or None


def _require_google_auth() -> None:
    try:
        import google.auth.exceptions
        import google.auth.transport.requests  # noqa: F401 - whether it is there
    except ModuleNotFoundError as error:
        raise RefusedError(
            "Vertex AI needs google-auth", hint="pip install 'live-harness[vertex]'"
        ) from error


def _application_default() -> tuple[Callable[[], Secret], str | None]:
    """Return what gives an access token of the application-default credentials, and the project their quota counts for.

    The token is refreshed when it runs out, which takes a moment: a session is opened rarely enough for that.
    """
    _require_google_auth()
    import google.auth
    import google.auth.exceptions
    import google.auth.transport.requests

    try:
        found: tuple[Any, Any] = google.auth.default(
            scopes=["https://www.googleapis.com/auth/cloud-platform"]
        )
    except google.auth.exceptions.DefaultCredentialsError as error:
        raise RefusedError(
            "no Google credentials for Vertex AI",
            why="no application-default credentials were found",
            hint="gcloud auth application-default login",
        ) from error
    credentials = found[0]
    request = google.auth.transport.requests.Request()

    def fresh() -> Secret:
        try:
            if not credentials.valid:
                credentials.refresh(request)
        except google.auth.exceptions.GoogleAuthError as error:
            raise RefusedError(
                "the Google credentials cannot be refreshed",
                why=type(error).__name__,
                hint="harness doctor",
            ) from None
        return Secret(credentials.token)

    return fresh, getattr(credentials, "quota_project_id", None)


def require_bare(url: str) -> None:
    """Raise UsageError when a URL given by hand has a query or a fragment, and do not repeat it."""
    for mark, what in (("?", "query"), ("#", "fragment")):
        if mark in url:
            shown = re.sub(r"//[^/]*@", "//", re.split(r"[?#]", url)[0])
            raise UsageError(
                f"--url takes no {what}: {shown}{mark}…",
                why=f"URLs end up in logs and reports, and a {what} may hold a key",
                hint="put the key into GEMINI_API_KEY",
            )


def require_private(endpoint: Endpoint) -> None:
    """Raise UsageError when credentials would cross a network in plain text on their way to `endpoint`."""
    if not endpoint.secure and endpoint.host not in _LOOPBACK:
        raise UsageError(
            f"{endpoint.printable} is not encrypted",
            why="the credentials would cross the network in plain text",
            hint="use wss://",
        )
