"""The doctor's walk: every capability of the Live API in a live session each."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any, Final

from harness.cli.finding import Finding
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from harness.secret import Secret
    from harness.session.probes import Place, Probe
    from harness.wire.live.endpoint import Endpoint, Route
    from harness.wire.live.messages import Setup

EMULATED: Final = (
    "gemini-live-2.5-flash-preview",
    "gemini-2.5-flash-native-audio-preview-09-2025",
    "gemini-3.5-transcribe-live",
)
"""Models that the emulator is asked for between them: the first that has the capability."""

FAILED: Final = 5
"""Exit code when a capability that is offered does not work."""


def write_answers(path: Path) -> None:
    """Write what an emulator must answer to the probes' questions."""
    from harness.session import probes

    numbers = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    answers: list[dict[str, Any]] = [
        {
            "when": {"text": "^What is the temperature in"},
            "call": {"name": "get_temperature", "args": {"city": "Gdynia"}},
            "after": "It is {celsius} degrees.",
        },
        {
            "when": {"text": "^Search the web"},
            "say": "All is quiet.",
            "grounding": {"webSearchQueries": ["news today"]},
        },
        {"when": {"text": probes.RIDDLE[:20]}, "think": "They double.", "say": "Sixteen."},
        {"when": {"text": probes.COUNT[:12]}, "say": numbers},
        {"when": {"text": probes.PRIVATE[:20]}, "silent": True},
        {"when": {"text": "^What is my name"}, "say": "Ada."},
        {"when": {"text": "^What colour"}, "say": "Grey."},
        {"when": {"text": "^Please say: (.*)"}, "say": "{1}"},
    ]
    path.write_text("\n".join(map(json.dumps, answers)), encoding="utf-8")


def walk(service: Any, url: str | None, model: str | None) -> Iterator[Finding]:
    """Yield what each capability was found to be; the service is known to answer."""
    from harness.session.probes import PROBES, refusal

    models = list(EMULATED) if service == "emulator" and model is None else [_named(service, model)]
    places = [_place(service, url, one) for one in models]
    yield _found("connection: an unknown model is refused", [lambda: refusal(places[0])])
    yield _found("connection: ephemeral tokens", [lambda: _token(service, url, places[0])])
    for probe in PROBES:
        yield _found(
            probe.capability, [_asking(probe, place, several=len(places) > 1) for place in places]
        )


def _named(service: Any, model: str | None) -> str:
    from harness.cli.tasks import usual_model

    return model or usual_model("transcribe", service)


def _asking(probe: Probe, place: Place, *, several: bool) -> Callable[[], Coroutine[Any, Any, str]]:
    """Return what asks one model; the model is named where there are several."""
    from harness.session.probes import outcome

    async def found() -> str:
        told = await outcome(probe, place)
        return f"{place.model}: {told}" if several else told

    return found


def _found(capability: str, asked: list[Callable[[], Coroutine[Any, Any, str]]]) -> Finding:
    """Return what the first says that is offered the capability."""
    from harness.session.probes import NotOfferedError, NotShownError

    why = ""
    for ask in asked:
        try:
            return Finding(check=capability, verdict="ok", found=asyncio.run(ask()))
        except NotOfferedError as error:
            why = why or str(error)
        except NotShownError as error:
            return Finding(check=capability, verdict="not shown", found=str(error))
        except HarnessError as error:
            said = f"{error.what}: {error.why}" if error.why else error.what
            return Finding(check=capability, verdict="failed", found=said, exit_code=FAILED)
    return Finding(check=capability, verdict="not offered", found=why)


def _place(service: Any, url: str | None, model: str) -> Place:
    from harness.session.config import endpoints, route
    from harness.session.probes import Place
    from harness.session.transport import connect

    def endpoint(wanted: Route) -> Endpoint:
        return endpoints(service, url, os.environ, version=wanted.version)()

    def needed(setup: Setup) -> Route:
        return route(service, None, [setup], os.environ)

    return Place(
        connect=connect,
        endpoint=endpoint,
        route=needed,
        model=model,
        speech=_recording(),
        pause_s=0.0 if service == "emulator" else 0.1,
    )


def _recording() -> bytes:
    """Return the shortest English recording of the sample dataset, s16le mono 16 kHz."""
    from harness.audio.load import load
    from harness.corpus.shelf import open_dataset

    english = [u for u in open_dataset("sample").utterances if u.locale == "en-US"]
    shortest = min(english, key=lambda u: u.duration_s or float("inf"))
    assert shortest.audio is not None  # noqa: S101 - of the bundled recordings
    clip = load(shortest.audio, offset_s=shortest.offset_s, duration_s=shortest.duration_s)
    return clip.read(0, len(clip))


async def _token(service: Any, url: str | None, place: Place) -> str:
    """Return what came of minting a token and opening a session with it."""
    from harness.secret import Secret
    from harness.session.config import api_key
    from harness.session.minting import mint
    from harness.session.probes import NotOfferedError, opened
    from harness.wire.live.endpoint import gemini_token
    from harness.wire.live.tokens import TokenRequest

    if service == "vertex":
        raise NotOfferedError("tokens are the Gemini Developer API's")
    key: Secret | None = Secret("any") if service == "emulator" else api_key(os.environ)
    if key is None:
        raise NotOfferedError("there is no API key to mint one with")
    token = await asyncio.to_thread(mint, key, TokenRequest(uses=1), url=url)
    await opened(place, gemini_token(token, url=url))
    return "minted, and a session opened with it"
