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
from harness.session.config import require_private
from harness.session.transport import tls_context
from harness.wire.live import codec, endpoint
from harness.wire.live.tokens import TOKENS_PATH, Token

if TYPE_CHECKING:
    from harness.wire.live.tokens import TokenRequest

WAIT_S: Final = 30
"""Longest wait for the answer."""

_MOST_BYTES: Final = 64 * 2**10


def mint(
    key: Secret, request: TokenRequest, *, version: str = "v1alpha", url: str | None = None
) -> Secret:
    """Return a new token (`auth_tokens/…`). `url` is another place that speaks the Developer API.

    RefusedError: the service mints none; InputError: nobody answers there; UsageError: `url` is no endpoint.
    """
    place = endpoint.gemini(key, version=version, url=url)
    require_private(place)
    address = f"{_base(place.url)}/{version}/{TOKENS_PATH}"
    asked = urllib.request.Request(  # noqa: S310 - http or https, from a checked endpoint
        address,
        data=codec.encode(request),
        headers={"Content-Type": "application/json", "x-goog-api-key": key.reveal().strip()},
    )
    try:
        with urllib.request.urlopen(asked, timeout=WAIT_S, context=tls_context()) as answer:  # noqa: S310 - as above
            body = answer.read(_MOST_BYTES)
    except urllib.error.HTTPError as error:
        why = redact(_message(error.read(_MOST_BYTES)) or error.reason, [key])
        raise RefusedError(
            "no token was minted", why=f"HTTP {error.code}: {why}", hint="harness doctor"
        ) from None
    except (OSError, HTTPException) as error:
        why = str(getattr(error, "reason", error)) or type(error).__name__
        raise InputError(f"no answer from {address}", why=why) from None
    try:
        return Secret(codec.decode_as(body, Token).name)
    except codec.MalformedFrameError as error:
        raise InputError(f"what answers at {address} mints no tokens", why=error.detail) from None


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
