"""Minting ephemeral tokens: one HTTP request to the Developer API, for clients that must not hold a key."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from harness.errors import InputError, RefusedError
from harness.secret import Secret, redact
from harness.session.config import require_bare, require_private
from harness.session.transport import tls_context
from harness.wire.live import codec, endpoint
from harness.wire.live.tokens import TOKENS_PATH, Token

if TYPE_CHECKING:
    from harness.wire.live.tokens import TokenRequest

WAIT_S: Final = 30
"""Longest wait for the answer."""

_MOST_BYTES: Final = 64 * 2**10

_REDIRECTS: Final = (301, 302, 303, 307, 308)


class _Staying(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: another host must not be handed the key."""

    def redirect_request(self, *_: object) -> None:
        return None


def mint(
    key: Secret, request: TokenRequest, *, version: str = "v1alpha", url: str | None = None
) -> Secret:
    """Return a new token (`auth_tokens/…`). `url` is another place that speaks the Developer API.

    RefusedError: the service mints none, or sends us elsewhere; InputError: nobody answers there; UsageError: `url` is
    no endpoint.
    """
    if url is not None:
        require_bare(url)
    place = endpoint.gemini(key, version=version, url=url)
    require_private(place)
    address = f"{_base(place.url)}/{version}/{TOKENS_PATH}"
    asked = urllib.request.Request(  # noqa: S310 - http or https, from a checked endpoint
        address,
        data=codec.encode(request),
        headers={"Content-Type": "application/json", "x-goog-api-key": key.reveal().strip()},
    )
    opener = urllib.request.build_opener(
        _Staying, urllib.request.HTTPSHandler(context=tls_context())
    )
    try:
        with opener.open(asked, timeout=WAIT_S) as answer:
            body = answer.read(_MOST_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            why = redact(_why(error), [key])
        raise RefusedError("no token was minted", why=why, hint="harness doctor") from None
    except (OSError, HTTPException) as error:
        why = str(getattr(error, "reason", error)) or type(error).__name__
        raise InputError(f"no answer from {address}", why=redact(why, [key])) from None
    try:
        return Secret(codec.decode_as(body, Token).name)
    except codec.MalformedFrameError as error:
        raise InputError(
            f"what answers at {address} mints no tokens", why=redact(error.detail, [key])
        ) from None


def _why(error: urllib.error.HTTPError) -> str:
    """Return what a refusal says, with its status; of a redirect the host that it names."""
    where = error.headers.get("Location") if error.code in _REDIRECTS else None
    if where is not None:
        return f"HTTP {error.code}: a redirect to {_host(where)}, which is not followed"
    try:
        body = error.read(_MOST_BYTES)
    except (OSError, HTTPException):
        body = b""  # it broke off: the status still counts
    return f"HTTP {error.code}: {_message(body) or error.reason}"


def _host(url: str) -> str:
    """Return the host that a URL from a service names, made printable."""
    try:
        return ascii(urlsplit(url).hostname or "the same host").strip("'")
    except ValueError:
        return "no host"


def _base(url: str) -> str:
    parts = urlsplit(url)
    scheme = "https" if parts.scheme == "wss" else "http"
    return f"{scheme}://{parts.netloc}{parts.path.partition('/ws/')[0]}"


def _message(body: bytes) -> str | None:
    """Return the words of Google's error document, or None."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return None
