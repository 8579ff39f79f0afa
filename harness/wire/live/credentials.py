"""Whom the service lets in: the credentials of an upgrade's query and headers, and how bad ones are refused.

Knows what credentials look like. Does not know which tokens were minted: the store of tokens is the service's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from harness.wire.live import refusals
from harness.wire.live.assumptions import USUAL, Assumptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.wire.live.endpoint import Route
    from harness.wire.live.refusals import Refusal

REFUSED_CREDENTIAL = "invalid"
"""A key or token with this value is refused as the service refuses a bad one; any other that is not empty is taken."""

_TOKEN_PREFIX = "auth_tokens/"  # noqa: S105 - how every token begins


def token_of(query: str, headers: Iterable[tuple[str, str]]) -> str:
    """Return the ephemeral token of a request for the constrained method; empty when it has none."""
    given = {name.lower(): value for name, value in headers}
    asked = parse_qs(query).get("access_token", [""])[-1]
    scheme, _, credential = given.get("authorization", "").partition(" ")
    token = credential.strip() if scheme.lower() == "token" else ""
    return asked or token or given.get("x-goog-api-key", "")


def authenticate(
    route: Route,
    query: str,
    headers: Iterable[tuple[str, str]],
    assumed: Assumptions = USUAL,
) -> Refusal | None:
    """Return how the service would refuse these credentials, or None when it takes them.

    `query` is the request's query string, `headers` its headers in any case. A refusal with an HTTP status
    (`at_upgrade`) answers the upgrade; any other closes the connection right after it.
    """
    given = {name.lower(): value for name, value in headers}
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    scheme, _, credential = given.get("authorization", "").partition(" ")
    scheme, credential = scheme.lower(), credential.strip()
    key = given.get("x-goog-api-key") or asked.get("key", "")
    bearer = credential if scheme == "bearer" else ""
    if route.platform == "vertex":
        # A key is express mode; without a known project both are checked alike.
        if (bearer or key) not in ("", REFUSED_CREDENTIAL):
            return None
        by_close = assumed.vertex_missing_auth == "by-close"
        return refusals.UNAUTHENTICATED_LATE if by_close else refusals.UNAUTHENTICATED
    if route.constrained:
        if not (token := token_of(query, given.items()) or key):
            return refusals.UNREGISTERED
        return None if _is_token(token) else refusals.BAD_KEY
    if not (key or bearer):
        return refusals.UNREGISTERED
    # An ephemeral token is no key: it opens the constrained method only.
    bad = key.startswith(_TOKEN_PREFIX) or REFUSED_CREDENTIAL in (key, bearer)
    return refusals.BAD_KEY if bad else None


def _is_token(token: str) -> bool:
    name = token.removeprefix(_TOKEN_PREFIX)
    return name not in ("", token, REFUSED_CREDENTIAL)
