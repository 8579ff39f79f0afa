"""The ephemeral tokens that the emulator has minted, and what they still open.

Knows tokens and the time it is told; what a token does to a setup is `wire.live.tokens`' business. The service's words
for a token that is spent or has run out are not published.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias

from harness.wire.live import codec, refusals, tokens
from harness.wire.live.assumptions import USUAL, Assumptions
from harness.wire.live.credentials import authenticate
from harness.wire.live.endpoint import GEMINI_VERSIONS, Route
from harness.wire.live.messages import ClientMessage
from harness.wire.live.names import check_names
from harness.wire.live.refusals import Refused
from harness.wire.live.tokens import TokenRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.emulator.door.post import Post
    from harness.units import Seconds
    from harness.wire.live.messages import Setup

_ROUTE: Final = Route(platform="gemini", version="v1alpha")
_MOST_TOKENS: Final = 10_000
_MOST_BYTES: Final = 16 * 2**20
"""Of the requests of all tokens; what is read of one takes several times as much."""


Answer: TypeAlias = tuple[HTTPStatus, dict[str, object]]
"""An HTTP status and the JSON beneath it."""


class RequestRefusedError(ValueError):
    """A request for a token that the service answers with HTTP 400; the text says why."""


@dataclass(slots=True, kw_only=True)
class Grant:
    """What one token allows. Times are Unix time."""

    request: TokenRequest
    expires_s: Seconds
    door_closes_s: Seconds
    """When no new session may begin any more."""

    left: int | None
    """Sessions that may still be opened; None: any number."""

    now: Callable[[], Seconds]
    size: int
    """Bytes of its request."""

    resuming_counts: bool = False
    """True: resuming a session takes a use as well."""

    def setup(self, asked: Setup) -> Setup:
        """Return the setup of the session that a connection asks for; Refused when there may be no more."""
        setup = tokens.locked(asked, self.request)
        if _opens(setup) and (self.now() >= self.door_closes_s or self.left == 0):
            raise Refused(refusals.TOKEN_SPENT)
        if self.resuming_counts and self.left == 0:
            raise Refused(refusals.INTERNAL)
        return setup

    def begun(self, setup: Setup) -> None:
        """Count the session that has begun with `setup`."""
        if self.left is not None and (_opens(setup) or self.resuming_counts):
            self.left -= 1


def _opens(setup: Setup) -> bool:
    """Return whether a setup asks for a new session."""
    return setup.session_resumption is None or not setup.session_resumption.handle


@dataclass(slots=True, kw_only=True)
class Tokens:
    """All tokens of one emulator; the oldest are forgotten first."""

    now: Callable[[], Seconds]
    """Unix time."""

    _grants: dict[str, Grant] = field(default_factory=dict)
    _size: int = 0

    def answer(self, post: Post) -> Answer:
        """Return the answer to a request: a new token's name, or why there is none."""
        version, _, collection = post.path.strip("/").partition("/")
        if (
            post.method != "POST"
            or collection != tokens.TOKENS_PATH
            or version not in GEMINI_VERSIONS
        ):
            return failure(HTTPStatus.NOT_FOUND, refusals.NOT_FOUND.text())
        route = Route(platform="gemini", version=version)
        refusal = authenticate(route, post.query, post.headers)
        if refusal is refusals.UNREGISTERED:
            return failure(HTTPStatus.FORBIDDEN, refusal.text())
        if refusal is not None:
            return failure(HTTPStatus.BAD_REQUEST, refusal.text())
        try:
            return HTTPStatus.OK, {"name": self.mint(post.body)}
        except RequestRefusedError as error:
            return failure(HTTPStatus.BAD_REQUEST, str(error))

    def mint(self, body: bytes) -> str:
        """Return the name of a new token for the JSON of a request; RequestRefusedError says what is wrong with it."""
        try:
            request = codec.decode_as(body or b"{}", TokenRequest)
            setup = request.bidi_generate_content_setup
            check_names(ClientMessage(setup=setup), _ROUTE, "later")
        except codec.MalformedFrameError as error:
            raise RequestRefusedError(error.detail) from error
        except Refused as refused:
            raise RequestRefusedError(refused.text) from refused
        now = self.now()
        if request.unknown:
            raise RequestRefusedError(f'Unknown name "{next(iter(request.unknown))}"')
        if (request.uses or 0) < 0:
            raise RequestRefusedError("uses must not be negative")
        if (path := tokens.unknown(request)) is not None:
            raise RequestRefusedError(f"Invalid field_mask: BidiGenerateContentSetup has no {path}")
        if (path := tokens.unmasked(request)) is not None:
            raise RequestRefusedError(
                f"BidiGenerateContentSetup contains fields that are not specified in field_mask: {path}"
            )
        name = f"{tokens.TOKENS_PATH}/{secrets.token_hex(20)}"
        self._grants[name] = Grant(
            request=request,
            expires_s=_time(request.expire_time, "expire_time", now, tokens.DEFAULT_LIFE_S),
            door_closes_s=_time(
                request.new_session_expire_time,
                "new_session_expire_time",
                now,
                tokens.DEFAULT_DOOR_S,
            ),
            left={None: 1, 0: None}.get(request.uses, request.uses),
            now=self.now,
            size=len(body),
        )
        self._size += len(body)
        while len(self._grants) > _MOST_TOKENS or self._size > _MOST_BYTES:
            self._size -= self._grants.pop(next(iter(self._grants))).size
        return name

    def grant(self, name: str, assumed: Assumptions = USUAL) -> Grant:
        """Return what a token allows; Refused when it is none of ours or has run out."""
        found = self._grants.get(name)
        if found is None:
            raise Refused(refusals.BAD_KEY)
        if self.now() >= found.expires_s:
            raise Refused(refusals.TOKEN_EXPIRED)
        found.resuming_counts = assumed.resumption_use == "counted"
        return found


_STATUS_NAMES: Final = {
    HTTPStatus.BAD_REQUEST: "INVALID_ARGUMENT",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
}
"""Google's names beside the HTTP codes."""


def failure(status: HTTPStatus, message: str) -> Answer:
    """Return the answer that says why a request failed, as Google's services say it."""
    name = _STATUS_NAMES[status]
    return status, {"error": {"code": status.value, "message": message, "status": name}}


def _time(text: str | None, name: str, now: Seconds, default_s: Seconds) -> Seconds:
    if text is None:
        return now + default_s
    ahead = datetime.fromisoformat(text).timestamp() - now
    if not 0 < ahead < tokens.LONGEST_LIFE_S:
        raise RequestRefusedError(f"{name} must lie in the future, and less than 20 hours ahead")
    return now + ahead
