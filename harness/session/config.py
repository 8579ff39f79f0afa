"""Which service is spoken to, and with whose credentials: from the environment alone, never from a flag."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import RefusedError, UsageError
from harness.secret import Secret
from harness.wire.live import endpoint as live

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.wire.live.endpoint import Endpoint
    from harness.wire.live.messages import Setup

Service = Literal["emulator", "gemini", "vertex"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def endpoints(
    service: Service, url: str | None, environment: Mapping[str, str], *, alpha: bool = False
) -> Callable[[], Endpoint]:
    """Return what gives the endpoint for the next session, with credentials that are still good.

    `url` replaces the service's own address. `alpha` asks for the Developer API's v1alpha. UsageError when a URL is
    none; RefusedError when there are no credentials.
    """
    if url is not None and "?" in url:
        raise UsageError(
            f"--url takes no query: {url.partition('?')[0]}?…",
            why="URLs end up in logs and reports, and a query may hold a key",
            hint="put the key into GEMINI_API_KEY",
        )
    if service == "emulator":
        stand_in = Secret(f"emulated-{secrets.token_hex(8)}")
        return lambda: live.gemini(stand_in, version="v1alpha" if alpha else "v1beta", url=url)
    if service == "gemini":
        found = _gemini(url, environment, "v1alpha" if alpha else "v1beta")
    else:
        found = _vertex(url, environment)
    _refuse_plain_text(found())
    return found


def wants_alpha(setup: Setup) -> bool:
    """Return whether the Developer API takes `setup` only as v1alpha (affective dialogue, proactive audio)."""
    generation = setup.generation_config
    return setup.proactivity is not None or bool(generation and generation.enable_affective_dialog)


def _gemini(
    url: str | None, environment: Mapping[str, str], version: str
) -> Callable[[], Endpoint]:
    if token := environment.get("GEMINI_EPHEMERAL_TOKEN"):
        return lambda: live.gemini_token(Secret(token), url=url)
    if key := environment.get("GEMINI_API_KEY") or environment.get("GOOGLE_API_KEY"):
        return lambda: live.gemini(Secret(key), version=version, url=url)
    raise RefusedError(
        "no API key for the Gemini Developer API",
        why="looked at GEMINI_EPHEMERAL_TOKEN, GEMINI_API_KEY and GOOGLE_API_KEY",
        hint="export GEMINI_API_KEY=…, or run without a key: --service emulator",
    )


def _vertex(url: str | None, environment: Mapping[str, str]) -> Callable[[], Endpoint]:
    project = environment.get("GOOGLE_CLOUD_PROJECT")
    location = environment.get("GOOGLE_CLOUD_LOCATION") or "us-central1"
    if not project:
        if key := environment.get("GOOGLE_API_KEY"):
            return lambda: live.express(Secret(key), url=url)
        raise RefusedError(
            "no project for Vertex AI",
            why="GOOGLE_CLOUD_PROJECT is not set",
            hint="export GOOGLE_CLOUD_PROJECT=… GOOGLE_CLOUD_LOCATION=…",
        )
    if token := environment.get("CLOUDSDK_AUTH_ACCESS_TOKEN"):
        return lambda: live.vertex(Secret(token), project=project, location=location, url=url)
    fresh = _application_default()
    return lambda: live.vertex(fresh(), project=project, location=location, url=url)


def _application_default() -> Callable[[], Secret]:
    """Return what gives an access token of the application-default credentials, refreshed when it runs out."""
    try:
        import google.auth
        import google.auth.exceptions
        import google.auth.transport.requests
    except ModuleNotFoundError as error:
        raise RefusedError(
            "Vertex AI needs google-auth", hint="pip install 'live-harness[vertex]'"
        ) from error
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

    return fresh


def _refuse_plain_text(endpoint: Endpoint) -> None:
    if not endpoint.secure and endpoint.host not in _LOOPBACK:
        raise UsageError(
            f"{endpoint.printable} is not encrypted",
            why="the credentials would cross the network in plain text",
            hint="use wss://",
        )
