"""The official SDK as a sender: what its types let a caller ask of a Live session is known here, platform by platform."""

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import enum
import json
import types as builtin
import typing
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

import pytest

from harness.wire.live import codec, names
from harness.wire.live.endpoint import Route
from harness.wire.live.fields import camel
from harness.wire.live.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

genai = pytest.importorskip("google.genai")
types = pytest.importorskip("google.genai.types")
live = pytest.importorskip("google.genai.live")
Credentials: Any = pytest.importorskip("google.auth.credentials").Credentials
pydantic = pytest.importorskip("pydantic")

pytestmark = [
    pytest.mark.witness,
    pytest.mark.filterwarnings("ignore"),
]

ROUTES = {
    # v1alpha has all fields of v1beta, and those that came to it alone.
    "gemini": Route(platform="gemini", version="v1alpha"),
    "vertex": Route(platform="vertex", version="v1beta1"),
}

NOT_LIVE = {
    # What the deprecated `generation_config` shares with requests that are answered at once.
    "audioTimestamp",
    "audioTranscriptionConfig",
    "logprobs",
    "modelConfig",
    "modelSelectionConfig",
    "responseFormat",
    "responseJsonSchema",
    "responseLogprobs",
    "responseMimeType",
    "responseSchema",
    "routingConfig",
    "stopSequences",
}

NOT_CHECKED = {
    # What the SDK passes on as it is, and what the Developer API's own definitions have not.
    "gemini": {"additionalProperties", "authConfig", "defs", "ref"},
    "vertex": set(),
}

PLAIN = {str: "x", bool: True, int: 7, float: 0.5, bytes: b"ab", Any: "any"}
NAMED = {"start_offset": "1.5s", "end_offset": "1.5s", "top_k": 7}
"""Values of fields by their type, and of those that take none but their own by name."""

DEEP = 7
"""Levels below a setup that are looked at; what contains itself is entered once."""


class Caught(Exception):  # noqa: N818 - it is what was hoped for
    """The first frame that the SDK sends."""


class Bearer(Credentials):
    """Credentials that need nobody."""

    def refresh(self, request: Any) -> None:
        """Give a token."""
        self.token = "t"  # noqa: S105 - nobody's


@pytest.fixture
def frame_of(monkeypatch):
    """Give a function that returns the setup frame of a configuration; None where the SDK refuses it."""

    class Socket:
        async def send(self, frame: str) -> None:
            raise Caught(frame)

    @contextlib.asynccontextmanager
    async def no_socket(*_: Any, **__: Any) -> Any:
        yield Socket()

    monkeypatch.setattr(live, "ws_connect", no_socket)
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    clients = {
        "gemini": genai.Client(api_key="k"),
        "vertex": genai.Client(
            vertexai=True, project="p", location="us-central1", credentials=Bearer()
        ),
    }

    async def connect(platform: str, config: Any) -> str | None:
        try:
            async with clients[platform].aio.live.connect(model="m", config=config):
                raise AssertionError
        except Caught as caught:
            return str(caught)
        except ValueError as error:
            if "supported in" not in str(error):
                raise
            return None

    return lambda platform, config: asyncio.run(connect(platform, config))


def configurations() -> Iterator[dict[str, Any]]:
    """Yield configurations with one field set each, the innermost ones; an empty message for what holds nothing."""
    for one in _each(types.LiveConnectConfig, ()):
        if "http_options" not in one:
            yield one
    for tool in _each(types.Tool, ()):
        yield {"tools": [tool]}


def _each(kind: Any, above: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    if kind in above or len(above) >= DEEP:
        return
    for name, field in kind.model_fields.items():
        for value in _values(name, field.annotation, (*above, kind)):
            yield {name: value}


def _values(name: str, hint: Any, above: tuple[Any, ...]) -> Iterator[Any]:
    """Yield values that a field of type `hint` takes."""
    hint = _bare(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (list, collections.abc.Sequence):
        for value in _values(name, arguments[0], above):
            yield [value]
    elif origin is dict:
        for value in _values(name, arguments[1], above):
            yield {"k": value}
    elif _is_message(hint):
        yield {}
        yield from _each(hint, above)
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        yield list(hint)[-1]
    elif hint in PLAIN:
        yield NAMED.get(name, PLAIN[hint])


def _bare(hint: Any) -> Any:
    """Return a type without None and annotations; of several the message, or the first."""
    while get_origin(hint) in (Union, builtin.UnionType, typing.Annotated):
        options = [one for one in get_args(hint) if one is not type(None)]
        hint = next(filter(_is_message, options), options[0])
    return hint


def _is_message(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, pydantic.BaseModel)


@pytest.mark.capability("setup: every field, with its defaults", side="parts and emulator")
@pytest.mark.parametrize("platform", ROUTES)
def test_what_the_sdk_lets_a_caller_ask_is_known(frame_of, platform):
    """Every field and value that the SDK sends in a setup has a name here, on the platform that it sends it to."""
    refused: set[str] = set()
    sent = 0
    for config in configurations():
        frame = frame_of(platform, types.LiveConnectConfig.model_validate(config))
        if frame is None:
            continue
        sent += 1
        try:
            names.check_names(codec.decode_client(frame), ROUTES[platform], "later")
        except Refused as error:
            refused.add(_field(error))
        except codec.MalformedFrameError as error:
            refused.add(f"{json.dumps(config, default=str)}: {error.detail}")
    assert sent > 300
    assert set() == refused - NOT_LIVE - NOT_CHECKED[platform]


def _field(refused: Refused) -> str:
    """Return the name of the field that a rule is about."""
    assert refused.rule is not None
    words = refused.rule.says.removesuffix("alone").split()
    name = words[0] if "exists on" in refused.rule.says else words[-1]
    return camel(name.rpartition(".")[2])
