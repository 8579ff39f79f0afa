"""Ephemeral tokens: what is asked for when one is minted, and what a token does to the setup of its sessions.

    no setup in the token       the connection's own setup is used
    a setup, no field mask      it takes the place of the connection's whole setup
    a setup and a field mask    the masked fields take the token's values; those it does not set are absent

A resumption handle always comes from the connection: a token is minted before there is one.

Sources: the Gemini API's ephemeral tokens guide; AuthToken in its Live API reference; the SDK `google-genai` 2.34
(`tokens.py`). Knows no clock and no secret: the store of tokens is the service's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args, get_origin, get_type_hints

import msgspec

from harness.wire.live import codec
from harness.wire.live.fields import Int32, Message, Timestamp, camel
from harness.wire.live.messages import SessionResumptionConfig, Setup

if TYPE_CHECKING:
    from harness.units import Seconds

TOKENS_PATH: Final = "auth_tokens"
"""Method and collection: `POST /v1alpha/auth_tokens` mints `auth_tokens/…`."""

DEFAULT_LIFE_S: Final[Seconds] = 30 * 60
"""From minting to `expireTime`, unless it is asked for."""

DEFAULT_DOOR_S: Final[Seconds] = 60
"""From minting to `newSessionExpireTime`, unless it is asked for."""

LONGEST_LIFE_S: Final[Seconds] = 20 * 3600
"""Both times lie less far ahead than this."""


class TokenRequest(Message, frozen=True):
    """What is asked for."""

    uses: Int32 | None = None
    """Sessions that may be opened; 0: any number; None: 1. Resuming one takes none."""

    expire_time: Timestamp | None = None
    """After it an open session ends."""

    new_session_expire_time: Timestamp | None = None
    """After it no session begins."""

    bidi_generate_content_setup: Setup | None = None
    field_mask: str = ""
    """Paths inside the setup, separated by commas."""

    @property
    def masked(self) -> list[tuple[str, ...]]:
        """The paths of the field mask, step by step, in camelCase."""
        paths = [path.strip() for path in self.field_mask.split(",")]
        return [tuple(map(camel, path.split("."))) for path in paths if path]


class Token(Message, frozen=True):
    """What was minted."""

    name: str = ""
    """`auth_tokens/…`: the secret itself."""


def mask_of(setup: Setup) -> list[str]:
    """Return the paths of all that `setup` sets, two levels deep, as the SDK locks them."""
    tree = codec.to_json(setup)
    kind = type(setup)
    paths: list[str] = []
    for attribute, name in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        inner = tree.get(name) if isinstance(getattr(setup, attribute), Message) else None
        if inner:
            paths += [f"{name}.{field}" for field in inner]
        elif name in tree:
            paths.append(name)
    return paths


def unknown(request: TokenRequest) -> str | None:
    """Return a path of the request's mask that names no field of a setup; None: all do."""
    return next((".".join(path) for path in request.masked if not _named(Setup, path)), None)


def _named(kind: Any, path: tuple[str, ...]) -> bool:
    """Return whether `path` leads from a message's type to one of its fields; inside a free object it may be any."""
    if not path:
        return True
    kinds = [one for one in (kind, *get_args(kind)) if isinstance(one, type)]
    messages = [one for one in kinds if issubclass(one, Message)]
    if not messages:
        return dict in (get_origin(kind), *kinds, *map(get_origin, get_args(kind)))
    hints = get_type_hints(messages[0])
    fields = zip(messages[0].__struct_encode_fields__, messages[0].__struct_fields__, strict=True)
    return any(name == path[0] and _named(hints[at], path[1:]) for name, at in fields)


def unmasked(request: TokenRequest) -> str | None:
    """Return the path of something that the request's setup sets and its mask does not cover; None: all is covered.

    The service refuses such a request (google-gemini/gemini-live-api-examples#49).
    """
    setup = request.bidi_generate_content_setup
    if setup is None or not request.masked:
        return None
    for path in _leaves(codec.to_json(setup)):
        if not any(path[: len(mask)] == mask for mask in request.masked):
            return ".".join(path)
    return None


def locked(setup: Setup, request: TokenRequest) -> Setup:
    """Return the setup of a session that a connection opens with `setup` and a token minted for `request`."""
    fixed = request.bidi_generate_content_setup
    if fixed is None:
        return setup
    if not request.masked:
        result = fixed
    else:
        tree, values = codec.to_json(setup), codec.to_json(fixed)
        for path in request.masked:
            _put(tree, path, _value(values, path))
        result = codec.message_from(tree, Setup)
    handle = setup.session_resumption.handle if setup.session_resumption else None
    if handle is None:
        return result
    resumption = result.session_resumption or SessionResumptionConfig()
    return msgspec.structs.replace(
        result, session_resumption=msgspec.structs.replace(resumption, handle=handle)
    )


def _leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, value in tree.items():
        inner = isinstance(value, dict) and value
        found += _leaves(value, (*path, name)) if inner else [(*path, name)]
    return found


def _value(tree: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set the field at `path`, or take it away when `value` is None."""
    *parents, name = path
    for step in parents:
        inner = tree.get(step)
        if not isinstance(inner, dict):
            if value is None:
                return
            inner = tree[step] = {}
        tree = inner
    tree.pop(name, None)
    if value is not None:
        tree[name] = value
